//! Runs, as they are recorded and shown.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::call::{Called, Linked};
use crate::catalog::PARALLEL;
use crate::code::ConsoleLine;
use crate::delivery::Delivery;
use crate::document::{Document, OnError};
use crate::throttle::Held;
use crate::{DocumentHash, DraftId, EventId, IntegrationId, RunId, StepId, Timestamp};

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Accepted; no worker has it yet.
    Queued,
    /// A worker has it.
    Running,
    /// It waits for a time, without a worker.
    Waiting,
    /// It came to its end.
    Succeeded,
    /// A step failed, or the run took too long.
    Failed,
    /// A request was sent, and whether it arrived is not known: a person has to look.
    InDoubt,
    /// The process that executed it ended again and again while it did; nobody tries it any more
    /// before a person says so.
    Quarantined,
    /// Someone ended it.
    Canceled,
}

impl RunState {
    /// All states.
    pub const ALL: [RunState; 8] = [
        RunState::Queued,
        RunState::Running,
        RunState::Waiting,
        RunState::Succeeded,
        RunState::Failed,
        RunState::InDoubt,
        RunState::Quarantined,
        RunState::Canceled,
    ];

    /// Returns whether nothing more will happen, unless someone resumes it.
    pub const fn is_finished(self) -> bool {
        matches!(self, RunState::Succeeded) || self.can_resume()
    }

    /// Returns whether it is over without having come to its end, so that it can be resumed.
    pub const fn can_resume(self) -> bool {
        matches!(
            self,
            RunState::Failed | RunState::InDoubt | RunState::Quarantined | RunState::Canceled
        )
    }

    /// Returns whether it is over in a way that someone has to look into. An integration of which
    /// such a run ended is failing until one succeeds.
    pub const fn is_bad_end(self) -> bool {
        matches!(
            self,
            RunState::Failed | RunState::InDoubt | RunState::Quarantined
        )
    }

    /// Returns the name in the database.
    pub const fn key(self) -> &'static str {
        match self {
            RunState::Queued => "queued",
            RunState::Running => "running",
            RunState::Waiting => "waiting",
            RunState::Succeeded => "succeeded",
            RunState::Failed => "failed",
            RunState::InDoubt => "in_doubt",
            RunState::Quarantined => "quarantined",
            RunState::Canceled => "canceled",
        }
    }

    /// Returns the name on screen.
    pub const fn title(self) -> &'static str {
        match self {
            RunState::Queued => "Queued",
            RunState::Running => "Running",
            RunState::Waiting => "Waiting",
            RunState::Succeeded => "Succeeded",
            RunState::Failed => "Failed",
            RunState::InDoubt => "In doubt",
            RunState::Quarantined => "Quarantined",
            RunState::Canceled => "Canceled",
        }
    }

    /// Returns the state with that key.
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.key() == key)
    }
}

/// Where a step runs within a run: the step, and the round of each loop around it, outermost first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StepPath {
    /// The step.
    pub step: StepId,
    /// The rounds, counted from 0; empty outside loops.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rounds: Vec<u32>,
}

impl fmt::Display for StepPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.step.fmt(formatter)?;
        self.rounds
            .iter()
            .try_for_each(|round| write!(formatter, "/{round}"))
    }
}

/// How a step ended, or that it has not yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// It was begun: its intent is recorded, its result is not.
    Started,
    /// It gave an output.
    Succeeded,
    /// It failed.
    Failed,
    /// It waits for its time: a delay, or a request that is tried again.
    Waiting,
    /// It was sent, but whether it arrived is not known: no answer came, or none was recorded.
    InDoubt,
}

/// What is recorded of one step in one run (and round). A later record replaces an earlier one
/// with the same path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// Which step, in which round.
    pub path: StepPath,
    /// How it ended.
    pub state: StepState,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// What it was told: its configuration with every expression evaluated. Null where the output
    /// says the same, as that of a Set step does.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub input: Value,
    /// What it gave.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub output: Value,
    /// Why it failed, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What its code wrote to the console.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub console: Vec<ConsoleLine>,
    /// How many attempts it took; 1 for most.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub attempts: u32,
}

