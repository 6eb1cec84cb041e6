//! The Node packages of `end2end/`: the bundler, the optimizer and Playwright.

use std::process::Command;

use crate::command::{Context, Outcome, progress, run};
use crate::project::Project;
use crate::site::Digest;

/// Installs the packages exactly as locked, unless that was done for this lock file.
///
/// No package runs an install script, and no browser is downloaded.
pub(crate) fn packages(project: &Project) -> Outcome {
    let folder = project.end2end();
    let lock = folder.join("package-lock.json");
    let locked = Digest::of_file(&lock).context(|| format!("reading {}", lock.display()))?;
    let stamp = folder.join("node_modules/.sluice-lock");
    if std::fs::read_to_string(&stamp).is_ok_and(|done| done == locked.to_string()) {
        return Ok(());
    }
    progress(
        "Installing the Node packages of end2end/ (bundler, optimizer, Playwright without a browser)",
    );
    run(Command::new("npm")
        .args(["ci", "--no-audit", "--no-fund"])
        .env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1")
        .current_dir(&folder))?;
    std::fs::write(&stamp, locked.to_string()).context(|| format!("writing {}", stamp.display()))
}
