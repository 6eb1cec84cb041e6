//! The whole of a large flow at the edge, and what of it is in view. For the mouse: keys and
//! screen readers have the flow itself.

use std::fmt::Write;

use domain::layout::Rect;
use leptos::ev::PointerEvent;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::Element;

use super::super::Builder;
use crate::design;

/// How many times as long (or wide) as the view a flow is that is worth a map.
const LARGE: f64 = 2.5;

pub(in super::super) fn view(builder: Builder) -> impl IntoView {
    let canvas = builder.canvas;
    let bounds = Memo::new(move |_| canvas.layout.with(|layout| layout.bounds()));
    let is_large = Memo::new(move |_| {
        let (bounds, zoom) = (bounds.get(), canvas.zoom.get());
        canvas.port.get().is_some_and(|port| {
            port.width >= 640.0
                && (f64::from(bounds.height) * zoom > LARGE * port.height
                    || f64::from(bounds.width) * zoom > LARGE * port.width)
        })
    });
    move || is_large.get().then(|| map(builder, bounds))
}

fn map(builder: Builder, bounds: Memo<Rect>) -> impl IntoView {
    let canvas = builder.canvas;
    let cards = RwSignal::new(String::new());
    Effect::new(move || {
        canvas.layout.track();
        // Drawing thousands of cards can wait until the flow itself is drawn.
        design::in_a_pause(move || {
            if !cards.is_disposed() {
                cards.set(untrack(|| path(builder)));
            }
        });
    });
    let frame = move || {
        let Rect {
            x,
            y,
            width,
            height,
        } = bounds.get();
        format!("{x} {y} {width} {height}")
    };
    let seen = Memo::new(move |_| canvas.view());
    let go = move |event: PointerEvent| {
        let map = event
            .current_target()
            .and_then(|target| target.dyn_into::<Element>().ok());
        let Some(map) = map.filter(|_| event.buttons() & 1 == 1) else {
            return;
        };
        event.prevent_default();
        let _ = map.set_pointer_capture(event.pointer_id());
        let rect = map.get_bounding_client_rect();
        let bounds = bounds.get_untracked();
        let along = |at: i32, start: f64, length: f64| (f64::from(at) - start) / length;
        let x = along(event.client_x(), rect.left(), rect.width());
        let y = along(event.client_y(), rect.top(), rect.height());
        canvas.center(
            f64::from(bounds.x) + x * f64::from(bounds.width),
            f64::from(bounds.y) + y * f64::from(bounds.height),
        );
    };
    view! {
        <svg
            class="minimap"
            aria-hidden="true"
            focusable="false"
            preserveAspectRatio="none"
            viewBox=frame
            on:pointerdown=go
            on:pointermove=go
        >
            <path class="minimap-cards" d=move || cards.get() />
            <rect
                class="minimap-seen"
                x=move || seen.get().x
                y=move || seen.get().y
                width=move || seen.get().width
                height=move || seen.get().height
            />
        </svg>
    }
}

/// Returns all cards as one path.
fn path(builder: Builder) -> String {
    let mut path = String::new();
    builder.canvas.layout.with_untracked(|layout| {
        for Rect {
            x,
            y,
            width,
            height,
        } in layout.spots().iter().map(|spot| spot.card)
        {
            // Writing to a text does not fail.
            let _ = write!(path, "M{x} {y}h{width}v{height}h-{width}z");
        }
    });
    path
}
