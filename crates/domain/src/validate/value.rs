//! Checks one value against the field that it is of, and the syntax of its expressions.

use std::net::Ipv6Addr;

use serde_json::{Map, Value};

use super::collector::Collector;
use super::content::{is_blank, longer};
use crate::payload::JsonRefusal;
use crate::schema::{Field, FieldKind, Format};
use crate::{ConnectionId, IntegrationId, call, code, delivery, limit, schedule, template};

pub(super) fn check_value<'a>(found: &mut Collector<'a>, field: &'a Field, value: &'a Value) {
    match (&field.kind, value) {
        (FieldKind::Condition, Value::Bool(_)) => {}
        (FieldKind::Condition, Value::String(text)) if !is_blank(text) => {
            found.condition(text);
        }
        (FieldKind::Json, Value::String(text)) if !is_blank(text) => {
            check_json_text(found, field, text);
        }
        (FieldKind::Json, value) if !value.is_string() => check_json(found, value, 0),
        (FieldKind::Map { min }, Value::Object(map)) => check_map(found, field, map, *min),
        (_, Value::String(text)) if is_blank(text) => {
            if field.required {
                found.say(format!("{} is missing.", field.title), "Fill it in.");
            }
        }
        (FieldKind::Code(_), Value::String(text)) => {
            if text.len() > code::CODE_BYTES {
                found.say(
                    format!(
                        "{} is longer than {} kB.",
                        field.title,
                        code::CODE_BYTES / 1_000
                    ),
                    "Do it in several steps.",
                );
            } else if text.contains('\0') {
                found.say(
                    format!("{} holds the character U+0000.", field.title),
                    "Write \\0 instead.",
                );
            }
        }
        (FieldKind::Connection, Value::String(text)) => {
            if text.trim().parse::<ConnectionId>().is_err() {
                say_expected(found, field);
            }
        }
        (FieldKind::Integration, Value::String(text)) => match text.trim().parse() {
            Err(_) => say_expected(found, field),
            Ok(called) => check_called(found, called),
        },
        (kind, Value::String(text)) => {
            let read = found.text(text);
            if read.count == 0 {
                check_literal(found, field, text);
            } else if !read.whole
                && matches!(
                    kind,
                    FieldKind::Number { .. } | FieldKind::List | FieldKind::Choice(_)
                )
            {
                found.say(
                    format!(
                        "{} needs one whole expression, without text or spaces beside it.",
                        field.title
                    ),
                    "Remove what stands before {{ and behind }}.",
                );
            }
        }
        (FieldKind::Number { integer, min, max }, Value::Number(number)) => {
            let number = number.as_f64().unwrap_or(f64::NAN);
            check_number(found, field, number, (*integer, *min, *max));
        }
        (FieldKind::List, Value::Array(items)) => {
            items.iter().for_each(|item| check_json(found, item, 0));
        }
        _ => say_expected(found, field),
    }
}

/// An integration that calls itself would do so for ever.
fn check_called(found: &mut Collector<'_>, called: IntegrationId) {
    if found.beyond.own == Some(called) {
        let message = call::Refusal::Itself.to_string();
        let (what, mend) = message.split_once(". ").unwrap_or((&message, ""));
        found.say(format!("{what}."), mend);
    }
}

/// Checks a text without expressions.
fn check_literal(found: &mut Collector<'_>, field: &Field, text: &str) {
    match &field.kind {
        FieldKind::Text { format, max, .. } => {
            if longer(text, *max) {
                found.say(
                    format!("{} is longer than {max} characters.", field.title),
                    "Shorten it.",
                );
            } else if let Some(format) = format {
                check_format(found, *format, text);
            }
        }
        FieldKind::Choice(options) if options.iter().any(|(value, _)| value == text) => {}
        FieldKind::Choice(options) => {
            let labels: Vec<&str> = options.iter().map(|(_, label)| label.as_str()).collect();
            found.say(
                format!("{} cannot be `{}`.", field.title, template::short(text)),
                format!("Choose one of: {}.", labels.join(", ")),
            );
        }
        _ => say_expected(found, field),
    }
}

fn say_expected(found: &mut Collector<'_>, field: &Field) {
    let (what, mend) = expected(&field.kind);
    found.say(format!("{} must be {what}.", field.title), mend);
}

/// Returns what a field holds and how to give it that.
fn expected(kind: &FieldKind) -> (&'static str, &'static str) {
    match kind {
        FieldKind::Number { .. } => ("a number", "Type a number, or one whole {{ expression }}."),
        FieldKind::List => ("a list", "Give one whole {{ expression }} that is a list."),
        FieldKind::Condition => (
            "a condition",
            "Write an expression, such as trigger.body.total > 100.",
        ),
        FieldKind::Map { .. } => ("names with values", "Give each value a name."),
        FieldKind::Choice(_) => ("one of the choices", "Choose one of the list."),
        FieldKind::Connection => ("a connection", "Choose one of the list."),
        FieldKind::Integration => ("an integration", "Choose one of the list."),
        FieldKind::Text { .. } | FieldKind::Json | FieldKind::Code(_) => ("a text", "Type a text."),
    }
}

fn check_map<'a>(
    found: &mut Collector<'a>,
    field: &'a Field,
    map: &'a Map<String, Value>,
    min: usize,
) {
    if map.len() < min {
        found.say(
            format!("{} needs at least one entry.", field.title),
            "Add an entry.",
        );
    }
    for (name, value) in map {
        found.place.entry = Some(name);
        if is_blank(name) {
            found.say(
                format!("{} has an entry without a name.", field.title),
                "Name it or remove it.",
            );
        }
        check_json(found, value, 0);
    }
    found.place.entry = None;
}

