//! Interprets the tree: pure steps, lanes and loops.

use std::collections::{BTreeMap, HashMap};
use std::ops::Deref;
use std::sync::atomic::AtomicUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::document::OnError;
use domain::run::{RunState, StepPath, StepRecord, StepState};
use domain::{ConnectionId, Timestamp};
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::catching::{FAILED, Thrown};
use super::frame::Frame;
use super::part::{self, Part};
use super::record::Records;
use super::strand::{Strand, Strands};
use super::watch::{Interrupt, Signal, Watch};
use super::{End, Outcome};
use crate::port::{
    Answer, Clock, Components, Directory, Journal, Lease, Network, Outside, Returned, Sandbox,
    Vault,
};
use crate::program::{Action, Node, Program};
use crate::step;
use crate::step::http::header::hide_secrets;
use crate::step::request::Request;
use crate::trace::Trace;

/// Steps after which other runs get their turn on this thread.
pub(super) const TURN: usize = 64;
/// An execution as a whole: what all of its strands have in common.
pub(super) struct Whole<'p, C, J, O> {
    pub(super) clock: &'p C,
    pub(super) outside: &'p O,
    pub(super) vault: Option<&'p dyn Vault>,
    pub(super) directory: Option<&'p dyn Directory>,
    pub(super) sandbox: Option<&'p dyn Sandbox>,
    pub(super) components: Option<&'p dyn Components>,
    pub(super) journal: &'p J,
    pub(super) program: &'p Program,
    pub(super) lease: Lease,
    pub(super) created_at: Timestamp,
    pub(super) resumed_at: Option<Timestamp>,
    pub(super) is_test: bool,
    /// How long it waits without giving its worker back.
    pub(super) short: Duration,
    pub(super) network: &'p Network,
    pub(super) trace: Option<&'p Trace>,
    pub(super) records: Records,
    /// One append is under way at a time, so that what is durable was so in the order in which it
    /// happened; what comes meanwhile shares the next.
    pub(super) appending: tokio::sync::Mutex<()>,
    /// One strand runs code or a component at a time.
    pub(super) computing: tokio::sync::Mutex<()>,
    /// One strand reads what a called run gave at a time, when what others read before is recorded:
    /// of many that are over, only so much is in memory.
    pub(super) reading: tokio::sync::Mutex<()>,
    /// Strands that were begun and have not ended.
    pub(super) strands: AtomicUsize,
    /// Strands that wait for a time or a call, beside those.
    pub(super) parked: AtomicUsize,
    pub(super) given: Mutex<Given>,
}

/// What the run was given and gives, beyond its records.
#[derive(Default)]
pub(super) struct Given {
    /// What was sent of each connection so far: services may tell it again after it was exchanged.
    pub(super) sent: BTreeMap<ConnectionId, Vec<String>>,
    /// What came of the calls that were under way, by [`Returned::path`].
    pub(super) returned: HashMap<String, Returned>,
    /// What the run gives to the one that called it, as far as is known.
    pub(super) result: Option<Value>,
    pub(super) on_answer: Option<oneshot::Sender<Answer>>,
    pub(super) has_responded: bool,
}

impl<C, J, O> Whole<'_, C, J, O> {
    pub(super) fn given(&self) -> MutexGuard<'_, Given> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: Clock, J: Journal, O: Outside> Whole<'_, C, J, O> {
    /// Makes all that is recorded so far durable.
    pub(super) async fn append(&self) -> Result<(), End> {
        let _turn = self.appending.lock().await;
        loop {
            let (records, are_all) = self.records.take_some();
            if records.is_empty() {
                return Ok(());
            }
            self.records.set_appending(true);
            let appended = self.journal.append(self.lease, records).await;
            self.records.set_appending(false);
            appended.map_err(|_| End::Lost)?;
            if are_all {
                return Ok(());
            }
        }
    }
}

/// One strand of an execution under way: the only one, or a round that runs beside others.
pub(super) struct Run<'p, C, J, O> {
    pub(super) whole: &'p Whole<'p, C, J, O>,
    pub(super) watch: Watch,
    pub(super) frames: Vec<Frame<'p>>,
    pub(super) part: Part,
    /// The present round of each loop around the present step, outermost first.
    pub(super) rounds: Vec<u32>,
    pub(super) steps_taken: usize,
    /// Where this strand comes from; `None` for the one that everything begins with.
    pub(super) strand: Option<Strand>,
}

