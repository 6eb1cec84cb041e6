//! Checks one step, or the trigger, by itself: against its schema, and the syntax of its expressions.

use serde_json::{Map, Value};

use super::Problem;
use super::collector::Collector;
use super::value::check_value;
use crate::catalog::{self, Action, Container};
use crate::connector::{self, Declared};
use crate::document::{Step, Trigger};
use crate::schema::Schema;
use crate::{StepId, limit, slug};

/// Checks a step by itself; `id` is the one under which the document keeps it.
pub(super) fn check<'a>(
    found: &mut Collector<'a>,
    id: StepId,
    step: &'a Step,
    action: Option<&'a Action>,
) {
    found.clear();
    found.place.step = Some(id);
    found.place.field = Some("name");
    check_name(found, &step.name, "step");
    if !slug::is_valid(&step.slug) {
        found.say(
            format!("`{}` cannot be used in expressions.", step.slug),
            "Use lower-case letters, digits and underscores, not starting with a digit.",
        );
    }
    if longer(&step.notes, limit::TEXT) {
        found.place.field = Some("notes");
        found.say(
            format!("The notes are longer than {} characters.", limit::TEXT),
            "Shorten them.",
        );
    }
    if step.on_error.retries > 10 {
        found.place.field = Some("retries");
        found.say(
            "A step is retried 10 times at most.",
            "Choose 0 to 10 retries.",
        );
    }
    found.place.field = None;
    match action {
        None if step.kind == connector::STEP => found.say(
            "The step does not say what its connector does.",
            "Delete the step and add the action again.",
        ),
        None => found.say(
            format!("There is no action called `{}`.", step.kind),
            "Delete the step and add another one.",
        ),
        Some(action) => {
            if step.action.is_some() && step.declared().is_none() {
                found.say(
                    "The step carries what a connector declares, but is of another kind.",
                    "Delete the step and add it again.",
                );
            }
            if let Err(faults) = step.action.as_ref().map_or(Ok(()), Declared::check) {
                let fault = faults.first().map(ToString::to_string);
                found.say(
                    format!(
                        "What its connector declares cannot be used: {}",
                        fault.unwrap_or_default()
                    ),
                    "Delete the step and add the action again.",
                );
            }
            let component = step.declared().and_then(Declared::component);
            if component.is_some_and(|needs| found.beyond.lacking.contains(&needs.sha256)) {
                found.say(
                    "The component that runs this step is not there.",
                    "Ask an Admin to import its connector together with the module.",
                );
            }
            check_config(found, &action.input, &step.config);
            check_lanes(found, step, action.container);
        }
    }
}

/// Checks the trigger. Nothing ran before it, so its fields cannot hold expressions.
pub(super) fn check_trigger(trigger: &Trigger, problems: &mut Vec<Problem>) {
    let mut found = Collector::default();
    found.place.field = Some("trigger");
    match catalog::trigger(&trigger.kind) {
        None => found.say(
            format!("There is no trigger called `{}`.", trigger.kind),
            "Choose another trigger.",
        ),
        Some(kind) => {
            found.place.prefix = "trigger.";
            check_config(&mut found, &kind.input, &trigger.config);
            if let Some((_, place)) = found.expressions.first() {
                found.place = *place;
                found.say(
                    "A trigger cannot use expressions.",
                    "Give the value itself.",
                );
            }
        }
    }
    problems.append(&mut found.problems);
}

/// Returns whether a text holds nothing but white space; mostly its first byte tells.
pub(super) fn is_blank(text: &str) -> bool {
    !matches!(text.as_bytes().first(), Some(b'!'..=b'~')) && text.trim_start().is_empty()
}

/// Returns whether a text has more characters than are allowed.
pub(super) fn longer(text: &str, max: usize) -> bool {
    text.len() > max && text.chars().nth(max).is_some()
}

/// Returns whether a value says nothing.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::String(text) => is_blank(text),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

fn check_name(found: &mut Collector<'_>, name: &str, what: &str) {
    if is_blank(name) {
        found.say(format!("The {what} has no name."), "Give it a name.");
    } else if longer(name, limit::NAME) {
        found.say(
            format!("The name is longer than {} characters.", limit::NAME),
            "Shorten it; longer text goes into the notes.",
        );
    }
}

