//! Steps that answer whoever called, and steps that wait.

use domain::Timestamp;
use domain::run::{StepRecord, StepState};
use serde_json::{Map, Value, json};

use super::calling::responded;
use super::effect::effect_record;
use super::run::{Run, shown};
use super::watch::Interrupt;
use super::{End, rfc3339};
use crate::port::{Clock, Journal, Outside};
use crate::program::Node;
use crate::step::{delay, respond};

impl<'p, C: Clock, J: Journal, O: Outside> Run<'p, C, J, O> {
    pub(super) async fn respond(
        &mut self,
        node: &'p Node,
        started_at: Timestamp,
        config: Map<String, Value>,
    ) -> Result<(), End> {
        let answer = match respond::answer(&config) {
            Ok(answer) => answer,
            Err(error) => return self.fail(node, started_at, Value::Object(config), error),
        };
        let status = answer.status;
        let mut output = json!({"status": status});
        let earlier = self.records.known(&self.path(node));
        let earlier = earlier.filter(|earlier| earlier.state == StepState::Succeeded);
        let (has_responded, on_answer) = {
            let mut given = self.given();
            let answered = std::mem::replace(&mut given.has_responded, true);
            // Which of several strands answered first is what was recorded of it.
            let is_first =
                earlier.map_or(!answered, |earlier| earlier.output.get("note").is_none());
            if is_first && self.program.is_called {
                given.result = Some(responded(status, &config));
            }
            (!is_first, given.on_answer.take())
        };
        if has_responded {
            output["note"] = "The caller had an answer already, so this one was not sent.".into();
        } else if let Some(on_answer) = on_answer {
            // The answer may tell what an effect did: that must not be forgotten by a crash.
            if self.records.has_result() {
                self.append().await?;
            }
            // A caller who has gone away does not fail the run.
            drop(on_answer.send(answer));
        }
        self.succeed(node, started_at, Value::Object(config), output)
    }

    pub(super) async fn delay(
        &mut self,
        node: &'p Node,
        started_at: Timestamp,
        mut config: Map<String, Value>,
    ) -> Result<(), End> {
        let mut duration = match delay::duration(&config) {
            Ok(duration) => duration,
            Err(error) => return self.fail(node, started_at, Value::Object(config), error),
        };
        if self.is_test && duration > delay::SHORT {
            duration = delay::SHORT;
            config.insert(
                "note".to_owned(),
                "In a test, a delay waits 1 second at most.".into(),
            );
        }
        let waited_ms = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        let path = self.path(node);
        let recorded = self.records.recorded(&path);
        match recorded.as_ref().map(|record| record.state) {
            Some(StepState::Succeeded) => {
                self.give(node, &json!({"waited_ms": waited_ms}));
                return Ok(());
            }
            None if duration <= self.short => {
                if self.records.has_result() {
                    self.append().await?;
                }
                if let Err(interrupt) = self.watch.unless(self.clock.sleep(duration)).await {
                    if interrupt == Interrupt::HandedBack {
                        return Err(End::HandedBack);
                    }
                    self.record_wait(node, started_at, config, started_at, StepState::Waiting);
                    return Err(self.interrupted(interrupt));
                }
                self.watch.forgive(duration);
                return self.succeed(
                    node,
                    started_at,
                    Value::Object(config),
                    json!({"waited_ms": waited_ms}),
                );
            }
            _ => {}
        }
        // The wait counts from its first record: a crash does not make it longer.
        let began = recorded
            .as_ref()
            .map_or(started_at, |record| record.started_at);
        let until = Timestamp(began.0.saturating_add(waited_ms));
        if self.clock.now() < until {
            if recorded.is_none_or(|record| record.state != StepState::Waiting) {
                self.record_wait(node, began, config, until, StepState::Waiting);
            }
            return Err(End::Waiting(until));
        }
        let output = json!({"waited_ms": waited_ms});
        self.give(node, &output);
        let record = effect_record(
            self.path(node),
            StepState::Succeeded,
            (began, self.clock.now()),
        );
        self.records.effect(StepRecord {
            input: shown(Value::Object(config)),
            output,
            ..record
        });
        Ok(())
    }

    fn record_wait(
        &mut self,
        node: &Node,
        began: Timestamp,
        config: Map<String, Value>,
        until: Timestamp,
        state: StepState,
    ) {
        let mut record = effect_record(self.path(node), state, (began, began));
        record.finished_at = None;
        let output = json!({"until": rfc3339(until)});
        self.records.effect(StepRecord {
            input: shown(Value::Object(config)),
            output,
            ..record
        });
    }
}
