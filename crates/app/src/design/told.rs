//! Values of what comes and goes on a page that stays, such as a card that is scrolled past.

use leptos::prelude::*;
use leptos::reactive::graph::{Observer, Subscriber};

/// Returns what `find` gives, kept up to date as long as the calling owner lives. It tells only of
/// other values, and leaves nothing behind at what it comes from.
///
/// A memo does not know its value before somebody asks: with each change of what it comes from, it
/// wakes all that use it, and all that use these, to ask. Where what is scrolled moves past a
/// hundred cards and few of them change, that costs far more than finding out. In return this is up
/// to date only once the effects of a change have run.
pub(crate) fn told<T>(find: impl Fn() -> T + 'static) -> ReadSignal<T>
where
    T: Clone + PartialEq + Send + Sync + 'static,
{
    let (value, set) = signal(untrack(&find));
    Effect::new(move || {
        leave_with_owner();
        let found = find();
        if value.with_untracked(|value| *value != found) {
            set.set(found);
        }
    });
    value
}

/// Takes the running effect off the lists of what it reads, once it is gone. `reactive_graph` leaves
/// it there for ever: each change then goes through all that ever was on the page.
fn leave_with_owner() {
    if let Some(this) = Observer::get() {
        on_cleanup(move || this.clear_sources(&this));
    }
}
