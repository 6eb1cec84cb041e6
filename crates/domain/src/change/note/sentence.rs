//! Each note as a sentence.

use std::fmt;

use super::say::{article, capital, did, does, is_run, list, mark, named, reached, to, with};
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
                last,
                is,
                first,
                values,
                ..
            } => {
                let with = with(values);
                let marked = |all: &Receiver, such: &Option<Receiver>, when| {
                    format!("{all}{}", mark(all, such.as_ref(), when))
                };
                let other = match (was, is) {
                    (Some(Receiver::Integration(_)), Some(Receiver::Integration(_))) => {
                        return write!(
                            out,
                            "“{name}” calls another integration than before{with}."
                        );
                    }
                    (Some(Receiver::Database(_)), Some(Receiver::Database(_))) => {
                        let first = match first {
                            Some(_) => ", not used until now",
                            None => "",
                        };
                        format!("to another database than before{first}")
                    }
                    (None, Some(is)) => {
                        // One host comes to nobody else.
                        let is_one = matches!(is, Receiver::Host(_) | Receiver::Made(_));
                        let also = if is_one { "" } else { "also " };
                        format!("{also}to {}", marked(is, first, "before"))
                    }
                    (Some(was), Some(is)) => format!(
                        "to {} instead of {}",
                        marked(is, first, "before"),
                        marked(was, last, "any more")
                    ),
                    (was, None) => {
                        let sends = match was {
                            Some(Receiver::Mail(_)) => "no longer sends its e-mail",
                            _ => "may no longer send requests",
                        };
                        let was = was.as_ref().map(|was| marked(was, last, "any more"));
                        let was = was.unwrap_or_default();
                        return write!(out, "“{name}” {sends} to {was}.");
                    }
                };
                let sends = match is {
                    Some(Receiver::Mail(_)) => "sends its e-mail".to_owned(),
                    _ if is_run(method) => "may send requests".to_owned(),
                    _ => does(method),
                };
                write!(out, "“{name}” {sends} {other}{with}.")
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
                last,
                ..
            } => {
                let (did, to) = (did(method), to(method));
                let are = |who: &Receiver| if who.is_several() { "are" } else { "is" };
                let reached = reached(receiver);
                if *is_write {
                    write!(out, "A write is gone: “{name}” {did} {to} {receiver}")?;
                    return match last {
                        None | Some(Receiver::Mail(_)) => write!(out, "."),
                        Some(last) if last == receiver => {
                            write!(out, ", which {} not {reached} any more.", are(last))
                        }
                        Some(last) => {
                            let are = are(last);
                            write!(out, ", of which {last} {are} not {reached} any more.")
                        }
                    };
                }
                let are = are(receiver);
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
