//! What one person has not saved yet, merged into what another saved meanwhile.
//!
//! Nobody is asked: what is not saved is the later of the two and stays, except inside what the
//! other deleted, which stays deleted. What gave way is told, so that it can be put back.

use std::collections::BTreeMap;

use super::key::{ConflictKey, LanePart, StepPart};
use super::{Choice, Conflict, merge, merge_with};
use crate::Document;

/// What comes of a merge in which nobody is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Onto {
    /// The merged document.
    pub document: Document,
    /// Where both sides changed the same, and what is on our side stays.
    pub replaced: Vec<Conflict>,
    /// Where their side deleted what our side changed: what we wrote there is in neither.
    pub lost: Vec<Conflict>,
}

/// Merges `ours`, which is not saved yet, into `theirs`, which is; both came from `base`.
pub fn onto(base: &Document, ours: &Document, theirs: &Document) -> Onto {
    let merged = merge(base, ours, theirs);
    if merged.conflicts.is_empty() {
        return Onto {
            document: merged.document,
            replaced: Vec::new(),
            lost: Vec::new(),
        };
    }
    let (lost, replaced): (Vec<_>, Vec<_>) = merged.conflicts.into_iter().partition(is_deleted);
    let choose = |of: &[Conflict], choice: &Choice| {
        let chosen = of.iter().map(|one| (one.key.clone(), choice.clone()));
        chosen.collect::<Vec<_>>()
    };
    let mut choices = BTreeMap::from_iter(choose(&lost, &Choice::Theirs));
    choices.extend(choose(&replaced, &Choice::Ours));
    Onto {
        document: merge_with(base, ours, theirs, &choices).document,
        replaced,
        lost,
    }
}

/// Returns whether their side deleted what ours kept and changed.
fn is_deleted(conflict: &Conflict) -> bool {
    let is_presence = matches!(
        &conflict.key,
        ConflictKey::Step {
            part: StepPart::Presence
                | StepPart::Lane {
                    part: LanePart::Presence,
                    ..
                },
            ..
        }
    );
    is_presence && conflict.theirs.is_none()
}
