//! Starts the live version of an integration with a manual trigger.

use domain::integration::IntegrationDetail;
use domain::policy::Act;
use domain::{IntegrationId, payload};
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;
use serde_json::Value;

use super::api;
use crate::design::action::{ActionButton, refusal};
use crate::design::dialog::Dialog;
use crate::design::field::{Field, described};
use crate::design::unique;
use crate::session;

/// Draws the button and its dialog.
pub(super) fn section(id: IntegrationId, detail: Signal<IntegrationDetail>) -> AnyView {
    let open = RwSignal::new(false);
    let denied = refusal(Act::Operate);
    let refused = Signal::derive(move || {
        let is_enabled = detail.with(|detail| detail.summary.enabled);
        denied
            .get()
            .or_else(|| (!is_enabled).then(|| "It is disabled. Enable it first.".to_owned()))
    });
    // Kept while the page is open, so that the same payload can be sent again.
    let text = RwSignal::new("{}".to_owned());
    view! {
        <ActionButton
            label="Run now"
            icon="play"
            primary=true
            refused=refused
            press=Callback::new(move |()| open.set(true))
        />
        <Dialog open=open title="Run now" wide=true>
            {move || form(id, open, text)}
        </Dialog>
    }
    .into_any()
}

fn form(id: IntegrationId, open: RwSignal<bool>, text: RwSignal<String>) -> AnyView {
    let field = unique("payload");
    let fault = RwSignal::new(None::<String>);
    let is_busy = RwSignal::new(false);
    let navigate = use_navigate();
    let problem =
        Signal::derive(move || fault.get().or_else(|| text.with(|text| read(text).err())));
    let submit = Callback::new(move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let Ok(payload) = text.with_untracked(|text| read(text)) else {
            return;
        };
        let navigate = navigate.clone();
        is_busy.set(true);
        spawn_local(async move {
            match api::start_manual(id, payload).await {
                Ok(run) => navigate(&format!("/runs/{run}"), NavigateOptions::default()),
                Err(why) => {
                    session::notice(&why);
                    fault.try_set(Some(why.to_string()));
                    is_busy.try_set(false);
                }
            }
        });
    });
    let typed = move |event| {
        fault.set(None);
        text.set(event_target_value(&event));
    };
    view! {
        <form class="stack" novalidate on:submit=move |event| submit.run(event)>
            <Field
                id=field.clone()
                label="Payload"
                help="JSON. The steps see it as trigger.body."
                problem=problem
                required=true
            >
                <textarea
                    id=field.clone()
                    class="input code"
                    rows="10"
                    spellcheck="false"
                    autocomplete="off"
                    autofocus=true
                    aria-describedby=described(&field)
                    aria-invalid=move || problem.get().is_some().to_string()
                    prop:value=move || text.get()
                    on:input=typed
                ></textarea>
            </Field>
            <div class="dialog-actions">
                <button type="button" class="button" on:click=move |_| open.set(false)>
                    "Cancel"
                </button>
                <button
                    type="submit"
                    class="button primary"
                    disabled=move || is_busy.get() || text.with(|text| read(text).is_err())
                >
                    "Run"
                </button>
            </div>
        </form>
    }
    .into_any()
}

/// Reads what was typed; nothing at all is no payload.
fn read(text: &str) -> Result<Value, String> {
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    payload::parse_json(text.as_bytes()).map_err(|refusal| refusal.to_string())
}
