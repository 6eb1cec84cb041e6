//! Builds documents from short JSON and executes them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use domain::document::{Document, ErrorPolicy, Lane, Step};
use domain::run::{RunState, StepRecord, StepState, TestScope};
use domain::{LaneId, RunId, StepId, Timestamp};
use engine::port::{Answer, Calling, Clock, Journal, Lease, Lost, Network, Returned};
use engine::{Engine, Outcome, Program, Signal, Task};
use serde_json::{Value, json};
use tokio::sync::{oneshot, watch};
use uuid::Uuid;

/// When the clock of a stage starts.
pub(crate) const START: Timestamp = Timestamp(1_780_000_000_000);

/// Builds a document: each step is `{slug, kind, …fields…}`, with `lanes` as `[name, when, steps]`
/// `do` for a loop's steps, `try` and `catch` for a try's, and `on_error`.
pub(crate) fn document(steps: Value) -> Document {
    let mut document = Document::new("webhook");
    document.flow = add(&mut document.steps, &steps);
    document
}

fn add(all: &mut BTreeMap<StepId, Step>, steps: &Value) -> Vec<StepId> {
    let steps = steps.as_array().expect("a list of steps");
    steps.iter().map(|step| add_one(all, step)).collect()
}

fn add_one(all: &mut BTreeMap<StepId, Step>, given: &Value) -> StepId {
    let mut config = given.as_object().expect("a step").clone();
    let mut take = |name: &str| config.shift_remove(name).unwrap_or_default();
    let slug = take("slug").as_str().expect("a slug").to_owned();
    let kind = take("kind").as_str().expect("a kind").to_owned();
    let action = serde_json::from_value(take("action")).expect("a declaration, or none");
    let on_error: ErrorPolicy = match take("on_error") {
        Value::Null => ErrorPolicy::default(),
        policy => serde_json::from_value(policy).expect("a policy"),
    };
    let id = step_id(&slug);
    let mut lanes = Vec::new();
    for (index, lane) in take("lanes").as_array().into_iter().flatten().enumerate() {
        let when = lane[1].as_str().map(str::to_owned);
        lanes.push(new_lane(
            index,
            lane[0].as_str().expect("a name"),
            when,
            add(all, &lane[2]),
        ));
    }
    if let content @ Value::Array(_) = take("do") {
        lanes.push(new_lane(0, "Each item", None, add(all, &content)));
    }
    for (index, (name, list)) in [("Try", "try"), ("If it fails", "catch")]
        .into_iter()
        .enumerate()
    {
        if let content @ Value::Array(_) = take(list) {
            lanes.push(new_lane(index, name, None, add(all, &content)));
        }
    }
    let name = format!("The {slug}");
    let notes = String::new();
    all.insert(
        id,
        Step {
            id,
            name,
            slug,
            kind,
            action,
            config,
            on_error,
            notes,
            lanes,
        },
    );
    id
}

/// Returns what a connector declares: one request, whose path and body come from the field `item`.
pub(crate) fn declared(method: &str, base: &str, path: &str) -> Value {
    let body = if method == "GET" { "none" } else { "json" };
    json!({
        "connector": "shop", "title": "Shop", "icon": "plug", "base": base,
        "auth": ["bearer"],
        "operation": {
            "key": "do", "title": "Do", "method": method, "path": path, "body": body,
            "anonymous": true,
            "input": { "type": "object", "required": ["item"], "properties": {
                "item": { "type": "string" },
                "note": { "type": "string" },
            } },
        },
    })
}

fn new_lane(index: usize, name: &str, when: Option<String>, steps: Vec<StepId>) -> Lane {
    let id = LaneId::new(Uuid::from_u128(index as u128));
    Lane {
        id,
        name: name.to_owned(),
        when,
        steps,
    }
}

/// The id of the step with that slug.
pub(crate) fn step_id(slug: &str) -> StepId {
    let bytes = slug
        .bytes()
        .fold(0_u128, |id, byte| id << 8 | u128::from(byte));
    StepId::new(Uuid::from_u128(bytes))
}

/// A clock that stands still until someone sleeps by it; sleeping takes no time.
#[derive(Clone, Debug)]
pub(crate) struct TestClock {
    now: Arc<AtomicI64>,
    pub(crate) slept: Arc<Mutex<Vec<Duration>>>,
}

impl TestClock {
    pub(crate) fn new() -> Self {
        Self {
            now: Arc::new(AtomicI64::new(START.0)),
            slept: Arc::default(),
        }
    }

    pub(crate) fn pass(&self, duration: Duration) {
        self.now
            .fetch_add(duration.as_millis() as i64, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::SeqCst))
    }

    async fn sleep(&self, duration: Duration) {
        self.slept.lock().expect("no panic holds it").push(duration);
        self.pass(duration);
    }
}

/// A clock by which nobody wakes.
pub(crate) struct Standing;

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        START
    }

    async fn sleep(&self, _: Duration) {
        std::future::pending().await
    }
}

