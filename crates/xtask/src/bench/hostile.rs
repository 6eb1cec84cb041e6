//! What the hostile suite tried on a server of its own, and what got through.

use std::collections::BTreeMap;
use std::fs;

use crate::arguments::Arguments;
use crate::bench::figure::Figure;
use crate::bench::{Bench, browser, report};
use crate::command::{Context, Failure, Outcome, progress, run};
use crate::launch::{Postgres, Scratch};

/// Classes of attack that have to report: one that does not is no class where nothing got through.
const CLASSES: [&str; 21] = [
    "answer-bomb",
    "call-bomb",
    "code-escape",
    "component-bomb",
    "component-compiled",
    "component-forged",
    "component-taken",
    "confused",
    "confused-body",
    "connection-moved",
    "connection-taken",
    "expression-escape",
    "growth",
    "ssrf-component",
    "ssrf-connection",
    "ssrf-poll",
    "ssrf-redirect",
    "ssrf-request",
    "webhook-forged",
    "webhook-path",
    "xss",
];

/// Prints how many inputs were tried, and how many got through.
pub(crate) fn measure(bench: &Bench<'_>, arguments: Arguments) -> Outcome {
    arguments.finish()?;
    let scratch = Scratch::new("bench-hostile")?;
    let report = scratch.path().join("report");
    let postgres = Postgres::start(&bench.program, &scratch.path().join("data"))?;
    progress("The hostile suite");
    let mut test = report::tests(bench, &postgres, ("SLUICE_HOSTILE_REPORT", &report));
    for suite in ["sluice", "code", "component"] {
        test.args(["--test", suite]);
    }
    test.args(["--", "hostile::", "escape::no_way_out_reaches_a_canary"]);
    // What got through is among the figures.
    let tested = run(&mut test);
    progress("Stored payloads in a browser");
    let told = browser::story(bench, "hostile", ("SLUICE_HOSTILE_REPORT", &report));
    let report = fs::read_to_string(&report).context(|| "reading what was found".to_owned())?;
    let classes = read(&report);
    for (class, (inputs, through)) in &classes {
        progress(format_args!("{class}: {inputs} inputs, {through} through"));
    }
    if let Some(class) = CLASSES.iter().find(|class| !classes.contains_key(**class)) {
        return Err(Failure::new(format!(
            "The hostile suite did not report `{class}`."
        )));
    }
    let sum = |of: fn(&(f64, f64)) -> f64| classes.values().map(of).sum();
    Figure::new("inputs", sum(|(inputs, _)| *inputs), "1").print();
    Figure::new("through", sum(|(_, through)| *through), "1")
        .goal(0.0)
        .print();
    tested.and(told)
}

/// Reads the lines of a report: each class with its inputs and what got through.
fn read(report: &str) -> BTreeMap<String, (f64, f64)> {
    let mut classes = BTreeMap::new();
    for line in report.lines() {
        let words = || {
            line.split_whitespace()
                .filter_map(|word| word.split_once('='))
        };
        let word = |name: &str| words().find(|(of, _)| *of == name).map(|(_, value)| value);
        let number = |name: &str| word(name).and_then(|value| value.parse::<f64>().ok());
        if let (Some(class), Some(inputs), Some(through)) =
            (word("class"), number("inputs"), number("through"))
        {
            let sum: &mut (f64, f64) = classes.entry(class.to_owned()).or_default();
            sum.0 += inputs;
            sum.1 += through;
        }
    }
    classes
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn a_class_that_reports_twice_is_summed() {
        let read = read("class=a inputs=3 through=0\nclass=a inputs=4 through=1\nodd\n");
        assert_eq!(read.len(), 1);
        assert_eq!(read["a"], (7.0, 1.0));
    }
}
