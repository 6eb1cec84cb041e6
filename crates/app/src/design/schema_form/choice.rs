//! One of a few values, or an expression that gives one.

use domain::schema::Field;
use leptos::html;
use leptos::prelude::*;
use serde_json::Value;

use super::text::{self, Control, Shape};
use crate::design::field::described;
use crate::design::focus_soon;

/// Value of the line of the list that switches to an expression; no catalog entry uses it.
const EXPRESSION: &str = "{{";

/// Draws a list to choose from; a text input when the value is an expression.
pub(super) fn control(
    given: Control,
    field: &'static Field,
    options: &'static [(String, String)],
    takes_expressions: bool,
) -> AnyView {
    let value = given.value;
    let is_listed = Memo::new(move |_| {
        value.with(|value| match value {
            None => true,
            Some(value) => options.iter().any(|(option, _)| value == option),
        })
    });
    view! {
        {move || {
            if is_listed.get() {
                list(given.clone(), field, options, takes_expressions)
            } else {
                expression(given.clone(), field)
            }
        }}
    }
    .into_any()
}

fn list(
    given: Control,
    field: &'static Field,
    options: &'static [(String, String)],
    takes_expressions: bool,
) -> AnyView {
    let Control {
        id,
        value,
        emit,
        is_invalid,
        ..
    } = given;
    let node = NodeRef::<html::Select>::new();
    Effect::new(move || {
        let now = value.with(|value| value.as_ref().map(text::show).unwrap_or_default());
        if let Some(select) = node.get() {
            select.set_value(&now);
        }
    });
    let focus = id.clone();
    let chosen = move |event| {
        let chosen = event_target_value(&event);
        if chosen == EXPRESSION {
            focus_soon(focus.clone());
            emit.run(Some(Value::from("{{  }}")));
        } else {
            emit.run(text::read(&chosen));
        }
    };
    let line = |(option, label): &'static (String, String)| {
        view! { <option value=option.as_str()>{label.as_str()}</option> }
    };
    view! {
        <select
            node_ref=node
            id=id.clone()
            class="input"
            aria-describedby=described(&id)
            aria-invalid=move || is_invalid.get().to_string()
            on:change=chosen
        >
            <option value="" hidden=field.required>
                {if field.required { "Choose…" } else { "Not set" }}
            </option>
            {options.iter().map(line).collect::<Vec<_>>()}
            {takes_expressions.then(|| view! { <option value=EXPRESSION>"Expression…"</option> })}
        </select>
    }
    .into_any()
}

fn expression(given: Control, field: &'static Field) -> AnyView {
    let emit = given.emit;
    let id = given.id.clone();
    let back = move |_| {
        focus_soon(id.clone());
        emit.run(field.default.clone());
    };
    view! {
        <div class="input-row">
            {text::control(given, Shape::CodeLine, text::show, text::read)}
            <button type="button" class="button" on:click=back>
                "Choose from the list"
            </button>
        </div>
    }
    .into_any()
}
