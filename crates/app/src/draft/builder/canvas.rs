//! The canvas: which part of the flow is in view, how large, and what of it is in the page.
//!
//! Where things stand is [`domain::layout`]'s to say. The browser scrolls, so that scrolling stays
//! smooth whatever the page computes; only what is in view, some margin, and the card that leads
//! the selection (which has the focus) are in the page.

mod beat;
pub(super) mod folds;
pub(super) mod gestures;
mod lines;
pub(super) mod minimap;
pub(super) mod tools;

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::document::{Gap, ListRef};
use domain::layout::{Layout, Rect};
use domain::{DraftId, StepId};
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

use self::beat::Beat;
use super::super::editor::Editor;
use super::super::selection::Selection;

/// Least and greatest zoom.
const ZOOMS: (f64, f64) = (0.3, 2.0);
/// Room around the flow, in pixels of the screen.
const PAD: f64 = 48.0;
/// How far beyond the view things are in the page, across and down, in pixels of the screen.
const MARGIN: (f64, f64) = (240.0, 640.0);
/// What is in the page is looked at again after scrolling so far, in pixels of the screen.
const TILE: f64 = 160.0;
/// How far from the edge of the view a card is brought, in pixels of the screen.
const CLEAR: f64 = 72.0;

/// What is seen of the flow, in pixels of the screen.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Port {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
}

impl Port {
    /// Returns it scrolled back to where a tile begins.
    fn to_tile(self) -> Self {
        let down = |at: f64| (at / TILE).floor() * TILE;
        Self {
            left: down(self.left),
            top: down(self.top),
            ..self
        }
    }
}

/// How much of a card is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Detail {
    /// Its name.
    Name,
    /// All but what it is edited with.
    Plain,
    /// Everything.
    #[default]
    Full,
}

/// Where a drag would drop, and whether it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Drop {
    pub(super) gap: Gap,
    pub(super) is_allowed: bool,
}

/// How a step is drawn now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Placed {
    pub(super) card: Rect,
    /// The gap behind it.
    pub(super) gap: Rect,
    pub(super) frame: Option<Rect>,
    pub(super) folded: Option<usize>,
    /// Its place in its list from 1, and that list's length.
    pub(super) number: (usize, usize),
    pub(super) shows_card: bool,
    pub(super) shows_gap: bool,
}

/// What is seen and drawn of a document. A handle.
#[derive(Clone, Copy)]
pub(super) struct Canvas {
    editor: Editor,
    /// Where this person's folds of the draft are kept.
    kept: StoredValue<Option<String>>,
    /// Where everything stands.
    pub(super) layout: Memo<Arc<Layout>>,
    folded: RwSignal<BTreeSet<StepId>>,
    /// How large it is drawn; 1 is full size.
    pub(super) zoom: RwSignal<f64>,
    /// `None` until it is drawn.
    port: RwSignal<Option<Port>>,
    /// `port` as it was when the last [`TILE`] began: what follows from it is found once a tile and
    /// not in every frame.
    near: RwSignal<Option<Port>>,
    /// What is in the page, in units of the layout.
    pub(super) window: Memo<Rect>,
    pub(super) detail: Memo<Detail>,
    /// The way to the card that leads the selection: in the page wherever one scrolls.
    way: Memo<Vec<(ListRef, StepId)>>,
    /// Asks what is in view of each thing, when that changes.
    beat: Beat,
    /// The card that stays where it is on the screen when a container is folded.
    anchor: StoredValue<Option<StepId>>,
    pub(super) drop: RwSignal<Option<Drop>>,
    /// What is being selected by dragging, in units of the layout.
    pub(super) marquee: RwSignal<Option<Rect>>,
    /// Set while the click that ends a drag is still to come.
    pub(super) has_dragged: StoredValue<bool>,
}

