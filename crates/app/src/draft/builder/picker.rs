//! Choosing a new step: type a few letters, choose with arrows and Enter, or drag it out.

use domain::StepId;
use domain::catalog::{self, Action};
use domain::connector::Declared;
use domain::document::{Gap, Place};
use leptos::ev::{KeyboardEvent, PointerEvent};
use leptos::html::Input;
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::JsCast;
use web_sys::Element;

use super::super::selection::Selection;
use super::{Builder, drag};
use crate::connector::known::{self, Found};
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
    show_added(builder, builder.editor.add(kind, at), say_added);
}

fn say_added(builder: Builder, _: StepId) {
    builder.announce("Step added.");
}

/// Adds a step of what was chosen, and says so with `say`. What a connector declares of its action is
/// known once the server said it; the place is where the gap is by then.
pub(super) fn put(builder: Builder, choice: Choice, gap: Gap, say: fn(Builder, StepId)) {
    let place = move || {
        let at = builder.editor.read(|document| document.place_of(gap));
        at.ok_or_else(|| "This place is not there any more.".to_owned())
    };
    let found = match choice {
        Choice::Own(kind) => {
            let added = place().and_then(|at| builder.editor.add(&kind, at));
            return show_added(builder, added, say);
        }
        Choice::Found(found) => found,
    };
    spawn_local(async move {
        let declared = known::declared(found.connector, found.line.key).await;
        // The builder may be gone by now.
        if builder.summary.is_disposed() {
            return;
        }
        let declared = declared.map_err(|fault| fault.to_string());
        let added = declared.and_then(|declared: Declared| {
            let at = place()?;
            builder.editor.add_declared(&declared, at)
        });
        show_added(builder, added, say);
    });
}

fn show_added(builder: Builder, added: Result<StepId, String>, say: fn(Builder, StepId)) {
    match added {
        Ok(id) => {
            say(builder, id);
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

/// What can be chosen.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Choice {
    /// An action of our own, by its key.
    Own(String),
    /// An action of a connector.
    Found(Found),
}

impl Choice {
    /// Returns what the step is called in the list; empty when there is no such action.
    pub(super) fn title(&self) -> String {
        match self {
            Choice::Own(key) => {
                let action = catalog::action(key);
                action
                    .map(|action| action.title.clone())
                    .unwrap_or_default()
            }
            Choice::Found(found) => found.line.title.clone(),
        }
    }
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
    let shelves = known::shelves();
    let told = shelves.clone();
    // What fits, and how much more does than is listed.
    let found = Memo::new(move |_| {
        let typed = typed.get();
        let own = found(&typed).into_iter();
        let own = own.map(|action| Choice::Own(action.key.clone()));
        let (further, more) = shelves.with(|shelves| {
            let shelves = shelves.as_ref();
            shelves.map_or_else(Default::default, |shelves| shelves.search(&typed))
        });
        let all = own.chain(further.into_iter().map(Choice::Found));
        (all.collect::<Vec<_>>(), more)
    });
    let results = Signal::derive(move || found.with(|(all, _)| all.clone()));
    let is_none = move || found.with(|(all, _)| all.is_empty());
    let more = move || {
        let more = found.with(|(_, more)| *more);
        (more > 0).then(|| {
            view! {
                <p class="picker-more" role="status">
                    {format!("… and {more} more. Go on typing.")}
                </p>
            }
        })
    };
    let services = move || {
        let count = told.with(|shelves| shelves.as_ref().map_or(0, |shelves| shelves.count()));
        (count > 0 && typed.with(|typed| typed.trim().is_empty())).then(|| {
            view! {
                <p class="picker-more">
                    {format!("Type to find one of {count} actions of connectors.")}
                </p>
            }
        })
    };
    Effect::new(move || {
        if let Some(input) = input.get() {
            let _ = input.focus();
        }
    });
    let choose = move |choice: Choice| {
        let Some(target) = builder.picker.get_untracked() else {
            return;
        };
        builder.picker.set(None);
        let gap = builder.editor.read(|document| document.gap_at(target.at));
        put(builder, choice, gap, say_added);
    };
    let on_key = move |event: KeyboardEvent| {
        let last = found.with_untracked(|(all, _)| all.len()).saturating_sub(1);
        match event.key().as_str() {
            "ArrowDown" => active.update(|index| *index = (*index + 1).min(last)),
            "ArrowUp" => active.update(|index| *index = index.saturating_sub(1)),
            "Enter" => {
                let at = active.get_untracked();
                let choice = found.with_untracked(|(all, _)| all.get(at).cloned());
                if let Some(choice) = choice {
                    choose(choice);
                }
            }
            _ => return,
        }
        event.prevent_default();
    };
    let option = move |(index, choice): (usize, Choice)| {
        let is_active = move || active.get() == index;
        let [icon, title, description, group] = match &choice {
            Choice::Own(key) => {
                let action = catalog::action(key)?;
                let texts = [
                    &action.icon,
                    &action.title,
                    &action.description,
                    &action.group,
                ];
                texts.map(Clone::clone)
            }
            Choice::Found(found) => {
                let line = &found.line;
                let texts = [&found.icon, &line.title, &line.description, &found.service];
                texts.map(Clone::clone)
            }
        };
        let dragged = choice.clone();
        Some(view! {
            <li
                role="option"
                id=format!("pick-{index}")
                class="picker-option"
                class:is-active=is_active
                aria-selected=move || if is_active() { "true" } else { "false" }
                on:pointermove=move |_| active.set(index)
                on:click=move |_| choose(choice.clone())
                on:pointerdown=move |event| {
                    // A finger on the text scrolls the list; it drags by the icon.
                    if event.pointer_type() != "touch" || is_on_icon(&event) {
                        drag::start_new(builder, dragged.clone(), &event);
                    }
                }
            >
                <span class="card-icon"><Icon name=icon /></span>
                <span class="picker-text">
                    <span class="picker-title">{title}</span>
                    <span class="picker-description">{description}</span>
                </span>
                <span class="picker-group">{group}</span>
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
            {more}
            {services}
            {move || is_none().then(|| view! {
                <p class="empty" role="status">"No step is called like that. Try another word."</p>
            })}
        </div>
    }
}
