//! The ports of the engine in a simulation: everything waits until the world says what happens.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Poll, Waker};
use std::time::Duration;

use domain::connection::{Kind, Server};
use domain::connector::Asked;
use domain::run::StepRecord;
use domain::{ConnectionId, DocumentHash, IntegrationId, RunId, Timestamp};
use engine::port::{
    Broke, Callee, Clock, Components, Credentials, Directory, Ending, Failure, Finding, Job,
    Journal, Lease, Lost, Network, Opening, Ran, Reading, Request, Retry, Running, Sandbox, Script,
    Turn, Uncallable, Unread, Vault, Worked, Working,
};
use serde_json::{Value, json};

use super::chance::Chance;

/// How many levels deep runs call each other.
const CALLED_DEEP: usize = 2;

/// What an execution waits for.
#[derive(Debug)]
pub(super) enum Op {
    Append(Lease, Vec<StepRecord>),
    Sleep(i64),
    Send {
        method: String,
        url: String,
    },
    Code,
    /// What this run gave, which is over.
    Result(RunId),
}

/// What came of it.
pub(super) enum Done {
    Append(Result<(), Lost>),
    Sleep,
    Send(Result<Value, Failure>),
    Code(Ran),
    Result(Result<Option<Value>, Unread>),
}

/// Time, journal and requests of a world. Cheap to clone; clones are the same.
#[derive(Clone, Default)]
pub(super) struct Ports(Arc<Mutex<State>>);

/// The way outside.
pub(super) struct Outside(pub(super) Ports);

#[derive(Default)]
struct State {
    now: i64,
    /// The execution that goes on at this moment.
    current: usize,
    lease: HashMap<usize, Lease>,
    fences: HashMap<RunId, i64>,
    open: BTreeMap<usize, (usize, Op)>,
    done: HashMap<usize, Done>,
    /// What wakes the strand that waits for an operation.
    wakers: HashMap<usize, Waker>,
    begun: usize,
    /// How many levels of calls led to each run.
    depths: HashMap<RunId, usize>,
    /// Executions that were asked to begin nothing more.
    stopping: HashSet<usize>,
    /// The writes that each execution sent, of those that may not be repeated.
    sent: HashMap<usize, Vec<String>>,
    /// Executions that heard that their lease is lost.
    lost: HashSet<usize>,
    /// Writes that may not be repeated and whose attempt has no durable answer.
    unanswered: HashSet<String>,
    /// Effects whose result is durable.
    results: HashSet<String>,
    /// Writes that may have arrived: where each goes.
    begun_writes: HashMap<String, String>,
}

impl State {
    fn begin(&mut self, op: Op) -> usize {
        let current = self.current;
        assert!(
            !self.lost.contains(&current),
            "it goes on without a lease: {op:?}"
        );
        self.begun += 1;
        self.open.insert(self.begun, (current, op));
        self.begun
    }

    /// Notes that a request leaves, and asserts that it may.
    fn send(&mut self, call: &Request, key: &str) {
        let url = name(call).1;
        let begun = self.begun_writes.entry(key.to_owned());
        assert_eq!(
            *begun.or_insert_with(|| url.clone()),
            url,
            "another write is sent, and the earlier one may have arrived"
        );
        let holds = self
            .lease
            .get(&self.current)
            .is_none_or(|lease| self.fences.get(&lease.run) == Some(&lease.fence));
        let is_repeated = self.results.contains(key);
        if call.is_idempotent() {
            // A worker that does not know yet that it lost its lease may repeat what may be.
            assert!(!holds || !is_repeated, "{url} is recorded, and sent again");
            return;
        }
        assert!(!is_repeated, "{url} is recorded, and sent again");
        let sent = self.sent.entry(self.current).or_default();
        sent.push(key.to_owned());
        let is_first = self.unanswered.insert(key.to_owned());
        assert!(is_first, "{url} is sent while an earlier one is open");
    }
}

