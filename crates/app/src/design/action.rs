//! Buttons that say why they cannot be used, beside themselves.

use domain::policy::{Act, Denied};
use leptos::prelude::*;

use super::icon::Icon;
use super::unique;
use crate::session;

/// A button; with a reason it stays reachable by keyboard, but does nothing.
#[component]
pub fn ActionButton(
    /// What it does.
    #[prop(into)]
    label: Signal<String>,
    /// Name of its icon.
    #[prop(optional, into)]
    icon: String,
    /// Why it cannot be used now.
    #[prop(optional, into)]
    refused: Signal<Option<String>>,
    /// Whether it is what most people come for.
    #[prop(optional)]
    primary: bool,
    /// Does it.
    #[prop(into)]
    press: Callback<()>,
) -> impl IntoView {
    let id = unique("reason");
    let is_refused = move || refused.get().is_some();
    view! {
        <span class="with-reason">
            <button
                type="button"
                class="button"
                class:primary=primary
                aria-disabled=move || is_refused().to_string()
                aria-describedby=id.clone()
                on:click=move |_| {
                    if refused.with_untracked(Option::is_none) {
                        press.run(());
                    }
                }
            >
                {(!icon.is_empty()).then(|| view! { <Icon name=icon /> })}
                {move || label.get()}
            </button>
            <span class="reason" id=id>
                {move || refused.get()}
            </span>
        </span>
    }
}

/// Returns why the person may not do something, as a button wants it.
pub fn refusal(act: Act) -> Signal<Option<String>> {
    let may = session::may(act);
    Signal::derive(move || may.get().err().map(|denied: Denied| denied.to_string()))
}
