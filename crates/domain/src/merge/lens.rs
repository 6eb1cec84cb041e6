//! Reads what refers to the steps to be careful with as what it means; see [`super::names`].

use std::collections::{HashMap, HashSet};

use super::content;
use super::index::Index;
use super::names::Names;
use super::three::{SIDES, Side, Three, Versions};
use crate::document::{Step, Trigger};
use crate::edit::references;
use crate::template::Rename;

/// Up to so many slugs, texts without them are told by a glance.
const FEW: usize = 8;

/// Rewrites references by the slugs to be careful with.
pub(super) struct Lens<'a> {
    names: Three<HashMap<&'a str, String>>,
    /// All slugs to be careful with on any side.
    slugs: HashSet<&'a str>,
    /// The same, if they are few.
    few: Vec<&'a str>,
}

/// What is rewritten of one step, on the sides where something is.
pub(super) type Rewritten = Three<Option<Step>>;

impl<'a> Lens<'a> {
    pub(super) fn new(index: &Index<'a>, names: &Names<'_>) -> Self {
        let names = Three::of(|side| names.on(index, side));
        let slugs = SIDES.iter().flat_map(|side| names[*side].keys().copied());
        let slugs: HashSet<&str> = slugs.collect();
        let few = slugs.iter().copied().filter(|_| slugs.len() <= FEW);
        Self {
            few: few.collect(),
            slugs,
            names,
        }
    }

    /// Returns what is rewritten of a step, or `None` when nothing is.
    pub(super) fn step(&self, step: &Three<Option<&Step>>) -> Option<Rewritten> {
        if self.slugs.is_empty() || self.is_clear(step) {
            return None;
        }
        let rewritten =
            Three::of(|side| self.rename(side, |rename| references::renamed(step[side]?, rename)));
        SIDES
            .iter()
            .any(|side| rewritten[*side].is_some())
            .then_some(rewritten)
    }

    /// Returns whether a glance shows that a step is the same on both sides and needs no rewriting,
    /// as it mostly is. The base does not matter then.
    fn is_clear(&self, step: &Three<Option<&Step>>) -> bool {
        Versions::of(step).is_some_and(|steps| {
            steps.ours.lanes.is_empty()
                && steps.theirs.lanes.is_empty()
                && content::is_same(steps.ours, steps.theirs)
                && !references::concern(
                    steps.ours,
                    &Rename {
                        among: &self.few,
                        of: &|slug| self.slugs.get(slug).copied(),
                    },
                )
        })
    }

    /// Returns the trigger of a side, if something of it is rewritten.
    pub(super) fn trigger(&self, side: Side, trigger: &Trigger) -> Option<Trigger> {
        self.rename(side, |rename| references::renamed_trigger(trigger, rename))
    }

    fn rename<T>(&self, side: Side, rewrite: impl FnOnce(&Rename<'_>) -> Option<T>) -> Option<T> {
        if self.names[side].is_empty() {
            return None;
        }
        rewrite(&Rename {
            among: &self.few,
            of: &|slug| self.names[side].get(slug).map(String::as_str),
        })
    }
}
