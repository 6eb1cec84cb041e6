//! What follows from what is in view, found anew for all cards at once.
//!
//! Hundreds of things on the canvas depend on the part of the flow that is in view. An effect for
//! each would leave and join the lists of what it reads with every look, each time past all the
//! others. Here one effect hears of a change and asks everybody.

use std::collections::BTreeMap;
use std::rc::Rc;

use leptos::prelude::*;

/// Finds something anew.
type Ask = Rc<dyn Fn()>;

/// Those who are asked, by the order in which they came: what is around something before what is
/// in it. A handle.
#[derive(Clone, Copy)]
pub(super) struct Beat {
    asked: StoredValue<BTreeMap<u64, Ask>, LocalStorage>,
    next: StoredValue<u64>,
}

impl Beat {
    /// Begins to ask each time that something which `hear` reads has changed.
    pub(super) fn new(hear: impl Fn() + 'static) -> Self {
        let beat = Self {
            asked: StoredValue::new_local(BTreeMap::new()),
            next: StoredValue::new(0),
        };
        Effect::new(move || {
            hear();
            let all: Vec<_> = beat
                .asked
                .with_value(|asked| asked.values().cloned().collect());
            untrack(|| all.iter().for_each(|ask| ask()));
        });
        beat
    }

    /// Returns what `find` gives, found anew with each change until the calling owner goes. It is
    /// up to date once the effects of a change have run.
    pub(super) fn told<T>(self, find: impl Fn() -> T + 'static) -> ReadSignal<T>
    where
        T: Clone + PartialEq + Send + Sync + 'static,
    {
        let (value, set) = signal(untrack(&find));
        let place = self
            .next
            .try_update_value(|next| {
                *next += 1;
                *next
            })
            .unwrap_or_default();
        let ask: Ask = Rc::new(move || {
            let found = find();
            // It may have gone with what was asked before it.
            if value.try_with_untracked(|value| *value != found) == Some(true) {
                set.set(found);
            }
        });
        self.asked.update_value(|asked| {
            asked.insert(place, ask);
        });
        on_cleanup(move || {
            self.asked.try_update_value(|asked| asked.remove(&place));
        });
        value
    }
}
