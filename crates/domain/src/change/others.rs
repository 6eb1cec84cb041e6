//! What someone else's save means to whoever has the document open: in a sentence, and for undo.

use super::{Changes, Field, FieldChange, Kind, StepChange, Target, What};
use crate::edit::Edit;
use crate::{Document, StepId};

impl Changes {
    /// Returns what someone did, in one sentence; the documents are those that were compared.
    pub fn sentence(&self, who: &str, before: &Document, after: &Document) -> String {
        let steps: Vec<_> = self.steps.iter().filter(|one| !one.is_quiet()).collect();
        let [trigger, settings] = [&self.trigger, &self.settings].map(|of| !of.is_empty());
        match (steps.as_slice(), trigger, settings) {
            ([], false, false) => format!("{who} saved this draft."),
            ([], true, false) => format!("{who} changed the trigger."),
            ([], false, true) => format!("{who} changed the settings."),
            ([one], false, false) => {
                let word = word(one);
                match name(one, before, after) {
                    Some(name) => format!("{who} {word} “{name}”."),
                    None => format!("{who} {word} a step."),
                }
            }
            _ => {
                let mut summary = self.summary();
                summary[..1].make_ascii_lowercase();
                format!("{who} changed this draft: {summary}.")
            }
        }
    }

    /// Returns whether an edit would put back what these changes replaced or took away: an undo
    /// that was possible before them should not undo another person's work.
    pub fn supersede(&self, edit: &Edit) -> bool {
        match edit {
            Edit::SetTrigger { .. } => !self.trigger.is_empty(),
            Edit::SetTriggerField { field, .. } => self.has(Target::Trigger, &Field::config(field)),
            Edit::SetSettings { .. } => !self.settings.is_empty(),
            Edit::SetField { step, field, .. } => self.has_of(*step, &[Field::config(field)]),
            Edit::SetNotes { step, .. } => self.has_of(*step, &[Field::notes()]),
            Edit::SetAction { step, .. } => self.has_of(*step, &[Field::action()]),
            Edit::SetErrorPolicy { step, .. } => {
                self.has_of(*step, &[Field::retries(), Field::then()])
            }
            Edit::Rename { step, .. } => self.has_of(*step, &[Field::name(), Field::slug()]),
            Edit::SetLane { step, lane, .. } => {
                self.has_of(*step, &[Field::lane_name(*lane), Field::lane_when(*lane)])
            }
            Edit::Move { step, .. } => self
                .of(*step)
                .is_some_and(|one| one.moved.is_some() || is_gone(one)),
            Edit::Restore { steps } => steps.iter().any(|step| self.of(step.id).is_some()),
            Edit::Delete { step }
            | Edit::AddLane { step, .. }
            | Edit::DeleteLane { step, .. }
            | Edit::MoveLane { step, .. }
            | Edit::InsertLane { step, .. } => self.of(*step).is_some_and(is_gone),
            Edit::Insert { .. } => false,
            Edit::Batch { edits } => edits.iter().any(|edit| self.supersede(edit)),
        }
    }

    fn has_of(&self, step: StepId, fields: &[Field]) -> bool {
        self.of(step).is_some_and(is_gone)
            || fields
                .iter()
                .any(|field| self.has(Target::Step(step), field))
    }

    fn has(&self, target: Target, field: &Field) -> bool {
        let is_it = |change: &FieldChange| change.field == *field;
        self.fields(target).iter().any(is_it)
    }
}

fn is_gone(change: &StepChange) -> bool {
    change.what == What::Deleted
}

fn word(change: &StepChange) -> &'static str {
    match change.kinds().as_slice() {
        [Kind::New] => "added",
        [Kind::Deleted] => "deleted",
        [Kind::Moved] => "moved",
        [Kind::Renamed] => "renamed",
        _ => "changed",
    }
}

