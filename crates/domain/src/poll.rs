//! Polling: a trigger that asks an address for a list, and starts a run for each new item.
//!
//! What an item is called decides whether it is new; a cursor, where the service knows one, only
//! keeps answers short. Both outlive a publish, unless it changes what they say: [`Goes`]. An item
//! starts one run as long as it stays in the list, or is among the [`KEPT`] that came last.

use std::cmp::Ordering;
use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value, json};
use thiserror::Error;

use crate::delivery::bounded;
use crate::{ConnectionId, Document, Timestamp, limit};

/// The key of the trigger that polls.
pub const TRIGGER: &str = "poll";
/// Most items in one answer; a longer list is not looked at.
pub const ITEMS: usize = 10_000;
/// Most runs that one answer starts. What is left is found again by the next poll, which comes at
/// once, with the same cursor.
pub const STARTED: usize = 500;
/// Items that are known besides those that are still in the list.
pub const KEPT: i64 = 20_000;
/// Longest wait after failures, in minutes, unless polls are further apart.
const LONGEST_MINUTES: u32 = 60;
/// Minutes after which a poll at a set time that failed is tried again first.
const RETRY_MINUTES: u32 = 2;
/// How often a poll at a set time is tried again before the next one.
const RETRIES: u32 = 2;
/// So many failures in a row are more than a moment.
const FAILING_POLLS: u32 = 3;
/// Failures that last so long are more than a moment, in milliseconds: 15 minutes.
const FAILING_MS: i64 = 15 * 60 * 1_000;
/// Longest cursor, in bytes as JSON.
const CURSOR_BYTES: usize = 1_000;

/// What the trigger of a document polls.
#[derive(Clone, Debug, PartialEq)]
pub struct Poll {
    /// The fields of an HTTP request: where it goes, with which headers and connection.
    request: Map<String, Value>,
    /// When it polls.
    pub when: When,
    /// JSON Pointer to the list in the answer.
    items: String,
    /// JSON Pointer to what an item is called.
    id: String,
    /// Whether the first answer starts runs, or only says what is old.
    pub starts_with_all: bool,
    cursor: Option<Cursor>,
}

/// When a trigger polls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// So many minutes after the last time.
    Every(u32),
    /// At set times, as a schedule has them: see [`crate::schedule`].
    At {
        /// Its five fields.
        cron: String,
        /// The time zone in which they are read.
        time_zone: String,
    },
}

impl When {
    /// Says it within a sentence: `every 5 minutes`.
    pub fn says(&self) -> String {
        match self {
            When::Every(1) => "every minute".to_owned(),
            When::Every(minutes) => format!("every {minutes} minutes"),
            When::At { cron, time_zone } => format!("at {cron} in {time_zone}"),
        }
    }
}

/// How a service is asked for what is newer than a value.
#[derive(Clone, Debug, PartialEq)]
struct Cursor {
    /// The query parameter that takes it.
    parameter: String,
    /// JSON Pointer to it in an item.
    place: String,
    /// What is sent before any item was seen.
    first: Option<String>,
}

/// An item of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Its place in the list, from 1.
    pub place: usize,
    /// What it is called, 255 bytes at most.
    pub id: String,
    /// All of it.
    pub value: Value,
}

/// What an answer holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Its items in the order of the list, each id once.
    pub items: Vec<Item>,
    /// Where the next poll goes on: the greatest cursor of this answer, or the one that was sent,
    /// where that is greater.
    pub cursor: Option<Value>,
}

/// How the polling of an integration goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Polling {
    /// When it is polled next; `None` while the integration is disabled.
    pub next_at: Option<Timestamp>,
    /// When an answer was taken the last time.
    pub last_at: Option<Timestamp>,
    /// How many items the last answer held.
    pub items: u32,
    /// How many runs were started since it began, or was begun anew.
    pub started: u64,
    /// What went wrong with the last poll; `None` when nothing did.
    pub error: Option<String>,
    /// How many polls failed, one after the other.
    pub failures: u32,
    /// What is sent as the cursor; `None` for nothing, and when the reader may not see payloads.
    pub cursor: Option<Value>,
}

