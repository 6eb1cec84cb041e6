//! The outline at the left: all of the document as a tree, with search; only the rows in view are
//! drawn. One stop of the Tab key: arrows walk and fold, Enter goes to the card.

use std::collections::BTreeSet;

use domain::document::Step;
use domain::tree::{Of, Row, rows};
use leptos::ev::KeyboardEvent;
use leptos::html::Div;
use leptos::prelude::*;

use super::super::selection::Selection;
use super::Builder;
use crate::design::icon::Icon;
use crate::design::in_place;

/// Height of a row, in pixels; the style has the same.
const ROW: f64 = 30.0;
/// How many rows are drawn beyond the edges.
const BEYOND: usize = 8;
/// Whether the outline is shown, as the browser remembers it.
const STORAGE_KEY: &str = "sluice.builder.outline";

/// The outline of one draft. A handle.
#[derive(Clone, Copy)]
pub(super) struct Outline {
    open: RwSignal<bool>,
    folded: RwSignal<BTreeSet<Of>>,
    typed: RwSignal<String>,
    /// The row that keys act on.
    active: RwSignal<Of>,
}

impl Outline {
    pub(super) fn new() -> Self {
        let storage = window().local_storage().ok().flatten();
        let kept = storage.and_then(|storage| storage.get_item(STORAGE_KEY).ok().flatten());
        Self {
            open: RwSignal::new(kept.as_deref() == Some("open")),
            folded: RwSignal::new(BTreeSet::new()),
            typed: RwSignal::new(String::new()),
            active: RwSignal::new(Of::Trigger),
        }
    }

    /// Shows or hides it.
    pub(super) fn toggle(self) {
        let is_open = !self.open.get_untracked();
        self.open.set(is_open);
        if let Some(storage) = window().local_storage().ok().flatten() {
            let _ = storage.set_item(STORAGE_KEY, if is_open { "open" } else { "closed" });
        }
        if is_open {
            crate::design::focus_soon("outline-search");
        }
    }

    fn set_folded(self, of: Of, fold: bool) {
        self.folded.update(|folded| {
            if fold {
                folded.insert(of);
            } else {
                folded.remove(&of);
            }
        });
    }
}

/// The button that shows and hides it.
pub(super) fn button(builder: Builder) -> impl IntoView {
    let outline = builder.outline;
    view! {
        <button
            type="button"
            class="button quiet icon-only"
            aria-label="Outline"
            title="Outline (Ctrl+B)"
            aria-expanded=move || outline.open.get().to_string()
            on:click=move |_| outline.toggle()
        >
            <Icon name="panel-left" />
        </button>
    }
}

pub(super) fn view(builder: Builder) -> impl IntoView {
    let outline = builder.outline;
    view! {
        <Show when=move || outline.open.get()>
            <nav class="outline" aria-label="Outline">
                <div class="outline-head">
                    <input
                        id="outline-search"
                        class="input"
                        type="search"
                        aria-label="Search the outline"
                        placeholder="Search steps…"
                        autocomplete="off"
                        prop:value=move || outline.typed.get()
                        on:input=move |event| outline.typed.set(event_target_value(&event))
                        on:keydown=move |event| leave_search(outline, &event)
                    />
                </div>
                {tree(builder)}
            </nav>
        </Show>
    }
}

/// Arrow down and Enter lead from the search into the tree.
fn leave_search(outline: Outline, event: &KeyboardEvent) {
    match event.key().as_str() {
        "ArrowDown" | "Enter" => crate::design::focus_soon("outline-tree"),
        "Escape" if !outline.typed.with_untracked(String::is_empty) => {
            outline.typed.set(String::new());
        }
        _ => return,
    }
    event.prevent_default();
}

