//! Cards of the flow: one for the trigger, one for each step.

use domain::StepId;
use domain::catalog;
use domain::document::Step;
use leptos::ev::PointerEvent;
use leptos::prelude::*;

use super::super::selection::Selection;
use super::canvas::{Detail, Placed, at};
use super::{Builder, TRIGGER_CARD, card_id, drag, keys, testing};
use crate::design::icon::Icon;
use crate::design::state::StepStateBadge;
use crate::design::time::duration;
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

pub(super) fn step(builder: Builder, id: StepId, placed: Memo<Option<Placed>>) -> impl IntoView {
    let canvas = builder.canvas;
    let shown = Memo::new(move |_| {
        builder
            .editor
            .step(id, |step| {
                (step.name.clone(), face(step), !step.lanes.is_empty())
            })
            .unwrap_or_default()
    });
    let selected = Memo::new(move |_| builder.editor.selection.is(Selection::Step(id)));
    let leads = Memo::new(move |_| builder.editor.selection.leads(Selection::Step(id)));
    let several = Memo::new(move |_| builder.editor.selection.count() > 1);
    let problems = Memo::new(move |_| builder.editor.problem_count_of(Selection::Step(id)));
    let card = Memo::new(move |_| placed.get().map(|placed| placed.card).unwrap_or_default());
    let folded = Memo::new(move |_| placed.get().and_then(|placed| placed.folded));
    let holds = Memo::new(move |_| shown.with(|(.., holds)| *holds));
    let is_full = move || canvas.detail.get() == Detail::Full;
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
            <Show when=move || is_full() && builder.may_edit.get()>{grip(builder, id, shown)}</Show>
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
                    let (title, icon) = shown.with(|(_, face, _)| face.clone());
                    (canvas.detail.get() > Detail::Name).then(|| view! {
                        <span class="card-icon"><Icon name=icon /></span>
                        <span class="card-kind">{title}{move || folded.get().map(inside)}</span>
                    })
                }}
                <span class="card-name">{move || shown.with(|(name, ..)| name.clone())}</span>
                {move || problem_mark(problems.get())}
                {testing::pin_mark(builder, id)}
                {move || builder.tests.record_of(id, |record| {
                    let took = record.finished_at.map(|end| duration(end.since(record.started_at)));
                    view! {
                        <span class="card-test">
                            <StepStateBadge state=record.state />
                            <span class="card-took">{took}</span>
                        </span>
                    }
                })}
            </button>
            <Show when=move || is_full() && holds.get()>{fold(builder, id, shown, folded)}</Show>
            {presence::at_step(presence, id)}
        </div>
    }
}

/// The name of a step, title and icon of its action, and whether it holds steps.
type Shown = Memo<(String, (String, String), bool)>;

/// Returns what the action of a step is called, and its icon.
fn face(step: &Step) -> (String, String) {
    match step.action() {
        Some(action) => (action.title.clone(), action.icon.clone()),
        None => ("Unknown action".to_owned(), "alert".to_owned()),
    }
}

fn grip(builder: Builder, id: StepId, shown: Shown) -> impl IntoView {
    view! {
        <button
            class="card-grip"
            type="button"
            tabindex="-1"
            aria-label=move || shown.with(|(name, ..)| format!("Drag {name}"))
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

fn fold(builder: Builder, id: StepId, shown: Shown, folded: Memo<Option<usize>>) -> impl IntoView {
    let label = move || {
        let verb = if folded.get().is_some() {
            "Unfold"
        } else {
            "Fold"
        };
        shown.with(|(name, ..)| format!("{verb} {name}"))
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
