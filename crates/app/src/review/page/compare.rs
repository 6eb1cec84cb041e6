//! Which two documents the page compares, and getting hold of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::{Document, ReviewId};
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::super::api;
use crate::change::Comparison;
use crate::fault::Fault;

/// A state of the draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Point {
    /// The version that it started from, or was last brought up to.
    Base,
    /// As one save left it.
    Revision(u32),
    /// As it is now.
    Now,
}

/// What is compared: an earlier state with a later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// The earlier state.
    pub(super) from: Point,
    /// The later state.
    pub(super) to: Point,
}

impl Span {
    /// Everything that the draft changes.
    pub(super) const WHOLE: Span = Span {
        from: Point::Base,
        to: Point::Now,
    };

    /// Reads what an address says: `from` and `to`, each the number of a revision.
    pub(super) fn read(from: Option<&str>, to: Option<&str>) -> Self {
        let number = |text: Option<&str>| text.and_then(|text| text.parse().ok());
        Self {
            from: number(from).map_or(Point::Base, Point::Revision),
            to: number(to).map_or(Point::Now, Point::Revision),
        }
    }
}

/// The documents of a review. A handle.
#[derive(Clone, Copy)]
pub(super) struct Compare {
    id: ReviewId,
    /// What is compared.
    pub(super) span: Memo<Span>,
    /// The base against the draft now.
    pub(super) whole: RwSignal<Arc<Comparison>>,
    /// What is on screen; stays until the next pair of documents is there.
    pub(super) shown: RwSignal<Arc<Comparison>>,
    /// Why the wanted pair cannot be shown.
    pub(super) fault: RwSignal<Option<Fault>>,
    /// Whether documents are under way.
    pub(super) is_loading: RwSignal<bool>,
    revision: RwSignal<u32>,
    known: StoredValue<BTreeMap<u32, Arc<Document>>>,
    round: StoredValue<u32>,
}

impl Compare {
    /// Compares the base with the draft at a revision, and from then on what `span` says.
    pub(super) fn start(
        id: ReviewId,
        span: Memo<Span>,
        base: Document,
        draft: Document,
        revision: u32,
    ) -> Self {
        let whole = Arc::new(Comparison::of(Arc::new(base), Arc::new(draft)));
        let compare = Self {
            id,
            span,
            whole: RwSignal::new(Arc::clone(&whole)),
            shown: RwSignal::new(whole),
            fault: RwSignal::new(None),
            is_loading: RwSignal::new(false),
            revision: RwSignal::new(revision),
            known: StoredValue::new(BTreeMap::new()),
            round: StoredValue::new(0),
        };
        Effect::new(move || {
            compare.whole.track();
            compare.show(span.get());
        });
        compare
    }

    /// Takes the documents that the server told.
    pub(super) fn put(self, base: Document, draft: Document, revision: u32) {
        let known = self.whole.get_untracked();
        self.revision.set(revision);
        if *known.before != base || *known.after != draft {
            let whole = Comparison::of(Arc::new(base), Arc::new(draft));
            self.whole.set(Arc::new(whole));
        }
    }

    /// Returns whether the later document is the draft as it is now.
    pub(super) fn is_to_now(self) -> bool {
        let to = self.span.get().to;
        to == Point::Now || to == Point::Revision(self.revision.get())
    }

    /// Returns the revision of the later document.
    pub(super) fn to_revision(self) -> u32 {
        match self.span.get().to {
            Point::Revision(number) => number,
            Point::Base | Point::Now => self.revision.get(),
        }
    }

    fn show(self, span: Span) {
        let this = self.round.get_value() + 1;
        self.round.set_value(this);
        self.fault.set(None);
        if span == Span::WHOLE {
            self.is_loading.set(false);
            let whole = self.whole.get_untracked();
            if !Arc::ptr_eq(&whole, &self.shown.get_untracked()) {
                self.shown.set(whole);
            }
            return;
        }
        self.is_loading.set(true);
        spawn_local(async move {
            let before = self.document(span.from).await;
            let after = self.document(span.to).await;
            // Something else is wanted meanwhile, or the page is gone.
            if self.round.try_get_value() != Some(this) {
                return;
            }
            self.is_loading.set(false);
            match before.and_then(|before| Ok((before, after?))) {
                Ok((before, after)) => {
                    self.shown.set(Arc::new(Comparison::of(before, after)));
                }
                Err(fault) => {
                    crate::session::notice(&fault);
                    self.fault.set(Some(fault));
                }
            }
        });
    }

    async fn document(self, point: Point) -> Result<Arc<Document>, Fault> {
        let whole = self.whole.get_untracked();
        let number = match point {
            Point::Base => return Ok(Arc::clone(&whole.before)),
            Point::Now => return Ok(Arc::clone(&whole.after)),
            Point::Revision(number) if number == self.revision.get_untracked() => {
                return Ok(Arc::clone(&whole.after));
            }
            Point::Revision(number) => number,
        };
        if let Some(known) = self.known.with_value(|known| known.get(&number).cloned()) {
            return Ok(known);
        }
        let document = Arc::new(api::review_document(self.id, number).await?);
        let _ = self.known.try_update_value(|known| {
            known.insert(number, Arc::clone(&document));
        });
        Ok(document)
    }
}
