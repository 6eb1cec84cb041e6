//! Counts the cells of the matrix: caller by route or function by state of what it is about.
//!
//! `SLUICE_MATRIX_REPORT` names a file that a line is added to.

use std::fs::OpenOptions;
use std::io::Write;

/// What was asked, and what was not answered as it should be.
#[derive(Default)]
pub(super) struct Tally {
    /// Routes and functions.
    pub(super) routes: usize,
    cells: usize,
    /// Those who were let in and should not have been.
    allowed: usize,
    wrong: Vec<String>,
}

impl Tally {
    /// Counts an answer, of which `right` are the statuses that it may have.
    pub(super) fn cell(&mut self, what: &str, status: u16, right: &[u16], text: &str) {
        self.cells += 1;
        if right.contains(&status) {
            return;
        }
        if status < 400 && !right.iter().any(|right| *right < 400) {
            self.allowed += 1;
        }
        let text: String = text.chars().take(300).collect();
        self.wrong
            .push(format!("{what}: {status}, not {right:?}: {text}"));
    }

    /// Reports, and asserts that all was answered as it should be.
    pub(super) fn end(self) {
        let Self {
            routes,
            cells,
            allowed,
            wrong,
        } = self;
        if let Ok(report) = std::env::var("SLUICE_MATRIX_REPORT") {
            let file = OpenOptions::new().append(true).create(true).open(report);
            let line = format!("routes={routes} cells={cells} unexpected_allows={allowed}\n");
            // One write, as other tests report at the same time.
            file.and_then(|mut file| file.write_all(line.as_bytes()))
                .expect("the report can be written");
        }
        assert!(wrong.is_empty(), "of {cells} cells:\n{}", wrong.join("\n"));
    }
}
