//! What another file, or a newer description, changes of a connector that is there.
//!
//! Steps carry the declaration that they were made with, so nothing changes for them by itself.
//! Who takes the newer one wants to know beforehand whether the step still works.

mod difference;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Connector, Operation};

pub use difference::{Difference, Side};

/// Deepest level to which outputs are compared.
const DEPTH: usize = 6;
/// Most differences that are told of one action.
const MOST: usize = 200;

/// An action that is in one of two connectors only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// What it is known by.
    pub key: String,
    /// Its name on screen.
    pub title: String,
}

/// An action that is in both, and not alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// What it is known by.
    pub key: String,
    /// Its name on screen, as it is now.
    pub title: String,
    /// What differs, that which can break a step first; at most 200.
    pub differences: Vec<Difference>,
}

impl Changed {
    /// Returns whether a step that worked may not work, once it takes the newer declaration.
    pub fn can_break(&self) -> bool {
        self.differences.iter().any(Difference::can_break)
    }
}

/// What differs between two connectors.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// What differs of the connector itself, in sentences.
    pub connector: Vec<String>,
    /// Actions that are new.
    pub added: Vec<Listed>,
    /// Actions that are gone. Steps made with them go on as they are.
    pub removed: Vec<Listed>,
    /// Actions that differ.
    pub changed: Vec<Changed>,
    /// How many are alike.
    pub same: usize,
}

impl Comparison {
    /// Returns whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.connector.is_empty()
            && self.added.is_empty()
            && self.removed.is_empty()
            && self.changed.is_empty()
    }
}

/// Returns what differs between a connector and the one that is to take its place.
pub fn compare(old: &Connector, new: &Connector) -> Comparison {
    let listed = |operation: &Operation| Listed {
        key: operation.key.clone(),
        title: operation.title.clone(),
    };
    let before: BTreeMap<&str, &Operation> = old
        .actions
        .iter()
        .map(|operation| (operation.key.as_str(), operation))
        .collect();
    let after: BTreeSet<&str> = new
        .actions
        .iter()
        .map(|operation| operation.key.as_str())
        .collect();
    let mut comparison = Comparison {
        connector: of_connector(old, new),
        ..Comparison::default()
    };
    for operation in &new.actions {
        let Some(known) = before.get(operation.key.as_str()) else {
            comparison.added.push(listed(operation));
            continue;
        };
        let differences = of_operation(known, &old.base, operation, &new.base);
        if differences.is_empty() {
            comparison.same += 1;
        } else {
            comparison.changed.push(Changed {
                key: operation.key.clone(),
                title: operation.title.clone(),
                differences,
            });
        }
    }
    let gone = old
        .actions
        .iter()
        .filter(|operation| !after.contains(operation.key.as_str()));
    comparison.removed = gone.map(listed).collect();
    comparison
}

fn of_connector(old: &Connector, new: &Connector) -> Vec<String> {
    let mut told = Vec::new();
    for (what, before, after) in [
        ("Name", &old.title, &new.title),
        ("Version", &old.version, &new.version),
        ("Base", &old.base, &new.base),
    ] {
        if before != after {
            told.push(format!("{what}: {} → {}", or_none(before), or_none(after)));
        }
    }
    let kinds = |connector: &Connector| {
        let kinds: Vec<&str> = connector
            .auth
            .iter()
            .map(|auth| auth.kind.title())
            .collect();
        kinds.join(", ")
    };
    let (before, after) = (kinds(old), kinds(new));
    if before != after {
        told.push(format!(
            "Connections: {} → {}",
            or_none(&before),
            or_none(&after)
        ));
    } else if old.auth != new.auth {
        told.push("Names, addresses or scopes of its connections are different.".to_owned());
    }
    if old.headers != new.headers {
        told.push("It sends other headers with each request.".to_owned());
    }
    of_component(old, new, &mut told);
    told
}

fn of_component(old: &Connector, new: &Connector, told: &mut Vec<String>) {
    let hash = |connector: &Connector| {
        let component = connector.component.as_ref();
        component.map_or_else(String::new, |component| component.sha256.clone())
    };
    let (before, after) = (hash(old), hash(new));
    if before != after {
        told.push(format!(
            "Its logic is another: component {} → {}",
            or_none(&before),
            or_none(&after)
        ));
    }
    let hosts = |connector: &Connector| {
        let component = connector.component.as_ref();
        component.map_or_else(Vec::new, |component| component.hosts.clone())
    };
    let (before, after) = (hosts(old), hosts(new));
    let added = after.iter().filter(|host| !before.contains(host));
    told.extend(added.map(|host| format!("Its logic may reach {host} now.")));
    let gone = before.iter().filter(|host| !after.contains(host));
    told.extend(gone.map(|host| format!("Its logic does not reach {host} any more.")));
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "none" } else { text }
}