fn tree(builder: Builder) -> impl IntoView {
    let outline = builder.outline;
    let all = Memo::new(move |_| {
        outline.folded.with(|folded| {
            let typed = outline.typed.get();
            builder
                .editor
                .structure(|document| rows(document, folded, &typed))
        })
    });
    let node = NodeRef::<Div>::new();
    let (top, height) = (RwSignal::new(0.0), RwSignal::new(800.0));
    let measure = move || {
        if let Some(node) = node.get_untracked() {
            top.set(f64::from(node.scroll_top()));
            height.set(f64::from(node.client_height()));
        }
    };
    Effect::new(move || {
        if node.get().is_some() {
            measure();
        }
    });
    let resized = window_event_listener(leptos::ev::resize, move |_| measure());
    on_cleanup(move || resized.remove());
    let reveal = move |place: usize| {
        let Some(node) = node.get_untracked() else {
            return;
        };
        let (row, seen) = (pixels(place), f64::from(node.client_height()));
        let now = f64::from(node.scroll_top());
        let wanted = now.min(row).max(row + ROW - seen);
        #[expect(clippy::cast_possible_truncation, reason = "a page is not that high")]
        if (wanted - now).abs() > 0.5 {
            node.set_scroll_top(wanted as i32);
        }
    };
    // What is selected elsewhere is shown here, when it has a row.
    Effect::new(move || {
        let of = of(builder.editor.selection.get());
        outline.active.set(of);
        let place = all.with_untracked(|all| all.iter().position(|row| row.of == of));
        if let Some(place) = place {
            reveal(place);
        }
    });
    let drawn = Memo::new(move |_| {
        all.with(|all| {
            let first = index(top.get()).saturating_sub(BEYOND);
            let last = (index(top.get() + height.get()) + BEYOND).min(all.len());
            let rows = all.get(first..last).unwrap_or_default();
            let rows = rows.iter().enumerate();
            rows.map(|(number, row)| (first + number, *row))
                .collect::<Vec<_>>()
        })
    });
    let list = NodeRef::<Div>::new();
    in_place(
        list,
        move || drawn.get(),
        move |(place, row)| item(builder, place, row).into_any(),
    );
    let is_drawn = move |of: Of| drawn.with(|rows| rows.iter().any(|(_, row)| row.of == of));
    view! {
        <div
            node_ref=node
            id="outline-tree"
            class="outline-tree"
            role="tree"
            aria-label="Steps"
            tabindex="0"
            aria-activedescendant=move || {
                let active = outline.active.get();
                is_drawn(active).then(|| row_id(active))
            }
            on:scroll=move |_| measure()
            on:keydown=move |event| {
                if let Some(place) = press(builder, all, &event) {
                    reveal(place);
                }
            }
        >
            <div node_ref=list class="outline-rows" role="presentation" style:block-size=move || format!("{}px", pixels(all.with(Vec::len)))>
            </div>
        </div>
        {move || all.with(Vec::is_empty).then(|| view! {
            <p class="empty" role="status">"No step is called like that."</p>
        })}
    }
}

/// Does what a key means in the tree; returns the place of the row to show then.
fn press(builder: Builder, all: Memo<Vec<Row>>, event: &KeyboardEvent) -> Option<usize> {
    if event.alt_key() || event.ctrl_key() || event.meta_key() {
        return None;
    }
    let outline = builder.outline;
    let all = all.get_untracked();
    let active = outline.active.get_untracked();
    let here = all.iter().position(|row| row.of == active).unwrap_or(0);
    let row = *all.get(here)?;
    let parent = all[..here]
        .iter()
        .rposition(|above| above.level < row.level);
    let to = match (event.key().as_str(), row.folded) {
        ("ArrowDown", _) => (here + 1).min(all.len() - 1),
        ("ArrowUp", _) => here.saturating_sub(1),
        ("Home", _) => 0,
        ("End", _) => all.len() - 1,
        ("ArrowRight", Some(true)) => {
            outline.set_folded(row.of, false);
            here
        }
        ("ArrowRight", Some(false)) => here + 1,
        ("ArrowLeft", Some(false)) => {
            outline.set_folded(row.of, true);
            here
        }
        ("ArrowLeft", _) => parent.unwrap_or(here),
        ("Enter", _) => {
            builder.go_to(selection(row.of));
            here
        }
        _ => return None,
    };
    event.prevent_default();
    event.stop_propagation();
    let of = all.get(to)?.of;
    builder.editor.selection.set(selection(of));
    // A lane is no selection of its own, but a row.
    outline.active.set(of);
    Some(to)
}

