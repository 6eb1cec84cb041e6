//! What the crash test finds when it disturbs for longer, with release builds: processes that are
//! killed, Postgres started anew, connections cut, all under load.

use std::fs;

use crate::arguments::Arguments;
use crate::bench::Bench;
use crate::bench::figure::Figure;
use crate::command::{Context, Failure, Outcome, progress, run};
use crate::launch::Scratch;

/// How long is disturbed, unless `--seconds` says so.
const SECONDS: &str = "60";

/// What the test reports, its unit, and what it should be.
const FIGURES: [(&str, &str, Option<f64>); 9] = [
    ("events", "1", None),
    ("kills", "1", None),
    ("restarts", "1", None),
    ("cuts", "1", None),
    ("lost", "1", Some(0.0)),
    ("repeated_after_record", "1", Some(0.0)),
    ("stuck", "1", Some(0.0)),
    ("stale_accepted", "1", Some(0.0)),
    ("recovery_p99_ms", "ms", Some(3_000.0)),
];

/// Prints what came in, what was done to the processes, and what went wrong.
pub(crate) fn measure(bench: &Bench<'_>, mut arguments: Arguments) -> Outcome {
    let seconds = arguments.value("--seconds")?;
    arguments.finish()?;
    let scratch = Scratch::new("bench-faults")?;
    let report = scratch.path().join("report");
    progress("The crash test");
    let mut test = bench.toolchain.cargo();
    test.args(["test", "--release", "--package"])
        .arg(&bench.project.leptos.bin_package)
        .args(["--test", "sluice", "faults::"])
        .env(
            "SLUICE_FAULTS_SECONDS",
            seconds.as_deref().unwrap_or(SECONDS),
        )
        .env("SLUICE_FAULTS_REPORT", &report)
        .env("SQLX_OFFLINE", "true")
        .current_dir(&bench.project.root);
    // What went wrong is among the figures.
    let tested = run(&mut test);
    let report = fs::read_to_string(&report).context(|| "reading what was found".to_owned())?;
    for (name, unit, goal) in FIGURES {
        let value = report
            .split_whitespace()
            .filter_map(|word| word.split_once('='))
            .find_map(|(of, value)| (of == name).then(|| value.parse().ok())?)
            .ok_or_else(|| Failure::new(format!("The crash test did not report {name}.")))?;
        let figure = Figure::new(name, value, unit);
        match goal {
            Some(goal) => figure.goal(goal).print(),
            None => figure.print(),
        }
    }
    tested
}
