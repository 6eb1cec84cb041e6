//! The data of earlier steps as a tree: opened level by level, searched, dragged onto a field.

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::reach::{self, Member, Reach, Source};
use leptos::ev::{DragEvent, KeyboardEvent};
use leptos::prelude::*;
use wasm_bindgen::JsCast;

use super::{Assist, Expressions};
use crate::design::icon::Icon;
use crate::design::{focus_now, focus_soon, unique};

/// Most values of one level, and of a search, that are drawn.
const MOST: usize = 100;

/// One line of the tree.
#[derive(Clone, Debug, PartialEq)]
struct Line {
    expression: String,
    label: String,
    /// What it is, or where a search found it.
    help: String,
    sample: String,
    is_example: bool,
    level: usize,
    /// Whether it is open; `None` when there is nothing in it.
    is_open: Option<bool>,
    icon: Option<String>,
}

/// A tree on screen. A handle.
#[derive(Clone, Copy)]
struct Tree {
    id: StoredValue<String>,
    query: RwSignal<String>,
    open: RwSignal<BTreeSet<String>>,
    /// The line that has, or would get, the focus.
    active: RwSignal<usize>,
    lines: Memo<Vec<Line>>,
    choose: Callback<String>,
}

/// Draws the tree of a field while its data is to be chosen from.
pub(super) fn picker(assist: Assist) -> AnyView {
    let close = move |gives_back: bool| {
        assist.is_choosing.set(false);
        if let Some(input) = assist.input().filter(|_| gives_back) {
            let _ = input.focus();
        }
    };
    let label = assist.title.with_value(|title| format!("Data for {title}"));
    let drawn = move || {
        let choose = Callback::new(move |expression: String| assist.insert(&expression));
        let tree = Tree::new(assist.expressions, choose);
        focus_soon(tree.search_id());
        let left = move |event: leptos::ev::FocusEvent| {
            let inside = event
                .current_target()
                .and_then(|here| here.dyn_into::<web_sys::Node>().ok());
            let to = event
                .related_target()
                .and_then(|to| to.dyn_into::<web_sys::Node>().ok());
            // A click on nothing keeps it open, so that a line can be dragged from it.
            let goes =
                to.is_some_and(|to| !inside.is_some_and(|inside| inside.contains(Some(&to))));
            if goes {
                close(false);
            }
        };
        view! {
            <div
                class="expression-popup data-popup"
                role="dialog"
                aria-label=label.clone()
                on:focusout=left
                on:keydown=move |event| {
                    if event.key() == "Escape" {
                        event.stop_propagation();
                        event.prevent_default();
                        close(true);
                    }
                }
            >
                {tree.draw()}
            </div>
        }
    };
    view! { {move || assist.is_choosing.get().then(&drawn)} }.into_any()
}

/// Draws the tree for a place of its own.
pub(super) fn standing(expressions: Expressions) -> AnyView {
    let choose = Callback::new(
        move |expression: String| match expressions.last.get_untracked() {
            Some(assist) => assist.insert(&expression),
            None => crate::design::copy::copy(&format!("{{{{ {expression} }}}}")),
        },
    );
    Tree::new(expressions, choose).draw()
}

impl Tree {
    fn new(expressions: Expressions, choose: Callback<String>) -> Self {
        let query = RwSignal::new(String::new());
        let first = expressions.reach.with_untracked(|reach| {
            let all = reach.sources().iter();
            let mut seen = all.filter(|source| source.sample.is_some());
            let first = seen.next().or(reach.sources().first());
            first.map(|source| source.expression.clone())
        });
        let open = RwSignal::new(first.into_iter().collect::<BTreeSet<_>>());
        let lines = Memo::new(move |_| {
            let reach = expressions.reach.get();
            query.with(|query| match query.trim() {
                "" => open.with(|open| opened(&reach, open)),
                typed => found(&reach, typed),
            })
        });
        Self {
            id: StoredValue::new(unique("data")),
            query,
            open,
            active: RwSignal::new(0),
            lines,
            choose,
        }
    }

