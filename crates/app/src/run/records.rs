//! What each step of a run did, in the order of the document, round by round inside loops.

use std::collections::{BTreeMap, BTreeSet};

use domain::call::{self, Called};
use domain::catalog::Container;
use domain::code::{ConsoleLine, Level};
use domain::document::{Document, Lane, Step};
use domain::run::{RunDetail, RunState, StepPath, StepRecord, StepState};
use domain::{StepId, limit};
use leptos::prelude::*;
use serde_json::Value;

use crate::call::link;
use crate::design::icon::Icon;
use crate::design::json::JsonView;
use crate::design::state::{StepStateBadge, step_title};
use crate::design::time::duration;
use crate::design::unique;

/// The records of a run as a tree that follows the document.
#[component]
pub fn RecordTree(
    /// The run; may change as it goes on.
    #[prop(into)]
    detail: Signal<RunDetail>,
) -> impl IntoView {
    let records = Memo::new(move |_| {
        detail.with(|detail| {
            let all = detail.records.iter();
            all.map(|record| (record.path.clone(), record.clone()))
                .collect::<BTreeMap<_, _>>()
        })
    });
    let tree = Tree {
        records,
        state: Memo::new(move |_| detail.with(|detail| detail.summary.state)),
        calls: Memo::new(move |_| detail.with(|detail| detail.calls.clone())),
        open: RwSignal::new(BTreeSet::new()),
    };
    // The rows stay while the run goes on: only another document draws them anew.
    let hash = Memo::new(move |_| detail.with(|detail| detail.hash.clone()));
    move || {
        hash.track();
        detail.with_untracked(|detail| {
            if detail.document.flow.is_empty() {
                view! { <p class="quiet-text">"There are no steps."</p> }.into_any()
            } else {
                tree.steps(&detail.document, &detail.document.flow, &[])
            }
        })
    }
}

#[derive(Clone, Copy)]
struct Tree {
    records: Memo<BTreeMap<StepPath, StepRecord>>,
    state: Memo<RunState>,
    calls: Memo<Vec<Called>>,
    open: RwSignal<BTreeSet<StepPath>>,
}

impl Tree {
    fn steps(self, document: &Document, ids: &[StepId], rounds: &[u32]) -> AnyView {
        let steps = ids.iter().filter_map(|id| document.steps.get(id));
        let rows = steps.map(|step| self.step(document, step, rounds));
        view! { <ol class="record-steps">{rows.collect::<Vec<_>>()}</ol> }.into_any()
    }

    fn step(self, document: &Document, step: &Step, rounds: &[u32]) -> AnyView {
        // A document is a tree, but what is read is not trusted to be one.
        if rounds.len() > limit::DEPTH {
            return ().into_any();
        }
        let action = step.action();
        let inside = match action.and_then(|action| action.container) {
            Some(Container::Branch | Container::Try | Container::Parallel) => {
                let lanes = step
                    .lanes
                    .iter()
                    .map(|lane| self.lane(document, lane, rounds));
                lanes.collect::<Vec<_>>().into_any()
            }
            Some(Container::Loop) => self.rounds(document, step, rounds),
            None => ().into_any(),
        };
        let path = StepPath {
            step: step.id,
            rounds: rounds.to_vec(),
        };
        let calls = (step.kind == call::STEP).then(|| self.called_by(path.clone()));
        let has_logic = step
            .declared()
            .is_some_and(|declared| declared.operation().has_logic());
        let asked = has_logic.then(|| self.asked_by(path.clone()));
        view! {
            <li>
                {self.row(step, path)}
                {calls}
                {asked}
                {inside}
            </li>
        }
        .into_any()
    }

    /// Draws links to the runs that a step called.
    fn called_by(self, path: StepPath) -> AnyView {
        let calls = Memo::new(move |_| {
            self.calls.with(|calls| {
                let of_step = calls.iter().filter(|called| called.is_by(&path));
                of_step.cloned().collect::<Vec<_>>()
            })
        });
        (move || calls.with(|calls| link::calls(calls))).into_any()
    }

    fn lane(self, document: &Document, lane: &Lane, rounds: &[u32]) -> AnyView {
        view! {
            <div class="record-lane">
                <p class="outline-lane-head">
                    <strong>{lane.name.clone()}</strong>
                </p>
                {self.steps(document, &lane.steps, rounds)}
            </div>
        }
        .into_any()
    }

