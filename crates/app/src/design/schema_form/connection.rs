//! One of the organization's connections.

use domain::schema::Field;
use leptos::prelude::*;
use serde_json::Value;

use super::text::Control;
use crate::connection::known::known;
use crate::design::field::described;

/// Draws the list of connections to choose from, and where the chosen one may be sent.
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
    let is_gone = Memo::new(move |_| {
        chosen.with(|chosen| {
            !chosen.is_empty()
                && known.with(|known| {
                    let mut all = known.iter().flatten();
                    known.is_some() && !all.any(|connection| connection.id.to_string() == *chosen)
                })
        })
    });
    let line = move |id: String, name: String| {
        let own = id.clone();
        view! {
            <option value=id prop:selected=move || chosen.with(|chosen| *chosen == own)>
                {name}
            </option>
        }
    };
    let lines = move || {
        let all = known.get().unwrap_or_default().into_iter();
        all.map(|connection| line(connection.id.to_string(), connection.name))
            .collect::<Vec<_>>()
    };
    // Until the list is there, or when the chosen one is not in it, the select shows this.
    let unknown = move || {
        let is_shown =
            known.with(Option::is_none) && !chosen.with(String::is_empty) || is_gone.get();
        is_shown.then(|| {
            let name = if is_gone.get() {
                "A connection that does not exist any more"
            } else {
                "…"
            };
            line(chosen.get(), name.to_owned())
        })
    };
    let origins = move || {
        known.with(|known| {
            let mut all = known.iter().flatten();
            let found =
                all.find(|connection| chosen.with(|id| connection.id.to_string() == *id))?;
            let origins = &found.details.as_ref()?.origins;
            Some(format!("It may be sent to {}.", origins.join(", ")))
        })
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
                "No connection"
            </option>
            {unknown}
            {lines}
        </select>
        <p class="connection-hint" hidden=move || origins().is_none()>
            {origins}
        </p>
        <p class="connection-gone" hidden=move || !is_gone.get()>
            "The connection does not exist any more. Choose another one."
        </p>
    }
    .into_any()
}