    fn search_id(self) -> String {
        self.id.with_value(|id| format!("{id}-search"))
    }

    fn line_id(self, index: usize) -> String {
        self.id.with_value(|id| format!("{id}-{index}"))
    }

    fn draw(self) -> AnyView {
        let tree_id = self.id.get_value();
        let on_search = move |event: KeyboardEvent| match event.key().as_str() {
            "ArrowDown" => {
                event.prevent_default();
                self.go(0);
            }
            "Enter" => {
                event.prevent_default();
                self.take(0);
            }
            _ => {}
        };
        let is_empty = move || self.lines.with(Vec::is_empty);
        view! {
            <input
                id=self.search_id()
                class="input data-search"
                type="search"
                autocomplete="off"
                spellcheck="false"
                placeholder="Search data"
                aria-label="Search data"
                aria-controls=tree_id.clone()
                prop:value=move || self.query.get()
                on:input=move |event| {
                    self.query.set(event_target_value(&event));
                    self.active.set(0);
                }
                on:keydown=on_search
            />
            <ul class="data-tree" role="tree" id=tree_id aria-label="Data" hidden=is_empty>
                {move || {
                    let lines = self.lines.get().into_iter().enumerate();
                    lines.map(|(index, line)| self.line(index, line)).collect::<Vec<_>>()
                }}
            </ul>
            {move || {
                is_empty().then(|| view! { <p class="empty" role="status">"No value is called like that."</p> })
            }}
        }
        .into_any()
    }

    fn line(self, index: usize, line: Line) -> AnyView {
        let braced = format!("{{{{ {} }}}}", line.expression);
        let drag = {
            let braced = braced.clone();
            move |event: DragEvent| {
                if let Some(data) = event.data_transfer() {
                    let _ = data.set_data("text/plain", &braced);
                    data.set_effect_allowed("copy");
                }
            }
        };
        let toggled = line.expression.clone();
        let is_open = line.is_open;
        let chevron = move |event: leptos::ev::MouseEvent| {
            if is_open.is_some() {
                event.stop_propagation();
                self.toggle(&toggled);
            }
        };
        let icon = line.icon.map(|icon| view! { <Icon name=icon /> });
        let item = view! {
            <li
                role="treeitem"
                id=self.line_id(index)
                class="data-line"
                data-level=line.level.to_string()
                aria-expanded=is_open.map(|is| is.to_string())
                aria-selected="false"
                tabindex=move || if self.active.get() == index { "0" } else { "-1" }
                draggable="true"
                title=braced
                on:dragstart=drag
                on:focus=move |_| self.active.set(index)
                on:click=move |_| self.take(index)
                on:keydown=move |event| self.key(index, &event)
            >
                <span class="data-chevron" class:is-open=is_open == Some(true) aria-hidden="true" on:click=chevron>
                    {is_open.map(|_| view! { <Icon name="chevron-right" /> })}
                </span>
                {icon}
                <span class="data-label">{line.label}</span>
                <span class="data-sample" class:is-example=line.is_example>{line.sample}</span>
                <span class="data-help">{line.help}</span>
            </li>
        };
        item.attr("aria-level", (line.level + 1).to_string())
            .into_any()
    }

    fn key(self, index: usize, event: &KeyboardEvent) {
        if event.ctrl_key() || event.meta_key() || event.alt_key() {
            return;
        }
        let Some(line) = self.lines.with_untracked(|lines| lines.get(index).cloned()) else {
            return;
        };
        let last = self.lines.with_untracked(Vec::len).saturating_sub(1);
        match event.key().as_str() {
            "ArrowDown" => self.go((index + 1).min(last)),
            "ArrowUp" if index == 0 => focus_soon(self.search_id()),
            "ArrowUp" => self.go(index - 1),
            "Home" => self.go(0),
            "End" => self.go(last),
            "ArrowRight" => match line.is_open {
                Some(false) => self.toggle(&line.expression),
                Some(true) => self.go((index + 1).min(last)),
                None => {}
            },
            "ArrowLeft" if line.is_open == Some(true) => self.toggle(&line.expression),
            "ArrowLeft" => self.lines.with_untracked(|lines| {
                let mut before = lines.iter().take(index).enumerate();
                if let Some((parent, _)) = before.rfind(|(_, other)| other.level < line.level) {
                    self.go(parent);
                }
            }),
            "Enter" | " " => self.take(index),
            _ => return,
        }
        event.prevent_default();
        event.stop_propagation();
    }

