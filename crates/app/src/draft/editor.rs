//! The document that is open in the builder: read step by step, changed by edits, with undo.
//!
//! Three states are kept apart: the document (with its history and what is not saved yet), the
//! session (selection), and gestures, which live in the components. A card or panel that shows one
//! step is told only when that step changes, however large the document is.

mod acts;
mod rebase;

use std::collections::BTreeSet;

use domain::document::{ListRef, Settings, Step, Trigger};
use domain::edit::{self, Change, Edit};
use domain::validate::{Affected, Checked, Problem};
use domain::{Document, IntegrationId, StepId, limit};
use leptos::prelude::*;

use super::per_step::PerStep;
use super::selection::{Selected, Selection};

pub(super) use rebase::{Rebased, Unfit};

/// Most acts that can be undone.
const HISTORY: usize = 500;

/// The open document. A handle: copies are the same document.
#[derive(Clone, Copy)]
pub(super) struct Editor {
    state: StoredValue<State, LocalStorage>,
    /// Told when steps or lanes come, go, move or change their slug.
    structure: RwSignal<()>,
    /// Told when the list at the top changes.
    flow: RwSignal<()>,
    /// Told of a step when one of its lanes' lists changes.
    lists: PerStep,
    /// Told of a step when its own content changes.
    contents: PerStep,
    /// Told when the trigger or settings change.
    whole: RwSignal<()>,
    /// Told when any problems change.
    problems: RwSignal<()>,
    /// Told when the problems of the document as a whole or its trigger change.
    whole_problems: RwSignal<()>,
    /// Told of a step when its problems change.
    step_problems: PerStep,
    /// How many acts can be undone and redone.
    depth: RwSignal<(usize, usize)>,
    /// What is selected.
    pub(super) selection: Selected,
    /// Told after each local edit; saving listens.
    pub(super) edited: RwSignal<u64>,
}

struct State {
    document: Document,
    checked: Checked,
    /// What takes each act back, newest last.
    done: Vec<Vec<Edit>>,
    /// What takes each undo back, newest last.
    undone: Vec<Vec<Edit>>,
    /// Edits that are not on their way to the server yet.
    unsent: Vec<Edit>,
    /// Set while edits of one field continue one act.
    open_field: Option<(Option<StepId>, String)>,
}

impl Editor {
    /// Opens a document of an integration.
    pub(super) fn open(own: IntegrationId, document: Document) -> Self {
        let checked = Checked::of_integration(own, &document);
        let state = State {
            document,
            checked,
            done: Vec::new(),
            undone: Vec::new(),
            unsent: Vec::new(),
            open_field: None,
        };
        Self {
            state: StoredValue::new_local(state),
            structure: RwSignal::new(()),
            flow: RwSignal::new(()),
            lists: PerStep::new(),
            contents: PerStep::new(),
            whole: RwSignal::new(()),
            problems: RwSignal::new(()),
            whole_problems: RwSignal::new(()),
            step_problems: PerStep::new(),
            depth: RwSignal::new((0, 0)),
            selection: Selected::new(),
            edited: RwSignal::new(0),
        }
    }

    /// Reads the document without being told of changes.
    pub(super) fn read<T>(self, read: impl FnOnce(&Document) -> T) -> T {
        self.state.with_value(|state| read(&state.document))
    }

    /// Reads what depends on the shape of the document; told when that changes.
    pub(super) fn structure<T>(self, read: impl FnOnce(&Document) -> T) -> T {
        self.structure.track();
        self.read(read)
    }

    /// Returns the ids of a list; told when they change.
    pub(super) fn list(self, list: ListRef) -> Vec<StepId> {
        match list {
            ListRef::Flow => self.flow.track(),
            ListRef::Lane(step, _) => self.lists.track(step),
        }
        self.read(|document| document.list(list).cloned().unwrap_or_default())
    }

    /// Reads a step; told when that step changes. `None` once it is deleted.
    pub(super) fn step<T>(self, id: StepId, read: impl FnOnce(&Step) -> T) -> Option<T> {
        self.contents.track(id);
        self.read(|document| document.steps.get(&id).map(read))
    }

    /// Returns the trigger; told when it changes.
    pub(super) fn trigger(self) -> Trigger {
        self.whole.track();
        self.read(|document| document.trigger.clone())
    }

    /// Returns the settings; told when they change.
    pub(super) fn settings(self) -> Settings {
        self.whole.track();
        self.read(|document| document.settings.clone())
    }

    /// Returns all problems; told when they change.
    pub(super) fn problems(self) -> Vec<Problem> {
        self.problems.track();
        self.state
            .with_value(|state| state.checked.problems().cloned().collect())
    }

    /// Returns how many problems there are; told when they change.
    pub(super) fn problem_count(self) -> usize {
        self.problems.track();
        self.state.with_value(|state| state.checked.count())
    }