impl<'p, C, J, O> Deref for Run<'p, C, J, O> {
    type Target = Whole<'p, C, J, O>;

    fn deref(&self) -> &Self::Target {
        self.whole
    }
}

impl<'p, C: Clock, J: Journal, O: Outside> Run<'p, C, J, O> {
    /// Executes all that is left.
    pub(super) async fn execute(mut self) -> Outcome {
        let mut end = self.interpret().await.and_then(|()| self.result());
        // Strands that ended together may have more than is written with the outcome.
        if !matches!(end, Err(End::Lost | End::Halted))
            && self.records.are_many()
            && let Err(lost) = self.append().await
        {
            end = Err(lost);
        }
        let end = match end {
            Err(End::Calling(calls)) => return self.wait_for(*calls),
            end => end,
        };
        let records = self.records.take();
        let (state, error) = match end {
            Ok(None) => (RunState::Succeeded, None),
            Ok(Some(result)) => return Outcome::Answered { result, records },
            Err(End::Failed(error) | End::Thrown(Thrown { of_run: error, .. })) => {
                (RunState::Failed, Some(error.replace('\0', "\u{fffd}")))
            }
            Err(End::InDoubt(error)) => (RunState::InDoubt, Some(error.replace('\0', "\u{fffd}"))),
            Err(End::Canceled) => (RunState::Canceled, None),
            Err(End::Waiting(until)) => return Outcome::Waiting { until, records },
            Err(End::Unavailable) => return Outcome::again(self.clock.now(), records),
            Err(End::HandedBack) => return Outcome::handed_back(self.created_at, records),
            // Calls are dealt with above. Only strands are halted, and by the one that they come
            // from.
            Err(End::Lost | End::Calling(_) | End::Halted) => return Outcome::Lost,
        };
        Outcome::Finished {
            state,
            error,
            records,
        }
    }

    pub(super) async fn interpret(&mut self) -> Result<(), End> {
        let program = self.program;
        loop {
            let asked = self.pause().await?;
            if self.part.is_over(self.frames.len()) {
                return Ok(());
            }
            let Some(frame) = self.frames.last_mut() else {
                return Ok(());
            };
            let done = match frame.list.get(frame.next) {
                Some(index) => {
                    let node = &program.nodes[*index];
                    // Somebody may wait for the answer to which what was done leads.
                    let is_over = match asked {
                        Signal::HandBack => !node.action.only_computes(),
                        asked => asked > Signal::HandBack,
                    };
                    if is_over {
                        return Err(End::HandedBack);
                    }
                    frame.next += 1;
                    self.step(node).await
                }
                None => self.end_list(),
            };
            if let Err(end) = done {
                self.catch(end)?;
            }
        }
    }

    /// Stops when asked to, appends what must not wait, and lets other runs have their turn. Returns
    /// what is asked of the run.
    async fn pause(&mut self) -> Result<Signal, End> {
        let checked = self.watch.check(Instant::now());
        let asked = checked.map_err(|interrupt| self.interrupted(interrupt))?;
        if self.strand.as_ref().is_some_and(Strand::is_halted) {
            return Err(End::Halted);
        }
        if self.records.must_append(|| self.clock.now()) {
            self.append().await?;
        }
        self.steps_taken += 1;
        if self.steps_taken.is_multiple_of(TURN) {
            tokio::task::yield_now().await;
        }
        Ok(asked)
    }

    /// Checks that something may begin.
    ///
    /// # Errors
    /// [`End::HandedBack`] when the run is to be handed back before.
    pub(super) fn may_begin(&self) -> Result<(), End> {
        if self.watch.is_handed_back() {
            return Err(End::HandedBack);
        }
        Ok(())
    }

    pub(super) fn interrupted(&self, interrupt: Interrupt) -> End {
        match interrupt {
            Interrupt::Canceled => End::Canceled,
            Interrupt::HandedBack => End::HandedBack,
            Interrupt::OutOfTime => End::Failed(format!(
                "The run worked longer than {} s. Raise the time limit in the integration's settings, or do less in one run.",
                self.program.time_limit.as_secs()
            )),
        }
    }

