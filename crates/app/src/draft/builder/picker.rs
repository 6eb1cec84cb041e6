//! Choosing a new step: type a few letters, choose with arrows and Enter, or drag it out.

use domain::catalog::{self, Action};
use domain::document::Place;
use leptos::ev::{KeyboardEvent, PointerEvent};
use leptos::html::Input;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::Element;

use super::super::selection::Selection;
use super::{Builder, drag};
use crate::design::dialog::Dialog;
use crate::design::icon::Icon;

/// Where the chosen step goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) at: Place,
}

/// Opens the picker for the place behind what is selected.
pub(super) fn open_behind(builder: Builder, what: Selection) {
    let at = builder
        .editor
        .read(|document| domain::clipboard::behind(document, what.step()));
    builder.picker.set(at.map(|at| Target { at }));
}

/// Adds a step of a kind behind what is selected, and goes to it.
pub(super) fn add_behind(builder: Builder, what: Selection, kind: &str) {
    let at = builder
        .editor
        .read(|document| domain::clipboard::behind(document, what.step()));
    if let Some(at) = at {
        add(builder, kind, at);
    }
}

fn add(builder: Builder, kind: &str, at: Place) {
    match builder.editor.add(kind, at) {
        Ok(id) => {
            builder.announce("Step added.");
            builder.go_to(Selection::Step(id));
        }
        Err(why) => builder.explain(Err(why)),
    }
}

fn found(typed: &str) -> Vec<&'static Action> {
    let ranked = catalog::actions()
        .iter()
        .filter_map(|action| Some((action.rank(typed)?, action)));
    let mut ranked: Vec<_> = ranked.collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, action)| action).collect()
}

fn is_on_icon(event: &PointerEvent) -> bool {
    let target = event
        .target()
        .and_then(|target| target.dyn_into::<Element>().ok());
    target.is_some_and(|target| target.closest(".card-icon").ok().flatten().is_some())
}

pub(super) fn view(builder: Builder) -> impl IntoView {
    let open = RwSignal::new(false);
    Effect::new(move || open.set(builder.picker.get().is_some()));
    Effect::watch(
        move || open.get(),
        move |is_open, _, _| {
            // Only when there is something to take back: the two follow each other.
            if !is_open && builder.picker.with_untracked(Option::is_some) {
                builder.picker.set(None);
            }
        },
        false,
    );
    view! {
        <Dialog open=open title="Add a step">
            {move || open.get().then(|| choices(builder))}
        </Dialog>
    }
}

fn choices(builder: Builder) -> impl IntoView {
    let typed = RwSignal::new(String::new());
    let active = RwSignal::new(0_usize);
    let input = NodeRef::<Input>::new();
    let results = Memo::new(move |_| {
        found(&typed.get())
            .iter()
            .map(|action| action.key.clone())
            .collect::<Vec<_>>()
    });
    Effect::new(move || {
        if let Some(input) = input.get() {
            let _ = input.focus();
        }
    });
    let choose = move |key: &str| {
        let Some(target) = builder.picker.get_untracked() else {
            return;
        };
        builder.picker.set(None);
        add(builder, key, target.at);
    };
    let on_key = move |event: KeyboardEvent| {
        let last = results.with_untracked(Vec::len).saturating_sub(1);
        match event.key().as_str() {
            "ArrowDown" => active.update(|index| *index = (*index + 1).min(last)),
            "ArrowUp" => active.update(|index| *index = index.saturating_sub(1)),
            "Enter" => {
                if let Some(key) =
                    results.with_untracked(|keys| keys.get(active.get_untracked()).cloned())
                {
                    choose(&key);
                }
            }
            _ => return,
        }
        event.prevent_default();
    };
    let option = move |(index, key): (usize, String)| {
        let action = catalog::action(&key)?;
        let is_active = move || active.get() == index;
        let dragged = key.clone();
        Some(view! {
            <li
                role="option"
                id=format!("pick-{index}")
                class="picker-option"
                class:is-active=is_active
                aria-selected=move || if is_active() { "true" } else { "false" }
                on:pointermove=move |_| active.set(index)
                on:click=move |_| choose(&key)
                on:pointerdown=move |event| {
                    // A finger on the text scrolls the list; it drags by the icon.
                    if event.pointer_type() != "touch" || is_on_icon(&event) {
                        drag::start_new(builder, &dragged, &event);
                    }
                }
            >
                <span class="card-icon"><Icon name=action.icon.as_str() /></span>
                <span class="picker-text">
                    <span class="picker-title">{action.title.as_str()}</span>
                    <span class="picker-description">{action.description.as_str()}</span>
                </span>
                <span class="picker-group">{action.group.as_str()}</span>
            </li>
        })
    };
    view! {
        <div class="picker">
            <input
                node_ref=input
                class="input"
                type="text"
                role="combobox"
                aria-label="Search for a step"
                aria-expanded="true"
                aria-controls="picker-list"
                aria-autocomplete="list"
                aria-activedescendant=move || format!("pick-{}", active.get())
                placeholder="Search: http, branch, wait …"
                autocomplete="off"
                on:input=move |event| {
                    typed.set(event_target_value(&event));
                    active.set(0);
                }
                on:keydown=on_key
            />
            <ul class="picker-list" id="picker-list" role="listbox" aria-label="Steps">
                {move || results.get().into_iter().enumerate().map(option).collect_view()}
            </ul>
            {move || results.with(Vec::is_empty).then(|| view! {
                <p class="empty" role="status">"No step is called like that. Try another word."</p>
            })}
        </div>
    }
}
