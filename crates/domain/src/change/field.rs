//! Addresses of what can be compared in a document, and the values there.
//!
//! A comment hangs on a [`Target`] and a [`Field`], which are stored as text: what is written here
//! once is never given another meaning.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use thiserror::Error;

use crate::document::{Lane, Step};
use crate::{Document, LaneId, StepId, catalog};

/// What of a document a change or a comment is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// What starts the integration.
    Trigger,
    /// What applies to every run.
    Settings,
    /// One step.
    Step(StepId),
}

/// The address of one value of a step, the trigger or the settings, as a text that never changes
/// its meaning: `name`, `slug`, `kind`, `action`, `notes`, `retries`, `then`, `config.<field>`,
/// `lane.<id>`, `lane.<id>.name`, `lane.<id>.when` or `time_limit_seconds`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Field(String);

/// A [`Field`] taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// What people call the step.
    Name,
    /// What expressions call the step.
    Slug,
    /// The step's action, or the kind of trigger.
    Kind,
    /// What a connector declares of the step's action.
    Action,
    /// The step's notes.
    Notes,
    /// How often a failed attempt is repeated.
    Retries,
    /// What happens after the last attempt.
    Then,
    /// A field of the configuration.
    Config(&'a str),
    /// A lane of the step as such.
    Lane(LaneId),
    /// A lane's name.
    LaneName(LaneId),
    /// A lane's condition.
    LaneWhen(LaneId),
    /// The time limit of a run.
    TimeLimit,
}

/// A text is no address of a field.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is not a field of a step, trigger or settings.")]
pub struct NoSuchField(pub String);

impl Field {
    /// The step's name.
    pub fn name() -> Self {
        Self("name".to_owned())
    }

    /// The step's slug.
    pub fn slug() -> Self {
        Self("slug".to_owned())
    }

    /// The step's action, or the kind of trigger.
    pub fn kind() -> Self {
        Self("kind".to_owned())
    }

    /// What a connector declares of the step's action.
    pub fn action() -> Self {
        Self("action".to_owned())
    }

    /// The step's notes.
    pub fn notes() -> Self {
        Self("notes".to_owned())
    }

    /// How often a failed attempt is repeated.
    pub fn retries() -> Self {
        Self("retries".to_owned())
    }

    /// What happens after the last attempt.
    pub fn then() -> Self {
        Self("then".to_owned())
    }

    /// A field of the configuration of a step or trigger.
    pub fn config(field: &str) -> Self {
        Self(format!("config.{field}"))
    }

    /// A lane as such: that it is there, and what it is.
    pub fn lane(lane: LaneId) -> Self {
        Self(format!("lane.{lane}"))
    }

    /// A lane's name.
    pub fn lane_name(lane: LaneId) -> Self {
        Self(format!("lane.{lane}.name"))
    }

    /// A lane's condition.
    pub fn lane_when(lane: LaneId) -> Self {
        Self(format!("lane.{lane}.when"))
    }

    /// The time limit of a run; of [`Target::Settings`].
    pub fn time_limit() -> Self {
        Self("time_limit_seconds".to_owned())
    }

    /// Returns the text, as it is stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns what the text says.
    pub fn part(&self) -> Part<'_> {
        part(&self.0).expect("a field is made of a text that was read")
    }

    /// Returns the label on screen; `kind` is the key of the step's action or of the trigger.
    pub fn title(&self, kind: &str) -> String {
        let title = match self.part() {
            Part::Name => "Name",
            Part::Slug => "Name in expressions",
            Part::Kind if catalog::trigger(kind).is_some() => "Trigger",
            Part::Kind => "Action",
            Part::Action => "Request",
            Part::Notes => "Notes",
            Part::Retries => "Retries",
            Part::Then => "When it fails",
            Part::Config(name) => title_in_catalog(kind, name).unwrap_or(name),
            Part::Lane(_) => "Lane",
            Part::LaneName(_) => "Name of the lane",
            Part::LaneWhen(_) => "Condition of the lane",
            Part::TimeLimit => "Time limit in seconds",
        };
        title.to_owned()
    }
}

