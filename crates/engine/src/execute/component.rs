//! Steps that a component of a connector runs.
//!
//! A component is a pure function of its input and of the answers that there are. It is run until it
//! asks for a request that has no answer yet; that is sent and recorded like any other, in a place
//! of its own beneath the step, and the component is run again with one answer more. So a crash
//! repeats no request that has its answer, and whoever resumes the run begins the component anew
//! without anything outside noticing. Time stands still for it between two answers, and is recorded
//! with them.
//!
//! A write that was begun, and has no answer, may have arrived. The component is asked for it with
//! the very time that it had then; if it asks for something else all the same, that is not sent: the
//! step is in doubt.

use std::sync::Arc;

use domain::canonical::sha256;
use domain::code::ConsoleLine;
use domain::connector::component::{ANSWERS_BYTES, REQUESTS};
use domain::connector::{Asked, Declared};
use domain::run::{StepPath, StepRecord, StepState};
use domain::{RunId, Timestamp};
use serde_json::{Map, Value, json};

use super::End;
use super::authorize::hide;
use super::catching::code_of;
use super::coding::without_nul;
use super::effect::{Came, Earlier, Effect, clean};
use super::record::measure;
use super::run::Run;
use super::watch::{Interrupt, backoff};
use crate::port::{Answered, Broke, Clock, Ending, Job, Journal, Outside, Worked};
use crate::program::Node;
use crate::step::http::request::named;
use crate::step::http::{Credentials, Failure, Retry};
use crate::step::request::Request;
use crate::step::{component, text};

/// What is said of a write that may have arrived.
const BEGUN: &str =
    "A request that the component asked for was begun, and no answer to it is recorded.";
/// What to do about it.
const THEN: &str =
    "Check in the other system, then resume the run: the component asks anew, as the time is then.";

/// A component step on its way.
struct Work<'n> {
    effect: Effect<'n>,
    declared: &'n Declared,
    config: Map<String, Value>,
    input: Value,
    answered: Arc<Vec<Answered>>,
    answered_bytes: usize,
    /// What is recorded of the write that is asked for again, as it may have arrived before.
    begun: Option<StepRecord>,
}

/// A write that a component asked for: what it asked, and what time it was for it then.
struct Begun {
    digest: String,
    at: Timestamp,
}

/// What came of one request of a component.
enum Step {
    /// An answer, so that it goes on.
    Answer(Answered),
    /// None: the step ends with it.
    Ends(Came),
}

impl<'p, C: Clock, J: Journal, O: Outside> Run<'p, C, J, O> {
    /// Runs the component of a step until it has its output.
    pub(super) async fn component(
        &mut self,
        node: &'p Node,
        started_at: Timestamp,
        declared: &'p Declared,
        config: Map<String, Value>,
    ) -> Result<(), End> {
        let path = self.path(node);
        let earlier = match self.earlier(&path)? {
            // It waited between its requests, so how long it took says nothing of its work.
            Earlier::Over(record) => return self.replay_result(node, record),
            Earlier::Begins(earlier) => earlier,
        };
        let input = match declared.input(&config) {
            Ok(input) => Value::Object(input),
            Err(error) => return self.fail(node, started_at, Value::Object(config), error),
        };
        let effect = Effect::of(node, path, started_at, config.clone(), earlier.as_ref());
        if earlier.is_none() && self.records.is_detailed(self.is_in_loop()) {
            let begins = effect.record(StepState::Started, started_at, Value::Null, None);
            self.records.begin(StepRecord {
                input: Value::Null,
                finished_at: None,
                ..begins
            });
        }
        let mut work = Work {
            effect,
            declared,
            config,
            input,
            answered: Arc::default(),
            answered_bytes: 0,
            begun: None,
        };
        let mut console = Vec::new();
        let came = self.work(&mut work, &mut console).await?;
        let console = console.into_iter().map(without_nul).collect();
        let (state, output, error) = match &came {
            Came::Output(output) => (StepState::Succeeded, output.clone(), None),
            Came::Failed(failure) => {
                let error = failure.message.replace('\0', "\u{fffd}");
                (StepState::Failed, Value::Null, Some(error))
            }
            Came::InDoubt(error) => (StepState::InDoubt, Value::Null, Some(error.clone())),
        };
        let record = work
            .effect
            .record(state, self.clock.now(), output, error.clone());
        self.records.effect(StepRecord { console, ..record });
        let error = error.unwrap_or_default();
        match came {
            Came::Output(output) => {
                self.give(node, &output);
                Ok(())
            }
            Came::Failed(failure) => self.after_failure(node, &error, &code_of(&failure.answer)),
            Came::InDoubt(_) => self.after_doubt(node, &error),
        }
    }