impl Canvas {
    pub(super) fn new(editor: Editor, draft: DraftId) -> Self {
        let kept = folds::key(draft);
        let folded = RwSignal::new(kept.as_deref().map(folds::read).unwrap_or_default());
        let layout = Memo::new(move |_| {
            editor
                .structure(|document| folded.with(|folded| Arc::new(Layout::of(document, folded))))
        });
        let zoom = RwSignal::new(1.0);
        let near = RwSignal::new(None);
        let window = Memo::new(move |_| {
            let zoom = zoom.get();
            let view = layout.with(|layout| in_view(layout, near.get(), zoom, MARGIN));
            let (left, top, right, bottom) = view;
            rect((left, top, right + TILE / zoom, bottom + TILE / zoom))
        });
        let way = Memo::new(move |_| match editor.selection.get() {
            Selection::Trigger => Vec::new(),
            Selection::Step(id) => layout.with(|layout| layout.way_to(id)),
        });
        let detail = Memo::new(move |_| match zoom.get() {
            zoom if zoom < 0.45 => Detail::Name,
            zoom if zoom < 0.7 => Detail::Plain,
            _ => Detail::Full,
        });
        let beat = Beat::new(move || {
            layout.track();
            window.track();
            detail.track();
            way.track();
        });
        Self {
            editor,
            kept: StoredValue::new(kept),
            layout,
            folded,
            zoom,
            port: RwSignal::new(None),
            near,
            window,
            detail,
            way,
            beat,
            anchor: StoredValue::new(None),
            drop: RwSignal::new(None),
            marquee: RwSignal::new(None),
            has_dragged: StoredValue::new(false),
        }
    }

    /// Returns the steps of a list that are in the page.
    pub(super) fn steps(self, list: ListRef) -> ReadSignal<Vec<StepId>> {
        self.beat.told(move || self.steps_now(list))
    }

    fn steps_now(self, list: ListRef) -> Vec<StepId> {
        let window = self.window.get();
        let held = self.way.with(|way| {
            let held = way.iter().find(|(of, _)| *of == list);
            held.map(|(_, step)| *step)
        });
        self.layout.with(|layout| {
            let within = layout.steps_within(list, window);
            let within = within.filter(|spot| spot.block.meets(window));
            let mut steps: Vec<(usize, StepId)> =
                within.map(|spot| (spot.index, spot.step)).collect();
            if let Some(spot) = held.and_then(|id| layout.spot(id)) {
                let at = steps.partition_point(|(index, _)| *index < spot.index);
                if steps.get(at).is_none_or(|(_, id)| *id != spot.step) {
                    steps.insert(at, (spot.index, spot.step));
                }
            }
            steps.into_iter().map(|(_, id)| id).collect()
        })
    }

    /// Returns the lanes of a step that are in the page.
    pub(super) fn lanes(self, id: StepId) -> ReadSignal<Vec<ListRef>> {
        self.beat.told(move || self.lanes_now(id))
    }

    fn lanes_now(self, id: StepId) -> Vec<ListRef> {
        let window = self.window.get();
        self.layout.with(|layout| {
            let lanes = layout.lanes(id).iter();
            let held = |list: ListRef| self.way.with(|way| way.iter().any(|(of, _)| *of == list));
            let shown = lanes.filter(|lane| lane.area.meets(window) || held(lane.list));
            shown.map(|lane| lane.list).collect()
        })
    }

    /// Returns where the gap at the start of a list is; `None` while it is not in the page.
    pub(super) fn first_gap(self, list: ListRef) -> ReadSignal<Option<Rect>> {
        self.beat.told(move || {
            let start = Gap { list, after: None };
            let rect = self.layout.with(|layout| layout.gap(start))?;
            let is_shown = self.detail.get() == Detail::Full && rect.meets(self.window.get());
            is_shown.then_some(rect)
        })
    }

    /// Returns where the head of a lane is; `None` while it is not in the page.
    pub(super) fn lane_head(self, list: ListRef) -> ReadSignal<Option<Rect>> {
        self.beat.told(move || {
            let head = self.layout.with(|layout| layout.column(list)?.head)?;
            head.meets(self.window.get()).then_some(head)
        })
    }

    /// Returns how a step is drawn; `None` once it is not.
    pub(super) fn placed(self, id: StepId) -> ReadSignal<Option<Placed>> {
        self.beat.told(move || self.placed_now(id))
    }

