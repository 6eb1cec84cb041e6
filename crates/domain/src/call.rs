//! Calls: one integration starts a run of another one.
//!
//! What is called is always what is live of an integration whose trigger is “Call”. A run that was
//! called can call further; how deep that goes is bounded, so that a circle ends.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use thiserror::Error;

use crate::document::{Document, Step};
use crate::run::{RunState, StepPath, StepRecord, StepState};
use crate::schema::FieldKind;
use crate::{DraftId, IntegrationId, RunId, Timestamp, limit};

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

/// Returns whether a record says that a call is under way. Then its called run was started, and the
/// last one that this step called in this round is the one that matters.
pub fn is_under_way(record: &StepRecord) -> bool {
    record.state == StepState::Waiting && record.output.get(UNDER_WAY).is_some()
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
