//! The icons: one set of line drawings that take the colour and size of the text around them.

mod shapes;

use leptos::prelude::*;

/// Draws an icon. It says nothing to screen readers: a word or a label stands beside it.
///
/// An unknown name draws a dot.
#[component]
pub fn Icon(
    /// Name as in the catalog's `icon`, such as `globe`.
    #[prop(into)]
    name: String,
) -> impl IntoView {
    view! {
        <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
            <path d=shapes::path(&name)></path>
        </svg>
    }
}
