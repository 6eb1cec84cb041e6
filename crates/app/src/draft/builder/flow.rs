//! The flow as it is drawn: the trigger's card, then lists of steps with a "+" in every gap, lanes
//! side by side in frames. What is listed here is what the canvas has in view.

use domain::catalog::Container;
use domain::document::{Gap, ListRef};
use domain::layout::{Rect, Stop};
use domain::{LaneId, StepId};
use leptos::prelude::*;

use super::super::selection::Selection;
use super::canvas::{Detail, Placed, at, gestures, minimap, tools};
use super::{Builder, card, keys, picker};
use crate::design::icon::Icon;
use crate::design::{in_place, told};

/// The element id of a gap's "+".
pub(super) fn gap_id(gap: Gap) -> String {
    let list = match gap.list {
        ListRef::Flow => "flow".to_owned(),
        ListRef::Lane(_, lane) => lane.to_string(),
    };
    let after = gap.after.map(|id| id.to_string()).unwrap_or_default();
    format!("gap-{list}-{after}")
}

pub(super) fn view(builder: Builder) -> impl IntoView {
    let canvas = builder.canvas;
    let node = NodeRef::<leptos::html::Div>::new();
    Effect::new(move || {
        if let Some(flow) = node.get() {
            canvas.attach();
            gestures::listen(builder, &flow);
        }
    });
    let lines = Memo::new(move |_| canvas.lines());
    view! {
        <div class="canvas">
            <div
                node_ref=node
                class="flow"
                class:is-plain=move || canvas.detail.get() < Detail::Full
                class:is-far=move || canvas.detail.get() == Detail::Name
                class:is-dragging=move || canvas.drop.with(Option::is_some)
                id="flow"
                role="group"
                aria-label="Flow"
                aria-describedby="flow-keys"
                on:scroll=move |_| canvas.look()
                on:keydown=move |event| keys::on_flow(builder, &event)
            >
                <p class="visually-hidden" id="flow-keys">
                    "Arrow up and down go from step to step, with Shift they select several; left and right also reach the places between. Enter edits a step, Alt with an arrow moves what is selected, Delete deletes it, plus adds a step behind it, F folds a container. Control with plus, minus and 0 zooms."
                </p>
                <div class="flow-size">
                    <div class="flow-world">
                        <svg class="flow-lines" aria-hidden="true" focusable="false">
                            <path d=move || lines.get() />
                        </svg>
                        {card::trigger(builder)}
                        {list(builder, ListRef::Flow)}
                        {empty(builder)}
                        {drop_mark(builder)}
                        {marquee(builder)}
                    </div>
                </div>
            </div>
            {tools::view(builder)}
            {minimap::view(builder)}
        </div>
    }
}

/// Teaches the first thing to do, while there is no step.
fn empty(builder: Builder) -> impl IntoView {
    let is_empty = move || builder.editor.list(ListRef::Flow).is_empty() && builder.may_edit.get();
    let open = move |_| picker::open_behind(builder, Selection::Trigger);
    move || {
        is_empty().then(|| {
            view! {
                <div class="flow-empty">
                    <p>"What shall happen when the trigger fires?"</p>
                    <button class="button primary" type="button" on:click=open>
                        <Icon name="plus" /> "Add the first step"
                    </button>
                </div>
            }
        })
    }
}

/// Shows where a drag would drop.
fn drop_mark(builder: Builder) -> impl IntoView {
    let canvas = builder.canvas;
    let mark = Memo::new(move |_| {
        let drop = canvas.drop.get()?;
        let rect = canvas.layout.with(|layout| layout.gap(drop.gap))?;
        Some((rect, drop.is_allowed))
    });
    let is_shown = Memo::new(move |_| mark.get().is_some());
    view! {
        <Show when=move || is_shown.get()>
            <div
                class="drop-mark"
                class:is-refused=move || mark.get().is_some_and(|(_, is_allowed)| !is_allowed)
                aria-hidden="true"
                style:translate=move || at(mark.get().map(|(rect, _)| rect).unwrap_or_default())
            ></div>
        </Show>
    }
}

