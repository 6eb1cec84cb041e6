//! The worker: claims runs, executes them, writes how they ended, hands back what it cannot finish.
//!
//! Runs come from two sides: events that this process accepted are handed over directly, all
//! others are claimed from the queue in batches. A lease that is not ours any more stops its
//! run at once; what it did is in the journal, and whoever has it now goes on from there. When the
//! process is to end, runs are asked to begin nothing more, and go on in another one.

mod contact;
mod host;
mod poll;
mod retention;
mod running;
mod schedule;
mod suspect;

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use domain::Timestamp;
use domain::run::RunState;
use engine::port::{Clients, Clock, Components, Lease, Sandbox, SystemClock};
use engine::{Engine, Outcome, Signal};
use futures::FutureExt;
use store::{ClaimedRun, ClaimedRuns, PgJournal, Store, Takes, WorkerId};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tracing::Instrument;
use uuid::Uuid;

use crate::answer_desk::{AnswerDesk, Reply};
use crate::computer::Computer;
use crate::program::{Loaded, Programs, failed};
use crate::signal::Stop;
use crate::trace::{TracedJournal, Tracer};
use contact::Contact;
use running::{Of, Running};
pub(crate) use suspect::Suspect;
use suspect::{INNOCENT, Suspects};

/// Most runs that are claimed at once.
const BATCH: usize = 32;
/// How long an idle worker sleeps at most when nobody wakes it.
const POLL: Duration = Duration::from_secs(1);
/// How often leases are renewed.
const RENEW: Duration = Duration::from_secs(5);
/// How often is looked for workers that ended without a word.
const LOOK: Duration = Duration::from_millis(400);
/// How often is looked whether the queue is to be cleared.
const CLEAR: Duration = Duration::from_secs(1);
/// How long runs for whose answer somebody waits may go on once we are asked to end.
const ANSWERING: Duration = Duration::from_secs(1);
/// How long what is under way may take then: four seconds for a request of these, and with the
/// former five for one of all others.
const SENDING: Duration = Duration::from_secs(4);
/// How long it may take to write what runs did until they were cut.
const WRITING: Duration = Duration::from_secs(1);
/// How long runs may take to be dropped of which nothing more is written.
const STOPPING: Duration = Duration::from_millis(200);
/// When what was given to the journal has to be written, and what is left given back, at the latest:
/// so long after the signal.
const RELEASED: Duration = Duration::from_millis(7_300);

/// A place for one run.
#[derive(Debug)]
pub struct Slot {
    _permit: OwnedSemaphorePermit,
}

impl Slot {
    fn new(permit: OwnedSemaphorePermit) -> Self {
        Self { _permit: permit }
    }
}

/// The worker of a process.
#[derive(Debug)]
pub struct Worker {
    id: WorkerId,
    store: Store,
    journal: PgJournal,
    engine: Engine<SystemClock, Arc<Clients>>,
    programs: Arc<Programs>,
    tracer: Option<Tracer>,
    answers: Arc<AnswerDesk>,
    stop: Stop,
    slots: Arc<Semaphore>,
    places: usize,
    running: Running,
    suspects: Suspects,
    contact: Contact,
    /// When the earliest run that this worker left waiting is due.
    next_due: Mutex<Option<Timestamp>>,
}

impl Worker {
    /// Returns a worker that executes up to `concurrency` runs at once, their code in `sandbox` and
    /// their components in `components`. With `computer`, which executes other runs in the same
    /// process, it shares database, programs and tracer.
    pub fn new(
        computer: &Computer,
        answers: Arc<AnswerDesk>,
        stop: Stop,
        concurrency: usize,
        sandbox: Arc<dyn Sandbox>,
        components: Arc<dyn Components>,
    ) -> Arc<Self> {
        let store = computer.store.clone();
        Arc::new(Self {
            id: WorkerId::random(),
            journal: store.journal(),
            engine: Engine::with(SystemClock, Arc::clone(store.clients()))
                .with_vault(Arc::new(store.clone()))
                .with_directory(Arc::new(store.clone()))
                .with_sandbox(sandbox)
                .with_components(components),
            store,
            programs: computer.programs.clone(),
            tracer: computer.tracer.clone(),
            answers,
            stop,
            slots: Arc::new(Semaphore::new(concurrency)),
            places: concurrency,
            running: Running::default(),
            suspects: Suspects::default(),
            contact: Contact::new(Instant::now()),
            next_due: Mutex::default(),
        })
    }

