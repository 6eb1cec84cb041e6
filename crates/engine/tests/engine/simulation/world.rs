//! The world of one seed: runs, their queue and journal, workers, and what is under way.

mod calls;
mod ends;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use domain::canonical::sha256;
use domain::document::Document;
use domain::run::{RunState, StepRecord, StepState, TestScope};
use domain::{RunId, Timestamp};
use engine::port::{Lease, Lost, Network};
use engine::{Engine, Outcome, Program, Signal, Task};
use serde_json::{Value, json};
use tokio::sync::watch;
use uuid::Uuid;

use super::chance::Chance;
use super::flow;
use super::kept::{Claim, Kept};
use super::outside::{Done, Op, Outside, Ports};
use super::seen::Seen;
use crate::stage::latest;

/// Things that may be done until all is at its end; more, and something is stuck.
const PATIENCE: usize = 20_000;

struct Run {
    id: RunId,
    document: Document,
    program: Arc<Program>,
    payload: Value,
    kept: Kept,
    ends: u32,
    resumes: u32,
    /// Who called it.
    caller: Option<Caller>,
    /// What it gave to whoever called it.
    result: Option<Value>,
}

/// What a run was called by: a run, a step of it, and whether that waits.
struct Caller {
    run: usize,
    path: String,
    waits: bool,
}

struct Execution {
    run: usize,
    worker: usize,
    lease: Lease,
    future: Pin<Box<dyn Future<Output = Outcome> + Send>>,
    /// How it ended, which is to be written yet.
    outcome: Option<Outcome>,
    signal: watch::Sender<Signal>,
}

pub(super) struct World {
    chance: Chance,
    ports: Ports,
    engine: Arc<Engine<Ports, Outside>>,
    runs: Vec<Run>,
    /// Whether each worker works; if not, it hangs, and its leases run out.
    awake: [bool; 3],
    executions: BTreeMap<usize, Execution>,
    begun: usize,
    is_calm: bool,
    log: Vec<String>,
    pub(super) seen: Seen,
}

impl World {
    pub(super) fn new(chance: Chance) -> Self {
        let ports = Ports::default();
        Self {
            engine: Arc::new(
                Engine::with(ports.clone(), Outside(ports.clone()))
                    .with_vault(Arc::new(ports.clone()))
                    .with_directory(Arc::new(ports.clone()))
                    .with_sandbox(Arc::new(ports.clone()))
                    .with_components(Arc::new(ports.clone())),
            ),
            ports,
            chance,
            runs: Vec::new(),
            awake: [true; 3],
            executions: BTreeMap::new(),
            begun: 0,
            is_calm: false,
            log: Vec::new(),
            seen: Seen::default(),
        }
    }

    pub(super) fn history(&self) -> Vec<String> {
        self.log.clone()
    }

    fn note(&mut self, what: String) {
        self.log.push(format!("{} {what}", self.ports.now()));
    }

    /// Lets things happen, good and bad.
    pub(super) fn disturb(&mut self) {
        for _ in 0..100 + self.chance.below(200) {
            let worker = self.chance.below(self.awake.len());
            match self.chance.below(100) {
                0..6 if self.runs.iter().filter(|run| run.caller.is_none()).count() < 4 => {
                    self.accept(worker)
                }
                0..15 => self.claim(worker),
                15..80 => self.go_on(),
                80..84 => self.crash(worker),
                84..87 => {
                    self.seen.note("hang");
                    self.awake[worker] = false;
                }
                87..90 => self.wake(worker),
                90..92 => self.hand_back(worker),
                92..93 => self.cancel(),
                93..95 => self.resume(),
                95 => self.poison(worker),
                96 => self.stop(worker),
                _ => {
                    let ms = *self.chance.one_of(&[3, 700, 20_000, 90_000]);
                    self.pass(ms);
                }
            }
        }
    }

