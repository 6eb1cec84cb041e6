//! The parts that every screen is made of: icons, fields, dialogs, states, times, JSON.
//!
//! Plain HTML elements with a class each; looks are in `style/`. Nothing here knows a feature.

pub mod action;
pub mod choices;
pub mod confirm;
pub mod copy;
pub mod dialog;
pub mod field;
mod focus;
pub mod form;
pub mod icon;
mod in_place;
pub mod json;
pub mod load;
pub mod markdown;
pub mod menu;
pub mod more;
pub mod people;
pub mod schema_form;
pub mod state;
pub mod time;
pub mod toast;
mod told;

use std::cell::Cell;
use std::time::Duration;

use leptos::prelude::*;

pub use copy::copy_button;
pub use focus::{focus_now, focus_soon};
pub(crate) use focus::{is_typed_in, keeping_focus};
pub(crate) use in_place::in_place;
pub(crate) use told::told;

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

/// Does something once the browser has nothing better to do: what nobody waits for.
pub(crate) fn in_a_pause(act: impl Fn() + Clone + 'static) {
    // Not every browser tells of pauses.
    if request_idle_callback_with_handle(act.clone()).is_err() {
        set_timeout(act, UNTOLD_PAUSE);
    }
}
