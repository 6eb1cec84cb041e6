//! Steps that reach outside.
//!
//! Before another attempt a run waits as it does in a delay: for more than a moment it gives its
//! worker back, and a restart neither shortens nor forgets the wait.
//!
//! A write is recorded as begun before it is sent and with its result after it, so that no crash
//! can repeat it. The result may share its append with what comes next, as long as that is pure:
//! it is durable before another write begins, before an answer leaves, and before anything is
//! waited for. While a read is under way, earlier results are appended beside it.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use domain::canonical::sha256;
use domain::run::{StepPath, StepRecord, StepState};
use domain::{ConnectionId, Timestamp};
use serde_json::{Map, Value, json};

use super::catching::code_of;
use super::record::{measure, without_nul};
use super::run::{Run, shown};
use super::watch::{Interrupt, backoff};
use super::{End, rfc3339};
use crate::port::{Clock, Journal, NotNow, Outside, Turn};
use crate::program::Node;
use crate::step::http::{Failure, Retry};
use crate::step::request::Request;

/// What is said of a write when the server stopped in its middle.
const STOPPED: &str = "The request was sent, but whether it arrived is not known: the server stopped before the answer was recorded";
/// What is said of a write that was not sent, as the process was to end.
const NOT_SENT: &str = "The server was about to end before it was sent.";
/// What is said of a write that got no answer.
pub(super) const NO_ANSWER: &str = "Whether the request was carried out is not known";

/// One effect on its way.
pub(super) struct Effect<'n> {
    pub(super) node: &'n Node,
    pub(super) path: StepPath,
    pub(super) started_at: Timestamp,
    pub(super) input: Value,
    /// Counts the attempt that is made, or was made last.
    pub(super) attempts: u32,
    /// The first attempt waited for its turn without a worker.
    pub(super) was_parked: bool,
    /// What a component asked for, and when, if that is a write: kept with its beginning, so that
    /// the component is asked for the very same when that broke off.
    pub(super) asked: Option<Value>,
    /// An attempt may have arrived, and none of its answers is known.
    pub(super) is_open: bool,
}

/// What came of a request.
pub(super) enum Came {
    /// An answer that the step expects.
    Output(Value),
    /// Another answer, or none.
    Failed(Failure),
    /// It was sent, and nobody knows whether it arrived: a sentence.
    InDoubt(String),
}

/// What is known of a step that is not pure, when a run comes to it.
pub(super) enum Earlier {
    /// It is over: what was recorded is used, and nothing done again.
    Over(StepRecord),
    /// It begins, or begins once more after what was recorded.
    Begins(Option<StepRecord>),
}

impl<'p, C: Clock, J: Journal, O: Outside> Run<'p, C, J, O> {
    /// Does a step that sends something, as `build` makes it of its fields and a key that stays
    /// the same however often it is sent.
    pub(super) async fn send(
        &mut self,
        node: &'p Node,
        started_at: Timestamp,
        config: Map<String, Value>,
        build: fn(&Map<String, Value>, &str) -> Result<Request, String>,
    ) -> Result<(), End> {
        let path = self.path(node);
        let earlier = match self.earlier(&path)? {
            Earlier::Over(record) => return self.replay(node, record),
            Earlier::Begins(earlier) => earlier,
        };
        let key = sha256(format!("{} {path}", self.lease.run).as_bytes());
        let mut request = match build(&config, &key) {
            Ok(request) => request,
            Err(error) => return self.fail(node, started_at, Value::Object(config), error),
        };
        let mut effect = Effect::of(node, path, started_at, config, earlier.as_ref());
        let was_begun = earlier.is_some_and(|record| record.state == StepState::Started);
        match self
            .exchange(&mut effect, &mut request, &key, was_begun)
            .await?
        {
            Came::Output(output) => {
                self.give(node, &output);
                let now = self.clock.now();
                self.records
                    .effect(effect.ended(StepState::Succeeded, now, output, None));
                Ok(())
            }
            Came::InDoubt(error) => self.doubt(&effect, error),
            Came::Failed(failure) => {
                let (error, answer) = (failure.message, failure.answer);
                let code = code_of(&answer);
                let now = self.clock.now();
                self.records.effect(effect.ended(
                    StepState::Failed,
                    now,
                    answer,
                    Some(error.clone()),
                ));
                self.after_failure(node, &error, &code)
            }
        }
    }

