//! Steps that call another integration: a run of it is started, and this one waits for its end.
//!
//! The beginning of the call, the called run and the wait are written together
//! ([`Outcome::Calling`]), so that a crash leaves all of them or none: where a call is recorded as
//! under way, its run is there. Nobody has a run that waits: the end of a called one wakes it, and
//! it is executed again with what came of its calls ([`Returned`]). Strands call beside each other;
//! whichever called run ends first, its strand goes on, and the others wait on. A called run that
//! is in doubt leaves the step in doubt, too: it may have done what it was called for, and no try
//! and no retry can deal with that.

use domain::call::UNDER_WAY;
use domain::canonical::sha256;
use domain::run::{RunState, StepPath, StepRecord, StepState};
use domain::{IntegrationId, RunId, Timestamp, limit, payload};
use serde_json::{Map, Value, json};

use super::catching::FAILED;
use super::effect::{Earlier, clean, effect_record};
use super::record::{AT_ONCE_BYTES, measure, written_value};
use super::run::{Run, shown};
use super::watch::backoff;
use super::{End, Outcome, rfc3339};
use crate::port::{Calling, Clock, Journal, Outside, Returned, Uncallable, Unread};
use crate::program::Node;
use crate::step::http::Retry;
use crate::step::text;

/// A step that calls.
struct Call<'n> {
    node: &'n Node,
    path: StepPath,
    started_at: Timestamp,
    input: Value,
    /// Counts the call that is made, or was made last.
    attempts: u32,
    waits: bool,
}

/// What an execution waits for a part of which calls.
#[derive(Debug, Default)]
pub(super) struct Calls {
    /// Calls that are to be written, each with the record of its step. Those that are under way
    /// are not among them.
    starts: Vec<(Calling, StepRecord)>,
    /// The earliest time for which another part waits.
    until: Option<Timestamp>,
}

impl Calls {
    /// Takes together what the strands of a container wait for, in their order.
    pub(super) fn together(mut strands: Vec<(usize, Self)>, until: Option<Timestamp>) -> Self {
        strands.sort_by_key(|(number, _)| *number);
        let none = Self {
            starts: Vec::new(),
            until,
        };
        strands.into_iter().fold(none, |mut all, (_, calls)| {
            all.starts.extend(calls.starts);
            all.until = all.until.into_iter().chain(calls.until).min();
            all
        })
    }
}

impl<'p, C: Clock, J: Journal, O: Outside> Run<'p, C, J, O> {
    pub(super) async fn call(
        &mut self,
        node: &'p Node,
        started_at: Timestamp,
        mut config: Map<String, Value>,
    ) -> Result<(), End> {
        let path = self.path(node);
        let earlier = match self.earlier(&path)? {
            // While the called run worked, this one did not: that is no part of its time limit.
            Earlier::Over(record) => return self.replay_result(node, record),
            Earlier::Begins(earlier) => earlier,
        };
        let under_way = earlier
            .as_ref()
            .and_then(|record| record.output.get(UNDER_WAY));
        let is_under_way = under_way.is_some();
        let is_named = under_way.is_some_and(Value::is_string);
        let before = earlier.as_ref().map_or(0, |record| record.attempts);
        let called = text(config.get("integration")).trim().parse();
        let input = config.get("input").cloned().unwrap_or(Value::Null);
        if self.is_test {
            let note = "In a test, too, a real run of the live version is started.";
            config.insert("note".to_owned(), note.into());
        }
        let mut call = Call {
            node,
            path,
            started_at: earlier.map_or(started_at, |record| record.started_at),
            waits: text(config.get("wait")) != "start",
            input: shown(Value::Object(config)),
            attempts: if is_under_way { before } else { before + 1 },
        };
        let returned = self.given().returned.remove(&call.path.to_string());
        if let Some(returned) = returned.filter(|_| is_under_way) {
            call.name(&returned.name);
            if !call.waits {
                let output = json!({"run": returned.run});
                return self.end_call(&call, StepState::Succeeded, output, None);
            }
            if returned.state.is_finished() {
                return self.take_result(&call, returned).await;
            }
            if !is_named {
                let output = json!({UNDER_WAY: returned.name});
                self.records.effect(call.waiting(self.clock.now(), output));
            }
            return Err(End::Calling(Box::default()));
        }
        match called {
            Ok(called) => self.begin_call(call, called, input).await,
            Err(_) => {
                let error = "No integration is chosen. Choose one.".to_owned();
                self.end_call(&call, StepState::Failed, Value::Null, Some(error))
            }
        }
    }

