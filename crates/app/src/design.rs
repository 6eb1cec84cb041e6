//! The parts that every screen is made of: icons, fields, dialogs, states, times, JSON.
//!
//! Plain HTML elements with a class each; looks are in `style/`. Nothing here knows a feature.

pub mod action;
pub mod confirm;
pub mod copy;
pub mod dialog;
pub mod field;
pub mod icon;
pub mod json;
pub mod load;
pub mod markdown;
pub mod menu;
pub mod people;
pub mod schema_form;
pub mod state;
pub mod time;
pub mod toast;

use std::cell::Cell;

use leptos::prelude::*;

pub use copy::copy_button;

thread_local! {
    static NEXT_ID: Cell<u32> = const { Cell::new(0) };
}

/// Returns an element id that nothing else on the page has.
pub fn unique(prefix: &str) -> String {
    let number = NEXT_ID.with(|next| next.replace(next.get() + 1));
    format!("{prefix}-{number}")
}

/// Sets the title of the page as long as the calling screen is shown.
pub fn title(text: impl Fn() -> String + 'static) {
    Effect::new(move || document().set_title(&format!("{} · Sluice", text())));
}

/// Moves the focus to the element with that id, once it is drawn.
pub fn focus_soon(id: impl Into<String>) {
    let id = id.into();
    request_animation_frame(move || {
        focus_now(&id);
    });
}

/// Moves the focus to the element with that id. Returns whether it is drawn already.
pub fn focus_now(id: &str) -> bool {
    use wasm_bindgen::JsCast;
    let found = document().get_element_by_id(id);
    let found = found.and_then(|element| element.dyn_into::<web_sys::HtmlElement>().ok());
    if let Some(element) = &found {
        let _ = element.focus();
    }
    found.is_some()
}
