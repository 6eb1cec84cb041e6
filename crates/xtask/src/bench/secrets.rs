//! Whether planted secrets are found anywhere, and whether many can be sealed anew while runs go on.

use std::fs;

use crate::arguments::Arguments;
use crate::bench::{Bench, browser, report};
use crate::command::{Context, Failure, Outcome, progress, run};
use crate::launch::{Postgres, Scratch};

/// How many secrets are sealed anew.
const ROTATED: &str = "10000";

/// What the tests report, and what it should be.
const FIGURES: [(&str, Option<f64>); 6] = [
    ("canaries", None),
    ("places", None),
    ("found", Some(0.0)),
    ("rotated", None),
    ("runs", None),
    ("failed", Some(0.0)),
];

/// What is reported of the server and of the browser.
const SEARCHED: [&str; 3] = ["canaries", "places", "found"];

/// Prints how many secrets were planted, in how many places they were looked for, and found; how
/// many were sealed anew, and how many runs failed meanwhile.
pub(crate) fn measure(bench: &Bench<'_>, arguments: Arguments) -> Outcome {
    arguments.finish()?;
    let scratch = Scratch::new("bench-secrets")?;
    let report = scratch.path().join("report");
    let postgres = Postgres::start(&bench.program, &scratch.path().join("data"))?;
    progress("Planted secrets");
    let mut test = report::tests(bench, &postgres, ("SLUICE_SECRETS_REPORT", &report));
    test.args(["--test", "sluice", "--"])
        .args(["connection::a_planted_secret", "rotate_key::many_secrets"])
        .env("SLUICE_SECRETS_ROTATED", ROTATED);
    // What was found is among the figures.
    let tested = run(&mut test);
    progress("Planted secrets in a browser");
    let told = browser::story(bench, "secrets", ("SLUICE_SECRETS_REPORT", &report));
    let report = fs::read_to_string(&report).context(|| "reading what was found".to_owned())?;
    for (name, goal) in FIGURES {
        let values = report::numbers(&report, name);
        let reports = if SEARCHED.contains(&name) { 2 } else { 1 };
        if values.len() < reports {
            return Err(Failure::new(format!("Not all tests reported {name}.")));
        }
        report::print(name, values.iter().sum(), goal);
    }
    tested.and(told)
}
