//! Pairs of documents as they are in real life, with what a reviewer is told of each.
//!
//! `changes/NAME.json` is a pair, in a short form that `changes/case.rs` reads; `changes/NAME.txt`
//! is what comes out. After a change that is meant to tell something else: `SLUICE_CHANGES=write
//! cargo test -p domain --test changes`, and read each difference before you commit it.

#[path = "changes/case.rs"]
mod case;
#[path = "changes/told.rs"]
mod told;

use std::fs;
use std::path::{Path, PathBuf};

use domain::change::{self, Changes};
use domain::edit;
use domain::validate::Checked;

use case::Case;

/// Returns the cases with their files, by name.
fn cases() -> Vec<(PathBuf, Case)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/changes");
    let entries = fs::read_dir(&folder).expect("the folder is there");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("it can be read").path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect();
    files.sort();
    let case = |file: PathBuf| {
        let text = fs::read_to_string(&file).expect("it can be read");
        let case = Case::read(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        (file, case)
    };
    files.into_iter().map(case).collect()
}

#[test]
fn a_reviewer_is_told_what_the_snapshots_say() {
    let write = std::env::var("SLUICE_CHANGES").is_ok_and(|how| how == "write");
    let cases = cases();
    assert!(cases.len() >= 20);
    let mut wrong = Vec::new();
    for (file, case) in &cases {
        let changes = Changes::between(&case.before, &case.after);
        let told = told::told(case, &changes);
        let file = file.with_extension("txt");
        if write {
            fs::write(&file, &told).expect("it can be written");
        } else if fs::read_to_string(&file).unwrap_or_default() != told {
            wrong.push(format!("{}\n\n{told}", file.display()));
        }
    }
    assert!(
        wrong.is_empty(),
        "Told otherwise. If that is meant: SLUICE_CHANGES=write cargo test -p domain --test changes\n\n{}",
        wrong.join("\n")
    );
}

#[test]
fn the_cases_are_as_real_ones_are() {
    for (file, case) in cases() {
        let problems = |document| -> Vec<String> {
            Checked::of(document)
                .problems()
                .map(|problem| problem.message.clone())
                .collect()
        };
        assert_eq!(problems(&case.before), [""; 0], "{}", file.display());
        let after = problems(&case.after);
        assert_eq!(
            after.is_empty(),
            !case.breaks,
            "{}: {after:?}",
            file.display()
        );
    }
}

#[test]
fn edits_lead_from_one_document_to_the_other_and_back() {
    for (file, case) in cases() {
        for (from, to) in [(&case.before, &case.after), (&case.after, &case.before)] {
            let mut document = from.clone();
            for edit in change::edits(from, to) {
                let done = edit::apply(&mut document, &edit);
                assert!(done.is_ok(), "{}: {edit:?}: {done:?}", file.display());
            }
            assert_eq!(document.canonical(), to.canonical(), "{}", file.display());
        }
    }
}