    fn placed_now(self, id: StepId) -> Option<Placed> {
        let window = self.window.get();
        let is_full = self.detail.get() == Detail::Full;
        let leads = self
            .way
            .with(|way| way.first().is_some_and(|(_, step)| *step == id));
        self.layout.with(|layout| {
            let spot = layout.spot(id)?;
            let (list, length) = layout.list_of(spot);
            let gap = layout.gap(Gap {
                list,
                after: Some(id),
            })?;
            Some(Placed {
                card: spot.card,
                gap,
                frame: spot.frame,
                folded: spot.folded,
                number: (spot.index + 1, length),
                shows_card: leads || spot.card.meets(window),
                shows_gap: is_full && gap.meets(window),
            })
        })
    }

    /// Draws along with the page: called once it is there.
    pub(super) fn attach(self) {
        if let Some(flow) = element() {
            set_size(
                &flow,
                &self.layout.get_untracked(),
                self.zoom.get_untracked(),
            );
            let spare = flow.scroll_width() - flow.client_width();
            flow.set_scroll_left(spare / 2);
        }
        self.look();
        if self
            .port
            .get_untracked()
            .is_some_and(|port| port.width < 640.0)
        {
            self.fit_width();
        }
        Effect::new(move |before: Option<Arc<Layout>>| {
            let now = self.layout.get();
            if let Some(before) = before {
                self.hold(&before, &now);
            }
            now
        });
    }

    /// Reads anew what is in view.
    pub(super) fn look(self) {
        let port = element().map(|flow| Port {
            left: f64::from(flow.scroll_left()),
            top: f64::from(flow.scroll_top()),
            width: f64::from(flow.client_width()),
            height: f64::from(flow.client_height()),
        });
        let Some(port) = port.filter(|port| self.port.get_untracked() != Some(*port)) else {
            return;
        };
        self.port.set(Some(port));
        let near = Some(port.to_tile());
        if self.near.get_untracked() != near {
            self.near.set(near);
        }
    }

    /// Returns what is in view, in units of the layout; told when that changes.
    pub(super) fn view(self) -> Rect {
        let view = self
            .layout
            .with(|layout| in_view(layout, self.port.get(), self.zoom.get(), (0.0, 0.0)));
        rect(view)
    }

    /// Keeps what one looks at where it is on the screen when other things around it move.
    fn hold(self, before: &Layout, now: &Layout) {
        let Some(flow) = element() else { return };
        let zoom = self.zoom.get_untracked();
        let Some(port) = self.port.get_untracked() else {
            return;
        };
        let anchor = self.anchor.try_update_value(Option::take).flatten();
        let view = untrack(|| in_view(before, Some(port), zoom, (0.0, 0.0)));
        let is_seen = |card: Rect| {
            f64::from(card.y) >= view.1
                && f64::from(card.y) < view.3
                && f64::from(card.right()) > view.0
                && f64::from(card.x) < view.2
        };
        let chosen = self.editor.selection;
        let first = || {
            let seen = before.spots().iter().find(|spot| {
                is_seen(spot.card)
                    && !chosen.holds(Selection::Step(spot.step))
                    && now.spot(spot.step).is_some()
            });
            seen.map(|spot| spot.step)
        };
        let card = |layout: &Layout, id| layout.spot(id).map(|spot| spot.card);
        let by = anchor.or_else(first).and_then(|id| {
            let (was, is) = (card(before, id)?, card(now, id)?);
            Some((f64::from(is.x - was.x), f64::from(is.y - was.y)))
        });
        let (x, y) = by.unwrap_or_default();
        let shift = axis(now, port.width, zoom) - axis(before, port.width, zoom);
        set_size(&flow, now, zoom);
        scroll_to(&flow, port.left + shift + x * zoom, port.top + y * zoom);
        self.look();
    }

