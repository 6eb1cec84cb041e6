//! What every part of the review page works with.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;

use domain::change::Target;
use domain::review::{Documents, Known, Person, Review, ReviewState, Thread};
use domain::{ReviewId, StepId};
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::compare::Compare;
use super::link::Links;
use super::spot::{self, Place, Purpose};
use super::threads::Threads;
use super::unsent::Unsent;
use crate::change::Comparison;
use crate::design::load::Load;
use crate::design::toast;
use crate::session;

/// Where the chosen view is kept.
const VIEW_KEY: &str = "sluice.review.view";

/// How the changes are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    /// One column, in reading order.
    Outline,
    /// The flow as cards.
    Canvas,
    /// Two columns: before and after.
    Sides,
}

impl View {
    /// All views, with their key, name and icon.
    pub(super) const ALL: [(View, &str, &str, &str); 3] = [
        (View::Outline, "outline", "Outline", "list"),
        (View::Sides, "sides", "Side by side", "columns"),
        (View::Canvas, "canvas", "Canvas", "workflow"),
    ];
}

/// The dialogs of the page, each with whether it is open.
#[derive(Clone, Copy)]
pub(super) struct Dialogs {
    pub(super) finish: RwSignal<bool>,
    pub(super) ask: RwSignal<bool>,
    pub(super) describe: RwSignal<bool>,
    pub(super) keys: RwSignal<bool>,
}

/// The review page's state. A handle.
#[derive(Clone, Copy)]
pub(super) struct Desk {
    /// The review.
    pub(super) id: ReviewId,
    /// What the server told last, without the documents and threads: those are beside it.
    pub(super) review: RwSignal<Review>,
    /// The documents.
    pub(super) compare: Compare,
    /// The threads.
    pub(super) threads: Threads,
    /// What is being written.
    pub(super) unsent: Unsent,
    /// What the reader ticked: target and the digest it had then.
    pub(super) viewed: RwSignal<BTreeMap<String, String>>,
    /// What of it was ticked or taken back on this page: an older answer does not undo it.
    pub(super) ticked: StoredValue<BTreeMap<String, Option<String>>>,
    /// The revision at which the reader last looked before this visit.
    pub(super) looked: RwSignal<Option<u32>>,
    /// How the changes are drawn.
    pub(super) view: RwSignal<View>,
    /// Whether unchanged steps are shown too.
    pub(super) everything: RwSignal<bool>,
    /// Unchanged steps that are shown all the same.
    pub(super) unfolded: RwSignal<BTreeSet<StepId>>,
    /// What the address points at, to be opened.
    pub(super) revealed: RwSignal<Option<Target>>,
    /// The step on whose card the focus is, for others to see.
    pub(super) at: RwSignal<Option<StepId>>,
    /// The dialogs.
    pub(super) dialogs: Dialogs,
    /// The addresses within the page.
    pub(super) links: Links,
    /// Who reads.
    pub(super) me: StoredValue<Option<Person>>,
    load: Load<Review>,
}

impl Desk {
    /// Opens the page on what the server told.
    pub(super) fn open(
        mut review: Review,
        Documents { base, draft }: Documents,
        load: Load<Review>,
        links: Links,
    ) -> Self {
        let id = review.summary.id;
        let threads = Threads::none();
        threads.put(mem::take(&mut review.threads), &base, &draft);
        let me = session::use_me().get_untracked();
        let me = me.map(|me| Person {
            account: me.account,
            name: me.name,
        });
        Self {
            id,
            compare: Compare::start(id, links.span, base, draft, review.summary.revision),
            threads,
            unsent: Unsent::restore(id),
            viewed: RwSignal::new(review.viewed.clone()),
            ticked: StoredValue::new(BTreeMap::new()),
            looked: RwSignal::new(super::viewed::looked_before(&review)),
            view: RwSignal::new(stored_view()),
            everything: RwSignal::new(false),
            unfolded: RwSignal::new(BTreeSet::new()),
            revealed: RwSignal::new(None),
            at: RwSignal::new(None),
            dialogs: Dialogs {
                finish: RwSignal::new(false),
                ask: RwSignal::new(false),
                describe: RwSignal::new(false),
                keys: RwSignal::new(false),
            },
            links,
            me: StoredValue::new(me),
            load,
            review: RwSignal::new(review),
        }
    }

