//! Steps as text: copied in one draft, pasted in another, also of another integration.
//!
//! The text is JSON that people can read, keep and send. It holds the steps as the document has
//! them, without secrets. What comes back may be any text, so that it is judged before it is
//! taken: its size, its depth, its version, and whether its steps form whole trees.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::document::{ListRef, Place, Step};
use crate::edit::{self, Edit, several};
use crate::secret::is_secret;
use crate::{Document, LaneId, StepId, limit, payload};

/// What the text says that it is.
const KIND: &str = "steps";
/// The version of the form that this code writes, and the newest that it reads.
const VERSION: u64 = 1;
/// Levels that the text may have: what a document may hold, and what is around it.
const JSON_DEPTH: usize = limit::JSON_DEPTH + 10;

/// What was copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// The text for the clipboard.
    pub text: String,
    /// How many steps are in it, with those inside containers.
    pub steps: usize,
    /// How many secrets were left behind.
    pub secrets: usize,
}

/// Steps that were read from a text: one or more whole trees.
#[derive(Clone, Debug, PartialEq)]
pub struct Clip {
    /// The steps in the order in which they are read.
    steps: Vec<Step>,
}

/// Why a text cannot be pasted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is something else.
    #[error("What was pasted are no steps. Copy steps in the builder of an integration first.")]
    NotSteps,
    /// It says that it holds steps, but they cannot be read.
    #[error("The pasted steps cannot be read: {0} Copy them again.")]
    Broken(String),
    /// Another version of the product wrote it.
    #[error("The pasted steps come from a newer version of Sluice. Update this one first.")]
    Newer,
    /// It is larger than a document may be.
    #[error("The pasted steps are larger than an integration may be. Paste fewer of them.")]
    TooLarge,
    /// The document would hold more steps than it may.
    #[error("An integration holds at most {max} steps. Paste fewer of them.", max = limit::STEPS)]
    TooMany,
    /// The steps do not fit there (any more).
    #[error(transparent)]
    Edit(#[from] edit::Refusal),
}

/// Copies steps with everything in them; `None` when none of them is there.
pub fn copy(document: &Document, chosen: &[StepId]) -> Option<Copied> {
    let tops = several::roots(document, chosen);
    let ids = tops.iter().flat_map(|top| document.subtree(*top));
    let mut steps: Vec<Step> = ids
        .filter_map(|id| document.steps.get(&id).cloned())
        .collect();
    if steps.is_empty() {
        return None;
    }
    let mut secrets = 0;
    for step in &mut steps {
        leave_secrets(&mut step.config, &mut secrets);
    }
    let clip = json!({ "sluice": KIND, "version": VERSION, "steps": steps });
    Some(Copied {
        text: serde_json::to_string_pretty(&clip).unwrap_or_default(),
        steps: steps.len(),
        secrets,
    })
}

/// Empties what is called like a secret and holds more than an expression.
fn leave_secrets(map: &mut Map<String, Value>, count: &mut usize) {
    for (name, value) in map {
        let is_kept = match value {
            Value::String(text) => holds_no_secret(text),
            Value::Number(_) => false,
            _ => true,
        };
        if is_secret(name) && !is_kept {
            *value = Value::from("");
            *count += 1;
        } else {
            leave_secrets_in(value, count);
        }
    }
}

fn leave_secrets_in(value: &mut Value, count: &mut usize) {
    match value {
        Value::Object(map) => leave_secrets(map, count),
        Value::Array(items) => {
            for item in items {
                leave_secrets_in(item, count);
            }
        }
        _ => {}
    }
}

/// Returns whether nothing but expressions and the word for a way to sign in stand in a text.
fn holds_no_secret(text: &str) -> bool {
    let mut rest = text;
    let mut literal = String::new();
    while let Some((before, behind)) = rest.split_once("{{") {
        literal.push_str(before);
        rest = behind.split_once("}}").map_or("", |(_, rest)| rest);
    }
    literal.push_str(rest);
    let literal = literal.trim().to_ascii_lowercase();
    let has_expression = text.contains("{{");
    literal.is_empty()
        || (has_expression && ["bearer", "basic", "token", "apikey"].contains(&literal.as_str()))
}

