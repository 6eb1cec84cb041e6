//! What is recorded of a request when its run has to stop: it is canceled, its time is over, or its
//! process ends.

use domain::run::{StepRecord, StepState};
use serde_json::Value;

use super::End;
use super::effect::{Effect, NO_ANSWER};
use super::run::Run;
use super::watch::Interrupt;
use crate::port::{Clock, Journal, Outside};
use crate::step::request::Request;

impl<C: Clock, J: Journal, O: Outside> Run<'_, C, J, O> {
    /// Records a request of which no attempt was under way when the run had to stop.
    pub(super) fn interrupt_between(
        &mut self,
        effect: &Effect<'_>,
        error: String,
        interrupt: Interrupt,
    ) -> End {
        if interrupt == Interrupt::HandedBack {
            return End::HandedBack;
        }
        let now = self.clock.now();
        if !effect.may_be_another() {
            let output = StepRecord::interrupted();
            self.records
                .effect(effect.record(StepState::Failed, now, output, Some(error)));
            return self.interrupted(interrupt);
        }
        let error = format!("{error} {NO_ANSWER}. Check in the other system.");
        let record = effect.record(StepState::InDoubt, now, Value::Null, Some(error.clone()));
        self.records.effect(record);
        match self.interrupted(interrupt) {
            End::Failed(_) => effect.doubted(&error),
            end => end,
        }
    }

    /// Records a request that was under way when the run had to stop.
    pub(super) fn interrupt_effect(
        &mut self,
        effect: &Effect<'_>,
        request: &Request,
        interrupt: Interrupt,
    ) -> End {
        let Some(why) = interrupt.why() else {
            return End::HandedBack;
        };
        let (state, output, error) = if request.is_safe() {
            (
                StepState::Failed,
                StepRecord::interrupted(),
                format!("{why} before the answer came."),
            )
        } else {
            (
                StepState::InDoubt,
                Value::Null,
                format!(
                    "{why} before the answer came. The request was sent, but whether it arrived is not known. Check in the other system."
                ),
            )
        };
        self.records
            .effect(effect.record(state, self.clock.now(), output, Some(error.clone())));
        match self.interrupted(interrupt) {
            End::Failed(_) if !request.is_idempotent() || effect.asked.is_some() => {
                effect.doubted(&error)
            }
            end => end,
        }
    }
}