/// Returns what differs between two declarations of one action, what can break a step first.
/// `old_base` and `new_base` are those of the connectors.
pub fn of_operation(
    old: &Operation,
    old_base: &str,
    new: &Operation,
    new_base: &str,
) -> Vec<Difference> {
    let mut found = Vec::new();
    let line = |operation: &Operation, base: &str| {
        if operation.has_logic() {
            return format!("{} of the component", operation.run);
        }
        format!(
            "{} {}{}",
            operation.method.word(),
            operation.base(base),
            operation.path
        )
    };
    let (before, after) = (line(old, old_base), line(new, new_base));
    if before != after {
        found.push(Difference::Address { before, after });
    }
    fields(old, old_base, new, new_base, &mut found);
    if old.body != new.body || old.headers != new.headers {
        found.push(Difference::Written {
            field: String::new(),
        });
    }
    schemas(&old.output, &new.output, "", 0, &mut found);
    if old.expected_status != new.expected_status {
        found.push(Difference::Expected {
            before: old.expected_status.clone(),
            after: new.expected_status.clone(),
        });
    }
    if old.effect() != new.effect() || old.idempotent != new.idempotent {
        found.push(Difference::Repeat);
    }
    if old.anonymous != new.anonymous {
        found.push(Difference::Connection {
            is_needed: !new.anonymous,
        });
    }
    let words = |operation: &Operation| {
        (
            operation.title.clone(),
            operation.description.clone(),
            operation.group.clone(),
        )
    };
    if words(old) != words(new) || old.paging != new.paging || old.rate != new.rate {
        found.push(Difference::Words {
            field: String::new(),
        });
    }
    // Stable: within each kind the order of the form stays.
    found.sort_by_key(|difference| !difference.can_break());
    found.truncate(MOST);
    found
}

fn fields(
    old: &Operation,
    old_base: &str,
    new: &Operation,
    new_base: &str,
    found: &mut Vec<Difference>,
) {
    for field in &old.input.fields {
        if new.input.field(&field.name).is_none() {
            found.push(Difference::Removed {
                side: Side::Input,
                field: field.name.clone(),
            });
        }
    }
    for field in &new.input.fields {
        let name = field.name.as_str();
        let Some(before) = old.input.field(name) else {
            let is_needed = field.required && field.default.is_none();
            found.push(Difference::Added {
                side: Side::Input,
                field: name.to_owned(),
                is_needed,
            });
            continue;
        };
        if before.required != field.required {
            let is_needed = field.required && field.default.is_none();
            found.push(Difference::Required {
                field: name.to_owned(),
                is_required: field.required,
                is_needed,
            });
        }
        let (was, is) = (old.input.property(name), new.input.property(name));
        let (was, is) = (was.unwrap_or(&Value::Null), is.unwrap_or(&Value::Null));
        value(name, was, is, found);
        if old.place(name, old.base(old_base)) != new.place(name, new.base(new_base)) {
            found.push(Difference::Written {
                field: name.to_owned(),
            });
        }
        if before.default != field.default {
            found.push(Difference::Default {
                field: name.to_owned(),
            });
        }
        if before.title != field.title || before.help != field.help {
            found.push(Difference::Words {
                field: name.to_owned(),
            });
        }
    }
}

/// Compares what one field takes.
fn value(name: &str, was: &Value, is: &Value, found: &mut Vec<Difference>) {
    let (before, after) = (kind(was), kind(is));
    if before != after {
        // What took a whole number takes others now: nothing breaks.
        let is_wider = after == "anything" || before == "integer" && after == "number";
        found.push(Difference::Type {
            side: Side::Input,
            field: name.to_owned(),
            before,
            after,
            is_wider,
        });
        return;
    }
    let options = |schema: &Value| schema.get("enum").and_then(Value::as_array).cloned();
    match (options(was), options(is)) {
        (Some(was), Some(is)) => {
            let gone: Vec<String> = missing(&was, &is);
            if !gone.is_empty() {
                found.push(Difference::Choices {
                    field: name.to_owned(),
                    gone,
                });
            } else if !missing(&is, &was).is_empty() {
                found.push(Difference::Wider {
                    field: name.to_owned(),
                });
            }
        }
        (None, Some(_)) => found.push(Difference::Narrower {
            field: name.to_owned(),
        }),
        (Some(_), None) => found.push(Difference::Wider {
            field: name.to_owned(),
        }),
        (None, None) => {}
    }
    let (mut narrower, mut wider) = (false, false);
    for (key, is_least) in [
        ("minimum", true),
        ("minLength", true),
        ("minItems", true),
        ("maximum", false),
        ("maxLength", false),
        ("maxItems", false),
    ] {
        let bound = |schema: &Value| schema.get(key).and_then(Value::as_f64);
        match (bound(was), bound(is)) {
            (Some(was), Some(is)) if was == is => {}
            (Some(was), Some(is)) if (is > was) == is_least => narrower = true,
            (Some(_), _) => wider = true,
            (None, Some(_)) => narrower = true,
            (None, None) => {}
        }
    }
    if narrower {
        found.push(Difference::Narrower {
            field: name.to_owned(),
        });
    } else if wider {
        found.push(Difference::Wider {
            field: name.to_owned(),
        });
    }
    if matches!(before.as_str(), "object" | "array") {
        inner(name, was, is, found);
    }
}

