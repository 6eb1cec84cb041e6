//! Figures that only a browser can take: its scripts lie in `end2end/bench`.

use std::path::Path;
use std::process::Command;

use crate::arguments::Arguments;
use crate::bench::server::Server;
use crate::bench::{Bench, domain};
use crate::command::{Outcome, run};
use crate::launch::Scratch;
use crate::setup;

/// Prints `open_1000_ms`, `inp_p98_ms` and what else the group `editor` has.
pub(crate) fn editor(bench: &Bench<'_>, arguments: Arguments) -> Outcome {
    arguments.finish()?;
    let documents = domain::documents(bench)?;
    script(bench, "editor", Some(&documents))
}

/// Prints `first_screen_bytes`, `wasm_raw_bytes` and `builder_bytes`.
pub(crate) fn bundle(bench: &Bench<'_>, arguments: Arguments) -> Outcome {
    arguments.finish()?;
    script(bench, "bundle", None)
}

/// Prints `first_screen_ms` and `lcp_ms`.
pub(crate) fn page(bench: &Bench<'_>, arguments: Arguments) -> Outcome {
    arguments.finish()?;
    script(bench, "page", None)
}

/// Prints `open_review_1000_ms` and `scroll_frame_p95_ms`.
pub(crate) fn review(bench: &Bench<'_>, arguments: Arguments) -> Outcome {
    arguments.finish()?;
    let documents = domain::documents(bench)?;
    script(bench, "review", Some(&documents))
}

/// Tells one story of the browser tests, which adds what it found to the report that a variable
/// names.
pub(crate) fn story(bench: &Bench<'_>, name: &str, report: (&str, &Path)) -> Outcome {
    let mut playwright = Command::new(bench.project.node_tool("playwright"));
    playwright
        .args(["test", &format!("tests/{name}.spec.ts")])
        .env("SLUICE_BIN", &bench.program)
        .env("SLUICE_SITE", &bench.project.leptos.site_root)
        .env(report.0, report.1)
        .env("FORCE_COLOR", "0")
        .env_remove("DATABASE_URL")
        // Standard output is for figures.
        .stdout(std::io::stderr())
        .current_dir(bench.project.end2end());
    if let Some(browser) = setup::chromium() {
        playwright.env("SLUICE_CHROMIUM", browser);
    }
    run(&mut playwright)
}

/// Runs a script against a server of its own, with a file that it works on if it needs one. What it
/// prints are the figures.
fn script(bench: &Bench<'_>, name: &str, file: Option<&Path>) -> Outcome {
    let scratch = Scratch::new("bench-browser")?;
    let (server, _) = Server::start(bench, &scratch.path().join("data"))?;
    let mut node = Command::new("node");
    node.arg(format!("bench/{name}.mjs"))
        .arg(server.url())
        .args(file)
        .env("SLUICE_SITE", &bench.project.leptos.site_root)
        .current_dir(bench.project.end2end());
    if let Some(browser) = setup::chromium() {
        node.env("SLUICE_CHROMIUM", browser);
    }
    run(&mut node)
}
