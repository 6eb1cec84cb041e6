//! Another person's save under the edits of this browser.

use domain::Document;
use domain::change::{self, Changes, edits};
use domain::edit::Edit;
use domain::merge::{Conflict, Onto, Sides, onto};
use leptos::prelude::*;
use serde_json::Value;

use super::{Editor, is_done};

/// What became of the document, and of this browser's edits.
pub(in super::super) struct Rebased {
    /// What others did, in a sentence, and what of it the edits of this browser replace.
    pub(in super::super) did: String,
    /// What does not fit any more.
    pub(in super::super) unfit: Vec<Unfit>,
}

/// An edit that does not fit any more.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Unfit {
    /// Why it does not fit.
    pub(in super::super) why: String,
    /// What was typed, as text to copy.
    pub(in super::super) typed: String,
}

impl Editor {
    /// Takes what `who` saved, and merges this browser's edits into it: by step and field, as a
    /// draft is brought up to date. Where both changed the same, what is here stays, as the later
    /// of the two; what someone deleted stays deleted. Only what differs by that is drawn anew.
    /// Undo keeps what `who` did not replace.
    ///
    /// `documents` are the one that the edits were made on, and the saved one. `mine` are the edits.
    pub(in super::super) fn rebase(
        self,
        who: &str,
        documents: [Document; 2],
        mine: &[Edit],
    ) -> Rebased {
        let [base, theirs] = documents;
        let before = self.read(Document::clone);
        let (after, unsent, unfit, replaced) = if mine.is_empty() {
            (theirs, Vec::new(), Vec::new(), Vec::new())
        } else {
            let Onto {
                document,
                replaced,
                lost,
            } = onto(&base, &before, &theirs);
            let unsent = edits(&theirs, &document);
            let unfit = lost.iter().map(|conflict| gone(conflict, who)).collect();
            let sides = Sides {
                base: &base,
                ours: &before,
                theirs: &theirs,
                ours_name: "this browser",
                theirs_name: who,
            };
            let replaced: Vec<_> = replaced.iter().map(|one| one.title(&sides)).collect();
            (document, unsent, unfit, replaced)
        };
        let changes = Changes::between(&before, &after);
        let mut did = changes.sentence(who, &before, &after);
        match replaced.as_slice() {
            [] if mine.is_empty() => {}
            [] => did.push_str(" Your changes are kept."),
            [one] => did.push_str(&format!(
                " You both changed one value ({one}): yours stays, theirs is in the history."
            )),
            all => did.push_str(&format!(
                " You both changed {} values: yours stay, theirs are in the history.",
                all.len()
            )),
        }
        self.become_like(&before, after);
        self.state.update_value(|state| {
            state.unsent = unsent;
            for history in [&mut state.done, &mut state.undone] {
                history.retain(|act| !act.iter().any(|edit| changes.supersede(edit)));
            }
        });
        self.tell_depth();
        let is_there = |id| self.read(|document| document.steps.contains_key(&id));
        self.selection.retain(is_there);
        if self.has_unsent() {
            self.edited.update(|count| *count += 1);
        }
        Rebased { did, unfit }
    }

    /// Goes on with edits of an earlier page: puts them on what is open, one by one. Returns those
    /// that do not fit any more.
    pub(in super::super) fn go_on(self, edits: Vec<Edit>) -> Vec<Unfit> {
        let mut unfit = Vec::new();
        for edit in edits {
            match self.put(&edit) {
                Ok(_) => self.state.update_value(|state| state.unsent.push(edit)),
                // Saved before, though that page was not told so.
                Err(_) if self.read(|document| is_done(document, &edit)) => {}
                Err(why) => unfit.push(Unfit {
                    why,
                    typed: typed_text(&edit),
                }),
            }
        }
        unfit
    }

    /// Makes the document another one, and tells those who show what differs.
    fn become_like(self, before: &Document, after: Document) {
        let made = edits(before, &after);
        let fit = made.iter().all(|edit| self.put(edit).is_ok());
        if fit && self.read(|document| *document == after) {
            return;
        }
        self.state.update_value(|state| {
            state.checked = state.checked.anew(&after);
            state.document = after;
        });
        for signal in [
            self.structure,
            self.flow,
            self.whole,
            self.problems,
            self.whole_problems,
        ] {
            signal.notify();
        }
        for steps in [self.lists, self.contents, self.step_problems] {
            steps.tell_all();
        }
    }
}

/// Returns what a person typed in an edit, so that it can be copied.
fn typed_text(edit: &Edit) -> String {
    match edit {
        Edit::SetField {
            value: Some(value), ..
        }
        | Edit::SetTriggerField {
            value: Some(value), ..
        } => value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned),
        Edit::SetNotes { notes, .. } => notes.clone(),
        Edit::Rename { name, .. } => name.clone(),
        other => serde_json::to_string_pretty(other).unwrap_or_default(),
    }
}

/// Tells what was written in something that `who` deleted.
fn gone(conflict: &Conflict, who: &str) -> Unfit {
    let ours = conflict.ours.as_ref().unwrap_or(&Value::Null);
    let named = ours.get("lane").or_else(|| ours.get(0));
    let name = named.and_then(|named| named.get("name")?.as_str());
    let base = conflict.base.as_ref().unwrap_or(&Value::Null);
    let written = change::json(base, ours).into_iter();
    let written = written.filter_map(|change| {
        let value = change.after?;
        Some(
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned),
        )
    });
    Unfit {
        why: match name {
            Some(name) => format!("{who} deleted “{name}”."),
            None => format!("{who} deleted what this belongs to."),
        },
        typed: written.collect::<Vec<_>>().join("\n"),
    }
}