    /// Draws the requests that the component of a step asked for.
    fn asked_by(self, path: StepPath) -> AnyView {
        let (of, depth) = (path.clone(), path.rounds.len());
        let count = Memo::new(move |_| {
            self.records.with(|records| {
                let own = records.keys().filter(|own| {
                    own.step == of.step
                        && own.rounds.len() == depth + 1
                        && own.rounds.starts_with(&of.rounds)
                });
                own.count()
            })
        });
        let rows = move || {
            let numbers = 0..u32::try_from(count.get()).unwrap_or(0);
            let rows = numbers.map(|number| {
                let mut path = path.clone();
                path.rounds.push(number);
                let title = self.records.with_untracked(|records| {
                    let input = &records.get(&path)?.input;
                    let text = |name: &str| input.get(name).and_then(Value::as_str);
                    Some(format!("{} {}", text("method")?, text("url")?))
                });
                let name = format!("Request {}", number + 1);
                view! { <li>{self.row_of("arrow-right", name, title.unwrap_or_default(), path)}</li> }
            });
            rows.collect::<Vec<_>>()
        };
        view! {
            <div class="record-lane" hidden=move || count.get() == 0>
                <ol class="record-steps" aria-label="Requests of the component">{rows}</ol>
            </div>
        }
        .into_any()
    }

    fn row(self, step: &Step, path: StepPath) -> AnyView {
        let action = step.action();
        let icon = action.map_or("circle-dot", |action| action.icon.as_str());
        let title = action
            .map_or(step.kind.as_str(), |action| action.title.as_str())
            .to_owned();
        self.row_of(icon, step.name.clone(), title, path)
    }

    fn row_of(self, icon: &str, name: String, title: String, path: StepPath) -> AnyView {
        let icon = icon.to_owned();
        let record = {
            let path = path.clone();
            Memo::new(move |_| self.records.with(|records| records.get(&path).cloned()))
        };
        let has_more = Memo::new(move |_| record.with(|r| r.as_ref().is_some_and(has_details)));
        let is_open = {
            let path = path.clone();
            Memo::new(move |_| has_more.get() && self.open.with(|open| open.contains(&path)))
        };
        let toggle = move |_| {
            self.open.update(|open| {
                if !open.remove(&path) {
                    open.insert(path.clone());
                }
            });
        };
        let panel = unique("record");
        let head = view! {
            <span class="tile small">
                <Icon name=icon />
            </span>
            <span class="record-name">
                <strong>{name}</strong>
                <span class="quiet-text">{title}</span>
            </span>
            <span class="record-state">{move || self.standing(record)}</span>
        };
        view! {
            <div class="record">
                <button
                    type="button"
                    class="record-head"
                    aria-expanded=move || is_open.get().to_string()
                    aria-controls=panel.clone()
                    disabled=move || !has_more.get()
                    on:click=toggle
                >
                    {head}
                    <Icon name="chevron-down" />
                </button>
                <div class="record-body" id=panel hidden=move || !is_open.get()>
                    {move || is_open.get().then(|| record.get().map(|record| details(&record)))}
                </div>
            </div>
        }
        .into_any()
    }

    fn standing(self, record: Memo<Option<StepRecord>>) -> AnyView {
        match record.get() {
            Some(record) => {
                let took = record
                    .finished_at
                    .map(|end| duration(end.since(record.started_at)));
                let attempts =
                    (record.attempts > 1).then(|| format!("{} attempts", record.attempts));
                // A container whose content failed has no end of its own.
                let has_stopped = self.state.get().is_finished()
                    && matches!(record.state, StepState::Started | StepState::Waiting);
                let badge = if has_stopped {
                    view! {
                        <span class="badge state" data-state="canceled">
                            <Icon name="circle-slash" />
                            "Not finished"
                        </span>
                    }
                    .into_any()
                } else {
                    view! { <StepStateBadge state=record.state /> }.into_any()
                };
                view! {
                    <span class="quiet-text number">{attempts}</span>
                    <span class="quiet-text number">{took}</span>
                    {badge}
                }
                .into_any()
            }
            None => {
                let words = if self.state.get().is_finished() {
                    "Not run"
                } else {
                    "Not yet"
                };
                view! { <span class="badge plain">{words}</span> }.into_any()
            }
        }
    }

    /// Draws one round of a loop, and the choice of the round. The first failed one is shown at
    /// first, so that nobody has to look for it.
    fn rounds(self, document: &Document, step: &Step, outer: &[u32]) -> AnyView {
        let Some(lane) = step.lanes.first() else {
            return ().into_any();
        };
        let inside: BTreeSet<StepId> = document.subtree(step.id).into_iter().skip(1).collect();
        let prefix = outer.to_vec();
        let states = Memo::new(move |_| {
            self.records
                .with(|records| round_states(records, &inside, &prefix))
        });
        let chosen = RwSignal::new(None::<u32>);
        let shown = Memo::new(move |_| {
            let failed = states.with(|states| {
                let mut failed = states
                    .iter()
                    .filter(|(_, state)| **state == StepState::Failed);
                failed.next().map(|(round, _)| *round)
            });
            chosen.get().or(failed).unwrap_or(0)
        });
        let count = Memo::new(move |_| {
            states.with(|states| states.keys().last().map_or(0, |last| last + 1))
        });
        let (document, steps, outer) = (document.clone(), lane.steps.clone(), outer.to_vec());
        let name = step.name.clone();
        let body = move || {
            if count.get() == 0 {
                return view! { <p class="quiet-text">"No round yet"</p> }.into_any();
            }
            let mut rounds = outer.clone();
            rounds.push(shown.get());
            self.steps(&document, &steps, &rounds)
        };
        view! {
            <div class="record-lane">
                {move || (count.get() > 1).then(|| round_choice(&name, count, shown, states, chosen))}
                {body}
            </div>
        }
        .into_any()
    }
}

