//! The address of a conflict: stable while the documents change, sorted by step, and one text.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::document::ListRef;
use crate::validate::At;
use crate::{LaneId, StepId};

/// What a conflict is about. In JSON a text such as `step/<id>/field/url`, so that it can also be
/// the key of a map; `~` and `/` in names are written as in RFC 6901 (`~0`, `~1`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum ConflictKey {
    /// The kind of the trigger, and with it all its fields. `trigger`.
    Trigger,
    /// A field of the trigger. `trigger/field/<field>`, `trigger/field/<field>/<entry>`.
    TriggerField {
        /// Name of the field.
        field: String,
        /// The entry, where the field holds names with values.
        entry: Option<String>,
    },
    /// The time limit of the settings. `settings/time_limit_seconds`.
    TimeLimit,
    /// The order of the top-level steps. `flow/order`.
    FlowOrder,
    /// Something about a step. `step/<id>/…`.
    Step {
        /// The step.
        step: StepId,
        /// What about it.
        part: StepPart,
    },
}

/// What about a step.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StepPart {
    /// Whether it is there: one side deleted it, the other changed it or something inside it.
    Presence,
    /// In which list it stands: both sides moved it.
    Place,
    /// In which lists this and other steps stand: together, the moves would put them into each
    /// other. The step is the first of them by id.
    Circle,
    /// Its kind, and with it all its fields.
    Kind,
    /// What a connector declares of its action.
    Action,
    /// Its name.
    Name,
    /// Its slug.
    Slug,
    /// One of its fields.
    Field {
        /// Name of the field.
        field: String,
        /// The entry, where the field holds names with values.
        entry: Option<String>,
    },
    /// How often it is retried.
    Retries,
    /// What happens after its last attempt.
    Then,
    /// Its notes.
    Notes,
    /// The order of its lanes.
    LaneOrder,
    /// Something about one of its lanes. `step/<id>/lane/<id>/…`.
    Lane {
        /// The lane.
        lane: LaneId,
        /// What about it.
        part: LanePart,
    },
}

/// What about a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LanePart {
    /// Whether it is there: one side deleted it, the other changed it or something inside it.
    Presence,
    /// Its name.
    Name,
    /// Its condition.
    When,
    /// The order of its steps.
    Order,
}

/// A text is no address of a conflict.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is no conflict. Take the keys from the conflicts of a merge.")]
pub struct NoSuchKey(String);

impl ConflictKey {
    /// Returns the key for the order of a list.
    pub fn order(list: ListRef) -> Self {
        match list {
            ListRef::Flow => ConflictKey::FlowOrder,
            ListRef::Lane(step, lane) => Self::lane(step, lane, LanePart::Order),
        }
    }

    /// Returns the key for something about a lane.
    pub fn lane(step: StepId, lane: LaneId, part: LanePart) -> Self {
        ConflictKey::Step {
            step,
            part: StepPart::Lane { lane, part },
        }
    }

    /// Returns the place in a document that the conflict is about, as problems name it.
    pub fn at(&self) -> At {
        let mut at = At::default();
        match self {
            ConflictKey::Trigger => at.field = Some("trigger".to_owned()),
            ConflictKey::TriggerField { field, entry } => {
                at.field = Some(format!("trigger.{field}"));
                at.entry.clone_from(entry);
            }
            ConflictKey::TimeLimit => at.field = Some("settings.time_limit_seconds".to_owned()),
            ConflictKey::FlowOrder => {}
            ConflictKey::Step { step, part } => {
                at.step = Some(*step);
                match part {
                    StepPart::Field { field, entry } => {
                        at.field = Some(field.clone());
                        at.entry.clone_from(entry);
                    }
                    StepPart::Lane { lane, part } => {
                        at.lane = Some(*lane);
                        at.field = matches!(part, LanePart::Name | LanePart::When)
                            .then(|| part.word().to_owned());
                    }
                    StepPart::Name | StepPart::Notes | StepPart::Retries => {
                        at.field = Some(part.word().to_owned());
                    }
                    _ => {}
                }
            }
        }
        at
    }
}

