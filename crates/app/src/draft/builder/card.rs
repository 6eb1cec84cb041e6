//! Cards of the flow: one for the trigger, one for each step.

use domain::StepId;
use domain::catalog;
use domain::document::Step;
use domain::run::StepState;
use leptos::ev::PointerEvent;
use leptos::prelude::*;

use super::super::selection::Selection;
use super::canvas::{Detail, Placed, at};
use super::{Builder, TRIGGER_CARD, card_id, drag, keys, testing};
use crate::design::icon::Icon;
use crate::design::state::StepStateBadge;
use crate::design::time::duration;
use crate::design::told;
use crate::presence::{self, Presence};

pub(super) fn trigger(builder: Builder) -> impl IntoView {
    let kind = Memo::new(move |_| builder.editor.trigger().kind);
    let selected = Memo::new(move |_| builder.editor.selection.is(Selection::Trigger));
    let problems = Memo::new(move |_| builder.editor.problem_count_of(Selection::Trigger));
    let place = builder
        .canvas
        .layout
        .with_untracked(|layout| layout.trigger());
    view! {
        <div
            class="card card-trigger"
            class:is-selected=move || selected.get()
            style:translate=at(place)
        >
            <button
                class="card-main"
                type="button"
                id=TRIGGER_CARD
                tabindex=move || tab_index(selected.get())
                aria-current=move || selected.get().then_some("true")
                on:click=move |_| builder.editor.selection.set(Selection::Trigger)
                on:keydown=move |event| keys::on_card(builder, Selection::Trigger, &event)
            >
                {move || {
                    let kind = catalog::trigger(&kind.get());
                    view! {
                        <span class="card-icon"><Icon name=kind.map_or("alert", |kind| kind.icon.as_str()) /></span>
                        <span class="card-kind">"Trigger"</span>
                        <span class="card-name">{kind.map_or("Unknown trigger", |kind| kind.title.as_str())}</span>
                    }
                }}
                {move || problem_mark(problems.get())}
            </button>
        </div>
    }
}

/// What the card of a step shows of it.
#[derive(Clone, Debug, Default, PartialEq)]
struct Shown {
    name: String,
    /// What its action is called, and its icon.
    face: (String, String),
    holds_lanes: bool,
    is_selected: bool,
    leads: bool,
    /// More than one step is selected.
    several: bool,
    problems: usize,
    /// How its latest test went, and how long it took.
    test: Option<(StepState, Option<String>)>,
    is_pinned: bool,
    may_edit: bool,
    detail: Detail,
}

impl Shown {
    /// Returns what is shown now; told when that changes.
    fn of(builder: Builder, id: StepId) -> Self {
        let editor = builder.editor;
        let this = Selection::Step(id);
        let step = editor.step(id, |step| {
            (step.name.clone(), face(step), !step.lanes.is_empty())
        });
        let (name, face, holds_lanes) = step.unwrap_or_default();
        Self {
            name,
            face,
            holds_lanes,
            is_selected: editor.selection.is(this),
            leads: editor.selection.leads(this),
            several: editor.selection.count() > 1,
            problems: editor.problem_count_of(this),
            test: builder.tests.record_of(id, |record| {
                let took = record.finished_at.map(|end| end.since(record.started_at));
                (record.state, took.map(duration))
            }),
            is_pinned: builder.tests.is_pinned(id),
            may_edit: builder.may_edit.get(),
            detail: builder.canvas.detail.get(),
        }
    }

    fn is_full(&self) -> bool {
        self.detail == Detail::Full
    }
}

