//! Copies a text.

use leptos::prelude::*;

use super::icon::Icon;
use super::toast;

/// Puts a text on the clipboard and says so.
pub fn copy(text: &str) {
    let promise = window().navigator().clipboard().write_text(text);
    leptos::task::spawn_local(async move {
        match wasm_bindgen_futures::JsFuture::from(promise).await {
            Ok(_) => toast::say("Copied."),
            Err(_) => toast::say("The browser did not allow copying. Select the text and copy it."),
        }
    });
}

/// A button that copies what `text` is at that moment.
pub fn copy_button(text: impl Into<Signal<String>>, label: &str) -> AnyView {
    let text = text.into();
    let label = label.to_owned();
    view! {
        <button
            type="button"
            class="button quiet icon-only"
            aria-label=label.clone()
            title=label
            on:click=move |_| copy(&text.get_untracked())
        >
            <Icon name="copy" />
        </button>
    }
    .into_any()
}