impl Ports {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no panic holds it")
    }

    pub(super) fn now(&self) -> i64 {
        self.state().now
    }

    pub(super) fn pass(&self, ms: i64) {
        self.state().now += ms;
    }

    /// Says which execution goes on.
    pub(super) fn enter(&self, execution: usize) {
        self.state().current = execution;
    }

    pub(super) fn set_fence(&self, lease: Lease) {
        self.state().fences.insert(lease.run, lease.fence);
    }

    pub(super) fn forget_fence(&self, run: RunId) {
        self.state().fences.remove(&run);
    }

    /// Notes how deep a run is called, by the one that calls it.
    pub(super) fn note_depth(&self, run: RunId, caller: Option<RunId>) {
        let mut state = self.state();
        let depth = caller.map_or(0, |caller| state.depths[&caller] + 1);
        state.depths.insert(run, depth);
    }

    /// Says that an execution was asked to end: it sends nothing any more.
    pub(super) fn begin_no_more(&self, execution: usize) {
        self.state().stopping.insert(execution);
    }

    /// Asserts that of all that an execution sent, it is durable what came of it.
    pub(super) fn assert_nothing_in_doubt(&self, execution: usize) {
        let state = self.state();
        let sent = state.sent.get(&execution).into_iter().flatten();
        let mut unknown =
            sent.filter(|key| state.unanswered.contains(*key) && !state.results.contains(*key));
        assert_eq!(unknown.next(), None, "it was sent and left in doubt");
    }

    pub(super) fn tell_lost(&self, execution: usize) {
        self.state().lost.insert(execution);
    }

    pub(super) fn result_is_durable(&self, key: String) {
        self.state().results.insert(key);
    }

    pub(super) fn may_be_sent(&self, key: &str) {
        let mut state = self.state();
        state.results.remove(key);
        state.unanswered.remove(key);
        state.begun_writes.remove(key);
    }

    pub(super) fn open_ids(&self, execution: usize) -> Vec<usize> {
        let state = self.state();
        let open = state.open.iter().filter(|(_, (of, _))| *of == execution);
        open.map(|(id, _)| *id).collect()
    }

    /// Returns how many requests of an execution are under way.
    pub(super) fn sends(&self, execution: usize) -> usize {
        let state = self.state();
        let open = state.open.values().filter(|(of, _)| *of == execution);
        open.filter(|(_, op)| matches!(op, Op::Send { .. })).count()
    }

    pub(super) fn open_of(&self, execution: usize) -> usize {
        self.open_ids(execution).len()
    }

    pub(super) fn open(&self) -> String {
        format!("{:?}", self.state().open)
    }

    pub(super) fn take(&self, op: usize) -> Op {
        self.state().open.remove(&op).expect("it is open").1
    }

    pub(super) fn done(&self, op: usize, done: Done) {
        let mut state = self.state();
        state.done.insert(op, done);
        let waker = state.wakers.remove(&op);
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    async fn wait(&self, op: Op) -> Done {
        let id = self.state().begin(op);
        let _gone = Gone(self, id);
        poll_fn(|context| {
            let mut state = self.state();
            match state.done.remove(&id) {
                Some(done) => Poll::Ready(done),
                None => {
                    state.wakers.insert(id, context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}

/// Takes an operation back that nobody waits for any more.
struct Gone<'p>(&'p Ports, usize);

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        // A panic that holds the lock is the test's failure; another one would hide it.
        if let Ok(mut state) = self.0.0.lock() {
            state.open.remove(&self.1);
            state.wakers.remove(&self.1);
        }
    }
}

impl Clock for Ports {
    fn now(&self) -> Timestamp {
        Timestamp(Ports::now(self))
    }

    async fn sleep(&self, duration: Duration) {
        let ms = i64::try_from(duration.as_millis()).expect("a wait is short");
        let until = Ports::now(self) + ms;
        self.wait(Op::Sleep(until)).await;
    }
}

impl Journal for Ports {
    async fn append(&self, lease: Lease, records: Vec<StepRecord>) -> Result<(), Lost> {
        {
            let mut state = self.state();
            let current = state.current;
            state.lease.insert(current, lease);
        }
        match self.wait(Op::Append(lease, records)).await {
            Done::Append(written) => written,
            _ => unreachable!("an append is answered as one"),
        }
    }
}

impl std::fmt::Debug for Ports {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Ports")
    }
}

impl Directory for Ports {
    fn callee(&self, run: RunId, called: IntegrationId, _: bool) -> Finding<'_> {
        let depth = self.state().depths[&run];
        Box::pin(async move {
            if depth >= CALLED_DEEP {
                return Err(Uncallable::Refused("That is too deep.".to_owned()));
            }
            Ok(Callee {
                integration: called,
                name: "Another".to_owned(),
                version: 1,
                hash: DocumentHash(String::new()),
                callers: Vec::new(),
                caller: "One".to_owned(),
            })
        })
    }

    fn result(&self, _: RunId, called: RunId) -> Reading<'_> {
        Box::pin(async move {
            match self.wait(Op::Result(called)).await {
                Done::Result(read) => read,
                _ => unreachable!("what is read is answered as such"),
            }
        })
    }
}

impl Vault for Ports {
    fn open(&self, _: RunId, id: ConnectionId, _: bool, _: Option<i64>) -> Opening<'_> {
        let kind = if id == super::flow::OFFICE {
            Kind::Smtp
        } else {
            Kind::Postgres
        };
        let names = ["me".to_owned()];
        let opened = Credentials::for_server("It", kind, Server::default(), &names, &["password"]);
        Box::pin(async move { Ok(opened.expect("it is whole")) })
    }

    fn used(&self, _: RunId, _: ConnectionId, _: Option<String>) {}
}