/// How polling goes on when another version of a trigger that polls is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goes {
    /// Where it is.
    On,
    /// Without the cursor, which is of another kind now. What is known stays known.
    WithoutCursor,
    /// Anew, as the trigger says: what an item is called is something else now, so none of the list
    /// could be known. `with_cursor` when the cursor still is one.
    Anew {
        /// Whether it goes on at the cursor.
        with_cursor: bool,
    },
}

/// Where polling begins anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Restart {
    /// What the next answer holds is old; later items start runs.
    Now,
    /// All that the next answer holds starts runs, also what has started one before.
    All,
    /// The next poll sends this cursor, and all that it is answered starts runs.
    From(String),
}

/// Why an answer is not taken. Nothing of it is then. Says nothing of what is in it but places in
/// the list: those who may not see payloads read it, too.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// It is a text.
    #[error("The answer is not JSON. Check the URL, or ask for JSON with an Accept header.")]
    NoJson,
    /// The pointer leads to no list.
    #[error("The answer has no list at `{0}`. Check the place of the list.")]
    NoList(String),
    /// The answer itself is no list.
    #[error("The answer is no list. Say at which place in it the list is.")]
    NotAList,
    /// More than [`ITEMS`].
    #[error(
        "The list has {0} items, but {ITEMS} are looked at. Ask for fewer, for example with a cursor."
    )]
    TooMany(usize),
    /// An item without an id: whether it is new cannot be told.
    #[error("Item {0} of the list has no id at `{1}`. Check the place of the id.")]
    NoId(usize, String),
    /// An item that is too large for a run.
    #[error("Item {0} of the list is larger than {max} MiB, or nested too deep.", max = limit::PAYLOAD_BYTES / 1024 / 1024)]
    TooLarge(usize),
    /// A cursor that cannot be one.
    #[error("The cursor of item {0} of the list is no number and no short text.")]
    NoCursor(usize),
    /// Somebody else's trigger is meant.
    #[error("This integration does not poll: its live version has another trigger.")]
    OtherTrigger,
    /// A cursor was given where none is sent, or none where one is needed.
    #[error("Give a cursor, of {CURSOR_BYTES} bytes at most, for a trigger that sends one.")]
    CursorNotTaken,
}

impl Poll {
    /// Returns what the trigger of a document polls; `None` when another one starts it.
    pub fn of(document: &Document) -> Option<Self> {
        let trigger = &document.trigger;
        if trigger.kind != TRIGGER {
            return None;
        }
        let text = |field| {
            let text = trigger.config.get(field).and_then(Value::as_str);
            text.unwrap_or_default().trim().to_owned()
        };
        let request = ["url", "connection", "headers"].into_iter();
        let request = request.filter_map(|name| {
            let value = trigger.config.get(name)?;
            Some((name.to_owned(), value.clone()))
        });
        let cursor = (text("asks") == "newer").then(|| Cursor {
            parameter: text("cursor_parameter"),
            place: text("cursor"),
            first: Some(text("cursor_first")).filter(|first| !first.is_empty()),
        });
        let when = match text("when").as_str() {
            "cron" => When::At {
                cron: text("cron"),
                time_zone: text("time_zone"),
            },
            _ => {
                let every = trigger.config.get("every_minutes").and_then(Value::as_u64);
                When::Every(u32::try_from(every.unwrap_or(5).max(1)).unwrap_or(u32::MAX))
            }
        };
        Some(Self {
            request: request.collect(),
            when,
            items: text("items"),
            id: text("id"),
            starts_with_all: text("start") == "all",
            cursor,
        })
    }

    /// Returns the fields of the request, as an HTTP request step has them, with a cursor.
    pub fn request(&self, cursor: Option<&Value>) -> Map<String, Value> {
        let mut request = self.request.clone();
        if let Some(of) = &self.cursor {
            let first = || of.first.clone().map(Value::from);
            if let Some(value) = cursor.cloned().or_else(first) {
                request.insert("query".to_owned(), json!({ of.parameter.as_str(): value }));
            }
        }
        request
    }

