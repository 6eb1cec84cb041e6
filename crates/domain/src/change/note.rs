//! What a change means for the data, in plain words.

pub(super) mod say;
mod sentence;

use serde::{Deserialize, Serialize};

use super::Receiver;
use crate::{ConnectionId, StepId};

/// Something that a change means for the data, in one sentence ([`std::fmt::Display`]).
///
/// Steps are named as the later document calls them, deleted ones as the earlier one does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Note {
    /// A step uses something that is not there when it runs, though it did not before.
    Broken {
        /// The step.
        step: StepId,
        /// Its name.
        name: String,
        /// What it uses, such as `steps.lookup.body`.
        references: Vec<String>,
        /// Why that is not there.
        because: Because,
    },
    /// A step uses the same words as before, but they mean another step now.
    Rebound {
        /// The step.
        step: StepId,
        /// Its name.
        name: String,
        /// The words, such as `steps.lookup`.
        reference: String,
        /// The name of the step that they meant.
        was: String,
        /// The name of the step that they mean.
        is: String,
    },
    /// A host is called that was not called before.
    NewHost {
        /// The step that calls it.
        step: StepId,
        /// Its name.
        name: String,
        /// The method, such as `POST`.
        method: String,
        /// The host.
        receiver: Receiver,
        /// What it gets.
        values: Vec<String>,
    },
    /// A request that may change something, to a host that was called before.
    NewWrite {
        /// The step that sends it.
        step: StepId,
        /// Its name.
        name: String,
        /// The method.
        method: String,
        /// The host.
        receiver: Receiver,
        /// What it gets that it did not get before.
        values: Vec<String>,
    },
    /// A request has another method.
    Method {
        /// The step that sends it.
        step: StepId,
        /// Its name.
        name: String,
        /// The method that it had.
        was: String,
        /// The method that it has.
        is: String,
        /// Whether only one of the two may change something.
        turned: Option<Turned>,
        /// The host.
        receiver: Receiver,
    },
    /// A request goes to another host, to more of them or to fewer.
    Redirected {
        /// The step that sends it.
        step: StepId,
        /// Its name.
        name: String,
        /// The method.
        method: String,
        /// Whom it went to and does not any more, if there is somebody.
        was: Option<Receiver>,
        /// The hosts of these that nothing goes to any more.
        last: Option<Receiver>,
        /// Whom it goes to and did not before, if there is somebody. One of the two is there.
        is: Option<Receiver>,
        /// Those of these that nothing went to before, without the origins of a connection.
        first: Option<Receiver>,
        /// What these get that they did not get before.
        values: Vec<String>,
    },
    /// A request is sent with the credentials of another connection, with some at last, or without.
    Credentials {
        /// The step that sends it.
        step: StepId,
        /// Its name.
        name: String,
        /// The connection that it had.
        was: Option<ConnectionId>,
        /// The connection that it has.
        is: Option<ConnectionId>,
        /// Who gets them.
        receiver: Receiver,
    },
    /// A query that may write runs another statement.
    Statement {
        /// The step that sends it.
        step: StepId,
        /// Its name.
        name: String,
        /// The database.
        receiver: Receiver,
    },
    /// A component that is run is another one, or does something else.
    Code {
        /// The step that runs it.
        step: StepId,
        /// Its name.
        name: String,
        /// What stands for its method.
        method: String,
        /// Whatever it may call, if that is somebody.
        receiver: Option<Receiver>,
    },
    /// Writes run under other conditions, or another number of times.
    Elsewhere {
        /// The step that was moved.
        step: StepId,
        /// Its name.
        name: String,
        /// How many writes are inside it; 0 when it is the write itself.
        inside: usize,
        /// When they ran.
        was: When,
        /// When they run.
        is: When,
    },
    /// Writes ran only when a filter let them, and do not wait for it any more.
    Unguarded {
        /// The first of the steps that write.
        step: StepId,
        /// The names of all of them.
        names: Vec<String>,
        /// The filter's name.
        filter: String,
    },
    /// Values go to a host, or to the caller, that did not get them before.
    Sent {
        /// The step that sends them.
        step: StepId,
        /// Its name.
        name: String,
        /// Whoever gets them.
        receiver: Receiver,
        /// Others got them before.
        also: bool,
        /// Which they are.
        values: Vec<String>,
    },
    /// Something else starts the integration.
    Trigger {
        /// The kind of trigger that started it.
        was: String,
        /// The kind of trigger that starts it.
        is: String,
    },
    /// The webhook takes calls with another method.
    Webhook {
        /// The method that it took, or `any`.
        was: String,
        /// The method that it takes, or `any`.
        is: String,
    },
    /// The caller of the webhook waits for an answer that a step gives.
    Answers {
        /// The step.
        step: StepId,
        /// Its name.
        name: String,
        /// What the caller gets.
        values: Vec<String>,
    },
    /// No step answers the caller of the webhook any more.
    AnswersNoMore {
        /// The step that did, when it is still there.
        step: Option<StepId>,
    },
    /// A request is not sent any more.
    Gone {
        /// The step that sent it.
        step: StepId,
        /// Its name.
        name: String,
        /// The method.
        method: String,
        /// It could change something.
        is_write: bool,
        /// The host.
        receiver: Receiver,
        /// As much of it as nothing goes to any more.
        last: Option<Receiver>,
    },
}

