//! Merges the fields of a step or of the trigger, which belong to its kind.
//!
//! Where the two sides have different kinds, kind and fields are one: fields of one kind mean
//! nothing to another. Fields that hold names with values merge entry by entry, texts of several
//! lines line by line.

use serde_json::{Map, Value};

use super::conflict::{Choice, Decisions, json};
use super::key::{ConflictKey, StepPart};
use super::names::Names;
use super::text;
use super::three::{Side, Three, Versions};
use crate::document::Trigger;
use crate::schema::{FieldKind, Schema};
use crate::{StepId, catalog, connector};

/// Whose fields they are.
#[derive(Clone, Copy)]
pub(super) enum Owner {
    Trigger,
    Step(StepId),
}

impl Owner {
    fn schema<'d>(self, kind: &str, declared: Option<&'d Schema>) -> Option<&'d Schema> {
        match self {
            Owner::Trigger => catalog::trigger(kind).map(|kind| &kind.input),
            Owner::Step(_) if kind == connector::STEP => declared,
            Owner::Step(_) => catalog::action(kind).map(|kind| &kind.input),
        }
    }

    fn kind_key(self) -> ConflictKey {
        match self {
            Owner::Trigger => ConflictKey::Trigger,
            Owner::Step(step) => ConflictKey::Step {
                step,
                part: StepPart::Kind,
            },
        }
    }

    fn field_key(self, field: &str, entry: Option<&str>) -> ConflictKey {
        let (field, entry) = (field.to_owned(), entry.map(str::to_owned));
        match self {
            Owner::Trigger => ConflictKey::TriggerField { field, entry },
            Owner::Step(step) => ConflictKey::Step {
                step,
                part: StepPart::Field { field, entry },
            },
        }
    }
}

/// Compares entries in order first, which they mostly have in common: look-ups cost more.
pub(super) fn is_same_map(one: &Map<String, Value>, other: &Map<String, Value>) -> bool {
    one.len() == other.len() && (one.iter().eq(other.iter()) || one == other)
}

/// A kind with its fields.
type Kinded<'a> = (&'a str, &'a Map<String, Value>);

/// Merges the fields of one owner.
pub(super) struct Fields<'m, 'c> {
    pub(super) owner: Owner,
    /// The form of the action that a connector declares, of a step that has one.
    pub(super) declared: Option<&'m Schema>,
    pub(super) names: &'m Names<'m>,
    pub(super) decisions: &'m mut Decisions<'c>,
}

impl Fields<'_, '_> {
    /// Merges kind and fields; a trigger is just that.
    pub(super) fn merged(
        &mut self,
        base: Option<Kinded<'_>>,
        ours: Kinded<'_>,
        theirs: Kinded<'_>,
    ) -> Trigger {
        if ours.0 != theirs.0 {
            return self.one_kind(base, ours, theirs);
        }
        let schema = self.owner.schema(ours.0, self.declared);
        let base = base.map(|(_, config)| config);
        let (kind, ours, theirs) = (ours.0, ours.1, theirs.1);
        let added = theirs.keys().filter(|name| !ours.contains_key(*name));
        let config = ours.keys().chain(added).filter_map(|name| {
            let values = Three {
                base: base.and_then(|base| base.get(name)),
                ours: ours.get(name),
                theirs: theirs.get(name),
            };
            let kind = schema
                .and_then(|schema| schema.field(name))
                .map(|field| &field.kind);
            Some((name.clone(), self.field(name, kind, values)?))
        });
        Trigger {
            config: config.collect(),
            kind: kind.to_owned(),
        }
    }

    fn one_kind(
        &mut self,
        base: Option<Kinded<'_>>,
        ours: Kinded<'_>,
        theirs: Kinded<'_>,
    ) -> Trigger {
        let whole = |(kind, config): Kinded<'_>| Trigger {
            kind: kind.to_owned(),
            config: config.clone(),
        };
        let versions = Versions {
            base: base.as_ref(),
            ours: &ours,
            theirs: &theirs,
        };
        if let Some(merged) = versions.merged_by(Kinded::eq) {
            return whole(*merged);
        }
        let fit = |choice: &Choice| match choice {
            Choice::Ours => Some(whole(ours)),
            Choice::Theirs => Some(whole(theirs)),
            Choice::Base => base.map(whole),
            Choice::Value(value) => serde_json::from_value(value.clone()).ok(),
        };
        let (owner, declared) = (self.owner, self.declared);
        let shown = |(kind, config): Kinded<'_>| {
            let schema = owner.schema(kind, declared);
            let config = self.names.config(config, schema);
            Some(json(&Trigger {
                kind: kind.to_owned(),
                config,
            }))
        };
        let values = || Three {
            base: base.and_then(shown),
            ours: shown(ours),
            theirs: shown(theirs),
        };
        self.decisions
            .decide(self.owner.kind_key(), whole(ours), fit, values)
    }

    fn field(
        &mut self,
        name: &str,
        kind: Option<&FieldKind>,
        values: Three<Option<&Value>>,
    ) -> Option<Value> {
        if let Some(side) = values.merged() {
            return values[side].cloned();
        }
        let maps = values.map(|value| value.map(Value::as_object));
        let is_map = matches!(kind, Some(FieldKind::Map { .. }));
        match maps {
            Three {
                base: Some(Some(_)) | None,
                ours: Some(Some(ours)),
                theirs: Some(Some(theirs)),
            } if is_map || maps.base.is_some() => {
                let added = theirs.keys().filter(|name| !ours.contains_key(*name));
                let entries = ours.keys().chain(added).filter_map(|entry| {
                    let entries = maps.map(|map| map.flatten()?.get(entry));
                    Some((entry.clone(), self.value((name, Some(entry)), entries)?))
                });
                Some(Value::Object(entries.collect()))
            }
            _ => self.value((name, None), values),
        }
    }

    fn value(
        &mut self,
        (field, entry): (&str, Option<&str>),
        values: Three<Option<&Value>>,
    ) -> Option<Value> {
        if let Some(side) = values.merged() {
            return values[side].cloned();
        }
        if let Some(text) = lines(values) {
            return Some(Value::String(text));
        }
        let key = self.owner.field_key(field, entry);
        let shown = |side: Side| values[side].map(|value| self.names.value(value));
        let fit = |choice: &Choice| match choice {
            Choice::Ours => Some(shown(Side::Ours)),
            Choice::Theirs => Some(shown(Side::Theirs)),
            Choice::Base => Some(shown(Side::Base)),
            Choice::Value(value) => Some(Some(value.clone())),
        };
        self.decisions
            .decide(key, values.ours.cloned(), fit, || Three::of(shown))
    }
}

fn lines(values: Three<Option<&Value>>) -> Option<String> {
    text::merged(
        values.base?.as_str()?,
        values.ours?.as_str()?,
        values.theirs?.as_str()?,
    )
}
