//! Letting the polling of an integration begin anew.

use domain::IntegrationId;
use domain::policy::Act;
use domain::poll::Restart;
use leptos::prelude::*;

use super::api;
use crate::design::action::{ActionButton, refusal};
use crate::design::dialog::Dialog;
use crate::design::field::{Field, TextField, described};
use crate::design::form::{DialogForm, Sending};
use crate::design::{toast, unique};

/// Where it can begin: key, and what it is called.
const CHOICES: [(&str, &str); 3] = [
    ("now", "From now on: what is in the list is old"),
    ("all", "With all items in the list"),
    ("from", "From a cursor, such as a date"),
];

/// Draws the button and its dialog.
pub(super) fn button(id: IntegrationId, has_cursor: Signal<bool>) -> AnyView {
    let open = RwSignal::new(false);
    view! {
        <ActionButton
            label="Start over"
            icon="undo"
            refused=refusal(Act::Operate)
            press=Callback::new(move |()| open.set(true))
        />
        <Dialog open=open title="Start polling over">
            {move || form(id, open, has_cursor)}
        </Dialog>
    }
    .into_any()
}

fn form(id: IntegrationId, open: RwSignal<bool>, has_cursor: Signal<bool>) -> AnyView {
    let choice = RwSignal::new("now".to_owned());
    let cursor = RwSignal::new(String::new());
    let problem = RwSignal::new(None::<String>);
    let sending = Sending::default();
    let close = Callback::new(move |()| open.set(false));
    let submit = move || {
        let (from, refused_at) = match choice.get_untracked().as_str() {
            "all" => (Restart::All, sending.problem),
            "from" => (Restart::From(cursor.get_untracked()), problem),
            _ => (Restart::Now, sending.problem),
        };
        problem.set(None);
        sending.send_at(refused_at, api::restart_poll(id, from), move |()| {
            close.try_run(());
            toast::say("Polling begins anew.");
        });
    };
    let is_from = move || choice.with(|choice| choice == "from");
    let given = move || {
        is_from().then(|| view! { <TextField label="Cursor" value=cursor problem=problem /> })
    };
    view! {
        <DialogForm action="Start over" sending=sending submit=submit leave=close>
            <p>"What has started a run is forgotten, so items may start a second one."</p>
            {choices(choice, has_cursor)}
            {given}
        </DialogForm>
    }
    .into_any()
}

fn choices(choice: RwSignal<String>, has_cursor: Signal<bool>) -> AnyView {
    let id = unique("poll-from");
    let option = move |(key, words): (&'static str, &'static str)| {
        view! {
            <option value=key prop:selected=move || choice.with(|choice| choice == key)>
                {words}
            </option>
        }
    };
    let options = move || {
        let known = CHOICES.into_iter();
        let known = known.filter(|(key, _)| *key != "from" || has_cursor.get());
        known.map(option).collect::<Vec<_>>()
    };
    view! {
        <Field id=id.clone() label="Where to begin" required=true>
            <select
                id=id.clone()
                class="input"
                aria-describedby=described(&id)
                on:change=move |event| choice.set(event_target_value(&event))
            >
                {options}
            </select>
        </Field>
    }
    .into_any()
}
