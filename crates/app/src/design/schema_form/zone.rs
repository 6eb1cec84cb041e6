//! Time zones: typed freely, with the names that fit listed below.

use domain::schedule::time_zones;
use leptos::html;
use leptos::prelude::*;
use serde_json::Value;

use super::text::{self, Control};
use crate::design::field::described;
use crate::design::time::reader_zone;

/// How many names are listed at once.
const MOST: usize = 40;

/// Draws the input with its list.
pub(super) fn control(given: Control) -> AnyView {
    let Control {
        id,
        value,
        emit,
        is_invalid,
        placeholder,
        ..
    } = given;
    let typed = RwSignal::new(String::new());
    let is_open = RwSignal::new(false);
    let active = RwSignal::new(None::<usize>);
    let input = NodeRef::<html::Input>::new();
    let told = StoredValue::new(None::<Option<Value>>);
    Effect::new(move || {
        let newest = value.get();
        if told.with_value(|told| told.as_ref() != Some(&newest)) {
            typed.set(newest.as_ref().map(text::show).unwrap_or_default());
            told.set_value(Some(newest));
        }
    });
    let found = Memo::new(move |_| {
        if is_open.get() {
            fitting(&typed.get())
        } else {
            Vec::new()
        }
    });
    let tell = move |text: &str| {
        let value = text::read(text);
        told.set_value(Some(value.clone()));
        emit.run(value);
    };
    let choose = move |zone: &'static str| {
        typed.set(zone.to_owned());
        is_open.set(false);
        active.set(None);
        tell(zone);
        if let Some(input) = input.get_untracked() {
            let _ = input.focus();
        }
    };
    let on_input = move |event| {
        let text = event_target_value(&event);
        tell(&text);
        typed.set(text);
        active.set(None);
        is_open.set(true);
    };
    let on_key = move |event: leptos::ev::KeyboardEvent| {
        let count = found.with(Vec::len);
        match event.key().as_str() {
            "ArrowDown" | "ArrowUp" if !is_open.get_untracked() => is_open.set(true),
            "ArrowDown" if count > 0 => {
                active.update(|at| *at = Some(at.map_or(0, |at| (at + 1) % count)));
            }
            "ArrowUp" if count > 0 => {
                active.update(|at| *at = Some(at.map_or(count - 1, |at| (at + count - 1) % count)));
            }
            "Enter" if is_open.get_untracked() => {
                let chosen = active
                    .get_untracked()
                    .and_then(|at| found.with(|f| f.get(at).copied()));
                match chosen {
                    Some(zone) => choose(zone),
                    None => is_open.set(false),
                }
            }
            "Escape" if is_open.get_untracked() => {
                event.stop_propagation();
                is_open.set(false);
            }
            _ => return,
        }
        event.prevent_default();
    };
    let list = format!("{id}-list");
    let active_id = {
        let list = list.clone();
        move || active.get().map(|at| format!("{list}-{at}"))
    };
    let lines = {
        let list = list.clone();
        move || {
            let line = |(at, zone): (usize, &'static str)| {
                view! {
                    <li
                        id=format!("{list}-{at}")
                        role="option"
                        aria-selected=move || (active.get() == Some(at)).to_string()
                        on:pointerdown=move |event| {
                            event.prevent_default();
                            choose(zone);
                        }
                    >
                        {zone.replace('_', " ")}
                    </li>
                }
            };
            found
                .get()
                .into_iter()
                .enumerate()
                .map(line)
                .collect::<Vec<_>>()
        }
    };
    view! {
        <div class="combobox">
            <input
                node_ref=input
                id=id.clone()
                class="input"
                type="text"
                role="combobox"
                autocomplete="off"
                spellcheck="false"
                placeholder=placeholder
                aria-autocomplete="list"
                aria-controls=list.clone()
                aria-expanded=move || is_open.get().to_string()
                aria-activedescendant=active_id
                aria-describedby=described(&id)
                aria-invalid=move || is_invalid.get().to_string()
                prop:value=move || typed.get()
                on:input=on_input
                on:keydown=on_key
                on:focus=move |_| is_open.set(false)
                on:click=move |_| is_open.set(true)
                on:blur=move |_| is_open.set(false)
            />
            <ul
                id=list
                class="combobox-list"
                role="listbox"
                aria-label="Time zones"
                hidden=move || !is_open.get() || found.with(Vec::is_empty)
            >
                {lines}
            </ul>
        </div>
    }
    .into_any()
}

/// Returns the zones that fit what was typed: the reader's own first when it fits, then those in
/// which a part of the name begins so.
fn fitting(typed: &str) -> Vec<&'static str> {
    let typed = typed.trim().to_lowercase().replace(' ', "_");
    let own = reader_zone();
    // A whole name is no search: then all are listed, so that another one can be taken.
    let is_whole = time_zones().any(|zone| zone.eq_ignore_ascii_case(&typed));
    let rank = |zone: &&'static str| {
        let lower = zone.to_lowercase();
        if is_whole || typed.is_empty() || lower.starts_with(&typed) {
            Some(1)
        } else if lower.split('/').any(|part| part.starts_with(&typed)) {
            Some(2)
        } else {
            lower.contains(&typed).then_some(3)
        }
    };
    let mut fit: Vec<(u8, &'static str)> = time_zones()
        .filter_map(|zone| rank(&zone).map(|rank| (if zone == own { 0 } else { rank }, zone)))
        .collect();
    fit.sort_unstable();
    fit.into_iter().take(MOST).map(|(_, zone)| zone).collect()
}