    /// Sends a request as often as the step's policy allows, and says what came of it, as it can be
    /// recorded. `was_begun` says that it was sent before, and no answer recorded.
    pub(super) async fn exchange(
        &mut self,
        effect: &mut Effect<'_>,
        request: &mut Request,
        key: &str,
        was_begun: bool,
    ) -> Result<Came, End> {
        if let Some(trace) = self.trace {
            request.name_trace(&trace.header(&effect.path));
        }
        if was_begun && !request.is_idempotent() {
            return Ok(Came::InDoubt(format!("{STOPPED}. {}.", request.in_doubt())));
        }
        let result = self.attempts(effect, request, key).await?;
        if !request.is_safe() {
            self.records.note_write();
        }
        let failure = match result {
            Ok(output) => return Ok(Came::Output(clean(output))),
            Err(failure) => failure,
        };
        let message = failure.message.replace('\0', "\u{fffd}");
        let is_answered = failure.answer.get("status").is_some_and(Value::is_u64);
        if failure.is_open && !request.is_idempotent() || effect.may_be_another() && !is_answered {
            let advice = request.in_doubt();
            return Ok(Came::InDoubt(format!("{message} {NO_ANSWER}. {advice}.")));
        }
        Ok(Came::Failed(Failure {
            message,
            answer: clean(failure.answer),
            ..failure
        }))
    }

    /// Records that it is not known whether a write arrived, and goes on or not as the step's
    /// policy says.
    pub(super) fn doubt(&mut self, effect: &Effect<'_>, error: String) -> Result<(), End> {
        self.records.effect(effect.record(
            StepState::InDoubt,
            self.clock.now(),
            Value::Null,
            Some(error.clone()),
        ));
        self.after_doubt(effect.node, &error)
    }

    pub(super) fn after_doubt(&mut self, node: &Node, error: &str) -> Result<(), End> {
        match self.after_failure(node, error, "in_doubt") {
            Err(End::Thrown(_)) => Err(End::InDoubt(format!(
                "Step `{}` is in doubt. {error}",
                node.name
            ))),
            other => other,
        }
    }

    /// Returns what an earlier execution recorded of a step that is not pure.
    ///
    /// # Errors
    /// [`End::Waiting`] while the time of its next attempt has not come.
    pub(super) fn earlier(&mut self, path: &StepPath) -> Result<Earlier, End> {
        let earlier = match self.records.recorded(path) {
            Some(record) if !matches!(record.state, StepState::Started | StepState::Waiting) => {
                return Ok(Earlier::Over(record));
            }
            earlier => earlier,
        };
        if let Some(until) = earlier.as_ref().and_then(next_attempt)
            && self.clock.now() < until
        {
            return Err(End::Waiting(until));
        }
        Ok(Earlier::Begins(earlier))
    }

    /// Uses what an earlier execution recorded, instead of doing it again.
    pub(super) fn replay(&mut self, node: &'p Node, record: StepRecord) -> Result<(), End> {
        // Between attempts a run waits, and before it was resumed it worked on another account.
        if let Some(finished_at) = record.finished_at
            && record.attempts == 1
            && self.resumed_at.is_none_or(|at| record.started_at >= at)
            // Beside others it took no time of its own.
            && self.strand.is_none()
        {
            self.watch
                .count(Duration::from_millis(finished_at.since(record.started_at)));
        }
        self.replay_result(node, record)
    }