    /// Takes what the server told anew: only what differs is drawn again.
    pub(super) fn put(self, mut review: Review, documents: Option<Documents>) {
        super::viewed::note_move(self, review.summary.revision);
        if let Some(Documents { base, draft }) = documents {
            self.compare.put(base, draft, review.summary.revision);
        }
        let threads = mem::take(&mut review.threads);
        let whole = self.compare.whole.get_untracked();
        self.threads.put(threads, &whole.before, &whole.after);
        super::viewed::put(self, review.viewed.clone());
        if self.review.with_untracked(|known| *known != review) {
            self.review.set(review);
        }
    }

    /// Returns the row on which a thread is shown.
    pub(super) fn place_of(self, thread: &Thread) -> Place {
        let place = |whole: &Arc<Comparison>| Place::of_thread(thread, &whole.before, &whole.after);
        self.compare.whole.with_untracked(place)
    }

    /// Returns which documents are here.
    pub(super) fn known(self) -> Known {
        self.review.with_untracked(|review| Known {
            base: review.base,
            revision: review.summary.revision,
        })
    }

    /// Returns a part of the review, told only when it differs.
    pub(super) fn part<T: PartialEq + Send + Sync + 'static>(
        self,
        read: impl Fn(&Review) -> T + Send + Sync + 'static,
    ) -> Memo<T> {
        Memo::new(move |_| self.review.with(|review| read(review)))
    }

    /// Asks the server again.
    pub(super) fn again(self) {
        self.load.again();
    }

    /// Asks the server again in a moment.
    pub(super) fn soon(self) {
        self.load.soon();
    }

    /// Does something on the server, then shows what came of it; a fault is said.
    pub(super) fn act<F>(self, work: F, then: impl FnOnce() + 'static)
    where
        F: Future<Output = Result<(), crate::fault::Fault>> + 'static,
    {
        spawn_local(async move {
            match work.await {
                Ok(()) => then(),
                Err(fault) => toast::say_fault(&fault),
            }
            self.load.again();
        });
    }

    /// Returns whether the review takes comments and verdicts.
    pub(super) fn is_open(self) -> bool {
        self.review
            .with(|review| review.summary.state == ReviewState::Open)
    }

    /// Returns whether a person is who reads.
    pub(super) fn is_me(self, person: &Person) -> bool {
        self.me
            .with_value(|me| me.as_ref().is_some_and(|me| me.account == person.account))
    }

    /// Returns whether the reader edited the draft.
    pub(super) fn is_author(self) -> bool {
        self.review
            .with(|review| review.authors.iter().any(|person| self.is_me(person)))
    }

    /// Chooses how the changes are drawn, for this and later visits.
    pub(super) fn choose_view(self, view: View) {
        self.view.set(view);
        let key = View::ALL.iter().find(|(v, ..)| *v == view);
        let storage = window().local_storage().ok().flatten();
        if let (Some((_, key, ..)), Some(storage)) = (key, storage) {
            let _ = storage.set_item(VIEW_KEY, key);
        }
    }

    /// Opens the card of a target and scrolls to it.
    pub(super) fn go_to(self, target: Target) {
        if let Target::Step(id) = target {
            self.unfolded.update(|unfolded| {
                unfolded.insert(id);
            });
        }
        self.revealed.set(Some(target));
        super::link::scroll_to(card_id(target));
    }

    /// Opens an editor for a new text.
    pub(super) fn write(self, purpose: Purpose) {
        self.unsent.open(purpose);
    }
}

/// Returns the element id of a target's card.
pub(super) fn card_id(target: Target) -> String {
    format!("change-{}", spot::key(target))
}

fn stored_view() -> View {
    let storage = window().local_storage().ok().flatten();
    let kept = storage.and_then(|storage| storage.get_item(VIEW_KEY).ok().flatten());
    let found = View::ALL
        .iter()
        .find(|(_, key, ..)| Some(*key) == kept.as_deref());
    found.map_or(View::Outline, |(view, ..)| *view)
}
