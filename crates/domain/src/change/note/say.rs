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

fn is_run(method: &str) -> bool {
    matches!(method, READER | WRITER)
}

/// Says what happens to whoever gets something.
pub(super) fn reached(receiver: &Receiver) -> &'static str {
    match receiver {
        Receiver::Database(_) => "used",
        _ => "called",
    }
}

/// Says to whom else something goes, and to whom no more. `some` makes a receiver of some of them,
/// `mark` stands behind those who are new.
pub(super) fn others(
    was: &[String],
    is: &[String],
    mark: &str,
    some: impl Fn(Vec<String>) -> Receiver,
) -> String {
    let without = |all: &[String], others: &[String]| {
        let left = all.iter().filter(|one| !others.contains(one));
        some(left.cloned().collect()).to_string()
    };
    let (added, gone) = (without(is, was), without(was, is));
    match (added.as_str(), gone.as_str()) {
        (added, "") => format!("also to {added}{mark}"),
        ("", gone) => format!("to {gone} no more"),
        (added, gone) => format!("to {added}{mark} instead of {gone}"),
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