    /// Lets all come to its end, undisturbed.
    pub(super) fn calm_down(&mut self) {
        self.is_calm = true;
        for worker in 0..self.awake.len() {
            self.wake(worker);
        }
        for _ in 0..PATIENCE {
            if self.runs.iter().all(|run| run.kept.place.is_none()) && self.executions.is_empty() {
                return;
            }
            self.claim(0);
            if self.executions.is_empty() {
                let next = self
                    .runs
                    .iter()
                    .filter_map(|run| run.kept.place)
                    .map(|place| {
                        let until = place.lease_until.unwrap_or(i64::MIN);
                        place.due.max(until)
                    });
                let now = self.ports.now();
                self.pass(next.min().map_or(1, |next| (next - now).max(1)));
            } else {
                self.go_on();
            }
        }
        panic!("something does not come to its end: {:#?}", self.log);
    }

    /// Asserts what must hold at the end.
    pub(super) fn check(&mut self) {
        for at in 0..self.runs.len() {
            let run = &self.runs[at];
            assert_eq!(run.ends, 1 + run.resumes, "run {at} ends once");
            let (state, error) = run.kept.end.clone().expect("it ended");
            self.seen.note(state.key());
            self.check_calls(at);
            let caught = |record: &StepRecord| record.output["failed"] == true;
            if run.kept.journal.iter().any(caught) {
                self.seen.note("caught");
            }
            if matches!(state, RunState::Canceled | RunState::Quarantined) {
                continue;
            }
            let result = self.runs[at].result.clone();
            let records = Vec::new();
            let expected = match result.filter(|_| state == RunState::Succeeded) {
                Some(result) => Outcome::Answered { result, records },
                None => Outcome::Finished {
                    state,
                    error,
                    records,
                },
            };
            let outcome = self.replay(at);
            assert_eq!(
                outcome, expected,
                "the end of run {at} follows from its journal, and no step is missing there"
            );
        }
    }

    /// Executes a run that is over once more, with nothing but its journal.
    fn replay(&mut self, at: usize) -> Outcome {
        let lease = Lease {
            run: self.runs[at].id,
            fence: i64::MAX,
        };
        let (id, mut execution) = self.execution(at, 0, lease);
        self.ports.enter(id);
        match poll(&mut execution) {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => panic!("it wants more: {:?}", self.ports.open()),
        }
    }

    fn accept(&mut self, worker: usize) {
        let document = flow::any(&mut self.chance, "webhook");
        let items: Vec<usize> = (0..self.chance.below(4)).collect();
        let payload = json!({"body": {"n": self.chance.below(3), "items": items}});
        self.start(document, payload, None);
        self.note(format!("run {} is accepted", self.runs.len() - 1));
        if self.chance.percent(50) {
            self.claim(worker);
        }
    }

    fn start(&mut self, document: Document, payload: Value, caller: Option<Caller>) {
        let id = RunId::new(Uuid::from_u128(self.runs.len() as u128 + 1));
        let before = caller.as_ref().map(|caller| self.runs[caller.run].id);
        self.ports.note_depth(id, before);
        self.runs.push(Run {
            id,
            program: Arc::new(Program::compile(&document).expect("it has no problems")),
            document,
            payload,
            kept: Kept::new(self.ports.now()),
            ends: 0,
            resumes: 0,
            caller,
            result: None,
        });
    }

    /// Claims what is due longest, as the queue does.
    fn claim(&mut self, worker: usize) {
        let now = self.ports.now();
        let runs = self.runs.iter().enumerate();
        let free = runs.filter_map(|(at, run)| Some((run.kept.due(now)?, at)));
        let Some((_, at)) = free.min().filter(|_| self.awake[worker]) else {
            return;
        };
        let run = &mut self.runs[at];
        let claim = run.kept.claim(now, true);
        let fence = run.kept.place.expect("it is had").fence;
        let lease = Lease { run: run.id, fence };
        self.ports.set_fence(lease);
        if claim == Claim::SetAside {
            return self.end(at, RunState::Quarantined, None);
        }
        self.note(format!("worker {worker} has run {at}"));
        let (id, execution) = self.execution(at, worker, lease);
        self.executions.insert(id, execution);
        self.go(id);
    }

