//! The words that sentences about changes have in common.

use crate::change::Receiver;
use crate::change::flow::{MAIL, READER, WRITER};

/// Returns a method with its article; one that an expression chooses is just a request.
pub(super) fn article(method: &str) -> String {
    if method == "request" || method.contains("{{") {
        "a request".to_owned()
    } else {
        let article = if method == MAIL { "an" } else { "a" };
        format!("{article} {method}")
    }
}

/// Says what a step does: “sends a POST”.
pub(super) fn does(method: &str) -> String {
    let verb = if is_run(method) { "runs" } else { "sends" };
    format!("{verb} {}", article(method))
}

/// Says what a step did: “sent a POST”.
pub(super) fn did(method: &str) -> String {
    let verb = if is_run(method) { "ran" } else { "sent" };
    format!("{verb} {}", article(method))
}

/// Says what leads from what a step does to whoever gets it.
pub(super) fn to(method: &str) -> &'static str {
    if method == READER { "from" } else { "to" }
}

/// Returns whether a method is what stands for that of a component.
pub(super) fn is_run(method: &str) -> bool {
    matches!(method, READER | WRITER)
}

/// Says what happens to whoever gets something.
pub(super) fn reached(receiver: &Receiver) -> &'static str {
    match receiver {
        Receiver::Database(_) => "used",
        _ => "called",
    }
}

/// Says behind receivers which of them are not called `when`, that is before or any more.
pub(super) fn mark(all: &Receiver, such: Option<&Receiver>, when: &str) -> String {
    let (Some(such), false) = (such, matches!(all, Receiver::Mail(_))) else {
        return String::new();
    };
    let reached = reached(all);
    match (such == all, all.is_several()) {
        (true, false) => format!(" (not {reached} {when})"),
        (true, true) => format!(" (none of them {reached} {when})"),
        (false, _) => format!(" ({such} not {reached} {when})"),
    }
}

pub(super) fn capital(receiver: &Receiver) -> String {
    match receiver {
        // An address stays as it is written.
        Receiver::Host(_) | Receiver::Mail(_) => receiver.to_string(),
        Receiver::Component { hosts, .. } if !hosts.is_empty() => receiver.to_string(),
        Receiver::Component { .. }
        | Receiver::Made(_)
        | Receiver::Caller
        | Receiver::Integration(_)
        | Receiver::Database(_) => {
            let mut text = receiver.to_string();
            text[..1].make_ascii_uppercase();
            text
        }
    }
}

pub(super) fn with(values: &[String]) -> String {
    if values.is_empty() {
        String::new()
    } else {
        format!(", with {}", list(values))
    }
}

/// Most values that a sentence names.
const NAMED: usize = 5;

pub(super) fn list(values: &[String]) -> String {
    let quoted: Vec<String> = values.iter().map(|value| format!("`{value}`")).collect();
    joined(&quoted, "values")
}

pub(super) fn named(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("“{name}”")).collect();
    joined(&quoted, "steps")
}

pub(in crate::change) fn joined(items: &[String], what: &str) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        many if many.len() > NAMED => {
            let (first, more) = many.split_at(NAMED - 1);
            format!("{} and {} more {what}", first.join(", "), more.len())
        }
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
