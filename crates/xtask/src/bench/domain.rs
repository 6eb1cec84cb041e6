//! How long it takes to check, edit, compare and merge a document of 1,000 steps, here and in the
//! browser.

use std::path::PathBuf;
use std::process::Command;

use crate::arguments::Arguments;
use crate::bench::Bench;
use crate::command::{Outcome, run};
use crate::setup;

/// Prints `validate_1000_*`, `apply_1000_*`, `diff_*` and `merge_*`: natively, then in the shipped
/// module in Chromium.
pub(crate) fn measure(bench: &Bench<'_>, arguments: Arguments) -> Outcome {
    arguments.finish()?;
    let large = file(bench);
    run(native(bench).arg(&large))?;
    let mut node = Command::new("node");
    node.arg("bench/domain.mjs")
        .arg(&large)
        .env("SLUICE_SITE", &bench.project.leptos.site_root)
        .current_dir(bench.project.end2end());
    if let Some(browser) = setup::chromium() {
        node.env("SLUICE_CHROMIUM", browser);
    }
    run(&mut node)
}

/// Writes the documents that are measured into a file and returns its path.
pub(crate) fn documents(bench: &Bench<'_>) -> Outcome<PathBuf> {
    let large = file(bench);
    // Its figures are of another group.
    run(native(bench)
        .arg(&large)
        .stdout(std::process::Stdio::null()))?;
    Ok(large)
}

fn file(bench: &Bench<'_>) -> PathBuf {
    bench.project.target.join("xtask/domain.json")
}

fn native(bench: &Bench<'_>) -> Command {
    let mut cargo = bench.toolchain.cargo();
    cargo
        .args(["run", "--quiet", "--release", "--package", "domain"])
        .args(["--example", "bench", "--", "--write"])
        .current_dir(&bench.project.root);
    cargo
}