/// Returns how far each round of a loop is: failed before waiting before succeeded.
fn round_states(
    records: &BTreeMap<StepPath, StepRecord>,
    inside: &BTreeSet<StepId>,
    outer: &[u32],
) -> BTreeMap<u32, StepState> {
    let mut states = BTreeMap::new();
    for (path, record) in records {
        let is_here = path.rounds.starts_with(outer) && inside.contains(&path.step);
        let Some(round) = path.rounds.get(outer.len()).filter(|_| is_here) else {
            continue;
        };
        let state = states.entry(*round).or_insert(record.state);
        if severity(record.state) > severity(*state) {
            *state = record.state;
        }
    }
    states
}

const fn severity(state: StepState) -> u8 {
    match state {
        StepState::Succeeded => 0,
        StepState::Started => 1,
        StepState::Waiting => 2,
        StepState::InDoubt => 3,
        StepState::Failed => 4,
    }
}

fn round_choice(
    name: &str,
    count: Memo<u32>,
    shown: Memo<u32>,
    states: Memo<BTreeMap<u32, StepState>>,
    chosen: RwSignal<Option<u32>>,
) -> AnyView {
    let id = unique("round");
    let option = move |round: u32| {
        let state = states.with(|states| states.get(&round).copied());
        let word = state
            .filter(|state| *state != StepState::Succeeded)
            .map(step_title);
        let word = word.map_or_else(String::new, |word| format!(": {}", word.to_lowercase()));
        view! {
            <option value=round.to_string() prop:selected=move || shown.get() == round>
                {format!("{} of {}{word}", round + 1, count.get())}
            </option>
        }
    };
    let to = move |round: u32| chosen.set(Some(round));
    view! {
        <div class="round-choice">
            <label for=id.clone()>"Round"</label>
            <button
                type="button"
                class="button small icon-only"
                aria-label=format!("Round before, of {name}")
                disabled=move || shown.get() == 0
                on:click=move |_| to(shown.get_untracked().saturating_sub(1))
            >
                <Icon name="chevron-left" />
            </button>
            <select
                id=id
                class="input"
                on:change=move |event| {
                    if let Ok(round) = event_target_value(&event).parse() {
                        to(round);
                    }
                }
            >
                {move || (0..count.get()).map(option).collect::<Vec<_>>()}
            </select>
            <button
                type="button"
                class="button small icon-only"
                aria-label=format!("Round after, of {name}")
                disabled=move || shown.get() + 1 >= count.get()
                on:click=move |_| to(shown.get_untracked() + 1)
            >
                <Icon name="chevron-right" />
            </button>
        </div>
    }
    .into_any()
}

fn has_details(record: &StepRecord) -> bool {
    record.error.is_some()
        || !record.console.is_empty()
        || !record.input.is_null()
        || !record.output.is_null()
}

fn details(record: &StepRecord) -> AnyView {
    let part = |title: &'static str, value: &Value| {
        (!value.is_null()).then(|| {
            view! {
                <h3>{title}</h3>
                <JsonView value=Signal::stored(value.clone()) name=title.to_lowercase() />
            }
        })
    };
    view! {
        {record.error.clone().map(|error| view! { <p class="run-error">{error}</p> })}
        {part("Input", &record.input)}
        {console(&record.console)}
        {part("Output", &record.output)}
    }
    .into_any()
}

/// Draws what the code of a step wrote to its console, if it did.
pub(crate) fn console(lines: &[ConsoleLine]) -> Option<AnyView> {
    let line = |line: &ConsoleLine| {
        let (key, title) = match line.level {
            Level::Debug => ("debug", "Debug"),
            Level::Info => ("info", "Info"),
            Level::Warning => ("warning", "Warning"),
            Level::Error => ("error", "Error"),
        };
        view! {
            <li data-level=key>
                <span class="console-level">{title}</span>
                <code>{line.text.clone()}</code>
            </li>
        }
    };
    (!lines.is_empty()).then(|| {
        view! {
            <h3>"Console"</h3>
            <ol class="console" aria-label="Console">
                {lines.iter().map(line).collect::<Vec<_>>()}
            </ol>
        }
        .into_any()
    })
}