/// The parts of a step that are one word.
const WORDS: [StepPart; 11] = [
    StepPart::Presence,
    StepPart::Place,
    StepPart::Circle,
    StepPart::Kind,
    StepPart::Action,
    StepPart::Name,
    StepPart::Slug,
    StepPart::Retries,
    StepPart::Then,
    StepPart::Notes,
    StepPart::LaneOrder,
];

const LANE_PARTS: [LanePart; 4] = [
    LanePart::Presence,
    LanePart::Name,
    LanePart::When,
    LanePart::Order,
];

impl StepPart {
    fn word(&self) -> &'static str {
        match self {
            StepPart::Presence => "presence",
            StepPart::Place => "place",
            StepPart::Circle => "circle",
            StepPart::Kind => "kind",
            StepPart::Action => "action",
            StepPart::Name => "name",
            StepPart::Slug => "slug",
            StepPart::Field { .. } => "field",
            StepPart::Retries => "retries",
            StepPart::Then => "then",
            StepPart::Notes => "notes",
            StepPart::LaneOrder => "lanes",
            StepPart::Lane { .. } => "lane",
        }
    }
}

impl LanePart {
    fn word(self) -> &'static str {
        match self {
            LanePart::Presence => "presence",
            LanePart::Name => "name",
            LanePart::When => "when",
            LanePart::Order => "order",
        }
    }
}

impl fmt::Display for ConflictKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConflictKey::Trigger => formatter.write_str("trigger"),
            ConflictKey::TriggerField { field, entry } => {
                formatter.write_str("trigger/field")?;
                write_names(formatter, field, entry.as_deref())
            }
            ConflictKey::TimeLimit => formatter.write_str("settings/time_limit_seconds"),
            ConflictKey::FlowOrder => formatter.write_str("flow/order"),
            ConflictKey::Step { step, part } => {
                write!(formatter, "step/{step}/{}", part.word())?;
                match part {
                    StepPart::Field { field, entry } => {
                        write_names(formatter, field, entry.as_deref())
                    }
                    StepPart::Lane { lane, part } => write!(formatter, "/{lane}/{}", part.word()),
                    _ => Ok(()),
                }
            }
        }
    }
}

fn write_names(
    formatter: &mut fmt::Formatter<'_>,
    field: &str,
    entry: Option<&str>,
) -> fmt::Result {
    for name in [Some(field), entry].into_iter().flatten() {
        write!(formatter, "/{}", name.replace('~', "~0").replace('/', "~1"))?;
    }
    Ok(())
}

impl FromStr for ConflictKey {
    type Err = NoSuchKey;

    fn from_str(text: &str) -> Result<Self, NoSuchKey> {
        let parts: Vec<&str> = text.split('/').collect();
        read(&parts).ok_or_else(|| NoSuchKey(text.to_owned()))
    }
}

fn read(parts: &[&str]) -> Option<ConflictKey> {
    let name = |text: &str| text.replace("~1", "/").replace("~0", "~");
    let names = |rest: &[&str]| match rest {
        [field] => Some((name(field), None)),
        [field, entry] => Some((name(field), Some(name(entry)))),
        _ => None,
    };
    Some(match parts {
        ["trigger"] => ConflictKey::Trigger,
        ["trigger", "field", rest @ ..] => {
            let (field, entry) = names(rest)?;
            ConflictKey::TriggerField { field, entry }
        }
        ["settings", "time_limit_seconds"] => ConflictKey::TimeLimit,
        ["flow", "order"] => ConflictKey::FlowOrder,
        ["step", step, rest @ ..] => ConflictKey::Step {
            step: step.parse().ok()?,
            part: match rest {
                ["field", rest @ ..] => {
                    let (field, entry) = names(rest)?;
                    StepPart::Field { field, entry }
                }
                ["lane", lane, word] => StepPart::Lane {
                    lane: lane.parse().ok()?,
                    part: LANE_PARTS.into_iter().find(|part| part.word() == *word)?,
                },
                [word] => WORDS.into_iter().find(|part| part.word() == *word)?,
                _ => return None,
            },
        },
        _ => return None,
    })
}

impl From<ConflictKey> for String {
    fn from(key: ConflictKey) -> Self {
        key.to_string()
    }
}

impl TryFrom<String> for ConflictKey {
    type Error = NoSuchKey;

    fn try_from(text: String) -> Result<Self, NoSuchKey> {
        text.parse()
    }
}
