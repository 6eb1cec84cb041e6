//! Calls: one integration starts a run of another one.
//!
//! What is called is always what is live of an integration whose trigger is “Call”. A run that was
//! called can call further; how deep that goes is bounded, so that a circle ends.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use thiserror::Error;

use crate::document::{Document, Step};
use crate::run::{RunState, StepPath, StepRecord, StepState, ended_at};
use crate::schema::FieldKind;
use crate::{DraftId, IntegrationId, RunId, StepId, Timestamp, limit};

/// The key of the step that calls.
pub const STEP: &str = "integration.call";
/// The key of the trigger that a call starts.
pub const TRIGGER: &str = "call";
/// What the record of a call that is under way has in its output: the name of what is called.
pub const UNDER_WAY: &str = "calls";

/// An integration, as whoever chooses one to call sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// Identity.
    pub id: IntegrationId,
    /// Its name.
    pub name: String,
    /// Why a call of it fails as it is now, in a sentence; `None` when it can be called.
    pub closed: Option<String>,
    /// What its live version says that it expects; empty for nothing.
    pub expects: String,
}

/// Most callers that are listed.
pub const CALLERS: usize = 100;

/// What calls an integration: what is live of another one, or an open draft.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// The integration that calls.
    pub integration: IntegrationId,
    /// Its name.
    pub name: String,
    /// The draft and its title; `None` for what is live.
    pub draft: Option<(DraftId, String)>,
}

impl Caller {
    /// Names those that are live, each once: “A”, “B” and “C”; empty when none is.
    pub fn names(callers: &[Self]) -> String {
        let live = callers.iter().filter(|caller| caller.draft.is_none());
        let names: Vec<String> = live.map(|caller| format!("“{}”", caller.name)).collect();
        match names.split_last() {
            None => String::new(),
            Some((only, [])) => only.clone(),
            Some((last, others)) => format!("{} and {last}", others.join(", ")),
        }
    }
}

/// A run at the other end of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Linked {
    /// The run.
    pub run: RunId,
    /// The integration that it is of.
    pub integration: IntegrationId,
    /// That integration's name.
    pub name: String,
    /// Where the run stands.
    pub state: RunState,
}

/// A run that a step of another one started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Called {
    /// The step, and the rounds that it was in; [`StepPath`] as a text.
    pub path: String,
    /// Which call of that step it is, counted from 1: a retry calls again.
    pub number: u32,
    /// The run.
    pub to: Linked,
}

impl Called {
    /// Returns whether a step started it in this round.
    pub fn is_by(&self, path: &StepPath) -> bool {
        self.path == path.to_string()
    }
}

/// An integration that a run wants to call, as far as the rules look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts<'a> {
    /// The integration.
    pub called: IntegrationId,
    /// Its name.
    pub name: &'a str,
    /// Key of the live version's trigger; `None` before the first publish.
    pub trigger: Option<&'a str>,
    /// Whether triggers start it.
    pub is_enabled: bool,
    /// Whether a limit holds back how many of its runs are under way at once.
    pub is_limited: bool,
    /// The integrations of the runs that led here, outermost first; the last is the calling one.
    pub callers: &'a [IntegrationId],
    /// Whether the calling run waits for the result.
    pub waits: bool,
}

/// Why a call does not start a run.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// No integration of the organization has that id.
    #[error("The integration that this step calls does not exist. Choose another one.")]
    Unknown,
    /// It calls itself.
    #[error("An integration cannot call itself. Use a Loop, or choose another integration.")]
    Itself,
    /// It has no live version.
    #[error("“{0}” is not published, so it cannot be called. Publish it first.")]
    NotPublished(String),
    /// Something else starts it.
    #[error(
        "“{0}” does not start by a call. Give it the trigger “Call” and publish it, or choose another integration."
    )]
    OtherTrigger(String),
    /// Nothing starts it.
    #[error("“{0}” is disabled, so it cannot be called. Enable it first.")]
    Disabled(String),
    /// Runs called each other too often.
    #[error(
        "Runs have called each other {} levels deep, which is as far as it goes. Look for a circle: an integration that calls one by which it was called.",
        limit::CALL_DEPTH
    )]
    TooDeep,
    /// It would wait for a place that a waiting run before it has.
    #[error(
        "“{0}” allows only some runs at once, and one of them waits for this call: it could wait for itself. Remove the limit, or the circle."
    )]
    WaitsForItself(String),
}

/// Decides whether a run may call an integration now.
///
/// # Errors
/// Why not, in a sentence that says what to do.
pub fn allow(facts: &Facts<'_>) -> Result<(), Refusal> {
    let name = || facts.name.to_owned();
    if facts.callers.last() == Some(&facts.called) {
        return Err(Refusal::Itself);
    }
    is_open(facts.name, facts.trigger, facts.is_enabled)?;
    if facts.callers.len() > limit::CALL_DEPTH {
        return Err(Refusal::TooDeep);
    }
    if facts.waits && facts.is_limited && facts.callers.contains(&facts.called) {
        return Err(Refusal::WaitsForItself(name()));
    }
    Ok(())
}

