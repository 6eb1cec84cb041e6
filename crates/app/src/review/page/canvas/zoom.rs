//! The size of the flow on the canvas: by buttons, and by the keys of the builder.

use leptos::ev::KeyboardEvent;
use leptos::html;
use leptos::prelude::*;
use web_sys::HtmlElement;

use crate::design::icon::Icon;

/// Smallest and largest size, of the full one.
const SIZES: (f64, f64) = (0.3, 2.0);
/// What one press changes.
const STEP: f64 = 1.2;

/// How large the flow is drawn. A handle.
#[derive(Clone, Copy)]
pub(super) struct Zoom {
    size: RwSignal<f64>,
    /// What scrolls, and the flow in it.
    view: NodeRef<html::Div>,
    flow: NodeRef<html::Div>,
}

impl Zoom {
    /// Draws the flow at full size in these elements.
    pub(super) fn of(view: NodeRef<html::Div>, flow: NodeRef<html::Div>) -> Self {
        let size = RwSignal::new(1.0);
        Effect::new(move || {
            if let Some(flow) = flow.get() {
                let style = HtmlElement::style(&flow);
                let _ = style.set_property("zoom", &size.get().to_string());
            }
        });
        Self { size, view, flow }
    }

    fn by(self, factor: f64) {
        let wanted = self.size.get_untracked() * factor;
        self.size.set(wanted.clamp(SIZES.0, SIZES.1));
    }

    /// Makes all of the flow fit into what is seen of it, but not larger than its full size.
    fn fit(self) {
        let (Some(view), Some(flow)) = (self.view.get_untracked(), self.flow.get_untracked())
        else {
            return;
        };
        let part = |seen: i32, all: f64| f64::from(seen) / all.max(1.0);
        let size = self.size.get_untracked();
        // The width is at least that of the view: what is in it counts.
        let bounds = |element: &web_sys::Element| element.get_bounding_client_rect();
        let inside = flow.children();
        let widest = (0..inside.length())
            .filter_map(|index| inside.item(index))
            .map(|child| bounds(&child).width())
            .fold(0.0, f64::max);
        let across = part(view.client_width() - 32, widest / size);
        let down = part(view.client_height() - 32, bounds(&flow).height() / size);
        self.size.set(across.min(down).clamp(SIZES.0, 1.0));
        view.set_scroll_top(0);
        view.set_scroll_left((view.scroll_width() - view.client_width()) / 2);
        // Its lower end may be below the edge of the window.
        let options = web_sys::ScrollIntoViewOptions::new();
        options.set_block(web_sys::ScrollLogicalPosition::Nearest);
        view.scroll_into_view_with_scroll_into_view_options(&options);
    }

    /// Does what a key means on the flow.
    pub(super) fn press(self, event: &KeyboardEvent) {
        let control = event.ctrl_key() || event.meta_key();
        match event.key().as_str() {
            _ if event.alt_key() => return,
            _ if event.shift_key() && event.code() == "Digit1" => self.fit(),
            "+" | "=" => self.by(STEP),
            "-" => self.by(1.0 / STEP),
            "0" if control => self.size.set(1.0),
            _ => return,
        }
        event.prevent_default();
    }

    /// Draws the buttons.
    pub(super) fn tools(self) -> AnyView {
        let percent = move || format!("{:.0} %", self.size.get() * 100.0);
        let button = move |label: &'static str, icon: &'static str, act: fn(Zoom)| {
            view! {
                <button
                    type="button"
                    class="button quiet small icon-only"
                    aria-label=label
                    title=label
                    on:click=move |_| act(self)
                >
                    <Icon name=icon />
                </button>
            }
        };
        view! {
            <div class="review-zoom" role="group" aria-label="Size">
                {button("Zoom out", "minus", |zoom| zoom.by(1.0 / STEP))}
                <button
                    type="button"
                    class="button quiet small canvas-zoom"
                    aria-label=move || format!("{}, show full size", percent())
                    title="Full size (Ctrl+0)"
                    on:click=move |_| self.size.set(1.0)
                >
                    {percent}
                </button>
                {button("Zoom in", "zoom-in", |zoom| zoom.by(STEP))}
                {button("Fit the flow into the view", "maximize", Zoom::fit)}
            </div>
        }
        .into_any()
    }
}
