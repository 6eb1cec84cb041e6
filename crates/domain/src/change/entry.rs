//! Entries: the parts of a field that holds names with values, or JSON, each by the way to it.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::between::is_same;
use super::json::{self, Segment};
use crate::limit;

/// The way to one entry of a field: the name of a header, the place of an item in a list, or
/// several of these for what is nested. 1 to [`limit::JSON_DEPTH`] long.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<Segment>", into = "Vec<Segment>")]
pub struct Entry(Vec<Segment>);

impl Entry {
    /// Returns the entry of that name in a field that holds names with values.
    pub fn named(name: impl Into<String>) -> Self {
        Self(vec![Segment::Key(name.into())])
    }

    /// Returns the entry at a path; `None` for the whole value and for what is nested too deeply.
    pub fn at(path: Vec<Segment>) -> Option<Self> {
        (!path.is_empty() && path.len() <= limit::JSON_DEPTH).then_some(Self(path))
    }

    /// Returns what a field says there.
    pub fn find<'a>(&self, field: &'a Value) -> Option<&'a Value> {
        self.0.iter().try_fold(field, step_into)
    }

    /// Returns where the entry is in a later value of its field; `None` when it is not there any
    /// more. An entry follows the item that the comparison of the two values pairs with it, a new
    /// name under which the very same value stands, and the only new name when no other went.
    pub fn follow(&self, then: &Value, now: &Value) -> Option<Self> {
        let (mut then, mut now) = (then, now);
        let mut path = Vec::with_capacity(self.0.len());
        for segment in &self.0 {
            let later = follow_one(segment, then, now)?;
            then = step_into(then, segment)?;
            now = step_into(now, &later)?;
            path.push(later);
        }
        Some(Self(path))
    }

    /// Returns the field with another value there; `None` when it has no such entry.
    pub fn replaced(&self, field: &Value, value: Value) -> Option<Value> {
        let mut field = field.clone();
        let entry =
            self.0
                .iter()
                .try_fold(&mut field, |inside, segment| match (segment, inside) {
                    (Segment::Key(key), Value::Object(entries)) => entries.get_mut(key),
                    (Segment::Index(index), Value::Array(items)) => items.get_mut(*index),
                    _ => None,
                })?;
        *entry = value;
        Some(field)
    }
}

fn step_into<'a>(value: &'a Value, segment: &Segment) -> Option<&'a Value> {
    match (segment, value) {
        (Segment::Key(key), Value::Object(entries)) => entries.get(key),
        (Segment::Index(index), Value::Array(items)) => items.get(*index),
        _ => None,
    }
}

fn follow_one(segment: &Segment, then: &Value, now: &Value) -> Option<Segment> {
    match (segment, then, now) {
        (Segment::Key(key), Value::Object(before), Value::Object(after)) => {
            let value = before.get(key)?;
            if after.contains_key(key) {
                return Some(segment.clone());
            }
            let gone = || before.iter().filter(|(name, _)| !after.contains_key(*name));
            let new = || after.iter().filter(|(name, _)| !before.contains_key(*name));
            let same = only(new().filter(|(_, other)| is_same(other, value)))
                .filter(|_| only(gone().filter(|(_, other)| is_same(other, value))).is_some());
            // One name went and one came: that is it, whatever it says now.
            let instead = || only(gone()).and_then(|_| only(new()));
            let renamed = same.or_else(instead)?;
            Some(Segment::Key(renamed.0.clone()))
        }
        (Segment::Index(index), Value::Array(before), Value::Array(after)) => {
            let value = before.get(*index)?;
            let pairs = json::pairs(before, after);
            let pair = pairs.iter().find(|(old, _)| *old == Some(*index))?;
            let moved = || {
                let new = pairs.iter().filter(|(old, _)| old.is_none());
                let new = new.filter_map(|(_, new)| *new);
                only(new.filter(|new| is_same(&after[*new], value)))
            };
            pair.1.or_else(moved).map(Segment::Index)
        }
        _ => None,
    }
}