fn check_lanes<'a>(found: &mut Collector<'a>, step: &'a Step, container: Option<Container>) {
    match container {
        None if !step.lanes.is_empty() => {
            found.say(
                "This kind of step holds no lanes.",
                "Delete the step and add it again.",
            );
        }
        Some(Container::Loop) if step.lanes.len() != 1 => {
            found.say(
                "A loop has exactly one lane.",
                "Delete the loop and add it again.",
            );
        }
        Some(Container::Try)
            if step.lanes.len() != 2 || step.lanes.iter().any(|lane| lane.when.is_some()) =>
        {
            found.say(
                "A try has two lanes without conditions: what is tried, and what runs if it fails.",
                "Delete the try and add it again.",
            );
        }
        Some(Container::Branch) => check_branch(found, step),
        Some(Container::Parallel) => check_parallel(found, step),
        _ => {}
    }
}

fn check_parallel<'a>(found: &mut Collector<'a>, step: &'a Step) {
    if step.lanes.is_empty() || step.lanes.len() > limit::LANES {
        found.say(
            format!("A parallel step has 1 to {} lanes.", limit::LANES),
            "Add or delete lanes.",
        );
    }
    for (index, lane) in step.lanes.iter().enumerate() {
        found.place.lane = Some(lane.id);
        found.place.field = Some("name");
        check_name(found, &lane.name, "lane");
        if step.lanes[..index]
            .iter()
            .any(|other| other.name == lane.name)
        {
            found.say(
                format!("Another lane is called `{}`, too.", lane.name),
                "Give it a name of its own: what it gives is found under it.",
            );
        }
        found.place.field = Some("when");
        if lane.when.is_some() {
            found.say(
                format!(
                    "The lane `{}` has a condition, but all lanes run.",
                    lane.name
                ),
                "Delete the lane and add it again, with a branch in it.",
            );
        }
    }
    found.place.lane = None;
    found.place.field = None;
}

fn check_branch<'a>(found: &mut Collector<'a>, step: &'a Step) {
    if step.lanes.is_empty() || step.lanes.len() > limit::LANES {
        found.say(
            format!("A branch has 1 to {} lanes.", limit::LANES),
            "Add or delete lanes.",
        );
    }
    for (index, lane) in step.lanes.iter().enumerate() {
        found.place.lane = Some(lane.id);
        found.place.field = Some("name");
        check_name(found, &lane.name, "lane");
        found.place.field = Some("when");
        match lane.when.as_deref() {
            None if index + 1 < step.lanes.len() => found.say(
                format!("The else lane `{}` is not the last one.", lane.name),
                "Move it behind the others, or give it a condition.",
            ),
            None => {}
            Some(when) if when.trim().is_empty() => found.say(
                format!("The lane `{}` has no condition.", lane.name),
                "Write when it runs, such as trigger.body.total > 100.",
            ),
            Some(when) => found.condition(when),
        }
    }
    found.place.lane = None;
    found.place.field = None;
}

fn check_config<'a>(found: &mut Collector<'a>, schema: &'a Schema, config: &'a Map<String, Value>) {
    let mut values = std::mem::take(&mut found.values);
    values.clear();
    values.resize(schema.fields.len(), None);
    let mut unknown: Vec<&str> = Vec::new();
    let mut next = 0;
    for (name, value) in config {
        // Values mostly come in the order of the fields.
        let fields = schema.fields[next..].iter().chain(&schema.fields[..next]);
        match fields.zip(0..).find(|(field, _)| field.name == *name) {
            Some((_, after)) => {
                let index = (next + after) % schema.fields.len();
                values[index] = Some(value);
                next = (index + 1) % schema.fields.len();
            }
            None => unknown.push(name.as_str()),
        }
    }
    // In an order of their own: equal configurations have equal problems.
    unknown.sort_unstable();
    for name in unknown {
        found.place.field = Some(name);
        found.say(
            format!("There is no field called `{name}` here."),
            "Remove it.",
        );
    }
    for (number, (field, value)) in schema.fields.iter().zip(&values).enumerate() {
        let applies = schema.applies(number, &values);
        // What an expression decides may be sent: what is written there has to be right.
        if !applies && !schema.may_apply(number, &values) {
            continue;
        }
        found.place.field = Some(&field.name);
        match value {
            None | Some(Value::Null) if field.required && applies => {
                found.say(format!("{} is missing.", field.title), "Fill it in.");
            }
            None | Some(Value::Null) => {}
            Some(value) if !applies && is_empty(value) => {}
            Some(value) => check_value(found, field, value),
        }
        found.place.entry = None;
    }
    found.place.field = None;
    found.values = values;
}