    /// Returns the point of the layout that is at a point of the screen.
    pub(super) fn point(self, x: f64, y: f64) -> Option<(i32, i32)> {
        let rect = element()?.get_bounding_client_rect();
        let port = self.port.get_untracked()?;
        let zoom = self.zoom.get_untracked();
        let axis = self
            .layout
            .with_untracked(|layout| axis(layout, port.width, zoom));
        let across = (x - rect.left() + port.left - axis) / zoom;
        let down = (y - rect.top() + port.top - PAD) / zoom;
        Some((across as i32, down as i32))
    }

    /// Draws it as large, with what is at a point of the screen staying there; without a point,
    /// the middle.
    pub(super) fn zoom_to(self, zoom: f64, at: Option<(f64, f64)>) {
        let zoom = zoom.clamp(ZOOMS.0, ZOOMS.1);
        let Some((flow, port)) = element().zip(self.port.get_untracked()) else {
            return;
        };
        let rect = flow.get_bounding_client_rect();
        let (x, y) = at.map_or((port.width / 2.0, port.height / 2.0), |(x, y)| {
            (x - rect.left(), y - rect.top())
        });
        let before = self.zoom.get_untracked();
        let layout = self.layout.get_untracked();
        let across = (x + port.left - axis(&layout, port.width, before)) / before;
        let down = (y + port.top - PAD) / before;
        set_size(&flow, &layout, zoom);
        let left = across * zoom + axis(&layout, port.width, zoom) - x;
        scroll_to(&flow, left, down * zoom + PAD - y);
        self.zoom.set(zoom);
        self.look();
    }

    /// Draws it a step larger or smaller.
    pub(super) fn zoom_by(self, steps: i32, at: Option<(f64, f64)>) {
        self.zoom_to(self.zoom.get_untracked() * 1.2_f64.powi(steps), at);
    }

    /// Shows all of it, or as much as can still be read.
    pub(super) fn fit(self) {
        let Some(port) = self.port.get_untracked() else {
            return;
        };
        let bounds = self.layout.with_untracked(|layout| layout.bounds());
        let across = (port.width - PAD) / f64::from(bounds.width);
        let down = (port.height - 2.0 * PAD) / f64::from(bounds.height);
        let top = across.min(down) >= ZOOMS.0;
        self.zoom_to(across.min(down).min(1.0), None);
        if let Some(flow) = element() {
            let spare = flow.scroll_width() - flow.client_width();
            flow.set_scroll_left(spare / 2);
            if top {
                flow.set_scroll_top(0);
            }
        }
        self.look();
    }

    /// Makes it as wide as the view, where that can still be read.
    fn fit_width(self) {
        if let Some(port) = self.port.get_untracked() {
            let bounds = self.layout.with_untracked(|layout| layout.bounds());
            let zoom = (port.width - 16.0) / f64::from(bounds.width);
            self.zoom_to(zoom.clamp(0.7, 1.0), Some((0.0, 0.0)));
            if let Some(flow) = element() {
                flow.set_scroll_left((flow.scroll_width() - flow.client_width()) / 2);
                flow.set_scroll_top(0);
            }
            self.look();
        }
    }

    /// Scrolls by pixels of the screen.
    pub(super) fn scroll_by(self, x: f64, y: f64) {
        if let Some(flow) = element() {
            let (left, top) = (f64::from(flow.scroll_left()), f64::from(flow.scroll_top()));
            scroll_to(&flow, left + x, top + y);
            self.look();
        }
    }

    /// Scrolls until a point of the layout is in the middle.
    pub(super) fn center(self, x: f64, y: f64) {
        if let Some((flow, port)) = element().zip(self.port.get_untracked()) {
            let zoom = self.zoom.get_untracked();
            let axis = self
                .layout
                .with_untracked(|layout| axis(layout, port.width, zoom));
            let left = x * zoom + axis - port.width / 2.0;
            scroll_to(&flow, left, y * zoom + PAD - port.height / 2.0);
            self.look();
        }
    }

