//! Executes a run before its event is kept, when all of it is computing. Every process that takes
//! webhooks does so, also one that is no worker.
//!
//! Nothing outside may know of a run whose event is not durable. But a run that only computes is
//! known by nobody until its end is told: it is executed at once, on the task that accepts its
//! event, and both are written together. A run that turns out to be more than that is forgotten
//! here, and executed as any other after its event was kept.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::run::{RunState, StepRecord};
use engine::port::{Answer, Clients, Journal, Lease, Lost, SystemClock};
use engine::{Engine, Signal, Task};
use futures::FutureExt;
use store::{ClaimedRun, Computed, HookRoute, Store};
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use crate::answer_desk::Reply;
use crate::program::Programs;
use crate::trace::{Tracer, Untold};

/// How long an event waits for its program, when that is not kept: it is read from the database.
const LOADING: Duration = Duration::from_millis(100);
/// How long a run may be computed while a caller waits, and others for this thread.
const WITHIN: Duration = Duration::from_millis(10);
/// How often it may give way to others within that, each time after 64 steps.
const TURNS: usize = 8;

/// A run that was computed, and what is told of it when it is kept.
#[derive(Debug)]
pub(crate) struct Beforehand {
    /// What is to be kept.
    pub(crate) computed: Computed,
    /// What its caller gets, if that one waits.
    pub(crate) reply: Option<Reply>,
    /// Its trace.
    pub(crate) untold: Option<Untold>,
}

/// Keeps nothing. A run with so many records that some must be written before its end stops here.
#[derive(Debug)]
struct Nowhere;

impl Journal for Nowhere {
    async fn append(&self, _: Lease, _: Vec<StepRecord>) -> Result<(), Lost> {
        Err(Lost)
    }
}

/// What executes runs that only compute. Such a run needs no connections, no other integrations, no
/// code and no components, so its engine has none.
#[derive(Debug)]
pub struct Computer {
    /// Where documents are read.
    pub(crate) store: Store,
    /// Shared with the worker of this process, so that each is kept once.
    pub(crate) programs: Arc<Programs>,
    /// Who is told what runs did; `None` when nobody is.
    pub(crate) tracer: Option<Tracer>,
    engine: Engine<SystemClock, Arc<Clients>>,
}

impl Computer {
    /// Returns what computes runs of a database. It tells `tracer` what they did, and keeps what it
    /// executes within a part of the bytes of memory that this process may take.
    pub fn new(store: Store, tracer: Option<Tracer>, memory: u64) -> Self {
        Self {
            engine: Engine::with(SystemClock, Arc::clone(store.clients())),
            programs: Arc::new(Programs::within(memory)),
            store,
            tracer,
        }
    }

    /// Executes a run whose event is not kept yet; `None` when it does not come to a good end right
    /// here, by computing alone. `claim` makes the run, once it may be computed.
    pub(crate) async fn compute(
        &self,
        route: &HookRoute,
        claim: impl FnOnce() -> ClaimedRun,
    ) -> Option<Beforehand> {
        let programs = &self.programs;
        let loading = programs.get_with_others(&self.store, route.organization, &route.hash);
        // What cannot be read now, or panics, does so again where that is told of the run.
        let loading = AssertUnwindSafe(loading).catch_unwind();
        let loaded = timeout(LOADING, loading).await.ok()?.ok()?.ok()?;
        if !loaded.program.only_computes() {
            return None;
        }
        let claimed = claim();
        let (run, began) = (claimed.lease.run, Instant::now());
        let tracer = self.tracer.as_ref();
        let traced = tracer.and_then(|tracer| tracer.begin(&claimed, &loaded.program));
        let task = Task {
            within: Some(WITHIN),
            ..loaded.task(claimed, traced.as_ref())
        };
        let (sender, answer) = oneshot::channel();
        let on_answer = loaded.responds.then_some(sender);
        let (_cancel, canceled) = watch::channel(Signal::GoOn);
        let execution = self.engine.execute(task, &Nowhere, on_answer, canceled);
        let mut execution = pin!(AssertUnwindSafe(execution).catch_unwind());
        let turns = (0..TURNS).map(|_| execution.as_mut().now_or_never());
        // One that panics does so again, where that is told.
        let outcome = turns.flatten().next()?.ok()?;
        let computed = Computed::of(run, began, &outcome)?;
        Some(Beforehand {
            computed,
            reply: loaded.responds.then(|| reply(answer)),
            untold: traced.map(|traced| traced.ended(&outcome)),
        })
    }
}

fn reply(mut answer: oneshot::Receiver<Answer>) -> Reply {
    let answer = answer.try_recv();
    answer.map_or(Reply::Ended(RunState::Succeeded), Reply::Answer)
}
