//! How far a draft is from what it started from.

use domain::Document;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::super::comparing::comparing;
use super::Builder;
use crate::{design, version};

/// What the draft started from, and how much differs. A handle.
#[derive(Clone, Copy)]
pub(super) struct Ahead {
    base: RwSignal<Option<Document>>,
    /// How many things differ from the base as of the newest save; `None` while that is not known,
    /// or when the draft started from nothing.
    pub(super) changes: RwSignal<Option<usize>>,
}

impl Ahead {
    pub(super) fn new() -> Self {
        Self {
            base: RwSignal::new(None),
            changes: RwSignal::new(None),
        }
    }

    /// Asks for the content of the base whenever the draft has another one, and counts what
    /// differs after each save.
    pub(super) fn follow(self, builder: Builder) {
        let number = Memo::new(move |_| builder.summary.with(|summary| summary.base));
        Effect::new(move || {
            let Some(number) = number.get() else {
                self.base.set(None);
                return;
            };
            spawn_local(async move {
                let version = version::api::read_version(builder.integration, number).await;
                if let Ok(version) = version {
                    self.base.try_set(Some(version.document));
                }
            });
        });
        Effect::new(move || {
            builder.saving.revision.track();
            if self.base.with(Option::is_none) {
                self.changes.set(None);
                return;
            }
            // Comparing large documents takes longer than a letter may: it waits for a pause.
            design::in_a_pause(move || {
                spawn_local(async move {
                    // Without its code nothing is told; it is asked for again after the next save.
                    let Ok(comparing) = comparing().await else {
                        return;
                    };
                    if !self.changes.is_disposed() {
                        let count = untrack(|| self.compare(builder, comparing.count));
                        self.changes.set(count);
                    }
                });
            });
        });
    }

    /// Compares the base with what is in the draft as of the newest save; `None` while the base is
    /// not known, or when the draft started from nothing.
    pub(super) fn compare<T>(
        self,
        builder: Builder,
        compare: impl FnOnce(&Document, &Document) -> T,
    ) -> Option<T> {
        builder.saving.revision.track();
        self.base.with(|base| {
            let base = base.as_ref()?;
            Some(builder.editor.read(|now| compare(base, now)))
        })
    }
}
