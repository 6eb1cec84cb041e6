//! `cargo xtask bench GROUP`: one JSON object a line for each figure of a group.
//!
//! A new group is a file in `bench/` with a function of the type `Measure` and a
//! line in `GROUPS`. Builds are release builds. Standard output holds the figures
//! and nothing else; what happens meanwhile is told on standard error.

mod browser;
mod domain;
mod faults;
mod figure;
mod hostile;
mod matrix;
mod openapi;
mod report;
mod runs;
mod secrets;
mod server;
mod start;

use std::path::PathBuf;

use crate::arguments::Arguments;
use crate::command::{Failure, Outcome, progress};
use crate::launch::{self, Profile};
use crate::project::Project;
use crate::setup::{self, Toolchain};

/// What a group's function gets.
pub(crate) struct Bench<'a> {
    /// The repository.
    pub(crate) project: &'a Project,
    /// The compiler that everything is built with.
    pub(crate) toolchain: &'a Toolchain,
    /// The release build of the server; the page is built as well, but for [`PAGELESS`]. Not there
    /// for a group of [`ALONE`].
    pub(crate) program: PathBuf,
}

/// Takes the figures of one group and prints them.
type Measure = fn(&Bench<'_>, Arguments) -> Outcome;

const GROUPS: &[(&str, &str, Measure)] = &[
    ("bundle", "bytes that a browser downloads", browser::bundle),
    (
        "domain",
        "time to check, edit, compare and merge 1,000 steps, natively and in the browser",
        domain::measure,
    ),
    (
        "editor",
        "time to open, change and drag in the builder on 1,000 steps beside 20; to open 5,000",
        browser::editor,
    ),
    (
        "faults",
        "what is lost or repeated when processes, Postgres and connections end; also --seconds N",
        faults::measure,
    ),
    (
        "hostile",
        "what attacks on a server of their own get through",
        hostile::measure,
    ),
    (
        "matrix",
        "whether any caller may do what its role does not allow, at any route or function",
        matrix::measure,
    ),
    (
        "openapi",
        "real descriptions imported, and every action called against a mock made of them",
        openapi::measure,
    ),
    (
        "page",
        "time until the first screen is usable",
        browser::page,
    ),
    (
        "review",
        "time to open the review of 100 edits of 1,000 steps, and to scroll it",
        browser::review,
    ),
    (
        "runs",
        "runs a second, how long they take, what they cost, also as the rest grows; --full, --part NAME, --peer URL --flow NAME",
        runs::measure,
    ),
    (
        "scenarios",
        "what is left of the rate when Postgres, connections and processes break, and under pressure; NAME…",
        runs::scenarios::measure,
    ),
    (
        "secrets",
        "whether planted secrets are found anywhere, and 10,000 sealed anew while runs go on",
        secrets::measure,
    ),
    (
        "start",
        "time to the first answer, memory at rest",
        start::measure,
    ),
];

/// Groups that need no server: what they measure they build themselves.
const ALONE: [&str; 1] = ["openapi"];

/// Groups that look at no page, which takes longest to build.
const PAGELESS: [&str; 2] = ["runs", "scenarios"];

/// Builds for release and takes the figures of the group that is named first.
pub(crate) fn run(project: &Project, mut arguments: Arguments) -> Outcome {
    let wanted = arguments.word().unwrap_or_default();
    let Some((name, _, measure)) = GROUPS.iter().find(|(name, _, _)| *name == wanted) else {
        let list: Vec<String> = GROUPS
            .iter()
            .map(|(name, about, _)| format!("    {name:<8} {about}"))
            .collect();
        return Err(Failure::new(format!(
            "`{wanted}` is not a group of benches. These are:\n{}",
            list.join("\n")
        )));
    };
    let toolchain = setup::for_test(project)?;
    let program = if ALONE.contains(name) {
        PathBuf::new()
    } else if PAGELESS.contains(name) {
        launch::server(project, &toolchain, Profile::Release)?
    } else {
        launch::build(project, &toolchain, Profile::Release)?
    };
    progress(format_args!("Measuring: {name}"));
    let toolchain = &toolchain;
    let bench = Bench {
        project,
        toolchain,
        program,
    };
    measure(&bench, arguments)
}
