//! What the forms in front of the app have in common: one card, one submit, one fault.

use std::future::Future;

use domain::account::Refusal;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::api;
use crate::design;
use crate::fault::Fault;
use crate::{live, session};

/// Draws a form alone on the page.
pub(super) fn card(title: &'static str, lead: impl IntoView, content: impl IntoView) -> AnyView {
    design::title(move || title.to_owned());
    view! {
        <main class="entrance">
            <p class="entrance-brand">
                <span class="top-mark" aria-hidden="true"></span>
                "Sluice"
            </p>
            <section class="entrance-card" aria-labelledby="entrance-title">
                <h1 id="entrance-title">{title}</h1>
                {lead.into_view()}
                {content.into_view()}
            </section>
        </main>
    }
    .into_any()
}

/// A form that lets someone in when it succeeds.
#[derive(Clone, Copy)]
pub(super) struct Entrance {
    /// Why it did not work.
    pub(super) fault: RwSignal<Option<String>>,
    /// Whether it is under way.
    pub(super) is_busy: RwSignal<bool>,
    /// Whether someone has tried; from then on problems are shown.
    pub(super) was_tried: RwSignal<bool>,
}

impl Entrance {
    pub(super) fn new() -> Self {
        Self {
            fault: RwSignal::new(None),
            is_busy: RwSignal::new(false),
            was_tried: RwSignal::new(false),
        }
    }

    /// Returns what a check says about a field, once someone has tried to submit.
    pub(super) fn problem<T>(
        self,
        value: RwSignal<String>,
        check: fn(&str) -> Result<T, Refusal>,
    ) -> Signal<Option<String>>
    where
        T: 'static,
    {
        Signal::derive(move || {
            let refusal = value.with(|value| check(value).err());
            refusal
                .filter(|_| self.was_tried.get())
                .map(|refusal| refusal.to_string())
        })
    }

    /// Does it, then finds out who is signed in; the app goes on from there.
    pub(super) fn enter(
        self,
        action: impl Future<Output = Result<(), Fault>> + 'static,
        then: impl FnOnce() + 'static,
    ) {
        if self.is_busy.get_untracked() {
            return;
        }
        self.is_busy.set(true);
        self.fault.set(None);
        spawn_local(async move {
            let answer = match action.await {
                Ok(()) => api::who_am_i().await,
                Err(fault) => Err(fault),
            };
            match answer {
                Ok(me) => {
                    session::signed_in(me);
                    live::connect();
                    then();
                }
                Err(fault) => {
                    self.is_busy.try_set(false);
                    self.fault.try_set(Some(fault.to_string()));
                }
            }
        });
    }

    /// Draws the fault and the button.
    pub(super) fn end(self, words: &'static str) -> AnyView {
        view! {
            <p class="form-problem" role="alert">
                {move || self.fault.get()}
            </p>
            <button type="submit" class="button primary" disabled=move || self.is_busy.get()>
                {words}
            </button>
        }
        .into_any()
    }
}
