//! What an approval belongs to.

use proptest::prelude::*;

use super::*;
use crate::edit::{self, Edit};
use crate::sample::{Maker, plans};

/// Returns a document as it would be if nobody gave names to its steps and lanes, nor notes.
fn nameless(document: &Document) -> String {
    let mut plain = document.clone();
    for step in plain.steps.values_mut() {
        step.name.clear();
        step.notes.clear();
        step.lanes.iter_mut().for_each(|lane| lane.name.clear());
    }
    plain.canonical()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn an_edit_changes_the_fingerprint_when_it_changes_more_than_names_and_notes(plans in plans(40)) {
        let mut maker = Maker::default();
        let mut document = Document::new("webhook");
        for plan in plans {
            let before = document.clone();
            let edit = maker.edit(&document, plan);
            if edit::apply(&mut document, &edit).is_err() {
                continue;
            }
            let is_same = nameless(&before) == nameless(&document);
            prop_assert_eq!(
                Fingerprint::of(&before) == Fingerprint::of(&document),
                is_same,
                "{:?}",
                edit
            );
        }
    }

    #[test]
    fn names_and_notes_do_not_change_the_fingerprint(plans in plans(30), word in "[a-z]{1,8}") {
        let document = Maker::default().document(&plans);
        let fingerprint = Fingerprint::of(&document);
        let mut renamed = document.clone();
        for step in document.steps.values() {
            let (id, slug) = (step.id, step.slug.clone());
            let mut edits = vec![
                Edit::Rename { step: id, name: word.clone(), slug },
                Edit::SetNotes { step: id, notes: word.clone() },
            ];
            edits.extend(step.lanes.iter().map(|lane| Edit::SetLane {
                step: id,
                lane: lane.id,
                name: word.clone(),
                when: lane.when.clone(),
            }));
            for edit in edits {
                prop_assert!(edit::apply(&mut renamed, &edit).is_ok());
            }
        }
        prop_assert_eq!(Fingerprint::of(&renamed), fingerprint);
    }
}
