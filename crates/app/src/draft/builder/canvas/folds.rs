//! Which containers are folded: each person's own matter, kept in the browser.

use std::collections::BTreeSet;

use domain::document::ListRef;
use domain::{DraftId, StepId, limit};
use gloo::storage::{LocalStorage, Storage};
use leptos::prelude::*;

use super::Canvas;
use crate::draft::selection::Selection;
use crate::session;

/// Returns the name under which this person's folds of a draft are kept.
pub(super) fn key(draft: DraftId) -> Option<String> {
    let me = session::use_me().get_untracked()?;
    Some(format!("folded:{}:{draft}", me.account))
}

/// Returns what is folded.
pub(super) fn read(key: &str) -> BTreeSet<StepId> {
    let kept = LocalStorage::get::<BTreeSet<StepId>>(key).ok();
    kept.filter(|folded| folded.len() <= limit::STEPS)
        .unwrap_or_default()
}

/// Keeps what is folded.
pub(super) fn keep(key: &str, folded: &BTreeSet<StepId>) {
    if folded.is_empty() {
        LocalStorage::delete(key);
    } else {
        // A browser that keeps nothing shows everything the next time.
        let _ = LocalStorage::set(key, folded);
    }
}

impl Canvas {
    /// Folds a container, or unfolds it.
    pub(in super::super) fn toggle_fold(self, id: StepId) {
        self.anchor.set_value(Some(id));
        self.folded.update(|folded| {
            if !folded.remove(&id) {
                folded.insert(id);
            }
        });
        self.keep_folds();
    }

    /// Folds every container, or unfolds all if any is folded.
    pub(in super::super) fn toggle_all_folds(self) {
        let all = self.editor.read(|document| {
            let containers = document
                .steps
                .values()
                .filter(|step| !step.lanes.is_empty());
            containers.map(|step| step.id).collect::<BTreeSet<_>>()
        });
        self.folded.update(|folded| {
            let any = all.iter().any(|id| folded.contains(id));
            *folded = if any { BTreeSet::new() } else { all };
        });
        self.keep_folds();
        self.bring_into_view(Selection::Trigger);
    }

    /// Returns whether a container is folded; told when any is folded or unfolded.
    pub(in super::super) fn has_folds(self) -> bool {
        self.folded.with(|folded| !folded.is_empty())
    }

    /// Unfolds everything that a step is folded in.
    pub(super) fn unfold_to(self, id: StepId) {
        if self.folded.with_untracked(BTreeSet::is_empty) {
            return;
        }
        let around = self.editor.read(|document| {
            let mut around = Vec::new();
            let mut at = document.place(id);
            while let Some(ListRef::Lane(container, _)) = at.map(|at| at.list)
                && around.len() < document.steps.len()
            {
                around.push(container);
                at = document.place(container);
            }
            around
        });
        let is_hidden = self
            .folded
            .with_untracked(|folded| around.iter().any(|id| folded.contains(id)));
        if is_hidden {
            self.folded
                .update(|folded| folded.retain(|id| !around.contains(id)));
            self.keep_folds();
        }
    }

    fn keep_folds(self) {
        if let Some(kept) = self.kept.get_value() {
            self.folded.with_untracked(|folded| keep(&kept, folded));
        }
    }
}
