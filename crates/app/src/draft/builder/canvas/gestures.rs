//! What pointers and wheel do to the canvas itself: pan, zoom, select by dragging a rectangle.
//!
//! Scrolling with wheel or fingers is the browser's own.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gloo::events::{EventListener, EventListenerOptions};
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{Element, Event, HtmlElement, KeyboardEvent, PointerEvent, WheelEvent};

use super::super::Builder;
use super::between;

/// How far the pointer moves before a press is a drag, in pixels.
const SLACK: f64 = 4.0;
/// How much one pixel of a wheel that zooms counts.
const WHEEL: f64 = 0.0022;

/// What a drag on the canvas does.
#[derive(Clone, Copy)]
enum Grab {
    Pan,
    /// Selects from a point of the layout on.
    Select((i32, i32)),
}

/// A pointer that is pressed on the canvas.
#[derive(Clone, Copy)]
struct Press {
    pointer: i32,
    grab: Grab,
    from: (f64, f64),
    last: (f64, f64),
    has_moved: bool,
}

/// Listens on the element that scrolls, as long as it is there.
pub(in super::super) fn listen(builder: Builder, flow: &HtmlElement) {
    let canvas = builder.canvas;
    let mut listeners = Vec::new();
    let mut on = |name: &'static str, handle: Box<dyn FnMut(&Event)>| {
        let options = EventListenerOptions::enable_prevent_default();
        listeners.push(EventListener::new_with_options(flow, name, options, handle));
    };
    on(
        "wheel",
        Box::new(move |event| {
            let Some(event) = event.dyn_ref::<WheelEvent>() else {
                return;
            };
            if event.ctrl_key() || event.meta_key() {
                event.prevent_default();
                let lines = if event.delta_mode() == WheelEvent::DOM_DELTA_LINE {
                    16.0
                } else {
                    1.0
                };
                let factor = (-event.delta_y() * lines * WHEEL).exp();
                let at = (f64::from(event.client_x()), f64::from(event.client_y()));
                canvas.zoom_to(canvas.zoom.get_untracked() * factor, Some(at));
            }
        }),
    );
    pinch(builder, &mut on);
    let holds_space = Rc::new(Cell::new(false));
    let press: Rc<RefCell<Option<Press>>> = Rc::default();
    let (space, pressed) = (holds_space.clone(), press.clone());
    on(
        "pointerdown",
        Box::new(move |event| {
            let Some(event) = event.dyn_ref::<PointerEvent>() else {
                return;
            };
            if let Some(grab) = grabbed(builder, event, space.get()) {
                event.prevent_default();
                event.stop_propagation();
                let at = (f64::from(event.client_x()), f64::from(event.client_y()));
                if let Some(flow) = super::element() {
                    let _ = flow.set_pointer_capture(event.pointer_id());
                    let _ = flow
                        .class_list()
                        .toggle_with_force("is-panning", matches!(grab, Grab::Pan));
                }
                *pressed.borrow_mut() = Some(Press {
                    pointer: event.pointer_id(),
                    grab,
                    from: at,
                    last: at,
                    has_moved: false,
                });
            }
        }),
    );
    let pressed = press.clone();
    on(
        "pointermove",
        Box::new(move |event| {
            if let Some((event, press)) = event
                .dyn_ref::<PointerEvent>()
                .zip(pressed.borrow_mut().as_mut())
            {
                follow(builder, event, press);
            }
        }),
    );
    for name in ["pointerup", "pointercancel"] {
        let pressed = press.clone();
        on(
            name,
            Box::new(move |_| {
                if let Some(press) = pressed.borrow_mut().take() {
                    release(builder, press, name == "pointerup");
                }
            }),
        );
    }
    for name in ["keydown", "keyup"] {
        let (space, pressed) = (holds_space.clone(), press.clone());
        let options = EventListenerOptions::enable_prevent_default();
        let handle = move |event: &Event| {
            let Some(event) = event.dyn_ref::<KeyboardEvent>() else {
                return;
            };
            if event.key() == " " && (name == "keyup" || is_free()) {
                // On a card it would press the card, which is selected already.
                if space.get() || name == "keydown" {
                    event.prevent_default();
                }
                space.set(name == "keydown");
                if let Some(flow) = super::element() {
                    let _ = flow.class_list().toggle_with_force("can-pan", space.get());
                }
            }
            if event.key() == "Escape"
                && let Some(press) = pressed.borrow_mut().take()
            {
                event.prevent_default();
                release(builder, press, false);
            }
        };
        listeners.push(EventListener::new_with_options(
            &window(),
            name,
            options,
            handle,
        ));
    }
    let listeners = StoredValue::new_local(listeners);
    on_cleanup(move || listeners.dispose());
}

/// Returns whether the space bar means nothing to what has the focus.
fn is_free() -> bool {
    let Some(active) = document().active_element() else {
        return true;
    };
    active.tag_name() == "BODY" || active.class_list().contains("card-main")
}

