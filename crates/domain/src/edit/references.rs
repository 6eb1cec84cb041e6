//! Rewriting of what steps refer to: renames that references follow, and steps that go elsewhere.

use serde_json::{Map, Value};

use crate::catalog;
use crate::document::{Step, Trigger};
use crate::schema::{FieldKind, Schema};
use crate::template::{Rename, renamed_text};

/// Returns the text as it shall be, or `None` when it stays as it is. The flag says that all of it
/// is an expression: a condition.
pub(crate) type Rewrite<'a> = &'a dyn Fn(&str, bool) -> Option<String>;

/// Returns the step with its references renamed, or `None` when none of them is.
pub(crate) fn renamed(step: &Step, rename: &Rename<'_>) -> Option<Step> {
    rewritten(step, &|text, is_condition| {
        renamed_text(text, is_condition, rename)
    })
}

/// Returns the step with its texts rewritten, or `None` when all of them stay.
pub(crate) fn rewritten(step: &Step, rewrite: Rewrite<'_>) -> Option<Step> {
    let schema = step.action().map(|action| &action.input);
    let config = rewrite_in_config(&step.config, schema, rewrite);
    let lanes = step
        .lanes
        .iter()
        .map(|lane| lane.when.as_deref().and_then(|when| rewrite(when, true)));
    let lanes: Vec<Option<String>> = lanes.collect();
    if config.is_none() && lanes.iter().all(Option::is_none) {
        return None;
    }
    let mut step = step.clone();
    if let Some(config) = config {
        step.config = config;
    }
    for (lane, when) in step.lanes.iter_mut().zip(lanes) {
        if when.is_some() {
            lane.when = when;
        }
    }
    Some(step)
}

/// Returns whether a step may refer to one of the slugs: a glance, without reading it.
pub(crate) fn concern(step: &Step, rename: &Rename<'_>) -> bool {
    let whens = step.lanes.iter().filter_map(|lane| lane.when.as_deref());
    step.config
        .values()
        .any(|value| concern_value(value, rename))
        || whens.into_iter().any(|when| rename.concerns(when))
}

fn concern_value(value: &Value, rename: &Rename<'_>) -> bool {
    match value {
        Value::String(text) => rename.concerns(text),
        Value::Array(items) => items.iter().any(|item| concern_value(item, rename)),
        Value::Object(map) => map.values().any(|item| concern_value(item, rename)),
        _ => false,
    }
}

/// Returns the trigger with references rewritten; triggers run before every step, so only a
/// mistaken reference can be there, and it follows all the same.
pub(crate) fn renamed_trigger(trigger: &Trigger, rename: &Rename<'_>) -> Option<Trigger> {
    let schema = catalog::trigger(&trigger.kind).map(|kind| &kind.input);
    let config = rename_in_config(&trigger.config, schema, rename)?;
    Some(Trigger {
        kind: trigger.kind.clone(),
        config,
    })
}

/// Returns the fields with their references renamed, or `None` when none of them is.
pub(crate) fn rename_in_config(
    config: &Map<String, Value>,
    schema: Option<&Schema>,
    rename: &Rename<'_>,
) -> Option<Map<String, Value>> {
    let rename = |text: &str, is_condition: bool| renamed_text(text, is_condition, rename);
    rewrite_in_config(config, schema, &rename)
}

/// Returns a value with its references renamed, or `None` when none of them is.
pub(crate) fn rename_in_value(
    value: &Value,
    rename: &Rename<'_>,
    is_condition: bool,
) -> Option<Value> {
    let rename = |text: &str, is_condition: bool| renamed_text(text, is_condition, rename);
    rewrite_in_value(value, &rename, is_condition)
}

fn rewrite_in_config(
    config: &Map<String, Value>,
    schema: Option<&Schema>,
    rewrite: Rewrite<'_>,
) -> Option<Map<String, Value>> {
    let mut rewritten = None;
    for (name, value) in config {
        let kind = schema.and_then(|schema| Some(&schema.field(name)?.kind));
        if kind.is_some_and(|kind| !kind.takes_expressions()) {
            continue;
        }
        let is_condition = kind == Some(&FieldKind::Condition);
        if let Some(value) = rewrite_in_value(value, rewrite, is_condition) {
            rewritten
                .get_or_insert_with(|| config.clone())
                .insert(name.clone(), value);
        }
    }
    rewritten
}

fn rewrite_in_value(value: &Value, rewrite: Rewrite<'_>, is_condition: bool) -> Option<Value> {
    match value {
        Value::String(text) => rewrite(text, is_condition).map(Value::String),
        Value::Array(items) => {
            let mut rewritten = None;
            for (index, item) in items.iter().enumerate() {
                if let Some(item) = rewrite_in_value(item, rewrite, false) {
                    rewritten.get_or_insert_with(|| items.clone())[index] = item;
                }
            }
            rewritten.map(Value::Array)
        }
        Value::Object(map) => {
            let mut rewritten = None;
            for (key, item) in map {
                if let Some(item) = rewrite_in_value(item, rewrite, false) {
                    rewritten
                        .get_or_insert_with(|| map.clone())
                        .insert(key.clone(), item);
                }
            }
            rewritten.map(Value::Object)
        }
        _ => None,
    }
}
