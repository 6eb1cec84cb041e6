//! Texts that are being written: kept in this tab until they are sent, also when it is reloaded.

use std::collections::{BTreeMap, BTreeSet};

use domain::ReviewId;
use domain::change::{Entry, Field, Target};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use super::spot::{Place, Purpose};

/// One text that is being written.
#[derive(Clone)]
pub(super) struct Writing {
    /// Markdown.
    pub(super) text: ArcRwSignal<String>,
    /// The proposed value as it is typed; `None` when none is proposed.
    pub(super) suggestion: ArcRwSignal<Option<String>>,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    purpose: Purpose,
    text: String,
    suggestion: Option<String>,
}

/// All texts that are being written in one review. A handle.
#[derive(Clone, Copy)]
pub(super) struct Unsent {
    id: ReviewId,
    all: StoredValue<BTreeMap<Purpose, Writing>>,
    /// For which purposes an editor is open.
    open: RwSignal<BTreeSet<Purpose>>,
    /// The editor that was just asked for: it gets the focus.
    fresh: StoredValue<Option<Purpose>>,
}

fn storage() -> Option<web_sys::Storage> {
    window().session_storage().ok().flatten()
}

impl Unsent {
    /// Returns what was being written in this tab when it was last left; editors are open for it.
    pub(super) fn restore(id: ReviewId) -> Self {
        let unsent = Self {
            id,
            all: StoredValue::new(BTreeMap::new()),
            open: RwSignal::new(BTreeSet::new()),
            fresh: StoredValue::new(None),
        };
        let text = storage().and_then(|storage| storage.get_item(&unsent.key()).ok().flatten());
        let kept: Option<Vec<Kept>> = text.and_then(|text| serde_json::from_str(&text).ok());
        for kept in kept.into_iter().flatten() {
            let writing = unsent.writing(&kept.purpose);
            writing.text.set(kept.text);
            writing.suggestion.set(kept.suggestion);
            unsent.open.update(|open| {
                open.insert(kept.purpose);
            });
        }
        unsent
    }

    fn key(self) -> String {
        format!("sluice.review.{}", self.id)
    }

    /// Returns the text for a purpose; an empty one when nothing was written yet.
    pub(super) fn writing(self, purpose: &Purpose) -> Writing {
        if let Some(writing) = self.all.with_value(|all| all.get(purpose).cloned()) {
            return writing;
        }
        let writing = Writing {
            text: ArcRwSignal::new(String::new()),
            suggestion: ArcRwSignal::new(None),
        };
        self.all.update_value(|all| {
            all.insert(purpose.clone(), writing.clone());
        });
        writing
    }

    /// Opens the editor for a purpose; it gets the focus.
    pub(super) fn open(self, purpose: Purpose) {
        self.fresh.set_value(Some(purpose.clone()));
        self.open.update(|open| {
            open.insert(purpose);
        });
    }

    /// Returns whether an editor was just asked for, once.
    pub(super) fn take_fresh(self, purpose: &Purpose) -> bool {
        let is_fresh = self
            .fresh
            .with_value(|fresh| fresh.as_ref() == Some(purpose));
        if is_fresh {
            self.fresh.set_value(None);
        }
        is_fresh
    }

    /// Returns whether the editor for a purpose is open.
    pub(super) fn is_open(self, purpose: &Purpose) -> bool {
        self.open.with(|open| open.contains(purpose))
    }

    /// Returns the new threads that are being written at a place.
    pub(super) fn at(self, place: &Place) -> Vec<Purpose> {
        self.open.with(|open| {
            let here = |p: &&Purpose| matches!(p, Purpose::New(spot) if spot.place == *place);
            open.iter().filter(here).cloned().collect()
        })
    }

    /// Returns whether something is being written at a target or one of its fields.
    pub(super) fn touches(self, target: Target) -> bool {
        self.open.with(|open| {
            let here =
                |p: &Purpose| matches!(p, Purpose::New(spot) if spot.place.target == Some(target));
            open.iter().any(here)
        })
    }

    /// Returns the targets at which something is being written.
    pub(super) fn targets(self) -> Vec<Target> {
        self.open.with(|open| {
            let target = |purpose: &Purpose| match purpose {
                Purpose::New(spot) => spot.place.target,
                _ => None,
            };
            open.iter().filter_map(target).collect()
        })
    }

    /// Returns the fields of a target at which something is being written.
    pub(super) fn fields_of(self, target: Target) -> Vec<Field> {
        self.open.with(|open| {
            let field = |purpose: &Purpose| match purpose {
                Purpose::New(spot) if spot.place.target == Some(target) => spot.place.field.clone(),
                _ => None,
            };
            open.iter().filter_map(field).collect()
        })
    }

    /// Returns the entries of a field at which something is being written.
    pub(super) fn entries_of(self, target: Target, field: &Field) -> Vec<Entry> {
        self.open.with(|open| {
            let places = open.iter().filter_map(|purpose| match purpose {
                Purpose::New(spot) => Some(&spot.place),
                _ => None,
            });
            let of = places.filter(|place| {
                place.target == Some(target) && place.field.as_ref() == Some(field)
            });
            of.filter_map(|place| place.entry.clone()).collect()
        })
    }

    /// Closes the editor for a purpose and forgets its text.
    pub(super) fn close(self, purpose: &Purpose) {
        self.all.update_value(|all| {
            all.remove(purpose);
        });
        self.open.update(|open| {
            open.remove(purpose);
        });
        self.keep();
    }

    /// Puts all texts into the tab's storage.
    pub(super) fn keep(self) {
        let kept = self.all.with_value(|all| {
            let kept = all.iter().map(|(purpose, writing)| Kept {
                purpose: purpose.clone(),
                text: writing.text.get_untracked(),
                suggestion: writing.suggestion.get_untracked(),
            });
            let written = |kept: &Kept| !kept.text.trim().is_empty() || kept.suggestion.is_some();
            kept.filter(written).collect::<Vec<_>>()
        });
        let Some(storage) = storage() else { return };
        // A full storage loses only what a reload would restore.
        let _ = if kept.is_empty() {
            storage.remove_item(&self.key())
        } else {
            let text = serde_json::to_string(&kept).unwrap_or_default();
            storage.set_item(&self.key(), &text)
        };
    }
}