const fn one() -> u32 {
    1
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
const fn is_one(attempts: &u32) -> bool {
    *attempts == 1
}

impl StepRecord {
    /// Marks a request that did not fail by itself: the run had to end while it was under way.
    /// No policy and no try deals with that, so a resumed run sends it again.
    pub fn interrupted() -> Value {
        serde_json::json!({"interrupted": true})
    }

    /// Returns whether its output is [`StepRecord::interrupted`].
    pub fn is_interrupted(&self) -> bool {
        self.output.get("interrupted") == Some(&Value::Bool(true))
    }

    /// Returns the record by which a resumed run does the step again, as if for the first time.
    /// An effect keeps its idempotency key.
    #[must_use]
    pub fn again(&self, at: Timestamp) -> Self {
        Self {
            state: StepState::Waiting,
            started_at: at,
            finished_at: None,
            output: Value::Null,
            error: None,
            attempts: 0,
            ..self.clone()
        }
    }
}

/// Returns the records of the steps at which a run ended, and which it does again when it is
/// resumed. `document` is what it executed. What failed in a step that lets its run go on, or in
/// what a try tries, has been dealt with, and stays: what was done about it is not done twice.
pub fn ended_at<'r>(records: &'r [StepRecord], document: &Document) -> Vec<&'r StepRecord> {
    let tried: BTreeSet<StepId> = document
        .steps
        .values()
        .filter(|step| step.kind == "try")
        .filter_map(|step| step.lanes.first())
        .flat_map(|lane| lane.steps.iter().flat_map(|id| document.subtree(*id)))
        .collect();
    let ended = |record: &&StepRecord| {
        let id = record.path.step;
        let Some(step) = document.steps.get(&id) else {
            return false;
        };
        // A step whose rounds or lanes run at once says so itself when one of them ended it, and
        // what then happens is no matter of its own policy.
        let has_strands = matches!(step.kind.as_str(), "loop" | PARALLEL);
        let by_strand = has_strands && !record.output.is_null();
        let stops = step.on_error.then == OnError::Stop || by_strand;
        match record.state {
            StepState::InDoubt => stops || has_strands,
            StepState::Failed if record.is_interrupted() => true,
            StepState::Failed => stops && !tried.contains(&id),
            _ => false,
        }
    };
    records.iter().filter(ended).collect()
}

/// What a resumed run executes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResumeOn {
    /// The version that it ran.
    Ran,
    /// The version that is live now. What its steps did is kept, by their ids.
    Live,
}

/// How far a resume of many runs has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resumed {
    /// Runs that were resumed now.
    pub resumed: u32,
    /// Runs that stay as they are, as what is stored of them cannot be read.
    pub unreadable: u32,
    /// The last of them, when there are more: go on after it.
    pub next: Option<RunId>,
}

/// What a run executes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOf {
    /// A live version, by its number.
    Version(u32),
    /// A draft as a test, at a revision.
    Test(DraftId, u32),
}

/// One line of the list of runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunSummary {
    /// Identity.
    pub id: RunId,
    /// The integration.
    pub integration: IntegrationId,
    /// Its name.
    pub integration_name: String,
    /// What was executed.
    pub of: RunOf,
    /// Where it stands.
    pub state: RunState,
    /// When its event was accepted.
    pub created_at: Timestamp,
    /// When a worker first took it.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Why it failed, in a sentence.
    pub error: Option<String>,
}

/// One run, whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunDetail {
    /// Its line.
    pub summary: RunSummary,
    /// What keeps it from beginning, when it could begin otherwise.
    pub held: Option<Held>,
    /// The event that started it.
    pub event: EventId,
    /// The content it executes.
    pub hash: DocumentHash,
    /// That content.
    pub document: Document,
    /// What the trigger gave; `None` when the reader may not see payloads.
    pub payload: Option<Value>,
    /// What each step did, in the order in which they began. Without inputs and outputs when the
    /// reader may not see payloads.
    pub records: Vec<StepRecord>,
    /// The run that called it, if one did.
    pub caller: Option<Linked>,
    /// What its sender calls the event, and how often it came; `None` when nobody looked for that.
    pub delivery: Option<Delivery>,
    /// The runs that its steps called, in the order in which they were started; the first of them
    /// when there are more than [`crate::limit::CALLS_LISTED`].
    pub calls: Vec<Called>,
    /// Whether inputs and outputs were left out because of the reader's role.
    pub payloads_hidden: bool,
}

