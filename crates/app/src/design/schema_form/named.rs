//! One of what the organization has: a list to choose from, by name, with a line on the chosen one.

use domain::schema::Field;
use leptos::prelude::*;
use serde_json::Value;

use super::text::Control;
use crate::design::field::described;
use crate::known::Named;

/// What differs between the kinds of things.
pub(super) struct Words<T> {
    /// What the list says while nothing is chosen.
    pub(super) nothing: &'static str,
    /// What is said under it when the chosen one is not there any more.
    pub(super) gone: &'static str,
    /// What is worth knowing of one.
    pub(super) hint: fn(&T) -> Option<String>,
    /// Why one does not work as it is now.
    pub(super) trouble: fn(&T) -> Option<String>,
}

/// Draws the list. What does not work now comes last, and says so.
pub(super) fn control<T: Named + PartialEq>(
    given: Control,
    field: &'static Field,
    known: Signal<Option<Vec<T>>>,
    words: Words<T>,
) -> AnyView
where
    T::Id: ToString,
{
    let Control {
        id,
        value,
        emit,
        is_invalid,
        ..
    } = given;
    let Words {
        nothing,
        gone,
        hint,
        trouble,
    } = words;
    let chosen = Memo::new(move |_| {
        value.with(|value| {
            let text = value.as_ref().and_then(Value::as_str);
            text.map(str::trim).unwrap_or_default().to_owned()
        })
    });
    let found = Memo::new(move |_| {
        known.with(|known| {
            let mut all = known.iter().flatten();
            all.find(|one| chosen.with(|id| one.id().to_string() == *id))
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
    let lines = move || {
        let all = known.get().unwrap_or_default();
        let (open, closed): (Vec<T>, Vec<T>) =
            all.into_iter().partition(|one| trouble(one).is_none());
        let open = open
            .into_iter()
            .map(|one| line(one.id().to_string(), one.name().to_owned()));
        let closed = closed.into_iter().map(|one| {
            let name = format!("{} (cannot be called now)", one.name());
            line(one.id().to_string(), name)
        });
        open.chain(closed).collect::<Vec<_>>()
    };
    // Until the list is there, or when the chosen one is not in it, the select shows this.
    let unknown = move || {
        let is_shown =
            known.with(Option::is_none) && !chosen.with(String::is_empty) || is_gone.get();
        is_shown.then(|| {
            let name = if is_gone.get() { T::GONE } else { "…" };
            line(chosen.get(), name.to_owned())
        })
    };
    let hint = move || found.with(|found| found.as_ref().and_then(hint));
    let trouble = move || match is_gone.get() {
        true => Some(gone.to_owned()),
        false => found.with(|found| found.as_ref().and_then(trouble)),
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
            aria-invalid=move || (is_invalid.get() || trouble().is_some()).to_string()
            on:change=change
        >
            <option value="" hidden=field.required prop:selected=move || chosen.with(String::is_empty)>
                {nothing}
            </option>
            {unknown}
            {lines}
        </select>
        <p class="named-hint" hidden=move || hint().is_none()>
            {hint}
        </p>
        <p class="named-trouble" hidden=move || trouble().is_none()>
            {trouble}
        </p>
    }
    .into_any()
}
