//! A few choices of which one is taken, each with what it means.

use leptos::prelude::*;

use super::unique;

/// One of them.
pub struct Choice<T> {
    value: T,
    label: &'static str,
    about: Signal<String>,
    is_off: Signal<bool>,
}

impl<T> Choice<T> {
    /// Returns a choice that can be taken, with what it means.
    pub fn new(value: T, label: &'static str, about: &'static str) -> Self {
        Self {
            value,
            label,
            about: Signal::stored(about.to_owned()),
            is_off: Signal::stored(false),
        }
    }

    /// Returns one that can be taken while `is_off` does not hold.
    pub fn unless(
        value: T,
        label: &'static str,
        about: Signal<String>,
        is_off: Signal<bool>,
    ) -> Self {
        Self {
            value,
            label,
            about,
            is_off,
        }
    }
}

/// Draws the choices under a legend; the one that is taken is in `value`.
pub fn choices<T>(
    legend: &'static str,
    value: RwSignal<T>,
    all: impl IntoIterator<Item = Choice<T>>,
) -> AnyView
where
    T: Copy + PartialEq + Send + Sync + 'static,
{
    let name = unique("choice");
    let option = |choice: Choice<T>| {
        let (id, note) = (unique("choice"), unique("choice-note"));
        let of = choice.value;
        view! {
            <div class="choice">
                <input
                    type="radio"
                    name=name.clone()
                    id=id.clone()
                    aria-describedby=note.clone()
                    prop:checked=move || value.get() == of
                    prop:disabled=move || choice.is_off.get()
                    on:change=move |_| value.set(of)
                />
                <label for=id>{choice.label}</label>
                <span class="quiet-text" id=note>
                    {move || choice.about.get()}
                </span>
            </div>
        }
    };
    view! {
        <fieldset class="field">
            <legend>{legend}</legend>
            {all.into_iter().map(option).collect::<Vec<_>>()}
        </fieldset>
    }
    .into_any()
}