/// What a test executes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TestScope {
    /// All of the draft, and nothing is pinned.
    Whole,
    /// The draft from its start, as far as and with the help of what is given.
    Part {
        /// The last step to run, with everything inside it; `None` runs to the end.
        #[serde(default)]
        until: Option<StepId>,
        /// Outputs that are used instead of running their steps. Whoever starts a test leaves them
        /// out: they are those that are pinned in the draft.
        #[serde(default)]
        pins: BTreeMap<StepId, Value>,
    },
    /// One step, with the outputs of other steps as given by slug.
    Step {
        /// The step; a container runs with everything inside it.
        step: StepId,
        /// Outputs of earlier steps, by slug.
        outputs: serde_json::Map<String, Value>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resumed_run_does_again_what_ended_it_and_not_what_was_dealt_with() {
        use crate::catalog;
        use crate::edit::new_step;
        use crate::{LaneId, Timestamp};
        use uuid::Uuid;
        let id = |n: u128| StepId::new(Uuid::from_u128(n));
        let mut document = Document::new("webhook");
        let mut add = |n: u128, kind: &str, then: OnError| {
            let action = catalog::action(kind).expect("it is in the catalog");
            let mut lane = n * 100;
            let mut step = new_step(action, id(n), kind, format!("s{n}"), || {
                lane += 1;
                LaneId::new(Uuid::from_u128(lane))
            });
            step.on_error.then = then;
            document.steps.insert(id(n), step);
        };
        for (n, kind, then) in [
            (1, "try", OnError::Stop),
            (2, "branch", OnError::Stop),
            (3, "http.request", OnError::Stop),
            (4, "http.request", OnError::Stop),
            (5, "http.request", OnError::Continue),
            (6, "loop", OnError::Continue),
        ] {
            add(n, kind, then);
        }
        document.flow = vec![id(1), id(5), id(6)];
        let lanes = |n| document.steps[&id(n)].lanes.clone();
        let (mut tried, mut inner) = (lanes(1), lanes(2));
        inner[1].steps = vec![id(3)];
        tried[0].steps = vec![id(2)];
        tried[1].steps = vec![id(4)];
        for (n, lanes) in [(1, tried), (2, inner)] {
            let step = document.steps.get_mut(&id(n)).expect("it is there");
            step.lanes = lanes;
        }
        let record = |n, state, output| StepRecord {
            path: StepPath {
                step: id(n),
                rounds: Vec::new(),
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
        let table = [
            (3, StepState::Failed, Value::Null, false),
            (3, StepState::InDoubt, Value::Null, true),
            (3, StepState::Failed, StepRecord::interrupted(), true),
            (4, StepState::Failed, Value::Null, true),
            (4, StepState::Succeeded, Value::Null, false),
            (5, StepState::Failed, Value::Null, false),
            (5, StepState::InDoubt, Value::Null, false),
            (5, StepState::Failed, StepRecord::interrupted(), true),
            // Its list was none, or a round of it failed.
            (6, StepState::Failed, Value::Null, false),
            (6, StepState::Failed, serde_json::json!({"code": "x"}), true),
            (6, StepState::InDoubt, Value::Null, true),
        ];
        for (n, state, output, expected) in table {
            let records = [record(n, state, output)];
            let again = !ended_at(&records, &document).is_empty();
            assert_eq!(again, expected, "{records:?}");
        }
    }

    #[test]
    fn every_state_comes_back_from_its_key() {
        for state in RunState::ALL {
            assert_eq!(RunState::from_key(state.key()), Some(state));
        }
    }
}