/// Shows what is being selected by dragging.
fn marquee(builder: Builder) -> impl IntoView {
    let rect = move || builder.canvas.marquee.get();
    let px = |length: i32| format!("{length}px");
    move || {
        rect().is_some().then(|| {
            let rect = move || rect().unwrap_or_default();
            view! {
                <div
                    class="marquee"
                    aria-hidden="true"
                    style:translate=move || at(rect())
                    style:width=move || px(rect().width)
                    style:height=move || px(rect().height)
                ></div>
            }
        })
    }
}

/// Draws what is in view of a list of steps, with the gaps between them.
fn list(builder: Builder, list: ListRef) -> AnyView {
    let canvas = builder.canvas;
    let label = told(move || match list {
        ListRef::Flow => "Steps of flow".to_owned(),
        ListRef::Lane(id, lane) => format!("Steps of {}", lane_name(builder, id, lane)),
    });
    let steps = canvas.steps(list);
    let start = Gap { list, after: None };
    let first = canvas.first_gap(list);
    let shows_first = Memo::new(move |_| first.get().is_some());
    let items = move || {
        let gap = shows_first.get().then_some(Item::FirstGap);
        let steps = steps.get().into_iter().map(Item::Step);
        gap.into_iter().chain(steps).collect()
    };
    let node = NodeRef::<leptos::html::Ol>::new();
    in_place(node, items, move |one| match one {
        Item::FirstGap => {
            let rect = Signal::derive(move || first.get().unwrap_or_default());
            view! { <li class="gap-item">{gap(builder, start, rect)}</li> }.into_any()
        }
        Item::Step(id) => item(builder, list, id).into_any(),
    });
    view! { <ol node_ref=node class="steps" aria-label=move || label.get()></ol> }.into_any()
}

/// What a list of steps has in it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Item {
    /// The gap before its first step.
    FirstGap,
    /// A step with the gap behind it.
    Step(StepId),
}

fn item(builder: Builder, list: ListRef, id: StepId) -> impl IntoView {
    let placed = builder.canvas.placed(id);
    let number = Memo::new(move |_| placed.get().map(|placed| placed.number));
    let shows_card = Memo::new(move |_| placed.get().is_some_and(|placed| placed.shows_card));
    let shows_gap = Memo::new(move |_| placed.get().is_some_and(|placed| placed.shows_gap));
    let behind = Signal::derive(move || placed.get().map(|placed| placed.gap).unwrap_or_default());
    let after = Some(id);
    view! {
        <li
            class="step-item"
            data-step=id.to_string()
            aria-posinset=move || number.get().map(|(place, _)| place.to_string())
            aria-setsize=move || number.get().map(|(_, length)| length.to_string())
        >
            {frame(placed)}
            <Show when=move || shows_card.get()>{card::step(builder, id, placed)}</Show>
            {lanes(builder, id)}
            <Show when=move || shows_gap.get()>{gap(builder, Gap { list, after }, behind)}</Show>
        </li>
    }
}

/// Draws the frame around a container's lanes.
fn frame(placed: ReadSignal<Option<Placed>>) -> impl IntoView {
    let frame = Memo::new(move |_| placed.get().and_then(|placed| placed.frame));
    move || {
        frame.get().map(|frame| {
            let (width, height) = (format!("{}px", frame.width), format!("{}px", frame.height));
            view! { <div class="frame" aria-hidden="true" style:translate=at(frame) style:width=width style:height=height></div> }
        })
    }
}

/// Draws the lanes of a container step that are in view.
fn lanes(builder: Builder, id: StepId) -> impl IntoView {
    let lanes = builder.canvas.lanes(id);
    let one = move |list: ListRef| {
        let ListRef::Lane(_, lane) = list else {
            return ().into_any();
        };
        let label = told(move || format!("Lane {}", lane_name(builder, id, lane)));
        view! {
            <section class="lane" aria-label=move || label.get()>
                {lane_head(builder, id, lane)}
                {self::list(builder, list)}
            </section>
        }
        .into_any()
    };
    let node = NodeRef::<leptos::html::Div>::new();
    in_place(node, move || lanes.get(), one);
    view! { <div node_ref=node class="step-lanes"></div> }
}

