//! Form fields: label above, help under it, problem under that, tied together for screen readers.

use leptos::prelude::*;

use super::unique;

/// The frame of a form field: its label, what stands in it, help and problem.
///
/// The control inside carries the given `id` and `aria-describedby` as [`described`] says.
#[component]
pub fn Field(
    /// Id of the control.
    #[prop(into)]
    id: String,
    /// What it is called.
    #[prop(into)]
    label: String,
    /// One sentence of help, or empty.
    #[prop(optional, into)]
    help: String,
    /// What is wrong with it, if anything.
    #[prop(optional, into)]
    problem: Signal<Option<String>>,
    /// Whether it must have a value.
    #[prop(optional)]
    required: bool,
    /// The control.
    children: Children,
) -> impl IntoView {
    view! {
        <div class="field" class:has-problem=move || problem.get().is_some()>
            <label for=id.clone()>
                {label}
                {(!required).then(|| view! { <span class="optional">" optional"</span> })}
            </label>
            {children()}
            <p class="field-help" id=format!("{id}-help")>
                {help}
            </p>
            <p class="field-problem" id=format!("{id}-problem")>
                {move || problem.get()}
            </p>
        </div>
    }
}

/// Returns the `aria-describedby` of a control in a [`Field`].
pub fn described(id: &str) -> String {
    format!("{id}-help {id}-problem")
}

/// A field with one line of text.
#[component]
pub fn TextField(
    /// What it is called.
    #[prop(into)]
    label: String,
    /// Its text.
    value: RwSignal<String>,
    /// One sentence of help, or empty.
    #[prop(optional, into)]
    help: String,
    /// What is wrong with it, if anything.
    #[prop(optional, into)]
    problem: Signal<Option<String>>,
    /// The input's `type`; text when empty.
    #[prop(optional, into)]
    kind: String,
    /// The input's `autocomplete`; off when empty.
    #[prop(optional, into)]
    autocomplete: String,
    /// An example, shown while the field is empty.
    #[prop(optional, into)]
    placeholder: String,
    /// Whether it gets the focus when it appears.
    #[prop(optional)]
    autofocus: bool,
    /// Whether it may stay empty.
    #[prop(optional)]
    optional: bool,
) -> impl IntoView {
    let id = unique("field");
    let kind = if kind.is_empty() {
        "text".to_owned()
    } else {
        kind
    };
    let autocomplete = if autocomplete.is_empty() {
        "off".to_owned()
    } else {
        autocomplete
    };
    if autofocus {
        super::focus_soon(id.clone());
    }
    view! {
        <Field id=id.clone() label=label help=help problem=problem required=!optional>
            <input
                id=id.clone()
                class="input"
                type=kind
                autocomplete=autocomplete
                placeholder=placeholder
                autofocus=autofocus
                required=!optional
                aria-describedby=described(&id)
                aria-invalid=move || problem.get().is_some().to_string()
                prop:value=move || value.get()
                on:input=move |event| value.set(event_target_value(&event))
            />
        </Field>
    }
}
