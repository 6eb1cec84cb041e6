//! Loads what a screen shows: keeps the old content while it asks again, and keeps a fault apart
//! from an empty answer.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;

use super::icon::Icon;
use crate::fault::Fault;
use crate::{live, session};

/// How long changes are gathered before they are asked for.
const SOON: Duration = Duration::from_millis(300);

/// A question to the server, boxed.
pub type Asked<T> = Pin<Box<dyn Future<Output = Result<T, Fault>>>>;

/// What came of a question to the server.
pub struct Load<T: Send + Sync + 'static> {
    /// The newest answer.
    pub value: RwSignal<Option<T>>,
    /// Why the newest question has no answer.
    pub fault: RwSignal<Option<Fault>>,
    /// Whether a question is under way.
    pub is_loading: RwSignal<bool>,
    asked: RwSignal<u32>,
    is_due: StoredValue<bool>,
}

impl<T: Send + Sync + 'static> Clone for Load<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Send + Sync + 'static> Copy for Load<T> {}

impl<T: Send + Sync + 'static> Load<T> {
    /// Asks again; what is shown stays until the answer is there.
    pub fn again(self) {
        self.asked.try_update(|asked| *asked += 1);
    }

    /// Asks again in a moment: for changes that come many at a time. A question under way is
    /// not given up for it.
    pub fn soon(self) {
        if self.is_due.try_get_value() == Some(false) {
            self.is_due.set_value(true);
            self.wait();
        }
    }

    fn wait(self) {
        let ask = move || match self.is_loading.try_get_untracked() {
            Some(true) => self.wait(),
            Some(false) => {
                self.is_due.set_value(false);
                self.again();
            }
            None => {}
        };
        set_timeout(ask, SOON);
    }
}

/// Asks now, whenever a signal that `ask` reads changes, and when the connection or the session
/// is back. `first` is an answer that is there already.
pub fn load<T: Send + Sync + 'static>(
    first: Option<T>,
    ask: impl Fn() -> Asked<T> + 'static,
) -> Load<T> {
    let mut has_first = first.is_some();
    let load = Load {
        value: RwSignal::new(first),
        fault: RwSignal::new(None),
        is_loading: RwSignal::new(false),
        asked: RwSignal::new(0),
        is_due: StoredValue::new(false),
    };
    let round = StoredValue::new(0_u32);
    Effect::new(move || {
        load.asked.track();
        let question = ask();
        // The first answer came with the page; the signals are tracked all the same.
        if std::mem::take(&mut has_first) {
            return;
        }
        let this = round.get_value() + 1;
        round.set_value(this);
        load.is_loading.set(true);
        spawn_local(async move {
            let answer = question.await;
            // A newer question is under way, or the screen is gone.
            if round.try_get_value() != Some(this) {
                return;
            }
            load.is_loading.try_set(false);
            match answer {
                Ok(value) => {
                    load.fault.try_set(None);
                    load.value.try_set(Some(value));
                }
                Err(fault) => {
                    session::notice(&fault);
                    load.fault.try_set(Some(fault));
                }
            }
        });
    });
    // The first answer is shown, though it may be old already.
    live::use_refetch(move || {
        let is_first = load.value.try_with_untracked(Option::is_none) == Some(true);
        if is_first && load.is_loading.try_get_untracked() == Some(true) {
            load.soon();
        } else {
            load.again();
        }
    });
    load
}

/// Shows why something could not be loaded, with a way to try again.
pub fn fault_box(fault: &Fault, again: impl Fn() + Send + Sync + 'static) -> AnyView {
    let can_retry = !matches!(fault, Fault::NotFound);
    view! {
        <div class="fault-box" role="alert">
            <Icon name="alert" />
            <p>{fault.to_string()}</p>
            {can_retry
                .then(move || {
                    view! {
                        <button type="button" class="button" on:click=move |_| again()>
                            "Try again"
                        </button>
                    }
                })}
        </div>
    }
    .into_any()
}

/// Draws what was loaded: a quiet placeholder at first, then the content; a fault stands above
/// content that is still there.
pub fn loaded<T: Clone + PartialEq + Send + Sync + 'static>(
    load: Load<T>,
    draw: impl Fn(Signal<T>) -> AnyView + Send + Sync + 'static,
) -> AnyView {
    let is_there = Memo::new(move |_| load.value.with(Option::is_some));
    let trouble = move || {
        load.fault
            .get()
            .map(|fault| fault_box(&fault, move || load.again()))
    };
    view! {
        {trouble}
        {move || {
            if is_there.get() {
                let value = Memo::new(move |previous: Option<&T>| {
                    let newest = load.value.get();
                    newest
                        .or_else(|| previous.cloned())
                        .expect("a value was there and is never taken away")
                });
                draw(value.into())
            } else if load.fault.with(Option::is_none) {
                view! {
                    <div class="skeleton" aria-busy="true">
                        <span class="visually-hidden">"Loading"</span>
                        <span class="bone"></span>
                        <span class="bone"></span>
                        <span class="bone"></span>
                    </div>
                }
                    .into_any()
            } else {
                ().into_any()
            }
        }}
    }
    .into_any()
}
