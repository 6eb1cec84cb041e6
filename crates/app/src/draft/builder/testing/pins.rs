//! Pinned outputs: shown in the panel of the step and on its card, set and taken off.

use std::collections::BTreeMap;

use domain::draft::{Pin, is_pinnable};
use domain::{DraftId, StepId, payload};
use leptos::prelude::*;
use leptos::task::spawn_local;
use serde_json::Value;

use super::Builder;
use crate::design::field::described;
use crate::design::icon::Icon;
use crate::design::json::JsonView;
use crate::design::time::Ago;
use crate::design::toast;
use crate::draft::api;
use crate::draft::builder::labelled;

/// The pinned outputs of one draft. A handle.
#[derive(Clone, Copy)]
pub(in super::super) struct Pins {
    draft: DraftId,
    all: RwSignal<BTreeMap<StepId, Pin>>,
}

impl Pins {
    pub(super) fn new(draft: DraftId) -> Self {
        let pins = Self {
            draft,
            all: RwSignal::new(BTreeMap::new()),
        };
        pins.ask();
        pins
    }

    /// Asks what is pinned now.
    pub(in super::super) fn ask(self) {
        spawn_local(async move {
            if let Ok(pins) = api::pins(self.draft).await {
                let pins = pins.into_iter().map(|pin| (pin.step, pin));
                self.all.try_set(pins.collect());
            }
        });
    }

    /// Returns the pin of a step; told when any changes.
    pub(super) fn of(self, id: StepId) -> Option<Pin> {
        self.all.with(|all| all.get(&id).cloned())
    }

    /// Returns the pinned output of a step; told when any changes.
    pub(super) fn output(self, id: StepId) -> Option<Value> {
        self.all.with(|all| all.get(&id)?.output.clone())
    }

    /// Returns how many outputs are pinned; told when that changes.
    pub(super) fn count(self) -> usize {
        self.all.with(BTreeMap::len)
    }

    fn set(self, id: StepId, output: Option<Value>) {
        spawn_local(async move {
            match api::pin(self.draft, id, output).await {
                Ok(()) => self.ask(),
                Err(fault) => toast::say_fault(&fault),
            }
        });
    }
}

/// Says on a card that tests do not run its step.
pub(in super::super) fn mark() -> impl IntoView {
    view! {
        <span class="card-pin" title="Tests use the pinned output and do not run this step.">
            <Icon name="pin" />
            "Pinned"
        </span>
    }
}

/// What is pinned of a step, in its panel.
pub(super) fn of_step(builder: Builder, id: StepId) -> impl IntoView {
    let pins = builder.tests.pins;
    let kind = Memo::new(move |_| builder.editor.step(id, |step| step.kind.clone()));
    let may_pin = move || kind.get().is_some_and(|kind| is_pinnable(&kind));
    let pin = Memo::new(move |_| pins.of(id));
    move || {
        if !may_pin() {
            return None;
        }
        let shown = match pin.get() {
            Some(pin) => pinned(builder, pin).into_any(),
            None => offer(builder, id).into_any(),
        };
        Some(shown)
    }
}

fn pinned(builder: Builder, pin: Pin) -> impl IntoView {
    let pins = builder.tests.pins;
    let id = pin.step;
    view! {
        <section class="pin" aria-label="Pinned output">
            <p class="pin-head">
                <Icon name="pin" />
                <strong>"Output pinned"</strong>
                <span class="quiet-text">{format!("by {}, ", pin.pinned_by)}<Ago at=pin.pinned_at /></span>
            </p>
            <p class="panel-help">"Tests use this output and do not run the step. What is live always runs it."</p>
            {pin.output.clone().map(|output| view! { <JsonView value=Signal::stored(output) /> })}
            <Show when=move || builder.may_edit.get()>
                <button type="button" class="button" on:click=move |_| pins.set(id, None)>
                    "Take the pin off"
                </button>
            </Show>
            {editor(builder, id, "Change the pinned output", pin.output)}
        </section>
    }
}

fn offer(builder: Builder, id: StepId) -> impl IntoView {
    let tests = builder.tests;
    let last = move || tests.recorded_output(id);
    view! {
        <Show when=move || builder.may_edit.get()>
            {move || last().map(|output| view! {
                <button type="button" class="button" on:click=move |_| tests.pins.set(id, Some(output.clone()))>
                    <Icon name="pin" /> "Pin this output"
                </button>
            })}
            {move || editor(builder, id, "Pin an output by hand", last())}
        </Show>
    }
}

/// A field for an output that is typed.
fn editor(builder: Builder, id: StepId, title: &'static str, from: Option<Value>) -> impl IntoView {
    let text = from.and_then(|from| serde_json::to_string_pretty(&from).ok());
    let typed = RwSignal::new(text.unwrap_or_else(|| "{}".to_owned()));
    let read = move || typed.with(|typed| payload::parse_json(typed.as_bytes()));
    let problem = Signal::derive(move || read().err().map(|refusal| refusal.to_string()));
    view! {
        <details class="panel-more pin-editor">
            <summary>{title}</summary>
            {labelled("Output", "JSON, as the step would give it.", problem, move |id| view! {
                <textarea
                    id=id.clone()
                    class="input code"
                    rows="6"
                    spellcheck="false"
                    aria-describedby=described(&id)
                    prop:value=move || typed.get()
                    on:input=move |event| typed.set(event_target_value(&event))
                ></textarea>
            }.into_any())}
            <button
                type="button"
                class="button"
                prop:disabled=move || problem.get().is_some() || !builder.may_edit.get()
                on:click=move |_| {
                    if let Ok(output) = read() {
                        builder.tests.pins.set(id, Some(output));
                    }
                }
            >
                <Icon name="pin" /> "Pin"
            </button>
        </details>
    }
}
