//! The lanes of a container step, in its panel: names, conditions, order.

use domain::catalog::Container;
use domain::document::Lane;
use domain::edit::Edit;
use domain::{LaneId, StepId, limit};
use leptos::ev::MouseEvent;
use leptos::prelude::*;
use uuid::Uuid;

use super::super::selection::Selection;
use super::{Builder, labelled};
use crate::design::icon::Icon;
use crate::design::schema_form::Condition;
use crate::presence;

pub(super) fn view(builder: Builder, id: StepId, container: Container) -> Option<AnyView> {
    match container {
        Container::Branch => {
            let about =
                "The first lane whose condition holds runs; the else lane runs when none does.";
            Some(lanes(builder, id, about, Some(String::new())).into_any())
        }
        Container::Parallel => {
            let about = "All lanes run beside each other. A lane does not see what another one does; behind them, its last output is found under its name.";
            Some(lanes(builder, id, about, None).into_any())
        }
        Container::Try => Some(what_is_caught(builder, id).into_any()),
        Container::Loop => None,
    }
}

/// Says what a try does with a failure: its lanes are always the same two.
fn what_is_caught(builder: Builder, id: StepId) -> impl IntoView {
    let slug = move || builder.editor.step(id, |step| step.slug.clone());
    view! {
        <p class="panel-help">
            "When a step of the first lane fails, the second lane runs and sees why in "
            <code>{move || format!("steps.{}.error", slug().unwrap_or_default())}</code>
            ": step, name, message and code. Then the run goes on, unless “Stop with error” ends it."
        </p>
        <p class="panel-help">
            "A request of which nobody knows whether it arrived is not a failure: it ends the run, so that someone can look. So do a cancel and the time limit."
        </p>
    }
}

/// Draws the lanes, and how to add one: with the condition `when`, if its kind has conditions.
fn lanes(builder: Builder, id: StepId, about: &'static str, when: Option<String>) -> impl IntoView {
    let editor = builder.editor;
    let lanes = Memo::new(move |_| {
        let lanes = editor.step(id, |step| {
            let lanes = step.lanes.iter().map(|lane| lane.id);
            lanes.collect::<Vec<_>>()
        });
        lanes.unwrap_or_default()
    });
    let add = move |_: MouseEvent| {
        let (index, number) = editor.read(|document| {
            let lanes = document
                .steps
                .get(&id)
                .map(|step| step.lanes.as_slice())
                .unwrap_or_default();
            // Behind those that have the same, so before the else lane of a branch.
            let alike = lanes
                .iter()
                .rposition(|lane| lane.when.is_some() == when.is_some());
            let index = alike.map_or(0, |index| index + 1);
            (index, free_number(lanes))
        });
        let lane = Lane {
            id: LaneId(Uuid::now_v7()),
            name: lane_name(number),
            when: when.clone(),
            steps: Vec::new(),
        };
        builder.explain(editor.act(Edit::AddLane {
            step: id,
            lane,
            index,
        }));
    };
    view! {
        <section class="panel-lanes" aria-label="Lanes">
            <h3 class="panel-section">"Lanes"</h3>
            <p class="panel-help">{about}</p>
            <For each=move || lanes.get() key=|lane| *lane children=move |lane| one(builder, id, lane) />
            <button
                type="button"
                class="button"
                prop:disabled=move || { lanes.with(Vec::len) >= limit::LANES }
                on:click=add
            >
                <Icon name="plus" /> "Add lane"
            </button>
        </section>
    }
}

/// Returns the number of a new lane whose name no other has.
fn free_number(lanes: &[Lane]) -> usize {
    let is_taken = |number: &usize| lanes.iter().any(|lane| lane.name == lane_name(*number));
    let from = lanes.len() + 1;
    (from..).find(|number| !is_taken(number)).unwrap_or(from)
}

fn lane_name(number: usize) -> String {
    format!("Lane {number}")
}

fn one(builder: Builder, id: StepId, lane: LaneId) -> impl IntoView {
    let editor = builder.editor;
    let now = Memo::new(move |_| {
        let now = editor.step(id, |step| {
            let lane = step.lanes.iter().find(|l| l.id == lane)?;
            Some((lane.name.clone(), lane.when.clone()))
        });
        now.flatten()
    });
    let shown = move || now.get().unwrap_or_default();
    let set = move |name: String, when: Option<String>| {
        builder.explain(editor.type_into(Edit::SetLane {
            step: id,
            lane,
            name,
            when,
        }));
    };
    let problem = move |field: &'static str| {
        let problems = editor.problems_of(Selection::Step(id));
        let here = |p: &domain::validate::Problem| {
            p.at.lane == Some(lane) && p.at.field.as_deref() == Some(field)
        };
        problems
            .into_iter()
            .find(here)
            .map(|p| format!("{} {}", p.message, p.mend))
    };
    let move_to = move |down: bool| {
        let index = editor.read(|document| {
            let here = document
                .steps
                .get(&id)?
                .lanes
                .iter()
                .position(|l| l.id == lane)?;
            if down {
                Some(here + 1)
            } else {
                here.checked_sub(1)
            }
        });
        if let Some(index) = index {
            builder.explain(editor.act(Edit::MoveLane {
                step: id,
                lane,
                index,
            }));
        }
    };
    let is_branch = move || {
        let kind = editor.step(id, |step| step.kind == "branch");
        kind.unwrap_or_default()
    };
    let name = move || shown().0;
    let mark = format!("@{lane}");
    view! {
        <div class="panel-lane" data-field=mark.clone()>
            {presence::in_field(&mark)}
            <div class="panel-lane-head">
                <input
                    class="input"
                    type="text"
                    aria-label="Name of the lane"
                    prop:value=name
                    on:input=move |event| set(event_target_value(&event), shown().1)
                    on:blur=move |_| editor.end_gesture()
                />
                <button type="button" class="button quiet icon-only" aria-label=move || format!("Move lane {} up", name()) on:click=move |_| move_to(false)>
                    <Icon name="arrow-up" />
                </button>
                <button type="button" class="button quiet icon-only" aria-label=move || format!("Move lane {} down", name()) on:click=move |_| move_to(true)>
                    <Icon name="arrow-down" />
                </button>
                <button
                    type="button"
                    class="button quiet icon-only"
                    aria-label=move || format!("Delete lane {}", name())
                    on:click=move |_| builder.explain(editor.act(Edit::DeleteLane { step: id, lane }))
                >
                    <Icon name="trash" />
                </button>
            </div>
            {move || problem("name").map(|text| view! { <p class="field-problem">{text}</p> })}
            <Show
                when=move || now.get().is_some_and(|(_, when)| when.is_some())
                fallback=move || {
                    is_branch().then(|| view! { <p class="panel-help">"Else: runs when no other lane does."</p> })
                }
            >
                <div on:focusout=move |_| editor.end_gesture()>
                    {labelled("Runs when", "", Signal::derive(move || problem("when")), move |id| Condition {
                        id,
                        title: "Runs when".to_owned(),
                        value: Signal::derive(move || shown().1.unwrap_or_default()),
                        emit: Callback::new(move |when| set(shown().0, Some(when))),
                        is_invalid: Signal::derive(move || problem("when").is_some()),
                        placeholder: "trigger.body.total > 100",
                    }.draw())}
                </div>
            </Show>
        </div>
    }
}