/// A journal in memory that loses the lease at a chosen write, before or after it is durable.
#[derive(Debug, Default)]
pub(crate) struct MemoryJournal {
    pub(crate) records: Mutex<Vec<StepRecord>>,
    pub(crate) writes: Mutex<usize>,
    /// Bytes of JSON of the largest write.
    pub(crate) largest: Mutex<usize>,
    /// Whether other strands go on while an append is under way.
    pub(crate) is_slow: bool,
    pub(crate) crash: Option<Crash>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Crash {
    pub(crate) at_write: usize,
    pub(crate) is_durable: bool,
}

impl MemoryJournal {
    /// Whether the next write becomes durable.
    fn keeps(&self) -> bool {
        let next = *self.writes.lock().expect("no panic holds it");
        let crash = self.crash.filter(|crash| crash.at_write == next);
        crash.is_none_or(|crash| crash.is_durable)
    }

    pub(crate) fn write(&self, records: Vec<StepRecord>) -> Result<(), Lost> {
        let bytes = serde_json::to_vec(&records).expect("it is JSON").len();
        let mut largest = self.largest.lock().expect("no panic holds it");
        *largest = bytes.max(*largest);
        let mut writes = self.writes.lock().expect("no panic holds it");
        let crash = self.crash.filter(|crash| crash.at_write == *writes);
        *writes += 1;
        if crash.is_none_or(|crash| crash.is_durable) {
            self.records
                .lock()
                .expect("no panic holds it")
                .extend(records);
        }
        crash.map_or(Ok(()), |_| Err(Lost))
    }
}

impl Journal for MemoryJournal {
    async fn append(&self, _lease: Lease, records: Vec<StepRecord>) -> Result<(), Lost> {
        if self.is_slow {
            tokio::task::yield_now().await;
        }
        self.write(records)
    }
}

/// Everything that a test needs to execute one document.
pub(crate) struct Stage {
    pub(crate) engine: Engine<TestClock>,
    pub(crate) clock: TestClock,
    pub(crate) program: Arc<Program>,
    pub(crate) payload: Value,
    pub(crate) network: Network,
    pub(crate) is_test: bool,
    pub(crate) is_taken_over: bool,
    pub(crate) scope: TestScope,
    pub(crate) run: RunId,
    /// What the run calls.
    pub(crate) calls: Mutex<Calls>,
    /// How long the run gave its worker back, each time.
    pub(crate) waited: Mutex<Vec<Duration>>,
}

/// What called runs are to give, one after the other, and what was called.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    /// How each called run is to end: its state, its error and its result; null for what the
    /// directory has.
    pub(crate) gives: Vec<(RunState, Option<&'static str>, Value)>,
    pub(crate) started: Vec<Calling>,
    /// What is known of the last call of each path.
    pub(crate) returned: BTreeMap<String, Returned>,
}

impl Calls {
    /// Starts what is called; it ends at once.
    pub(crate) fn start(&mut self, calling: Calling) {
        let (state, error, result) = self.gives.remove(0);
        let returned = Returned {
            path: calling.path.clone(),
            run: RunId::new(Uuid::from_u128(100 + self.started.len() as u128)),
            name: calling.callee.name.clone(),
            state,
            error: error.map(str::to_owned),
            result: Some(result).filter(|result| !result.is_null()),
        };
        self.returned.insert(calling.path.clone(), returned);
        self.started.push(calling);
    }
}

/// What a finished run left behind.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) state: RunState,
    pub(crate) error: Option<String>,
    pub(crate) records: Vec<StepRecord>,
    pub(crate) answer: Option<Answer>,
    pub(crate) writes: usize,
    /// Bytes of JSON of the largest write.
    pub(crate) largest: usize,
    /// What it gave to the run that called it.
    pub(crate) result: Option<Value>,
}

impl Stage {
    pub(crate) fn new(steps: Value) -> Self {
        Self::of(&document(steps))
    }

