//! Members, picked by name: a field that searches, and a chip for each who was picked.

use domain::review::Person;
use leptos::html;
use leptos::prelude::*;

use super::field::{Field, described};
use super::icon::Icon;
use super::unique;

/// How many names are listed at once.
const MOST: usize = 8;

/// A field in which members are picked.
#[component]
pub fn PeoplePicker(
    /// What it is called.
    #[prop(into)]
    label: String,
    /// Everyone who can be picked.
    #[prop(into)]
    members: Signal<Vec<Person>>,
    /// Who was picked.
    chosen: RwSignal<Vec<Person>>,
    /// One sentence of help, or empty.
    #[prop(optional, into)]
    help: String,
    /// What stands in the empty field.
    #[prop(optional, into)]
    placeholder: String,
    /// What is wrong with it, if anything.
    #[prop(optional, into)]
    problem: Signal<Option<String>>,
    /// Whether someone must be picked.
    #[prop(optional)]
    required: bool,
) -> impl IntoView {
    let id = unique("people");
    let picking = Picking {
        members,
        chosen,
        typed: RwSignal::new(String::new()),
        is_open: RwSignal::new(false),
        active: RwSignal::new(0),
        input: NodeRef::new(),
        list: StoredValue::new(format!("{id}-list")),
    };
    view! {
        <Field id=id.clone() label=label.clone() help=help problem=problem required=required>
            <div class="people">
                {chips(picking, &label)} {picking.input(&id, placeholder)} {picking.list()}
            </div>
        </Field>
    }
}

fn chips(picking: Picking, label: &str) -> AnyView {
    let chip = move |person: Person| {
        let account = person.account;
        view! {
            <li class="person">
                <span>{person.name.clone()}</span>
                <button
                    type="button"
                    class="person-remove"
                    aria-label=format!("Remove {}", person.name)
                    on:click=move |_| {
                        picking.chosen.update(|all| all.retain(|other| other.account != account));
                        picking.focus();
                    }
                >
                    <Icon name="x" />
                </button>
            </li>
        }
        .into_any()
    };
    view! {
        <ul class="people-chosen" role="list" aria-label=format!("{label}: picked")>
            {move || picking.chosen.get().into_iter().map(chip).collect::<Vec<_>>()}
        </ul>
    }
    .into_any()
}

/// What is being typed and offered. A handle.
#[derive(Clone, Copy)]
struct Picking {
    members: Signal<Vec<Person>>,
    chosen: RwSignal<Vec<Person>>,
    typed: RwSignal<String>,
    is_open: RwSignal<bool>,
    active: RwSignal<usize>,
    input: NodeRef<html::Input>,
    list: StoredValue<String>,
}

impl Picking {
    fn focus(self) {
        if let Some(input) = self.input.get_untracked() {
            let _ = input.focus();
        }
    }

    /// Returns who fits what is typed and is not picked yet.
    fn found(self) -> Vec<Person> {
        if !self.is_open.get() {
            return Vec::new();
        }
        let typed = self.typed.get().trim().to_lowercase();
        let fits = |person: &&Person| {
            let name = person.name.to_lowercase();
            let is_named = name.contains(&typed);
            is_named
                && self
                    .chosen
                    .with(|all| all.iter().all(|other| other.account != person.account))
        };
        self.members
            .with(|all| all.iter().filter(fits).take(MOST).cloned().collect())
    }

    fn choose(self, person: Person) {
        self.chosen.update(|all| all.push(person));
        self.typed.set(String::new());
        self.active.set(0);
        // It would lie over what comes next, which may be all that is left to do.
        self.is_open.set(false);
        self.focus();
    }

    fn key(self, event: &leptos::ev::KeyboardEvent) {
        let found = untrack(|| self.found());
        let count = found.len();
        match event.key().as_str() {
            "ArrowDown" | "ArrowUp" if !self.is_open.get_untracked() => self.is_open.set(true),
            "ArrowDown" if count > 0 => self.active.update(|at| *at = (*at + 1) % count),
            "ArrowUp" if count > 0 => self.active.update(|at| *at = (*at + count - 1) % count),
            "Enter" => {
                // Never sends the form: a name that fits nobody stays to be mended.
                if let Some(person) = found.into_iter().nth(self.active.get_untracked()) {
                    self.choose(person);
                }
            }
            "Escape" if self.is_open.get_untracked() && count > 0 => {
                event.stop_propagation();
                self.is_open.set(false);
            }
            "Backspace" if self.typed.with_untracked(String::is_empty) => {
                self.chosen.update(|all| {
                    all.pop();
                });
                return;
            }
            _ => return,
        }
        event.prevent_default();
    }

    fn input(self, id: &str, placeholder: String) -> AnyView {
        let active_id = move || {
            let active = self.active.get();
            (active < self.found().len()).then(|| format!("{}-{active}", self.list.get_value()))
        };
        let hint = move || {
            if self.chosen.with(Vec::is_empty) {
                placeholder.clone()
            } else {
                String::new()
            }
        };
        view! {
            <input
                node_ref=self.input
                id=id.to_owned()
                class="people-input"
                type="text"
                role="combobox"
                autocomplete="off"
                spellcheck="false"
                placeholder=hint
                aria-autocomplete="list"
                aria-controls=self.list.get_value()
                aria-expanded=move || (!self.found().is_empty()).to_string()
                aria-activedescendant=active_id
                aria-describedby=described(id)
                prop:value=move || self.typed.get()
                on:input=move |event| {
                    self.typed.set(event_target_value(&event));
                    self.active.set(0);
                    self.is_open.set(true);
                }
                on:keydown=move |event| self.key(&event)
                on:click=move |_| self.is_open.set(true)
                on:blur=move |_| self.is_open.set(false)
            />
        }
        .into_any()
    }

    fn list(self) -> AnyView {
        let option = move |(at, person): (usize, Person)| {
            let id = format!("{}-{at}", self.list.get_value());
            let name = person.name.clone();
            view! {
                <li
                    id=id
                    role="option"
                    aria-selected=move || (self.active.get() == at).to_string()
                    on:pointerdown=move |event| {
                        event.prevent_default();
                        self.choose(person.clone());
                    }
                >
                    {name}
                </li>
            }
            .into_any()
        };
        let nobody = move || {
            let is_typed = !self.typed.with(|typed| typed.trim().is_empty());
            (self.is_open.get() && is_typed && self.found().is_empty())
                .then_some("Nobody of that name can be picked.")
        };
        view! {
            <ul
                id=self.list.get_value()
                class="combobox-list"
                role="listbox"
                aria-label="Members"
                hidden=move || self.found().is_empty()
            >
                {move || self.found().into_iter().enumerate().map(option).collect::<Vec<_>>()}
            </ul>
            <span class="people-nobody" role="status">
                {nobody}
            </span>
        }
        .into_any()
    }
}
