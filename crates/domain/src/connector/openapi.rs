//! Makes a connector of an OpenAPI description of a service: version 2.0, 3.0, 3.1 or 3.2.
//!
//! Descriptions in the wild break the rules of their format in every way. So nothing is expected
//! of one: what is there is read, what is not is assumed, and what cannot be had is told in the
//! [`Report`] of that operation, while all the others are imported. No address in a description
//! is ever fetched.

mod action;
mod body;
mod describe;
mod field;
mod fold;
mod hint;
mod kind;
mod members;
mod parameter;
mod reference;
mod report;
mod security;
mod server;
mod shape;
mod swagger;
#[cfg(test)]
mod tests;
#[cfg(feature = "yaml")]
mod text;
mod words;

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{
    ACTION_KEY, ACTIONS, Auth, CONNECTOR_BYTES, Connector, DECLARED_BYTES, Declared, FORM, Fault,
    KEY, Method,
};
use crate::connection::{self, Form, Kind, Secrets};
use crate::limit;
use action::{Context, Source};
use reference::Resolver;
pub use report::{Refusal, Remark, Report};
use security::Security;
use server::Base;
#[cfg(feature = "yaml")]
pub use text::{Unreadable, read};

/// Largest description as text, in bytes.
pub const DESCRIPTION_BYTES: usize = 32 * 1024 * 1024;

/// Most ways to prove who sends that are listed.
const WAYS: usize = 10;
/// What a step carries beside the operation itself, in bytes, at most: title, base, kinds.
const BESIDE: usize = 2_500;
/// Keys of a path item that are methods.
const METHODS: [&str; 8] = [
    "get", "post", "put", "patch", "delete", "head", "options", "trace",
];

/// Makes a connector of a description. `source` is the address that it came from, if it came from
/// one: a server may be named relative to it.
///
/// What comes back passes [`Connector::check`], whatever the document says.
///
/// # Errors
/// Why nothing can be imported.
pub fn import(document: &Value, source: Option<&str>) -> Result<(Connector, Report), Refusal> {
    let version = version(document)?;
    let upgraded = version
        .starts_with('2')
        .then(|| swagger::upgraded(document));
    let document = upgraded.as_ref().unwrap_or(document);
    let resolver = Resolver::new(document);
    let mut report = Report {
        version,
        ..Report::default()
    };
    let found = operations(document, resolver, source, &mut report);
    report.operations = found.len() + report.left_out.len();
    if report.operations == 0 {
        return Err(Refusal::NoOperations);
    }
    let bases: Vec<Base> = found
        .iter()
        .filter_map(|found| found.base.clone())
        .collect();
    let base = shared_base(&bases);
    for note in &base.notes {
        report.note("", "", note.as_str());
    }
    let mut connector = head(document, &base);
    let security = Security::of(document, resolver);
    let share = CONNECTOR_BYTES / 10 * 9 / found.len().clamp(1, ACTIONS);
    let context = Context {
        resolver,
        security: &security,
        bytes: (DECLARED_BYTES - BESIDE).min(share),
    };
    let mut auth: Vec<Auth> = Vec::new();
    let mut keys = BTreeSet::new();
    for found in &found {
        let (method, path) = (found.method.as_str(), found.path);
        if connector.actions.len() >= ACTIONS {
            let why = format!("A connector has at most {ACTIONS} actions. Split the description.");
            report.leave_out(method, path, why);
            continue;
        }
        match make(&context, &connector, found, &base) {
            Err(why) => report.leave_out(method, path, why),
            Ok(made) => {
                if !keys.insert(made.operation.key.clone()) {
                    report.leave_out(
                        method,
                        path,
                        "Another operation has the same method and path.",
                    );
                    continue;
                }
                for note in made.notes {
                    report.note(method, path, note);
                }
                security::add(&mut auth, &made.asked.auth);
                connector.actions.push(made.operation);
            }
        }
    }
    if connector.actions.is_empty() {
        let first = report.left_out.first().map(ToString::to_string);
        return Err(Refusal::NothingLeft(first.unwrap_or_default()));
    }
    connector.auth = usable(auth, &base, &mut report);
    let webhooks = document
        .get("webhooks")
        .and_then(Value::as_object)
        .map_or(0, Map::len);
    if webhooks > 0 {
        report.note("", "", format!("It describes {webhooks} webhooks, which the service sends. Start an integration with the trigger “Webhook” for them."));
    }
    report.imported = connector.actions.len();
    Ok((connector, report))
}

