//! Single letters as keys: when they are not for something else.

use leptos::ev::KeyboardEvent;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::Element;

/// Returns whether a key is for something else: a field, a dialog, a menu, the browser.
pub(super) fn is_taken(event: &KeyboardEvent) -> bool {
    if event.ctrl_key() || event.meta_key() || event.alt_key() || event.default_prevented() {
        return true;
    }
    let target = event
        .target()
        .and_then(|target| target.dyn_into::<Element>().ok());
    let in_field = target.is_some_and(|element| {
        let fields =
            "input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]";
        element.matches(fields).unwrap_or(false)
            || element.closest("[role=menu]").ok().flatten().is_some()
    });
    let has_dialog = document()
        .query_selector("dialog[open]")
        .is_ok_and(|found| found.is_some());
    in_field || has_dialog
}
