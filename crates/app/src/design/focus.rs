//! Where the focus goes. What people do themselves always has precedence: a key that they press must
//! never end up in an element that took the focus from them.

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{Element, FocusOptions, HtmlElement, MutationObserver, MutationObserverInit};

/// Moves the focus to the element with that id, once it is drawn. Whoever went into a field
/// meanwhile stays there.
pub fn focus_soon(id: impl Into<String>) {
    let id = id.into();
    let before = document().active_element();
    request_animation_frame(move || {
        let now = document().active_element();
        let has_gone = now != before && now.as_ref().is_some_and(is_typed_in);
        if !has_gone {
            focus_now(&id);
        }
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

/// Does something that may draw elements anew or elsewhere, which takes the focus from them, and
/// gives the focus back to the element with the same id before the next key is heard.
pub(crate) fn keeping_focus<T>(act: impl FnOnce() -> T) -> T {
    let id = document().active_element().map(|element| element.id());
    let Some(id) = id.filter(|id| !id.is_empty()) else {
        return act();
    };
    let give_back = Closure::<dyn Fn()>::new(move || {
        // Whoever is elsewhere by now stays there.
        let is_lost = document().active_element() == document().body().map(Into::into);
        if is_lost && let Some(element) = element(&id) {
            let options = FocusOptions::new();
            // What they did is no reason to look elsewhere.
            options.set_prevent_scroll(true);
            let _ = element.focus_with_options(&options);
        }
    });
    // It is told of what was drawn before the browser goes on to the next event; a frame would
    // be too late for a key that is already on its way.
    let observer = MutationObserver::new(give_back.as_ref().unchecked_ref()).ok();
    let all = MutationObserverInit::new();
    all.set_child_list(true);
    all.set_subtree(true);
    if let (Some(observer), Some(body)) = (&observer, document().body()) {
        let _ = observer.observe_with_options(&body, &all);
    }
    let done = act();
    request_animation_frame(move || {
        if let Some(observer) = observer {
            observer.disconnect();
        }
        drop(give_back);
    });
    done
}

fn element(id: &str) -> Option<HtmlElement> {
    document().get_element_by_id(id)?.dyn_into().ok()
}

/// Returns whether text is typed into an element.
pub(crate) fn is_typed_in(element: &Element) -> bool {
    matches!(element.tag_name().as_str(), "INPUT" | "TEXTAREA" | "SELECT")
        || element
            .closest("[contenteditable]")
            .is_ok_and(|found| found.is_some())
}