    /// Unfolds what a thing is folded in, and scrolls until it is in view.
    pub(super) fn bring_into_view(self, what: Selection) {
        if let Selection::Step(id) = what {
            self.unfold_to(id);
        }
        let rect = self.layout.with_untracked(|layout| match what {
            Selection::Trigger => Some(layout.trigger()),
            Selection::Step(id) => layout.spot(id).map(|spot| spot.card),
        });
        if let Some(rect) = rect {
            self.reveal(rect);
        }
    }

    /// Scrolls as little as possible until a rectangle of the layout is in view.
    pub(super) fn reveal(self, rect: Rect) {
        let Some((flow, port)) = element().zip(self.port.get_untracked()) else {
            return;
        };
        let zoom = self.zoom.get_untracked();
        let layout = self.layout.get_untracked();
        set_size(&flow, &layout, zoom);
        let axis = axis(&layout, port.width, zoom);
        let nearest = |from: f64, length: f64, seen: f64, room: f64| {
            let clear = CLEAR.min((room - length).max(0.0) / 2.0);
            if from - clear < seen {
                from - clear
            } else if from + length + clear > seen + room {
                from + length + clear - room
            } else {
                seen
            }
        };
        let (x, y) = (
            f64::from(rect.x) * zoom + axis,
            f64::from(rect.y) * zoom + PAD,
        );
        let (width, height) = (f64::from(rect.width) * zoom, f64::from(rect.height) * zoom);
        let left = nearest(x, width, port.left, port.width);
        let top = nearest(y, height, port.top, port.height);
        if (left, top) != (port.left, port.top) {
            scroll_to(&flow, left, top);
            self.look();
        }
    }
}

/// Returns the element that scrolls.
pub(super) fn element() -> Option<HtmlElement> {
    document().get_element_by_id("flow")?.dyn_into().ok()
}

/// Returns a place as a value of the property `translate`.
pub(super) fn at(rect: Rect) -> String {
    format!("{}px {}px", rect.x, rect.y)
}

/// Returns where the axis of the flow is, from the left end of what can be scrolled to.
fn axis(layout: &Layout, width: f64, zoom: f64) -> f64 {
    width.max(f64::from(layout.bounds().width) * zoom + 2.0 * PAD) / 2.0
}

/// Returns what is in view and so much around it: left, top, right, bottom in units of the layout.
fn in_view(
    layout: &Layout,
    port: Option<Port>,
    zoom: f64,
    margin: (f64, f64),
) -> (f64, f64, f64, f64) {
    // What is likely before it is known: the beginning, on a large screen.
    let Some(port) = port else {
        return (-800.0, 0.0, 800.0, 1_000.0);
    };
    let axis = axis(layout, port.width, zoom);
    let (left, top) = (port.left - axis - margin.0, port.top - PAD - margin.1);
    (
        left / zoom,
        top / zoom,
        (left + port.width + 2.0 * margin.0) / zoom,
        (top + port.height + 2.0 * margin.1) / zoom,
    )
}

/// Returns what is between left, top, right and bottom.
fn rect((left, top, right, bottom): (f64, f64, f64, f64)) -> Rect {
    Rect {
        x: left as i32,
        y: top as i32,
        width: (right - left) as i32,
        height: (bottom - top) as i32,
    }
}

/// Tells the styles how large everything is: at once, since scrolling ends where content does.
fn set_size(flow: &HtmlElement, layout: &Layout, zoom: f64) {
    let bounds = layout.bounds();
    let style = flow.style();
    for (name, value) in [
        ("--width", f64::from(bounds.width)),
        ("--height", f64::from(bounds.height)),
        ("--zoom", zoom),
    ] {
        let _ = style.set_property(name, &value.to_string());
    }
}

fn scroll_to(flow: &HtmlElement, left: f64, top: f64) {
    flow.set_scroll_left(left.round() as i32);
    flow.set_scroll_top(top.round() as i32);
}

/// Returns the rectangle between two points.
pub(super) fn between(one: (i32, i32), other: (i32, i32)) -> Rect {
    Rect {
        x: one.0.min(other.0),
        y: one.1.min(other.1),
        width: (one.0 - other.0).abs(),
        height: (one.1 - other.1).abs(),
    }
}