    /// Returns the address that is asked.
    pub fn url(&self) -> &str {
        let url = self.request.get("url").and_then(Value::as_str);
        url.unwrap_or_default()
    }

    /// Returns whether a cursor is sent.
    pub fn has_cursor(&self) -> bool {
        self.cursor.is_some()
    }

    /// Returns how polling goes on with this when it was `before`.
    pub fn after(&self, before: &Poll) -> Goes {
        let is_same_cursor = self.cursor_key() == before.cursor_key();
        match (self.list_key() == before.list_key(), is_same_cursor) {
            (true, true) => Goes::On,
            (true, false) => Goes::WithoutCursor,
            (false, with_cursor) => Goes::Anew { with_cursor },
        }
    }

    /// Returns a key of the list and of what an item is called in it, 255 bytes at most. Under
    /// another one, ids that are known say nothing.
    pub fn list_key(&self) -> String {
        bounded(json!([self.url().trim(), self.items, self.id]).to_string())
    }

    /// Returns a key of what the cursor is, 255 bytes at most. Under another one, a cursor says
    /// nothing.
    pub fn cursor_key(&self) -> String {
        let cursor = self.cursor.as_ref();
        let cursor = cursor.map(|cursor| [cursor.parameter.as_str(), cursor.place.as_str()]);
        bounded(json!([self.url().trim(), self.items, cursor]).to_string())
    }

    /// Returns the connection that the request is sent with.
    pub fn connection(&self) -> Option<ConnectionId> {
        let connection = self.request.get("connection").and_then(Value::as_str)?;
        connection.trim().parse().ok()
    }

    /// Reads the body of an answer to a request that was sent with a cursor.
    ///
    /// # Errors
    /// When it holds no list, too long a one, or an item of which it cannot be told whether it is
    /// new.
    pub fn read(&self, body: &Value, cursor: Option<&Value>) -> Result<Found, Refusal> {
        if body.is_string() {
            return Err(Refusal::NoJson);
        }
        let list = body.pointer(&self.items).and_then(Value::as_array);
        let list = list.ok_or_else(|| match self.items.as_str() {
            "" => Refusal::NotAList,
            place => Refusal::NoList(place.to_owned()),
        })?;
        if list.len() > ITEMS {
            return Err(Refusal::TooMany(list.len()));
        }
        let mut items = Vec::with_capacity(list.len());
        let mut greatest: Option<&Value> = None;
        let mut seen = HashSet::new();
        for (place, value) in (1..).zip(list) {
            let id = id_of(value, &self.id);
            let id = id.ok_or_else(|| Refusal::NoId(place, self.id.clone()))?;
            if let Some(of) = &self.cursor {
                let new = cursor_of(value, &of.place, place)?;
                greatest = greatest
                    .into_iter()
                    .chain(new)
                    .max_by(|one, other| order(one, other));
            }
            if seen.insert(id.clone()) {
                let value = value.clone();
                items.push(Item { place, id, value });
            }
        }
        let new = greatest.filter(|new| cursor.is_none_or(|before| replaces(new, before)));
        Ok(Found {
            items,
            cursor: new.or(cursor).cloned(),
        })
    }

    /// Returns the minutes until the next poll when one failed after so many failures in a row:
    /// longer with each, up to an hour. At set times, it is at least so long after the failure.
    pub fn pause_minutes(&self, failures: u32) -> u32 {
        let first = match self.when {
            When::Every(minutes) => minutes,
            When::At { .. } => RETRY_MINUTES,
        };
        let longer = first.saturating_mul(1 << failures.min(10));
        longer.min(LONGEST_MINUTES.max(first))
    }

    /// Returns whether a poll that failed after so many failures in a row is tried again before its
    /// next set time. A service that is down for long is asked at the set times only.
    pub fn retries_between(&self, failures: u32) -> bool {
        matches!(self.when, When::At { .. }) && failures < RETRIES
    }