    /// Leaves the run waiting for the run that it calls.
    async fn begin_call(
        &mut self,
        mut call: Call<'p>,
        called: IntegrationId,
        input: Value,
    ) -> Result<(), End> {
        let found = match self.directory {
            Some(directory) => directory.callee(self.lease.run, called, call.waits).await,
            None => Err(Uncallable::Refused(
                "No integration can be called here.".to_owned(),
            )),
        };
        let callee = match found {
            Ok(callee) => callee,
            // Nothing was started or recorded: it is looked for again.
            Err(Uncallable::Unavailable) => return Err(End::Unavailable),
            Err(Uncallable::Refused(error)) => {
                return self.end_call(&call, StepState::Failed, Value::Null, Some(error));
            }
        };
        call.name(&callee.name);
        let caller = json!({"integration": callee.caller, "run": self.lease.run});
        let payload = Value::from_iter([("body", input), ("caller", caller)]);
        if let Err(error) = fits(&payload) {
            return self.end_call(&call, StepState::Failed, Value::Null, Some(error));
        }
        let output = json!({UNDER_WAY: callee.name, "version": callee.version});
        // It is recorded with the start of the called run, and not before.
        let record = call.waiting(self.clock.now(), output);
        let calling = Calling {
            path: call.path.to_string(),
            callee,
            payload,
            waits: call.waits,
        };
        Err(End::Calling(Box::new(Calls {
            starts: vec![(calling, record)],
            until: None,
        })))
    }

    /// Returns how an execution ends that waits for calls. What would be too much for one write
    /// begins in the next one, at once.
    pub(super) fn wait_for(&self, calls: Calls) -> Outcome {
        let (mut starts, mut until, mut bytes) = (Vec::new(), calls.until, 0);
        for (calling, record) in calls.starts {
            if bytes >= AT_ONCE_BYTES {
                until = Some(self.clock.now());
                break;
            }
            bytes += written_value(&calling.payload) + written_value(&record.input);
            self.records.effect(record);
            starts.push(calling);
        }
        Outcome::Calling {
            starts,
            until,
            records: self.records.take(),
        }
    }

    /// Goes on with what the called run gave, or with why it gave nothing.
    async fn take_result(&mut self, call: &Call<'p>, returned: Returned) -> Result<(), End> {
        let output = json!({"run": returned.run});
        let name = &returned.name;
        let reason = returned.error.as_deref().unwrap_or("It does not say why.");
        let error = match returned.state {
            RunState::Succeeded => {
                let mut output = output;
                let result = match returned.result {
                    None => self.read_result(returned.run).await?,
                    read => read,
                };
                if let (Value::Object(output), Some(Value::Object(result))) = (&mut output, result)
                {
                    output.extend(result);
                }
                return self.end_call(call, StepState::Succeeded, clean(output), None);
            }
            RunState::InDoubt => {
                let error = format!(
                    "The run of “{name}” that was called is in doubt: {reason} Look into that run and resume it, then resume this one."
                );
                return self.end_call(call, StepState::InDoubt, output, Some(error));
            }
            RunState::Canceled => format!("The run of “{name}” that was called was canceled."),
            RunState::Quarantined => {
                format!("The run of “{name}” that was called was set aside: {reason}")
            }
            _ => format!("The run of “{name}” that was called failed: {reason}"),
        };
        if returned.state != RunState::Failed || call.attempts > u32::from(call.node.policy.retries)
        {
            return self.end_call(call, StepState::Failed, output, Some(error));
        }
        let key = sha256(format!("{} {}", self.lease.run, call.path).as_bytes());
        let wait = backoff(Retry::Backoff, &key, call.attempts);
        let ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        let until = Timestamp(self.clock.now().0.saturating_add(ms));
        let output = json!({"until": rfc3339(until)});
        self.records.effect(StepRecord {
            error: Some(error),
            ..call.waiting(until, output)
        });
        Err(End::Waiting(until))
    }