    /// Returns the name under which it claims.
    pub fn id(&self) -> WorkerId {
        self.id
    }

    /// Returns a place for a run, if there is one now.
    pub fn reserve(&self) -> Option<Slot> {
        if self.stop.is_given() {
            return None;
        }
        self.slots.clone().try_acquire_owned().ok().map(Slot::new)
    }

    /// Executes a run that was claimed for this worker, in the background.
    pub fn run(self: &Arc<Self>, claimed: ClaimedRun, slot: Slot) {
        let worker = self.clone();
        let suspect = claimed.suspected.map(|how| self.suspects.add(how));
        let span = tracing::info_span!("run", id = %claimed.lease.run);
        tokio::spawn(
            async move {
                worker.take(claimed, suspect).await;
                drop(slot);
            }
            .instrument(span),
        );
    }

    /// Works until the process is to end, then finishes or hands back what it has.
    pub async fn work(self: Arc<Self>) {
        let alive = tokio::spawn(self.clone().stay_alive());
        let beside = [
            tokio::spawn(self.clone().keep_leases()),
            tokio::spawn(self.clone().hear_cancellations()),
            tokio::spawn(schedule::fire(self.store.clone())),
            tokio::spawn(poll::keep(self.store.clone())),
            tokio::spawn(host::keep(self.store.clone())),
            tokio::spawn(retention::keep(self.store.clone())),
            tokio::spawn(self.clone().free_runs_of_dead()),
            tokio::spawn(self.clone().clear_queue()),
            // It has slots while it claims, so its end is waited for with that of the runs.
            tokio::spawn(self.clone().claim_until_stopped()),
        ];
        self.stop.given().await;
        self.hand_back().await;
        for task in beside {
            task.abort();
        }
        let give_back = async {
            // Of a run that another has by then, nothing more would be written: requests that were
            // answered would be in doubt.
            self.journal.written().await;
            self.store.release(self.id).await
        };
        // We are known to live until then, or until the store is closed, which waits for the journal,
        // too: else our runs would be taken over meanwhile.
        let why = match tokio::time::timeout_at(self.stop.after(RELEASED), give_back).await {
            Ok(Ok(())) => return alive.abort(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the database does not answer".to_owned(),
        };
        tracing::warn!(
            error = why,
            "runs could not be handed back; others take them when this process has ended"
        );
    }

    /// Asks the runs to come to an end, and waits for that: first those for whose answer nobody
    /// waits, then all, and at last whatever they have under way.
    async fn hand_back(&self) {
        let all = u32::try_from(self.places).expect("the configuration bounds it");
        let mut over = pin!(self.slots.acquire_many(all));
        for (of, signal, within) in [
            (Of::Silent, Signal::HandBack, ANSWERING),
            (Of::All, Signal::HandBack, SENDING),
            (Of::All, Signal::HandBackNow, WRITING),
        ] {
            self.running.ask(of, signal);
            if tokio::time::timeout(within, over.as_mut()).await.is_ok() {
                return;
            }
        }
        // They stop at the next point where they wait; the lease covers a straggler.
        self.running.lose_all();
        let _ = tokio::time::timeout(STOPPING, over).await;
    }

    async fn claim_until_stopped(self: Arc<Self>) {
        let mut room = self.suspects.changes();
        loop {
            let first = tokio::select! {
                first = self.slots.clone().acquire_owned() => first.expect("it is never closed"),
                () = self.stop.given() => return,
            };
            let mut slots = vec![Slot::new(first)];
            // Half of the rest stays free for events that are handed over directly.
            let more = (self.slots.available_permits() / 2).min(BATCH - 1);
            slots.extend(
                (0..more).map_while(|_| self.slots.clone().try_acquire_owned().ok().map(Slot::new)),
            );
            if self.stop.is_given() {
                return;
            }
            let limit = u32::try_from(slots.len()).expect("a batch is small");
            // What was claimed at the moment of the stop is executed: asked to, it hands itself back
            // at once, and does not lie still until this worker is at its end.
            let pause = match self.claim(limit).await {
                Ok(claimed) if !claimed.is_more => self.until_due(),
                Ok(claimed) => {
                    for (claimed, slot) in claimed.runs.into_iter().zip(slots) {
                        self.run(claimed, slot);
                    }
                    continue;
                }
                Err(error) => {
                    tracing::warn!(%error, "no runs could be claimed");
                    drop(slots);
                    tokio::select! {
                        () = tokio::time::sleep(POLL) => continue,
                        () = self.stop.given() => return,
                    }
                }
            };
            drop(slots);
            tokio::select! {
                () = self.store.wait_for_work(pause) => {}
                _ = room.changed() => {}
                () = self.stop.given() => return,
            }
        }
    }

    /// Claims up to `limit` runs. After the database was away, the leases of those that are executed
    /// are renewed first, or they would be taken from ourselves.
    async fn claim(&self, limit: u32) -> Result<ClaimedRuns, store::Error> {
        let begun = Instant::now();
        if self.contact.must_renew(begun) {
            self.renew().await?;
        }
        let takes = Takes {
            silent: self.contact.is_witness(begun),
            suspect: self.suspects.room(),
        };
        let claimed = self.store.claim_with(self.id, limit, takes).await;
        let claimed = claimed.inspect_err(|_| self.contact.failed())?;
        self.contact.answered(begun, Instant::now());
        if claimed.one_waits {
            self.suspects.one_waits();
        }
        Ok(claimed)
    }

    /// Returns how long to sleep: until the next run that was left waiting is due, but not long.
    fn until_due(&self) -> Duration {
        let mut next = self.next_due.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(due) = *next else { return POLL };
        let ms = due.since(SystemClock.now());
        if ms == 0 {
            *next = None;
        }
        Duration::from_millis(ms.max(20)).min(POLL)
    }

    /// Executes a run and writes how it ended.
    async fn take(&self, claimed: ClaimedRun, suspect: Option<Suspect>) {
        let lease = claimed.lease;
        let loaded = match self
            .programs
            .get(&self.store, claimed.organization, &claimed.hash)
            .await
        {
            Ok(loaded) => loaded,
            Err(outcome) => {
                let untraced = TracedJournal {
                    journal: self.journal.clone(),
                    traced: None,
                    suspect,
                };
                return self.finish(&untraced, lease, outcome, true).await;
            }
        };
        let tracer = self.tracer.as_ref();
        let journal = TracedJournal {
            journal: self.journal.clone(),
            traced: tracer.and_then(|tracer| tracer.begin(&claimed, &loaded.program)),
            suspect,
        };
        let responds = loaded.responds && !claimed.is_test;
        let (place, signal) = self.running.enter(lease, responds);
        let execution = async {
            let outcome = self
                .execute(&journal, claimed, &loaded, responds, signal)
                .await;
            self.finish(&journal, lease, outcome, responds).await;
        };
        let proven = async {
            match &journal.suspect {
                Some(suspect) => {
                    let let_join = || self.store.let_join(lease);
                    suspect.live_on(INNOCENT, let_join).await
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // What has ended has ended, whoever has the run by now.
            biased;
            () = execution => {}
            () = place.lost.notified() => tracing::info!("the run is not ours any more"),
            never = proven => match never {},
        }
    }

    async fn execute(
        &self,
        journal: &TracedJournal,
        claimed: ClaimedRun,
        loaded: &Loaded,
        responds: bool,
        signal: watch::Receiver<Signal>,
    ) -> Outcome {
        let lease = claimed.lease;
        let run = lease.run;
        let task = loaded.task(claimed, journal.traced.as_ref());
        let (sender, mut given) = oneshot::channel();
        let on_answer = responds.then_some(sender);
        let mut awaited = responds;
        let execution = self.engine.execute(task, journal, on_answer, signal);
        let mut execution = pin!(AssertUnwindSafe(execution).catch_unwind());
        let ended = loop {
            tokio::select! {
                biased;
                answer = &mut given, if awaited => {
                    awaited = false;
                    if let Ok(answer) = answer {
                        self.answers.give(run, Reply::Answer(answer));
                        self.running.answered(lease);
                    }
                }
                ended = &mut execution => break ended,
            }
        };
        if awaited && let Ok(answer) = given.try_recv() {
            self.answers.give(run, Reply::Answer(answer));
        }
        ended.unwrap_or_else(|_| {
            let incident = Uuid::now_v7().simple().to_string();
            tracing::error!(incident, "a run panicked");
            failed(format!(
                "Something went wrong in Sluice itself (incident {incident})."
            ))
        })
    }

    async fn finish(
        &self,
        journal: &TracedJournal,
        lease: Lease,
        outcome: Outcome,
        responds: bool,
    ) {
        let state = match &outcome {
            Outcome::Finished { state, .. } => *state,
            Outcome::Answered { .. } => RunState::Succeeded,
            Outcome::Calling { until: None, .. } => RunState::Waiting,
            Outcome::Waiting { until, .. }
            | Outcome::Calling {
                until: Some(until), ..
            } => {
                let mut next = self.next_due.lock().unwrap_or_else(PoisonError::into_inner);
                *next = Some(next.map_or(*until, |known| known.min(*until)));
                RunState::Waiting
            }
            Outcome::Lost => return tracing::info!("the run's lease was lost"),
        };
        if journal.finish(lease, outcome).await.is_err() {
            return tracing::info!("the run was taken over or canceled before its end was written");
        }
        if self.stop.is_given() && state == RunState::Waiting {
            // It may have been handed back.
            self.store.call_workers();
        }
        // A run that waits may still answer; its caller waits on.
        if responds && state.is_finished() {
            self.answers.give(lease.run, Reply::Ended(state));
        }
    }

    /// Renews the leases of all runs that are executed, and stops those that are not ours any more.
    async fn keep_leases(self: Arc<Self>) {
        loop {
            let pause = match self.renew().await {
                Ok(()) => RENEW,
                Err(error) => {
                    tracing::warn!(%error, "leases could not be renewed");
                    POLL
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    async fn renew(&self) -> Result<(), store::Error> {
        let leases = self.running.leases();
        if leases.is_empty() {
            self.contact.has_no_leases();
            return Ok(());
        }
        let begun = Instant::now();
        match self.store.renew(&leases).await {
            Ok(held) => {
                self.running.keep(&leases, &held);
                self.contact.renewed(begun, Instant::now());
                Ok(())
            }
            Err(error) => {
                self.contact.failed();
                Err(error)
            }
        }
    }

    async fn stay_alive(self: Arc<Self>) {
        self.store.stay_alive(self.id).await;
    }

    /// Takes the runs of processes that ended without a word.
    async fn free_runs_of_dead(self: Arc<Self>) {
        let mut lookout = self.store.lookout();
        loop {
            tokio::time::sleep(LOOK).await;
            if let Err(error) = lookout.free_runs_of_dead().await {
                tracing::debug!(%error, "other workers could not be looked after");
            }
        }
    }

    /// Clears the queue for a tenth of the time at most: while something in the database keeps old
    /// rows from being cleared, each time takes longer and helps nobody.
    async fn clear_queue(self: Arc<Self>) {
        let mut rest = CLEAR;
        loop {
            tokio::time::sleep(rest).await;
            let begun = Instant::now();
            if let Err(error) = self.store.long_turn(self.store.clear_queue()).await {
                tracing::warn!(%error, "the queue could not be cleared");
            }
            rest = CLEAR.max(begun.elapsed() * 10);
        }
    }

    async fn hear_cancellations(self: Arc<Self>) {
        let mut cancellations = self.store.cancellations();
        loop {
            match cancellations.recv().await {
                Ok(run) => self.running.cancel(run),
                // Whatever was missed shows when the leases are renewed.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    }
}