    /// Uses a recorded result, whatever time it took.
    pub(super) fn replay_result(&mut self, node: &'p Node, record: StepRecord) -> Result<(), End> {
        match record.state {
            StepState::Succeeded => {
                self.give(node, &record.output);
                Ok(())
            }
            StepState::InDoubt => {
                let error = record.error.unwrap_or_else(|| format!("{STOPPED}."));
                self.after_doubt(node, &error)
            }
            _ => {
                let error = record.error.as_deref().unwrap_or("It failed before.");
                self.after_failure(node, error, &code_of(&record.output))
            }
        }
    }

    /// Sends a request, as often as the step's policy allows.
    async fn attempts(
        &mut self,
        effect: &mut Effect<'_>,
        request: &mut Request,
        key: &str,
    ) -> Result<Result<Value, Failure>, End> {
        let mut refused = None;
        loop {
            let sent = match self.authorize(&mut effect.input, request, refused).await? {
                Ok(connection) => match self.turn(effect, request).await? {
                    Ok(turn) => {
                        // Until its turn came, it did not work.
                        if std::mem::take(&mut effect.was_parked) {
                            effect.started_at = self.clock.now();
                        }
                        self.attempt(effect, request, turn, connection).await?
                    }
                    Err(failure) => Err(failure),
                },
                // Nothing was sent.
                Err(failure) => Err(failure),
            };
            let failure = match sent {
                Ok(output) => return Ok(Ok(output)),
                Err(failure) => failure,
            };
            // A token can end, or be taken back, before its time. The service did nothing, unless
            // what it refused is the result to which it redirected, so the request goes once more
            // with a new one; that is no attempt of the step's policy.
            if refused.is_none()
                && !failure.is_open
                && failure.is_unauthorized()
                && request.issue().is_some()
            {
                refused = request.issue();
                self.record_refusal(effect, request, &failure.message)
                    .await?;
                continue;
            }
            effect.is_open |= failure.is_open;
            if failure.retry == Retry::Never
                || effect.attempts > u32::from(effect.node.policy.retries)
                || failure.is_open && !request.is_idempotent()
            {
                return Ok(Err(failure));
            }
            let wait = backoff(failure.retry, key, effect.attempts);
            self.wait_for_attempt(effect, request.is_idempotent(), &failure.message, wait)
                .await?;
            effect.attempts += 1;
        }
    }

    /// Waits for the request's turn at its host: a moment here, longer without a worker. Nothing is
    /// recorded as begun before, and waiting is no attempt.
    async fn turn(
        &mut self,
        effect: &Effect<'_>,
        request: &Request,
    ) -> Result<Result<Turn, Failure>, End> {
        let (since, now) = (effect.started_at, self.clock.now());
        let mut turn = pin!(self.outside.turn(self.network, request, since, now));
        let came = match poll_fn(|context| Poll::Ready(turn.as_mut().poll(context))).await {
            Poll::Ready(came) => Ok(came),
            Poll::Pending => {
                // What a write did must not wait for another host.
                if self.records.has_write() {
                    self.append().await?;
                }
                self.watch.unless(turn).await
            }
        };
        let (message, wait) = match came {
            Ok(Ok(turn)) => return Ok(Ok(turn)),
            Ok(Err(NotNow::Down(failure))) => return Ok(Err(failure)),
            Ok(Err(NotNow::Later { message, wait })) => (message, wait),
            Err(interrupt) => {
                let error = "The run ended before the request was sent.".to_owned();
                return Err(self.interrupt_between(effect, error, interrupt));
            }
        };
        let ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        let until = Timestamp(self.clock.now().0.saturating_add(ms));
        let mut waiting = effect.waiting(until, message);
        // What comes next is this attempt, not another one.
        waiting.attempts = effect.attempts - 1;
        self.records.effect(waiting);
        Err(End::Waiting(until))
    }

