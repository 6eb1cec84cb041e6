//! Compares two documents value by value.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::field::{Field, value_of_lane};
use super::pair::{Item, Pair};
use super::{Changes, FieldChange, Moved, StepChange, What};
use crate::catalog;
use crate::connector::Declared;
use crate::document::{ErrorPolicy, Settings, Step, Trigger};
use crate::edit::rename_in_value;
use crate::schema::{self, FieldKind, Schema};
use crate::template::Rename;
use crate::{Document, StepId};

/// Most renamed slugs that texts are searched for before they are read.
const FEW: usize = 8;

impl Changes {
    /// Compares two documents: `before` with what it became.
    pub fn between(before: &Document, after: &Document) -> Self {
        let pair = Pair::new(before, after);
        let (differ, renames) = differing_steps(&pair);
        let mut steps = Vec::new();
        pair.read(|_, item| {
            let Item::Step { before, after } = item else {
                return;
            };
            steps.extend(match (before, after) {
                (Some(old), Some(new)) if differ[new] => kept(&pair, old, new, &renames),
                (Some(old), None) => {
                    let step = pair.before.step(old);
                    Some(whole(pair.before.id(old), step, What::Deleted))
                }
                (None, Some(new)) => {
                    let step = pair.after.step(new);
                    Some(whole(pair.after.id(new), step, What::Added))
                }
                _ => None,
            });
        });
        Self {
            trigger: trigger(&before.trigger, &after.trigger, &renames),
            settings: settings(&before.settings, &after.settings),
            steps,
        }
    }
}

/// Returns for each step of the later document whether it was there and differs, and all renames.
/// Goes through the steps in the order of their ids: so they lie in memory, mostly.
fn differing_steps<'a>(pair: &Pair<'a>) -> (Vec<bool>, Renames<'a>) {
    let mut differ = vec![false; pair.after.count()];
    let mut slugs = BTreeMap::new();
    for old in 0..pair.before.count() {
        let Some(new) = pair.to_after.get(old) else {
            continue;
        };
        let (before, after) = (pair.before.step(old), pair.after.step(new));
        if before.slug != after.slug {
            slugs.insert(before.slug.as_str(), after.slug.as_str());
        }
        differ[new] = !pair.stays[new] || !is_untouched(before, after);
    }
    (differ, Renames::of(slugs))
}

/// Returns whether two steps are the same, apart from where they and the steps inside them stand.
fn is_untouched(before: &Step, after: &Step) -> bool {
    before.name == after.name
        && before.slug == after.slug
        && before.kind == after.kind
        && before.action == after.action
        && before.notes == after.notes
        && before.on_error == after.on_error
        && differing(&before.config, &after.config).is_empty()
        && before.lanes.len() == after.lanes.len()
        && before
            .lanes
            .iter()
            .zip(&after.lanes)
            .all(|(before, after)| {
                before.id == after.id && before.name == after.name && before.when == after.when
            })
}

/// The slugs that changed, old to new.
pub(super) struct Renames<'a> {
    slugs: BTreeMap<&'a str, &'a str>,
    few: Vec<&'a str>,
}

impl<'a> Renames<'a> {
    pub(super) fn new(pair: &Pair<'a>) -> Self {
        differing_steps(pair).1
    }

    fn of(slugs: BTreeMap<&'a str, &'a str>) -> Self {
        let few = if slugs.len() > FEW {
            Vec::new()
        } else {
            slugs.keys().copied().collect()
        };
        Self { slugs, few }
    }

    fn none() -> Self {
        Self {
            slugs: BTreeMap::new(),
            few: Vec::new(),
        }
    }

    /// Returns a value with its references following, or `None` when there are none to follow.
    pub(super) fn follow(&self, value: &Value, is_condition: bool) -> Option<Value> {
        if self.slugs.is_empty() {
            return None;
        }
        let of = |slug: &str| self.slugs.get(slug).copied();
        let rename = Rename {
            among: &self.few,
            of: &of,
        };
        rename_in_value(value, &rename, is_condition)
    }