/// Compares what stands within a field that is an object or a list: whether it changed, and whether
/// something is required that was not.
fn inner(name: &str, was: &Value, is: &Value, found: &mut Vec<Difference>) {
    let parts = |schema: &Value| {
        let mut parts = schema.as_object().cloned().unwrap_or_default();
        for word in [
            "title",
            "description",
            "examples",
            "default",
            "x-widget",
            "minItems",
            "maxItems",
        ] {
            parts.remove(word);
        }
        parts
    };
    let (was, is) = (parts(was), parts(is));
    if was == is {
        return;
    }
    let required = |schema: &Map<String, Value>| {
        let mut all = BTreeSet::new();
        required_within(schema, "", 0, &mut all);
        all
    };
    let (before, after) = (required(&was), required(&is));
    if after.is_subset(&before) {
        found.push(Difference::Inner {
            field: name.to_owned(),
        });
    } else {
        found.push(Difference::Narrower {
            field: name.to_owned(),
        });
    }
}

fn required_within(
    schema: &Map<String, Value>,
    at: &str,
    depth: usize,
    all: &mut BTreeSet<String>,
) {
    if depth > DEPTH {
        return;
    }
    let required = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    all.extend(
        required
            .filter_map(Value::as_str)
            .map(|name| format!("{at}/{name}")),
    );
    let properties = schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    for (name, property) in properties {
        if let Value::Object(property) = property {
            required_within(property, &format!("{at}/{name}"), depth + 1, all);
        }
    }
    if let Some(Value::Object(items)) = schema.get("items") {
        required_within(items, &format!("{at}/[]"), depth + 1, all);
    }
}

fn missing(from: &[Value], of: &[Value]) -> Vec<String> {
    let gone = from.iter().filter(|option| !of.contains(option));
    gone.take(20)
        .map(|option| {
            option
                .as_str()
                .map_or_else(|| option.to_string(), str::to_owned)
        })
        .collect()
}

/// Compares outputs: what expressions may use.
fn schemas(was: &Value, is: &Value, at: &str, depth: usize, found: &mut Vec<Difference>) {
    if depth > DEPTH || was == is || found.len() > MOST {
        return;
    }
    // Nothing is known of one of them, so nothing is known to be gone.
    let is_unknown = |schema: &Value| schema.as_object().is_none_or(Map::is_empty);
    if is_unknown(was) || is_unknown(is) {
        if is_unknown(was) != is_unknown(is) {
            let field = if at.is_empty() {
                "body".to_owned()
            } else {
                at.to_owned()
            };
            found.push(Difference::Known {
                field,
                is_known: is_unknown(was),
            });
        }
        return;
    }
    let (before, after) = (kind(was), kind(is));
    if before != after {
        let field = if at.is_empty() {
            "body".to_owned()
        } else {
            at.to_owned()
        };
        let is_wider = before == "anything" || before == "number" && after == "integer";
        found.push(Difference::Type {
            side: Side::Output,
            field,
            before,
            after,
            is_wider,
        });
        return;
    }
    let path = |name: &str| {
        if at.is_empty() {
            name.to_owned()
        } else {
            format!("{at}.{name}")
        }
    };
    let properties = |schema: &Value| {
        schema
            .get("properties")
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default()
    };
    let (before, after) = (properties(was), properties(is));
    for (name, property) in &before {
        match after.get(name) {
            None => found.push(Difference::Removed {
                side: Side::Output,
                field: path(name),
            }),
            Some(now) => schemas(property, now, &path(name), depth + 1, found),
        }
    }
    for name in after.keys().filter(|name| !before.contains_key(*name)) {
        found.push(Difference::Added {
            side: Side::Output,
            field: path(name),
            is_needed: false,
        });
    }
    if let (Some(was), Some(is)) = (was.get("items"), is.get("items")) {
        schemas(was, is, &format!("{at}[]"), depth + 1, found);
    }
}

/// Returns what a schema takes, as one word.
fn kind(schema: &Value) -> String {
    let first = schema
        .get("type")
        .and_then(|kind| kind.as_str().or_else(|| kind.get(0)?.as_str()));
    match first {
        Some(kind) => kind.to_owned(),
        None if schema.get("properties").is_some() => "object".to_owned(),
        None => "anything".to_owned(),
    }
}
