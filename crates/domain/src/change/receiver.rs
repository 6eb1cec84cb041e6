//! Whom a step sends something to.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::note::say;
use crate::call;
use crate::catalog::{EMAIL, Effect, QUERY};
use crate::connection::of_step;
use crate::connector::{Component, Declared, Place};
use crate::document::Step;
use crate::schema::Field;
use crate::template;
use crate::{ConnectionId, IntegrationId};

/// Whoever gets something from an integration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Receiver {
    /// A host that is written out, in lower case, with its port if it has one of its own.
    Host(String),
    /// An address whose host an expression makes: its text, up to the path.
    Made(String),
    /// Whoever called the webhook.
    Caller,
    /// Another integration, which is called.
    Integration(IntegrationId),
    /// Whoever gets an e-mail, openly or not: addresses in order, in lower case, each once; one that
    /// an expression makes is its text.
    Mail(Vec<String>),
    /// The database of a connection.
    Database(ConnectionId),
    /// Whatever a component may call: it chooses by itself.
    Component {
        /// The hosts that its connector names, as in [`Receiver::Host`]: in order, each once.
        hosts: Vec<String>,
        /// The connection whose origins it may call as well.
        connection: Option<ConnectionId>,
    },
}

impl Receiver {
    /// Returns the receiver of a request to an address; `None` when the address is none.
    pub fn of(address: &str) -> Option<Self> {
        let address = address.trim();
        let begins = |scheme: &str| {
            address
                .get(..scheme.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        };
        let (start, port) = match (begins("https://"), begins("http://")) {
            (true, _) => ("https://".len(), ":443"),
            (_, true) => ("http://".len(), ":80"),
            _ => (0, ""),
        };
        let end = start + end_of_host(&address[start..]);
        let host = &address[start..end];
        if host.contains("{{") {
            return Some(Self::Made(address[..end].to_owned()));
        }
        // What stands before an `@` is a name and a password.
        let host = host.rsplit('@').next().unwrap_or_default().to_lowercase();
        let host = host.strip_suffix(port).unwrap_or(&host);
        (start > 0 && !host.is_empty()).then(|| Self::Host(host.to_owned()))
    }

    /// Returns the receiver of what a step sends; `None` when it sends nothing, or to nobody yet.
    pub(super) fn of_step(step: &Step, effect: Effect) -> Option<Self> {
        let receiver = match (step.kind.as_str(), effect) {
            ("respond", _) => Self::Caller,
            (call::STEP, _) => Self::Integration(call::of_step(step)?),
            (EMAIL, _) => mail(step)?,
            (QUERY, _) => Self::Database(of_step(step)?),
            (_, Effect::Pure) => return None,
            _ => match step.declared() {
                Some(declared) => match declared.component() {
                    Some(component) => reached(component, step)?,
                    None => Self::of(&address(declared, step))?,
                },
                None => Self::of(step.config.get("url")?.as_str()?)?,
            },
        };
        Some(receiver)
    }

    /// Returns those of it that can be called by another step as well. An e-mail is one letter.
    pub(super) fn parts(&self) -> Vec<Self> {
        let Self::Component { hosts, connection } = self else {
            return vec![self.clone()];
        };
        let hosts = hosts.iter().map(|host| Self::Host(host.clone()));
        hosts.chain(connection.map(Self::origins)).collect()
    }

    /// Returns as much of it as consists of such [`parts`](Self::parts); `None` when that is nothing.
    pub(super) fn only(&self, mut is_such: impl FnMut(&Self) -> bool) -> Option<Self> {
        let Self::Component { hosts, connection } = self else {
            return is_such(self).then(|| self.clone());
        };
        let (hosts, connection) = (hosts.iter(), *connection);
        let hosts = hosts.filter(|host| is_such(&Self::Host((*host).clone())));
        let hosts: Vec<String> = hosts.cloned().collect();
        let connection = connection.filter(|connection| is_such(&Self::origins(*connection)));
        let is_some = !hosts.is_empty() || connection.is_some();
        is_some.then_some(Self::Component { hosts, connection })
    }

    /// Returns whether it is more than one.
    pub(super) fn is_several(&self) -> bool {
        matches!(self, Self::Component { hosts, connection } if connection.is_some() || hosts.len() > 1)
    }

    /// The origins of a connection, which a component may call.
    pub(super) fn origins(connection: ConnectionId) -> Self {
        Self::Component {
            hosts: Vec::new(),
            connection: Some(connection),
        }
    }
}

/// Returns whom a component may call for a step; `None` when that is nobody.
fn reached(component: &Component, step: &Step) -> Option<Receiver> {
    let host = |origin: &String| match Receiver::of(origin) {
        Some(Receiver::Host(host)) => host,
        _ => origin.clone(),
    };
    let hosts: BTreeSet<String> = component.hosts.iter().map(host).collect();
    let reached = Receiver::Component {
        hosts: hosts.into_iter().collect(),
        connection: of_step(step),
    };
    reached.only(|_| true)
}

/// Returns whom a step sends an e-mail to; `None` when it says nobody.
fn mail(step: &Step) -> Option<Receiver> {
    let mut addresses = BTreeSet::new();
    for field in ["to", "cc", "bcc"] {
        let text = step.config.get(field).and_then(Value::as_str);
        addresses.extend(addresses_of(text.unwrap_or_default()));
    }
    let addresses: Vec<String> = addresses.into_iter().collect();
    (!addresses.is_empty()).then_some(Receiver::Mail(addresses))
}

/// Returns the addresses of a text. A comma within an expression is none between two of them.
fn addresses_of(text: &str) -> Vec<String> {
    let mut addresses = vec![String::new()];
    let mut is_inside = false;
    for (at, sign) in text.char_indices() {
        is_inside = match &text[at..] {
            rest if rest.starts_with("{{") => true,
            rest if rest.starts_with("}}") => false,
            _ => is_inside,
        };
        match addresses.last_mut() {
            Some(address) if sign != ',' || is_inside => address.push(sign),
            _ => addresses.push(String::new()),
        }
    }
    let addresses = addresses.iter().map(|address| address.trim());
    let addresses = addresses.filter(|address| !address.is_empty());
    let known = addresses.map(|address| match template::has_expressions(address) {
        true => address.to_owned(),
        false => address.to_lowercase(),
    });
    known.collect()
}

/// Returns where the host ends: before the first sign that cannot be in it, outside expressions.
fn end_of_host(text: &str) -> usize {
    let mut at = 0;
    while let Some(found) = text[at..].find(['/', '?', '#', '\\', '{']) {
        let rest = &text[at + found..];
        match (rest.strip_prefix("{{"), rest.starts_with('{')) {
            (Some(inside), _) => match inside.find("}}") {
                Some(close) => at += found + 2 + close + 2,
                None => return text.len(),
            },
            (None, true) => at += found + 1,
            (None, false) => return at + found,
        }
    }
    text.len()
}

impl fmt::Display for Receiver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Receiver::Host(host) => formatter.write_str(&marked(host)),
            Receiver::Made(text) => write!(
                formatter,
                "an address made from `{}`",
                template::short(text)
            ),
            Receiver::Caller => formatter.write_str("the caller of the webhook"),
            Receiver::Integration(_) => formatter.write_str("another integration"),
            Receiver::Mail(addresses) => {
                let shown: Vec<String> = addresses.iter().map(|text| shown(text)).collect();
                formatter.write_str(&say::joined(&shown, "addresses"))
            }
            Receiver::Database(_) => formatter.write_str("a database"),
            Receiver::Component { hosts, connection } => {
                let origins = connection.map(|_| "the origins of its connection".to_owned());
                let shown: Vec<String> = hosts.iter().map(|host| marked(host)).collect();
                let shown: Vec<String> = shown.into_iter().chain(origins).collect();
                formatter.write_str(&say::joined(&shown, "hosts"))
            }
        }
    }
}

