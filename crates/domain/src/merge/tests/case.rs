//! Three documents that come from edits such as a person makes, and what their merge is.

use serde_json::{Value, json};

use super::super::*;
use super::outline::{id, lane};
use crate::catalog;
use crate::document::{ErrorPolicy, ListRef, OnError, Place, Trigger};
use crate::edit::{Edit, apply, new_step};

/// Returns a step of the flow under a letter; its slug is its name's.
pub(super) fn add(letter: char, kind: &str, name: &str, config: Value) -> Edit {
    let kind = catalog::action(kind).expect("it is in the catalog");
    let mut lanes = 0;
    let mut step = new_step(kind, id(letter), name, crate::slug::of(name), || {
        lanes += 1;
        lane(lanes)
    });
    for (field, value) in config.as_object().into_iter().flatten() {
        step.config.insert(field.clone(), value.clone());
    }
    let at = Place {
        list: ListRef::Flow,
        index: 0,
    };
    Edit::Insert {
        steps: vec![step],
        at,
    }
}

pub(super) fn set(letter: char, field: &str, value: impl Into<Value>) -> Edit {
    Edit::SetField {
        step: id(letter),
        field: field.to_owned(),
        value: Some(value.into()),
    }
}

pub(super) fn remove(letter: char, field: &str) -> Edit {
    Edit::SetField {
        step: id(letter),
        field: field.to_owned(),
        value: None,
    }
}

pub(super) fn rename(letter: char, name: &str) -> Edit {
    Edit::Rename {
        step: id(letter),
        name: name.to_owned(),
        slug: crate::slug::of(name),
    }
}

pub(super) fn notes(letter: char, notes: &str) -> Edit {
    Edit::SetNotes {
        step: id(letter),
        notes: notes.to_owned(),
    }
}

pub(super) fn policy(letter: char, retries: u8, then: OnError) -> Edit {
    Edit::SetErrorPolicy {
        step: id(letter),
        policy: ErrorPolicy { retries, then },
    }
}

pub(super) fn trigger(kind: &str, config: Value) -> Edit {
    let config = config.as_object().cloned().unwrap_or_default();
    Edit::SetTrigger {
        trigger: Trigger {
            kind: kind.to_owned(),
            config,
        },
    }
}

pub(super) fn edited(document: &Document, edits: &[Edit]) -> Document {
    let mut document = document.clone();
    for edit in edits {
        apply(&mut document, edit).expect("it fits");
    }
    document
}

/// Three documents: what some edits make of an empty one, and of that on each side.
pub(super) struct Case {
    pub(super) base: Document,
    pub(super) ours: Document,
    pub(super) theirs: Document,
}

impl Case {
    pub(super) fn new(base: &[Edit], ours: &[Edit], theirs: &[Edit]) -> Self {
        let base = edited(&Document::new("webhook"), base);
        let (ours, theirs) = (edited(&base, ours), edited(&base, theirs));
        Self { base, ours, theirs }
    }

    /// An HTTP request under the letter `c`, and a step to log under `l`.
    pub(super) fn charge(ours: &[Edit], theirs: &[Edit]) -> Self {
        let config = json!({
            "url": "https://a.example", "method": "POST", "body_type": "text",
            "text": "one\ntwo\nthree\nfour\nfive", "headers": {"Accept": "a", "X-Id": "1"},
        });
        let log = json!({ "message": "{{ steps.charge_card.status }}" });
        let base = [
            add('l', "log", "Log", log),
            add('c', "http.request", "Charge card", config),
        ];
        Self::new(&base, ours, theirs)
    }

    pub(super) fn merge(&self) -> Merged {
        merge(&self.base, &self.ours, &self.theirs)
    }

    /// Returns the merged document; nothing is in conflict, either way round.
    #[track_caller]
    pub(super) fn merged(&self) -> Document {
        let merged = self.merge();
        assert_eq!(merged.conflicts, []);
        assert_eq!(merge(&self.base, &self.theirs, &self.ours), merged);
        merged.document
    }

    pub(super) fn decided(&self, choice: Choice) -> Result<Document, Unresolved> {
        let conflicts = self.merge().conflicts.into_iter();
        let choices = conflicts
            .map(|conflict| (conflict.key, choice.clone()))
            .collect();
        resolve(&self.base, &self.ours, &self.theirs, &choices)
    }

    /// Returns title and description of each conflict.
    pub(super) fn told(&self) -> Vec<(String, String)> {
        let sides = Sides {
            base: &self.base,
            ours: &self.ours,
            theirs: &self.theirs,
            ours_name: "this draft",
            theirs_name: "live",
        };
        let conflicts = self.merge().conflicts;
        let told = conflicts
            .iter()
            .map(|one| (one.title(&sides), one.description(&sides)));
        told.collect()
    }

    #[track_caller]
    pub(super) fn assert_told(&self, expected: &[(&str, &str)]) {
        let told = self.told();
        let told: Vec<(&str, &str)> = told.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        assert_eq!(told, expected);
    }
}

pub(super) fn field<'a>(document: &'a Document, letter: char, field: &str) -> &'a Value {
    document.steps[&id(letter)]
        .config
        .get(field)
        .unwrap_or(&Value::Null)
}