    pub(crate) fn of(document: &Document) -> Self {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| {
            // What encrypted before may have chosen it by itself.
            let _ = rustls::crypto::ring::default_provider().install_default();
        });
        let clock = TestClock::new();
        Self {
            engine: Engine::new(clock.clone()),
            clock,
            program: Arc::new(Program::compile(document).expect("it compiles")),
            payload: json!({}),
            network: Network {
                allowed: vec!["127.0.0.1".to_owned()],
                ..Network::default()
            },
            is_test: false,
            is_taken_over: false,
            scope: TestScope::Whole,
            run: RunId::new(Uuid::from_u128(7)),
            calls: Mutex::default(),
            waited: Mutex::default(),
        }
    }

    pub(crate) fn payload(mut self, payload: Value) -> Self {
        self.payload = payload;
        self
    }

    pub(crate) fn task(&self, history: Vec<StepRecord>) -> Task {
        Task {
            trace: None,
            within: None,
            lease: Lease {
                run: self.run,
                fence: 1,
            },
            program: Arc::clone(&self.program),
            payload: self.payload.clone().into(),
            created_at: START,
            is_test: self.is_test,
            is_taken_over: self.is_taken_over,
            resumed_at: None,
            scope: self.scope.clone(),
            history,
            returned: self
                .calls
                .lock()
                .expect("no panic holds it")
                .returned
                .values()
                .cloned()
                .collect(),
            network: self.network.clone(),
        }
    }

    /// Executes once, with what the journal holds as history.
    pub(crate) async fn execute(&self, journal: &MemoryJournal) -> (Outcome, Option<Answer>) {
        let history = journal.records.lock().expect("no panic holds it").clone();
        let (sender, mut receiver) = oneshot::channel();
        let (_keep, cancel) = watch::channel(Signal::GoOn);
        let outcome = self
            .engine
            .execute(self.task(history), journal, Some(sender), cancel)
            .await;
        (outcome, receiver.try_recv().ok())
    }

    /// Executes to the end, through waits and crashes, as a worker would.
    pub(crate) async fn run_with(&self, mut journal: MemoryJournal) -> End {
        let mut answer = None;
        loop {
            let (outcome, answered) = self.execute(&journal).await;
            answer = answer.or(answered);
            let lost = match outcome {
                Outcome::Lost => true,
                Outcome::Calling {
                    starts, records, ..
                } => {
                    let is_kept = journal.keeps();
                    let written = journal.write(records);
                    let mut calls = self.calls.lock().expect("no panic holds it");
                    for calling in starts.into_iter().filter(|_| is_kept) {
                        calls.start(calling);
                    }
                    written.is_err()
                }
                Outcome::Answered { result, records } => {
                    if journal.write(records).is_ok() {
                        return End::of_journal(
                            journal,
                            (RunState::Succeeded, None),
                            answer,
                            Some(result),
                        );
                    }
                    true
                }
                Outcome::Waiting { until, records } => {
                    let wait = Duration::from_millis(until.since(self.clock.now()));
                    self.clock.pass(wait);
                    self.waited.lock().expect("no panic holds it").push(wait);
                    journal.write(records).is_err()
                }
                Outcome::Finished {
                    state,
                    error,
                    records,
                } => {
                    if journal.write(records).is_ok() {
                        return End::of_journal(journal, (state, error), answer, None);
                    }
                    // A finish that became durable is not repeated by a worker; here it is, which
                    // must change nothing.
                    true
                }
            };
            if lost {
                journal.crash = None;
                // Until another worker has it.
                self.clock.pass(Duration::from_secs(20));
            }
        }
    }

    pub(crate) async fn run(&self) -> End {
        self.run_with(MemoryJournal::default()).await
    }
}

/// Keeps the last record of each path, where the first stood.
pub(crate) fn latest(records: Vec<StepRecord>) -> Vec<StepRecord> {
    let mut latest: Vec<StepRecord> = Vec::new();
    for record in records {
        match latest
            .iter_mut()
            .find(|earlier| earlier.path == record.path)
        {
            Some(earlier) => *earlier = record,
            None => latest.push(record),
        }
    }
    latest
}

impl End {
    fn of_journal(
        journal: MemoryJournal,
        (state, error): (RunState, Option<String>),
        answer: Option<Answer>,
        result: Option<Value>,
    ) -> Self {
        let writes = *journal.writes.lock().expect("no panic holds it");
        let largest = *journal.largest.lock().expect("no panic holds it");
        Self {
            state,
            error,
            records: latest(journal.records.into_inner().expect("no panic holds it")),
            answer,
            writes,
            largest,
            result,
        }
    }

    /// The record of a step, in its first round.
    pub(crate) fn of(&self, slug: &str) -> &StepRecord {
        let id = step_id(slug);
        self.records
            .iter()
            .find(|record| record.path.step == id)
            .unwrap_or_else(|| panic!("no record of {slug}: {self:#?}"))
    }

    pub(crate) fn output(&self, slug: &str) -> &Value {
        &self.of(slug).output
    }

    /// Asserts that the run and the step failed; returns the step's error.
    pub(crate) fn failure(&self, slug: &str) -> &str {
        assert_eq!(self.state, RunState::Failed, "{self:#?}");
        assert_eq!(self.of(slug).state, StepState::Failed, "{self:#?}");
        self.of(slug)
            .error
            .as_deref()
            .expect("a failed step says why")
    }

    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(
            (self.state, &self.error),
            (RunState::Succeeded, &None),
            "{self:#?}"
        );
        self
    }
}

/// Runs one step, whose field has what the trigger gave.
pub(crate) async fn step(
    kind: &str,
    field: &str,
    value: Value,
    more: Value,
) -> Result<Value, String> {
    let mut step = json!({ "slug": "one", "kind": kind });
    step[field] = json!("{{ trigger.body }}");
    for (name, value) in more.as_object().into_iter().flatten() {
        step[name] = value.clone();
    }
    let end = Stage::new(json!([step]))
        .payload(json!({ "body": value }))
        .run()
        .await;
    match end.of("one").error.clone() {
        Some(error) => Err(error),
        None => Ok(end.output("one").clone()),
    }
}