    async fn step(&mut self, node: &'p Node) -> Result<(), End> {
        let started_at = self.clock.now();
        if let Some(output) = self.part.begin(node.id, self.frames.len()) {
            return self.succeed(node, started_at, part::note(), output);
        }
        let config = match self.frames.last() {
            Some(frame) => node.config.evaluate(&frame.scope),
            None => Ok(Map::new()),
        };
        let mut config = match config {
            Ok(config) => config,
            Err(error) => return self.fail(node, started_at, Value::Null, error),
        };
        match &node.action {
            Action::Http => Box::pin(self.send(node, started_at, config, Request::http)).await,
            Action::Email => Box::pin(self.send(node, started_at, config, Request::email)).await,
            Action::Query => Box::pin(self.send(node, started_at, config, Request::query)).await,
            Action::Connector(declared) if declared.operation().has_logic() => {
                Box::pin(self.component(node, started_at, declared, config)).await
            }
            Action::Connector(declared) => match declared.request(&config) {
                Ok(request) => Box::pin(self.send(node, started_at, request, Request::http)).await,
                Err(error) => self.fail(node, started_at, Value::Object(config), error),
            },
            Action::Code => Box::pin(self.code(node, started_at, config)).await,
            Action::Call => Box::pin(self.call(node, started_at, config)).await,
            Action::Delay => Box::pin(self.delay(node, started_at, config)).await,
            Action::Respond => Box::pin(self.respond(node, started_at, config)).await,
            Action::Branch(arms) => self.branch(node, started_at, arms),
            Action::Loop(list) => match self.begin_loop(node, started_at, config, list)? {
                None => Ok(()),
                Some(rounds) => Box::pin(self.at_once(Strands::Rounds(Box::new(rounds)))).await,
            },
            Action::Parallel(arms) => {
                let lanes = self.begin_parallel(node, started_at, arms);
                Box::pin(self.at_once(Strands::Lanes(lanes))).await
            }
            Action::Try(list, rescue) => {
                self.begin_try(node, started_at, (list, rescue));
                Ok(())
            }
            // Its output is all that it was told: that is recorded once.
            Action::Set => match step::set(&mut config) {
                Ok(values) => self.succeed(node, started_at, Value::Null, values),
                Err(error) => self.fail(node, started_at, Value::Object(config), error),
            },
            Action::ReadCsv => self.pure(node, started_at, config, step::csv::read),
            Action::WriteCsv => self.pure(node, started_at, config, step::csv::write),
            Action::ReadJson => self.pure(node, started_at, config, step::json::read),
            Action::WriteJson => self.pure(node, started_at, config, step::json::write),
            Action::ReadXml => self.pure(node, started_at, config, step::xml::read),
            Action::WriteXml => self.pure(node, started_at, config, step::xml::write),
            Action::Log => {
                let message = step::log(&config);
                self.succeed(node, started_at, Value::Object(config), message)
            }
            Action::Stop => {
                let error = step::stop(&config);
                self.record_failure(node, started_at, Value::Object(config), &error);
                Err(End::Thrown(Thrown::stopped(node, error)))
            }
            Action::Filter => {
                let passed = step::holds(config.get("condition").unwrap_or(&Value::Null));
                config.insert("condition".to_owned(), passed.into());
                self.succeed(
                    node,
                    started_at,
                    Value::Object(config),
                    json!({"passed": passed}),
                )?;
                if !passed {
                    self.end_early();
                }
                Ok(())
            }
        }
    }

    /// Does a step that only computes.
    fn pure(
        &mut self,
        node: &Node,
        started_at: Timestamp,
        config: Map<String, Value>,
        compute: fn(&Map<String, Value>) -> Result<Value, String>,
    ) -> Result<(), End> {
        let computed = compute(&config);
        let config = Value::Object(config);
        match computed {
            Ok(output) => self.succeed(node, started_at, config, output),
            Err(error) => self.fail(node, started_at, config, error),
        }
    }