/// Returns what the catalog calls a field. One that another kind of step or trigger had is called
/// as it was there.
fn title_in_catalog(kind: &str, name: &str) -> Option<&'static str> {
    let actions = catalog::actions()
        .iter()
        .map(|action| (&action.key, &action.input));
    let triggers = catalog::triggers()
        .iter()
        .map(|trigger| (&trigger.key, &trigger.input));
    let (of_kind, others): (Vec<_>, Vec<_>) = if catalog::trigger(kind).is_some() {
        triggers.partition(|(key, _)| *key == kind)
    } else {
        actions.partition(|(key, _)| *key == kind)
    };
    let mut schemas = of_kind.into_iter().chain(others);
    schemas.find_map(|(_, schema)| Some(schema.field(name)?.title.as_str()))
}

fn part(text: &str) -> Option<Part<'_>> {
    Some(match text {
        "name" => Part::Name,
        "slug" => Part::Slug,
        "kind" => Part::Kind,
        "action" => Part::Action,
        "notes" => Part::Notes,
        "retries" => Part::Retries,
        "then" => Part::Then,
        "time_limit_seconds" => Part::TimeLimit,
        _ => {
            if let Some(field) = text.strip_prefix("config.") {
                return Some(Part::Config(field));
            }
            let lane = text.strip_prefix("lane.")?;
            let (id, rest) = lane.split_once('.').unwrap_or((lane, ""));
            let lane: LaneId = id.parse().ok()?;
            // One lane has one address.
            if lane.to_string() != id {
                return None;
            }
            match (rest, text.ends_with('.')) {
                ("", false) => Part::Lane(lane),
                ("name", _) => Part::LaneName(lane),
                ("when", _) => Part::LaneWhen(lane),
                _ => return None,
            }
        }
    })
}

impl FromStr for Field {
    type Err = NoSuchField;

    fn from_str(text: &str) -> Result<Self, NoSuchField> {
        Self::try_from(text.to_owned())
    }
}

impl TryFrom<String> for Field {
    type Error = NoSuchField;

    fn try_from(text: String) -> Result<Self, NoSuchField> {
        match part(&text) {
            Some(_) => Ok(Self(text)),
            None => Err(NoSuchField(text)),
        }
    }
}

impl From<Field> for String {
    fn from(field: Field) -> String {
        field.0
    }
}

impl fmt::Display for Field {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Returns the value that a document has at an address; `None` when there is none, also when the
/// step, the lane or the notes are not there.
///
/// A lane is `{"name": …, "when": …}`: its place among its sisters and its steps do not count.
pub fn value(document: &Document, target: Target, field: &Field) -> Option<Value> {
    match (target, field.part()) {
        (Target::Settings, Part::TimeLimit) => Some(json!(document.settings.time_limit_seconds)),
        (Target::Trigger, Part::Kind) => Some(json!(document.trigger.kind)),
        (Target::Trigger, Part::Config(name)) => document.trigger.config.get(name).cloned(),
        (Target::Step(id), part) => value_of_step(document.steps.get(&id)?, part),
        _ => None,
    }
}

fn value_of_step(step: &Step, part: Part<'_>) -> Option<Value> {
    let lane = |id: LaneId| step.lanes.iter().find(|lane| lane.id == id);
    Some(match part {
        Part::Name => json!(step.name),
        Part::Slug => json!(step.slug),
        Part::Kind => json!(step.kind),
        Part::Action => step.action.as_ref()?.json(),
        Part::Notes if step.notes.is_empty() => return None,
        Part::Notes => json!(step.notes),
        Part::Retries => json!(step.on_error.retries),
        Part::Then => json!(step.on_error.then),
        Part::Config(name) => step.config.get(name)?.clone(),
        Part::Lane(id) => value_of_lane(lane(id)?),
        Part::LaneName(id) => json!(lane(id)?.name),
        Part::LaneWhen(id) => json!(lane(id)?.when.as_deref()?),
        Part::TimeLimit => return None,
    })
}

/// Returns what [`value`] gives for a lane.
pub(super) fn value_of_lane(lane: &Lane) -> Value {
    match &lane.when {
        Some(when) => json!({ "name": lane.name, "when": when }),
        None => json!({ "name": lane.name }),
    }
}
