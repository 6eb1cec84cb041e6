//! Where requests go: the base that all paths of a connector begin with.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::words;

/// A field that each action has because the base has a hole for it.
#[derive(Clone, Debug)]
pub(super) struct Hole {
    /// What stands in the braces, which is the name of the field as well.
    pub(super) name: String,
    /// What the form draws.
    pub(super) schema: Map<String, Value>,
}

/// An address to which paths are added.
#[derive(Clone, Debug)]
pub(super) struct Base {
    /// Without a slash at its end; may have holes.
    pub(super) address: String,
    /// The fields for them.
    pub(super) holes: Vec<Hole>,
    /// What has to be known of it.
    pub(super) notes: Vec<String>,
}

impl Base {
    /// Returns scheme and host, and the path behind them.
    pub(super) fn split(&self) -> (&str, &str) {
        let host = self.address.find("://").map_or(0, |at| at + 3);
        let path = self.address[host..]
            .find('/')
            .map_or(self.address.len(), |at| host + at);
        self.address.split_at(path)
    }
}

/// Returns the first server of a list that can be used. `source` is where the document came from,
/// which a server may be relative to.
pub(super) fn base(servers: Option<&Value>, source: Option<&str>) -> Option<Base> {
    let servers = servers.and_then(Value::as_array).into_iter().flatten();
    let mut bases = servers.filter_map(|server| of_server(server, source));
    let first = bases.next()?;
    // One that is reached by https goes before one that is not.
    if first.address.starts_with("https://") {
        return Some(first);
    }
    let secure = bases.find(|base| base.address.starts_with("https://"));
    Some(secure.unwrap_or(first))
}

fn of_server(server: &Value, source: Option<&str>) -> Option<Base> {
    let url = server.get("url").and_then(Value::as_str)?.trim();
    let variables = server.get("variables").and_then(Value::as_object);
    let mut base = Base {
        address: String::new(),
        holes: Vec::new(),
        notes: Vec::new(),
    };
    let url = absolute(url, source, &mut base);
    let host_begins = url.find("://").map_or(0, |at| at + 3);
    let mut rest = url.as_str();
    while let Some(open) = rest.find('{') {
        base.address.push_str(&rest[..open]);
        let close = open + rest[open..].find('}')?;
        let name = &rest[open + 1..close];
        let at = url.len() - rest.len() + open;
        rest = &rest[close + 1..];
        let variable = variables.and_then(|variables| variables.get(name));
        fill(&mut base, name, variable, at, host_begins, rest);
    }
    base.address.push_str(rest);
    let end = base.address.find(['?', '#']).unwrap_or(base.address.len());
    base.address.truncate(end);
    while base.address.ends_with('/') {
        base.address.pop();
    }
    if let Some(host) = base
        .address
        .strip_prefix("http://")
        .filter(|host| !is_here(host))
    {
        base.address = format!("https://{host}");
        base.notes.push("The description says http, by which anyone on the way reads secrets. Requests go by https.".to_owned());
    }
    is_usable(&base.address).then_some(base)
}

/// Returns whether a host is this machine, or a number: `http` is for these only.
fn is_here(host: &str) -> bool {
    let host = host.split(['/', ':']).next().unwrap_or_default();
    host == "localhost" || host.starts_with('[') || host.parse::<std::net::IpAddr>().is_ok()
}

/// Returns the address with its host: a relative one is relative to where the document came from,
/// and when that is not known, people fill the host in.
fn absolute(url: &str, source: Option<&str>, base: &mut Base) -> String {
    if url.starts_with("http://") || url.starts_with("https://") || url.starts_with('{') {
        return url.to_owned();
    }
    if let Some(rest) = url.strip_prefix("//") {
        return format!("https://{rest}");
    }
    let path = if url.starts_with('/') || url.is_empty() {
        url.to_owned()
    } else {
        format!("/{url}")
    };
    let origin = source.and_then(|source| {
        let host = source.find("://")? + 3;
        let end = source[host..]
            .find('/')
            .map_or(source.len(), |at| host + at);
        Some(&source[..end])
    });
    match origin {
        Some(origin) => format!("{origin}{path}"),
        None => {
            base.notes.push("The description names no server. Each step asks for its host; better set the base of the connector to where the service is.".to_owned());
            format!("https://{{host}}{path}")
        }
    }
}

fn fill(
    base: &mut Base,
    name: &str,
    variable: Option<&Value>,
    at: usize,
    host_begins: usize,
    rest: &str,
) {
    let default = variable
        .and_then(|variable| variable.get("default"))
        .and_then(Value::as_str);
    let options: Vec<&str> = variable
        .and_then(|variable| variable.get("enum"))
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let default = default
        .or_else(|| options.first().copied())
        .unwrap_or_default();
    let in_host =
        at >= host_begins && !base.address[host_begins.min(base.address.len())..].contains('/');
    let is_scheme = at < host_begins || host_begins == 0 && rest.starts_with("://");
    let is_port = base.address.ends_with(':');
    let is_label = |text: &str| {
        !text.is_empty()
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'))
    };
    let fits = |text: &str| {
        if in_host {
            is_label(text)
        } else {
            !text.contains('/')
        }
    };
    // A host is the service's own to name, unless there is nothing to choose.
    let is_fixed = is_scheme
        || is_port
        || options.len() == 1
        || !default.is_empty() && !fits(default)
        || !in_host && options.is_empty() && !default.is_empty()
        // The default is a whole host already.
        || in_host && options.is_empty() && default.contains('.') && !default.contains("example");
    if is_fixed {
        base.address.push_str(if default.is_empty() && is_scheme {
            "https"
        } else {
            default
        });
        return;
    }
    let known: String = name
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '_')
        .collect();
    let known = if known.is_empty() {
        "host".to_owned()
    } else {
        known
    };
    base.address.push('{');
    base.address.push_str(&known);
    base.address.push('}');
    if base.holes.iter().any(|hole| hole.name == known) {
        return;
    }
    let said = variable
        .and_then(|variable| variable.get("description"))
        .and_then(Value::as_str);
    let mut schema = Map::new();
    schema.insert("type".into(), "string".into());
    schema.insert("title".into(), words::label(&known).into());
    let help = words::plain(said.unwrap_or("Part of the address of the service."), 300);
    schema.insert("description".into(), help.into());
    if !default.is_empty() {
        schema.insert("default".into(), default.into());
    }
    if options.len() > 1 && options.iter().all(|option| fits(option)) {
        schema.insert("enum".into(), json!(options));
    } else if default.is_empty() {
        schema.insert(
            "examples".into(),
            json!([if known == "host" {
                "api.example.com"
            } else {
                "acme"
            }]),
        );
    }
    base.holes.push(Hole {
        name: known,
        schema,
    });
}

fn is_usable(address: &str) -> bool {
    let host = address
        .strip_prefix("https://")
        .or_else(|| address.strip_prefix("http://"));
    host.is_some_and(|host| {
        let host = host.split('/').next().unwrap_or_default();
        !host.is_empty() && !host.contains([' ', '@', '\\', '<', '>'])
    }) && address.len() <= 500
}

/// Returns the base that most operations have, of those that each says or inherits.
pub(super) fn most_common(bases: &[Base]) -> Option<&Base> {
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (at, base) in bases.iter().enumerate() {
        counts.entry(&base.address).or_insert((0, at)).0 += 1;
    }
    let best = counts
        .values()
        .max_by_key(|(count, at)| (*count, usize::MAX - at))?;
    bases.get(best.1)
}
