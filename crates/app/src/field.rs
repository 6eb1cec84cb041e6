//! Fields that take expressions: references shown as chips, suggestions while typing, the data of
//! earlier steps to choose from, and what the text gives.
//!
//! What is typed into stays an ordinary text input, so that undo, spelling, and screen readers work
//! as everywhere; all else stands around it. What is needed only once someone works with
//! expressions (`on_demand` and below) is a part of the module that is loaded then.

mod code;
mod keys;
mod list;
mod marks;
mod on_demand;
mod preview;
mod tree;

use std::sync::Arc;

use domain::reach::Reach;
use domain::template::{Completion, Reads, insertion};
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::JsCast;
use web_sys::{HtmlDocument, HtmlInputElement};

use crate::design::icon::Icon;
use crate::markdown::typing;

pub(crate) use on_demand::expressions;

/// What the fields of one step work with: given to them as context. A handle.
#[derive(Clone, Copy)]
pub(crate) struct Expressions {
    /// What the step can reach.
    pub(crate) reach: Memo<Arc<Reach>>,
    /// Returns what a step is called, by its slug.
    pub(crate) name_of: Callback<String, Option<String>>,
    /// Returns what is wrong with a reference; told when that may change.
    pub(crate) problem_of: Callback<Vec<String>, Option<String>>,
    /// Opens what a test is started with.
    pub(crate) open_test: Callback<()>,
    /// The field that had the focus last.
    pub(crate) last: RwSignal<Option<Assist>>,
}

/// One field that takes expressions. A handle.
#[derive(Clone, Copy)]
pub(crate) struct Assist {
    expressions: Expressions,
    reads: Reads,
    id: StoredValue<String>,
    title: StoredValue<String>,
    /// The text in the input.
    text: RwSignal<String>,
    has_focus: RwSignal<bool>,
    /// What is suggested, while it is.
    found: RwSignal<Option<Completion>>,
    /// The suggestion that Enter takes.
    active: RwSignal<usize>,
    /// Whether the large editor is open.
    is_large: RwSignal<bool>,
    /// Whether the data of earlier steps is shown to choose from.
    is_choosing: RwSignal<bool>,
    /// How far the input is scrolled.
    scrolled: RwSignal<(i32, i32)>,
    /// Counts what was asked, so that only the newest answer is taken.
    turn: StoredValue<u32>,
    /// The closing braces were skipped just now, by the first of two keys.
    skipped: StoredValue<bool>,
}

impl Assist {
    /// Makes the handle of a field; `id` is that of its input, `title` what it is called.
    pub(crate) fn new(expressions: Expressions, id: &str, title: &str, reads: Reads) -> Self {
        Self {
            expressions,
            reads,
            id: StoredValue::new(id.to_owned()),
            title: StoredValue::new(title.to_owned()),
            text: RwSignal::new(String::new()),
            has_focus: RwSignal::new(false),
            found: RwSignal::new(None),
            active: RwSignal::new(0),
            is_large: RwSignal::new(false),
            is_choosing: RwSignal::new(false),
            scrolled: RwSignal::new((0, 0)),
            turn: StoredValue::new(0),
            skipped: StoredValue::new(false),
        }
    }

    /// Takes note of the text that the input shows now.
    pub(crate) fn shows(self, text: &str) {
        if self.text.with_untracked(|old| old != text) {
            self.text.set(text.to_owned());
        }
    }

    /// Takes note of what was typed.
    pub(crate) fn typed(self, event: &leptos::ev::Event) {
        self.shows(&event_target_value(event));
        if matches!(self.reads, Reads::Code(_)) {
            return;
        }
        let input = event.dyn_ref::<web_sys::InputEvent>();
        let data = input.and_then(web_sys::InputEvent::data);
        let is_deleting = input.is_some_and(|input| input.input_type().starts_with("delete"));
        // Not for what was pasted or chosen: a list would only be in the way.
        let is_key = data.is_some_and(|data| data.chars().count() <= 2);
        if is_key || (is_deleting && self.found.with_untracked(Option::is_some)) {
            self.complete();
        } else {
            self.close();
        }
    }

    /// Takes note that the input got or lost the focus.
    pub(crate) fn focused(self, has_focus: bool) {
        // The focus leaves an input also when it is taken off the page.
        self.has_focus.try_set(has_focus);
        if has_focus {
            // Data is not put into code: it comes in beside it.
            let last = Some(self).filter(|_| !matches!(self.reads, Reads::Code(_)));
            self.expressions.last.set(last);
        } else if !self.found.is_disposed() {
            self.close();
        }
    }

    /// Takes note that the input was scrolled.
    pub(crate) fn scroll(self) {
        if let Some(input) = self.input() {
            self.scrolled.set((input.scroll_left(), input.scroll_top()));
        }
    }

    /// Takes the suggestions away.
    pub(crate) fn close(self) {
        self.turn.update_value(|turn| *turn += 1);
        if self.found.with_untracked(Option::is_some) {
            self.found.set(None);
        }
    }

    /// Returns the id of the list of suggestions.
    pub(crate) fn list_id(self) -> String {
        self.id.with_value(|id| format!("{id}-suggestions"))
    }

    /// Returns the id of what the text gives.
    pub(crate) fn preview_id(self) -> String {
        self.id.with_value(|id| format!("{id}-preview"))
    }

    /// Returns the id of the suggestion that Enter takes, while there is one.
    pub(crate) fn active_id(self) -> Option<String> {
        let is_open = self.found.with(Option::is_some);
        is_open.then(|| format!("{}-{}", self.list_id(), self.active.get()))
    }

    fn is_condition(self) -> bool {
        self.reads == Reads::Condition
    }

