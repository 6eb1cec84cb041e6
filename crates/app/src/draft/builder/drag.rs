//! Dragging with a mouse, pen or finger: steps within the flow, new ones out of the picker.
//!
//! The gesture lives here; the document hears of it once, when something is dropped. Where it
//! would drop comes from the layout, so that nothing in the page is measured. Pointer events only
//! note where the pointer is: looking, marking and scrolling happen once a frame.

use std::cell::RefCell;
use std::rc::Rc;

use domain::document::{Gap, ListRef};
use domain::{StepId, edit::several};
use gloo::events::{EventListener, EventListenerOptions};
use leptos::ev::PointerEvent;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{Event, HtmlElement, KeyboardEvent};

use super::super::selection::Selection;
use super::canvas::{self, Drop};
use super::picker::{self, Choice};
use super::{Builder, keys};

/// How far the pointer moves before a press is a drag, in pixels.
const SLACK: f64 = 4.0;
/// How near the edge of the flow it scrolls, in pixels.
const EDGE: f64 = 56.0;
/// How far it scrolls in one frame at the very edge, in pixels.
const FASTEST: f64 = 32.0;

/// What is dragged.
enum Cargo {
    /// A step of the flow: with all that is selected, if it is.
    Step(StepId),
    /// A new step out of the picker.
    New(Choice),
}

struct Drag {
    builder: Builder,
    cargo: Cargo,
    /// The steps that are dragged, once it began.
    steps: Vec<StepId>,
    /// What they are called.
    name: String,
    pointer: i32,
    from: (f64, f64),
    at: (f64, f64),
    has_begun: bool,
    has_ended: bool,
    over: Option<Drop>,
    ghost: Option<HtmlElement>,
    listeners: Vec<EventListener>,
}

type Shared = Rc<RefCell<Drag>>;

/// Begins a drag from a press on a card or its grip.
pub(super) fn start_step(builder: Builder, step: StepId, event: &PointerEvent) {
    let chooses = event.ctrl_key() || event.meta_key() || event.shift_key();
    if !chooses {
        start(builder, Cargo::Step(step), event);
    }
}

/// Begins a drag of a new step out of the picker.
pub(super) fn start_new(builder: Builder, choice: Choice, event: &PointerEvent) {
    start(builder, Cargo::New(choice), event);
}

fn start(builder: Builder, cargo: Cargo, event: &PointerEvent) {
    if event.button() != 0 || !builder.may_edit.get_untracked() {
        return;
    }
    let at = (f64::from(event.client_x()), f64::from(event.client_y()));
    let drag = Rc::new(RefCell::new(Drag {
        builder,
        cargo,
        steps: Vec::new(),
        name: String::new(),
        pointer: event.pointer_id(),
        from: at,
        at,
        has_begun: false,
        has_ended: false,
        over: None,
        ghost: None,
        listeners: Vec::new(),
    }));
    listen(&drag, "pointermove", |drag, event| {
        if let Some(at) = place(drag, event) {
            moved_to(drag, at);
        }
    });
    listen(&drag, "pointerup", |drag, event| {
        if let Some(at) = place(drag, event) {
            drag.borrow_mut().at = at;
            finish(drag, true);
        }
    });
    listen(&drag, "pointercancel", |drag, event| {
        if place(drag, event).is_some() {
            finish(drag, false);
        }
    });
    listen(&drag, "keydown", |drag, event| {
        let key = event.dyn_ref::<KeyboardEvent>().map(KeyboardEvent::key);
        if key.as_deref() == Some("Escape") && drag.borrow().has_begun {
            event.prevent_default();
            event.stop_propagation();
            finish(drag, false);
        }
    });
}

/// Returns where the pointer of this drag is, unless the event is about another one.
fn place(drag: &Shared, event: &Event) -> Option<(f64, f64)> {
    let event = event.dyn_ref::<PointerEvent>()?;
    let is_ours = event.pointer_id() == drag.borrow().pointer;
    is_ours.then(|| (f64::from(event.client_x()), f64::from(event.client_y())))
}

fn listen(drag: &Shared, name: &'static str, handle: fn(&Shared, &Event)) {
    let shared = drag.clone();
    let options = EventListenerOptions {
        phase: gloo::events::EventListenerPhase::Capture,
        passive: false,
    };
    let listener = EventListener::new_with_options(&window(), name, options, move |event| {
        handle(&shared, event);
    });
    drag.borrow_mut().listeners.push(listener);
}

fn moved_to(drag: &Shared, at: (f64, f64)) {
    let mut this = drag.borrow_mut();
    this.at = at;
    if !this.has_begun && (at.0 - this.from.0).hypot(at.1 - this.from.1) >= SLACK {
        this.begin();
        std::mem::drop(this);
        each_frame(drag.clone());
    }
}

/// Follows the pointer until the drag ends.
fn each_frame(drag: Shared) {
    request_animation_frame(move || {
        if drag.borrow().has_ended {
            return;
        }
        drag.borrow_mut().follow();
        each_frame(drag);
    });
}

