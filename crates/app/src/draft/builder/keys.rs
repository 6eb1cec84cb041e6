//! What keys do in the builder.

use domain::StepId;
use domain::document::Gap;
use domain::layout::Stop;
use leptos::ev::{KeyboardEvent, MouseEvent};
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

use super::super::selection::Selection;
use super::canvas::Detail;
use super::{Builder, flow, picker};
use crate::design::{focus_now, focus_soon, is_typed_in, keeping_focus};

/// Returns whether an event comes from where text is typed.
pub(super) fn is_typing(event: &web_sys::Event) -> bool {
    let target = event
        .target()
        .and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    target.is_some_and(|element| is_typed_in(&element))
}

/// Does what a click on a card means: select it; with Ctrl add or take it out, with Shift all up to it.
pub(super) fn on_click(builder: Builder, what: Selection, event: &MouseEvent) {
    if builder.canvas.has_dragged.get_value() {
        return;
    }
    match what {
        Selection::Step(id) if event.ctrl_key() || event.meta_key() => {
            builder.editor.selection.toggle(id);
        }
        Selection::Step(_) if event.shift_key() => extend(builder, what),
        _ => builder.editor.selection.set(what),
    }
}

/// Selects every step from where the selection began to a thing.
fn extend(builder: Builder, to: Selection) {
    let order = flow::reading_order(builder);
    let place = |what| order.iter().position(|other| *other == what);
    let selected = builder.editor.selection;
    let (Some(from), Some(to)) = (place(selected.anchor()), place(to)) else {
        return selected.set(to);
    };
    let range = &order[from.min(to)..=from.max(to)];
    let mut steps: Vec<_> = range.iter().filter_map(|what| what.step()).collect();
    if to < from {
        steps.reverse();
    }
    selected.set_all(steps);
}

/// Does what a key means on a card: up and down select, with Shift several; left and right also
/// reach the gaps, Alt+arrows move, Enter edits, Delete deletes, Ctrl+D duplicates, + adds behind.
/// What is done is done to all that is selected.
pub(super) fn on_card(builder: Builder, what: Selection, event: &KeyboardEvent) {
    let key = event.key();
    let control = event.ctrl_key() || event.meta_key();
    let may_edit = builder.may_edit.get_untracked();
    let down = key == "ArrowDown";
    // A card can have the focus without being selected: it was just taken out. Keys that act would
    // act on others, so it is selected first; by those that go with a click it is not.
    let acts = !matches!(
        key.as_str(),
        "Shift" | "Control" | "Alt" | "Meta" | "Tab" | "Escape"
    );
    if acts && !builder.editor.selection.holds(what) {
        builder.editor.selection.set(what);
    }
    match (key.as_str(), what) {
        ("ArrowDown" | "ArrowUp", Selection::Step(_)) if event.alt_key() => {
            if may_edit {
                move_chosen(builder, down);
            }
        }
        ("ArrowDown" | "ArrowUp", _) => {
            let order = flow::reading_order(builder);
            let here = order.iter().position(|other| *other == what);
            let here = here.unwrap_or_default();
            let next = here.checked_add_signed(if down { 1 } else { -1 });
            if let Some(next) = next.and_then(|next| order.get(next)) {
                if event.shift_key() {
                    extend(builder, *next);
                    builder.show(*next);
                } else {
                    builder.go_to(*next);
                }
            }
        }
        ("Home", _) => builder.go_to(Selection::Trigger),
        ("End", _) => {
            if let Some(last) = flow::reading_order(builder).last() {
                builder.go_to(*last);
            }
        }
        ("ArrowLeft" | "ArrowRight", _) if is_plain(event) => {
            let from = what.step().map_or(Stop::Trigger, Stop::Step);
            go_beside(builder, from, key == "ArrowRight", false);
        }
        ("Enter", _) => {
            builder.editor.selection.set(what);
            focus_panel();
        }
        ("Escape", _) if builder.editor.selection.count() > 1 => {
            builder.go_to(builder.editor.selection.get_untracked());
        }
        ("Delete" | "Backspace", Selection::Step(_)) if may_edit => delete_chosen(builder),
        ("d", Selection::Step(_)) if control && may_edit => duplicate_chosen(builder),
        ("a", _) if control => {
            let all = builder.editor.read(|document| document.flow.clone());
            builder.editor.selection.set_all(all);
            builder.show(builder.editor.selection.get_untracked());
        }
        ("e", Selection::Step(_)) if is_plain(event) && may_edit => builder.extracting.set(true),
        ("f", Selection::Step(id)) if is_plain(event) => {
            let is_container = |step: &domain::document::Step| !step.lanes.is_empty();
            let step =
                |document: &domain::Document| document.steps.get(&id).is_some_and(is_container);
            if builder.editor.read(step) {
                builder.canvas.toggle_fold(id);
                builder.show(what);
            }
        }
        ("+", _) if may_edit && !control => picker::open_behind(builder, what),
        _ => return,
    }
    event.prevent_default();
    event.stop_propagation();
}

