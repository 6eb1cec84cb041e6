//! Which steps an edit can give other problems than before, besides those that it touched.

use std::collections::BTreeSet;

use super::scope;
use crate::catalog::PARALLEL;
use crate::document::Step;
use crate::edit::{Change, Edit};
use crate::{Document, StepId};

/// What an edit changed for others.
#[derive(Default)]
pub(super) struct Ripple {
    /// Steps with other content or other surroundings.
    pub(super) steps: BTreeSet<StepId>,
    /// Names whose meaning changed, as [`scope::number`]: slugs, and `trigger`.
    names: BTreeSet<u64>,
    /// The trigger, the settings or the flow changed.
    pub(super) whole: bool,
    /// A step turned into another kind: look at everything.
    pub(super) everything: bool,
}

impl Ripple {
    /// Returns what a change did; `document` is the document after it.
    pub(super) fn of(document: &Document, change: &Change) -> Self {
        let mut ripple = Self {
            steps: change.touched.clone(),
            ..Self::default()
        };
        ripple.add(document, &change.edit);
        ripple.add(document, &change.inverse);
        ripple
    }

    /// Returns whether a name that a step uses means something else now.
    pub(super) fn reaches(&self, mentions: &[u64]) -> bool {
        !self.names.is_empty() && mentions.iter().any(|mention| self.names.contains(mention))
    }

    fn add(&mut self, document: &Document, edit: &Edit) {
        match edit {
            Edit::SetTrigger { .. } => {
                self.whole = true;
                self.names.insert(scope::number("trigger"));
            }
            Edit::SetTriggerField { .. } | Edit::SetSettings { .. } => self.whole = true,
            Edit::Insert { steps, .. } | Edit::InsertLane { steps, .. } => {
                self.whole = true;
                self.slugs(steps);
            }
            Edit::Delete { .. } => self.whole = true,
            Edit::DeleteLane { step, .. } => {
                self.whole = true;
                self.lanes(document, *step);
            }
            Edit::Restore { steps } => {
                self.slugs(steps);
                self.everything |= steps.iter().any(|step| {
                    document
                        .steps
                        .get(&step.id)
                        .is_some_and(|now| now.kind != step.kind)
                });
            }
            Edit::Move { step, .. } => {
                let moved = document.subtree(*step);
                moved.iter().for_each(|id| self.slug(document, *id));
                self.steps.extend(moved);
            }
            Edit::Rename { step, slug, .. } => {
                self.names.insert(scope::number(slug));
                self.slug(document, *step);
            }
            Edit::SetErrorPolicy { step, .. } | Edit::SetAction { step, .. } => {
                self.slug(document, *step);
            }
            Edit::SetField { step, .. } => {
                let kind = document.steps.get(step).and_then(|step| step.action());
                if kind.is_some_and(|kind| kind.output.same_as.is_some()) {
                    self.slug(document, *step);
                }
            }
            Edit::AddLane { step, .. }
            | Edit::MoveLane { step, .. }
            | Edit::SetLane { step, .. } => self.lanes(document, *step),
            Edit::SetNotes { .. } => {}
            Edit::Batch { edits } => edits.iter().for_each(|edit| self.add(document, edit)),
        }
    }

    /// Which lane of a try sees its error depends on their order; what a parallel step gives has the
    /// names of its lanes.
    fn lanes(&mut self, document: &Document, id: StepId) {
        match document.steps.get(&id).map(|step| step.kind.as_str()) {
            Some("try") => self.everything = true,
            Some(PARALLEL) => self.slug(document, id),
            _ => {}
        }
    }

    fn slugs(&mut self, steps: &[Step]) {
        self.names
            .extend(steps.iter().map(|step| scope::number(&step.slug)));
    }

    fn slug(&mut self, document: &Document, id: StepId) {
        self.names.extend(
            document
                .steps
                .get(&id)
                .map(|step| scope::number(&step.slug)),
        );
    }
}