    fn execution(&mut self, at: usize, worker: usize, lease: Lease) -> (usize, Execution) {
        self.begun += 1;
        let run = &self.runs[at];
        let (signal, asked) = watch::channel(Signal::GoOn);
        let task = Task {
            trace: None,
            within: None,
            lease,
            program: Arc::clone(&run.program),
            payload: run.payload.clone().into(),
            created_at: Timestamp(0),
            resumed_at: None,
            is_test: false,
            is_taken_over: run.kept.place.is_some_and(|place| place.silenced > 0),
            scope: TestScope::Whole,
            history: latest(run.kept.journal.clone()),
            returned: self.returned(at),
            network: Network::default(),
        };
        let (engine, journal) = (Arc::clone(&self.engine), self.ports.clone());
        let future = Box::pin(async move { engine.execute(task, &journal, None, asked).await });
        let execution = Execution {
            run: at,
            worker,
            lease,
            future,
            outcome: None,
            signal,
        };
        (self.begun, execution)
    }

    /// Lets an execution go on until it waits for something.
    fn go(&mut self, id: usize) {
        self.ports.enter(id);
        let Some(execution) = self.executions.get_mut(&id) else {
            return;
        };
        if let Poll::Ready(outcome) = poll(execution) {
            assert_eq!(self.ports.open_of(id), 0, "it left something behind");
            if outcome == Outcome::Lost {
                self.executions.remove(&id);
            } else {
                execution.outcome = Some(outcome);
            }
        }
    }

    /// Lets one thing that some execution waits for happen.
    fn go_on(&mut self) {
        let able: Vec<usize> = self
            .executions
            .iter()
            .filter(|(_, execution)| self.awake[execution.worker])
            .map(|(id, _)| *id)
            .collect();
        if able.is_empty() {
            return;
        }
        let id = *self.chance.one_of(&able);
        if let Some(outcome) = self.executions[&id].outcome.clone() {
            let execution = self.executions.remove(&id).expect("it is there");
            let is_held = self.place_of(execution.lease).is_some();
            self.finish(&execution, outcome);
            if is_held && *execution.signal.borrow() == Signal::HandBack {
                self.ports.assert_nothing_in_doubt(id);
            }
            return;
        }
        let open = self.ports.open_ids(id);
        if self.ports.sends(id) > 1 {
            self.seen.note("rounds at once");
        }
        let op = *self.chance.one_of(&open);
        let done = match self.ports.take(op) {
            Op::Append(lease, records) => {
                let written = self.write(lease, records);
                if written.is_err() {
                    self.ports.tell_lost(id);
                }
                Done::Append(written)
            }
            Op::Sleep(until) => {
                self.pass((until - self.ports.now()).max(0));
                Done::Sleep
            }
            Op::Send { method, url } => {
                let answer = super::outside::answer(&mut self.chance, &method, self.is_calm);
                self.note(format!("{method} {url}: {answer:?}"));
                Done::Send(answer)
            }
            Op::Code => Done::Code(super::outside::ran(&mut self.chance, self.is_calm)),
            Op::Result(called) => Done::Result(self.read_result(called)),
        };
        self.ports.done(op, done);
        self.go(id);
    }

    fn place_of(&mut self, lease: Lease) -> Option<usize> {
        let at = self.runs.iter().position(|run| run.id == lease.run)?;
        self.runs[at].kept.held(lease.fence).ok().map(|_| at)
    }

    /// The journal: what an older claim writes is refused.
    fn write(&mut self, lease: Lease, records: Vec<StepRecord>) -> Result<(), Lost> {
        let Some(at) = self.place_of(lease) else {
            self.seen.note("stale write refused");
            return Err(Lost);
        };
        // An answer of the database that got lost makes the journal write once more.
        let times = if self.chance.percent(5) { 2 } else { 1 };
        for _ in 0..times {
            self.keep(at, records.clone());
        }
        self.runs[at].kept.written(lease.fence)
    }

