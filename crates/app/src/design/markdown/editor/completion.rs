//! The names that fit what is typed behind an `@`.

use domain::review::Person;
use leptos::prelude::*;

use crate::markdown::typing;

/// Most names that are offered at once.
const MOST: usize = 6;

/// Names to choose from. A handle.
#[derive(Clone, Copy)]
pub(super) struct Completion {
    id: StoredValue<String>,
    members: Signal<Vec<Person>>,
    found: RwSignal<Vec<String>>,
    active: RwSignal<usize>,
}

impl Completion {
    /// Starts with nothing on offer.
    pub(super) fn new(id: &str, members: Signal<Vec<Person>>) -> Self {
        Self {
            id: StoredValue::new(format!("{id}-names")),
            members,
            found: RwSignal::new(Vec::new()),
            active: RwSignal::new(0),
        }
    }

    /// Offers the names that fit what is typed; none when no name is being typed.
    pub(super) fn look_for(self, typed: Option<&str>) {
        let fitting = |typed: &str| {
            self.members.with_untracked(|members| {
                let names = members.iter().map(|person| person.name.clone());
                // A name that is there already, with a space behind it, is done.
                let names =
                    names.filter(|name| typing::fits(name, typed) && !typed.trim_end().eq(name));
                names.take(MOST).collect::<Vec<_>>()
            })
        };
        let found = typed.map(fitting).unwrap_or_default();
        // The focus leaves a field also when it is taken off the page.
        if self.found.try_with_untracked(|old| *old != found) == Some(true) {
            self.active.set(0);
            self.found.set(found);
        }
    }

    /// Returns whether names are on offer.
    pub(super) fn is_open(self) -> bool {
        self.found.with_untracked(|found| !found.is_empty())
    }

    /// Takes the offer away.
    pub(super) fn close(self) {
        self.look_for(None);
    }

    /// Goes to another name.
    pub(super) fn step(self, by: isize) {
        let count = self.found.with_untracked(Vec::len);
        if count > 0 {
            let next = self.active.get_untracked().wrapping_add_signed(by);
            self.active.set(if next >= count {
                if by > 0 { 0 } else { count - 1 }
            } else {
                next
            });
        }
    }

    /// Returns the place of the name that Enter takes.
    pub(super) fn active(self) -> usize {
        self.active.get_untracked()
    }

    /// Returns a name on offer.
    pub(super) fn name(self, index: usize) -> Option<String> {
        self.found.with_untracked(|found| found.get(index).cloned())
    }

    /// Returns the id of the list.
    pub(super) fn list_id(self) -> String {
        self.id.get_value()
    }

    /// Returns the id of the name that Enter takes, while there is one.
    pub(super) fn active_id(self) -> Option<String> {
        let is_open = self.found.with(|found| !found.is_empty());
        is_open.then(|| format!("{}-{}", self.id.get_value(), self.active.get()))
    }
}

/// Draws the names under the text.
pub(super) fn list(completion: Completion, choose: Callback<usize>) -> AnyView {
    let option = move |(index, name): (usize, String)| {
        view! {
            <li
                role="option"
                id=format!("{}-{index}", completion.list_id())
                aria-selected=move || (completion.active.get() == index).to_string()
                // The focus stays in the text.
                on:mousedown=move |event| {
                    event.prevent_default();
                    choose.run(index);
                }
            >
                {name}
            </li>
        }
        .into_any()
    };
    let is_closed = move || completion.found.with(Vec::is_empty);
    let count = move || match completion.found.with(Vec::len) {
        0 => String::new(),
        1 => "1 name fits. Enter takes it.".to_owned(),
        count => format!("{count} names fit. Arrow keys choose, Enter takes one."),
    };
    view! {
        <ul
            class="combobox-list markdown-names"
            role="listbox"
            id=completion.list_id()
            aria-label="Names"
            hidden=is_closed
        >
            {move || {
                let found = completion.found.get();
                found.into_iter().enumerate().map(option).collect::<Vec<_>>()
            }}
        </ul>
        <span class="visually-hidden" role="status">
            {count}
        </span>
    }
    .into_any()
}
