//! Letting the polling of an integration begin anew.

use domain::IntegrationId;
use domain::policy::Act;
use domain::poll::Restart;
use leptos::prelude::*;

use super::api;
use crate::design::action::{ActionButton, refusal};
use crate::design::field::{Field, TextField, described};
use crate::design::form::{FormDialog, Sending};
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
    let choice = RwSignal::new("now".to_owned());
    let cursor = RwSignal::new(String::new());
    let sending = Sending::default();
    let start = move |()| {
        choice.set("now".to_owned());
        cursor.set(String::new());
        sending.problem.set(None);
        open.set(true);
    };
    let submit = move || {
        let from = match choice.get_untracked().as_str() {
            "all" => Restart::All,
            "from" => Restart::From(cursor.get_untracked()),
            _ => Restart::Now,
        };
        sending.send(api::restart_poll(id, from), move |()| {
            open.try_set(false);
            toast::say("Polling begins anew.");
        });
    };
    let is_from = move || choice.with(|choice| choice == "from");
    let given = move || is_from().then(|| view! { <TextField label="Cursor" value=cursor /> });
    view! {
        <ActionButton
            label="Start over"
            icon="undo"
            refused=refusal(Act::Operate)
            press=Callback::new(start)
        />
        <FormDialog
            open=open
            title="Start polling over"
            action="Start over"
            sending=sending
            submit=submit
        >
            <p>"What has started a run is forgotten, so items may start a second one."</p>
            {choices(choice, has_cursor)}
            {given}
        </FormDialog>
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
