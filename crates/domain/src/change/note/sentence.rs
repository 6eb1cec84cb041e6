//! Each note as a sentence.

use std::fmt;

use super::say::{article, capital, did, does, list, named, others, reached, to, with};
use super::{Because, Note, Turned, When};
use crate::catalog;
use crate::change::Receiver;

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
                let (who, with) = (capital(receiver), with(values));
                let method = article(method);
                if let Receiver::Component { .. } = receiver {
                    return write!(
                        out,
                        "{who} may be called for the first time: “{name}” runs {method}{with}."
                    );
                }
                let reached = reached(receiver);
                write!(
                    out,
                    "{who} is {reached} for the first time: “{name}” sends {method}{with}."
                )
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
                _ if matches!(receiver, Receiver::Component { .. }) => match (was, is) {
                    (_, None) => write!(
                        out,
                        "“{name}” has no connection any more, neither its credentials nor its origins."
                    ),
                    (None, _) => write!(
                        out,
                        "“{name}” may call the origins of a connection, with its credentials."
                    ),
                    _ => write!(
                        out,
                        "Connection rebound: “{name}” may call the origins of another connection, with its credentials."
                    ),
                },
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
            Note::Code {
                name,
                method,
                receiver,
                ..
            } => match receiver {
                Some(receiver) => write!(
                    out,
                    "“{name}” runs other code than before: {} {} {receiver}.",
                    article(method),
                    to(method)
                ),
                None => write!(
                    out,
                    "“{name}” runs other code than before, in a component that calls nobody."
                ),
            },
            Note::NewWrite {
                name,
                method,
                receiver,
                values,
                ..
            } => write!(
                out,
                "A new write: “{name}” {} {} {receiver}{}.",
                does(method),
                to(method),
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
                match turned {
                    Some(Turned::IntoWrite) => write!(out, "A read became a write: ")?,
                    Some(Turned::IntoRead) => write!(out, "A write became a read: ")?,
                    None => {}
                }
                let (was, does, to) = (article(was), does(is), to(is));
                write!(out, "“{name}” {does} {to} {receiver}, instead of {was}.")
            }
            Note::Redirected {
                name,
                method,
                was,
                is_last,
                is,
                is_first,
                values,
                ..
            } => {
                if let (Receiver::Integration(_), Receiver::Integration(_)) = (was, is) {
                    let with = with(values);
                    return write!(out, "“{name}” calls another integration than before{with}.");
                }
                let (does, to, with) = (does(method), to(method), with(values));
                if let (Receiver::Mail(was), Receiver::Mail(is)) = (was, is) {
                    let others = others(was, is, "", Receiver::Mail);
                    return write!(out, "“{name}” sends its e-mail {others}{with}.");
                }
                if let (
                    Receiver::Component { hosts: was, .. },
                    Receiver::Component { hosts: is, .. },
                ) = (was, is)
                {
                    let some = |hosts| Receiver::Component {
                        hosts,
                        connection: None,
                    };
                    let first = match (is_first, is.iter().filter(|is| !was.contains(is)).count()) {
                        (false, _) => "",
                        (true, 1) => " (not called before)",
                        (true, _) => " (not all of them called before)",
                    };
                    let others = others(was, is, first, some);
                    return write!(out, "“{name}” may send requests {others}{with}.");
                }
                let first = match is_first {
                    true => format!(" (not {} before)", reached(is)),
                    false => String::new(),
                };
                let last = match is_last {
                    true => format!(" (not {} any more)", reached(was)),
                    false => String::new(),
                };
                if let (Receiver::Database(_), Receiver::Database(_)) = (was, is) {
                    let first = if *is_first {
                        ", not used until now"
                    } else {
                        ""
                    };
                    return write!(
                        out,
                        "“{name}” {does} {to} another database than before{first}{with}."
                    );
                }
                write!(
                    out,
                    "“{name}” {does} {to} {is}{first} instead of {was}{last}{with}."
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
                let (did, to) = (did(method), to(method));
                let are = if receiver.is_several() { "are" } else { "is" };
                let reached = reached(receiver);
                if *is_write {
                    write!(out, "A write is gone: “{name}” {did} {to} {receiver}")?;
                    if *is_last && !matches!(receiver, Receiver::Mail(_)) {
                        write!(out, ", which {are} not {reached} any more")?;
                    }
                    return write!(out, ".");
                }
                let who = capital(receiver);
                write!(out, "{who} {are} not {reached} any more: “{name}” {did}.")
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