    /// Makes durable that a service did not know who sends, where a beginning was recorded: nothing
    /// was done there, so nothing is in doubt, whatever comes before it is sent once more.
    async fn record_refusal(
        &mut self,
        effect: &Effect<'_>,
        request: &Request,
        failure: &str,
    ) -> Result<(), End> {
        if !effect.is_begun(request) {
            return Ok(());
        }
        let mut waiting = effect.waiting(self.clock.now(), failure.replace('\0', "\u{fffd}"));
        // As of one that was not sent yet.
        waiting.attempts = effect.attempts - 1;
        self.records.effect(waiting);
        self.append().await
    }

    /// Sends a request once.
    async fn attempt(
        &mut self,
        effect: &mut Effect<'_>,
        request: &Request,
        turn: Turn,
        connection: Option<ConnectionId>,
    ) -> Result<Result<Value, Failure>, End> {
        self.begin_attempt(effect, request).await?;
        let now = self.clock.now();
        // Earlier results become durable while this read is under way.
        let must_append = request.is_safe() && self.records.may_append_beside(now);
        // In a box: the run's own future holds room for it in several places, and is moved about.
        let sending = Box::pin(self.outside.send(self.network, request, turn, now));
        let send = async { Ok(self.watch.unless(sending).await) };
        let sent = if must_append {
            tokio::try_join!(self.append(), send)?.1
        } else {
            send.await?
        };
        if let (Some(connection), Ok(result)) = (connection, &sent) {
            self.note_use(connection, result);
        }
        sent.map_err(|interrupt| self.interrupt_effect(effect, request, interrupt))
    }

    /// Makes durable what must be before a request leaves. None leaves once the run is to be handed
    /// back: where its beginning was just recorded, so is that it was not sent.
    async fn begin_attempt(&mut self, effect: &Effect<'_>, request: &Request) -> Result<(), End> {
        self.may_begin()?;
        let is_begun = effect.is_begun(request);
        if is_begun {
            let output = effect.asked.as_ref().map_or(Value::Null, begun);
            let mut intent = effect.record(StepState::Started, effect.started_at, output, None);
            intent.finished_at = None;
            self.records.effect(intent);
            self.append().await?;
        } else if !request.is_safe() && self.records.has_result() {
            self.append().await?;
        }
        let may_begin = self.may_begin();
        if may_begin.is_err() && is_begun {
            let mut waiting = effect.waiting(self.clock.now(), NOT_SENT.to_owned());
            // What comes next is this attempt.
            waiting.attempts = effect.attempts - 1;
            self.records.effect(waiting);
        }
        may_begin
    }

    /// Waits for the next attempt: a moment here, longer without a worker.
    pub(super) async fn wait_for_attempt(
        &mut self,
        effect: &Effect<'_>,
        is_idempotent: bool,
        failure: &str,
        wait: Duration,
    ) -> Result<(), End> {
        let waited = self.wait_for_next(effect, is_idempotent, failure, wait);
        let Err(interrupt) = waited.await? else {
            return Ok(());
        };
        let error = format!(
            "{} The run ended before the next attempt.",
            failure.replace('\0', "\u{fffd}")
        );
        Err(self.interrupt_between(effect, error, interrupt))
    }

    /// As [`Run::wait_for_attempt`]; what interrupts the wait is told and not recorded.
    pub(super) async fn wait_for_next(
        &mut self,
        effect: &Effect<'_>,
        is_idempotent: bool,
        failure: &str,
        wait: Duration,
    ) -> Result<Result<(), Interrupt>, End> {
        let ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        let until = Timestamp(self.clock.now().0.saturating_add(ms));
        let is_long = wait > self.short;
        let waiting = || effect.waiting(until, failure.replace('\0', "\u{fffd}"));
        if is_long || !is_idempotent {
            // This attempt has its answer: after a crash nothing is in doubt.
            self.records.effect(waiting());
        }
        if is_long {
            return Err(End::Waiting(until));
        }
        if self.records.has_result() {
            self.append().await?;
        }
        match self.watch.rest(self.clock.sleep(wait)).await {
            Ok(true) => Ok(Ok(())),
            Ok(false) => {
                // Whoever goes on counts the attempts on.
                if is_idempotent {
                    self.records.effect(waiting());
                }
                Err(End::HandedBack)
            }
            Err(interrupt) => Ok(Err(interrupt)),
        }
    }
}