/// Returns whether an integration can be called at all, as it is now.
///
/// # Errors
/// Why not, in a sentence that says what to do.
pub fn is_open(name: &str, trigger: Option<&str>, is_enabled: bool) -> Result<(), Refusal> {
    match trigger {
        None => Err(Refusal::NotPublished(name.to_owned())),
        Some(trigger) if trigger != TRIGGER => Err(Refusal::OtherTrigger(name.to_owned())),
        Some(_) if !is_enabled => Err(Refusal::Disabled(name.to_owned())),
        Some(_) => Ok(()),
    }
}

/// Returns whether a record says that a call is under way. The last run that this step called in
/// this round is the one that matters.
pub fn is_under_way(record: &StepRecord) -> bool {
    record.state == StepState::Waiting && record.output.get(UNDER_WAY).is_some()
}

/// Returns the calls under way for which a run goes on to wait when it is resumed. `document` is
/// what it executed. When something failed beside a call, and that was dealt with, nobody waits for
/// the call any more: what it does is not done again after what was done about the failure.
pub fn awaited<'r>(records: &'r [StepRecord], document: &Document) -> Vec<&'r StepRecord> {
    let reopened: BTreeSet<&StepPath> = ended_at(records, document)
        .into_iter()
        .map(|record| &record.path)
        .collect();
    let over: BTreeSet<&StepPath> = records
        .iter()
        .filter(|record| !matches!(record.state, StepState::Started | StepState::Waiting))
        .map(|record| &record.path)
        .filter(|path| !reopened.contains(path))
        .collect();
    let steps = document.steps.values();
    let parents: BTreeMap<StepId, &Step> = steps
        .flat_map(|step| step.lanes.iter().map(move |lane| (step, lane)))
        .flat_map(|(step, lane)| lane.steps.iter().map(move |within| (*within, step)))
        .collect();
    let is_awaited = |record: &&StepRecord| {
        let mut path = record.path.clone();
        while let Some(parent) = parents.get(&path.step) {
            if parent.kind == "loop" {
                path.rounds.pop();
            }
            path.step = parent.id;
            // A branch is over when its lane is chosen, before that begins.
            if parent.kind != "branch" && over.contains(&path) {
                return false;
            }
        }
        true
    };
    let under_way = records.iter().filter(|record| is_under_way(record));
    under_way.filter(is_awaited).collect()
}

/// Returns the record by which a resumed run waits once more for the run that it called, which was
/// resumed with it.
#[must_use]
pub fn again(record: &StepRecord, at: Timestamp) -> StepRecord {
    StepRecord {
        output: json!({ UNDER_WAY: true }),
        attempts: record.attempts.max(1),
        ..record.again(at)
    }
}

/// Returns the integration that a step calls, if it names one.
pub fn of_step(step: &Step) -> Option<IntegrationId> {
    let action = step.action()?;
    let mut fields = action.input.fields.iter();
    let field = fields.find(|field| field.kind == FieldKind::Integration)?;
    step.config
        .get(&field.name)
        .and_then(Value::as_str)?
        .trim()
        .parse()
        .ok()
}