    /// Returns whether references that follow are all that differs.
    fn explain(&self, before: &Value, after: &Value, is_condition: bool) -> bool {
        let followed = self.follow(before, is_condition);
        followed.is_some_and(|value| is_same(&value, after))
    }
}

/// Collects the values that differ.
#[derive(Default)]
struct Fields(Vec<FieldChange>);

impl Fields {
    fn add(
        &mut self,
        field: Field,
        before: Option<Value>,
        after: Option<Value>,
    ) -> &mut FieldChange {
        self.0.push(FieldChange {
            field,
            before,
            after,
            lane_moved: None,
            follows_rename: false,
            minor: false,
        });
        self.0.last_mut().expect("one was just put in")
    }

    fn texts(&mut self, field: impl Fn() -> Field, before: &str, after: &str) {
        if before != after {
            self.add(field(), Some(json!(before)), Some(json!(after)));
        }
    }

    fn notes(&mut self, before: &str, after: &str) {
        if before != after {
            let value = |text: &str| (!text.is_empty()).then(|| json!(text));
            self.add(Field::notes(), value(before), value(after));
        }
    }
}

/// Returns what happened to a step that is in both documents, if anything.
fn kept(pair: &Pair<'_>, old: usize, new: usize, renames: &Renames<'_>) -> Option<StepChange> {
    let moved = match (pair.before.spot(old), pair.after.spot(new)) {
        (Some(from), Some(to)) if !pair.stays[new] => Some(Moved {
            from: pair.before.place(from),
            to: pair.after.place(to),
        }),
        _ => None,
    };
    let (before, after) = (pair.before.step(old), pair.after.step(new));
    let mut fields = Fields::default();
    fields.texts(Field::name, &before.name, &after.name);
    fields.texts(Field::slug, &before.slug, &after.slug);
    fields.texts(Field::kind, &before.kind, &after.kind);
    actions(&mut fields, before.action.as_ref(), after.action.as_ref());
    let sides = [before, after].map(|step| Side {
        schema: step.action().map(|action| &action.input),
        config: &step.config,
        is_new: before.kind != after.kind,
    });
    configs(&mut fields, &sides, renames);
    lanes(&mut fields, pair, old, new, renames);
    policies(&mut fields, before.on_error, after.on_error);
    fields.notes(&before.notes, &after.notes);
    (moved.is_some() || !fields.0.is_empty()).then(|| StepChange {
        id: pair.after.id(new),
        what: What::Kept,
        moved,
        fields: fields.0,
    })
}

/// Returns a step that came or went.
fn whole(id: StepId, step: &Step, what: What) -> StepChange {
    let nothing = Map::new();
    let schema = step.action().map(|action| &action.input);
    let side = |config| Side {
        schema,
        config,
        is_new: true,
    };
    let mut fields = Fields::default();
    match what {
        What::Deleted => {
            actions(&mut fields, step.action.as_ref(), None);
            configs(
                &mut fields,
                &[side(&step.config), side(&nothing)],
                &Renames::none(),
            );
            policies(&mut fields, step.on_error, ErrorPolicy::default());
            fields.notes(&step.notes, "");
        }
        What::Added | What::Kept => {
            actions(&mut fields, None, step.action.as_ref());
            configs(
                &mut fields,
                &[side(&nothing), side(&step.config)],
                &Renames::none(),
            );
            policies(&mut fields, ErrorPolicy::default(), step.on_error);
            fields.notes("", &step.notes);
        }
    }
    for field in &mut fields.0 {
        // A policy like everyone's is not told, and no other policy has something before it.
        match what {
            What::Deleted => field.after = None,
            What::Added | What::Kept => field.before = None,
        }
    }
    StepChange {
        id,
        what,
        moved: None,
        fields: fields.0,
    }
}

fn trigger(before: &Trigger, after: &Trigger, renames: &Renames<'_>) -> Vec<FieldChange> {
    let mut fields = Fields::default();
    fields.texts(Field::kind, &before.kind, &after.kind);
    let sides = [before, after].map(|trigger| Side {
        schema: catalog::trigger(&trigger.kind).map(|kind| &kind.input),
        config: &trigger.config,
        is_new: before.kind != after.kind,
    });
    configs(&mut fields, &sides, renames);
    fields.0
}