    /// Returns the problems of the selected thing; told when they change.
    pub(super) fn problems_of(self, what: Selection) -> Vec<Problem> {
        self.track_problems(what);
        self.state.with_value(|state| match what {
            Selection::Trigger => state.checked.of_trigger().cloned().collect(),
            Selection::Step(id) => state.checked.of_step(id).cloned().collect(),
        })
    }

    /// Returns how many problems a thing has; told when they change.
    pub(super) fn problem_count_of(self, what: Selection) -> usize {
        self.track_problems(what);
        self.state.with_value(|state| match what {
            Selection::Trigger => state.checked.of_trigger().count(),
            Selection::Step(id) => state.checked.of_step(id).count(),
        })
    }

    /// Is told from now on when the problems of something change.
    pub(super) fn track_problems(self, what: Selection) {
        match what {
            Selection::Trigger => self.whole_problems.track(),
            Selection::Step(id) => self.step_problems.track(id),
        }
    }

    /// Returns how many acts can be undone and redone; told when that changes.
    pub(super) fn history(self) -> (usize, usize) {
        self.depth.get()
    }

    /// Does one act. Returns the sentence to show when it does not fit.
    pub(super) fn act(self, edit: Edit) -> Result<(), String> {
        self.end_gesture();
        self.do_act(edit)
    }

    /// Does one act that continues the one before when it sets the same field again, until
    /// [`Editor::end_gesture`]: typing a word is one undo.
    pub(super) fn type_into(self, edit: Edit) -> Result<(), String> {
        let field = match &edit {
            Edit::SetField { step, field, .. } => Some((Some(*step), field.clone())),
            Edit::SetNotes { step, .. } => Some((Some(*step), " notes".to_owned())),
            Edit::SetLane { step, lane, .. } => Some((Some(*step), format!(" lane {lane}"))),
            Edit::SetTriggerField { field, .. } => Some((None, field.clone())),
            _ => None,
        };
        let continues = self
            .state
            .with_value(|state| field.is_some() && state.open_field == field);
        if !continues {
            self.end_gesture();
        }
        self.do_act(edit)?;
        self.state.update_value(|state| {
            // The first inverse of a field's edits puts back what was there before all of them.
            if continues && state.done.len() >= 2 {
                state.done.pop();
            }
            state.open_field = field;
        });
        self.tell_depth();
        Ok(())
    }

    /// Ends what typing continues: the next edit is an act of its own.
    pub(super) fn end_gesture(self) {
        self.state.update_value(|state| state.open_field = None);
    }

    fn do_act(self, edit: Edit) -> Result<(), String> {
        let change = self.apply(&edit)?;
        self.state.update_value(|state| {
            state.done.push(vec![change.inverse]);
            let excess = state.done.len().saturating_sub(HISTORY);
            state.done.drain(..excess);
            state.undone.clear();
        });
        self.tell_depth();
        Ok(())
    }

    /// Applies an edit of this browser: to the document, the problems, the screen and the next save.
    fn apply(self, edit: &Edit) -> Result<Change, String> {
        let change = self.put(edit)?;
        self.state.update_value(|state| {
            if state.unsent.last().is_some_and(|last| replaces(edit, last)) {
                state.unsent.pop();
            }
            state.unsent.push(edit.clone());
        });
        self.edited.update(|count| *count += 1);
        Ok(change)
    }

    /// Applies an edit to the document, the problems and the screen only.
    fn put(self, edit: &Edit) -> Result<Change, String> {
        self.read(|document| check_room(document, edit))?;
        let applied = self.state.try_update_value(|state| {
            let change =
                edit::apply(&mut state.document, edit).map_err(|refusal| refusal.to_string())?;
            let affected = state.checked.update(&state.document, &change);
            Ok::<_, String>((change, affected))
        });
        let (change, affected) = applied.ok_or("The builder is closed.")??;
        self.tell(&change, affected);
        Ok(change)
    }

    /// Tells the screen what an edit changed, and nothing else.
    fn tell(self, change: &Change, affected: Affected) {
        if change.structural {
            self.structure.notify();
            for list in change.lists() {
                match list {
                    ListRef::Flow => self.flow.notify(),
                    ListRef::Lane(step, _) => self.lists.tell([step]),
                }
            }
        }
        if change.structural || change.touched.is_empty() {
            self.whole.notify();
        }
        self.contents.tell(change.touched.iter().copied());
        self.tell_problems(affected);
    }

    fn tell_problems(self, affected: Affected) {
        if !affected.is_empty() {
            self.problems.notify();
        }
        if affected.whole {
            self.whole_problems.notify();
        }
        self.step_problems.tell(affected.steps);
    }

