//! What people do with steps, one or several at once: add, duplicate, delete, move.

use domain::connector::Declared;
use domain::document::{Gap, Place};
use domain::edit::{self, Edit, several};
use domain::{Document, LaneId, StepId, slug};
use uuid::Uuid;

use super::Editor;
use crate::draft::selection::Selection;

impl Editor {
    /// Adds a new step of a kind at a place and selects it.
    pub(crate) fn add(self, kind: &str, at: Place) -> Result<StepId, String> {
        let action = domain::catalog::action(kind).ok_or("There is no such action.")?;
        let id = StepId(Uuid::now_v7());
        let name = self.read(|document| free_name(document, &action.title));
        let slug =
            self.read(|document| slug::unique(&name, |slug| document.step_by_slug(slug).is_some()));
        let step = edit::new_step(action, id, &name, slug, || LaneId(Uuid::now_v7()));
        self.act(Edit::Insert {
            steps: vec![step],
            at,
        })?;
        self.selection.set(Selection::Step(id));
        Ok(id)
    }

    /// Adds a new step of an action that a connector declares at a place and selects it.
    pub(crate) fn add_declared(self, declared: &Declared, at: Place) -> Result<StepId, String> {
        let id = StepId(Uuid::now_v7());
        let name = self.read(|document| free_name(document, &declared.action().title));
        let slug =
            self.read(|document| slug::unique(&name, |slug| document.step_by_slug(slug).is_some()));
        let step = edit::new_connector_step(declared, id, &name, slug);
        self.act(Edit::Insert {
            steps: vec![step],
            at,
        })?;
        self.selection.set(Selection::Step(id));
        Ok(id)
    }

    /// Returns the selected steps in the order of reading, without those that are inside others of
    /// them: what is copied, moved or deleted together.
    pub(crate) fn chosen(self) -> Vec<StepId> {
        let chosen = self.selection.steps_untracked();
        self.read(|document| several::roots(document, &chosen))
    }

    /// Puts a copy of a step, with everything in it, behind it and selects the copy.
    pub(crate) fn duplicate(self, id: StepId) -> Result<StepId, String> {
        let copies = self.duplicate_all(&[id])?;
        copies.first().copied().ok_or_else(|| GONE.to_owned())
    }

    /// Puts copies of steps behind the last of them and selects the copies.
    pub(crate) fn duplicate_all(self, roots: &[StepId]) -> Result<Vec<StepId>, String> {
        let (step, lane) = (|| StepId(Uuid::now_v7()), || LaneId(Uuid::now_v7()));
        let made = self.read(|document| several::duplication(document, roots, step, lane));
        let (edit, copies) = made.ok_or(GONE)?;
        self.act(edit)?;
        self.selection.set_all(copies.clone());
        Ok(copies)
    }

    /// Deletes a step and selects its neighbour.
    pub(crate) fn delete(self, id: StepId) -> Result<(), String> {
        self.delete_all(&[id])
    }

    /// Deletes steps and selects what is beside them.
    pub(crate) fn delete_all(self, roots: &[StepId]) -> Result<(), String> {
        let Some(edit) = several::deletion(roots) else {
            return Ok(());
        };
        let neighbour = self.read(|document| several::neighbour(document, roots));
        self.act(edit)?;
        self.selection
            .set(neighbour.map_or(Selection::Trigger, Selection::Step));
        Ok(())
    }

    /// Moves a step one place up or down: within its list, then out of it, past its container.
    pub(crate) fn nudge(self, id: StepId, down: bool) -> Result<(), String> {
        self.nudge_all(&[id], down)
    }

    /// Moves steps together one place up or down, as [`Editor::nudge`] does one.
    pub(crate) fn nudge_all(self, roots: &[StepId], down: bool) -> Result<(), String> {
        match self.read(|document| several::one_further(document, roots, down)) {
            Some(gap) => self.move_all(roots, gap),
            None if down => Err("This is the last step.".to_owned()),
            None => Err("This is the first step.".to_owned()),
        }
    }

    /// Puts steps one behind the other into a gap.
    pub(crate) fn move_all(self, roots: &[StepId], to: Gap) -> Result<(), String> {
        let edit = self.read(|document| several::move_to(document, roots, to));
        match edit.map_err(|refusal| refusal.to_string())? {
            Some(edit) => self.act(edit),
            None => Ok(()),
        }
    }
}

/// What is said of a step that someone else has deleted.
const GONE: &str = "The step is not there any more.";

/// Returns the title, with a number behind it while another step is called so.
fn free_name(document: &Document, title: &str) -> String {
    let taken = |name: &str| document.steps.values().any(|step| step.name == name);
    if !taken(title) {
        return title.to_owned();
    }
    (2..)
        .map(|number| format!("{title} {number}"))
        .find(|name| !taken(name))
        .unwrap_or_else(|| title.to_owned())
}
