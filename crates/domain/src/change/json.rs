//! Which parts of a JSON value changed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use similar::{Algorithm, DiffOp, capture_diff_slices};

use super::align::{Pairing, align};
use super::between::is_same;
use crate::{canonical, limit};

/// A part of a JSON value that differs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JsonChange {
    /// Where it is; empty for the whole value.
    pub path: Vec<Segment>,
    /// What was there; `None` when nothing was.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "crate::edit::present"
    )]
    pub before: Option<Value>,
    /// What is there; `None` when nothing is.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "crate::edit::present"
    )]
    pub after: Option<Value>,
}

/// One step on the way into a JSON value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Segment {
    /// An entry of an object.
    Key(String),
    /// An item of a list: its place in the later list, or in the earlier one if it was deleted.
    Index(usize),
}

/// Compares two JSON values part by part, as deep as they are alike: objects by their keys, lists
/// by the items that are equal. Nothing comes out when canonical JSON is the same.
pub fn json(before: &Value, after: &Value) -> Vec<JsonChange> {
    let mut compared = Compared {
        path: Vec::new(),
        changes: Vec::new(),
    };
    compared.values(before, after);
    compared.changes
}

struct Compared {
    path: Vec<Segment>,
    changes: Vec<JsonChange>,
}

impl Compared {
    fn say(&mut self, before: Option<&Value>, after: Option<&Value>) {
        let (before, after) = (before.cloned(), after.cloned());
        self.changes.push(JsonChange {
            path: self.path.clone(),
            before,
            after,
        });
    }

    fn at(&mut self, segment: Segment, compare: impl FnOnce(&mut Self)) {
        self.path.push(segment);
        compare(self);
        self.path.pop();
    }

    fn values(&mut self, before: &Value, after: &Value) {
        match (before, after) {
            _ if is_same(before, after) => {}
            // What is nested more deeply than anyone reads is told as a whole.
            _ if self.path.len() > limit::JSON_DEPTH => self.say(Some(before), Some(after)),
            (Value::Object(old), Value::Object(new)) => self.objects(old, new),
            (Value::Array(old), Value::Array(new)) => self.lists(old, new),
            _ => self.say(Some(before), Some(after)),
        }
    }

    fn objects(&mut self, before: &Map<String, Value>, after: &Map<String, Value>) {
        for (key, old) in before {
            self.at(Segment::Key(key.clone()), |at| match after.get(key) {
                Some(new) => at.values(old, new),
                None => at.say(Some(old), None),
            });
        }
        for (key, new) in after.iter().filter(|(key, _)| !before.contains_key(*key)) {
            self.at(Segment::Key(key.clone()), |at| at.say(None, Some(new)));
        }
    }

    fn lists(&mut self, before: &[Value], after: &[Value]) {
        for pairing in pairs(before, after) {
            match pairing {
                (Some(old), Some(new)) => {
                    self.at(Segment::Index(new), |at| {
                        at.values(&before[old], &after[new])
                    });
                }
                (Some(old), None) => {
                    self.at(Segment::Index(old), |at| at.say(Some(&before[old]), None));
                }
                (None, Some(new)) => {
                    self.at(Segment::Index(new), |at| at.say(None, Some(&after[new])));
                }
                (None, None) => {}
            }
        }
    }
}

/// Pairs the items of two lists: those that are equal, then what stands between these with what is
/// most like it.
pub(super) fn pairs(before: &[Value], after: &[Value]) -> Vec<Pairing> {
    if before.len().max(after.len()) > limit::DIFF_ITEMS {
        return alike((before, 0), (after, 0)).collect();
    }
    // Equal items get equal numbers.
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    let mut numbers = |items: &[Value]| -> Vec<usize> {
        let number = |item| {
            let next = known.len();
            *known.entry(canonical::to_string(item)).or_insert(next)
        };
        items.iter().map(number).collect()
    };
    let (old, new) = (numbers(before), numbers(after));
    let mut all = Vec::with_capacity(before.len().max(after.len()));
    for op in capture_diff_slices(Algorithm::Myers, &old, &new) {
        let (old, new) = (op.old_range(), op.new_range());
        if matches!(op, DiffOp::Equal { .. }) {
            all.extend(old.zip(new).map(|(old, new)| (Some(old), Some(new))));
        } else {
            let (old_at, new_at) = (old.start, new.start);
            all.extend(alike((&before[old], old_at), (&after[new], new_at)));
        }
    }
    all
}

/// Pairs items of which none is equal, those that are most alike with each other; each list comes
/// with how many items stand before it.
fn alike(before: (&[Value], usize), after: (&[Value], usize)) -> impl Iterator<Item = Pairing> {
    let ((before, old_at), (after, new_at)) = (before, after);
    let pairs = align(before.len(), after.len(), |old, new| {
        likeness(&before[old], &after[new])
    });
    let shifted =
        move |(old, new): Pairing| (old.map(|old| old + old_at), new.map(|new| new + new_at));
    pairs.into_iter().map(shifted)
}

/// Returns how alike two items are, of 100: objects by the entries that are equal. Single values
/// and lists are always a pair, but rather than one of those, one of objects.
fn likeness(one: &Value, other: &Value) -> u32 {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let equal = one
                .iter()
                .filter(|(key, value)| other.get(*key) == Some(*value))
                .count();
            let part = 100 * equal / one.len().max(other.len()).max(1);
            u32::try_from(part).unwrap_or(100)
        }
        (Value::Object(_), _) | (_, Value::Object(_)) => 0,
        (Value::Array(_), Value::Array(_)) => 2,
        (Value::Array(_), _) | (_, Value::Array(_)) => 0,
        _ if one == other => 100,
        _ => 1,
    }
}
