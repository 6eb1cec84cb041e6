//! Conflicts and what was decided about them, as values that can be stored and sent.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::key::ConflictKey;
use super::three::{Side, Three, Versions};

/// Something that both sides changed, and not to the same.
///
/// The values are JSON: of a field the field's value; of an order the ids, in order; of a place the
/// [`crate::document::ListRef`]; of a circle the list of each step, by id; of a kind `{kind, config}`; of
/// a presence the step and all inside it, as that side has them (of a lane `{lane, steps}`).
/// References in the others are written with the slugs of the merged document. `None` is what is
/// not there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conflict {
    /// What it is about.
    pub key: ConflictKey,
    /// What it was before both.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "crate::edit::present"
    )]
    pub base: Option<Value>,
    /// What it is on our side.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "crate::edit::present"
    )]
    pub ours: Option<Value>,
    /// What it is on their side.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "crate::edit::present"
    )]
    pub theirs: Option<Value>,
}

/// How a conflict is decided.
///
/// [`Choice::Ours`] and [`Choice::Theirs`] fit every conflict. The others fit those about a field,
/// name, condition, kind or order; about presence, place or circle they leave it undecided, and so
/// does a value that does not fit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// As on our side.
    Ours,
    /// As on their side.
    Theirs,
    /// As it was before both.
    Base,
    /// As written here, in the form of the conflict's own values.
    Value(Value),
}

/// What was decided, and what is left.
pub(super) struct Decisions<'a> {
    choices: &'a BTreeMap<ConflictKey, Choice>,
    pub(super) conflicts: Vec<Conflict>,
}

impl<'a> Decisions<'a> {
    pub(super) fn new(choices: &'a BTreeMap<ConflictKey, Choice>) -> Self {
        Self {
            choices,
            conflicts: Vec::new(),
        }
    }

    /// Returns what a choice gives; without one that fits it is a conflict, and `ours` holds.
    pub(super) fn decide<T>(
        &mut self,
        key: ConflictKey,
        ours: T,
        fit: impl FnOnce(&Choice) -> Option<T>,
        values: impl FnOnce() -> Three<Option<Value>>,
    ) -> T {
        if let Some(chosen) = self.choices.get(&key).and_then(fit) {
            return chosen;
        }
        let Three {
            base,
            ours: our,
            theirs,
        } = values();
        self.conflicts.push(Conflict {
            key,
            base,
            ours: our,
            theirs,
        });
        ours
    }

    /// Decides for one side as a whole.
    pub(super) fn side(
        &mut self,
        key: ConflictKey,
        values: impl FnOnce() -> Three<Option<Value>>,
    ) -> Side {
        let fit = |choice: &Choice| match choice {
            Choice::Ours => Some(Side::Ours),
            Choice::Theirs => Some(Side::Theirs),
            Choice::Base | Choice::Value(_) => None,
        };
        self.decide(key, Side::Ours, fit, values)
    }
    /// Merges a value that both sides have. A value that someone writes must fit.
    pub(super) fn plain<T: Clone + PartialEq + Serialize + DeserializeOwned>(
        &mut self,
        key: impl FnOnce() -> ConflictKey,
        versions: Versions<'_, T>,
        fits: impl Fn(&T) -> bool,
    ) -> T {
        if let Some(merged) = versions.merged_by(T::eq) {
            return merged.clone();
        }
        let Versions { base, ours, theirs } = versions;
        let fit = |choice: &Choice| match choice {
            Choice::Ours => Some(ours.clone()),
            Choice::Theirs => Some(theirs.clone()),
            Choice::Base => base.cloned(),
            Choice::Value(value) => serde_json::from_value(value.clone()).ok().filter(&fits),
        };
        self.decide(key(), ours.clone(), fit, || Three {
            base: base.map(json),
            ours: Some(json(ours)),
            theirs: Some(json(theirs)),
        })
    }
}

/// Returns the JSON of a part of a document.
pub(super) fn json(value: &(impl Serialize + ?Sized)) -> Value {
    serde_json::to_value(value).expect("parts of a document are JSON")
}