/// Returns the name of a lane; told when its step changes.
fn lane_name(builder: Builder, id: StepId, lane: LaneId) -> String {
    let name = builder.editor.step(id, |step| {
        let lane = step.lanes.iter().find(|l| l.id == lane)?;
        Some(lane.name.clone())
    });
    name.flatten().unwrap_or_default()
}

fn lane_head(builder: Builder, id: StepId, lane: LaneId) -> impl IntoView {
    let head = told(move || {
        let head = builder.editor.step(id, |step| {
            let container = step.action()?.container;
            let lane = step.lanes.iter().find(|l| l.id == lane)?;
            let when = match (container, lane.when.as_deref()) {
                (Some(Container::Branch), None) => "otherwise",
                (Some(Container::Branch), Some(when)) if when.trim().is_empty() => {
                    "no condition yet"
                }
                (_, when) => when.unwrap_or_default(),
            };
            Some((lane.name.clone(), when.to_owned()))
        });
        head.flatten()
    });
    let list = ListRef::Lane(id, lane);
    let place = builder.canvas.lane_head(list);
    let rect = move || place.get().unwrap_or_default();
    let inside = move || place.get().is_some();
    view! {
        <Show when=inside>
            <header
                class="lane-head"
                style:translate=move || at(rect())
                style:width=move || format!("{}px", rect().width)
            >
                <span class="lane-name">{move || head.get().map(|(name, _)| name)}</span>
                <span class="lane-when" title=move || head.get().map(|(_, when)| when)>
                    {move || head.get().map(|(_, when)| when)}
                </span>
            </header>
        </Show>
    }
}

/// A place between two steps: shows "+".
fn gap(builder: Builder, gap: Gap, rect: Signal<Rect>) -> impl IntoView {
    let open = move |_| {
        if let Some(at) = builder.editor.read(|document| document.place_of(gap)) {
            builder.picker.set(Some(picker::Target { at }));
        }
    };
    let label = told(move || {
        let name = gap
            .after
            .and_then(|id| builder.editor.step(id, |step| step.name.clone()));
        match (name, gap.list) {
            (Some(name), _) => format!("Add a step after {name}"),
            (None, ListRef::Flow) => "Add a step at the start".to_owned(),
            (None, ListRef::Lane(step, lane)) => {
                let lane = lane_name(builder, step, lane);
                format!("Add a step at the start of {lane}")
            }
        }
    });
    let may_edit = told(move || builder.may_edit.get());
    view! {
        <Show when=move || may_edit.get()>
            <div class="gap" style:translate=move || at(rect.get())>
                <button
                    class="gap-add"
                    type="button"
                    id=gap_id(gap)
                    tabindex="-1"
                    aria-label=move || label.get()
                    on:click=open
                    on:keydown=move |event| keys::on_gap(builder, gap, &event)
                >
                    <Icon name="plus" />
                </button>
            </div>
        </Show>
    }
}

/// Returns the gap whose "+" has an element id.
pub(super) fn gap_with_id(builder: Builder, id: &str) -> Option<Gap> {
    builder.canvas.layout.with_untracked(|layout| {
        layout.stops().iter().find_map(|stop| match stop {
            Stop::Gap(gap) if gap_id(*gap) == id => Some(*gap),
            _ => None,
        })
    })
}

/// Returns the things that arrows move through: the trigger, then the steps as they are read.
pub(super) fn reading_order(builder: Builder) -> Vec<Selection> {
    builder.canvas.layout.with_untracked(|layout| {
        let stops = layout.stops().iter().filter_map(|stop| match stop {
            Stop::Trigger => Some(Selection::Trigger),
            Stop::Step(id) => Some(Selection::Step(*id)),
            Stop::Gap(_) => None,
        });
        stops.collect()
    })
}
