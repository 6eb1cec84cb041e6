//! The threads of a review, each with a signal of its own: a new answer redraws one box.

use std::collections::{BTreeMap, BTreeSet};

use domain::change::{Entry, Field, Target};
use domain::review::Thread;
use domain::{Document, ThreadId};
use leptos::prelude::*;

use super::spot::Place;

#[derive(Default)]
struct Inner {
    by_id: BTreeMap<ThreadId, ArcRwSignal<Thread>>,
    by_place: BTreeMap<Place, ArcRwSignal<Vec<ThreadId>>>,
}

/// All threads that the reader may see. A handle.
#[derive(Clone, Copy)]
pub(super) struct Threads {
    /// Their places, oldest thread first. Told only when threads come or go.
    all: RwSignal<Vec<(ThreadId, Place)>>,
    inner: StoredValue<Inner>,
}

impl Threads {
    /// Returns no threads.
    pub(super) fn none() -> Self {
        Self {
            all: RwSignal::new(Vec::new()),
            inner: StoredValue::new(Inner::default()),
        }
    }

    /// Takes what the server told: only what differs is told on. The documents are those that the
    /// threads speak of, as they are now.
    pub(super) fn put(self, threads: Vec<Thread>, base: &Document, draft: &Document) {
        let places: Vec<(ThreadId, Place)> = threads
            .iter()
            .map(|thread| (thread.id, Place::of_thread(thread, base, draft)))
            .collect();
        let mut by_place: BTreeMap<Place, Vec<ThreadId>> = BTreeMap::new();
        for (id, place) in &places {
            by_place.entry(place.clone()).or_default().push(*id);
        }
        let mut told: Vec<(ArcRwSignal<Thread>, Thread)> = Vec::new();
        let mut moved: Vec<(ArcRwSignal<Vec<ThreadId>>, Vec<ThreadId>)> = Vec::new();
        self.inner.update_value(|inner| {
            for thread in threads {
                match inner.by_id.get(&thread.id) {
                    Some(known) => told.push((known.clone(), thread)),
                    None => {
                        inner.by_id.insert(thread.id, ArcRwSignal::new(thread));
                    }
                }
            }
            for place in by_place.keys() {
                inner.by_place.entry(place.clone()).or_default();
            }
            for (place, signal) in &inner.by_place {
                let ids = by_place.remove(place).unwrap_or_default();
                moved.push((signal.clone(), ids));
            }
        });
        for (signal, thread) in told {
            if signal.with_untracked(|known| *known != thread) {
                signal.set(thread);
            }
        }
        for (signal, ids) in moved {
            if signal.with_untracked(|known| *known != ids) {
                signal.set(ids);
            }
        }
        if self.all.with_untracked(|all| *all != places) {
            self.all.set(places);
        }
    }

    /// Returns a thread.
    pub(super) fn get(self, id: ThreadId) -> Option<ArcRwSignal<Thread>> {
        self.inner.with_value(|inner| inner.by_id.get(&id).cloned())
    }

    /// Returns the threads at a place, oldest first, as they come and go.
    pub(super) fn at(self, place: &Place) -> ArcRwSignal<Vec<ThreadId>> {
        if let Some(signal) = self.inner.with_value(|i| i.by_place.get(place).cloned()) {
            return signal;
        }
        let signal = ArcRwSignal::new(Vec::new());
        self.inner.update_value(|inner| {
            inner.by_place.insert(place.clone(), signal.clone());
        });
        signal
    }

    /// Returns the fields of a target on which threads hang.
    pub(super) fn fields_of(self, target: Target) -> Vec<Field> {
        self.all.with(|all| {
            let of = all.iter().filter(|(_, place)| place.target == Some(target));
            of.filter_map(|(_, place)| place.field.clone()).collect()
        })
    }

    /// Returns the entries of a field on which threads hang.
    pub(super) fn entries_of(self, target: Target, field: &Field) -> Vec<Entry> {
        self.all.with(|all| {
            let places = all.iter().map(|(_, place)| place);
            let of = places.filter(|place| {
                place.target == Some(target) && place.field.as_ref() == Some(field)
            });
            of.filter_map(|place| place.entry.clone()).collect()
        })
    }

    /// Returns the threads of a target and its fields.
    pub(super) fn of(self, target: Target) -> Vec<ThreadId> {
        self.all.with(|all| {
            let of = all.iter().filter(|(_, place)| place.target == Some(target));
            of.map(|(id, _)| *id).collect()
        })
    }

    /// Returns all threads with their places, oldest first.
    pub(super) fn all(self) -> Vec<(ThreadId, Place)> {
        self.all.get()
    }

    /// Returns the targets with threads that are not resolved.
    pub(super) fn open_targets(self) -> BTreeSet<Target> {
        self.all.with(|all| {
            let open = all.iter().filter(|(id, _)| {
                let thread = self.get(*id);
                thread.is_some_and(|thread| thread.with(Thread::is_open))
            });
            open.filter_map(|(_, place)| place.target).collect()
        })
    }

    /// Returns how many of a target's threads are not resolved.
    pub(super) fn open_of(self, target: Target) -> usize {
        let open = |id: &ThreadId| {
            let thread = self.get(*id);
            thread.is_some_and(|thread| thread.with(Thread::is_open))
        };
        self.of(target).iter().filter(|id| open(id)).count()
    }

    /// Returns how many comments of the reader wait to be submitted.
    pub(super) fn pending(self) -> usize {
        self.all.with(|all| {
            let pending = |(id, _): &(ThreadId, Place)| {
                let count = |thread: &Thread| {
                    let waits = thread.comments.iter().filter(|comment| comment.is_pending);
                    waits.count()
                };
                self.get(*id).map_or(0, |thread| thread.with(count))
            };
            all.iter().map(pending).sum()
        })
    }
}