/// Returns how an address of an e-mail is named.
fn shown(address: &str) -> String {
    let short = template::short(address);
    match template::has_expressions(address) {
        true => format!("an address made from `{short}`"),
        false => marked(&short),
    }
}

/// Returns a name of the net, and says so when it has letters that look like others, which may be
/// there on purpose.
fn marked(name: &str) -> String {
    match name.is_ascii() {
        true => name.to_owned(),
        false => format!("{name} (with letters beyond a to z)"),
    }
}

/// Returns where a connector's action is sent, as far as the fields say it: an expression in the
/// host stays one.
fn address(declared: &Declared, step: &Step) -> String {
    // As the request is built: of several fields for one place the last that applies counts.
    let mut parts = BTreeMap::new();
    for field in &declared.operation().input.fields {
        let place = declared.operation().place(&field.name, declared.base());
        let given = step
            .config
            .get(&field.name)
            .filter(|value| !value.is_null());
        let given = given.or(field.default.as_ref().filter(|_| field.required));
        let given = given
            .and_then(Value::as_str)
            .filter(|_| may_apply(field, step));
        if let (Place::Host { name }, Some(given)) = (place, given) {
            parts.insert(name, given);
        }
    }
    let mut address = declared.base().to_owned();
    for (name, given) in parts {
        address = address.replace(&format!("{{{name}}}"), given);
    }
    address
}

/// Returns whether a field applies, or only a run decides that.
fn may_apply(field: &Field, step: &Step) -> bool {
    let chosen = field.show_when.as_ref();
    let chosen = chosen.and_then(|(other, _)| step.config.get(other)?.as_str());
    field.applies(&step.config) || chosen.is_some_and(template::has_expressions)
}
