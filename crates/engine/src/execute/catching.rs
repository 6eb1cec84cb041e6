//! Try steps: what fails in their first lane is caught, and their second lane deals with it.
//!
//! Caught is what a step said of itself: a request that was refused, fields that make no sense,
//! an error that someone wrote. Not caught is what no lane can deal with rightly. A request in
//! doubt may have arrived: whatever the lane did about its failure could be wrong, so a person has
//! to look first. A cancel and the end of the time limit are meant for the run as a whole, and a
//! lane that caught them would go on with what was to stop.
//!
//! Nothing of this is recorded to be resumed from: the failed step's own record is, or it fails
//! again, so that a replay takes the same lane.

use domain::Timestamp;
use domain::run::{StepRecord, StepState};
use domain::template::Scope;
use serde_json::{Value, json};

use super::End;
use super::frame::Frame;
use super::run::Run;
use crate::port::{Clock, Journal, Outside};
use crate::program::Node;

/// How a step failed, for whoever catches it.
#[derive(Debug)]
pub(super) struct Thrown {
    /// What expressions see as the try's `error`.
    pub(super) error: Value,
    /// What is said of the run when nobody catches it.
    pub(super) of_run: String,
}

impl Thrown {
    /// Returns the failure of a step. `code` says what kind of failure it is, for conditions.
    pub(super) fn new(node: &Node, message: &str, code: &str) -> Self {
        let error = json!({"step": node.slug, "name": node.name, "message": message, "code": code});
        Self {
            error,
            of_run: format!("Step `{}` failed: {message}", node.name),
        }
    }

    /// Returns a failure that was recorded with its `error`.
    pub(super) fn again(error: Value) -> Self {
        let text = |field: &str| error.get(field).and_then(Value::as_str).unwrap_or_default();
        let of_run = match text("code") {
            STOPPED => text("message").to_owned(),
            _ => format!("Step `{}` failed: {}", text("name"), text("message")),
        };
        Self { error, of_run }
    }

    /// Returns the failure of a Stop step, whose message is all that is said of the run.
    pub(super) fn stopped(node: &Node, message: String) -> Self {
        Self {
            of_run: message.clone(),
            ..Self::new(node, &message, STOPPED)
        }
    }
}

/// The code of the failure that a Stop step is.
const STOPPED: &str = "stopped";

/// The code of a failure of which nothing more is known than what its message says.
pub(super) const FAILED: &str = "failed";

/// Returns the code of a request's failure: `http_404` by the status of the answer, which is
/// recorded and so the same when it is replayed; [`FAILED`] when there was no answer.
pub(super) fn code_of(answer: &Value) -> String {
    let number = |field: &str| answer.get(field).and_then(Value::as_u64);
    let state = answer.get("sqlstate").and_then(Value::as_str);
    match (number("status"), number("smtp"), state) {
        (Some(status), ..) => format!("http_{status}"),
        (_, Some(code), _) => format!("smtp_{code}"),
        (.., Some(state)) => format!("sql_{state}"),
        _ => FAILED.to_owned(),
    }
}

/// A try under way, in either lane.
pub(super) struct Trying<'p> {
    node: &'p Node,
    started_at: Timestamp,
    /// Its beginning was recorded, so its end must be, too.
    is_recorded: bool,
    /// What the steps before the try gave: the second lane sees that, and not what the first one
    /// gave, of which nobody knows how far it came.
    before: Scope,
    /// The second lane.
    rescue: &'p [usize],
    /// What was caught; the second lane runs.
    caught: Option<Value>,
    /// The last output of the lane, if anybody can see it.
    pub(super) result: Option<Value>,
}

impl<'p, C: Clock, J: Journal, O: Outside> Run<'p, C, J, O> {
    pub(super) fn begin_try(
        &mut self,
        node: &'p Node,
        started_at: Timestamp,
        (list, rescue): (&'p [usize], &'p [usize]),
    ) {
        let Some(before) = self.frames.last().map(|frame| frame.scope.clone()) else {
            return;
        };
        let is_recorded = self.records.is_detailed(self.is_in_loop());
        if is_recorded {
            let begun = self.record(node, started_at, StepState::Started);
            self.records.begin(StepRecord {
                finished_at: None,
                ..begun
            });
        }
        let mut frame = Frame::new(list, before.clone());
        frame.trying = Some(Box::new(Trying {
            node,
            started_at,
            is_recorded,
            before,
            rescue,
            caught: None,
            result: (node.is_used || node.is_tail).then_some(Value::Null),
        }));
        self.frames.push(frame);
    }

    /// Goes on in the second lane of the innermost try whose first one is under way.
    ///
    /// # Errors
    /// The end of the run, when there is none or it is nothing to be caught.
    pub(super) fn catch(&mut self, end: End) -> Result<(), End> {
        let End::Thrown(thrown) = end else {
            return Err(end);
        };
        let Some(at) = self.frames.iter().rposition(Frame::catches) else {
            // A try around the strand catches it there, and what is left here is over.
            while self.is_caught() && !self.frames.is_empty() {
                self.abandon();
            }
            return Err(End::Thrown(thrown));
        };
        while self.frames.len() > at + 1 {
            self.abandon();
        }
        if let Some(frame) = self.frames.last_mut()
            && let Some(trying) = &mut frame.trying
        {
            frame.list = trying.rescue;
            frame.next = 0;
            frame.scope = trying.before.clone();
            if trying.node.is_used {
                let seen = json!({"failed": true, "error": thrown.error});
                frame.scope.set_step(&trying.node.slug, seen);
            }
            trying.caught = Some(thrown.error);
            trying.result = trying.result.take().map(|_| Value::Null);
        }
        Ok(())
    }

    /// Leaves the innermost list, which a failure ended. A loop or try in it has failed, too.
    fn abandon(&mut self) {
        let Some(frame) = self.frames.pop() else {
            return;
        };
        if let Some(looping) = frame.looping {
            self.rounds.pop();
            if looping.is_recorded {
                let record = self.abandoned(looping.node, looping.started_at);
                self.records.end_loop(record, looping.told);
            }
        } else if let Some(trying) = frame.trying.filter(|trying| trying.is_recorded) {
            let record = self.abandoned(trying.node, trying.started_at);
            self.records.pure(record);
        }
    }

    fn abandoned(&self, node: &Node, started_at: Timestamp) -> StepRecord {
        StepRecord {
            error: Some("A step in it failed.".to_owned()),
            ..self.record(node, started_at, StepState::Failed)
        }
    }

    /// Ends a try: one of its lanes came to its end.
    pub(super) fn end_try(&mut self, trying: Trying<'p>) {
        let mut output = json!({"failed": trying.caught.is_some(), "error": trying.caught});
        if let Some(result) = trying.result {
            output["result"] = result;
        }
        self.give(trying.node, &output);
        if trying.is_recorded {
            let record = self.record(trying.node, trying.started_at, StepState::Succeeded);
            self.records.pure(StepRecord { output, ..record });
        }
    }
}

impl Frame<'_> {
    /// Returns whether a failure in this list, or in what it holds, is caught here.
    pub(super) fn catches(&self) -> bool {
        self.trying
            .as_ref()
            .is_some_and(|trying| trying.caught.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_says_what_was_answered() {
        for (answer, code) in [
            (json!({"status": 404, "body": "no"}), "http_404"),
            (Value::Null, FAILED),
            (json!({"status": "odd"}), FAILED),
        ] {
            assert_eq!(code_of(&answer), code);
        }
    }
}
