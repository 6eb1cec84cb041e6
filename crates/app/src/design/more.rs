//! What is closed at first, and drawn once someone opens it.

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::HtmlDetailsElement;

/// A heading that opens what is under it. That is drawn each time it is opened, so that what nobody
/// looks at costs nothing.
#[component]
pub fn More(
    /// The class of the element.
    class: &'static str,
    /// Whether it is open at first.
    #[prop(optional)]
    open: bool,
    /// The heading.
    #[prop(into)]
    summary: ViewFn,
    /// What is under it.
    children: ChildrenFn,
) -> impl IntoView {
    let is_open = RwSignal::new(open);
    let toggled = move |event: leptos::ev::Event| {
        let details = event
            .target()
            .and_then(|target| target.dyn_into::<HtmlDetailsElement>().ok());
        let now = details.is_some_and(|details| details.open());
        if is_open.get_untracked() != now {
            is_open.set(now);
        }
    };
    view! {
        <details class=class open=open on:toggle=toggled>
            <summary>{summary.run()}</summary>
            {move || is_open.get().then(|| children())}
        </details>
    }
}
