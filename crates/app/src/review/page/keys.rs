//! What keys do on the review page.

use domain::change::Target;
use leptos::ev;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement};

use super::super::keys::is_taken;
use super::desk::Desk;
use super::spot::{Place, Purpose};
use super::{field_row, selection, viewed};
use crate::design::dialog::Dialog;

/// The keys, with what they do.
const KEYS: [(&str, &str); 9] = [
    ("j", "Next change"),
    ("k", "Previous change"),
    ("n", "Next thread"),
    ("p", "Previous thread"),
    ("c", "Comment on what has the focus, or on what is selected"),
    ("v", "Tick as viewed, or take the tick back"),
    ("x", "Fold or unfold; Enter does it too"),
    ("a", "Finish your review"),
    ("?", "Show these keys"),
];

/// Draws the list of keys.
pub(super) fn dialog(desk: Desk) -> AnyView {
    let line = |(key, words): (&'static str, &'static str)| {
        view! {
            <dt>
                <kbd>{key}</kbd>
            </dt>
            <dd>{words}</dd>
        }
    };
    view! {
        <Dialog open=desk.dialogs.keys title="Keys">
            <dl class="facts key-list">{KEYS.map(line).into_iter().collect::<Vec<_>>()}</dl>
        </Dialog>
    }
    .into_any()
}

/// Listens as long as the page is shown.
pub(super) fn listen(desk: Desk) {
    let handle = window_event_listener(ev::keydown, move |event| {
        if is_taken(&event) {
            return;
        }
        if press(desk, &event.key()) {
            event.prevent_default();
        }
    });
    on_cleanup(move || handle.remove());
}

fn press(desk: Desk, key: &str) -> bool {
    match key {
        "j" => step("[data-change]", true),
        "k" => step("[data-change]", false),
        "n" => step("[data-thread]", true),
        "p" => step("[data-thread]", false),
        "c" => comment(desk),
        "v" => tick(desk),
        "x" => toggle(),
        "Enter" if is_on_card() => toggle(),
        "a" if untrack(|| desk.is_open()) => {
            desk.dialogs.finish.set(true);
            true
        }
        "?" => {
            desk.dialogs.keys.set(true);
            true
        }
        _ => false,
    }
}

fn focused() -> Option<Element> {
    document().active_element()
}

/// Moves the focus to the next element of a kind, counted from what has the focus.
fn step(kind: &str, forward: bool) -> bool {
    let Ok(all) = document().query_selector_all(kind) else {
        return false;
    };
    let all: Vec<HtmlElement> = (0..all.length())
        .filter_map(|index| all.item(index)?.dyn_into().ok())
        .filter(|element: &HtmlElement| element.offset_parent().is_some())
        .collect();
    let here = focused().filter(|element| element.tag_name() != "BODY");
    let is_behind = |element: &HtmlElement, here: &Element| {
        let position = here.compare_document_position(element);
        position & web_sys::Node::DOCUMENT_POSITION_FOLLOWING != 0
    };
    let contains = |element: &HtmlElement, here: &Element| element.contains(Some(here));
    let next = match (&here, forward) {
        (None, _) => all.first(),
        (Some(here), true) => all.iter().find(|element| is_behind(element, here)),
        (Some(here), false) => all
            .iter()
            .rev()
            .find(|element| !is_behind(element, here) && !contains(element, here)),
    };
    if let Some(next) = next {
        let _ = next.focus();
        let options = web_sys::ScrollIntoViewOptions::new();
        options.set_block(web_sys::ScrollLogicalPosition::Center);
        next.scroll_into_view_with_scroll_into_view_options(&options);
    }
    true
}

/// Returns the row that has the focus, or holds it.
fn place() -> Option<Place> {
    let row = focused()?.closest("[data-place]").ok().flatten()?;
    serde_json::from_str(&row.get_attribute("data-place")?).ok()
}

fn comment(desk: Desk) -> bool {
    if !untrack(|| desk.is_open()) {
        return false;
    }
    let spot = selection::selected_spot(desk)
        .or_else(|| untrack(|| field_row::spot(desk, &place().unwrap_or_default())));
    if let Some(spot) = spot {
        desk.write(Purpose::New(spot));
    }
    true
}

fn tick(desk: Desk) -> bool {
    let Some(target) = place().and_then(|place| place.target) else {
        return false;
    };
    let is_viewed = untrack(move || viewed::is_viewed(desk, target));
    viewed::set(desk, target, !is_viewed);
    keep_focus(target);
    true
}

/// Puts the focus on a card again, if what had it is folded away now. Whoever goes on at once keeps
/// the place.
fn keep_focus(target: Target) {
    request_animation_frame(move || {
        let is_lost = focused().is_none_or(|element| element.tag_name() == "BODY");
        let card = document().get_element_by_id(&super::desk::card_id(target));
        if let Some(card) = card.and_then(|card| card.dyn_into::<HtmlElement>().ok())
            && is_lost
        {
            let _ = card.focus();
        }
    });
}

/// Returns whether a card itself has the focus, not something on it.
fn is_on_card() -> bool {
    focused().is_some_and(|element| element.matches(".change").unwrap_or(false))
}

fn toggle() -> bool {
    let Some(here) = focused() else { return false };
    let own = here.matches("[data-toggle]").unwrap_or(false);
    let button = if own {
        Some(here)
    } else {
        let card = here.closest(".change, .change-line").ok().flatten();
        card.and_then(|card| card.query_selector("[data-toggle]").ok().flatten())
    };
    if let Some(button) = button.and_then(|button| button.dyn_into::<HtmlElement>().ok()) {
        button.click();
        return true;
    }
    false
}
