//! What a row about one field says: its label, its values before and after, how to draw them.

use domain::change::{self, Entry, Field, FieldChange, Part, Segment, Target};
use domain::connector::Declared;
use domain::document::{Document, OnError};
use domain::schema::{FieldKind, Schema};
use domain::{LaneId, catalog};
use serde_json::Value;

use super::comparison::Comparison;

/// Most entries that are drawn one by one; a field with more is drawn as a whole.
const ENTRIES: usize = 200;

/// How values are drawn.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Shape {
    /// Words for people.
    Prose,
    /// A text for the machine, with expressions.
    Code,
    /// One of a few values: each with its label.
    Choice(Vec<(String, String)>),
    /// Names with values.
    Map,
    /// Any JSON.
    Json,
    /// A connection, shown by its name.
    Connection,
    /// An integration that is called, shown by its name.
    Integration,
    /// A lane: its name and condition.
    Lane,
}

/// One field of a target in a comparison.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FieldLook {
    /// Its label.
    pub(crate) title: String,
    /// How its values are drawn.
    pub(crate) shape: Shape,
    /// What it was.
    pub(crate) before: Option<Value>,
    /// What it is.
    pub(crate) after: Option<Value>,
    /// Whether the comparison lists it.
    pub(crate) is_changed: bool,
    /// A remark under the label: why nobody has to read it, where a lane was moved.
    pub(crate) remark: Option<String>,
}

impl FieldLook {
    /// Returns what a comparison says about a field.
    pub(crate) fn of(comparison: &Comparison, target: Target, field: &Field) -> Self {
        let change = comparison.fields(target).iter().find(|c| c.field == *field);
        let (before, after) = match change {
            Some(change) => (change.before.clone(), change.after.clone()),
            None => {
                let value = |document: &Document| change::value(document, target, field);
                (value(&comparison.before), value(&comparison.after))
            }
        };
        let (before, after) = match (field.part(), before, after) {
            // What an added or deleted step sends is told, not spelled out in JSON.
            (Part::Action, None, Some(after)) => (None, told(&after)),
            (Part::Action, Some(before), None) => (told(&before), None),
            (_, before, after) => (before, after),
        };
        Self {
            title: title(comparison, target, field),
            shape: shape(comparison, target, field, [&before, &after]),
            before,
            after,
            is_changed: change.is_some(),
            remark: change.and_then(remark),
        }
    }

    /// Returns what is said about one entry of the field.
    pub(crate) fn of_entry(&self, entry: &Entry) -> Self {
        let find = |value: &Option<Value>| entry.find(value.as_ref()?).cloned();
        let (before, after) = (find(&self.before), find(&self.after));
        let is_structure = |value: &Option<Value>| value.as_ref().is_some_and(is_tree);
        Self {
            title: format!("{}, “{entry}”", self.title),
            shape: if is_structure(&before) || is_structure(&after) {
                Shape::Json
            } else {
                Shape::Code
            },
            is_changed: before != after,
            before,
            after,
            remark: None,
        }
    }

    /// Returns the entries that the field is drawn by, in order; `None` when it is drawn as a
    /// whole. A map by its names, JSON by the parts that differ or, when it is new, gone or the
    /// same, by what it holds directly; of `wanted`, those that are there besides.
    pub(crate) fn entries(&self, wanted: &[Entry]) -> Option<Vec<Entry>> {
        let is_tree = |value: &Option<Value>| value.as_ref().is_none_or(is_tree);
        if !is_tree(&self.before) || !is_tree(&self.after) {
            return None;
        }
        let mut all: Vec<Entry> = match (&self.shape, &self.before, &self.after) {
            (Shape::Json, Some(before), Some(after)) if before != after => {
                let changes = change::json(before, after).into_iter();
                changes
                    .map(|change| Entry::at(change.path))
                    .collect::<Option<_>>()?
            }
            (Shape::Map | Shape::Json, before, after) => {
                let sides = [after, before].into_iter().flatten();
                let mut all: Vec<Entry> = Vec::new();
                for entry in sides.flat_map(inside) {
                    if !all.contains(&entry) {
                        all.push(entry);
                    }
                }
                all
            }
            _ => return None,
        };
        for entry in wanted {
            if !all.contains(entry) && self.of_entry(entry).is_somewhere() {
                all.push(entry.clone());
            }
        }
        (1..=ENTRIES).contains(&all.len()).then_some(all)
    }