    /// Returns the cursor that polling begins anew with.
    ///
    /// # Errors
    /// When a cursor is given, but is none, or none is sent.
    pub fn restarted(&self, restart: &Restart) -> Result<Option<Value>, Refusal> {
        match restart {
            Restart::Now | Restart::All => Ok(None),
            Restart::From(text) => {
                let text = text.trim();
                let fits = !text.is_empty() && text.len() <= CURSOR_BYTES && !text.contains('\0');
                if !fits || self.cursor.is_none() {
                    return Err(Refusal::CursorNotTaken);
                }
                Ok(Some(Value::from(text)))
            }
        }
    }

    /// Says how items are told apart and asked for, for the page of an integration.
    pub fn says(&self) -> String {
        let cursor = self.cursor.as_ref().map_or_else(String::new, |cursor| {
            let (parameter, place) = (&cursor.parameter, &cursor.place);
            format!(" The greatest {place} is sent as {parameter}.")
        });
        format!("Items are told apart by {}.{cursor}", self.id)
    }
}

/// Returns whether polls that fail are more than a moment that the next one gets over, so that
/// whoever should know is told, see [`crate::alert`]: three failed in a row, or they will have
/// failed for 15 minutes when the next one is due. So one that is polled once a day tells at once.
///
/// `failures` are those in a row with this one, `first` is when the first of them was, `next` when
/// the next poll is due.
pub fn is_failing(failures: u32, first: Timestamp, next: Timestamp) -> bool {
    failures >= FAILING_POLLS || next.0.saturating_sub(first.0) >= FAILING_MS
}

/// Returns what an item gives to the steps, as `trigger`.
pub fn payload(item: &Item, polled_at: &str) -> Value {
    json!({ "item": item.value, "id": item.id, "polled_at": polled_at })
}

fn id_of(item: &Value, place: &str) -> Option<String> {
    let id = match item.pointer(place)? {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    Some(bounded(id)).filter(|id| !id.is_empty())
}

/// Returns the cursor of an item; `None` when it has none, which changes nothing.
fn cursor_of<'a>(
    item: &'a Value,
    pointer: &str,
    place: usize,
) -> Result<Option<&'a Value>, Refusal> {
    let cursor = match item.pointer(pointer) {
        None | Some(Value::Null) => return Ok(None),
        Some(cursor @ (Value::Number(_) | Value::String(_))) => cursor,
        Some(_) => return Err(Refusal::NoCursor(place)),
    };
    let is_long = cursor.to_string().len() > CURSOR_BYTES;
    if is_long || cursor.as_str().is_some_and(|text| text.contains('\0')) {
        return Err(Refusal::NoCursor(place));
    }
    Ok(Some(cursor))
}

/// Returns the order of two cursors of one answer: numbers by value, texts as they sort, a number
/// before a text.
fn order(one: &Value, other: &Value) -> Ordering {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => by_value(one, other),
        (Value::String(one), Value::String(other)) => one.cmp(other),
        (Value::Number(_), _) => Ordering::Less,
        _ => Ordering::Greater,
    }
}

/// Returns whether the greatest cursor of an answer is to replace the one that was sent.
///
/// A text that says a number is compared with a number by its value: somebody typed it, to begin
/// there. Of other texts and numbers neither is the greater, so what the service says now holds;
/// else a cursor of another kind would stay for ever.
fn replaces(new: &Value, before: &Value) -> bool {
    let said = |text: &str| text.parse::<Number>().ok();
    let order = match (before, new) {
        (Value::String(text), Value::Number(new)) => said(text).map(|text| by_value(&text, new)),
        (Value::Number(before), Value::String(text)) => {
            said(text).map(|text| by_value(before, &text))
        }
        _ => Some(order(before, new)),
    };
    order.is_none_or(Ordering::is_lt)
}

/// Returns the order of two numbers, exact where both are whole.
fn by_value(one: &Number, other: &Number) -> Ordering {
    let exact = one.as_i128().zip(other.as_i128());
    let exact = exact.map(|(one, other)| one.cmp(&other));
    let rounded = || one.as_f64().partial_cmp(&other.as_f64());
    // JSON has no number that is none, so there always is an order.
    exact.or_else(rounded).unwrap_or(Ordering::Equal)
}

#[cfg(test)]
mod tests;