fn name<'d>(change: &StepChange, before: &'d Document, after: &'d Document) -> Option<&'d str> {
    let step = after.steps.get(&change.id);
    let step = step.or_else(|| before.steps.get(&change.id));
    step.map(|step| step.name.as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::super::Changes;
    use crate::document::{ListRef, Place, Settings};
    use crate::edit::{self, Edit};
    use crate::{Document, LaneId, StepId, catalog};

    const ONE: StepId = StepId(Uuid::from_u128(1));
    const TWO: StepId = StepId(Uuid::from_u128(2));

    fn insert(id: StepId, name: &str, slug: &str) -> Edit {
        let action = catalog::action("log").expect("it is in the catalog");
        let lane = || LaneId(Uuid::nil());
        Edit::Insert {
            steps: vec![edit::new_step(action, id, name, slug.to_owned(), lane)],
            at: Place {
                list: ListRef::Flow,
                index: 0,
            },
        }
    }

    fn set(step: StepId, field: &str, value: &str) -> Edit {
        Edit::SetField {
            step,
            field: field.to_owned(),
            value: Some(json!(value)),
        }
    }

    fn rename(step: StepId, name: &str, slug: &str) -> Edit {
        Edit::Rename {
            step,
            name: name.to_owned(),
            slug: slug.to_owned(),
        }
    }

    fn with(base: &Document, edits: &[Edit]) -> Document {
        let mut document = base.clone();
        for edit in edits {
            edit::apply(&mut document, edit).expect("it fits");
        }
        document
    }

    /// Two steps, Two before One, which uses it.
    fn start() -> Document {
        let refers = set(ONE, "message", "{{ steps.two.message }}");
        let edits = [insert(ONE, "One", "one"), insert(TWO, "Two", "two"), refers];
        with(&Document::new("manual"), &edits)
    }

    #[test]
    fn what_someone_did_is_one_sentence() {
        let longer = Edit::SetSettings {
            settings: Settings {
                time_limit_seconds: 7,
            },
        };
        let cases = [
            (vec![], "Ada saved this draft."),
            (vec![set(ONE, "message", "a")], "Ada changed “One”."),
            (vec![rename(ONE, "Uno", "uno")], "Ada renamed “Uno”."),
            (vec![Edit::Delete { step: ONE }], "Ada deleted “One”."),
            (
                vec![insert(StepId(Uuid::from_u128(3)), "New", "new")],
                "Ada added “New”.",
            ),
            (vec![longer.clone()], "Ada changed the settings."),
            (
                vec![set(ONE, "message", "a"), set(TWO, "message", "b"), longer],
                "Ada changed this draft: 2 steps modified; settings changed.",
            ),
            // What follows the new name by itself is not told.
            (vec![rename(TWO, "Due", "due")], "Ada renamed “Due”."),
        ];
        let before = start();
        for (edits, expected) in cases {
            let after = with(&before, &edits);
            let changes = Changes::between(&before, &after);
            assert_eq!(changes.sentence("Ada", &before, &after), expected);
        }
    }

    #[test]
    fn an_undo_does_not_undo_another_persons_work() {
        let before = start();
        let undo = |edit: &Edit| {
            let mut document = before.clone();
            let change = edit::apply(&mut document, edit).expect("it fits");
            change.inverse
        };
        let typed = undo(&set(ONE, "message", "mine"));
        let noted = undo(&Edit::SetNotes {
            step: ONE,
            notes: "mine".to_owned(),
        });
        let renamed = undo(&rename(ONE, "Mine", "mine"));
        let deleted = undo(&Edit::Delete { step: ONE });
        let cases = [
            (set(ONE, "message", "theirs"), [true, false, false, false]),
            (set(ONE, "level", "warning"), [false, false, false, false]),
            (set(TWO, "message", "theirs"), [false, false, false, false]),
            (rename(ONE, "Theirs", "theirs"), [false, false, true, false]),
            // The text of One refers to Two by its slug, and followed.
            (rename(TWO, "Theirs", "theirs"), [true, false, false, false]),
            (Edit::Delete { step: ONE }, [true, true, true, false]),
        ];
        for (theirs, expected) in cases {
            let after = with(&before, std::slice::from_ref(&theirs));
            let changes = Changes::between(&before, &after);
            let found = [&typed, &noted, &renamed, &deleted].map(|one| changes.supersede(one));
            assert_eq!(found, expected, "{theirs:?}");
        }
        let batch = Edit::Batch {
            edits: vec![noted, typed],
        };
        let after = with(&before, &[set(ONE, "message", "theirs")]);
        assert!(Changes::between(&before, &after).supersede(&batch));
    }
}
