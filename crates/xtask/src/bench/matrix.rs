//! Who may do what: every route and server function for every kind of caller, as the router has
//! them, counted by a test on a server of its own.

use std::fs;

use crate::arguments::Arguments;
use crate::bench::{Bench, report};
use crate::command::{Context, Failure, Outcome, progress, run};
use crate::launch::{Postgres, Scratch};

/// What the tests report, and what it should be.
const FIGURES: [(&str, Option<f64>); 3] = [
    ("routes", None),
    ("cells", None),
    ("unexpected_allows", Some(0.0)),
];
/// How many tests report.
const REPORTS: usize = 2;

/// Prints how many routes and functions there are, in how many cells they were asked, and how many
/// callers were let in who should not have been.
pub(crate) fn measure(bench: &Bench<'_>, arguments: Arguments) -> Outcome {
    arguments.finish()?;
    let scratch = Scratch::new("bench-matrix")?;
    let report = scratch.path().join("report");
    let postgres = Postgres::start(&bench.program, &scratch.path().join("data"))?;
    progress("The permission matrix");
    let mut test = report::tests(bench, &postgres, ("SLUICE_MATRIX_REPORT", &report));
    test.args(["--test", "sluice", "--", "permission::"]);
    // What was allowed is among the figures.
    let tested = run(&mut test);
    let report = fs::read_to_string(&report).context(|| "reading what was found".to_owned())?;
    for (name, goal) in FIGURES {
        report::print(name, sum(&report, name)?, goal);
    }
    tested
}

/// Sums a number of all reports.
fn sum(report: &str, name: &str) -> Outcome<f64> {
    let values = report::numbers(report, name);
    match values.len() {
        REPORTS => Ok(values.iter().sum()),
        some => Err(Failure::new(format!(
            "{some} of {REPORTS} tests reported {name}."
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::sum;

    #[test]
    fn each_test_has_to_report_each_number() {
        let report = "routes=8 cells=160 unexpected_allows=0\nroutes=100 cells=5 x\n";
        assert!(matches!(sum(report, "routes"), Ok(sum) if sum == 108.0));
        assert!(sum(report, "unexpected_allows").is_err());
    }
}