/// Makes an action, and makes sure that a step can carry it.
fn make(
    context: &Context<'_>,
    connector: &Connector,
    found: &Found<'_>,
    base: &Base,
) -> Result<action::Made, String> {
    let method = Method::from_word(&found.method)
        .ok_or_else(|| format!("Sluice sends no {}.", found.method))?;
    let own = found
        .base
        .as_ref()
        .ok_or("The server that it names is none.")?;
    let ((host, path), (own_host, own_path)) = (base.split(), own.split());
    let is_elsewhere = own_host != host;
    let source = Source {
        method,
        path: found.path,
        base: if is_elsewhere {
            &own.address
        } else {
            &base.address
        },
        is_elsewhere,
        holes: if is_elsewhere {
            &own.holes
        } else {
            &base.holes
        },
        prefix: match own_path.strip_prefix(path) {
            _ if is_elsewhere => "",
            Some(prefix) => prefix,
            None => own_path,
        },
        item: found.item,
        operation: found.operation,
    };
    let mut made = action::of(context, source)?;
    if is_elsewhere {
        made.notes.push(format!(
            "It is sent to {}. A connection for it needs this origin, too.",
            words::plain(own_host, 100)
        ));
    }
    let check = Declared::of(connector, &made.operation).check();
    check.map_err(|faults| {
        let first = faults.first().map(Fault::to_string);
        first.unwrap_or_default()
    })?;
    Ok(made)
}

/// Returns the version that the document says it has.
fn version(document: &Value) -> Result<String, Refusal> {
    let said = document.get("openapi").or_else(|| document.get("swagger"));
    let said = match said.ok_or(Refusal::NotOne)? {
        Value::String(said) => words::plain(said, 20),
        // Without quotes it is a number.
        Value::Number(said) => said.to_string(),
        _ => return Err(Refusal::NotOne),
    };
    let is_read = match document.get("openapi") {
        Some(_) => {
            ["3.0", "3.1", "3.2"]
                .iter()
                .any(|read| said.starts_with(read))
                || said == "3"
        }
        None => said.starts_with('2'),
    };
    if is_read {
        Ok(said)
    } else {
        Err(Refusal::Version(said))
    }
}

/// An operation where it stands.
struct Found<'a> {
    /// In upper case.
    method: String,
    path: &'a str,
    item: &'a Map<String, Value>,
    operation: &'a Map<String, Value>,
    base: Option<Base>,
}

fn operations<'a>(
    document: &'a Value,
    resolver: Resolver<'a>,
    source: Option<&str>,
    report: &mut Report,
) -> Vec<Found<'a>> {
    let shared = server::base(document.get("servers"), source);
    let nowhere = Value::Array(vec![serde_json::json!({ "url": "/" })]);
    let mut found = Vec::new();
    let paths = document.get("paths").and_then(Value::as_object);
    for (path, item) in paths.into_iter().flatten() {
        if path.starts_with("x-") {
            continue;
        }
        let item = match resolver.follow(item) {
            Ok(Value::Object(item)) => item,
            Ok(_) => continue,
            Err(why) => {
                report.leave_out(
                    "",
                    path,
                    format!("The operations of this path are not known: {why}."),
                );
                continue;
            }
        };
        for method in METHODS {
            let Some(Value::Object(operation)) = item.get(method) else {
                continue;
            };
            let own = operation.get("servers").or_else(|| item.get("servers"));
            let own = own.filter(|servers| servers.get(0).is_some());
            let base = match own {
                Some(servers) => server::base(Some(servers), source),
                None => shared
                    .clone()
                    .or_else(|| server::base(Some(&nowhere), source)),
            };
            found.push(Found {
                method: method.to_uppercase(),
                path,
                item,
                operation,
                base,
            });
        }
    }
    found
}

/// Returns the base that most operations have: with its path where all of that host agree on it.
fn shared_base(bases: &[Base]) -> Base {
    let Some(most) = server::most_common(bases) else {
        return Base {
            address: "https://{host}".to_owned(),
            holes: Vec::new(),
            notes: Vec::new(),
        };
    };
    let mut base = most.clone();
    let (host, path) = most.split();
    let agree = bases.iter().filter(|other| other.split().0 == host);
    if agree
        .clone()
        .any(|other| !other.split().1.starts_with(path))
    {
        base.address = host.to_owned();
        // The fields for holes in the paths of some are those of all.
        for other in agree {
            for hole in &other.holes {
                if !base.holes.iter().any(|known| known.name == hole.name) {
                    base.holes.push(hole.clone());
                }
            }
        }
    }
    base
}

