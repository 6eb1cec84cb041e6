//! The values of a conflict: in words to read, and as text to write.

use domain::document::ListRef;
use domain::merge::{Conflict, ConflictKey, LanePart, Sides, StepPart};
use domain::{StepId, catalog};
use serde_json::Value;

/// Returns a side of a conflict in words.
pub(super) fn words(key: &ConflictKey, value: Option<&Value>, sides: &Sides<'_>) -> String {
    let part = match key {
        ConflictKey::Step { part, .. } => Some(part),
        _ => None,
    };
    let Some(value) = value else {
        return match part {
            Some(
                StepPart::Presence
                | StepPart::Lane {
                    part: LanePart::Presence,
                    ..
                },
            ) => "(deleted)".to_owned(),
            _ => "(not set)".to_owned(),
        };
    };
    match (key, part) {
        (ConflictKey::FlowOrder, _)
        | (
            _,
            Some(StepPart::Lane {
                part: LanePart::Order,
                ..
            }),
        ) => order(value, sides),
        (ConflictKey::Trigger, _) | (_, Some(StepPart::Kind)) => kind(value),
        (_, Some(StepPart::Place)) => place(value, sides),
        (_, Some(StepPart::Circle)) => circle(value, sides),
        (_, Some(StepPart::LaneOrder)) => lanes(key, value, sides),
        (
            _,
            Some(
                StepPart::Presence
                | StepPart::Lane {
                    part: LanePart::Presence,
                    ..
                },
            ),
        ) => presence(value),
        (_, Some(StepPart::Then)) => then(value),
        _ => plain(value),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => serde_json::to_string_pretty(other).expect("a JSON value can be written"),
    }
}

fn name(id: StepId, sides: &Sides<'_>) -> String {
    let all = [sides.ours, sides.theirs, sides.base];
    let step = all.into_iter().find_map(|document| document.steps.get(&id));
    step.map_or_else(|| "a step".to_owned(), |step| step.name.clone())
}

fn order(value: &Value, sides: &Sides<'_>) -> String {
    let ids: Vec<StepId> = serde_json::from_value(value.clone()).unwrap_or_default();
    let names = ids.into_iter().map(|id| name(id, sides));
    names.collect::<Vec<_>>().join("\n")
}

fn kind(value: &Value) -> String {
    let key = value
        .get("kind")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let title = catalog::action(key).map(|action| &action.title);
    let title = title.or_else(|| catalog::trigger(key).map(|trigger| &trigger.title));
    let config = value.get("config").map(plain).unwrap_or_default();
    format!("{}\n{config}", title.map_or(key, String::as_str))
}

fn list(list: ListRef, sides: &Sides<'_>) -> String {
    let ListRef::Lane(container, lane) = list else {
        return "not in a lane".to_owned();
    };
    let all = [sides.ours, sides.theirs, sides.base];
    let lane = all.into_iter().find_map(|document| {
        let step = document.steps.get(&container)?;
        step.lanes.iter().find(|other| other.id == lane)
    });
    let lane = lane.map_or("a lane", |lane| lane.name.as_str());
    format!("in {lane} of {}", name(container, sides))
}

fn place(value: &Value, sides: &Sides<'_>) -> String {
    match serde_json::from_value(value.clone()) {
        Ok(found) => list(found, sides),
        Err(_) => plain(value),
    }
}

fn circle(value: &Value, sides: &Sides<'_>) -> String {
    let Value::Object(places) = value else {
        return plain(value);
    };
    let line = |(id, at): (&String, &Value)| {
        let id: Option<StepId> = id.parse().ok();
        let name = id.map_or_else(|| "a step".to_owned(), |id| name(id, sides));
        format!("{name}: {}", place(at, sides))
    };
    places.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn lanes(key: &ConflictKey, value: &Value, sides: &Sides<'_>) -> String {
    let ConflictKey::Step { step, .. } = key else {
        return plain(value);
    };
    let ids: Vec<domain::LaneId> = serde_json::from_value(value.clone()).unwrap_or_default();
    let name = |id: &domain::LaneId| {
        let all = [sides.ours, sides.theirs, sides.base];
        all.into_iter().find_map(|document| {
            let lanes = &document.steps.get(step)?.lanes;
            let lane = lanes.iter().find(|lane| lane.id == *id)?;
            Some(lane.name.clone())
        })
    };
    ids.iter().filter_map(name).collect::<Vec<_>>().join("\n")
}

/// Names what is kept: the first is the step itself, the others are inside it.
fn presence(value: &Value) -> String {
    let steps = value
        .as_array()
        .or_else(|| value.get("steps").and_then(Value::as_array));
    let lane = value.get("lane").and_then(|lane| lane.get("name"));
    let names = steps.into_iter().flatten().map(|step| step.get("name"));
    let all: Vec<&str> = std::iter::once(lane)
        .chain(names)
        .filter_map(|name| name.and_then(Value::as_str))
        .collect();
    if all.is_empty() {
        "(kept)".to_owned()
    } else {
        format!("(kept) {}", all.join(", "))
    }
}

fn then(value: &Value) -> String {
    match value.as_str() {
        Some("stop") => "The run fails".to_owned(),
        Some("continue") => "The run goes on".to_owned(),
        _ => plain(value),
    }
}

/// How a value is written as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As it is.
    Text,
    /// As JSON.
    Json,
}

impl Form {
    /// Returns how the values of a conflict are written.
    pub(super) fn of(conflict: &Conflict) -> Self {
        let sides = [&conflict.ours, &conflict.theirs, &conflict.base];
        let mut sides = sides.into_iter().flatten();
        if sides.all(Value::is_string) {
            Form::Text
        } else {
            Form::Json
        }
    }

    /// Returns a value as text.
    pub(super) fn show(self, value: Option<&Value>) -> String {
        match (self, value) {
            (_, None) => String::new(),
            (Form::Text, Some(value)) => plain(value),
            (Form::Json, Some(value)) => {
                serde_json::to_string_pretty(value).expect("a JSON value can be written")
            }
        }
    }

    /// Reads a value from text.
    ///
    /// # Errors
    /// The sentence to show when it cannot be read.
    pub(super) fn read(self, text: &str) -> Result<Value, String> {
        match self {
            Form::Text => Ok(Value::from(text)),
            Form::Json => {
                domain::payload::parse_json(text.as_bytes()).map_err(|why| why.to_string())
            }
        }
    }
}
