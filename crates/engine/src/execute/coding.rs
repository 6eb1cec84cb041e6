//! Steps that run code.
//!
//! Code changes nothing outside, but what it gives depends on the time and on chance, so it is no
//! pure step: its result is recorded as that of a read is, and a resumed run goes on with the
//! value that it had.

use domain::Timestamp;
use domain::canonical::sha256;
use domain::code::ConsoleLine;
use domain::run::{StepRecord, StepState};
use serde_json::{Map, Value, json};

use super::End;
use super::catching::FAILED;
use super::effect::{Earlier, Effect, clean};
use super::run::Run;
use super::watch::{Interrupt, backoff};
use crate::port::{Broke, Clock, Journal, Outside, Ran, Script};
use crate::program::Node;
use crate::step::http::Retry;

impl<'p, C: Clock, J: Journal, O: Outside> Run<'p, C, J, O> {
    pub(super) async fn code(
        &mut self,
        node: &'p Node,
        started_at: Timestamp,
        mut config: Map<String, Value>,
    ) -> Result<(), End> {
        let path = self.path(node);
        let earlier = match self.earlier(&path)? {
            Earlier::Over(record) => return self.replay(node, record),
            Earlier::Begins(earlier) => earlier,
        };
        // The document has the code: a record in each round of a loop would only repeat it.
        let code = match config.remove("code") {
            Some(Value::String(code)) => code,
            _ => String::new(),
        };
        let script = Script {
            code,
            input: config.get("input").cloned().unwrap_or_else(|| json!({})),
        };
        let mut effect = Effect {
            node,
            path,
            started_at: earlier
                .as_ref()
                .map_or(started_at, |record| record.started_at),
            input: Value::Object(config),
            attempts: earlier.map_or(1, |record| record.attempts + 1),
            was_parked: false,
            asked: None,
            is_open: false,
        };
        let ran = self.ran(&mut effect, &script).await?;
        let console = ran.console.into_iter().map(without_nul).collect();
        match ran.result {
            Ok(output) => {
                let output = clean(output);
                self.give(node, &output);
                let record = effect.record(StepState::Succeeded, self.clock.now(), output, None);
                self.records.effect(StepRecord { console, ..record });
                Ok(())
            }
            Err(Broke { message, .. }) => {
                let error = message.replace('\0', "\u{fffd}");
                let record = effect.record(
                    StepState::Failed,
                    self.clock.now(),
                    Value::Null,
                    Some(error.clone()),
                );
                self.records.effect(StepRecord { console, ..record });
                self.after_failure(node, &error, FAILED)
            }
        }
    }

    /// Runs code; again, as often as the step's policy allows, where that may do better.
    async fn ran(&mut self, effect: &mut Effect<'_>, script: &Script) -> Result<Ran, End> {
        let Some(sandbox) = self.sandbox else {
            return Ok(Ran {
                result: Err(Broke {
                    message: "This server runs no code.".to_owned(),
                    may_retry: false,
                }),
                console: Vec::new(),
            });
        };
        let key = sha256(format!("{} {}", self.lease.run, effect.path).as_bytes());
        loop {
            // What a write did must not wait for code that takes its time.
            let now = self.clock.now();
            if self.records.may_append_beside(now) {
                self.append().await?;
            }
            let run = async {
                // Strands of one run do not stand in line before other runs.
                let _turn = self.computing.lock().await;
                sandbox.run(script.clone()).await
            };
            let ran = match self.watch.unless(run).await {
                Ok(ran) => ran,
                Err(interrupt) => return Err(self.interrupt_code(effect, interrupt)),
            };
            let failure = match &ran.result {
                Err(broke)
                    if broke.may_retry
                        && effect.attempts <= u32::from(effect.node.policy.retries) =>
                {
                    &broke.message
                }
                _ => return Ok(ran),
            };
            let wait = backoff(Retry::Backoff, &key, effect.attempts);
            self.wait_for_attempt(effect, true, failure, wait).await?;
            effect.attempts += 1;
        }
    }

    fn interrupt_code(&mut self, effect: &Effect<'_>, interrupt: Interrupt) -> End {
        let Some(why) = interrupt.why() else {
            return End::HandedBack;
        };
        self.records.effect(effect.record(
            StepState::Failed,
            self.clock.now(),
            StepRecord::interrupted(),
            Some(format!("{why} before the code was done.")),
        ));
        self.interrupted(interrupt)
    }
}

pub(super) fn without_nul(line: ConsoleLine) -> ConsoleLine {
    ConsoleLine {
        text: line.text.replace('\0', "\u{fffd}"),
        ..line
    }
}
