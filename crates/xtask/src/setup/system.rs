//! Programs that the operating system's packages bring.
//!
//! Only Debian and its relatives are installed on; anywhere else the message
//! says what has to be there.

use std::path::PathBuf;
use std::process::Command;

use crate::command::{self, Failure, Outcome, answer, find, progress};

/// Oldest Node that the page's tools run on.
const NODE_MAJOR: u32 = 18;

/// Makes sure that there are Node and npm, which run the page's tools.
pub(crate) fn node() -> Outcome {
    let mut packages = Vec::new();
    if find("node").is_none() {
        packages.push("nodejs");
    }
    if find("npm").is_none() {
        packages.push("npm");
    }
    if !packages.is_empty() {
        install(&packages, "Node, which runs the tools that finish the page")?;
    }
    let version = answer(Command::new("node").arg("--version")).unwrap_or_default();
    let major = version
        .trim_start_matches('v')
        .split('.')
        .next()
        .and_then(|text| text.parse().ok());
    match major {
        Some(NODE_MAJOR..) => Ok(()),
        _ => Err(Failure::new(format!(
            "Node {NODE_MAJOR} or newer is needed; `node --version` says `{version}`. Install a newer one."
        ))),
    }
}

/// Makes sure that there are Postgres' server programs, for Sluice's private server.
pub(crate) fn postgres() -> Outcome {
    if has_postgres() {
        return Ok(());
    }
    progress(
        "Debian may start a Postgres of its own with this package; Sluice leaves that one alone.",
    );
    install(
        &["postgresql"],
        "Postgres' server programs, which Sluice runs privately",
    )?;
    if has_postgres() {
        return Ok(());
    }
    Err(Failure::new(
        "No Postgres server was found: `initdb` is neither in /usr/lib/postgresql/*/bin nor on the path. \
         Install Postgres 15 or newer, or set DATABASE_URL.",
    ))
}

fn has_postgres() -> bool {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    find("initdb").is_some()
        || versions
            .into_iter()
            .any(|version| version.path().join("bin/initdb").is_file())
}

/// Makes sure that there is a Chromium, which the browser tests drive.
pub(crate) fn browser() -> Outcome {
    if chromium().is_some() {
        return Ok(());
    }
    install(&["chromium"], "Chromium, which the browser tests drive")?;
    match chromium() {
        Some(_) => Ok(()),
        None => Err(Failure::new(
            "No Chromium was found. Install it, or set SLUICE_CHROMIUM to a Chromium or Chrome program.",
        )),
    }
}

/// The browser that tests and benches drive, if there is one.
pub(crate) fn chromium() -> Option<PathBuf> {
    if let Some(chosen) = std::env::var_os("SLUICE_CHROMIUM").filter(|path| !path.is_empty()) {
        return Some(PathBuf::from(chosen));
    }
    [
        "chromium",
        "chromium-browser",
        "google-chrome",
        "google-chrome-stable",
    ]
    .into_iter()
    .find_map(find)
}

/// Installs Debian packages, as root or through sudo without a password.
pub(crate) fn install(packages: &[&str], purpose: &str) -> Outcome {
    let list = packages.join(" ");
    let by_hand = format!(
        "Install {purpose}, then run this command again. On Debian: apt-get install {list}"
    );
    if find("apt-get").is_none() {
        return Err(Failure::new(by_hand));
    }
    progress(format_args!("Installing {list}: {purpose}"));
    // The lists of an image are often missing or old, so a first failure means little.
    let words: Vec<&str> = ["install", "--yes", "--no-install-recommends"]
        .into_iter()
        .chain(packages.iter().copied())
        .collect();
    let has_lists =
        answer(Command::new("apt-cache").args(["policy", packages[0]])).is_some_and(|policy| {
            policy.contains("Candidate: ") && !policy.contains("Candidate: (none)")
        });
    if has_lists && apt(&words)? {
        return Ok(());
    }
    progress("Reading the package lists anew");
    if apt(&["update"])? && apt(&words)? {
        return Ok(());
    }
    Err(Failure::new(format!(
        "The packages could not be installed. {by_hand}"
    )))
}

fn apt(words: &[&str]) -> Outcome<bool> {
    let is_root = answer(Command::new("id").arg("-u")).as_deref() == Some("0");
    let mut apt = if is_root {
        Command::new("apt-get")
    } else if find("sudo").is_some() {
        let mut sudo = Command::new("sudo");
        sudo.args([
            "--non-interactive",
            "DEBIAN_FRONTEND=noninteractive",
            "apt-get",
        ]);
        sudo
    } else {
        progress("Not root, and there is no sudo.");
        return Ok(false);
    };
    apt.env("DEBIAN_FRONTEND", "noninteractive")
        .args(["--quiet", "-o", "DPkg::Lock::Timeout=120"])
        .args(words);
    command::succeeds(&mut apt)
}
