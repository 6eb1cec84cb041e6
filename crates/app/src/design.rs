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
use std::time::Duration;

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

pub use copy::copy_button;

/// How long to wait where the browser tells of no pause.
const UNTOLD_PAUSE: Duration = Duration::from_millis(120);

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
    let found = element(id);
    if let Some(element) = &found {
        let _ = element.focus();
    }
    found.is_some()
}

fn element(id: &str) -> Option<HtmlElement> {
    document().get_element_by_id(id)?.dyn_into().ok()
}

/// Does something that may draw elements anew or elsewhere, which takes the focus from them, and
/// gives the focus back to the element with the same id.
pub(crate) fn keeping_focus<T>(act: impl FnOnce() -> T) -> T {
    let id = document().active_element().map(|element| element.id());
    let done = act();
    if let Some(id) = id.filter(|id| !id.is_empty()) {
        request_animation_frame(move || {
            // Whoever is elsewhere by now stays there.
            let is_lost = document().active_element() == document().body().map(Into::into);
            if is_lost && let Some(element) = element(&id) {
                let options = web_sys::FocusOptions::new();
                // What they did is no reason to look elsewhere.
                options.set_prevent_scroll(true);
                let _ = element.focus_with_options(&options);
            }
        });
    }
    done
}

/// Does something once the browser has nothing better to do: what nobody waits for.
pub(crate) fn in_a_pause(act: impl Fn() + Clone + 'static) {
    // Not every browser tells of pauses.
    if request_idle_callback_with_handle(act.clone()).is_err() {
        set_timeout(act, UNTOLD_PAUSE);
    }
}
