//! Which operation a request is for, by host, base and path.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::mock::HOST;
use crate::raw::Raw;
use crate::wire::{Request, decoded};

pub(crate) struct Route {
    /// In upper case.
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) segments: Vec<Vec<Piece>>,
    pub(crate) literals: usize,
    /// Hosts (with holes as `*`) and the paths behind them.
    pub(crate) servers: Vec<(String, String)>,
}

pub(crate) enum Piece {
    Literal(String),
    Hole(String),
}

impl Route {
    /// Returns the values of the path, when the request is for this route.
    pub(crate) fn matches(&self, request: &Request) -> Option<BTreeMap<String, String>> {
        let host = request.headers.get(HOST)?;
        self.servers.iter().find_map(|(of, base)| {
            if !is_host(of, host) {
                return None;
            }
            let base: Vec<&str> = base
                .split('/')
                .filter(|segment| !segment.is_empty())
                .collect();
            let path: Vec<&str> = request.path.trim_matches('/').split('/').collect();
            let (begin, rest) = path.split_at_checked(base.len())?;
            let same = |(of, given): (&&str, &&str)| *of == "*" || of == given;
            if !base.iter().zip(begin).all(same) {
                return None;
            }
            // The path of an operation may be empty but for its slash.
            let rest: &[&str] = if rest.is_empty() { &[""] } else { rest };
            if rest.len() != self.segments.len() {
                return None;
            }
            let mut values = BTreeMap::new();
            let all = self
                .segments
                .iter()
                .zip(rest)
                .all(|(pieces, given)| fits(pieces, given, &mut values));
            all.then_some(values)
        })
    }
}

/// Parts a segment of a path into what stands there and what is filled in.
pub(crate) fn pieces(segment: &str) -> Vec<Piece> {
    let mut found = Vec::new();
    let mut rest = segment;
    while let Some((before, behind)) = rest.split_once('{') {
        let (name, behind) = behind.split_once('}').unwrap_or((behind, ""));
        if !before.is_empty() {
            found.push(Piece::Literal(before.to_owned()));
        }
        found.push(Piece::Hole(name.to_owned()));
        rest = behind;
    }
    if !rest.is_empty() {
        found.push(Piece::Literal(rest.to_owned()));
    }
    found
}

/// Returns whether a segment of an address fits pieces of a template.
fn fits(pieces: &[Piece], given: &str, values: &mut BTreeMap<String, String>) -> bool {
    match pieces {
        [] => given.is_empty(),
        [Piece::Literal(text), rest @ ..] => {
            let behind = given.strip_prefix(text.as_str()).map(str::to_owned);
            let behind = behind.or_else(|| {
                decoded(given)
                    .strip_prefix(text.as_str())
                    .map(str::to_owned)
            });
            behind.is_some_and(|behind| fits(rest, &behind, values))
        }
        [Piece::Hole(name)] => {
            values.insert(name.clone(), decoded(given));
            !given.is_empty()
        }
        [Piece::Hole(name), rest @ ..] => (1..=given.len()).any(|end| {
            if !given.is_char_boundary(end) || !fits(rest, &given[end..], values) {
                return false;
            }
            values.insert(name.clone(), decoded(&given[..end]));
            true
        }),
    }
}

fn is_host(of: &str, host: &str) -> bool {
    match of.split_once('*') {
        None => of.eq_ignore_ascii_case(host),
        Some((before, behind)) => {
            host.len() >= before.len() + behind.len()
                && host.starts_with(before)
                && is_host_end(behind, host)
        }
    }
}

fn is_host_end(behind: &str, host: &str) -> bool {
    match behind.rsplit_once('*') {
        None => host.ends_with(behind),
        Some((_, last)) => host.ends_with(last),
    }
}

/// Returns the hosts and paths of an operation's servers.
pub(crate) fn servers(raw: &Raw, item: &Value, operation: &Value) -> Vec<(String, String)> {
    if raw.is_two {
        let text = |key: &str| {
            raw.root
                .get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let host = match text("host") {
            none if none.is_empty() => "*".to_owned(),
            host => host,
        };
        return vec![(host, text("basePath"))];
    }
    let own = [operation, item, &raw.root].into_iter().find_map(|of| {
        of.get("servers")
            .and_then(Value::as_array)
            .filter(|servers| !servers.is_empty())
    });
    let Some(own) = own else {
        return vec![("*".to_owned(), String::new())];
    };
    own.iter().map(split).collect()
}

fn split(server: &Value) -> (String, String) {
    let url = server
        .get("url")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let mut filled = String::new();
    let mut rest = url;
    let begins = url.find("://").map_or(0, |at| at + 3);
    while let Some((before, behind)) = rest.split_once('{') {
        filled.push_str(before);
        let (name, behind) = behind.split_once('}').unwrap_or((behind, ""));
        let in_host = url.len() - rest.len() + before.len() >= begins
            && !filled[filled.find("://").map_or(0, |at| at + 3)..].contains('/');
        let default = server["variables"][name]["default"].as_str();
        match default {
            Some(default) if !in_host || url.starts_with('{') && filled.is_empty() => {
                filled.push_str(default)
            }
            _ => filled.push('*'),
        }
        rest = behind;
    }
    filled.push_str(rest);
    let Some((_, behind)) = filled.split_once("://") else {
        return ("*".to_owned(), filled);
    };
    match behind.split_once('/') {
        Some((host, path)) => (host.to_owned(), path.to_owned()),
        None => (behind.to_owned(), String::new()),
    }
}