impl<'n> Effect<'n> {
    /// Returns the effect that begins, or begins once more after what was recorded.
    pub(super) fn of(
        node: &'n Node,
        path: StepPath,
        started_at: Timestamp,
        config: Map<String, Value>,
        earlier: Option<&StepRecord>,
    ) -> Self {
        let was_begun = earlier.is_some_and(|record| record.state == StepState::Started);
        Self {
            node,
            path,
            // What broke off is begun anew: while nobody had the run, it did not work.
            started_at: earlier
                .filter(|_| !was_begun)
                .map_or(started_at, |record| record.started_at),
            input: shown(Value::Object(config)),
            attempts: earlier.map_or(1, |record| record.attempts + u32::from(!was_begun)),
            was_parked: earlier
                .is_some_and(|record| record.state == StepState::Waiting && record.attempts == 0),
            asked: None,
            is_open: false,
        }
    }

    /// Returns whether an attempt may have arrived that is not made again as it was, should the step
    /// begin anew.
    pub(super) fn may_be_another(&self) -> bool {
        self.asked.is_some() && self.is_open
    }

    pub(super) fn doubted(&self, error: &str) -> End {
        End::InDoubt(format!("Step `{}` is in doubt. {error}", self.node.name))
    }

    /// Returns whether its beginning is recorded before it is sent: what may be repeated anyway (GET,
    /// HEAD, PUT, DELETE) needs no such record, unless what is repeated could be another.
    fn is_begun(&self, request: &Request) -> bool {
        !request.is_idempotent() || self.asked.is_some()
    }

    /// Returns what is recorded while it waits for the next attempt.
    fn waiting(&self, until: Timestamp, why: String) -> StepRecord {
        let mut output = match &self.asked {
            Some(asked) if self.is_open => begun(asked),
            _ => json!({}),
        };
        output["until"] = rfc3339(until).into();
        let waiting = self.record(StepState::Waiting, self.started_at, output, Some(why));
        StepRecord {
            finished_at: None,
            ..waiting
        }
    }

    pub(super) fn record(
        &self,
        state: StepState,
        now: Timestamp,
        output: Value,
        error: Option<String>,
    ) -> StepRecord {
        let (path, input) = (self.path.clone(), self.input.clone());
        let ended = Self {
            path,
            input,
            asked: None,
            ..*self
        };
        ended.ended(state, now, output, error)
    }

    /// As [`Effect::record`], of one that nothing more is done about.
    fn ended(
        self,
        state: StepState,
        now: Timestamp,
        output: Value,
        error: Option<String>,
    ) -> StepRecord {
        let record = effect_record(self.path, state, (self.started_at, now));
        StepRecord {
            input: self.input,
            output,
            error,
            attempts: self.attempts,
            ..record
        }
    }
}

/// Returns what a record says of a write that a component asked for, as long as it may have arrived
/// without an answer.
fn begun(asked: &Value) -> Value {
    json!({"asked": asked})
}

/// Returns when a request that waits is tried again.
fn next_attempt(record: &StepRecord) -> Option<Timestamp> {
    let until = record.output.get("until")?.as_str()?;
    let until: jiff::Timestamp = until.parse().ok()?;
    (record.state == StepState::Waiting).then(|| Timestamp(until.as_millisecond()))
}

/// Returns a value as it can be recorded.
pub(super) fn clean(value: Value) -> Value {
    if measure(&value).1 {
        without_nul(value)
    } else {
        value
    }
}

pub(super) fn effect_record(
    path: StepPath,
    state: StepState,
    (started_at, now): (Timestamp, Timestamp),
) -> StepRecord {
    StepRecord {
        path,
        state,
        started_at,
        finished_at: Some(now),
        input: Value::Null,
        output: Value::Null,
        error: None,
        console: Vec::new(),
        attempts: 1,
    }
}