    /// Makes an output visible to later steps.
    pub(super) fn give(&mut self, node: &Node, output: &Value) {
        if node.is_used
            && let Some(frame) = self.frames.last_mut()
        {
            frame.scope.set_step(&node.slug, output.clone());
        }
        if node.is_tail {
            let frames = self.frames.iter();
            let mut around =
                frames.filter(|frame| frame.looping.is_some() || frame.trying.is_some());
            if self.program.is_called && self.strand.is_none() && around.next().is_none() {
                let mut given = self.given();
                if !given.has_responded {
                    given.result = Some(Value::from_iter([("result", output.clone())]));
                }
            }
            for frame in self.frames.iter_mut().rev() {
                if let Some(looping) = &mut frame.looping {
                    if looping.keeps_results() {
                        looping.results.of_round = output.clone();
                    }
                    return;
                }
                if let Some(trying) = &mut frame.trying {
                    trying.result = trying.result.take().map(|_| output.clone());
                    return;
                }
            }
            if let Some(strand) = &mut self.strand
                && strand.keeps_result
            {
                strand.result = output.clone();
            }
        }
    }

    pub(super) fn succeed(
        &mut self,
        node: &Node,
        started_at: Timestamp,
        input: Value,
        output: Value,
    ) -> Result<(), End> {
        self.give(node, &output);
        if self.records.is_detailed(self.is_in_loop()) {
            let input = shown(input);
            let record = self.record(node, started_at, StepState::Succeeded);
            self.records.pure(StepRecord {
                input,
                output,
                ..record
            });
        }
        Ok(())
    }

    /// Records a failed step, and goes on or not as its policy says.
    pub(super) fn fail(
        &mut self,
        node: &Node,
        started_at: Timestamp,
        input: Value,
        error: String,
    ) -> Result<(), End> {
        self.record_failure(node, started_at, input, &error);
        self.after_failure(node, &error, FAILED)
    }

    fn record_failure(&mut self, node: &Node, started_at: Timestamp, input: Value, error: &str) {
        let ends_run = node.policy.then == OnError::Stop && !self.is_caught();
        if !ends_run && !self.records.takes_failure(self.is_in_loop()) {
            return;
        }
        let error = Some(error.replace('\0', "\u{fffd}"));
        let record = self.record(node, started_at, StepState::Failed);
        self.records.pure(StepRecord {
            input: shown(input),
            error,
            ..record
        });
    }

    /// Goes on after a failure, or throws it, as the step's policy says. `code` tells what kind of
    /// failure it is, as [`Thrown::new`] says: also what goes on can tell a request in doubt, which
    /// must not be made in another way, from one that failed.
    pub(super) fn after_failure(
        &mut self,
        node: &Node,
        error: &str,
        code: &str,
    ) -> Result<(), End> {
        match node.policy.then {
            OnError::Continue => {
                self.give(node, &json!({"error": {"message": error, "code": code}}));
                Ok(())
            }
            OnError::Stop => Err(End::Thrown(Thrown::new(node, error, code))),
        }
    }

    /// Returns whether what fails now is caught by a try around it.
    pub(super) fn is_caught(&self) -> bool {
        let around = self.strand.as_ref();
        self.frames.iter().any(Frame::catches) || around.is_some_and(|strand| strand.is_caught)
    }

    pub(super) fn is_in_loop(&self) -> bool {
        !self.rounds.is_empty()
    }

    pub(super) fn path(&self, node: &Node) -> StepPath {
        StepPath {
            step: node.id,
            rounds: self.rounds.clone(),
        }
    }

    /// Returns a record that ends now and says nothing more.
    pub(super) fn record(
        &self,
        node: &Node,
        started_at: Timestamp,
        state: StepState,
    ) -> StepRecord {
        StepRecord {
            path: self.path(node),
            state,
            started_at,
            finished_at: Some(self.clock.now()),
            input: Value::Null,
            output: Value::Null,
            error: None,
            console: Vec::new(),
            attempts: 1,
        }
    }
}

/// Returns the fields of a step as they may be recorded.
pub(super) fn shown(input: Value) -> Value {
    match input {
        Value::Object(mut config) => {
            hide_secrets(&mut config);
            Value::Object(config)
        }
        other => other,
    }
}
