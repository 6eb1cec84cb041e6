//! What a change means for the data, in plain words.

pub(super) mod say;

use std::fmt;

use serde::{Deserialize, Serialize};

use self::say::{article, capital, list, named, others, reached, with};
use super::Receiver;
use crate::{ConnectionId, StepId, catalog};

/// Something that a change means for the data, in one sentence ([`fmt::Display`]).
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
    /// A request goes to another host.
    Redirected {
        /// The step that sends it.
        step: StepId,
        /// Its name.
        name: String,
        /// The method.
        method: String,
        /// The host that it went to.
        was: Receiver,
        /// Nothing goes to that host any more.
        is_last: bool,
        /// The host that it goes to.
        is: Receiver,
        /// Nothing went to that host before.
        is_first: bool,
        /// What that host gets that it did not get before.
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
        /// Nothing goes to that host any more.
        is_last: bool,
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
            Note::NewHost { .. } | Note::Redirected { is_first: true, .. } => 1,
            Note::NewWrite { .. }
            | Note::Method {
                turned: Some(Turned::IntoWrite),
                ..
            } => 2,
            Note::Redirected { .. } | Note::Credentials { .. } | Note::Statement { .. } => 3,
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

impl fmt::Display for Note {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::Broken {
                name,
                references,
                because,
                ..
            } => {
                let uses = format!("“{name}” uses {}, but", list(references));
                match because {
                    Because::Deleted(other) => write!(out, "{uses} “{other}” was deleted."),
                    Because::Renamed(other, slug) => {
                        write!(
                            out,
                            "{uses} “{other}” is called `{slug}` in expressions now."
                        )
                    }
                    Because::NotRun(other) => write!(
                        out,
                        "{uses} “{other}” has not run by then: it comes later, or is in another lane."
                    ),
                    Because::Says(message) => {
                        write!(out, "A reference in “{name}” is broken: {message}")
                    }
                }
            }
            Note::Rebound {
                name,
                reference,
                was,
                is,
                ..
            } => {
                write!(
                    out,
                    "“{name}” uses `{reference}` as before, but that is now another step"
                )?;
                if was == is {
                    write!(out, " of the same name.")
                } else {
                    write!(out, ": “{is}”, no longer “{was}”.")
                }
            }
            Note::NewHost {
                name,
                method,
                receiver,
                values,
                ..
            } => {
                if let Receiver::Mail(_) = receiver {
                    let with = with(values);
                    return write!(out, "A new e-mail to {receiver}: “{name}” sends it{with}.");
                }
                write!(
                    out,
                    "{} is {} for the first time: “{name}” sends ",
                    capital(receiver),
                    reached(receiver),
                )?;
                write!(out, "{}{}.", article(method), with(values))
            }
            Note::Credentials {
                name,
                was,
                is,
                receiver,
                ..
            } => match (was, is) {
                _ if matches!(receiver, Receiver::Mail(_)) => write!(
                    out,
                    "Connection rebound: “{name}” sends e-mails to {receiver} through another mail server than before."
                ),
                (_, None) => write!(out, "“{name}” sends no credentials to {receiver} any more."),
                (None, _) => write!(
                    out,
                    "“{name}” sends the credentials of a connection to {receiver}."
                ),
                _ => write!(
                    out,
                    "Connection rebound: “{name}” sends the credentials of another connection to {receiver}."
                ),
            },
            Note::Statement { name, receiver, .. } => write!(
                out,
                "“{name}” runs another SQL statement, which may write to {receiver}."
            ),
            Note::NewWrite {
                name,
                method,
                receiver,
                values,
                ..
            } => write!(
                out,
                "A new write: “{name}” sends {} to {receiver}{}.",
                article(method),
                with(values)
            ),
            Note::Method {
                name,
                was,
                is,
                turned,
                receiver,
                ..
            } => {
                let (was, is) = (article(was), article(is));
                match turned {
                    Some(Turned::IntoWrite) => write!(
                        out,
                        "A read became a write: “{name}” sends {is} to {receiver}, instead of {was}."
                    ),
                    Some(Turned::IntoRead) => write!(
                        out,
                        "A write became a read: “{name}” sends {is} to {receiver}, instead of {was}."
                    ),
                    None => write!(out, "“{name}” sends {is} to {receiver}, instead of {was}."),
                }
            }
            Note::Redirected {
                name,
                method,
                was,
                is_last,
                is: to,
                is_first,
                values,
                ..
            } => {
                if let (Receiver::Integration(_), Receiver::Integration(_)) = (was, to) {
                    let with = with(values);
                    return write!(out, "“{name}” calls another integration than before{with}.");
                }
                let (method, with) = (article(method), with(values));
                if let (Receiver::Mail(was), Receiver::Mail(is)) = (was, to) {
                    let others = others(was, is);
                    return write!(out, "“{name}” sends its e-mail {others}{with}.");
                }
                let first = match is_first {
                    true => format!(" (not {} before)", reached(to)),
                    false => String::new(),
                };
                let last = match is_last {
                    true => format!(" (not {} any more)", reached(was)),
                    false => String::new(),
                };
                if let (Receiver::Database(_), Receiver::Database(_)) = (was, to) {
                    let first = if *is_first {
                        ", not used until now"
                    } else {
                        ""
                    };
                    return write!(
                        out,
                        "“{name}” sends {method} to another database than before{first}{with}."
                    );
                }
                write!(
                    out,
                    "“{name}” sends {method} to {to}{first} instead of {was}{last}{with}."
                )
            }
            Note::Elsewhere {
                name,
                inside,
                was,
                is,
                ..
            } => {
                let writes = match inside {
                    0 => ", a write,".to_owned(),
                    1 => ", with a write in it,".to_owned(),
                    count => format!(", with {count} writes in it,"),
                };
                write!(out, "“{name}”{writes} now runs {is}; before, it ran {was}.")
            }
            Note::Unguarded { names, filter, .. } => {
                let (write, wait) = match names.len() {
                    1 => ("a write", "waits"),
                    _ => ("writes", "wait"),
                };
                write!(
                    out,
                    "{}, {write}, no longer {wait} for the filter “{filter}”.",
                    named(names)
                )
            }
            Note::Sent {
                name,
                receiver,
                also,
                values,
                ..
            } => {
                let go = if values.len() == 1 { "goes" } else { "go" };
                let also = if *also { "also " } else { "" };
                write!(
                    out,
                    "{} now {also}{go} to {receiver}, in “{name}”.",
                    list(values)
                )
            }
            Note::Trigger { was, is } => {
                let title = |kind: &str| {
                    catalog::trigger(kind).map_or(kind.to_owned(), |kind| kind.title.clone())
                };
                write!(
                    out,
                    "Another trigger starts it: {} instead of {}.",
                    title(is),
                    title(was)
                )?;
                match (was.as_str(), is.as_str()) {
                    ("webhook", _) => write!(out, " Calls to its address are refused."),
                    (_, "webhook") => write!(out, " Whoever knows its address can call it."),
                    _ => Ok(()),
                }
            }
            Note::Webhook { was, is } => match (was.as_str(), is.as_str()) {
                (_, "any") => write!(
                    out,
                    "The webhook takes calls with any method, not only {was}."
                ),
                ("any", _) => write!(
                    out,
                    "The webhook takes calls with {is} only. All others are refused."
                ),
                _ => write!(
                    out,
                    "The webhook takes calls with {is} instead of {was}. Whoever still sends {was} is refused."
                ),
            },
            Note::Answers { name, values, .. } => write!(
                out,
                "The caller of the webhook now waits for the answer that “{name}” gives{}.",
                with(values)
            ),
            Note::AnswersNoMore { .. } => write!(
                out,
                "No step answers the caller of the webhook any more: a call is answered as soon as it is accepted."
            ),
            Note::Gone {
                name,
                method,
                is_write,
                receiver,
                is_last,
                ..
            } => {
                if *is_write {
                    write!(
                        out,
                        "A write is gone: “{name}” sent {} to {receiver}",
                        article(method)
                    )?;
                    if *is_last && !matches!(receiver, Receiver::Mail(_)) {
                        write!(out, ", which is not {} any more", reached(receiver))?;
                    }
                    return write!(out, ".");
                }
                write!(
                    out,
                    "{} is not {} any more: “{name}” sent {}.",
                    capital(receiver),
                    reached(receiver),
                    article(method)
                )
            }
        }
    }
}

impl fmt::Display for When {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            When::Flow => write!(out, "at the top level"),
            When::Lane(lane, branch) => write!(out, "only in “{lane}” of “{branch}”"),
            When::Each(of) => write!(out, "for each item of “{of}”"),
        }
    }
}