    fn input(self) -> Option<HtmlInputElement> {
        let found = self
            .id
            .try_with_value(|id| document().get_element_by_id(id))??;
        // Both kinds of element have the same text and selection properties.
        Some(found.unchecked_into())
    }

    /// Returns the input, its text, and the places in bytes at which the selection begins and ends.
    fn selection(self) -> Option<(HtmlInputElement, String, std::ops::Range<usize>)> {
        let input = self.input()?;
        let text = input.value();
        let start = typing::byte(&text, input.selection_start().ok()??);
        let end = typing::byte(&text, input.selection_end().ok()??);
        Some((input, text, start..end))
    }

    /// Looks for suggestions at the caret.
    fn complete(self) {
        let Some((_, text, selected)) = self.selection() else {
            return;
        };
        self.turn.update_value(|turn| *turn += 1);
        let turn = self.turn.get_value();
        let reach = self.expressions.reach.get_untracked();
        spawn_local(async move {
            // Without a connection nothing is suggested; what is typed stands all the same.
            let Ok(part) = expressions().await else {
                return;
            };
            let found = (part.complete)(&text, selected.end, self.is_condition(), &reach);
            if self.turn.try_get_value() != Some(turn) {
                return;
            }
            // What is there already needs no suggestion.
            let is_done = |found: &Completion| matches!(found.suggestions.as_slice(), [one] if text[found.at.clone()] == one.text);
            self.active.set(0);
            self.found.set(found.filter(|found| !is_done(found)));
        });
    }

    /// Writes a suggestion.
    fn take(self, index: usize) {
        let Some((input, text, _)) = self.selection() else {
            return;
        };
        let Some(found) = self.found.get_untracked() else {
            return;
        };
        if let Some(one) = found.suggestions.get(index) {
            put(&input, &text, found.at.clone(), &one.text, one.caret);
        }
        self.close();
    }

    /// Writes a value where the caret is, or was last.
    pub(crate) fn insert(self, expression: &str) {
        let Some((input, text, selected)) = self.selection() else {
            return;
        };
        let new = insertion(&text, selected.start, self.is_condition(), expression);
        // In front of the closing braces one can go on: with a filter, or with what is in it.
        put(&input, &text, selected, &new, new.len());
        self.is_choosing.set(false);
    }

    /// Selects the place of a fault.
    fn show_place(self, at: &std::ops::Range<usize>) {
        let Some((input, text, _)) = self.selection() else {
            return;
        };
        let _ = input.focus();
        let (start, end) = (typing::units(&text, at.start), typing::units(&text, at.end));
        let _ = input.set_selection_range(start, end);
    }
}

/// Replaces a part of the text of an input as if it were typed, so that undo takes it back;
/// `caret` is in bytes of what is new.
fn put(input: &HtmlInputElement, text: &str, at: std::ops::Range<usize>, new: &str, caret: usize) {
    let _ = input.focus();
    let start = typing::units(text, at.start);
    let _ = input.set_selection_range(start, typing::units(text, at.end));
    let page = document().unchecked_into::<HtmlDocument>();
    let is_done = page
        .exec_command_with_show_ui_and_value("insertText", false, new)
        .unwrap_or(false);
    if !is_done {
        let _ = input.set_range_text(new);
    }
    let caret = start + typing::units(new, caret);
    let _ = input.set_selection_range(caret, caret);
}

/// Draws what stands around the input of a field.
pub(crate) fn frame(assist: Assist, input: AnyView, is_line: bool, is_code: bool) -> AnyView {
    if matches!(assist.reads, Reads::Code(_)) {
        return view! {
            <div class="expression is-script" class:is-focused=move || assist.has_focus.get()>
                <div class="expression-box">{input} {code::button(assist)}</div>
            </div>
        }
        .into_any();
    }
    let has_expressions = Memo::new(move |_| {
        let is_condition = assist.is_condition();
        assist
            .text
            .with(|text| (is_condition && !text.is_empty()) || text.contains("{{"))
    });
    let parts = StoredValue::new_local(None::<AnyView>);
    let is_ready = RwSignal::new(false);
    let owner = Owner::current().expect("a field is drawn in a screen");
    let asked = StoredValue::new(false);
    Effect::new(move || {
        if !(has_expressions.get() || assist.has_focus.get() || assist.is_choosing.get())
            || asked.get_value()
        {
            return;
        }
        asked.set_value(true);
        let owner = owner.clone();
        spawn_local(async move {
            let part = expressions().await;
            if is_ready.is_disposed() {
                return;
            }
            match part {
                Ok(part) => {
                    parts.set_value(Some(owner.with(|| (part.parts)(assist))));
                    is_ready.set(true);
                }
                // The next time that it is worked with, it is asked for again.
                Err(_) => asked.set_value(false),
            }
        });
    });
    let label = assist
        .title
        .with_value(|title| format!("Insert data into {title}"));
    view! {
        <div
            class="expression"
            class:is-focused=move || assist.has_focus.get()
            class:is-line=is_line
            class:is-code=is_code
        >
            <div class="expression-box">
                {move || has_expressions.get().then(|| marks::overlay(assist))} {input}
                <button
                    type="button"
                    class="expression-insert"
                    aria-label=label
                    title="Insert data (Ctrl+Space)"
                    aria-haspopup="dialog"
                    aria-expanded=move || assist.is_choosing.get().to_string()
                    on:click=move |_| assist.is_choosing.update(|is| *is = !*is)
                >
                    <Icon name="braces" />
                </button>
                {(!is_line).then(|| code::button(assist))}
            </div>
            {move || is_ready.get().then(|| parts.try_update_value(Option::take).flatten())}
        </div>
    }
    .into_any()
}