    /// Returns whether there is a value on one side.
    pub(crate) fn is_somewhere(&self) -> bool {
        self.before.is_some() || self.after.is_some()
    }

    /// Returns the value as a person types it, to start a suggestion from.
    pub(crate) fn typed(&self) -> String {
        self.after.as_ref().map(plain).unwrap_or_default()
    }

    /// Reads what was typed as a value of this field.
    ///
    /// # Errors
    /// What keeps it from being one, in a sentence.
    pub(crate) fn read(&self, typed: &str) -> Result<Value, String> {
        let is_number = self.after.as_ref().is_some_and(Value::is_number);
        let json = || serde_json::from_str::<Value>(typed);
        match &self.shape {
            Shape::Map => match json() {
                Ok(value) if value.is_object() => Ok(value),
                Ok(_) => Err("This must be names with values, in braces.".to_owned()),
                Err(error) => Err(format!("This is not JSON yet: {error}.")),
            },
            Shape::Json if self.after.as_ref().is_some_and(Value::is_string) => {
                Ok(Value::from(typed))
            }
            Shape::Json => json().map_err(|error| format!("This is not JSON yet: {error}.")),
            _ if is_number => {
                let number = json().ok().filter(Value::is_number);
                Ok(number.unwrap_or_else(|| Value::from(typed)))
            }
            _ => Ok(match typed.trim() {
                "true" if self.after.as_ref().is_some_and(Value::is_boolean) => Value::Bool(true),
                "false" if self.after.as_ref().is_some_and(Value::is_boolean) => Value::Bool(false),
                _ => Value::from(typed),
            }),
        }
    }
}

/// Returns what a value holds directly.
fn inside(value: &Value) -> Vec<Entry> {
    match value {
        Value::Object(entries) => entries.keys().map(Entry::named).collect(),
        Value::Array(items) => (0..items.len())
            .filter_map(|index| Entry::at(vec![Segment::Index(index)]))
            .collect(),
        _ => Vec::new(),
    }
}

fn is_tree(value: &Value) -> bool {
    value.is_object() || value.is_array()
}

fn remark(change: &FieldChange) -> Option<String> {
    if let Some((from, to)) = change.lane_moved {
        return Some(format!(
            "Moved from place {} to place {}.",
            from + 1,
            to + 1
        ));
    }
    if change.follows_rename {
        return Some("Only follows a step that was renamed.".to_owned());
    }
    None
}

/// Returns what the request is that a connector declares.
fn told(declared: &Value) -> Option<Value> {
    let declared: Declared = serde_json::from_value(declared.clone()).ok()?;
    Some(Value::from(declared.told()))
}

fn title(comparison: &Comparison, target: Target, field: &Field) -> String {
    let declared = comparison.action_of(target).map(|action| &action.input);
    let declared = match field.part() {
        Part::Config(name) => declared.and_then(|schema| schema.field(name)),
        _ => None,
    };
    let title = match declared {
        Some(declared) => declared.title.clone(),
        None => field.title(comparison.kind_of(target)),
    };
    let lane = |id: LaneId| match target {
        Target::Step(step) => comparison.lane(step, id).map(|lane| lane.name.clone()),
        _ => None,
    };
    match field.part() {
        Part::LaneWhen(id) => match lane(id) {
            Some(name) => format!("Condition of lane “{name}”"),
            None => title,
        },
        Part::Lane(id) => match lane(id) {
            Some(name) => format!("Lane “{name}”"),
            None => title,
        },
        _ => title,
    }
}

fn schema(comparison: &Comparison, target: Target) -> Option<&Schema> {
    let action = comparison.action_of(target).map(|action| &action.input);
    let trigger = || catalog::trigger(comparison.kind_of(target)).map(|trigger| &trigger.input);
    action.or_else(trigger)
}

