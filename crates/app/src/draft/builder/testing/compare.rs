//! Two tests of a draft beside each other, step by step: the same, or what differs.

use std::collections::BTreeMap;

use domain::run::{RunDetail, RunOf, RunSummary, StepPath, StepRecord};
use domain::{Document, RunId};
use leptos::prelude::*;
use leptos::task::spawn_local;
use serde_json::Value;

use super::Tests;
use crate::change::{FieldLook, Shape, value};
use crate::design::icon::Icon;
use crate::design::time::{duration, exact};
use crate::design::toast;
use crate::draft::api;
use crate::run::api::read_run;

/// Steps that are listed at most; a loop may have thousands of rounds.
const SHOWN: usize = 200;

/// The choice of another test, and what differs from it.
pub(super) fn view(tests: Tests) -> impl IntoView {
    let others: RwSignal<Vec<RunSummary>> = RwSignal::new(Vec::new());
    let other: RwSignal<Option<RunDetail>> = RwSignal::new(None);
    let latest = Memo::new(move |_| {
        let latest = tests.latest.detail()?;
        latest
            .summary
            .state
            .is_finished()
            .then_some(latest.summary.id)
    });
    Effect::new(move || {
        let Some(latest) = latest.get() else { return };
        spawn_local(async move {
            if let Ok(mut found) = api::tests(tests.draft).await {
                found.retain(|test| test.id != latest && test.state.is_finished());
                others.try_set(found);
            }
        });
    });
    let choose = move |event| {
        let Ok(id) = event_target_value(&event).parse::<RunId>() else {
            other.set(None);
            return;
        };
        spawn_local(async move {
            match read_run(id).await {
                Ok(detail) => {
                    other.try_set(Some(detail));
                }
                Err(fault) => toast::say_fault(&fault),
            }
        });
    };
    let option = |test: RunSummary| {
        let revision = match test.of {
            RunOf::Test(_, revision) => format!("revision {revision}, "),
            RunOf::Version(_) => String::new(),
        };
        let at = exact(test.created_at);
        let text = format!("{revision}{at}, {}", test.state.title().to_lowercase());
        view! { <option value=test.id.to_string()>{text}</option> }
    };
    move || {
        (latest.get().is_some() && others.with(|others| !others.is_empty())).then(|| {
            view! {
                <section class="test-compare" aria-label="Compare tests">
                    <label class="test-compare-choice">
                        "Compare with "
                        <select class="input" on:change=choose>
                            <option value="">"no other test"</option>
                            {others.get().into_iter().map(option).collect_view()}
                        </select>
                    </label>
                    {move || other.get().zip(tests.latest.detail()).map(|(before, after)| compared(&before, &after))}
                </section>
            }
        })
    }
}

/// Draws what differs from an earlier test to a later one.
fn compared(before: &RunDetail, after: &RunDetail) -> AnyView {
    let earlier: BTreeMap<&StepPath, &StepRecord> = before
        .records
        .iter()
        .map(|record| (&record.path, record))
        .collect();
    let later: BTreeMap<&StepPath, &StepRecord> = after
        .records
        .iter()
        .map(|record| (&record.path, record))
        .collect();
    let mut lines: Vec<AnyView> = Vec::new();
    let mut same = 0_usize;
    for record in &after.records {
        match earlier.get(&record.path) {
            Some(old) if is_same(old, record) => same += 1,
            old => lines.push(line(&after.document, old.copied(), Some(record))),
        }
    }
    for record in &before.records {
        if !later.contains_key(&record.path) {
            lines.push(line(&before.document, Some(record), None));
        }
    }
    let differ = lines.len();
    let said = match (differ, same) {
        (0, same) => format!("All {same} steps did the same."),
        (differ, same) => format!("{differ} differ, {same} are the same."),
    };
    lines.truncate(SHOWN);
    let more = differ - lines.len();
    view! {
        <p class="panel-help" role="status">{said}</p>
        <ul class="test-differences">{lines}</ul>
        {(more > 0).then(|| view! { <p class="panel-help">{format!("… and {more} more.")}</p> })}
    }
    .into_any()
}

/// Returns whether a step did the same in both; how long it took does not count, nor whether its
/// input was recorded.
fn is_same(before: &StepRecord, after: &StepRecord) -> bool {
    let has_both = !before.input.is_null() && !after.input.is_null();
    before.state == after.state
        && (!has_both || before.input == after.input)
        && before.output == after.output
        && before.error == after.error
}

fn line(document: &Document, before: Option<&StepRecord>, after: Option<&StepRecord>) -> AnyView {
    let Some(path) = before.or(after).map(|record| &record.path) else {
        return ().into_any();
    };
    let name = document.steps.get(&path.step).map(|step| step.name.clone());
    let rounds: String = path
        .rounds
        .iter()
        .map(|round| format!(", round {}", round + 1))
        .collect();
    let what = match (before, after) {
        (None, _) => "runs now, did not before",
        (_, None) => "ran before, does not now",
        (Some(before), Some(after)) if before.state != after.state => "ended in another way",
        _ => "did something else",
    };
    let took = |record: Option<&StepRecord>| {
        let record = record?;
        Some(duration(record.finished_at?.since(record.started_at)))
    };
    let times = took(before)
        .zip(took(after))
        .map(|(before, after)| format!("{before} → {after}"));
    let part = |title: &'static str, read: fn(&StepRecord) -> Value| {
        let (old, new) = (before.map(read), after.map(read));
        let is_shown = old != new && before.is_some() && after.is_some();
        is_shown.then(|| {
            view! {
                <h4 class="panel-test-title">{title}</h4>
                {difference(title, old, new)}
            }
        })
    };
    view! {
        <li>
            <p class="test-difference">
                <Icon name="compare" />
                <strong>{name.unwrap_or_else(|| "A step".to_owned())}{rounds}</strong>
                <span>{what}</span>
                <span class="quiet-text">{times}</span>
            </p>
            {part("Input", |record| record.input.clone())}
            {part("Output", |record| record.output.clone())}
            {part("Error", |record| record.error.clone().into())}
        </li>
    }
    .into_any()
}

/// Draws how a value differs, as the review page does.
fn difference(title: &str, before: Option<Value>, after: Option<Value>) -> AnyView {
    let look = FieldLook {
        title: title.to_owned(),
        shape: Shape::Code,
        before: before.filter(|value| !value.is_null()),
        after: after.filter(|value| !value.is_null()),
        is_changed: true,
        remark: None,
    };
    value::draw(&look, false, &[])
}