fn settings(before: &Settings, after: &Settings) -> Vec<FieldChange> {
    let mut fields = Fields::default();
    if before.time_limit_seconds != after.time_limit_seconds {
        let value = |settings: &Settings| Some(json!(settings.time_limit_seconds));
        fields.add(Field::time_limit(), value(before), value(after));
    }
    fields.0
}

fn actions(fields: &mut Fields, before: Option<&Declared>, after: Option<&Declared>) {
    if before != after {
        fields.add(
            Field::action(),
            before.map(Declared::json),
            after.map(Declared::json),
        );
    }
}

fn policies(fields: &mut Fields, before: ErrorPolicy, after: ErrorPolicy) {
    if before.retries != after.retries {
        fields.add(
            Field::retries(),
            Some(json!(before.retries)),
            Some(json!(after.retries)),
        );
    }
    if before.then != after.then {
        fields.add(
            Field::then(),
            Some(json!(before.then)),
            Some(json!(after.then)),
        );
    }
}

/// A configuration with what the catalog says of it.
struct Side<'a> {
    schema: Option<&'a Schema>,
    config: &'a Map<String, Value>,
    /// The other side is of another kind, or nothing.
    is_new: bool,
}

impl<'a> Side<'a> {
    fn field(&self, name: &str) -> Option<&'a schema::Field> {
        self.schema.and_then(|schema| schema.field(name))
    }

    /// Returns whether nobody has to read the value, whatever it is on the other side.
    fn is_minor(&self, name: &str) -> bool {
        let (Some(schema), Some(value)) = (self.schema, self.config.get(name)) else {
            return !self.config.contains_key(name);
        };
        let Some(field) = schema.field(name) else {
            return false;
        };
        is_hidden(schema, field, self.config)
            || is_blank(&field.kind, value)
            || self.is_new && !field.required && field.default.as_ref() == Some(value)
    }
}

/// Returns whether another field says for sure that this one has no effect: with one of its
/// choices, not with an expression, nor by not being there.
pub(super) fn is_hidden(
    schema: &Schema,
    field: &schema::Field,
    config: &Map<String, Value>,
) -> bool {
    let Some((other, _)) = &field.show_when else {
        return false;
    };
    let chosen = config.get(other).and_then(Value::as_str);
    let is_choice = |chosen: &str| match schema.field(other).map(|field| &field.kind) {
        Some(FieldKind::Choice(options)) => options.iter().any(|(option, _)| option == chosen),
        _ => false,
    };
    chosen.is_some_and(is_choice) && !field.applies(config)
}

/// Returns whether a value says as little as none.
fn is_blank(kind: &FieldKind, value: &Value) -> bool {
    match (kind, value) {
        (FieldKind::Map { .. }, Value::Object(map)) => map.is_empty(),
        (
            FieldKind::Text { .. }
            | FieldKind::Code(_)
            | FieldKind::Connection
            | FieldKind::Integration,
            Value::String(text),
        ) => text.is_empty(),
        (
            FieldKind::Map { .. }
            | FieldKind::Text { .. }
            | FieldKind::Code(_)
            | FieldKind::Connection
            | FieldKind::Integration,
            Value::Null,
        ) => true,
        _ => false,
    }
}