    /// Runs a component and sends what it asks for, until it ends.
    async fn work(
        &mut self,
        work: &mut Work<'p>,
        console: &mut Vec<ConsoleLine>,
    ) -> Result<Came, End> {
        loop {
            let path = work.place();
            let earlier = match self.earlier(&path)? {
                Earlier::Over(record) if record.state == StepState::Succeeded => {
                    if recorded(&record).is_some_and(|answered| work.take(answered)) {
                        continue;
                    }
                    return Ok(failed(
                        "What was recorded of a request of the component cannot be used.",
                    ));
                }
                Earlier::Over(record) => return Ok(ended(record)),
                Earlier::Begins(earlier) => earlier,
            };
            let begun = earlier.as_ref().and_then(begun);
            work.begun = earlier.clone().filter(|_| begun.is_some());
            let now = match &begun {
                Some(begun) => begun.at,
                None => self.clock.now(),
            };
            self.may_begin()?;
            let asks = self.asks(work, now, console).await?;
            let (asked, fields) = match (asks, begun) {
                (Ok((asked, _)), Some(begun)) if asked.digest() != begun.digest => {
                    return Ok(self.doubt_begun(work, "asks for another one."));
                }
                (Err(Came::Output(_)), Some(_)) => {
                    return Ok(self.doubt_begun(work, "asks for none."));
                }
                (Err(Came::Failed(failure)), Some(_)) => {
                    return Ok(self.doubt_begun(work, &format!("fails: {}", failure.message)));
                }
                (Err(came), _) => return Ok(came),
                (Ok(asks), _) => asks,
            };
            match self.ask(work, path, earlier, &asked, (now, fields)).await? {
                Step::Ends(came) => return Ok(came),
                Step::Answer(answered) => {
                    if !work.take(answered) {
                        return Ok(failed(format!(
                            "The answers to the component have more than {} MiB together. Ask for less in one step.",
                            ANSWERS_BYTES / (1024 * 1024)
                        )));
                    }
                }
            }
        }
    }

    /// Runs a component until it asks for what has no answer yet, and returns that with the fields
    /// of the request; how the step ends, if it asks for none or for what it may not.
    async fn asks(
        &mut self,
        work: &mut Work<'p>,
        now: Timestamp,
        console: &mut Vec<ConsoleLine>,
    ) -> Result<Result<(Asked, Map<String, Value>), Came>, End> {
        let credentials = match self.credentials(work).await? {
            Ok(credentials) => credentials,
            Err(failure) => return Ok(Err(Came::Failed(failure))),
        };
        let job = work.job(self.lease.run, now, credentials.as_ref());
        let worked = self.worked(work, job).await?;
        *console = worked.console;
        let (asked, has_signed) = match worked.end {
            Ending::Done(output) => return Ok(Err(Came::Output(clean(output)))),
            Ending::Broke(Broke { message, .. }) => return Ok(Err(failed(message))),
            Ending::Asks { asked, has_signed } => (asked, has_signed),
        };
        if work.answered.len() >= REQUESTS {
            return Ok(Err(failed(format!(
                "The component asks for more than {REQUESTS} requests. Do less in one step, such as fewer pages."
            ))));
        }
        let fields = component::fields(
            work.declared,
            &work.config,
            credentials.as_ref(),
            &asked,
            has_signed,
        );
        Ok(match fields {
            Ok(fields) => Ok((asked, fields)),
            Err(error) => Err(failed(error)),
        })
    }

    /// Records that it is not known whether a write arrived that the component does not ask for any
    /// more.
    fn doubt_begun(&mut self, work: &Work<'_>, but: &str) -> Came {
        let but = but.replace('\0', "\u{fffd}");
        let error = format!(
            "{BEGUN} Run anew, the component {but} Whether the first request arrived is not known, and no other was sent. {THEN}"
        );
        self.record_doubt(work, &error);
        Came::InDoubt(error)
    }