/// Ends the drag: drops what is dragged, or leaves everything as it was.
fn finish(drag: &Shared, drops: bool) {
    let mut this = drag.borrow_mut();
    let listeners = std::mem::take(&mut this.listeners);
    // They are running right now: they must outlive this call.
    request_animation_frame(move || std::mem::drop(listeners));
    this.has_ended = true;
    if !this.has_begun {
        return;
    }
    if drops {
        this.follow();
    }
    if let Some(ghost) = this.ghost.take() {
        ghost.remove();
    }
    let (builder, canvas) = (this.builder, this.builder.canvas);
    canvas.drop.set(None);
    canvas.has_dragged.set_value(true);
    request_animation_frame(move || {
        let _ = canvas.has_dragged.try_set_value(false);
    });
    match this.over.filter(|_| drops) {
        Some(over) if over.is_allowed => this.drop_into(over.gap),
        Some(_) => builder.explain(Err(this.refusal())),
        None => builder.announce("Moving was cancelled."),
    }
}

impl Drag {
    fn begin(&mut self) {
        self.has_begun = true;
        let builder = self.builder;
        match &self.cargo {
            Cargo::Step(id) => {
                let what = Selection::Step(*id);
                if !builder.editor.selection.holds(what) {
                    builder.editor.selection.set(what);
                }
                self.steps = builder.editor.chosen();
                self.name = keys::called(builder, &self.steps);
            }
            Cargo::New(choice) => {
                builder.picker.set(None);
                self.name = choice.title();
            }
        }
        builder.announce(format!(
            "Moving {}. Release to drop it, Escape cancels.",
            self.name
        ));
        let ghost = document()
            .create_element("div")
            .ok()
            .and_then(|element| element.dyn_into::<HtmlElement>().ok());
        if let Some((ghost, body)) = ghost.as_ref().zip(document().body()) {
            ghost.set_class_name("drag-ghost");
            let _ = body.append_child(ghost);
        }
        self.ghost = ghost;
        self.follow();
    }

    /// Puts the ghost where the pointer is, scrolls at the edges, and marks where it would drop.
    fn follow(&mut self) {
        let Some(flow) = canvas::element() else {
            return;
        };
        let (x, y) = self.at;
        let canvas = self.builder.canvas;
        let rect = flow.get_bounding_client_rect();
        let is_over = x >= rect.left() && x < rect.right() && y >= rect.top() && y < rect.bottom();
        if is_over {
            let by = (
                pull(x, rect.left(), rect.right()),
                pull(y, rect.top(), rect.bottom()),
            );
            if by != (0.0, 0.0) {
                canvas.scroll_by(by.0, by.1);
            }
        }
        let point = if is_over { canvas.point(x, y) } else { None };
        let gap = point.and_then(|(x, y)| {
            canvas
                .layout
                .with_untracked(|layout| layout.nearest_gap(x, y))
        });
        let over = gap.map(|gap| Drop {
            gap,
            is_allowed: !self.is_inside(gap.list),
        });
        if over != self.over || self.ghost_says_nothing() {
            let was_allowed = self.over.is_none_or(|over| over.is_allowed);
            self.over = over;
            canvas.drop.set(over);
            let is_allowed = over.is_none_or(|over| over.is_allowed);
            let says = if is_allowed {
                self.name.clone()
            } else {
                self.refusal()
            };
            if was_allowed && !is_allowed {
                self.builder.announce(says.clone());
            }
            if let Some(ghost) = &self.ghost {
                ghost.set_text_content(Some(&says));
                let _ = ghost
                    .class_list()
                    .toggle_with_force("is-refused", !is_allowed);
            }
        }
        if let Some(ghost) = &self.ghost {
            let at = format!("{}px {}px", x + 14.0, y + 10.0);
            let _ = ghost.style().set_property("translate", &at);
        }
    }

    fn ghost_says_nothing(&self) -> bool {
        let text = self.ghost.as_ref().and_then(|ghost| ghost.text_content());
        text.is_none_or(|text| text.is_empty())
    }

    fn is_inside(&self, list: ListRef) -> bool {
        let ListRef::Lane(container, _) = list else {
            return false;
        };
        let way = |layout: &std::sync::Arc<domain::layout::Layout>| layout.way_to(container);
        let way = self.builder.canvas.layout.with_untracked(way);
        way.iter().any(|(_, step)| self.steps.contains(step))
    }

    fn refusal(&self) -> String {
        match self.steps.len() {
            1 => format!("{} cannot go into itself.", self.name),
            _ => "A step cannot go into itself.".to_owned(),
        }
    }

    fn drop_into(&self, gap: Gap) {
        let builder = self.builder;
        if let Cargo::New(choice) = &self.cargo {
            return picker::put(builder, choice.clone(), gap, keys::announce_place);
        }
        // Someone else may have deleted some of them meanwhile.
        let steps = builder
            .editor
            .read(|document| several::roots(document, &self.steps));
        builder.explain(builder.editor.move_all(&steps, gap));
        keys::announce_places(builder, &steps);
        builder.show(builder.editor.selection.get_untracked());
    }
}

/// Returns how far a pointer near an edge makes it scroll, in pixels a frame.
fn pull(at: f64, start: f64, end: f64) -> f64 {
    let near = |distance: f64| ((EDGE - distance) / EDGE).clamp(0.0, 1.0);
    (near(end - at) - near(at - start)) * FASTEST
}