/// Compares two configurations; fields come in the order of a form, unknown ones by name.
fn configs(fields: &mut Fields, sides: &[Side<'_>; 2], renames: &Renames<'_>) {
    let [before, after] = sides;
    let mut names = differing(before.config, after.config);
    if names.len() > 1 {
        let rank = |side: &Side<'_>, name: &str| {
            let fields = side.schema.map_or(&[][..], |schema| &schema.fields);
            fields
                .iter()
                .position(|field| field.name == name)
                .unwrap_or(usize::MAX)
        };
        names.sort_by_cached_key(|name| (rank(after, name), rank(before, name), name.to_owned()));
    }
    for name in names {
        let (old, new) = (before.config.get(name), after.config.get(name));
        let minor = before.is_minor(name) && after.is_minor(name);
        let kind = after.field(name).map(|field| &field.kind);
        let is_condition = kind == Some(&FieldKind::Condition);
        // In code, braces refer to nothing, so that no rename explains what differs.
        let can_follow = kind.is_none_or(FieldKind::takes_expressions);
        let follows = can_follow
            && old
                .zip(new)
                .is_some_and(|(old, new)| renames.explain(old, new, is_condition));
        let change = fields.add(Field::config(name), old.cloned(), new.cloned());
        change.follows_rename = follows;
        change.minor = minor;
    }
}

/// Returns the keys whose values differ, or that only one of the maps has.
pub(super) fn differing<'a>(
    before: &'a Map<String, Value>,
    after: &'a Map<String, Value>,
) -> Vec<&'a str> {
    if in_step(before, after) {
        let both = before.iter().zip(after.values());
        let differ = both.filter(|((_, one), other)| !is_same(one, other));
        return differ.map(|((name, _), _)| name.as_str()).collect();
    }
    let changed = before
        .iter()
        .filter(|(name, value)| !after.get(*name).is_some_and(|other| is_same(value, other)));
    let new = after.keys().filter(|name| !before.contains_key(*name));
    changed
        .map(|(name, _)| name.as_str())
        .chain(new.map(String::as_str))
        .collect()
}

/// Returns whether two maps have the same keys in the same order, as they mostly do: nothing has
/// to be looked up then.
fn in_step(one: &Map<String, Value>, other: &Map<String, Value>) -> bool {
    one.len() == other.len() && one.keys().eq(other.keys())
}

/// Returns whether two values are the same in canonical JSON.
pub(super) fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) if in_step(one, other) => one
            .values()
            .zip(other.values())
            .all(|(one, other)| is_same(one, other)),
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .all(|(name, value)| other.get(name).is_some_and(|other| is_same(value, other)))
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .zip(other)
                    .all(|(one, other)| is_same(one, other))
        }
        // Zero with a sign is another text, though it is equal.
        (Value::Number(one), Value::Number(other)) if one.is_f64() && other.is_f64() => {
            one.as_f64().map(f64::to_bits) == other.as_f64().map(f64::to_bits)
        }
        _ => one == other,
    }
}

/// Compares the lanes of a step; the steps in them are compared elsewhere.
fn lanes(fields: &mut Fields, pair: &Pair<'_>, old: usize, new: usize, renames: &Renames<'_>) {
    for list in pair.after.lanes(new) {
        let Some(after) = pair.after.lane(list) else {
            continue;
        };
        let id = after.id;
        let before = pair
            .list_to_before
            .get(list)
            .and_then(|list| Some((list, pair.before.lane(list)?)));
        let Some((was, before)) = before else {
            fields.add(Field::lane(id), None, Some(value_of_lane(after)));
            continue;
        };
        if !pair.lane_stays[list] {
            let [was_it, is_it] = [before, after].map(|lane| Some(value_of_lane(lane)));
            let (was, is) = (
                was - pair.before.lanes(old).start,
                list - pair.after.lanes(new).start,
            );
            fields.add(Field::lane(id), was_it, is_it).lane_moved = Some((was, is));
        }
        fields.texts(|| Field::lane_name(id), &before.name, &after.name);
        if before.when != after.when {
            let [old, new] = [before, after].map(|lane| lane.when.as_ref().map(|when| json!(when)));
            let follows = old
                .as_ref()
                .zip(new.as_ref())
                .is_some_and(|(old, new)| renames.explain(old, new, true));
            fields.add(Field::lane_when(id), old, new).follows_rename = follows;
        }
    }
    for list in pair.before.lanes(old) {
        if pair.list_to_after.get(list).is_none()
            && let Some(before) = pair.before.lane(list)
        {
            fields.add(Field::lane(before.id), Some(value_of_lane(before)), None);
        }
    }
}
