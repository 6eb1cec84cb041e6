//! Comments on a part of a text: a button beside what is selected.

use leptos::ev;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement, Node};

use super::compare::Point;
use super::desk::Desk;
use super::spot::{Part, Place, Purpose, Spot};
use crate::design::icon::Icon;

/// What is selected, and where the button stands.
#[derive(Clone, Debug, PartialEq)]
struct Selected {
    spot: Spot,
    left: f64,
    top: f64,
}

/// Draws the button beside what is selected, as long as something is.
pub(super) fn button(desk: Desk) -> AnyView {
    let selected = RwSignal::new(None::<Selected>);
    let look = move || {
        let found = untrack(|| desk.is_open().then(|| read(desk)).flatten());
        if selected.try_with_untracked(|known| *known != found) == Some(true) {
            selected.set(found);
        }
    };
    // Not while the pointer is dragged: the button would be in the way.
    let up = window_event_listener(ev::pointerup, move |_| {
        request_animation_frame(look);
    });
    let key = window_event_listener(ev::keyup, move |event| {
        if event.shift_key() || event.key() == "Shift" || event.key() == "Escape" {
            look();
        }
    });
    // The button stands still while the text under it moves.
    let moved = window_event_listener(ev::scroll, move |_| {
        if selected.try_with_untracked(Option::is_some) == Some(true) {
            look();
        }
    });
    on_cleanup(move || {
        moved.remove();
        up.remove();
        key.remove();
    });
    let node = NodeRef::<leptos::html::Button>::new();
    Effect::new(move || {
        if let (Some(button), Some(at)) = (node.get(), selected.get()) {
            let style = HtmlElement::style(&button);
            let _ = style.set_property("left", &format!("{}px", at.left));
            let _ = style.set_property("top", &format!("{}px", at.top));
        }
    });
    let write = move |_| {
        if let Some(at) = selected.get_untracked() {
            clear();
            selected.set(None);
            desk.write(Purpose::New(at.spot));
        }
    };
    view! {
        {move || {
            selected
                .with(Option::is_some)
                .then(|| {
                    view! {
                        <button
                            node_ref=node
                            type="button"
                            class="button primary small selection-button"
                            on:pointerdown=|event| event.prevent_default()
                            on:click=write
                        >
                            <Icon name="message" />
                            "Comment on the selection"
                        </button>
                    }
                })
        }}
    }
    .into_any()
}

/// Returns the spot of what is selected in one text of a field.
pub(super) fn selected_spot(desk: Desk) -> Option<Spot> {
    untrack(|| read(desk)).map(|selected| selected.spot)
}

fn clear() {
    if let Some(selection) = window().get_selection().ok().flatten() {
        let _ = selection.remove_all_ranges();
    }
}

fn read(desk: Desk) -> Option<Selected> {
    let selection = window().get_selection().ok().flatten()?;
    if selection.is_collapsed() || selection.range_count() == 0 {
        return None;
    }
    let range = selection.get_range_at(0).ok()?;
    let start = part(&range.start_container().ok()?, range.start_offset().ok()?)?;
    let end = part(&range.end_container().ok()?, range.end_offset().ok()?)?;
    if start.root != end.root {
        return None;
    }
    let row = start.root.closest("[data-place]").ok().flatten()?;
    let place: Place = serde_json::from_str(&row.get_attribute("data-place")?).ok()?;
    place.field.as_ref()?;
    // What is now, if the selection begins and ends in it; else what was.
    let (on_base, from, to) = match (start.after, end.after, start.before, end.before) {
        (Some(from), Some(to), ..) => (false, from, to),
        (.., Some(from), Some(to)) => (true, from, to),
        _ => return None,
    };
    // What was can be commented where it is the base, not an earlier revision.
    if on_base && desk.compare.span.get().from != Point::Base {
        return None;
    }
    let bounds = range.get_bounding_client_rect();
    let width = window().inner_width().ok()?.as_f64()?;
    (from < to).then(|| Selected {
        spot: Spot {
            place,
            on_base,
            part: Some(Part {
                range: (from, to),
                text: selected_text(&start.root, on_base, (from, to)),
                revision: desk.compare.to_revision(),
            }),
        },
        left: bounds.left().min(width - 220.0).max(8.0),
        top: bounds.bottom() + 6.0,
    })
}

/// Returns the selected part of one side of a text; what is drawn between may be of the other.
fn selected_text(root: &Element, on_base: bool, (from, to): (u32, u32)) -> String {
    let side = if on_base { "data-before" } else { "data-after" };
    let Ok(pieces) = root.query_selector_all(&format!("[{side}]")) else {
        return String::new();
    };
    let pieces = (0..pieces.length()).filter_map(|index| {
        let piece: Element = pieces.item(index)?.dyn_into().ok()?;
        let start: u32 = piece.get_attribute(side)?.parse().ok()?;
        let skipped = from.saturating_sub(start) as usize;
        let taken = to.saturating_sub(start.max(from)) as usize;
        let text = piece.text_content()?;
        Some(text.chars().skip(skipped).take(taken).collect::<String>())
    });
    pieces.collect()
}

/// An end of a selection: in which text, and how many characters stand before it on each side.
struct End {
    root: Element,
    before: Option<u32>,
    after: Option<u32>,
}

fn part(node: &Node, offset: u32) -> Option<End> {
    let element = match node.dyn_ref::<Element>() {
        Some(element) => element.clone(),
        None => node.parent_element()?,
    };
    let root = element.closest("[data-text]").ok().flatten()?;
    let piece = element
        .closest("[data-before], [data-after]")
        .ok()
        .flatten()?;
    if piece.closest("[data-text]").ok().flatten().as_ref() != Some(&root) {
        return None;
    }
    // The browser counts in UTF-16, a range in characters.
    let inside = if node.node_type() == Node::TEXT_NODE {
        let text: Vec<u16> = node.text_content()?.encode_utf16().collect();
        let head = text.get(..offset as usize).unwrap_or(&text);
        String::from_utf16_lossy(head).chars().count()
    } else if offset == 0 {
        0
    } else {
        piece.text_content()?.chars().count()
    };
    let inside = u32::try_from(inside).ok()?;
    let at = |name: &str| {
        let start: u32 = piece.get_attribute(name)?.parse().ok()?;
        Some(start + inside)
    };
    Some(End {
        root: root.unchecked_into::<HtmlElement>().into(),
        before: at("data-before"),
        after: at("data-after"),
    })
}
