//! The dialog in which selected steps become an integration of their own.

use domain::account::check_name;
use domain::extract::{Extraction, Refusal, extract};
use domain::{DraftId, IntegrationId, StepId};
use leptos::prelude::*;
use leptos::task::spawn_local;
use uuid::Uuid;

use super::super::selection::Selection;
use super::{Builder, api};
use crate::design::dialog::Dialog;
use crate::design::field::TextField;
use crate::design::toast;
use crate::fault::Fault;
use crate::integration::api::create_integration;
use crate::session;

/// Draws the dialog.
pub(super) fn dialog(builder: Builder, open: RwSignal<bool>) -> AnyView {
    let made = RwSignal::new(None::<Made>);
    let title = Signal::derive(move || match made.get() {
        Some(made) => format!("“{}” is made", made.name),
        None => "Extract into a new integration".to_owned(),
    });
    Effect::new(move || {
        if open.get() {
            made.set(None);
        }
    });
    view! {
        <Dialog open=open title=title>
            {move || match made.get() {
                Some(made) => done(made, open),
                None => untrack(|| match look(builder) {
                    Ok(found) => form(builder, found, open, made),
                    Err(refusal) => refused(&refusal, open),
                }),
            }}
        </Dialog>
    }
    .into_any()
}

/// The new integration.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Made {
    name: String,
    draft: DraftId,
}

/// Reads what the selected steps need and give.
fn look(builder: Builder) -> Result<Extraction, Refusal> {
    let chosen = builder.editor.chosen();
    let step_id = || StepId(Uuid::now_v7());
    builder
        .editor
        .read(|document| extract(document, &chosen, step_id))
}

fn refused(refusal: &Refusal, open: RwSignal<bool>) -> AnyView {
    view! {
        <p>{refusal.to_string()}</p>
        <div class="dialog-actions">
            <button type="button" class="button primary" autofocus on:click=move |_| open.set(false)>
                "Back to the steps"
            </button>
        </div>
    }
    .into_any()
}

fn form(
    builder: Builder,
    found: Extraction,
    open: RwSignal<bool>,
    made: RwSignal<Option<Made>>,
) -> AnyView {
    let name = RwSignal::new(first_name(builder, &found));
    let problem = RwSignal::new(None::<String>);
    let is_busy = RwSignal::new(false);
    let terms = terms(&found);
    let found = StoredValue::new(found);
    // Where only the answer was lost, another press goes on with what is there.
    let begun = StoredValue::new(None::<(String, DraftId)>);
    let send = move || {
        if is_busy.get_untracked() {
            return;
        }
        match name.with_untracked(|name| check_name(name)) {
            Err(refusal) => problem.set(Some(refusal.to_string())),
            Ok(name) => {
                problem.set(None);
                is_busy.set(true);
                let found = found.get_value();
                spawn_local(async move {
                    let answer = make(found.clone(), name, begun).await;
                    // Whoever left the builder meanwhile finds the new integration in the list.
                    if is_busy.try_set(false).is_some() || builder.summary.is_disposed() {
                        return;
                    }
                    match answer {
                        Ok((new, integration)) => {
                            put_call(builder, &found, integration, &new.name);
                            made.try_set(Some(new));
                        }
                        Err(fault) => {
                            session::notice(&fault);
                            problem.try_set(Some(fault.to_string()));
                        }
                    }
                });
            }
        }
    };
    view! {
        <form
            class="stack"
            novalidate
            on:submit=move |event| {
                event.prevent_default();
                send();
            }
        >
            <TextField
                label="Name"
                value=name
                problem=problem
                help="Of the new integration, and of the step that calls it from here."
                autofocus=true
            />
            {terms}
            <p class="notice">
                "It starts as a draft. Publish it before this one: a call starts what is live."
            </p>
            <div class="dialog-actions">
                <button
                    type="button"
                    class="button"
                    prop:disabled=move || is_busy.get()
                    on:click=move |_| open.set(false)
                >
                    "Cancel"
                </button>
                <button type="submit" class="button primary" prop:disabled=move || is_busy.get()>
                    {move || if is_busy.get() { "Extracting…" } else { "Extract" }}
                </button>
            </div>
        </form>
    }
    .into_any()
}

/// Says what goes into the call and what comes back.
fn terms(found: &Extraction) -> AnyView {
    let inputs = found.inputs.iter().map(|(name, expression)| {
        view! {
            <dt>{name.clone()}</dt>
            <dd><code>{expression.clone()}</code></dd>
        }
    });
    let inputs = inputs.collect::<Vec<_>>();
    let given = if inputs.is_empty() {
        view! { <p>"The steps use nothing of what is before them: the call has no input."</p> }
            .into_any()
    } else {
        view! {
            <p>"The call gives it:"</p>
            <dl class="entries">{inputs}</dl>
        }
        .into_any()
    };
    let back = match found.results.as_slice() {
        [] => "Nothing behind them uses what they give.".to_owned(),
        slugs => {
            let slugs: Vec<String> = slugs.iter().map(|slug| format!("steps.{slug}")).collect();
            format!(
                "What used {} uses the result of the call then.",
                slugs.join(", ")
            )
        }
    };
    view! {
        <div class="change-box">
            {given}
            <p>{back}</p>
        </div>
    }
    .into_any()
}

/// Returns what the new integration is called when nobody says otherwise.
fn first_name(builder: Builder, found: &Extraction) -> String {
    let first = found.document.flow.first();
    let name = first.and_then(|id| found.document.steps.get(id));
    let name = name.map(|step| step.name.clone()).unwrap_or_default();
    if found.document.steps.len() == 1 {
        return name;
    }
    format!("{}: {name}", builder.integration_name.get_value())
}

/// Makes the integration.
async fn make(
    found: Extraction,
    name: String,
    begun: StoredValue<Option<(String, DraftId)>>,
) -> Result<(Made, IntegrationId), Fault> {
    let before = begun.try_get_value().flatten();
    let draft = match before.filter(|(before, _)| *before == name) {
        Some((_, draft)) => draft,
        None => create_integration(name.clone(), found.document).await?,
    };
    begun.try_set_value(Some((name.clone(), draft)));
    let integration = api::read_draft(draft).await?.integration;
    Ok((Made { name, draft }, integration))
}

/// Puts the step that calls the integration in place of the steps.
fn put_call(builder: Builder, found: &Extraction, integration: IntegrationId, name: &str) {
    let step = StepId(Uuid::now_v7());
    // Others may have edited the steps while the answer was on its way: then both remain.
    let edit = builder
        .editor
        .read(|document| found.replacing(document, integration, name, step));
    match edit {
        Some(edit) => {
            builder.explain(builder.editor.act(edit));
            builder.editor.selection.set(Selection::Step(step));
        }
        None => toast::say(
            "The steps were changed meanwhile, so they still stand here. Compare them with the new integration.",
        ),
    }
}

fn done(made: Made, open: RwSignal<bool>) -> AnyView {
    crate::design::focus_soon("open-extracted");
    view! {
        <p>"A step that calls it stands where the steps were. Undo brings them back; the new integration stays."</p>
        <div class="dialog-actions">
            <button type="button" class="button" on:click=move |_| open.set(false)>
                "Go on here"
            </button>
            <a class="button primary" id="open-extracted" href=format!("/drafts/{}", made.draft)>
                "Open its draft"
            </a>
        </div>
    }
    .into_any()
}
