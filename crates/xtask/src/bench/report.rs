//! Figures that tests report: the tests are run as release builds, and what they found is read from
//! the file that a variable names to them.

use std::path::Path;
use std::process::Command;

use crate::bench::Bench;
use crate::bench::figure::Figure;
use crate::launch::Postgres;

/// Returns the command that tests the server on a Postgres; which tests is to be added. All are run,
/// also when some fail: what went wrong is among the figures.
pub(super) fn tests(
    bench: &Bench<'_>,
    postgres: &Postgres,
    (variable, report): (&str, &Path),
) -> Command {
    let mut test = bench.toolchain.cargo();
    test.args(["test", "--release", "--no-fail-fast", "--package"])
        .arg(&bench.project.leptos.bin_package)
        .env(variable, report)
        .env("DATABASE_URL", &postgres.url)
        .env("SQLX_OFFLINE", "true")
        .stdout(std::io::stderr())
        .current_dir(&bench.project.root);
    test
}

/// Returns each number that a report has under a name, as `name=1`.
pub(super) fn numbers(report: &str, name: &str) -> Vec<f64> {
    report
        .split_whitespace()
        .filter_map(|word| word.split_once('='))
        .filter(|(of, _)| *of == name)
        .filter_map(|(_, value)| value.parse().ok())
        .collect()
}

/// Prints a count, and what it should be where that is known.
pub(super) fn print(name: &'static str, count: f64, goal: Option<f64>) {
    let figure = Figure::new(name, count, "1");
    match goal {
        Some(goal) => figure.goal(goal).print(),
        None => figure.print(),
    }
}

#[cfg(test)]
mod tests {
    use super::numbers;

    #[test]
    fn each_number_under_a_name_is_read_and_nothing_else() {
        let report = "found=0 founds=3\nfound=2 found=x found\n";
        assert_eq!(numbers(report, "found"), [0.0, 2.0]);
        assert!(numbers(report, "places").is_empty());
    }
}
