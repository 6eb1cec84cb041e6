//! Executes a task: interprets the tree of steps, records what happened, resumes from records.

mod authorize;
mod calling;
mod catching;
mod coding;
mod component;
mod effect;
mod frame;
mod interrupt;
mod lanes;
mod part;
mod record;
mod run;
mod strand;
mod waiting;
mod watch;

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::Timestamp;
use domain::run::{RunState, StepRecord, TestScope};
use serde_json::{Value, json};
use tokio::sync::{oneshot, watch as channel};

use crate::Program;
use crate::port::{
    Answer, Calling, Clients, Clock, Components, Directory, Journal, Lease, Network, Outside,
    Returned, Sandbox, SystemClock, Vault,
};
use crate::step::delay;
use crate::trace::Trace;
use calling::Calls;
use catching::Thrown;
use frame::Frame;
use part::Part;
use record::Records;
use run::{Given, Run, Whole};
use watch::Watch;

pub use watch::Signal;

/// A claimed run and all that is needed to execute it.
#[derive(Clone, Debug)]
pub struct Task {
    /// The claim under which records are written.
    pub lease: Lease,
    /// The compiled document.
    pub program: Arc<Program>,
    /// What expressions see as `trigger`.
    pub payload: Arc<Value>,
    /// When the run's event was accepted.
    pub created_at: Timestamp,
    /// When someone resumed the run: work done before does not count for its time limit.
    pub resumed_at: Option<Timestamp>,
    /// A test of a draft: delays are shortened to a second.
    pub is_test: bool,
    /// Its worker fell silent since something of it was recorded. Short waits are recorded as well
    /// then: begun anew by each worker, they would never end while workers do.
    pub is_taken_over: bool,
    /// What is executed: all, or one step.
    pub scope: TestScope,
    /// What earlier claims of this run recorded, oldest first.
    pub history: Vec<StepRecord>,
    /// What came so far of the calls that its history has as under way.
    pub returned: Vec<Returned>,
    /// What may be reached.
    pub network: Network,
    /// The trace that its requests name to those who get them; `None` when it is not traced.
    pub trace: Option<Trace>,
    /// How long it may work when that is less than its document says.
    pub within: Option<Duration>,
}

/// How an execution ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The run is over.
    Finished {
        /// `Succeeded`, `Failed`, `InDoubt` or `Canceled`.
        state: RunState,
        /// Why it failed, in a sentence.
        error: Option<String>,
        /// Records not appended yet: to be written together with the end.
        records: Vec<StepRecord>,
    },
    /// The run came to its end, and gives a result to the one that called it: the run of a
    /// document whose trigger is a call.
    Answered {
        /// `{"result": …}`, and the `status` when a Respond step gave it.
        result: Value,
        /// Records not appended yet: to be written together with the end.
        records: Vec<StepRecord>,
    },
    /// The run calls, or waits for runs that it called: execute it again, with its history and what
    /// came of its calls, once one of them is over, or was started without being waited for.
    /// Records, starts and wait are to be written together.
    Calling {
        /// The calls that begin; none when all are under way.
        starts: Vec<Calling>,
        /// When it goes on in any case; `None` when it waits for nothing but calls.
        until: Option<Timestamp>,
        /// Records not appended yet; the last are those of the calls that begin.
        records: Vec<StepRecord>,
    },
    /// The run waits for a time; execute it again then, with its history.
    Waiting {
        /// When it goes on.
        until: Timestamp,
        /// Records not appended yet: to be written together with the wait.
        records: Vec<StepRecord>,
    },
    /// The lease was lost: another worker has the run. Nothing is to be written.
    Lost,
}

/// How long a run waits for what is not there now.
const AGAIN_MS: i64 = 2_000;

impl Outcome {
    /// Returns how an execution ends that needs what is not there now, such as the database: the run
    /// waits a moment. Losing its lease instead would look like a crash, and a few of these in a row
    /// set a run aside.
    pub fn again(now: Timestamp, records: Vec<StepRecord>) -> Self {
        Self::Waiting {
            until: Timestamp(now.0.saturating_add(AGAIN_MS)),
            records,
        }
    }

    /// Returns how an execution ends that was asked to: the run goes on at once, wherever there is a
    /// worker, and before runs that have not begun. `created_at` is over by whatever clock.
    fn handed_back(created_at: Timestamp, records: Vec<StepRecord>) -> Self {
        Self::Waiting {
            until: created_at,
            records,
        }
    }
}

/// Why interpretation ended.
#[derive(Debug)]
enum End {
    /// A step failed: the run, too, unless a try around it catches that.
    Thrown(Thrown),
    Failed(String),
    InDoubt(String),
    Canceled,
    Waiting(Timestamp),
    Calling(Box<Calls>),
    /// Another strand ended what this one is a part of.
    Halted,
    /// What a step needs is not there now: the run waits a moment, and is executed again.
    Unavailable,
    /// The process is to end: the run goes on in another one.
    HandedBack,
    Lost,
}

/// Executes tasks; one per process, shared by all runs, with its pool of connections.
#[derive(Debug, Default)]
pub struct Engine<C = SystemClock, O = Clients> {
    clock: C,
    outside: O,
    vault: Option<Arc<dyn Vault>>,
    directory: Option<Arc<dyn Directory>>,
    sandbox: Option<Arc<dyn Sandbox>>,
    components: Option<Arc<dyn Components>>,
}