/// Checks JSON that is written as a text: with values in place of its expressions, it is JSON.
fn check_json_text<'a>(found: &mut Collector<'a>, field: &Field, text: &'a str) {
    found.text(text);
    match template::check_json_text(text) {
        Ok(()) => {}
        Err(JsonRefusal::Syntax(what)) => found.say(
            format!("{} is not JSON: {what}", field.title),
            "Look at its quotes, commas and brackets.",
        ),
        Err(_) => say_too_deep(found),
    }
}

fn say_too_deep(found: &mut Collector<'_>) {
    let message = format!(
        "The JSON is nested deeper than {} levels.",
        limit::JSON_DEPTH
    );
    found.say(message, "Make it flatter.");
}

/// Checks a JSON value whose texts may hold expressions.
fn check_json<'a>(found: &mut Collector<'a>, value: &'a Value, depth: usize) {
    match value {
        _ if depth > limit::JSON_DEPTH => say_too_deep(found),
        Value::String(text) => {
            found.text(text);
        }
        Value::Array(items) => items
            .iter()
            .for_each(|item| check_json(found, item, depth + 1)),
        Value::Object(map) => map
            .values()
            .for_each(|item| check_json(found, item, depth + 1)),
        _ => {}
    }
}

fn check_number(
    found: &mut Collector<'_>,
    field: &Field,
    number: f64,
    (integer, min, max): (bool, Option<f64>, Option<f64>),
) {
    let title = &field.title;
    if integer && number.fract() != 0.0 {
        found.say(
            format!("{title} must be a whole number."),
            "Remove the fraction.",
        );
    }
    if let Some(min) = min.filter(|min| number < *min) {
        found.say(
            format!("{title} is {number}, but must be at least {min}."),
            format!("Choose {min} or more."),
        );
    }
    if let Some(max) = max.filter(|max| number > *max) {
        found.say(
            format!("{title} is {number}, but must be at most {max}."),
            format!("Choose {max} or less."),
        );
    }
}

fn check_format(found: &mut Collector<'_>, format: Format, text: &str) {
    match format {
        Format::Uri if !is_http_uri(text) => found.say(
            format!("`{}` is not a web address.", template::short(text)),
            "Start it with https:// or http://, then a host, as in https://api.example.com/orders.",
        ),
        Format::Cron => {
            if let Err(message) = schedule::check_cron(text) {
                found.say(
                    message,
                    "Write five fields, such as 0 6 * * MON-FRI for 6:00 on weekdays.",
                );
            }
        }
        Format::TimeZone if !schedule::is_time_zone(text) => found.say(
            format!("`{}` is not a time zone.", template::short(text)),
            "Choose a name of the IANA list, such as Europe/Berlin or UTC.",
        ),
        Format::StatusSet if crate::payload::StatusSet::parse(text).is_none() => found.say(
            format!(
                "`{}` is not a list of HTTP statuses.",
                template::short(text)
            ),
            "Write numbers, ranges or classes with commas between them, such as 2xx, 404.",
        ),
        Format::HeaderName => {
            if let Err(message) = delivery::check_header(text) {
                found.say(message, "Write the name of one header, such as webhook-id.");
            }
        }
        Format::JsonPointer if !delivery::is_pointer(text.trim()) => found.say(
            format!("`{}` is not a JSON Pointer.", template::short(text)),
            "Write a slash before each name, such as /event/id.",
        ),
        _ => {}
    }
}

/// Returns whether a text is an absolute address with a host, as far as can be told without a
/// name look-up; the engine's HTTP client has the last word.
fn is_http_uri(text: &str) -> bool {
    let text = text.trim();
    let after = |scheme: &str| {
        let is_it = text
            .get(..scheme.len())
            .is_some_and(|s| s.eq_ignore_ascii_case(scheme));
        is_it.then(|| &text[scheme.len()..])
    };
    let Some(rest) = after("https://").or_else(|| after("http://")) else {
        return false;
    };
    let end = rest
        .bytes()
        .position(|byte| matches!(byte, b'/' | b'?' | b'#'));
    let authority = &rest[..end.unwrap_or(rest.len())];
    let host = &authority[authority
        .bytes()
        .rposition(|byte| byte == b'@')
        .map_or(0, |at| at + 1)..];
    let (is_host, port) = match host.strip_prefix('[') {
        Some(v6) => match v6.split_once(']') {
            Some((v6, port)) => (v6.parse::<Ipv6Addr>().is_ok(), port),
            None => (false, ""),
        },
        None => {
            let colon = host.bytes().position(|byte| byte == b':');
            let (name, port) = host.split_at(colon.unwrap_or(host.len()));
            let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
            let is_name = |name: &str| {
                name.chars().all(|c| {
                    if c.is_ascii() {
                        is_plain(c as u8)
                    } else {
                        c.is_alphanumeric()
                    }
                })
            };
            (
                !name.is_empty() && (name.bytes().all(is_plain) || is_name(name)),
                port,
            )
        }
    };
    let is_port = match port.strip_prefix(':') {
        Some(digits) => digits.bytes().all(|b| b.is_ascii_digit()) && digits.parse::<u16>().is_ok(),
        None => port.is_empty(),
    };
    let is_clean = text.bytes().all(|byte| matches!(byte, b'!'..=b'~'))
        || !text.chars().any(|c| c.is_whitespace() || c.is_control());
    is_host && is_port && is_clean
}