fn shape(
    comparison: &Comparison,
    target: Target,
    field: &Field,
    values: [&Option<Value>; 2],
) -> Shape {
    let is_structure =
        |value: &&Option<Value>| matches!(value, Some(Value::Object(_) | Value::Array(_)));
    match field.part() {
        Part::Action if values.iter().any(is_structure) => Shape::Json,
        Part::Name | Part::Notes | Part::LaneName(_) => Shape::Prose,
        Part::Kind => Shape::Choice(kinds()),
        Part::Then => Shape::Choice(
            [
                (OnError::Stop, "The run fails"),
                (OnError::Continue, "The run goes on"),
            ]
            .into_iter()
            .filter_map(|(then, label)| {
                let value = serde_json::to_value(then).ok()?;
                Some((value.as_str()?.to_owned(), label.to_owned()))
            })
            .collect(),
        ),
        Part::Lane(_) => Shape::Lane,
        Part::Config(name) => {
            let declared = schema(comparison, target).and_then(|schema| schema.field(name));
            match declared.map(|declared| &declared.kind) {
                Some(FieldKind::Choice(options)) => Shape::Choice(options.clone()),
                Some(FieldKind::Map { .. }) => Shape::Map,
                Some(FieldKind::Json) => Shape::Json,
                Some(FieldKind::Connection) => Shape::Connection,
                Some(FieldKind::Integration) => Shape::Integration,
                _ if values.iter().any(is_structure) => Shape::Json,
                _ => Shape::Code,
            }
        }
        _ => Shape::Code,
    }
}

fn kinds() -> Vec<(String, String)> {
    let actions = catalog::actions().iter();
    let actions = actions.map(|action| (action.key.clone(), action.title.clone()));
    let triggers = catalog::triggers().iter();
    actions
        .chain(triggers.map(|trigger| (trigger.key.clone(), trigger.title.clone())))
        .collect()
}

/// Returns a text as it is, anything else as JSON with line breaks.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => serde_json::to_string_pretty(other).unwrap_or_default(),
    }
}

/// Returns the fields of a target that its card lists: those that differ, then those in `wanted`
/// (threads hang there); all that have a value, when `all` is set.
pub(crate) fn listed(
    comparison: &Comparison,
    target: Target,
    all: bool,
    wanted: Vec<Field>,
) -> Vec<Field> {
    let changes = comparison.fields(target).iter();
    let changes =
        changes.filter(|change| all || !change.is_quiet() || wanted.contains(&change.field));
    let mut fields: Vec<Field> = changes.map(|change| change.field.clone()).collect();
    let mut add = |field: Field| {
        if !fields.contains(&field) {
            fields.push(field);
        }
    };
    wanted.into_iter().for_each(&mut add);
    if all {
        let has_value = |field: &Field| {
            let in_document =
                |document: &Document| change::value(document, target, field).is_some();
            in_document(&comparison.after) || in_document(&comparison.before)
        };
        whole(comparison, target)
            .into_iter()
            .filter(has_value)
            .for_each(add);
    }
    fields
}

/// Returns all fields that a target can have, in the order of its form.
fn whole(comparison: &Comparison, target: Target) -> Vec<Field> {
    let config = schema(comparison, target)
        .map(|schema| schema.fields.as_slice())
        .unwrap_or_default();
    let config = config.iter().map(|field| Field::config(&field.name));
    match target {
        Target::Trigger => std::iter::once(Field::kind()).chain(config).collect(),
        Target::Settings => vec![Field::time_limit()],
        Target::Step(id) => {
            let lanes = comparison
                .step(id)
                .map(|step| step.lanes.clone())
                .unwrap_or_default();
            let conditions = lanes.into_iter().filter(|lane| lane.when.is_some());
            let conditions = conditions.map(|lane| Field::lane_when(lane.id));
            let rest = [
                Field::slug(),
                Field::retries(),
                Field::then(),
                Field::notes(),
            ];
            config.chain(conditions).chain(rest).collect()
        }
    }
}

/// Returns how many fields of a target differ in ways that nobody has to read.
pub(crate) fn quiet(comparison: &Comparison, target: Target) -> usize {
    let fields = comparison.fields(target).iter();
    fields.filter(|change| change.is_quiet()).count()
}
