//! One of the organization's integrations, to be called.

use domain::call::Choice;
use domain::schema::Field;
use leptos::prelude::*;
use serde_json::Value;

use super::text::Control;
use crate::call::known::known;
use crate::design::field::described;

/// Draws the list of integrations to choose from, and what the chosen one expects, or why it
/// cannot be called as it is now.
pub(super) fn control(given: Control, field: &'static Field) -> AnyView {
    let Control {
        id,
        value,
        emit,
        is_invalid,
        ..
    } = given;
    let known = known();
    let chosen = Memo::new(move |_| {
        value.with(|value| {
            let text = value.as_ref().and_then(Value::as_str);
            text.map(str::trim).unwrap_or_default().to_owned()
        })
    });
    let found = Memo::new(move |_| {
        known.with(|known| {
            let mut all = known.iter().flatten();
            all.find(|choice| chosen.with(|id| choice.id.to_string() == *id))
                .cloned()
        })
    });
    let is_gone = Memo::new(move |_| {
        !chosen.with(String::is_empty) && known.with(Option::is_some) && found.with(Option::is_none)
    });
    let line = move |id: String, name: String| {
        let own = id.clone();
        view! {
            <option value=id prop:selected=move || chosen.with(|chosen| *chosen == own)>
                {name}
            </option>
        }
    };
    // What can be called comes first.
    let lines = move || {
        let all = known.get().unwrap_or_default();
        let (open, closed): (Vec<Choice>, Vec<Choice>) =
            all.into_iter().partition(|choice| choice.closed.is_none());
        let open = open
            .into_iter()
            .map(|choice| line(choice.id.to_string(), choice.name));
        let closed = closed.into_iter().map(|choice| {
            let name = format!("{} (cannot be called now)", choice.name);
            line(choice.id.to_string(), name)
        });
        open.chain(closed).collect::<Vec<_>>()
    };
    // Until the list is there, or when the chosen one is not in it, the select shows this.
    let unknown = move || {
        let is_shown =
            known.with(Option::is_none) && !chosen.with(String::is_empty) || is_gone.get();
        is_shown.then(|| {
            let name = if is_gone.get() {
                "An integration that does not exist any more"
            } else {
                "…"
            };
            line(chosen.get(), name.to_owned())
        })
    };
    let expects = move || {
        found.with(|found| {
            let found = found.as_ref().filter(|found| found.closed.is_none())?;
            let said = found.expects.trim();
            (!said.is_empty()).then(|| said.to_owned())
        })
    };
    let closed = move || {
        if is_gone.get() {
            let said = "The integration does not exist any more. Choose another one.";
            return Some(said.to_owned());
        }
        found.with(|found| found.as_ref()?.closed.clone())
    };
    let change = move |event| {
        let chosen = event_target_value(&event);
        emit.run((!chosen.is_empty()).then(|| Value::from(chosen)));
    };
    view! {
        <select
            id=id.clone()
            class="input"
            aria-describedby=described(&id)
            aria-invalid=move || (is_invalid.get() || is_gone.get()).to_string()
            on:change=change
        >
            <option value="" hidden=field.required prop:selected=move || chosen.with(String::is_empty)>
                "Choose an integration"
            </option>
            {unknown}
            {lines}
        </select>
        <p class="call-hint" hidden=move || expects().is_none()>
            {expects}
        </p>
        <p class="call-closed" hidden=move || closed().is_none()>
            {closed}
        </p>
    }
    .into_any()
}