fn item(builder: Builder, place: usize, row: Row) -> impl IntoView {
    let outline = builder.outline;
    let of = row.of;
    let is_active = move || outline.active.get() == of;
    let is_selected = Memo::new(move |_| match of {
        Of::Lane(..) => false,
        of => builder.editor.selection.is(selection(of)),
    });
    let problems = Memo::new(move |_| match of {
        Of::Lane(..) => 0,
        of => builder.editor.problem_count_of(selection(of)),
    });
    let shown = Memo::new(move |_| match of {
        Of::Trigger => ("Trigger".to_owned(), "zap".to_owned()),
        Of::Step(id) => builder.editor.step(id, face).unwrap_or_default(),
        Of::Lane(id, lane) => {
            let lane = builder.editor.step(id, |step| {
                let lane = step.lanes.iter().find(|other| other.id == lane)?;
                Some((lane.name.clone(), "columns".to_owned()))
            });
            lane.flatten().unwrap_or_default()
        }
    });
    let fold = row.folded.map(|is_folded| {
        let icon = if is_folded {
            "chevron-right"
        } else {
            "chevron-down"
        };
        let toggle = move |event: leptos::ev::MouseEvent| {
            event.stop_propagation();
            outline.set_folded(of, !is_folded);
        };
        view! {
            <span class="outline-fold" on:click=toggle>
                <Icon name=icon />
            </span>
        }
    });
    let has_failed = move || match of {
        Of::Step(id) => builder.tests.record_of(id, |record| record.error.is_some()),
        _ => None,
    };
    view! {
        <div
            id=row_id(of)
            class="outline-row"
            class:is-active=is_active
            class:is-selected=move || is_selected.get()
            class:is-lane=matches!(of, Of::Lane(..))
            role="treeitem"
            attr:aria-level=row.level.to_string()
            attr:aria-posinset=row.place.0.to_string()
            attr:aria-setsize=row.place.1.to_string()
            aria-expanded=row.folded.map(|is_folded| (!is_folded).to_string())
            aria-selected=move || is_selected.get().to_string()
            style:inset-block-start=format!("{}px", pixels(place))
            style:padding-inline-start=format!("{}px", 8 + 14 * (row.level - 1))
            on:click=move |_| {
                builder.go_to(selection(of));
                outline.active.set(of);
            }
        >
            {fold}
            {move || view! { <Icon name=shown.get().1 /> }}
            <span class="outline-name">{move || shown.get().0}</span>
            {move || (problems.get() > 0).then(|| view! {
                <span class="outline-problems">
                    <Icon name="alert" />
                    <span class="visually-hidden">
                        {if problems.get() == 1 { "1 problem".to_owned() } else { format!("{} problems", problems.get()) }}
                    </span>
                </span>
            })}
            {move || (has_failed() == Some(true)).then(|| view! {
                <span class="outline-failed">
                    <Icon name="circle-x" />
                    <span class="visually-hidden">"Failed in the test"</span>
                </span>
            })}
        </div>
    }
}

/// The name and icon of a step.
fn face(step: &Step) -> (String, String) {
    let icon = step.action().map_or("alert", |action| &action.icon);
    (step.name.clone(), icon.to_owned())
}

const fn of(selection: Selection) -> Of {
    match selection {
        Selection::Trigger => Of::Trigger,
        Selection::Step(id) => Of::Step(id),
    }
}

/// What is selected with a row: with a lane, the step that has it.
const fn selection(of: Of) -> Selection {
    match of {
        Of::Trigger => Selection::Trigger,
        Of::Step(id) | Of::Lane(id, _) => Selection::Step(id),
    }
}

fn row_id(of: Of) -> String {
    match of {
        Of::Trigger => "outline-trigger".to_owned(),
        Of::Step(id) => format!("outline-{id}"),
        Of::Lane(id, lane) => format!("outline-{id}-{lane}"),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a document has few thousand rows"
)]
fn pixels(rows: usize) -> f64 {
    rows as f64 * ROW
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a place on the page"
)]
fn index(pixels: f64) -> usize {
    (pixels.max(0.0) / ROW) as usize
}
