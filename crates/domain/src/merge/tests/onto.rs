//! What is not saved yet, merged into what someone else saved.

use serde_json::json;

use super::super::*;
use super::case::{Case, field, set};
use super::outline::id;
use crate::edit::Edit;

fn onto_of(case: &Case) -> Onto {
    onto(&case.base, &case.ours, &case.theirs)
}

#[test]
fn fields_that_only_one_person_changed_are_all_kept() {
    let case = Case::charge(
        &[set('c', "url", "https://b.example")],
        &[set('c', "method", "PUT"), set('l', "message", "Charged")],
    );
    let merged = onto_of(&case);
    assert_eq!(field(&merged.document, 'c', "url"), "https://b.example");
    assert_eq!(field(&merged.document, 'c', "method"), "PUT");
    assert_eq!(field(&merged.document, 'l', "message"), "Charged");
    assert_eq!((merged.replaced, merged.lost), (Vec::new(), Vec::new()));
}

#[test]
fn of_two_values_of_one_field_the_unsaved_one_stays_and_the_other_is_told() {
    let case = Case::charge(
        &[set('c', "url", "https://b.example")],
        &[set('c', "url", "https://c.example")],
    );
    let merged = onto_of(&case);
    assert_eq!(merged.document, case.ours);
    let [replaced] = merged.replaced.as_slice() else {
        panic!("one value is replaced: {:?}", merged.replaced);
    };
    assert_eq!(replaced.theirs, Some(json!("https://c.example")));
    assert_eq!(merged.lost, []);
}

#[test]
fn what_someone_deleted_stays_deleted_and_what_was_written_in_it_is_told() {
    let delete = Edit::Delete { step: id('c') };
    let case = Case::charge(&[set('c', "url", "https://b.example")], &[delete]);
    let merged = onto_of(&case);
    assert_eq!(merged.document, case.theirs);
    let [lost] = merged.lost.as_slice() else {
        panic!("one step is lost: {:?}", merged.lost);
    };
    let ours = lost.ours.as_ref().map(ToString::to_string);
    assert!(ours.is_some_and(|ours| ours.contains("https://b.example")));
}

#[test]
fn what_one_deletes_oneself_is_deleted_whatever_someone_wrote_in_it() {
    let delete = Edit::Delete { step: id('c') };
    let case = Case::charge(&[delete], &[set('c', "url", "https://b.example")]);
    let merged = onto_of(&case);
    assert!(!merged.document.steps.contains_key(&id('c')));
    assert_eq!((merged.replaced.len(), merged.lost.len()), (1, 0));
}