    fn keep(&mut self, at: usize, records: Vec<StepRecord>) {
        let run = &mut self.runs[at];
        for record in records {
            // What code gave is what the run goes on with, however often it is resumed.
            if record.output.get("drawn").is_some() {
                let same = run.kept.journal.iter().filter(|earlier| {
                    earlier.path == record.path && earlier.state == StepState::Succeeded
                });
                assert!(
                    same.into_iter()
                        .all(|earlier| earlier.output == record.output)
                );
            }
            let error = record.error.as_deref().unwrap_or_default();
            if error.contains("the component asks for another one") {
                self.seen.note("another write held back");
            }
            let key = sha256(format!("{} {}", run.id, record.path).as_bytes());
            match record.state {
                StepState::Succeeded | StepState::Failed | StepState::InDoubt => {
                    self.ports.result_is_durable(key);
                }
                // No attempt of the write has its answer yet.
                StepState::Waiting if record.output.get("asked").is_some() => {
                    self.seen
                        .note("a component's write waits, and may have arrived");
                }
                // The attempt has its answer, or a person decided.
                StepState::Waiting => self.ports.may_be_sent(&key),
                StepState::Started => {}
            }
            run.kept.journal.push(record);
        }
    }

    fn finish(&mut self, execution: &Execution, outcome: Outcome) {
        let Some(at) = self.place_of(execution.lease) else {
            return self.seen.note("stale write refused");
        };
        match outcome {
            Outcome::Finished {
                state,
                error,
                records,
            } => {
                self.keep(at, records);
                self.end(at, state, error);
            }
            Outcome::Waiting { until, records } => {
                self.keep(at, records);
                self.seen.note("wait");
                let held = self.runs[at].kept.wait(execution.lease.fence, until.0);
                held.expect("it is held");
            }
            Outcome::Answered { result, records } => {
                self.keep(at, records);
                self.runs[at].result = Some(result);
                self.end(at, RunState::Succeeded, None);
            }
            Outcome::Calling {
                starts,
                until,
                records,
            } => self.begin_calls(at, &starts, until, &records),
            Outcome::Lost => {}
        }
    }

    fn end(&mut self, at: usize, state: RunState, error: Option<String>) {
        self.note(format!("run {at} ends: {state:?} {error:?}"));
        let run = &mut self.runs[at];
        assert!(run.kept.end.is_none(), "run {at} ends twice");
        run.kept.end(state, error);
        run.ends += 1;
        self.ports.forget_fence(run.id);
        self.wake_caller(at);
    }

    fn of_worker(&self, worker: usize) -> Vec<usize> {
        let executions = self.executions.iter();
        let of_worker = executions.filter(|(_, execution)| execution.worker == worker);
        of_worker.map(|(id, _)| *id).collect()
    }

    /// Lets a worker that hung go on: it may look at its leases first, or not.
    fn wake(&mut self, worker: usize) {
        self.awake[worker] = true;
        if self.chance.percent(50) {
            self.renew(worker);
        }
    }

    fn renew(&mut self, worker: usize) {
        for id in self.of_worker(worker) {
            let lease = self.executions[&id].lease;
            let now = self.ports.now();
            let is_held = self.place_of(lease).is_some_and(|at| {
                let renewed = self.runs[at].kept.renew(lease.fence, now);
                renewed.is_ok()
            });
            if !is_held {
                self.drop_execution(id);
            }
        }
    }

    fn drop_execution(&mut self, id: usize) {
        for op in self.ports.open_ids(id) {
            self.ports.take(op);
        }
        self.executions.remove(&id);
    }

    /// Lets time pass; who works renews its leases meanwhile.
    fn pass(&mut self, ms: i64) {
        self.ports.pass(ms);
        for worker in 0..self.awake.len() {
            if self.awake[worker] {
                self.renew(worker);
            }
        }
    }
}

fn poll(execution: &mut Execution) -> Poll<Outcome> {
    let mut context = Context::from_waker(Waker::noop());
    // Several times, as it lets others have their turn now and then.
    for _ in 0..32 {
        if let ended @ Poll::Ready(_) = execution.future.as_mut().poll(&mut context) {
            return ended;
        }
    }
    Poll::Pending
}