    fn go(self, index: usize) {
        self.active.set(index);
        // At once where it can be: the next key may come within this frame.
        let id = self.line_id(index);
        if !focus_now(&id) {
            focus_soon(id);
        }
    }

    /// Opens or closes a line. The lines are drawn anew, so the focus has to come back.
    fn toggle(self, expression: &str) {
        self.open.update(|open| {
            if !open.remove(expression) {
                open.insert(expression.to_owned());
            }
        });
        let at = self.lines.with_untracked(|lines| {
            let mut lines = lines.iter();
            lines.position(|line| line.expression == expression)
        });
        let at = at.unwrap_or_default();
        self.active.set(at);
        focus_soon(self.line_id(at));
    }

    fn take(self, index: usize) {
        let line = self.lines.with_untracked(|lines| lines.get(index).cloned());
        if let Some(line) = line {
            self.choose.run(line.expression);
        }
    }
}

/// Returns the lines of a tree in which some values are open.
fn opened(reach: &Arc<Reach>, open: &BTreeSet<String>) -> Vec<Line> {
    let mut lines = Vec::new();
    for source in reach.sources() {
        let has_inner = !source.members::<&str>(&[]).is_empty();
        let is_open = open.contains(&source.expression);
        lines.push(Line {
            expression: source.expression.clone(),
            label: source.title.clone(),
            help: source.kind.clone(),
            sample: if has_inner {
                String::new()
            } else {
                source.sample.as_ref().map(reach::short).unwrap_or_default()
            },
            is_example: false,
            level: 0,
            is_open: has_inner.then_some(is_open),
            icon: Some(source.icon.clone()),
        });
        if is_open {
            below(
                source,
                &mut Vec::new(),
                &source.expression,
                open,
                &mut lines,
            );
        }
    }
    lines
}

fn below(
    source: &Source,
    names: &mut Vec<String>,
    holder: &str,
    open: &BTreeSet<String>,
    lines: &mut Vec<Line>,
) {
    for member in source.members(names.as_slice()).into_iter().take(MOST) {
        let Member {
            name,
            written,
            title,
            sample,
            is_example,
        } = member;
        let expression = format!("{holder}{written}");
        let has_inner = sample.is_some_and(|sample| match sample {
            serde_json::Value::Object(map) => !map.is_empty(),
            serde_json::Value::Array(items) => !items.is_empty(),
            _ => false,
        });
        let is_open = open.contains(&expression);
        lines.push(Line {
            expression: expression.clone(),
            label: name.clone(),
            help: title.to_owned(),
            sample: sample.map(reach::short).unwrap_or_default(),
            is_example,
            level: names.len() + 1,
            is_open: has_inner.then_some(is_open),
            icon: None,
        });
        if has_inner && is_open {
            names.push(name);
            below(source, names, &expression, open, lines);
            names.pop();
        }
    }
}

/// Returns the lines of what a search finds.
fn found(reach: &Arc<Reach>, typed: &str) -> Vec<Line> {
    let found = reach.search(typed, MOST).into_iter();
    found
        .map(|value| Line {
            label: value.names.last().unwrap_or(&value.source.title).clone(),
            help: if value.names.is_empty() {
                value.source.kind.clone()
            } else {
                let way = &value.names[..value.names.len() - 1];
                let way = std::iter::once(value.source.title.as_str())
                    .chain(way.iter().map(String::as_str));
                way.collect::<Vec<_>>().join(" › ")
            },
            sample: value.sample.map(reach::short).unwrap_or_default(),
            expression: value.expression,
            is_example: false,
            level: 0,
            is_open: None,
            icon: Some(value.source.icon.clone()),
        })
        .collect()
}
