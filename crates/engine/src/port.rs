//! What the engine needs from outside, fulfilled by `store` and `server`, and by the tests.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use domain::code::ConsoleLine;
use domain::connector::{Asked, Connector, Fault};
use domain::run::{RunState, StepRecord};
use domain::{ConnectionId, DocumentHash, IntegrationId, RunId, Timestamp};
use serde_json::Value;
use thiserror::Error;

pub use crate::network::hosts::{HostChange, NotNow, Turn};
pub use crate::network::{Network, Proxy, RangeError};
pub use crate::oauth::{Consent, Grant, TokenRequest};
pub use crate::step::http::client::{Clients, fetch, try_out};
pub use crate::step::http::{Call, Credentials, Failure, Retry};
pub use crate::step::key::SigningKey;
pub use crate::step::request::Request;

/// A claimed run. `fence` grows with every claim: a write with an older fence is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The run.
    pub run: RunId,
    /// Which claim of it this is.
    pub fence: i64,
}

/// The lease is no longer ours: another worker may have the run already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the lease was lost")]
pub struct Lost;

/// Where records are written, so that a run can be resumed after a crash.
pub trait Journal: Send + Sync + 'static {
    /// Appends records to those of the run; returns once they are durable.
    ///
    /// # Errors
    /// When the lease is no longer ours, or the records cannot be made durable: the engine stops
    /// at once and touches nothing more.
    fn append(
        &self,
        lease: Lease,
        records: Vec<StepRecord>,
    ) -> impl Future<Output = Result<(), Lost>> + Send;
}

/// Where requests go. [`Clients`] sends them for real; a simulation decides what becomes of them.
pub trait Outside: Send + Sync + 'static {
    /// Waits for a request's turn at its host, a second at most. `since` is when its step began:
    /// who began first goes first.
    ///
    /// # Errors
    /// When its turn comes later, or its host is down. Nothing was sent.
    fn turn(
        &self,
        _network: &Network,
        _request: &Request,
        _since: Timestamp,
        _now: Timestamp,
    ) -> impl Future<Output = Result<Turn, NotNow>> + Send {
        std::future::ready(Ok(Turn::free()))
    }

    /// Sends a request once, whose turn it is; returns the output of the step, such as `{status, headers, body}`.
    ///
    /// # Errors
    /// When the answer is not what the step expects, or none came.
    fn send(
        &self,
        network: &Network,
        request: &Request,
        turn: Turn,
        now: Timestamp,
    ) -> impl Future<Output = Result<Value, Failure>> + Send;
}

/// Where the connections of runs are opened, right before each request: one that was changed or
/// deleted is so for the next request, also of a run that began before.
pub trait Vault: Debug + Send + Sync + 'static {
    /// Opens a connection of the run's organization; a test gets the secrets for tests where there
    /// are any. A token that a service did not take, by its [`Credentials::issue`], is exchanged
    /// for a new one first, unless it was already.
    fn open(
        &self,
        run: RunId,
        connection: ConnectionId,
        is_test: bool,
        refused: Option<i64>,
    ) -> Opening<'_>;

    /// Notes that a connection was sent, and what went wrong then. Returns at once.
    fn used(&self, run: RunId, connection: ConnectionId, error: Option<String>);
}

/// A connection that is being opened.
pub type Opening<'a> = Pin<Box<dyn Future<Output = Result<Credentials, Closed>> + Send + 'a>>;

/// Why a connection was not opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Closed {
    /// There is no such connection in the run's organization (any more).
    Gone,
    /// It does not open, and will not by itself: a sentence that says what to do.
    Broken(String),
    /// It may open later: a sentence that says why not now.
    Later(String),
    /// The database did not answer.
    Unavailable,
}

/// Where the integrations are found that a run calls.
pub trait Directory: Debug + Send + Sync + 'static {
    /// Returns what is live of an integration of the run's organization, if the run may call it
    /// now. `waits` says whether the run waits for the result.
    fn callee(&self, run: RunId, called: IntegrationId, waits: bool) -> Finding<'_>;

    /// Reads what `called` gave to `run`, which called it, as [`crate::Outcome::Answered`] has it.
    fn result(&self, run: RunId, called: RunId) -> Reading<'_>;
}

/// An integration that is being looked for.
pub type Finding<'a> = Pin<Box<dyn Future<Output = Result<Callee, Uncallable>> + Send + 'a>>;

/// What a called run gave, while it is being read: `None` when it gave nothing.
pub type Reading<'a> = Pin<Box<dyn Future<Output = Result<Option<Value>, Unread>> + Send + 'a>>;

/// The database did not answer, or has that run no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unread;

/// What a call starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callee {
    /// The integration.
    pub integration: IntegrationId,
    /// Its name.
    pub name: String,
    /// The number of its live version.
    pub version: u32,
    /// That version's content.
    pub hash: DocumentHash,
    /// The integrations of the runs that led here, outermost first; the last is the calling one.
    pub callers: Vec<IntegrationId>,
    /// The name of the calling one.
    pub caller: String,
}

/// Why no run can be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Uncallable {
    /// It may not be called: a sentence that says what to do.
    Refused(String),
    /// The database did not answer.
    Unavailable,
}