pub(super) fn step(
    builder: Builder,
    id: StepId,
    placed: ReadSignal<Option<Placed>>,
) -> impl IntoView {
    let shown = told(move || Shown::of(builder, id));
    let name = Memo::new(move |_| shown.with(|shown| shown.name.clone()));
    let selected = Memo::new(move |_| shown.with(|shown| shown.is_selected));
    let leads = Memo::new(move |_| shown.with(|shown| shown.leads));
    let several = Memo::new(move |_| shown.with(|shown| shown.several));
    let problems = Memo::new(move |_| shown.with(|shown| shown.problems));
    let holds = Memo::new(move |_| shown.with(|shown| shown.holds_lanes));
    let has_grip = Memo::new(move |_| shown.with(|shown| shown.is_full() && shown.may_edit));
    let has_fold = Memo::new(move |_| shown.with(|shown| shown.is_full() && shown.holds_lanes));
    let face = Memo::new(move |_| {
        shown.with(|shown| (shown.detail > Detail::Name).then(|| shown.face.clone()))
    });
    let is_pinned = Memo::new(move |_| shown.with(|shown| shown.is_pinned));
    let test = Memo::new(move |_| shown.with(|shown| shown.test.clone()));
    let card = Memo::new(move |_| placed.get().map(|placed| placed.card).unwrap_or_default());
    let folded = Memo::new(move |_| placed.get().and_then(|placed| placed.folded));
    let presence = expect_context::<Presence>();
    let press = move |event: PointerEvent| {
        // A finger on a card scrolls; it drags by the grip.
        if event.pointer_type() != "touch" && builder.may_edit.get_untracked() {
            drag::start_step(builder, id, &event);
        }
    };
    view! {
        <div
            class="card"
            class:is-selected=move || selected.get()
            class:is-leading=move || leads.get() && several.get()
            class:is-folded=move || folded.get().is_some()
            class:has-problems=move || { problems.get() > 0 }
            style:translate=move || at(card.get())
        >
            <Show when=move || has_grip.get()>{grip(builder, id, name)}</Show>
            <button
                class="card-main"
                type="button"
                id=card_id(id)
                tabindex=move || tab_index(leads.get())
                aria-current=move || leads.get().then_some("true")
                aria-pressed=move || (several.get() && selected.get()).then_some("true")
                aria-expanded=move || holds.get().then(|| folded.get().is_none().to_string())
                on:click=move |event| keys::on_click(builder, Selection::Step(id), &event)
                on:pointerdown=press
                on:keydown=move |event| keys::on_card(builder, Selection::Step(id), &event)
            >
                {move || {
                    let (title, icon) = face.get()?;
                    Some(view! {
                        <span class="card-icon"><Icon name=icon /></span>
                        <span class="card-kind">{title}{move || folded.get().map(inside)}</span>
                    })
                }}
                <span class="card-name">{move || name.get()}</span>
                {move || problem_mark(problems.get())}
                {move || is_pinned.get().then(testing::pin_mark)}
                {move || test.get().map(|(state, took)| view! {
                    <span class="card-test">
                        <StepStateBadge state />
                        <span class="card-took">{took}</span>
                    </span>
                })}
            </button>
            <Show when=move || has_fold.get()>{fold(builder, id, name, folded)}</Show>
            {presence::at_step(presence, id)}
        </div>
    }
}

/// Returns what the action of a step is called, and its icon.
fn face(step: &Step) -> (String, String) {
    match step.action() {
        Some(action) => (action.title.clone(), action.icon.clone()),
        None => ("Unknown action".to_owned(), "alert".to_owned()),
    }
}

fn grip(builder: Builder, id: StepId, name: Memo<String>) -> impl IntoView {
    view! {
        <button
            class="card-grip"
            type="button"
            tabindex="-1"
            aria-label=move || format!("Drag {}", name.get())
            on:pointerdown=move |event| {
                if !builder.editor.selection.holds(Selection::Step(id)) {
                    builder.editor.selection.set(Selection::Step(id));
                }
                drag::start_step(builder, id, &event);
            }
        >
            <Icon name="grip" />
        </button>
    }
}

fn fold(
    builder: Builder,
    id: StepId,
    name: Memo<String>,
    folded: Memo<Option<usize>>,
) -> impl IntoView {
    let label = move || {
        let verb = if folded.get().is_some() {
            "Unfold"
        } else {
            "Fold"
        };
        format!("{verb} {}", name.get())
    };
    view! {
        <button
            class="card-fold"
            type="button"
            tabindex="-1"
            aria-label=label
            title=label
            on:click=move |_| builder.canvas.toggle_fold(id)
        >
            <Icon name="chevron-down" />
        </button>
    }
}

/// Says how many steps are folded away.
fn inside(count: usize) -> String {
    match count {
        1 => " · 1 step inside".to_owned(),
        count => format!(" · {count} steps inside"),
    }
}

/// The flow is one stop of the Tab key, at what is selected; arrows go on from there.
const fn tab_index(is_selected: bool) -> &'static str {
    if is_selected { "0" } else { "-1" }
}

fn problem_mark(count: usize) -> Option<impl IntoView> {
    (count > 0).then(|| {
        let text = if count == 1 {
            "1 problem".to_owned()
        } else {
            format!("{count} problems")
        };
        view! { <span class="card-problems"><Icon name="alert" />{text}</span> }
    })
}