impl<C: Clock> Engine<C> {
    /// Returns an engine that reads the time from `clock`.
    ///
    /// The process must have installed a `rustls` crypto provider before the first HTTP step.
    pub fn new(clock: C) -> Self {
        Self::with(clock, Clients::default())
    }
}

impl<C: Clock, O: Outside> Engine<C, O> {
    /// Returns an engine whose requests go to `outside`.
    pub fn with(clock: C, outside: O) -> Self {
        Self {
            clock,
            outside,
            vault: None,
            directory: None,
            sandbox: None,
            components: None,
        }
    }

    /// Lets steps use the connections that `vault` opens; without it, there are none.
    #[must_use]
    pub fn with_vault(self, vault: Arc<dyn Vault>) -> Self {
        Self {
            vault: Some(vault),
            ..self
        }
    }

    /// Lets steps call the integrations that `directory` finds; without it, there are none.
    #[must_use]
    pub fn with_directory(self, directory: Arc<dyn Directory>) -> Self {
        Self {
            directory: Some(directory),
            ..self
        }
    }

    /// Lets steps run code in `sandbox`; without it, they cannot.
    #[must_use]
    pub fn with_sandbox(self, sandbox: Arc<dyn Sandbox>) -> Self {
        Self {
            sandbox: Some(sandbox),
            ..self
        }
    }

    /// Lets steps be run by components of connectors; without it, they cannot.
    #[must_use]
    pub fn with_components(self, components: Arc<dyn Components>) -> Self {
        Self {
            components: Some(components),
            ..self
        }
    }

    /// Executes a task until it ends, waits, or loses its lease.
    ///
    /// A Respond step sends to `on_answer`; a run without one drops it. What `signal` asks for is
    /// done as soon as may be. Asked to hand the run back, it begins no step that reaches outside or
    /// waits, no request and no further attempt: what is under way gets its answer and its record,
    /// what computes or answers comes to its end, and then it is [`Outcome::Waiting`] for nothing. Dropping the future is safe at any point: the run can be
    /// resumed from what the journal holds, and a panic in a step ends only this future. But a write
    /// that was under way then is in doubt.
    pub async fn execute<J: Journal>(
        &self,
        task: Task,
        journal: &J,
        on_answer: Option<oneshot::Sender<Answer>>,
        signal: channel::Receiver<Signal>,
    ) -> Outcome {
        let program = Arc::clone(&task.program);
        let started = rfc3339(task.created_at);
        let about = json!({"id": task.lease.run, "started_at": started, "test": task.is_test});
        let mut scope = domain::template::Scope::new(task.payload, about);
        let only;
        let list = match &task.scope {
            TestScope::Whole | TestScope::Part { .. } => program.flow.as_slice(),
            TestScope::Step { step, outputs } => {
                let Some(index) = program.index_of(*step) else {
                    return Outcome::Finished {
                        state: RunState::Failed,
                        error: Some("The step to test is not there any more. Reload the draft and test again.".to_owned()),
                        records: Vec::new(),
                    };
                };
                for (slug, output) in outputs {
                    scope.set_step(slug, output.clone());
                }
                for around in program.loops_around(index) {
                    let Some(item) = outputs
                        .get(&around.slug)
                        .and_then(|output| output.get("item"))
                    else {
                        continue;
                    };
                    let index = outputs[&around.slug]
                        .get("index")
                        .and_then(Value::as_u64)
                        .unwrap_or(0);
                    scope = scope.round(
                        &around.slug,
                        item.clone(),
                        usize::try_from(index).unwrap_or(0),
                    );
                }
                only = [index];
                &only
            }
        };
        let most = program.time_limit;
        let time_limit = task.within.map_or(most, |within| within.min(most));
        let whole = Whole {
            clock: &self.clock,
            outside: &self.outside,
            vault: self.vault.as_deref(),
            directory: self.directory.as_deref(),
            sandbox: self.sandbox.as_deref(),
            components: self.components.as_deref(),
            journal,
            program: &program,
            lease: task.lease,
            created_at: task.created_at,
            resumed_at: task.resumed_at,
            is_test: task.is_test,
            short: if task.is_taken_over {
                Duration::ZERO
            } else {
                delay::SHORT
            },
            network: &task.network,
            trace: task.trace.as_ref(),
            records: Records::new(task.history),
            appending: tokio::sync::Mutex::default(),
            computing: tokio::sync::Mutex::default(),
            reading: tokio::sync::Mutex::default(),
            strands: AtomicUsize::new(0),
            parked: AtomicUsize::new(0),
            given: Mutex::new(Given {
                returned: task
                    .returned
                    .into_iter()
                    .map(|returned| (returned.path.clone(), returned))
                    .collect(),
                on_answer,
                ..Given::default()
            }),
        };
        let run = Run {
            whole: &whole,
            watch: Watch::new(signal, time_limit),
            frames: vec![Frame::new(list, scope)],
            part: Part::of(&task.scope, task.is_test),
            rounds: Vec::new(),
            steps_taken: 0,
            strand: None,
        };
        run.execute().await
    }
}

/// Writes an instant as texts in expressions and records show it.
fn rfc3339(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| at.0.to_string(), |at| at.to_string())
}