    /// Reads what a called run gave. It must be recorded before anything is waited for.
    async fn read_result(&self, called: RunId) -> Result<Option<Value>, End> {
        let Some(directory) = self.directory else {
            return Ok(None);
        };
        let _turn = self.reading.lock().await;
        if self.records.must_append(|| self.clock.now()) {
            self.append().await?;
        }
        // Nothing was done: it is read again.
        let read = directory.result(self.lease.run, called).await;
        read.map_err(|Unread| End::Unavailable)
    }

    /// Records how a call ended, and goes on or not as the step's policy says.
    fn end_call(
        &mut self,
        call: &Call<'p>,
        state: StepState,
        output: Value,
        error: Option<String>,
    ) -> Result<(), End> {
        let error = error.map(|error| error.replace('\0', "\u{fffd}"));
        let record = call.record(state, self.clock.now(), output.clone(), error.clone());
        self.records.effect(record);
        match (state, error) {
            (StepState::InDoubt, Some(error)) => self.after_doubt(call.node, &error),
            (_, Some(error)) => self.after_failure(call.node, &error, FAILED),
            (_, None) => {
                self.give(call.node, &output);
                Ok(())
            }
        }
    }
}

impl<C, J, O> Run<'_, C, J, O> {
    /// Returns how a run ends that came to its end: with a result, when calls start its document.
    pub(super) fn result(&mut self) -> Result<Option<Value>, End> {
        if !self.program.is_called {
            return Ok(None);
        }
        let result = self.given().result.take();
        let result = result.unwrap_or_else(|| json!({"result": null}));
        let (bytes, _) = measure(&result);
        if bytes > limit::RESULT_BYTES {
            let mib = limit::RESULT_BYTES / 1024 / 1024;
            return Err(End::Failed(format!(
                "What this run gives to the one that called it has {bytes} bytes. At most {mib} MiB can be given. End with a step that gives less, such as Respond."
            )));
        }
        Ok(Some(result))
    }
}

/// Returns what a Respond step gives to the run that called.
pub(super) fn responded(status: u16, config: &Map<String, Value>) -> Value {
    let body = match config.get("body_type").and_then(Value::as_str) {
        Some("none") => Value::Null,
        Some("text") => text(config.get("text")).into(),
        _ => config.get("json").cloned().unwrap_or(Value::Null),
    };
    Value::from_iter([("status", status.into()), ("result", body)])
}

impl Call<'_> {
    /// In what is recorded, the name of the integration takes the place of its id.
    fn name(&mut self, name: &str) {
        if let Some(shown) = self.input.get_mut("integration") {
            *shown = Value::from(name);
        }
    }

    fn waiting(&self, now: Timestamp, output: Value) -> StepRecord {
        StepRecord {
            finished_at: None,
            ..self.record(StepState::Waiting, now, output, None)
        }
    }

    fn record(
        &self,
        state: StepState,
        now: Timestamp,
        output: Value,
        error: Option<String>,
    ) -> StepRecord {
        StepRecord {
            input: self.input.clone(),
            output,
            error,
            attempts: self.attempts,
            ..effect_record(self.path.clone(), state, (self.started_at, now))
        }
    }
}

/// Checks that what is handed over can be kept as an event.
fn fits(handed: &Value) -> Result<(), String> {
    let text = handed.to_string();
    if text.len() > limit::PAYLOAD_BYTES {
        let mib = limit::PAYLOAD_BYTES / 1024 / 1024;
        return Err(format!(
            "The input has {} bytes. At most {mib} MiB can be handed over. Give less, or call for each part.",
            text.len()
        ));
    }
    if payload::is_deeper(text.as_bytes(), limit::JSON_DEPTH) {
        return Err(format!(
            "The input is nested deeper than {} levels. Make it flatter.",
            limit::JSON_DEPTH
        ));
    }
    Ok(())
}