    /// Records that it is not known whether the write that was begun arrived.
    fn record_doubt(&mut self, work: &Work<'_>, error: &str) {
        if let Some(begun) = &work.begun {
            self.records.effect(StepRecord {
                state: StepState::InDoubt,
                finished_at: Some(self.clock.now()),
                output: Value::Null,
                error: Some(error.to_owned()),
                ..begun.clone()
            });
        }
    }

    /// Opens the connection of a component's step, if it names one; again, as often as the policy
    /// allows, where that may do better.
    async fn credentials(
        &mut self,
        work: &mut Work<'p>,
    ) -> Result<Result<Option<Credentials>, Failure>, End> {
        let id = match named(text(work.config.get("connection")).trim()) {
            None => return Ok(Ok(None)),
            Some(Ok(id)) => id,
            Some(Err(error)) => return Ok(Err(Failure::never(error))),
        };
        loop {
            let failure = match self.open(id, None).await? {
                Ok(credentials) => {
                    hide(&credentials, &mut work.effect.input);
                    return Ok(Ok(Some(credentials)));
                }
                Err(failure) => failure,
            };
            if failure.retry == Retry::Never || !self.tries_again(work, &failure.message).await? {
                return Ok(Err(failure));
            }
        }
    }

    /// Runs a component once; again, as often as the policy allows, where that may do better.
    async fn worked(&mut self, work: &mut Work<'p>, job: Job) -> Result<Worked, End> {
        let Some(components) = self.components else {
            let message = "This server runs no components.".to_owned();
            return Ok(Worked {
                end: Ending::Broke(Broke {
                    message,
                    may_retry: false,
                }),
                console: Vec::new(),
            });
        };
        loop {
            // What a write did must not wait for a component that takes its time.
            if self.records.may_append_beside(self.clock.now()) {
                self.append().await?;
            }
            let run = async {
                // Strands of one run do not stand in line before other runs.
                let _turn = self.computing.lock().await;
                components.run(job.clone()).await
            };
            let worked = match self.watch.unless(run).await {
                Ok(worked) => worked,
                Err(interrupt) => return Err(self.interrupt_component(work, interrupt)),
            };
            let message = match &worked.end {
                Ending::Broke(broke) if broke.may_retry => broke.message.clone(),
                _ => return Ok(worked),
            };
            if !self.tries_again(work, &message).await? {
                return Ok(worked);
            }
        }
    }

    /// Waits for another attempt at something that changes nothing outside. Returns whether the
    /// policy allows one.
    async fn tries_again(&mut self, work: &mut Work<'p>, failure: &str) -> Result<bool, End> {
        let effect = &work.effect;
        if effect.attempts > u32::from(effect.node.policy.retries) {
            return Ok(false);
        }
        let key = self.key(&effect.path);
        let wait = backoff(Retry::Backoff, &key, effect.attempts);
        let waited = self.wait_for_next(effect, true, failure, wait).await?;
        if let Err(interrupt) = waited {
            return Err(self.interrupt_component(work, interrupt));
        }
        work.effect.attempts += 1;
        Ok(true)
    }

    /// Sends what a component asks for, and records it in the place that it has beneath the step.
    /// Whatever is answered is an answer for the component, once no further attempt is made.
    async fn ask(
        &mut self,
        work: &Work<'p>,
        path: StepPath,
        earlier: Option<StepRecord>,
        asked: &Asked,
        (now, fields): (Timestamp, Map<String, Value>),
    ) -> Result<Step, End> {
        let key = self.key(&path);
        let mut request = match Request::raw(&fields, &key) {
            Ok(request) => request,
            Err(error) => {
                return Ok(Step::Ends(failed(format!(
                    "The component asks for a request that cannot be sent. {error}"
                ))));
            }
        };
        let (node, begins) = (work.effect.node, self.clock.now());
        let mut effect = Effect::of(node, path, begins, fields, earlier.as_ref());
        let note = json!({"digest": asked.digest(), "at": now.0});
        effect.asked = (!request.is_safe()).then(|| note.clone());
        effect.is_open = work.begun.is_some();
        let was_begun = earlier.is_some_and(|record| record.state == StepState::Started);
        let came = self
            .exchange(&mut effect, &mut request, &key, was_begun)
            .await?;
        let at = self.clock.now();
        let answer = match came {
            Came::Output(answer) => answer,
            Came::Failed(failure) if failure.answer.get("status").is_some_and(Value::is_u64) => {
                failure.answer
            }
            Came::Failed(failure) => {
                let (error, answer) = (failure.message.clone(), failure.answer.clone());
                self.records
                    .effect(effect.record(StepState::Failed, at, answer, Some(error)));
                return Ok(Step::Ends(Came::Failed(failure)));
            }
            Came::InDoubt(error) => {
                let record =
                    effect.record(StepState::InDoubt, at, Value::Null, Some(error.clone()));
                self.records.effect(record);
                return Ok(Step::Ends(Came::InDoubt(error)));
            }
        };
        let answered = Answered {
            digest: asked.digest(),
            at: now,
            answer,
        };
        let mut output = answered.answer.clone();
        if let Value::Object(output) = &mut output {
            output.insert("asked".to_owned(), note);
        }
        self.records
            .effect(effect.record(StepState::Succeeded, at, output, None));
        Ok(Step::Answer(answered))
    }