/// Returns the only one of several, `None` when there is none or there are more.
fn only<T>(mut of: impl Iterator<Item = T>) -> Option<T> {
    let first = of.next()?;
    of.next().is_none().then_some(first)
}

impl TryFrom<Vec<Segment>> for Entry {
    type Error = &'static str;

    fn try_from(path: Vec<Segment>) -> Result<Self, Self::Error> {
        Self::at(path).ok_or("An entry is named by one to a few steps into its field.")
    }
}

impl From<Entry> for Vec<Segment> {
    fn from(entry: Entry) -> Self {
        entry.0
    }
}

/// As people write it: `order.lines[0].price`.
impl fmt::Display for Entry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Key(key) if at == 0 => formatter.write_str(key)?,
                Segment::Key(key) => write!(formatter, ".{key}")?,
                Segment::Index(index) => write!(formatter, "[{index}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Entry, Segment};

    fn entry(path: Value) -> Entry {
        serde_json::from_value(path).expect("it is a path")
    }

    #[test]
    fn an_entry_follows_its_name_a_new_name_and_its_item() {
        let headers = json!({ "Accept": "text/html", "X-Trace": "{{ run.id }}" });
        let order = json!({ "lines": [{ "sku": "a", "count": 1 }, { "sku": "b", "count": 2 }] });
        let price = entry(json!(["lines", 1, "count"]));
        for (path, then, now, expected) in [
            (
                json!(["Accept"]),
                &headers,
                json!({ "Accept": "text/plain" }),
                Some("Accept"),
            ),
            (
                json!(["X-Trace"]),
                &headers,
                json!({ "Accept": "text/html", "X-Run": "{{ run.id }}" }),
                Some("X-Run"),
            ),
            (
                json!(["X-Trace"]),
                &headers,
                json!({ "X-Run": "another" }),
                None,
            ),
            (
                json!(["X-Trace"]),
                &headers,
                json!({ "Accept": "text/html", "X-Run": "another" }),
                Some("X-Run"),
            ),
            // Two new names with the same value: nobody knows which.
            (
                json!(["X-Trace"]),
                &headers,
                json!({ "A": "{{ run.id }}", "B": "{{ run.id }}" }),
                None,
            ),
            // Another name had the value before: that is not this entry.
            (
                json!(["X-Trace"]),
                &json!({ "A": "same", "X-Trace": "same" }),
                json!({ "A": "same" }),
                None,
            ),
            (json!(["X-Trace"]), &headers, json!("a text"), None),
            (
                json!(["lines", 1, "count"]),
                &order,
                json!({ "lines": [{ "sku": "b", "count": 3 }] }),
                Some("lines[0].count"),
            ),
            (
                json!(["lines", 0, "sku"]),
                &order,
                json!({ "lines": [{ "sku": "b", "count": 2 }, { "sku": "a", "count": 1 }] }),
                Some("lines[1].sku"),
            ),
            (
                json!(["lines", 0, "sku"]),
                &order,
                json!({ "lines": [] }),
                None,
            ),
        ] {
            let found = entry(path.clone()).follow(then, &now);
            let found = found.map(|entry| entry.to_string());
            assert_eq!(found.as_deref(), expected, "{path} in {now}");
        }
        assert_eq!(price.follow(&order, &order), Some(price.clone()));
        assert_eq!(price.find(&order), Some(&json!(2)));
        let after = price.replaced(&order, json!(9)).expect("it is there");
        assert_eq!(after["lines"][1], json!({ "sku": "b", "count": 9 }));
        assert_eq!(Entry::named("no").replaced(&order, json!(1)), None);
    }

    #[test]
    fn a_path_is_neither_empty_nor_endless() {
        assert_eq!(Entry::at(Vec::new()), None);
        let deep = vec![Segment::Index(0); crate::limit::JSON_DEPTH + 1];
        assert_eq!(Entry::at(deep), None);
        assert!(serde_json::from_value::<Entry>(json!([])).is_err());
        assert_ne!(entry(json!(["0"])), entry(json!([0])));
    }
}