    /// Notes which components that the document needs are not there, by the hash of their module.
    pub(super) fn lack(self, components: BTreeSet<String>) {
        let affected = self
            .state
            .try_update_value(|state| state.checked.lack(&state.document, components));
        self.tell_problems(affected.unwrap_or_default());
    }

    /// Takes the last act back. Returns the sentence to show when it does not fit any more.
    pub(super) fn undo(self) -> Result<(), String> {
        self.end_gesture();
        let Some(act) = self
            .state
            .try_update_value(|state| state.done.pop())
            .flatten()
        else {
            return Ok(());
        };
        let back = self.apply_all(&act)?;
        self.state.update_value(|state| state.undone.push(back));
        self.tell_depth();
        Ok(())
    }

    /// Does the last undone act again. Returns the sentence to show when it does not fit any more.
    pub(super) fn redo(self) -> Result<(), String> {
        self.end_gesture();
        let Some(act) = self
            .state
            .try_update_value(|state| state.undone.pop())
            .flatten()
        else {
            return Ok(());
        };
        let back = self.apply_all(&act)?;
        self.state.update_value(|state| state.done.push(back));
        self.tell_depth();
        Ok(())
    }

    /// Applies edits in order; returns those that take them back, in order.
    fn apply_all(self, edits: &[Edit]) -> Result<Vec<Edit>, String> {
        let mut inverses = Vec::with_capacity(edits.len());
        for edit in edits {
            match self.apply(edit) {
                Ok(change) => inverses.insert(0, change.inverse),
                Err(refusal) => {
                    self.tell_depth();
                    return Err(format!("This cannot be taken back any more. {refusal}"));
                }
            }
        }
        Ok(inverses)
    }

    fn tell_depth(self) {
        let depth = self
            .state
            .with_value(|state| (state.done.len(), state.undone.len()));
        if self.depth.get_untracked() != depth {
            self.depth.set(depth);
        }
    }

    /// Takes the edits that are not on their way yet.
    pub(super) fn take_unsent(self) -> Vec<Edit> {
        self.end_gesture();
        self.state
            .try_update_value(|state| std::mem::take(&mut state.unsent))
            .unwrap_or_default()
    }

    /// Looks at the edits that are not on their way yet.
    pub(super) fn with_unsent<T>(self, look: impl FnOnce(&[Edit]) -> T) -> T {
        self.state.with_value(|state| look(&state.unsent))
    }

    /// Puts edits that were refused back in front of what is not on its way yet.
    pub(super) fn put_back_unsent(self, mut edits: Vec<Edit>) {
        self.state.update_value(|state| {
            edits.append(&mut state.unsent);
            state.unsent = edits;
        });
    }

    /// Returns whether some edits are not on their way yet.
    pub(super) fn has_unsent(self) -> bool {
        self.state.with_value(|state| !state.unsent.is_empty())
    }
}

/// Refuses an edit that would make the document larger than one may be.
fn check_room(document: &Document, edit: &Edit) -> Result<(), String> {
    let adds = added(edit);
    if adds > 0 && document.steps.len() + adds > limit::STEPS {
        return Err(format!(
            "An integration holds at most {} steps. Move a part into another integration.",
            limit::STEPS
        ));
    }
    Ok(())
}

/// Returns how many steps an edit adds.
fn added(edit: &Edit) -> usize {
    match edit {
        Edit::Insert { steps, .. } | Edit::InsertLane { steps, .. } => steps.len(),
        Edit::Batch { edits } => edits.iter().map(added).sum(),
        _ => 0,
    }
}

/// Returns whether an edit makes the one right before it needless: both set the same field.
fn replaces(edit: &Edit, before: &Edit) -> bool {
    match (edit, before) {
        (
            Edit::SetField { step, field, .. },
            Edit::SetField {
                step: s, field: f, ..
            },
        ) => step == s && field == f,
        (Edit::SetNotes { step, .. }, Edit::SetNotes { step: s, .. }) => step == s,
        (Edit::SetTriggerField { field, .. }, Edit::SetTriggerField { field: f, .. }) => field == f,
        (
            Edit::SetLane { step, lane, .. },
            Edit::SetLane {
                step: s, lane: l, ..
            },
        ) => step == s && lane == l,
        _ => false,
    }
}

/// Returns whether a document shows that an edit was made: what it adds is there, what it deletes is gone.
fn is_done(document: &Document, edit: &Edit) -> bool {
    match edit {
        Edit::Insert { steps, .. } => steps
            .iter()
            .all(|step| document.steps.contains_key(&step.id)),
        Edit::Delete { step } => !document.steps.contains_key(step),
        Edit::AddLane { step, lane, .. } | Edit::InsertLane { step, lane, .. } => {
            document.list(ListRef::Lane(*step, lane.id)).is_some()
        }
        Edit::DeleteLane { step, lane } => document.list(ListRef::Lane(*step, *lane)).is_none(),
        _ => false,
    }
}
