//! The changes in reading order, one card or line under the other; what did not change is folded.

use std::collections::{BTreeMap, BTreeSet};

use domain::change::{RowKind, Target};
use domain::{LaneId, StepId, ThreadId};
use leptos::prelude::*;

use super::card::card;
use super::desk::{Desk, View};
use super::thread_box::thread_box;
use crate::design::icon::Icon;
use crate::{change, design};

/// Lines that are drawn at once; the others follow in pauses, so that a large change is there at
/// once and no frame waits for what is out of view.
const AT_ONCE: usize = 16;
/// Lines that each pause adds: so few that they fit between two frames.
const PER_PAUSE: usize = 2;
/// Deepest indentation that is drawn.
const DEEPEST: usize = 16;

/// A line of the outline as it is drawn.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Line {
    depth: usize,
    what: What,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum What {
    Card(Target),
    Lane(StepId, LaneId),
    /// Steps without changes, by the first of them.
    Fold(StepId),
    Ghost(StepId),
}

/// What a line about unchanged steps says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Fold {
    hidden: usize,
    quiet: usize,
    is_open: bool,
}

/// All lines, and what those about unchanged steps say.
#[derive(Clone, Debug, Default, PartialEq)]
struct Outline {
    lines: Vec<Line>,
    folds: BTreeMap<StepId, Fold>,
}

/// Draws the changes.
pub(super) fn view(desk: Desk) -> AnyView {
    let outline = Memo::new(move |_| outline(desk));
    let drawn = RwSignal::new(AT_ONCE);
    Effect::new(move || {
        if drawn.get() < outline.with(|outline| outline.lines.len()) {
            design::in_a_pause(move || {
                drawn.try_update(|drawn| *drawn += PER_PAUSE);
            });
        }
    });
    let shown = move || {
        outline.with(|outline| {
            let lines = outline.lines.iter().take(drawn.get());
            lines.cloned().collect::<Vec<_>>()
        })
    };
    let nothing = move || {
        desk.compare
            .shown
            .with(|shown| shown.changes.is_empty())
            .then(|| {
                view! { <p class="empty boxed">"Nothing differs between these two."</p> }
            })
    };
    view! {
        {nothing}
        <ol
            class="change-list"
            class:in-sides=move || desk.view.get() == View::Sides
            aria-label="Changes in the order of the flow"
        >
            <For each=shown key=|line| line.clone() children=move |line| untrack(|| row(desk, outline, line)) />
        </ol>
        {gone(desk)}
    }
    .into_any()
}

/// Returns the lines: what the comparison lists, with folds opened where someone asked for it or
/// threads hang.
fn outline(desk: Desk) -> Outline {
    let shown = desk.compare.shown.get();
    let everything = desk.everything.get();
    let unfolded = desk.unfolded.get();
    let talked = talked_of(desk);
    let mut lines = Vec::with_capacity(shown.rows.len() + 2);
    let mut folds = BTreeMap::new();
    let card = |target, depth| Line {
        depth,
        what: What::Card(target),
    };
    if !shown.rows.iter().any(|row| row.kind == RowKind::Trigger) {
        lines.push(card(Target::Trigger, 0));
    }
    for row in &shown.rows {
        let what = match &row.kind {
            RowKind::Trigger => What::Card(Target::Trigger),
            RowKind::Settings => What::Card(Target::Settings),
            RowKind::Step { id } => What::Card(Target::Step(*id)),
            RowKind::Lane { step, lane } => What::Lane(*step, *lane),
            RowKind::Ghost { id } => What::Ghost(*id),
            RowKind::Unchanged { steps, quiet } => {
                let Some(first) = steps.first() else { continue };
                let is_open = everything || unfolded.contains(first);
                let depth = |id: &StepId| {
                    let deeper = shown.depth(*id).saturating_sub(shown.depth(*first));
                    row.depth + 2 * deeper
                };
                let is_shown = |id: &StepId| {
                    is_open || talked.contains(&Target::Step(*id)) || unfolded.contains(id)
                };
                let hidden = steps.iter().filter(|id| !is_shown(id)).count();
                if !everything && (is_open || hidden > 0) {
                    let fold = Fold {
                        hidden: if is_open { steps.len() } else { hidden },
                        quiet: *quiet,
                        is_open,
                    };
                    folds.insert(*first, fold);
                    lines.push(Line {
                        depth: row.depth,
                        what: What::Fold(*first),
                    });
                }
                let shown = steps.iter().filter(|id| is_shown(id));
                lines.extend(shown.map(|id| card(Target::Step(*id), depth(id))));
                continue;
            }
        };
        lines.push(Line {
            depth: row.depth,
            what,
        });
    }
    let has_settings = lines
        .iter()
        .any(|line| line.what == What::Card(Target::Settings));
    if !has_settings && (everything || talked.contains(&Target::Settings)) {
        lines.push(card(Target::Settings, 0));
    }
    Outline { lines, folds }
}

