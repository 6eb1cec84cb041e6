//! The three-way merge of documents: by step and field, with order as a matter of its own.
//!
//! Brings a draft up to date with what went live meanwhile, and joins what two people saved. What
//! only one side changed is taken over; what both changed differently is a [`Conflict`]: a value to
//! store, show and decide one by one. The merged document is sound at every moment; where nothing
//! is decided yet it is as on our side. It does not matter which side is called ours, except for
//! that. Which conflicts there are does not depend on how others are decided.

mod assemble;
mod circle;
mod conflict;
mod content;
mod fields;
mod index;
mod key;
mod lens;
mod names;
mod onto;
mod order;
mod region;
mod sound;
mod text;
mod three;
mod tree;
mod words;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::Document;

pub use conflict::{Choice, Conflict};
pub use key::{ConflictKey, LanePart, NoSuchKey, StepPart};
pub use onto::{Onto, onto};
pub use words::Sides;

use conflict::Decisions;
use index::Index;
use lens::{Lens, Rewritten};
use names::Names;
use three::Three;
use tree::Tree;

/// What a merge gives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Merged {
    /// The merged document. It is sound; in what is still in conflict it is as on our side.
    pub document: Document,
    /// What is to be decided, by key.
    pub conflicts: Vec<Conflict>,
}

/// Some conflicts are not decided, or not so that the choice fits.
#[derive(Clone, Debug, PartialEq, Error, Serialize, Deserialize)]
#[error("{} of the conflicts are still to be decided.", .0.len())]
pub struct Unresolved(pub Vec<Conflict>);

/// Merges two documents that both came from `base`.
///
/// Any documents can be merged: one may equal `base`, and without a common past `base` is
/// [`Document::new`]. Of one that is not sound, what can be reached from its flow is merged.
pub fn merge(base: &Document, ours: &Document, theirs: &Document) -> Merged {
    merge_with(base, ours, theirs, &BTreeMap::new())
}

/// Merges two documents, with some conflicts decided. Choices for what is no conflict have no
/// effect, and those that do not fit leave it a conflict.
pub fn merge_with(
    base: &Document,
    ours: &Document,
    theirs: &Document,
    choices: &BTreeMap<ConflictKey, Choice>,
) -> Merged {
    let documents = Three { base, ours, theirs };
    match merged(documents, choices) {
        Ok(merged) => merged,
        Err(flawed) => {
            let mended = Three::of(|side| flawed[side].then(|| sound::mended(documents[side])));
            let documents = Three::of(|side| mended[side].as_ref().unwrap_or(documents[side]));
            merged(documents, choices).expect("what is mended is sound")
        }
    }
}

/// Merges documents, if all are sound; else tells which are not.
fn merged(
    documents: Three<&Document>,
    choices: &BTreeMap<ConflictKey, Choice>,
) -> Result<Merged, Three<bool>> {
    let mut decisions = Decisions::new(choices);
    let mut index = Index::new(documents);
    let mut names = Names::new(&mut index);
    if index.flawed != Three::default() {
        return Err(index.flawed);
    }
    let lens = Lens::new(&index, &names);
    // What the tree is decided by; the rest is looked at when the document is put together.
    let by_itself = |number: &usize| index.is_by_itself(*number);
    let structural = (0..index.steps.len()).filter(|number| !by_itself(number));
    let rewritten =
        structural.filter_map(|number| Some((number, lens.step(&index.steps[number])?)));
    let rewritten: Vec<(usize, Rewritten)> = rewritten.collect();
    for (number, steps) in &rewritten {
        index.replace(*number, steps);
    }
    let tree = Tree::merged(&index, &mut decisions);
    names.settle(
        &index,
        &|number| tree.places[number].is_some(),
        &mut decisions,
    );
    let document = assemble::document(&index, &tree, &names, &lens, &mut decisions);
    let mut conflicts = decisions.conflicts;
    conflicts.sort_by(|one, other| one.key.cmp(&other.key));
    Ok(Merged {
        document,
        conflicts,
    })
}

/// Merges two documents with every conflict decided. Deciding all conflicts of a merge for ours or
/// theirs always gives a document.
///
/// # Errors
/// With the conflicts that are not decided.
pub fn resolve(
    base: &Document,
    ours: &Document,
    theirs: &Document,
    choices: &BTreeMap<ConflictKey, Choice>,
) -> Result<Document, Unresolved> {
    let merged = merge_with(base, ours, theirs, choices);
    if merged.conflicts.is_empty() {
        Ok(merged.document)
    } else {
        Err(Unresolved(merged.conflicts))
    }
}

#[cfg(test)]
mod tests;
