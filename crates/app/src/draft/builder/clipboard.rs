//! Copy, cut and paste of steps, as the browser's own events: so nobody is asked for a permission,
//! and the steps go as text to other tabs, other integrations, and whatever takes text.

use domain::clipboard::{self, Clip};
use domain::document::Place;
use domain::{LaneId, StepId};
use leptos::prelude::*;
use uuid::Uuid;
use wasm_bindgen::JsCast;
use web_sys::{ClipboardEvent, Element, Event};

use super::{Builder, flow, keys};
use crate::design::toast;

/// Copies, cuts and pastes steps as long as the calling screen is shown.
pub(super) fn listen(builder: Builder) {
    let on = move |name: &'static str, act: fn(Builder, &ClipboardEvent)| {
        let handle = window_event_listener_untyped(name, move |event: Event| {
            let Ok(event) = event.dyn_into::<ClipboardEvent>() else {
                return;
            };
            if is_ours(&event) {
                act(builder, &event);
            }
        });
        on_cleanup(move || handle.remove());
    };
    on("copy", |builder, event| {
        copy(builder, event);
    });
    on("cut", cut);
    on("paste", paste);
}

/// Returns whether an event is about steps: not about what is typed, marked, or in a dialog.
fn is_ours(event: &ClipboardEvent) -> bool {
    let dialog = document().query_selector("dialog[open]").ok().flatten();
    if event.default_prevented() || keys::is_typing(event) || dialog.is_some() {
        return false;
    }
    let is_in_flow = focused().is_some_and(|it| it.closest("#flow").ok().flatten().is_some());
    let marked = window().get_selection().ok().flatten();
    is_in_flow || event.type_() == "paste" || marked.is_none_or(|marked| marked.is_collapsed())
}

fn focused() -> Option<Element> {
    document().active_element()
}

/// Puts the selected steps into the clipboard; returns them, or `None` when there are none.
fn copy(builder: Builder, event: &ClipboardEvent) -> Option<Vec<StepId>> {
    let chosen = builder.editor.chosen();
    let copied = builder
        .editor
        .read(|document| clipboard::copy(document, &chosen))?;
    let data = event.clipboard_data()?;
    data.set_data("text/plain", &copied.text).ok()?;
    event.prevent_default();
    let what = steps(copied.steps);
    builder.announce(format!("{what} copied."));
    match copied.secrets {
        0 => {}
        1 => toast::say(format!(
            "{what} copied. 1 secret was left behind: fill it in where you paste."
        )),
        count => toast::say(format!(
            "{what} copied. {count} secrets were left behind: fill them in where you paste."
        )),
    }
    Some(chosen)
}

fn cut(builder: Builder, event: &ClipboardEvent) {
    if !builder.may_edit.get_untracked() {
        return;
    }
    if let Some(chosen) = copy(builder, event) {
        builder.explain(builder.editor.delete_all(&chosen));
        builder.go_to(builder.editor.selection.get_untracked());
    }
}

fn paste(builder: Builder, event: &ClipboardEvent) {
    if !builder.may_edit.get_untracked() {
        return;
    }
    let text = event
        .clipboard_data()
        .and_then(|data| data.get_data("text/plain").ok())
        .unwrap_or_default();
    event.prevent_default();
    match clipboard::read(&text) {
        Ok(clip) => builder.explain(insert(builder, &clip)),
        Err(refusal) => builder.explain(Err(refusal.to_string())),
    }
}

fn insert(builder: Builder, clip: &Clip) -> Result<(), String> {
    let gone = "The place is not there any more. Choose another one.";
    let at = place(builder).ok_or(gone)?;
    let pasted = builder.editor.read(|document| {
        let step_id = || StepId(Uuid::now_v7());
        clip.paste(document, at, step_id, || LaneId(Uuid::now_v7()))
    });
    let (edit, tops) = pasted.map_err(|refusal| refusal.to_string())?;
    builder.editor.act(edit)?;
    builder.announce(format!("{} pasted.", steps(clip.len())));
    builder.editor.selection.set_all(tops);
    builder.show(builder.editor.selection.get_untracked());
    Ok(())
}

/// Returns where to paste: in the gap that has the focus, else behind what is selected.
fn place(builder: Builder) -> Option<Place> {
    if let Some(gap) = focused().and_then(|it| flow::gap_with_id(builder, &it.id())) {
        return builder.editor.read(|document| document.place_of(gap));
    }
    let last = builder.editor.chosen().last().copied();
    builder
        .editor
        .read(|document| clipboard::behind(document, last))
}

fn steps(count: usize) -> String {
    match count {
        1 => "1 step".to_owned(),
        count => format!("{count} steps"),
    }
}