/// Returns the targets on which someone wrote or writes.
fn talked_of(desk: Desk) -> BTreeSet<Target> {
    let mut talked = desk.threads.open_targets();
    talked.extend(desk.unsent.targets());
    talked.extend(desk.revealed.get());
    talked
}

fn row(desk: Desk, outline: Memo<Outline>, line: Line) -> AnyView {
    let depth = line.depth.min(DEEPEST).to_string();
    let content = match line.what {
        What::Card(target) => card(desk, target),
        What::Lane(step, lane) => lane_head(desk, step, lane),
        What::Fold(first) => fold(desk, outline, first),
        What::Ghost(id) => ghost(desk, id),
    };
    view! {
        <li class="change-line" data-depth=depth>
            {content}
        </li>
    }
    .into_any()
}

fn fold(desk: Desk, outline: Memo<Outline>, first: StepId) -> AnyView {
    let fold = Memo::new(move |_| {
        let fold = outline.with(|outline| outline.folds.get(&first).copied());
        fold.unwrap_or_default()
    });
    let words = move || {
        let Fold { hidden, quiet, .. } = fold.get();
        change::unchanged_words(hidden, quiet)
    };
    let toggle = move |_| {
        desk.unfolded.update(|unfolded| {
            if !unfolded.remove(&first) {
                unfolded.insert(first);
            }
        });
    };
    let is_open = Memo::new(move |_| fold.with(|fold| fold.is_open));
    view! {
        <button
            type="button"
            class="fold"
            data-toggle=""
            aria-expanded=move || is_open.get().to_string()
            on:click=toggle
        >
            {move || view! { <Icon name=if is_open.get() { "fold" } else { "unfold" } /> }}
            <span>{words}</span>
        </button>
    }
    .into_any()
}

fn lane_head(desk: Desk, step: StepId, lane: LaneId) -> AnyView {
    let head = Memo::new(move |_| {
        desk.compare
            .shown
            .with(|shown| shown.lane_words(step, lane))
    });
    let content = move || head.get().map(change::lane_line);
    view! { {content} }.into_any()
}

/// Draws the place at which a step stood that was moved.
fn ghost(desk: Desk, id: StepId) -> AnyView {
    let target = Target::Step(id);
    let name = Memo::new(move |_| desk.compare.shown.with(|shown| shown.name(target)));
    view! {
        <p class="ghost">
            <Icon name="move" />
            <span>{move || format!("“{}” stood here.", name.get())}</span>
            <button type="button" class="button quiet small" on:click=move |_| desk.go_to(target)>
                "Show where it is now"
            </button>
        </p>
    }
    .into_any()
}

/// Draws the threads on what is in neither document that is shown.
fn gone(desk: Desk) -> AnyView {
    let ids = Memo::new(move |_| {
        desk.compare.shown.with(|shown| {
            let all = desk.threads.all().into_iter();
            let gone = all.filter(|(_, place)| place.target.is_some_and(|t| !shown.has(t)));
            gone.map(|(id, _)| id).collect::<Vec<ThreadId>>()
        })
    });
    view! {
        {move || {
            ids.with(|ids| !ids.is_empty())
                .then(|| {
                    view! {
                        <section class="gone-threads" aria-labelledby="gone-threads">
                            <h3 id="gone-threads">"On steps that are not in these documents"</h3>
                            <For
                                each=move || ids.get()
                                key=|id| *id
                                children=move |id| thread_box(desk, id, false)
                            />
                        </section>
                    }
                })
        }}
    }
    .into_any()
}
