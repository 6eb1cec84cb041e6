//! What a component can ask for, and what it may use.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use domain::code::{Console, Level};
use domain::connector::Asked;
use domain::connector::component::MEMORY;
use engine::port::{Answered, Job};
use serde_json::Value;
use wasmtime::component::{Linker, Val};
use wasmtime::{Error, ResourceLimiter, Result};

/// The one interface that a component may import.
pub(super) const HOST: &str = "sluice:connector/host@1.0.0";
/// Most memories, tables, and instances of modules in one component.
const PARTS: usize = 16;
/// Most entries of all tables.
const TABLE_ENTRIES: usize = 100_000;

/// Why a component was stopped, when it was not by itself.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Stop {
    /// It asks for a request that has no answer yet.
    Asks(Asked),
    /// It asked for another request than the one that was answered, in this place.
    Differs(usize),
    /// It has more memory than it may.
    Memory,
    /// It has larger tables than it may.
    Tables,
    /// Its time is over, or nobody waits for it.
    Over,
    /// A signature was not given: a sentence.
    Unsigned(String),
}

/// One run of a component.
pub(super) struct State {
    job: Job,
    over: Arc<AtomicBool>,
    /// How many requests it has asked for.
    asked: usize,
    pub(super) has_signed: bool,
    pub(super) stop: Option<Stop>,
    pub(super) console: Console,
    memory: usize,
    tables: usize,
}

impl State {
    pub(super) fn new(job: Job, over: Arc<AtomicBool>) -> Self {
        Self {
            job,
            over,
            asked: 0,
            has_signed: false,
            stop: None,
            console: Console::default(),
            memory: 0,
            tables: 0,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Notes why the component is stopped; the first reason counts.
    pub(super) fn stop(&mut self, stop: Stop) -> Error {
        self.stop.get_or_insert(stop);
        Error::msg("stopped")
    }

    fn send(&mut self, asked: Asked) -> Result<Val> {
        let place = self.asked;
        self.asked += 1;
        let Some(answered) = self.job.answered.get(place) else {
            return Err(self.stop(Stop::Asks(asked)));
        };
        if answered.digest != asked.digest() {
            return Err(self.stop(Stop::Differs(place + 1)));
        }
        Ok(response(answered))
    }

    fn sign(&mut self, prefix: &str, chain: &[Vec<u8>]) -> Result<Val> {
        self.has_signed = true;
        let Some(key) = &self.job.key else {
            let message = "The component wants a signature, but the step has no connection of the kind “Key that signs requests”. Choose one.";
            return Err(self.stop(Stop::Unsigned(message.to_owned())));
        };
        match key.sign(prefix, chain) {
            Ok(mac) => Ok(Val::Record(vec![
                ("by".to_owned(), Val::String(key.id().to_owned())),
                (
                    "mac".to_owned(),
                    Val::List(mac.into_iter().map(Val::U8).collect()),
                ),
            ])),
            Err(message) => Err(self.stop(Stop::Unsigned(message))),
        }
    }

    /// Returns what time it is for the component: it stands still until an answer comes.
    fn now(&self) -> u64 {
        let next = self.job.answered.get(self.asked);
        let at = next.map_or(self.job.now, |next| next.at);
        u64::try_from(at.0).unwrap_or(0)
    }
}

impl ResourceLimiter for State {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        let more = desired.saturating_sub(current);
        if self.memory.saturating_add(more) > MEMORY {
            return Err(self.stop(Stop::Memory));
        }
        self.memory += more;
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        let more = desired.saturating_sub(current);
        if self.tables.saturating_add(more) > TABLE_ENTRIES {
            return Err(self.stop(Stop::Tables));
        }
        self.tables += more;
        Ok(true)
    }

    fn instances(&self) -> usize {
        PARTS
    }

    fn tables(&self) -> usize {
        PARTS
    }

    fn memories(&self) -> usize {
        PARTS
    }
}

/// Gives a component what it may import. Values come and go by their names: the typed way would
/// write code into this crate that it does not allow.
pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    let mut host = linker.instance(HOST)?;
    host.func_new("send", |mut store, _, given, gives| {
        let [request] = given else {
            return Err(strange());
        };
        let asked = request_of(request).ok_or_else(strange)?;
        give(gives, store.data_mut().send(asked)?)
    })?;
    host.func_new("sign", |mut store, _, given, gives| {
        let [Val::String(prefix), Val::List(chain)] = given else {
            return Err(strange());
        };
        let chain: Option<Vec<Vec<u8>>> = chain.iter().map(bytes).collect();
        let chain = chain.ok_or_else(strange)?;
        give(gives, store.data_mut().sign(prefix, &chain)?)
    })?;
    host.func_new("now", |store, _, _, gives| {
        give(gives, Val::U64(store.data().now()))
    })?;
    host.func_new("log", |mut store, _, given, _| {
        let [Val::Enum(level), Val::String(message)] = given else {
            return Err(strange());
        };
        let level = match level.as_str() {
            "debug" => Level::Debug,
            "warning" => Level::Warning,
            "error" => Level::Error,
            _ => Level::Info,
        };
        let console = &mut store.data_mut().console;
        // Only what is kept is copied.
        let end = message.floor_char_boundary(console.room().saturating_add(4));
        console.write(level, message[..end].to_owned());
        Ok(())
    })
}

fn give(gives: &mut [Val], value: Val) -> Result<()> {
    let [place] = gives else {
        return Err(strange());
    };
    *place = value;
    Ok(())
}

/// What is said of values that the types of a component cannot be.
fn strange() -> Error {
    Error::msg("values of other types than the interface has")
}

fn request_of(value: &Val) -> Option<Asked> {
    let Val::Record(fields) = value else {
        return None;
    };
    let [
        (_, Val::String(method)),
        (_, Val::String(url)),
        (_, Val::List(headers)),
        (_, Val::Option(body)),
        (_, Val::Bool(repeats)),
    ] = fields.as_slice()
    else {
        return None;
    };
    let headers = headers.iter().map(|header| match header {
        Val::Tuple(pair) => match pair.as_slice() {
            [Val::String(name), Val::String(value)] => Some((name.clone(), value.clone())),
            _ => None,
        },
        _ => None,
    });
    let body = match body {
        None => None,
        Some(body) => match body.as_ref() {
            Val::String(body) => Some(body.clone()),
            _ => return None,
        },
    };
    Some(Asked {
        method: method.clone(),
        url: url.clone(),
        headers: headers.collect::<Option<_>>()?,
        body,
        repeats: *repeats,
    })
}

fn bytes(value: &Val) -> Option<Vec<u8>> {
    let Val::List(items) = value else {
        return None;
    };
    let byte = |item: &Val| match item {
        Val::U8(byte) => Some(*byte),
        _ => None,
    };
    items.iter().map(byte).collect()
}

fn response(answered: &Answered) -> Val {
    let answer = &answered.answer;
    let status = answer.get("status").and_then(Value::as_u64);
    let headers = answer.get("headers").and_then(Value::as_object);
    let headers = headers.into_iter().flatten().map(|(name, value)| {
        let value = value.as_str().unwrap_or_default().to_owned();
        Val::Tuple(vec![Val::String(name.clone()), Val::String(value)])
    });
    let body = match answer.get("body") {
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => String::new(),
        Some(json) => json.to_string(),
    };
    let status = status.and_then(|status| u16::try_from(status).ok());
    Val::Record(vec![
        ("status".to_owned(), Val::U16(status.unwrap_or(0))),
        ("headers".to_owned(), Val::List(headers.collect())),
        ("body".to_owned(), Val::String(body)),
    ])
}
