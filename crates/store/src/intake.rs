//! Intake: an event from outside becomes a run, durable before the sender is told so.
//!
//! One task writes for the whole process. It takes what is waiting and writes it in one
//! statement; while that is under way the next gathers. What waits is bounded in number and in
//! bytes; more is refused, never taken and dropped, and so is what would leave nothing of that to
//! other organizations. This is the seam at which another intake (a log in front of the same
//! workers) would be put.

mod computed;
mod room;
mod route;
mod write;

use std::sync::Arc;

use domain::run::TestScope;
use domain::{RunId, Timestamp};
use engine::port::Lease;
use serde_json::Value;
use sqlx::PgPool;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::live::Teller;
use crate::measure::Counters;
use crate::run::check;
use crate::{ClaimedRun, Refusal, Result, Store, WorkerId};

use self::room::{Place, Room};

pub use computed::Computed;
pub(crate) use route::{Address, Routes};
pub use route::{HookRoute, SigningKey};

/// An event that came to a webhook.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// What it starts, as [`Store::hook_route`] returned it.
    pub route: Arc<HookRoute>,
    /// What expressions see as `trigger`.
    pub payload: Arc<Value>,
    /// What its sender calls it, as [`HookRoute::delivery`] reads that: an event that was accepted
    /// under the same name starts no second run.
    pub delivery: Option<String>,
    /// The worker of this process, when it has room: it gets the run at once, past the queue.
    pub hand_to: Option<WorkerId>,
}

/// What came of an event.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// The run that was started for it.
    pub run: RunId,
    /// Whether an earlier delivery of the same event started that run.
    pub repeats: bool,
    /// The claim, when it was handed to a worker: not when the integration is throttled.
    pub claimed: Option<ClaimedRun>,
    /// Whether it was kept as [`Computed`]: it is over.
    pub is_computed: bool,
}

/// The way to the task that writes.
#[derive(Debug)]
pub(crate) struct Intake {
    events: mpsc::Sender<Event>,
    room: Arc<Room>,
}

/// What became of an event.
#[derive(Clone, Copy, Debug)]
struct Kept {
    at: Timestamp,
    /// Whether its run belongs to the worker that it was to be handed to.
    is_handed: bool,
    /// Whether its run was kept as it was computed.
    is_computed: bool,
    /// The run of an earlier delivery of the same event; then this one started none.
    repeats: Option<RunId>,
}

/// An event on its way.
#[derive(Debug)]
struct Event {
    event: Uuid,
    run: RunId,
    route: Arc<HookRoute>,
    payload: String,
    delivery: Option<String>,
    hand_to: Option<WorkerId>,
    computed: Option<Computed>,
    /// How much of it is written.
    bytes: usize,
    done: oneshot::Sender<Result<Kept, String>>,
    place: Place,
}

impl HookRoute {
    /// Returns the first claim of a run that an event starts, before anything was recorded of it.
    pub fn claimed(&self, run: RunId, created_at: Timestamp, payload: Arc<Value>) -> ClaimedRun {
        ClaimedRun {
            is_taken_over: false,
            suspected: None,
            lease: Lease { run, fence: 1 },
            organization: self.organization,
            integration: self.integration,
            hash: self.hash.clone(),
            payload,
            created_at,
            resumed_at: None,
            is_test: false,
            scope: TestScope::Whole,
            history: Vec::new(),
            returned: Vec::new(),
            network: self.network.clone(),
        }
    }
}

impl Intake {
    pub(crate) fn start(system: PgPool, live: Teller, counters: Arc<Counters>) -> Self {
        let (sender, receiver) = mpsc::channel(room::EVENTS);
        tokio::spawn(write::all(receiver, system, live, counters));
        Self {
            events: sender,
            room: Arc::default(),
        }
    }

    /// Puts an event on its way; returns its run, and where it is heard when that is durable.
    fn send(
        &self,
        route: Arc<HookRoute>,
        payload: String,
        delivery: Option<String>,
        hand_to: Option<WorkerId>,
        computed: Option<Computed>,
    ) -> Result<(RunId, oneshot::Receiver<Result<Kept, String>>)> {
        let records = computed.as_ref().and_then(Computed::records);
        let bytes = payload.len() + records.map_or(0, str::len);
        let place = self.room.take(route.organization, bytes);
        let place = place.ok_or(Refusal::Overloaded)?;
        let run = computed.as_ref().map(|computed| computed.run);
        let run = run.unwrap_or_else(|| RunId(Uuid::now_v7()));
        let (done, durable) = oneshot::channel();
        let event = Uuid::now_v7();
        let event = Event {
            event,
            run,
            route,
            payload,
            delivery,
            hand_to,
            computed,
            bytes,
            done,
            place,
        };
        self.events
            .try_send(event)
            .map_err(|_| Refusal::Overloaded)?;
        Ok((run, durable))
    }
}

impl Store {
    /// Returns whether events are kept about as fast as they come: less than half of what can wait
    /// does.
    pub fn keeps_pace(&self) -> bool {
        self.inner.intake.room.is_half_free()
    }

    /// Accepts an event: when this returns, its run is durable and will be executed. An event that
    /// was accepted before under the same name is only counted, however many come at once.
    ///
    /// # Errors
    /// When the payload is too large or too deep, the integration is disabled, more is coming in
    /// than can be written, or more of this organization than its share (try again in a moment), or
    /// the database does not answer. Then nothing was accepted, unless the answer of the database was
    /// lost on the way.
    pub async fn accept(&self, incoming: Incoming) -> Result<Accepted> {
        self.keep(incoming, None).await
    }

    /// Accepts an event whose run is over, should it be kept so: like [`Store::accept`]. It is kept
    /// as any other, and its run executed then, when the integration is throttled (its runs have an
    /// order) or failing (whoever was told so is told that it recovered).
    ///
    /// # Errors
    /// As [`Store::accept`] has them; then the run never was.
    pub async fn accept_computed(
        &self,
        incoming: Incoming,
        computed: Computed,
    ) -> Result<Accepted> {
        self.keep(incoming, Some(computed)).await
    }

    async fn keep(&self, incoming: Incoming, computed: Option<Computed>) -> Result<Accepted> {
        let Incoming {
            route,
            payload,
            delivery,
            hand_to,
        } = incoming;
        if !route.enabled {
            return Err(Refusal::Disabled.into());
        }
        let text = check::payload(&payload)?;
        let on_the_way =
            self.inner
                .intake
                .send(Arc::clone(&route), text, delivery, hand_to, computed)?;
        let (run, durable) = on_the_way;
        let closed = || sqlx::Error::PoolClosed;
        let kept = durable
            .await
            .map_err(|_| closed())?
            .map_err(|error| sqlx::Error::Io(std::io::Error::other(error)))?;
        let claimed = kept.is_handed.then(|| route.claimed(run, kept.at, payload));
        Ok(Accepted {
            run: kept.repeats.unwrap_or(run),
            repeats: kept.repeats.is_some(),
            claimed,
            is_computed: kept.is_computed,
        })
    }
}