/// A call that is to be written, with the start of the called run.
///
/// Of each step of a run, in each round, at most one called run is under way. One that is, or that
/// succeeded, is what this call is about; otherwise a new one starts.
#[derive(Clone, Debug, PartialEq)]
pub struct Calling {
    /// The step and its rounds: a [`domain::run::StepPath`] as a text.
    pub path: String,
    /// What is started.
    pub callee: Callee,
    /// What its expressions see as `trigger`.
    pub payload: Value,
    /// Whether the calling run waits for its end, or goes on at once.
    pub waits: bool,
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Returned {
    /// The step that called, as [`Calling::path`].
    pub path: String,
    /// The run that was called.
    pub run: RunId,
    /// The name of its integration.
    pub name: String,
    /// Where it stands; it may not be over.
    pub state: RunState,
    /// Why it did not succeed.
    pub error: Option<String>,
    /// What it gave, as [`crate::Outcome::Answered`] has it, where that is small. `None` for what
    /// [`Directory::result`] reads when its turn comes.
    pub result: Option<Value>,
}

/// Where the code of steps runs: never in this process.
pub trait Sandbox: Debug + Send + Sync + 'static {
    /// Runs a piece of code. It has no way to act on anything outside, so that running it twice
    /// does no harm. Dropping the future ends it.
    fn run(&self, script: Script) -> Running<'_>;
}

/// Code that is being run.
pub type Running<'a> = Pin<Box<dyn Future<Output = Ran> + Send + 'a>>;

/// Code and what it works on.
#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    /// The body of a JavaScript function that has `input`, and returns a value.
    pub code: String,
    /// What it has as `input`.
    pub input: Value,
}

/// What came of running code.
#[derive(Clone, Debug, PartialEq)]
pub struct Ran {
    /// What it returned, within the bounds of [`domain::code`].
    pub result: Result<Value, Broke>,
    /// What it wrote to its console, also when it failed.
    pub console: Vec<ConsoleLine>,
}

/// Why code gave nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broke {
    /// A sentence that says where and why, and what to do.
    pub message: String,
    /// It is not the code's fault, so that another attempt may do better.
    pub may_retry: bool,
}

/// Where the components of connectors run.
pub trait Components: Debug + Send + Sync + 'static {
    /// Runs a component until it gives an output, fails, or asks for a request that is not among
    /// those that are answered. It has no way to act on anything outside, so that running it twice
    /// does no harm.
    fn run(&self, job: Job) -> Working<'_>;
}

/// A component that is being run.
pub type Working<'a> = Pin<Box<dyn Future<Output = Worked> + Send + 'a>>;

/// A component and all that it may know.
#[derive(Clone, Debug)]
pub struct Job {
    /// The run: the component is one of its organization.
    pub run: RunId,
    /// SHA-256 of the module.
    pub component: String,
    /// The name by which the component knows the action.
    pub action: String,
    /// What it gets.
    pub input: Value,
    /// What it asked for before, oldest first, and the answers.
    pub answered: Arc<Vec<Answered>>,
    /// What time it is after all answers.
    pub now: Timestamp,
    /// What it may have signatures of.
    pub key: Option<SigningKey>,
}

/// A request that a component asked for, and the answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answered {
    /// What it asked for, as [`Asked::digest`] has it.
    pub digest: String,
    /// What time it was for the component when it asked.
    pub at: Timestamp,
    /// The answer: `{status, headers, body}`.
    pub answer: Value,
}

/// What came of running a component.
#[derive(Clone, Debug, PartialEq)]
pub struct Worked {
    /// How it ended.
    pub end: Ending,
    /// What it logged, from its beginning.
    pub console: Vec<ConsoleLine>,
}

/// How a run of a component ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    /// With an output.
    Done(Value),
    /// It asks for one more request.
    Asks {
        /// The request.
        asked: Asked,
        /// It had something signed before: what may prove who sends goes to the connection's
        /// origins only.
        has_signed: bool,
    },
    /// It gave nothing.
    Broke(Broke),
}

/// Looks at connectors with a component before they are imported.
pub trait Inspector: Debug + Send + Sync + 'static {
    /// Checks a module, and runs the connector's recorded examples with it.
    ///
    /// # Errors
    /// What is wrong, and where.
    fn inspect(&self, connector: Connector, module: Bytes) -> Inspecting<'_>;
}

/// A component that is being looked at.
pub type Inspecting<'a> = Pin<Box<dyn Future<Output = Result<(), Vec<Fault>>> + Send + 'a>>;

/// What time it is, and waiting for it to pass.
pub trait Clock: Send + Sync + 'static {
    /// Returns the current time.
    fn now(&self) -> Timestamp;

    /// Waits in process: for short delays and before retries. Tests return at once.
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send {
        tokio::time::sleep(duration)
    }
}

/// The clock of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Timestamp(since.map_or(0, |since| {
            i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
        }))
    }
}

/// What a Respond step answers to the caller of the webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status, 200 to 599.
    pub status: u16,
    /// Checked names and values; `content-type` is among them when there is a body. Never
    /// `content-length`, `set-cookie` or a name that steers the connection or the site.
    pub headers: Vec<(String, String)>,
    /// The body; empty for none.
    pub body: Bytes,
}
