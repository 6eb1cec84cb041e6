//! What the fields of a step can refer to: given to its form, and shown in the panel.

use std::sync::Arc;

use domain::StepId;
use domain::reach::{Reach, Samples};
use domain::validate;
use leptos::prelude::*;
use leptos::task::spawn_local;
use serde_json::Value;

use super::Builder;
use crate::design::toast;
use crate::fault::Fault;
use crate::field::{self, Expressions};

/// Returns the values that were seen of what a step can refer to; told when there are others.
pub(super) fn samples(builder: Builder, id: StepId) -> Samples {
    let tests = builder.tests;
    let mut samples = Samples {
        trigger: tests.trigger_sample(),
        run: tests.run_sample(),
        ..Samples::default()
    };
    let visible: Vec<(StepId, bool)> = builder.editor.structure(|document| {
        let visible = document.visible_from(id).into_iter();
        visible.map(|step| (step.id, step.kind == "loop")).collect()
    });
    for (step, is_loop) in visible {
        if let Some(output) = tests.output_of(step) {
            samples.outputs.insert(step, output);
        }
        let first = |record: &domain::run::StepRecord| record.input.pointer("/items/0").cloned();
        if is_loop && let Some(item) = tests.record_of(step, first).flatten() {
            samples.items.insert(step, item);
        }
    }
    samples
}

/// Returns what the fields of a step work with.
pub(super) fn expressions(builder: Builder, id: StepId) -> Expressions {
    let editor = builder.editor;
    let reach = Memo::new(move |_| {
        let samples = samples(builder, id);
        editor.trigger();
        Arc::new(editor.structure(|document| Reach::of(document, id, &samples)))
    });
    Expressions {
        reach,
        name_of: Callback::new(move |slug: String| {
            let of = |document: &domain::Document| {
                document.step_by_slug(&slug).map(|step| step.name.clone())
            };
            editor.structure(of)
        }),
        problem_of: Callback::new(move |path: Vec<String>| {
            editor.track_problems(super::Selection::Step(id));
            editor.structure(|document| validate::reference(document, id, &path))
        }),
        open_test: Callback::new(move |()| builder.tests.open.set(true)),
        last: RwSignal::new(None),
    }
}

/// Draws the data that the step can use, to look at, to search and to drag onto a field.
pub(super) fn view(expressions: Expressions) -> impl IntoView {
    let open = RwSignal::new(false);
    let drawn = StoredValue::new_local(None::<AnyView>);
    let is_ready = RwSignal::new(false);
    let owner = Owner::current().expect("the panel is drawn in a screen");
    Effect::new(move || {
        if !open.get() || is_ready.get_untracked() {
            return;
        }
        let owner = owner.clone();
        spawn_local(async move {
            let Ok(part) = field::expressions().await else {
                // The builder may be gone by now.
                if !is_ready.is_disposed() {
                    toast::say_fault(&Fault::Unreachable);
                }
                return;
            };
            if is_ready.try_get_untracked() == Some(false) {
                drawn.set_value(Some(owner.with(|| (part.data)(expressions))));
                is_ready.set(true);
            }
        });
    });
    view! {
        <details class="panel-more" on:toggle=move |event| {
            use wasm_bindgen::JsCast;
            let details = event.target().and_then(|t| t.dyn_into::<web_sys::HtmlDetailsElement>().ok());
            open.set(details.is_some_and(|details| details.open()));
        }>
            <summary>"Data you can use"</summary>
            <p class="panel-help">"Drag a value onto a field, or press Enter to put it where you typed last."</p>
            {move || is_ready.get().then(|| drawn.try_update_value(Option::take).flatten())}
        </details>
    }
}

/// Returns what a run is known by, as expressions see it.
pub(super) fn run_sample(run: &domain::run::RunSummary) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "dates fit")]
    let started = run.started_at.unwrap_or(run.created_at).0 as f64;
    let started = js_sys::Date::new(&started.into()).to_iso_string();
    Value::from_iter([
        ("id", Value::from(run.id.to_string())),
        ("started_at", Value::from(String::from(started))),
        ("test", Value::from(true)),
    ])
}
