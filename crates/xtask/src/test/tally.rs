//! Counts what passed and failed by reading what the test runners print.

use std::process::Command;

use crate::command::{self, Outcome};

/// What the steps have found so far.
#[derive(Default)]
pub(super) struct Tally {
    /// Tests and checks that passed.
    pub(super) passed: u64,
    /// Tests and checks that failed, or could not be run.
    pub(super) failed: u64,
    /// What failed, by name.
    pub(super) failures: Vec<String>,
    /// What failed at first and passed when it was repeated, by name.
    pub(super) repeated: Vec<String>,
    /// The list that is being read.
    list: List,
}

/// A list at the end of what Playwright prints: `  2 flaky`, then a line for each.
#[derive(Clone, Copy, Default)]
enum List {
    #[default]
    None,
    Failed,
    Repeated,
}

impl Tally {
    /// Counts a step that either holds or does not as one test.
    pub(super) fn check(&mut self, name: &str, holds: bool) {
        if holds {
            self.passed += 1;
        } else {
            self.failed += 1;
            self.failures.push(name.to_owned());
        }
    }

    /// Runs `cargo test` and counts its tests.
    pub(super) fn cargo_test(&mut self, command: &mut Command) -> Outcome {
        self.runner("cargo test", command, Self::read_libtest)
    }

    /// Runs Playwright and counts its tests.
    pub(super) fn playwright(&mut self, command: &mut Command) -> Outcome {
        self.runner("playwright test", command, Self::read_playwright)
    }

    fn runner(&mut self, name: &str, command: &mut Command, read: fn(&mut Self, &str)) -> Outcome {
        let before = self.failed;
        let ended_well = command::run_reading(command, |line| read(self, line))?;
        // Something broke before or beside the tests, such as a compile error.
        if !ended_well && self.failed == before {
            self.check(name, false);
        }
        Ok(())
    }

    fn read_libtest(&mut self, line: &str) {
        if let Some(name) = line
            .strip_prefix("test ")
            .and_then(|line| line.strip_suffix(" ... FAILED"))
        {
            self.failures.push(name.to_owned());
        }
        if let Some((_, counts)) = line
            .strip_prefix("test result: ")
            .and_then(|line| line.split_once(". "))
        {
            for count in counts.split("; ") {
                self.add(count);
            }
        }
    }

    fn read_playwright(&mut self, line: &str) {
        let inner = line.trim_start();
        match line.len() - inner.len() {
            // The closing counts: `  3 passed (10s)`.
            2 => {
                let what = inner.split_once(' ').map_or("", |(_, what)| what);
                self.list = match what {
                    "flaky" => List::Repeated,
                    _ if Self::is_failure(what) => List::Failed,
                    _ => List::None,
                };
                self.add(inner);
            }
            // One of what was counted: `    file:line › title ────`.
            4 if inner.contains(" › ") => {
                let title = inner.trim_end_matches(['─', ' ']).to_owned();
                match self.list {
                    List::None => {}
                    List::Failed => self.failures.push(title),
                    List::Repeated => self.repeated.push(title),
                }
            }
            _ => {}
        }
    }

    /// Adds a count such as `3 passed`. A test that did not run has not passed; one that passed
    /// when it was repeated has, and is told by name.
    fn add(&mut self, text: &str) {
        let Some((number, what)) = text.split_once(' ') else {
            return;
        };
        let Ok(number) = number.parse::<u64>() else {
            return;
        };
        let what = what.split(" (").next().unwrap_or_default().trim();
        match what {
            "passed" | "flaky" => self.passed += number,
            _ if Self::is_failure(what) => self.failed += number,
            _ => {}
        }
    }

    fn is_failure(what: &str) -> bool {
        matches!(what, "failed" | "interrupted" | "did not run" | "timed out")
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[test]
    fn libtest_is_counted_over_several_programs() {
        let mut tally = Tally::default();
        for line in [
            "running 3 tests",
            "test a::works ... ok",
            "test b::breaks ... FAILED",
            "test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test result: ok. 40 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s",
        ] {
            tally.read_libtest(line);
        }
        assert_eq!((tally.passed, tally.failed), (42, 1));
        assert_eq!(tally.failures, ["b::breaks"]);
    }

    #[test]
    fn playwright_is_counted_by_its_closing_lines() {
        let mut tally = Tally::default();
        for line in [
            "Running 6 tests using 1 worker",
            "  1) tests/story.spec.ts:3:1 › an order arrives ──────────",
            "    Error: expected 3 passed",
            "    tests/story.spec.ts:9:1 › in the middle of an error",
            "  1 failed",
            "    tests/story.spec.ts:3:1 › an order arrives ─────",
            "  1 flaky",
            "    tests/story.spec.ts:8:1 › an order is late ─────",
            "  1 did not run",
            "  3 passed (12.3s)",
        ] {
            tally.read_playwright(line);
        }
        assert_eq!((tally.passed, tally.failed), (4, 2));
        assert_eq!(
            tally.failures,
            ["tests/story.spec.ts:3:1 › an order arrives"]
        );
        assert_eq!(
            tally.repeated,
            ["tests/story.spec.ts:8:1 › an order is late"]
        );
    }
}