/// Reads steps from a text of anyone.
///
/// # Errors
/// When it is something else, too large, or holds steps that do not form whole trees.
pub fn read(text: &str) -> Result<Clip, Refusal> {
    if text.len() > 2 * limit::DOCUMENT_BYTES {
        return Err(Refusal::TooLarge);
    }
    if payload::is_deeper(text.as_bytes(), JSON_DEPTH) {
        return Err(Refusal::NotSteps);
    }
    let clip: Value = serde_json::from_str(text).map_err(|_| Refusal::NotSteps)?;
    let Value::Object(mut clip) = clip else {
        return Err(Refusal::NotSteps);
    };
    if clip.get("sluice").and_then(Value::as_str) != Some(KIND) {
        return Err(Refusal::NotSteps);
    }
    match clip.get("version").and_then(Value::as_u64) {
        Some(VERSION) => {}
        Some(version) if version > VERSION => return Err(Refusal::Newer),
        _ => return Err(Refusal::NotSteps),
    }
    let steps = clip.shift_remove("steps").unwrap_or_default();
    let steps: Vec<Step> =
        serde_json::from_value(steps).map_err(|error| Refusal::Broken(format!("{error}.")))?;
    if steps.len() > limit::STEPS {
        return Err(Refusal::TooMany);
    }
    let clip = Clip { steps };
    clip.check()?;
    Ok(clip)
}

impl Clip {
    /// Returns how many steps there are, with those inside containers.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Returns whether there is no step; never so in what [`read`] gives.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Returns the act that puts the steps into a document one after the other, with new ids and
    /// free slugs, and the ids of those that are not inside another one.
    ///
    /// # Errors
    /// When the document would hold too many steps.
    pub fn paste(
        &self,
        document: &Document,
        at: Place,
        step_id: impl FnMut() -> StepId,
        lane_id: impl FnMut() -> LaneId,
    ) -> Result<(Edit, Vec<StepId>), Refusal> {
        if document.steps.len() + self.steps.len() > limit::STEPS {
            return Err(Refusal::TooMany);
        }
        let copies = edit::copies(document, &self.steps, step_id, lane_id);
        let inner = inner(&copies);
        let mut trees: Vec<Vec<Step>> = Vec::new();
        for step in copies {
            match trees.last_mut() {
                Some(tree) if inner.contains(&step.id) => tree.push(step),
                _ => trees.push(vec![step]),
            }
        }
        let tops = trees.iter().filter_map(|tree| tree.first());
        let tops = tops.map(|top| top.id).collect();
        let insert = |(number, steps)| Edit::Insert {
            steps,
            at: Place {
                index: at.index + number,
                ..at
            },
        };
        let edits = trees.into_iter().enumerate().map(insert).collect();
        Ok((Edit::Batch { edits }, tops))
    }

    /// Checks that the steps are whole trees, each with its inner steps right behind it.
    fn check(&self) -> Result<(), Refusal> {
        let broken = |why: &str| Err(Refusal::Broken(why.to_owned()));
        let (mut lanes, mut slugs) = (BTreeSet::new(), BTreeSet::new());
        for step in &self.steps {
            if !slugs.insert(step.slug.as_str()) {
                return broken("two of them have one slug.");
            }
            if !step.lanes.iter().all(|lane| lanes.insert(lane.id)) {
                return broken("two of their lanes have one id.");
            }
        }
        let Some(first) = self.steps.first() else {
            return broken("there are none.");
        };
        let inner = inner(&self.steps);
        if inner.contains(&first.id) {
            return broken("the first is inside another one.");
        }
        let by_id: BTreeMap<StepId, &Step> =
            self.steps.iter().map(|step| (step.id, step)).collect();
        if by_id.len() < self.steps.len() {
            return broken("two of them have one id.");
        }
        // Reads them as a document is read; whatever is no tree comes out differently.
        let mut document = Document::new("manual");
        let tops = self.steps.iter().filter(|step| !inner.contains(&step.id));
        document.flow = tops.map(|top| top.id).collect();
        document.steps = by_id
            .iter()
            .map(|(id, step)| (*id, (*step).clone()))
            .collect();
        let walk = document.walk();
        let same = walk.iter().map(|(_, step)| step.id);
        if !same.eq(self.steps.iter().map(|step| step.id)) {
            return broken("they do not form a tree.");
        }
        let listed = self.steps.iter().flat_map(|step| &step.lanes);
        let listed: usize = listed.map(|lane| lane.steps.len()).sum();
        if listed != inner.len() || !inner.iter().all(|id| by_id.contains_key(id)) {
            return broken("some of them are missing, or in two places.");
        }
        if walk.iter().any(|(depth, _)| *depth >= limit::DEPTH) {
            return broken("they are nested too deeply.");
        }
        Ok(())
    }
}

/// Returns the steps that are inside another one of them.
fn inner(steps: &[Step]) -> BTreeSet<StepId> {
    let lanes = steps.iter().flat_map(|step| &step.lanes);
    lanes.flat_map(|lane| lane.steps.iter().copied()).collect()
}

/// Returns the place behind a step: where what is pasted on it goes.
pub fn behind(document: &Document, step: Option<StepId>) -> Option<Place> {
    match step {
        None => Some(Place {
            list: ListRef::Flow,
            index: 0,
        }),
        Some(id) => document.place(id).map(|at| Place {
            index: at.index + 1,
            ..at
        }),
    }
}

#[cfg(test)]
mod tests;
