//! Suggested values: the edit that applies one, and whether it fits.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Anchor;
use crate::change::{self, Part, Target};
use crate::document::{ErrorPolicy, Settings, Step};
use crate::edit::{self, Edit};
use crate::review::Refusal;
use crate::validate::{At, Checked, Problem};
use crate::{Document, LaneId, limit};

/// Returns the edit that gives the anchored field, or its entry, the suggested value. The anchor is
/// as it is set on this document (see [`Anchor::in_document`]).
///
/// # Errors
/// When the anchor names no field that is set by itself, what it names is gone, or the value is
/// not of the field's kind.
pub fn suggestion_edit(
    document: &Document,
    anchor: &Anchor,
    value: &Value,
) -> Result<Edit, Refusal> {
    let (Some(target), Some(field)) = (anchor.target, &anchor.field) else {
        return Err(unfit("A value can be suggested for a single field only."));
    };
    let with_entry;
    let value = match &anchor.entry {
        None => value,
        Some(entry) => {
            let field = change::value(document, target, field);
            let changed = field.and_then(|field| entry.replaced(&field, value.clone()));
            with_entry = changed.ok_or_else(|| unfit("The entry is not there any more."))?;
            &with_entry
        }
    };
    match (target, field.part()) {
        (Target::Trigger, Part::Config(name)) => Ok(Edit::SetTriggerField {
            field: name.to_owned(),
            value: Some(value.clone()),
        }),
        (Target::Settings, Part::TimeLimit) => Ok(Edit::SetSettings {
            settings: Settings {
                time_limit_seconds: read(value)?,
            },
        }),
        (Target::Step(id), part) => {
            let step = document.steps.get(&id);
            of_step(
                step.ok_or_else(|| unfit("The step is not there any more."))?,
                part,
                value,
            )
        }
        _ => Err(unfit("This cannot be set by a suggestion.")),
    }
}

fn of_step(step: &Step, part: Part<'_>, value: &Value) -> Result<Edit, Refusal> {
    let id = step.id;
    let lane = |id: LaneId| {
        let lane = step.lanes.iter().find(|lane| lane.id == id);
        lane.ok_or_else(|| unfit("The lane is not there any more."))
    };
    Ok(match part {
        Part::Name => Edit::Rename {
            step: id,
            name: read(value)?,
            slug: step.slug.clone(),
        },
        Part::Slug => Edit::Rename {
            step: id,
            name: step.name.clone(),
            slug: read(value)?,
        },
        Part::Notes => Edit::SetNotes {
            step: id,
            notes: read(value)?,
        },
        Part::Retries => Edit::SetErrorPolicy {
            step: id,
            policy: ErrorPolicy {
                retries: read(value)?,
                ..step.on_error
            },
        },
        Part::Then => Edit::SetErrorPolicy {
            step: id,
            policy: ErrorPolicy {
                then: read(value)?,
                ..step.on_error
            },
        },
        Part::Config(field) => Edit::SetField {
            step: id,
            field: field.to_owned(),
            value: Some(value.clone()),
        },
        Part::LaneName(id) => Edit::SetLane {
            step: step.id,
            lane: id,
            name: read(value)?,
            when: lane(id)?.when.clone(),
        },
        Part::LaneWhen(id) => Edit::SetLane {
            step: step.id,
            lane: id,
            name: lane(id)?.name.clone(),
            when: Some(read(value)?),
        },
        Part::Kind | Part::Action | Part::Lane(_) | Part::TimeLimit => {
            return Err(unfit("This cannot be set by a suggestion."));
        }
    })
}

fn read<T: DeserializeOwned>(value: &Value) -> Result<T, Refusal> {
    T::deserialize(value).map_err(|_| unfit("The value is not of the kind that the field takes."))
}

fn unfit(why: impl Into<String>) -> Refusal {
    Refusal::SuggestionUnfit(why.into())
}

/// Checks that a suggestion can be applied to a draft as it is now; returns the edit for it. A
/// value that gives its own field a problem which it does not have yet does not fit.
///
/// # Errors
/// Why it cannot be applied.
pub fn check_suggestion(
    document: &Document,
    anchor: &Anchor,
    value: &Value,
) -> Result<Edit, Refusal> {
    if value.to_string().len() > limit::SUGGESTION_BYTES {
        return Err(unfit("The value is too large."));
    }
    let edit = suggestion_edit(document, anchor, value)?;
    let mut after = document.clone();
    edit::apply(&mut after, &edit).map_err(|refusal| unfit(refusal.to_string()))?;
    if after == *document {
        return Err(unfit("The field has this value already."));
    }
    let place = place(anchor);
    let before = Checked::of(document);
    let known: Vec<&Problem> = at(&before, &place).collect();
    let checked = Checked::of(&after);
    let new = at(&checked, &place).find(|problem| !known.contains(problem));
    match new {
        Some(problem) => Err(unfit(format!("{} {}", problem.message, problem.mend))),
        None => Ok(edit),
    }
}

/// Returns where problems of the anchored field are told.
fn place(anchor: &Anchor) -> At {
    let step = match anchor.target {
        Some(Target::Step(id)) => Some(id),
        _ => None,
    };
    let (lane, field) = match anchor.field.as_ref().map(|field| field.part()) {
        Some(Part::Name) => (None, "name"),
        Some(Part::Slug) => (None, "slug"),
        Some(Part::Notes) => (None, "notes"),
        Some(Part::Retries) => (None, "retries"),
        Some(Part::Config(name)) => (None, name),
        Some(Part::LaneName(id)) => (Some(id), "name"),
        Some(Part::LaneWhen(id)) => (Some(id), "when"),
        Some(Part::TimeLimit) => (None, "settings.time_limit_seconds"),
        Some(Part::Kind | Part::Action | Part::Then | Part::Lane(_)) | None => (None, ""),
    };
    let of_trigger = anchor.target == Some(Target::Trigger);
    let prefix = if of_trigger { "trigger." } else { "" };
    At {
        step,
        lane,
        field: Some(format!("{prefix}{field}")),
        entry: None,
    }
}

fn at<'a>(checked: &'a Checked, place: &'a At) -> impl Iterator<Item = &'a Problem> {
    checked.problems().filter(|problem| {
        let at = &problem.at;
        (at.step, at.lane, &at.field) == (place.step, place.lane, &place.field)
    })
}