/// Returns the connector without its actions.
fn head(document: &Value, base: &Base) -> Connector {
    let text = |pointer: &str| {
        document
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let title = match words::plain(text("/info/title"), limit::NAME) {
        title if title.is_empty() => "Imported service".to_owned(),
        title => title,
    };
    let mut docs: String = text("/info/description")
        .chars()
        .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'))
        .take(limit::TEXT - 500)
        .collect();
    let more = text("/externalDocs/url");
    if more.starts_with("https://") && more.len() <= 400 {
        docs.push_str(&format!("\n\n<{more}>"));
    }
    Connector {
        form: FORM,
        key: key(&title),
        description: words::plain(text("/info/description"), 300),
        title,
        version: words::plain(text("/info/version"), 60),
        icon: "plug".to_owned(),
        docs: docs.trim().to_owned(),
        base: base.address.clone(),
        headers: std::collections::BTreeMap::new(),
        auth: Vec::new(),
        component: None,
        actions: Vec::new(),
        tests: Vec::new(),
    }
}

/// Returns what a connector of that title is known by.
fn key(title: &str) -> String {
    let mut key = String::new();
    for letter in title.to_lowercase().chars() {
        if key.len() >= KEY {
            break;
        }
        if letter.is_ascii_lowercase() || letter.is_ascii_digit() && !key.is_empty() {
            key.push(letter);
        } else if !key.is_empty() && !key.ends_with('-') {
            key.push('-');
        }
    }
    let key = key.trim_end_matches('-');
    if key.is_empty() {
        "service".to_owned()
    } else {
        key.to_owned()
    }
}

/// Returns what an action is known by: its method and path, as the description writes them, so
/// that it stays the same whatever a generator calls it. A long one ends with its digest.
fn key_of(method: &str, path: &str) -> String {
    let path: String = path.chars().filter(|sign| !sign.is_control()).collect();
    let whole = format!("{method} {path}");
    if whole.len() <= ACTION_KEY {
        return whole;
    }
    let digest: String = Sha256::digest(&whole)
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let mut end = ACTION_KEY - digest.len() - 1;
    while !whole.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}#{digest}", &whole[..end])
}

/// Returns the ways that an Admin can add a connection for.
fn usable(auth: Vec<Auth>, base: &Base, report: &mut Report) -> Vec<Auth> {
    let mut usable: Vec<Auth> = Vec::new();
    let origin = base.split().0;
    for mut auth in auth {
        if let Some(oauth) = &mut auth.oauth {
            for address in [&mut oauth.authorization_url, &mut oauth.token_url] {
                if address.starts_with('/') {
                    *address = format!("{origin}{address}");
                }
            }
        }
        if let Err(why) = check(&auth) {
            report.note(
                "",
                "",
                format!(
                    "A connection “{}” cannot be proposed as it is described: {why}",
                    auth.kind.title()
                ),
            );
            // A token can be typed in all the same.
            let is_token = auth.kind.has_tokens();
            if !is_token {
                continue;
            }
            auth = Auth {
                kind: Kind::Bearer,
                names: Vec::new(),
                help: auth.help,
                oauth: None,
            };
        }
        if usable.len() >= WAYS {
            report.note("", "", format!("More than {WAYS} ways to prove who sends are described. The first ones are proposed."));
            break;
        }
        if !usable.contains(&auth) {
            usable.push(auth);
        }
    }
    usable
}

/// Checks a way as the form of a connection checks what an Admin types.
fn check(auth: &Auth) -> Result<(), connection::Refusal> {
    let names = match auth.kind {
        Kind::HeaderKey | Kind::QueryKey | Kind::Headers => auth.names.clone(),
        Kind::Bearer => Vec::new(),
        _ => vec!["name".to_owned()],
    };
    let form = Form {
        name: "Connection".to_owned(),
        kind: auth.kind,
        live: Secrets::Set(vec!["a secret".to_owned(); auth.kind.fields(&names).len()]),
        names,
        origins: vec!["https://example.com".to_owned()],
        test: Secrets::Keep,
        oauth: auth.oauth.clone(),
        server: None,
    };
    connection::check(&form, None).map(drop)
}