/// Returns what a press begins, if it is the canvas that is pressed.
fn grabbed(builder: Builder, event: &PointerEvent, holds_space: bool) -> Option<Grab> {
    if event.button() == 1 || (event.button() == 0 && holds_space) {
        return Some(Grab::Pan);
    }
    let target = event.target()?.dyn_into::<Element>().ok()?;
    let is_canvas = target
        .closest(".card, .gap-add, .flow-empty")
        .ok()?
        .is_none();
    if event.button() != 0 || !is_canvas || event.pointer_type() == "touch" || is_on_bar(event) {
        return None;
    }
    if !event.shift_key() {
        return Some(Grab::Pan);
    }
    let at = (f64::from(event.client_x()), f64::from(event.client_y()));
    builder.canvas.point(at.0, at.1).map(Grab::Select)
}

/// Returns whether a press is on a scroll bar.
fn is_on_bar(event: &PointerEvent) -> bool {
    let Some(flow) = super::element() else {
        return true;
    };
    let rect = flow.get_bounding_client_rect();
    f64::from(event.client_x()) > rect.left() + f64::from(flow.client_width())
        || f64::from(event.client_y()) > rect.top() + f64::from(flow.client_height())
}

fn follow(builder: Builder, event: &PointerEvent, press: &mut Press) {
    if event.pointer_id() != press.pointer {
        return;
    }
    let at = (f64::from(event.client_x()), f64::from(event.client_y()));
    let far = (at.0 - press.from.0).hypot(at.1 - press.from.1);
    if !press.has_moved && far < SLACK {
        return;
    }
    press.has_moved = true;
    let canvas = builder.canvas;
    match press.grab {
        Grab::Pan => canvas.scroll_by(press.last.0 - at.0, press.last.1 - at.1),
        Grab::Select(from) => {
            if let Some(to) = canvas.point(at.0, at.1) {
                canvas.marquee.set(Some(between(from, to)));
            }
        }
    }
    press.last = at;
}

fn release(builder: Builder, press: Press, counts: bool) {
    let canvas = builder.canvas;
    if let Some(flow) = super::element() {
        let _ = flow.class_list().remove_1("is-panning");
    }
    let selection = builder.editor.selection;
    let marked = canvas.marquee.get_untracked();
    if marked.is_some() {
        canvas.marquee.set(None);
    }
    if let Some(marked) = marked.filter(|_| counts) {
        let inside = canvas.layout.with_untracked(|layout| {
            let spots = layout.spots().iter();
            let inside = spots.filter(|spot| spot.card.meets(marked));
            inside.map(|spot| spot.step).collect::<Vec<_>>()
        });
        selection.set_all(inside);
        let count = selection.steps_untracked().len();
        builder.announce(match count {
            1 => "1 step selected.".to_owned(),
            count => format!("{count} steps selected."),
        });
        builder.show(selection.get_untracked());
    } else if counts && !press.has_moved && selection.steps_untracked().len() > 1 {
        // A click beside all cards ends a selection of several.
        selection.set(selection.get_untracked());
    }
}

/// The id of a pointer, and where it is in the window.
type Finger = (i32, (f64, f64));

/// Two fingers zoom, around the point between them.
fn pinch(builder: Builder, on: &mut impl FnMut(&'static str, Box<dyn FnMut(&Event)>)) {
    let canvas = builder.canvas;
    // Each finger that is down, where it is.
    let fingers: Rc<RefCell<Vec<Finger>>> = Rc::default();
    for name in ["pointerdown", "pointermove", "pointerup", "pointercancel"] {
        let fingers = fingers.clone();
        on(
            name,
            Box::new(move |event| {
                let Some(event) = event.dyn_ref::<PointerEvent>() else {
                    return;
                };
                if event.pointer_type() != "touch" {
                    return;
                }
                let id = event.pointer_id();
                let at = (f64::from(event.client_x()), f64::from(event.client_y()));
                let mut fingers = fingers.borrow_mut();
                match name {
                    "pointerdown" => fingers.push((id, at)),
                    "pointermove" => {
                        let before = spread(&fingers);
                        if let Some(finger) = fingers.iter_mut().find(|finger| finger.0 == id) {
                            finger.1 = at;
                        }
                        if let Some(((was, _), (is, middle))) = before.zip(spread(&fingers)) {
                            let zoom = canvas.zoom.get_untracked() * is / was.max(1.0);
                            canvas.zoom_to(zoom, Some(middle));
                        }
                    }
                    _ => fingers.retain(|finger| finger.0 != id),
                }
            }),
        );
    }
}

/// Returns how far two fingers are from each other, and the point between them.
fn spread(fingers: &[(i32, (f64, f64))]) -> Option<(f64, (f64, f64))> {
    let [(_, one), (_, other)] = fingers else {
        return None;
    };
    let middle = (f64::midpoint(one.0, other.0), f64::midpoint(one.1, other.1));
    Some(((one.0 - other.0).hypot(one.1 - other.1), middle))
}