/// Moves what is selected one place up or down.
fn move_chosen(builder: Builder, down: bool) {
    let chosen = builder.editor.chosen();
    match keeping_focus(|| builder.editor.nudge_all(&chosen, down)) {
        Ok(()) => announce_places(builder, &chosen),
        Err(why) => builder.announce(why),
    }
    builder.show(builder.editor.selection.get_untracked());
}

/// Deletes what is selected.
pub(super) fn delete_chosen(builder: Builder) {
    let chosen = builder.editor.chosen();
    let what = called(builder, &chosen);
    builder.explain(builder.editor.delete_all(&chosen));
    builder.announce(format!("{what} deleted. Ctrl+Z takes that back."));
    builder.go_to(builder.editor.selection.get_untracked());
}

/// Puts copies of what is selected behind it.
pub(super) fn duplicate_chosen(builder: Builder) {
    let chosen = builder.editor.chosen();
    let done = builder.editor.duplicate_all(&chosen);
    if done.is_ok() {
        builder.announce(format!("{} duplicated.", called(builder, &chosen)));
    }
    builder.explain(done.map(drop));
    builder.show(builder.editor.selection.get_untracked());
}

/// Returns what some steps are called in a sentence: the name of one, the number of several.
pub(super) fn called(builder: Builder, steps: &[StepId]) -> String {
    let name = |id: &StepId| {
        let name = |document: &domain::Document| document.steps.get(id).map(|s| s.name.clone());
        builder.editor.read(name).unwrap_or_default()
    };
    match steps {
        [one] => name(one),
        several => format!("{} steps", several.len()),
    }
}

/// Does what a key means on the "+" of a gap: arrows lead to the cards around it.
pub(super) fn on_gap(builder: Builder, gap: Gap, event: &KeyboardEvent) {
    let (forward, to_cards) = match event.key().as_str() {
        _ if !is_plain(event) => return,
        "ArrowLeft" => (false, false),
        "ArrowRight" => (true, false),
        "ArrowUp" => (false, true),
        "ArrowDown" => (true, true),
        _ => return,
    };
    go_beside(builder, Stop::Gap(gap), forward, to_cards);
    event.prevent_default();
    event.stop_propagation();
}

/// Does what a key means anywhere in the flow: zoom.
pub(super) fn on_flow(builder: Builder, event: &KeyboardEvent) {
    let canvas = builder.canvas;
    let control = event.ctrl_key() || event.meta_key();
    match event.key().as_str() {
        "+" | "=" if control => canvas.zoom_by(1, None),
        "-" if control => canvas.zoom_by(-1, None),
        "0" if control => canvas.zoom_to(1.0, None),
        "-" if is_plain(event) => canvas.zoom_by(-1, None),
        "=" if is_plain(event) => canvas.zoom_by(1, None),
        "!" | "1" if event.shift_key() => canvas.fit(),
        _ => return,
    }
    event.prevent_default();
}

fn is_plain(event: &KeyboardEvent) -> bool {
    !(event.alt_key() || event.ctrl_key() || event.meta_key() || event.shift_key())
}

/// Moves the focus to the next card or gap, or only card, in the order of reading.
fn go_beside(builder: Builder, from: Stop, forward: bool, to_cards: bool) {
    let canvas = builder.canvas;
    let layout = canvas.layout.get_untracked();
    // Far away, and for those who only read, there are no gaps.
    let has_gaps = !to_cards
        && builder.may_edit.get_untracked()
        && canvas.detail.get_untracked() == Detail::Full;
    let is_goal = |stop: &&Stop| has_gaps || !matches!(stop, Stop::Gap(_));
    let stops = layout.stops();
    let Some(here) = stops.iter().position(|stop| *stop == from) else {
        return;
    };
    let next = if forward {
        stops[here + 1..].iter().find(is_goal)
    } else {
        stops[..here].iter().rev().find(is_goal)
    };
    match next {
        Some(Stop::Trigger) => builder.go_to(Selection::Trigger),
        Some(Stop::Step(id)) => builder.go_to(Selection::Step(*id)),
        Some(Stop::Gap(gap)) => {
            if let Some(rect) = layout.gap(*gap) {
                canvas.reveal(rect);
            }
            // At once where it can be: the next key may come within this frame.
            let id = flow::gap_id(*gap);
            if !focus_now(&id) {
                focus_soon(id);
            }
        }
        None => {}
    }
}

/// Tells a screen reader where a step stands now.
pub(super) fn announce_place(builder: Builder, id: StepId) {
    announce_places(builder, &[id]);
}

/// Tells a screen reader where steps stand now.
pub(super) fn announce_places(builder: Builder, steps: &[StepId]) {
    let what = called(builder, steps);
    let text = builder.editor.read(|document| {
        let at = document.place(*steps.first()?)?;
        let length = document.list(at.list)?.len();
        let place = at.index + 1;
        Some(format!("{what} moved to place {place} of {length}."))
    });
    builder.announce(text.unwrap_or_default());
}

/// Puts the focus on the first control of the panel.
fn focus_panel() {
    request_animation_frame(|| {
        let first = document()
            .query_selector("#panel input, #panel textarea, #panel select")
            .ok()
            .flatten();
        if let Some(first) = first.and_then(|element| element.dyn_into::<HtmlElement>().ok()) {
            let _ = first.focus();
        }
    });
}