/// Returns the integrations that a document calls, each with the name of the first step that does.
pub fn named_in(document: &Document) -> BTreeMap<IntegrationId, String> {
    let mut named = BTreeMap::new();
    for (_, step) in document.walk() {
        if let Some(id) = of_step(step) {
            named.entry(id).or_insert_with(|| step.name.clone());
        }
    }
    named
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn id(n: u128) -> IntegrationId {
        IntegrationId::new(Uuid::from_u128(n))
    }

    /// A try around a loop whose rounds call in a branch, and a step behind it.
    fn calling_in_a_try() -> Document {
        let step = |n: u8, kind: &str, within: Option<u8>| {
            let lanes: Vec<Value> = within
                .map(|within| json!({"id": uuid(n + 100), "name": "", "steps": [uuid(within)]}))
                .into_iter()
                .collect();
            let slug = format!("s{n}");
            json!({"id": uuid(n), "name": slug, "slug": slug, "kind": kind, "config": {},
                "lanes": lanes})
        };
        let steps = [
            step(1, "try", Some(2)),
            step(2, "loop", Some(5)),
            step(5, "branch", Some(3)),
            step(3, STEP, None),
            step(4, "http.request", None),
        ];
        let steps: serde_json::Map<_, _> = steps
            .into_iter()
            .map(|step| (step["id"].as_str().expect("a text").to_owned(), step))
            .collect();
        let document = json!({"schema": 1, "trigger": {"kind": "webhook", "config": {}},
            "flow": [uuid(1), uuid(4)], "steps": steps});
        serde_json::from_value(document).expect("it is a document")
    }

    fn uuid(n: u8) -> Uuid {
        Uuid::from_u128(n.into())
    }

    #[test]
    fn a_resumed_run_waits_for_what_it_called_unless_a_failure_beside_it_was_dealt_with() {
        let document = calling_in_a_try();
        let record = |n: u8, round: Option<u32>, state, output| StepRecord {
            path: StepPath {
                step: StepId::new(uuid(n)),
                rounds: round.into_iter().collect(),
            },
            state,
            started_at: Timestamp(0),
            finished_at: None,
            input: Value::Null,
            output,
            error: None,
            console: Vec::new(),
            attempts: 1,
        };
        let under_way = || record(3, Some(1), StepState::Waiting, json!({UNDER_WAY: "Shop"}));
        let chosen = || record(5, Some(1), StepState::Succeeded, json!({"lane": "x"}));
        let began = |n| record(n, None, StepState::Started, Value::Null);
        let failed = |n| record(n, None, StepState::Failed, json!({"code": "failed"}));
        let caught = record(1, None, StepState::Succeeded, json!({"failed": true}));
        let doubt = record(2, None, StepState::InDoubt, Value::Null);
        let table = [
            (vec![began(1), began(2), chosen(), under_way()], 1),
            (
                vec![began(1), failed(2), chosen(), under_way(), failed(4)],
                0,
            ),
            (vec![caught, failed(2), chosen(), under_way(), failed(4)], 0),
            // This ended the run, and is begun again.
            (vec![began(1), doubt, chosen(), under_way()], 1),
        ];
        for (records, expected) in table {
            assert_eq!(awaited(&records, &document).len(), expected, "{records:?}");
        }
    }

    #[test]
    fn a_call_starts_what_is_live_enabled_and_waits_for_calls() {
        let callers = [id(1)];
        let open = Facts {
            called: id(2),
            name: "Invoices",
            trigger: Some(TRIGGER),
            is_enabled: true,
            is_limited: true,
            callers: &callers,
            waits: true,
        };
        let name = || "Invoices".to_owned();
        let table = [
            (open.clone(), Ok(())),
            (
                Facts {
                    called: id(1),
                    ..open.clone()
                },
                Err(Refusal::Itself),
            ),
            (
                Facts {
                    trigger: None,
                    ..open.clone()
                },
                Err(Refusal::NotPublished(name())),
            ),
            (
                Facts {
                    trigger: Some("webhook"),
                    ..open.clone()
                },
                Err(Refusal::OtherTrigger(name())),
            ),
            (
                Facts {
                    is_enabled: false,
                    ..open
                },
                Err(Refusal::Disabled(name())),
            ),
        ];
        for (facts, expected) in table {
            assert_eq!(allow(&facts), expected, "{facts:?}");
        }
    }

    #[test]
    fn a_circle_ends_where_calls_are_too_deep_or_a_limit_would_wait_for_itself() {
        let circle: Vec<_> = (0..=limit::CALL_DEPTH)
            .map(|n| id(n as u128 % 2 + 1))
            .collect();
        let facts = |depth: usize, is_limited: bool, waits: bool| {
            let callers = &circle[..=depth];
            let called = circle[(depth + 1) % 2];
            allow(&Facts {
                called,
                name: "Invoices",
                trigger: Some(TRIGGER),
                is_enabled: true,
                is_limited,
                callers,
                waits,
            })
        };
        for depth in 1..limit::CALL_DEPTH {
            assert_eq!(facts(depth, false, true), Ok(()), "{depth}");
            assert_eq!(facts(depth, true, false), Ok(()), "{depth}");
            let refused = facts(depth, true, true);
            let expected = Err(Refusal::WaitsForItself("Invoices".to_owned()));
            assert_eq!(refused, expected, "{depth}");
        }
        assert_eq!(
            facts(limit::CALL_DEPTH, false, false),
            Err(Refusal::TooDeep)
        );
    }

    #[test]
    fn callers_that_are_live_are_named() {
        let caller = |name: &str, draft: bool| Caller {
            integration: id(1),
            name: name.to_owned(),
            draft: draft.then(|| (DraftId::new(Uuid::nil()), "Next".to_owned())),
        };
        let all = [
            caller("A", false),
            caller("A", true),
            caller("B", false),
            caller("C", false),
        ];
        let names = |count: usize| Caller::names(&all[..count]);
        assert_eq!([names(0), names(2)], ["", "“A”"]);
        assert_eq!(names(4), "“A”, “B” and “C”");
    }

    #[test]
    fn what_a_document_calls_is_named_once_with_its_first_step() {
        let mut document = Document::new("manual");
        let action = crate::catalog::action(STEP).expect("it is in the catalog");
        for (n, name, called) in [(1, "First", 7), (2, "Second", 7), (3, "Third", 8)] {
            let step_id = crate::StepId::new(Uuid::from_u128(n));
            let lane = || crate::LaneId::new(Uuid::nil());
            let mut step = crate::edit::new_step(action, step_id, name, format!("s{n}"), lane);
            let value = Value::from(id(called).to_string());
            step.config.insert("integration".to_owned(), value);
            document.flow.push(step_id);
            document.steps.insert(step_id, step);
        }
        let named = [(id(7), "First".to_owned()), (id(8), "Third".to_owned())];
        assert_eq!(named_in(&document), BTreeMap::from(named));
    }
}