impl Sandbox for Ports {
    fn run(&self, _: Script) -> Running<'_> {
        Box::pin(async move {
            match self.wait(Op::Code).await {
                Done::Code(ran) => ran,
                _ => unreachable!("code is answered as such"),
            }
        })
    }
}

impl Components for Ports {
    /// Asks for what its input says, one after the other, with the time in each. What changes asks
    /// for something else whenever it is run anew, as far as there is no answer.
    fn run(&self, job: Job) -> Working<'_> {
        Box::pin(async move {
            let Done::Code(ran) = self.wait(Op::Code).await else {
                unreachable!("code is answered as such");
            };
            let end = match ran.result {
                Ok(drawn) => ask(&job, &drawn),
                Err(broke) => Ending::Broke(broke),
            };
            let console = Vec::new();
            Worked { end, console }
        })
    }
}

fn ask(job: &Job, drawn: &Value) -> Ending {
    let text = |name: &str| job.input[name].as_str().expect("it is a text");
    let changes = text("changes") == "yes";
    for (at, method) in text("asks").split(' ').enumerate() {
        let answered = job.answered.get(at);
        let now = answered.map_or(job.now, |answered| answered.at).0;
        let more = if changes {
            drawn["drawn"].to_string()
        } else {
            String::new()
        };
        let asked = Asked {
            method: method.to_owned(),
            url: format!(
                "https://target.example/{}/{at}?at={now}{more}",
                text("name")
            ),
            headers: Vec::new(),
            body: None,
            repeats: false,
        };
        match answered {
            None => {
                let has_signed = false;
                return Ending::Asks { asked, has_signed };
            }
            Some(answered) => assert!(
                changes || answered.digest == asked.digest(),
                "it does the same whenever it is run"
            ),
        }
    }
    Ending::Done(json!({"answers": job.answered.len()}))
}

/// Returns what becomes of code: it never gives the same twice.
pub(super) fn ran(chance: &mut Chance, is_calm: bool) -> Ran {
    let broke = |may_retry| Broke {
        message: "The code broke.".to_owned(),
        may_retry,
    };
    let result = match chance.below(20) {
        _ if is_calm => Ok(json!({"drawn": chance.below(1_000_000)})),
        0..3 => Err(broke(true)),
        3 => Err(broke(false)),
        _ => Ok(json!({"drawn": chance.below(1_000_000)})),
    };
    let console = Vec::new();
    Ran { result, console }
}

impl engine::port::Outside for Outside {
    async fn send(
        &self,
        _: &Network,
        call: &Request,
        _: Turn,
        _: Timestamp,
    ) -> Result<Value, Failure> {
        {
            let state = self.0.state();
            let is_stopping = state.stopping.contains(&state.current);
            assert!(!is_stopping, "it begins a request, and was asked to end");
        }
        let key = call.idempotency_key().unwrap_or_default().to_owned();
        if !key.is_empty() {
            self.0.state().send(call, &key);
        }
        let (method, url) = name(call);
        let op = Op::Send { method, url };
        match self.0.wait(op).await {
            Done::Send(answer) => answer,
            _ => unreachable!("a request is answered as one"),
        }
    }
}

/// Returns how a request is called: its method, and where it goes.
fn name(request: &Request) -> (String, String) {
    match request {
        Request::Http(call) => (call.method().to_owned(), call.url().to_string()),
        Request::Email(_) => ("Email".to_owned(), "smtp://target.example".to_owned()),
        Request::Query(_) => ("Query".to_owned(), "postgres://target.example".to_owned()),
    }
}

/// Returns what becomes of a request.
pub(super) fn answer(chance: &mut Chance, method: &str, is_calm: bool) -> Result<Value, Failure> {
    let failure = |message: &str, retry, is_open| Failure {
        message: format!("{method} {message}"),
        answer: Value::Null,
        retry,
        is_open,
        is_before_host: false,
    };
    let well = Ok(json!({"status": 200, "headers": {}, "body": {"n": chance.below(3)}}));
    if is_calm {
        return well;
    }
    match chance.below(20) {
        0..2 => Err(failure("is too much just now.", Retry::Backoff, false)),
        2 => {
            let wait = Duration::from_secs(chance.below(200) as u64);
            Err(failure("may come later.", Retry::After(wait), false))
        }
        3 => Err(failure("is refused.", Retry::Never, false)),
        4..6 => Err(failure("got no answer.", Retry::Backoff, true)),
        _ => well,
    }
}