/// Why something that a step uses is not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Because {
    /// The step was deleted; its name.
    Deleted(String),
    /// The step is called otherwise; its name, and what expressions call it now.
    Renamed(String, String),
    /// The step has not run by then; its name.
    NotRun(String),
    /// Anything else, in one sentence.
    Says(String),
}

/// How a request turned, between reading and writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Turned {
    /// It only read, and may change something now.
    IntoWrite,
    /// It could change something, and only reads now.
    IntoRead,
}

/// When a step runs, as far as the list says in which it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// In the flow itself.
    Flow,
    /// In a lane of a branch: the names of both.
    Lane(String, String),
    /// Once for each item of a loop, which is named.
    Each(String),
}

impl Note {
    /// Returns the step to look at. One that was deleted is in the earlier document only.
    pub fn step(&self) -> Option<StepId> {
        match self {
            Note::Broken { step, .. }
            | Note::Rebound { step, .. }
            | Note::NewHost { step, .. }
            | Note::NewWrite { step, .. }
            | Note::Method { step, .. }
            | Note::Redirected { step, .. }
            | Note::Credentials { step, .. }
            | Note::Statement { step, .. }
            | Note::Code { step, .. }
            | Note::Elsewhere { step, .. }
            | Note::Unguarded { step, .. }
            | Note::Sent { step, .. }
            | Note::Answers { step, .. }
            | Note::Gone { step, .. } => Some(*step),
            Note::AnswersNoMore { step } => *step,
            Note::Trigger { .. } | Note::Webhook { .. } => None,
        }
    }

    /// Returns how little a reviewer has to care: 0 comes first.
    pub(super) fn rank(&self) -> u8 {
        match self {
            Note::Broken { .. } | Note::Rebound { .. } => 0,
            Note::NewHost { .. } | Note::Redirected { first: Some(_), .. } => 1,
            Note::NewWrite { .. }
            | Note::Method {
                turned: Some(Turned::IntoWrite),
                ..
            } => 2,
            Note::Redirected { .. }
            | Note::Credentials { .. }
            | Note::Statement { .. }
            | Note::Code { .. } => 3,
            Note::Elsewhere { .. } | Note::Unguarded { .. } => 4,
            Note::Method { turned: None, .. } => 5,
            Note::Sent { .. } => 6,
            Note::Trigger { .. } | Note::Webhook { .. } => 7,
            Note::Answers { .. } | Note::AnswersNoMore { .. } => 8,
            Note::Method {
                turned: Some(Turned::IntoRead),
                ..
            }
            | Note::Gone { .. } => 9,
        }
    }
}
