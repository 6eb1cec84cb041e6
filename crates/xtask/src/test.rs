//! `cargo xtask test`: everything that has to hold before a change is merged.
//!
//! A failure never hides the ones after it: all steps run, the failures are listed
//! at the end, and the last line counts.

mod tally;

use std::path::Path;
use std::time::Instant;

use crate::command::{self, Failure, Outcome, progress, say};
use crate::launch::{self, Postgres, Profile, Scratch};
use crate::prepare;
use crate::project::Project;
use crate::setup::{self, Toolchain};
use tally::Tally;

/// The crates tested on the host; what the page draws is tested in the browser.
const HOST_CRATES: [&str; 6] = ["xtask", "domain", "engine", "store", "app", "server"];
/// Those of them that need neither a database nor the rest to compile.
const INNER_CRATES: [&str; 4] = ["xtask", "domain", "engine", "app"];

/// Runs all tests; fails if one did.
pub(crate) fn run(project: &Project) -> Outcome {
    let begun = Instant::now();
    let toolchain = setup::for_test(project)?;
    let mut tally = Tally::default();

    step(&mut tally, "Formatting", |tally| {
        let mut format = toolchain.tool(project, "fmt")?;
        tally.check(
            "cargo fmt --check",
            command::succeeds(format.args(["--all", "--check"]))?,
        );
        Ok(())
    });
    step(&mut tally, "Lints", |tally| {
        lints(project, &toolchain, tally)
    });

    let mut built = None;
    step(&mut tally, "Server", |_| {
        built = Some(launch::server(project, &toolchain, Profile::Dev)?);
        Ok(())
    });
    match &built {
        Some(program) => {
            step(
                &mut tally,
                "Tests of the server and the crates below it",
                |tally| with_database(project, &toolchain, program, tally),
            );
        }
        None => step(
            &mut tally,
            "Tests of the crates that need no database",
            |tally| {
                let mut cargo = tests_of(project, &toolchain, &INNER_CRATES);
                tally.cargo_test(&mut cargo)
            },
        ),
    }

    let mut has_page = false;
    step(&mut tally, "Page", |_| {
        crate::site::build(project, &toolchain)?;
        has_page = true;
        Ok(())
    });
    if let (Some(program), true) = (&built, has_page) {
        step(&mut tally, "Browser", |tally| {
            browser(project, program, tally)
        });
    }

    progress(format_args!("All steps took {}", clock(begun)));
    for name in &tally.repeated {
        progress(format_args!("PASSED ONLY WHEN REPEATED {name}"));
    }
    for failure in &tally.failures {
        progress(format_args!("FAILED {failure}"));
    }
    say(format_args!(
        "{} passed, {} failed",
        tally.passed, tally.failed
    ));
    if tally.failed == 0 {
        Ok(())
    } else {
        Err(Failure::new(
            "Not everything passed; the failures are listed above.",
        ))
    }
}

fn step(tally: &mut Tally, title: &str, work: impl FnOnce(&mut Tally) -> Outcome) {
    let begun = Instant::now();
    eprintln!("\n==> {title}");
    if let Err(failure) = work(tally) {
        eprintln!("{failure}");
        tally.check(title, false);
    }
    progress(format_args!("{title}: {}", clock(begun)));
}

fn clock(begun: Instant) -> String {
    let seconds = begun.elapsed().as_secs();
    format!("{} min {:02} s", seconds / 60, seconds % 60)
}

/// Both sides, since half of `app` is compiled for each only. From nothing the two
/// take about three minutes on two cores; what they find is worth that in each run.
fn lints(project: &Project, toolchain: &Toolchain, tally: &mut Tally) -> Outcome {
    let deny = ["--", "-D", "warnings"];
    let mut host = toolchain.tool(project, "clippy")?;
    for name in HOST_CRATES {
        host.args(["--package", name]);
    }
    host.arg("--all-targets").args(deny);
    tally.check("cargo clippy (server)", command::succeeds(&mut host)?);
    if toolchain.is_private() {
        progress(
            "The page is not linted: the compiler of Debian's packages has no clippy for wasm32",
        );
        return Ok(());
    }
    let mut page = toolchain.tool(project, "clippy")?;
    page.args(["--package", &project.leptos.lib_package])
        .args(["--package", "app"])
        .args(["--target", "wasm32-unknown-unknown"])
        .args(deny);
    tally.check("cargo clippy (page)", command::succeeds(&mut page)?);
    Ok(())
}

fn tests_of(project: &Project, toolchain: &Toolchain, crates: &[&str]) -> std::process::Command {
    let mut cargo = toolchain.cargo();
    cargo
        .args(["test", "--no-fail-fast"])
        .current_dir(&project.root);
    for name in crates {
        cargo.args(["--package", name]);
    }
    cargo
}

/// One `cargo test` for all crates, so that what they share is compiled once.
fn with_database(
    project: &Project,
    toolchain: &Toolchain,
    program: &Path,
    tally: &mut Tally,
) -> Outcome {
    let scratch = Scratch::new("test")?;
    let postgres = Postgres::start(program, &scratch.path().join("data"))?;
    let mut cargo = tests_of(project, toolchain, &HOST_CRATES);
    cargo
        .env("DATABASE_URL", &postgres.url)
        .env("SLUICE_BIN", program);
    tally.cargo_test(&mut cargo)?;
    let data = prepare::with_server(project, toolchain, &postgres.url, true);
    if let Err(failure) = &data {
        eprintln!("{failure}");
    }
    tally.check("cargo xtask prepare --check", data.is_ok());
    Ok(())
}

fn browser(project: &Project, program: &Path, tally: &mut Tally) -> Outcome {
    let mut playwright = std::process::Command::new(project.node_tool("playwright"));
    playwright
        .arg("test")
        .env("SLUICE_BIN", program)
        .env("SLUICE_SITE", &project.leptos.site_root)
        .env("FORCE_COLOR", "0")
        .env_remove("DATABASE_URL")
        .current_dir(project.end2end());
    if let Some(browser) = setup::chromium() {
        playwright.env("SLUICE_CHROMIUM", browser);
    }
    tally.playwright(&mut playwright)
}