    /// Returns the key that a request has however often it is sent.
    fn key(&self, path: &StepPath) -> String {
        sha256(format!("{} {path}", self.lease.run).as_bytes())
    }

    fn interrupt_component(&mut self, work: &Work<'_>, interrupt: Interrupt) -> End {
        let Some(why) = interrupt.why() else {
            return End::HandedBack;
        };
        let error = format!("{why} before the component was done.");
        if work.begun.is_none() {
            let (now, output) = (self.clock.now(), StepRecord::interrupted());
            let record = work
                .effect
                .record(StepState::Failed, now, output, Some(error));
            self.records.effect(record);
            return self.interrupted(interrupt);
        }
        let error = format!("{error} {BEGUN} Whether the request arrived is not known. {THEN}");
        self.record_doubt(work, &error);
        let (now, output) = (self.clock.now(), Value::Null);
        let record = work
            .effect
            .record(StepState::InDoubt, now, output, Some(error.clone()));
        self.records.effect(record);
        match self.interrupted(interrupt) {
            End::Failed(_) => End::InDoubt(format!(
                "Step `{}` is in doubt. {error}",
                work.effect.node.name
            )),
            end => end,
        }
    }
}

impl Work<'_> {
    /// Returns where the next request is recorded: in a round of its own beneath the step.
    fn place(&self) -> StepPath {
        let mut path = self.effect.path.clone();
        path.rounds
            .push(u32::try_from(self.answered.len()).unwrap_or(u32::MAX));
        path
    }

    /// Takes one answer more; returns whether they are not too large together.
    fn take(&mut self, answered: Answered) -> bool {
        self.answered_bytes += measure(&answered.answer).0;
        Arc::make_mut(&mut self.answered).push(answered);
        self.answered_bytes <= ANSWERS_BYTES
    }

    fn job(&self, run: RunId, now: Timestamp, credentials: Option<&Credentials>) -> Job {
        Job {
            run,
            component: self
                .declared
                .component()
                .map_or_else(String::new, |component| component.sha256.clone()),
            action: self.declared.operation().run.clone(),
            input: self.input.clone(),
            answered: Arc::clone(&self.answered),
            now,
            key: credentials.and_then(Credentials::key).cloned(),
        }
    }
}

/// Reads what was recorded of a request and its answer.
fn recorded(record: &StepRecord) -> Option<Answered> {
    let Begun { digest, at } = begun(record)?;
    let mut answer = record.output.as_object()?.clone();
    answer.shift_remove("asked");
    Some(Answered {
        digest,
        at,
        answer: Value::Object(answer),
    })
}

/// Reads what was recorded of the question: of a write with its beginning and as long as it may have
/// arrived without an answer, and of every request with its answer.
fn begun(record: &StepRecord) -> Option<Begun> {
    let asked = record.output.get("asked")?;
    Some(Begun {
        digest: asked.get("digest")?.as_str()?.to_owned(),
        at: Timestamp(asked.get("at")?.as_i64()?),
    })
}

/// Returns how a step ends of which a request ended so before.
fn ended(record: StepRecord) -> Came {
    let error = record
        .error
        .unwrap_or_else(|| "It failed before.".to_owned());
    match record.state {
        StepState::InDoubt => Came::InDoubt(error),
        _ => Came::Failed(Failure {
            answer: record.output,
            ..Failure::never(error)
        }),
    }
}

fn failed(error: impl Into<String>) -> Came {
    Came::Failed(Failure::never(error))
}
