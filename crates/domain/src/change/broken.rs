//! References that a change breaks, or that mean another step after it.

use std::collections::{BTreeMap, BTreeSet};

use super::between::is_same;
use super::flow::{Flow, slugs, slugs_of};
use super::note::{Because, Note};
use super::notes::Finder;
use crate::schema::FieldKind;
use crate::validate::{self, DeadEnd};
use crate::{Document, StepId};

impl<'p> Finder<'_, 'p> {
    /// Tells of what is used and not there, where that was otherwise before.
    pub(super) fn broken(&mut self, before: &Document, after: &Document) {
        let dead_ends = validate::dead_ends(after);
        if dead_ends.is_empty() {
            return;
        }
        let key = |flow: &Flow<'_>, end: &DeadEnd| {
            let mut path = end.path.clone();
            if let [root, slug, ..] = path.as_mut_slice()
                && root == "steps"
                && let Some(step) = flow.slugs.get(slug.as_str())
            {
                *slug = flow.tree.id(*step).to_string();
            }
            (end.step, path)
        };
        let known: BTreeSet<_> = validate::dead_ends(before)
            .iter()
            .map(|end| key(&self.old, end))
            .collect();
        let mut told: Vec<((StepId, Because), Vec<String>)> = Vec::new();
        for end in dead_ends {
            let Some(new) = self.pair.after.number(end.step) else {
                continue;
            };
            if known.contains(&key(&self.new, &end)) {
                continue;
            }
            let (of, reference) = ((end.step, self.because(new, &end)), end.path.join("."));
            match told.last_mut() {
                Some((last, references)) if *last == of => {
                    if !references.contains(&reference) {
                        references.push(reference);
                    }
                }
                _ => told.push((of, vec![reference])),
            }
        }
        for ((step, because), references) in told {
            let name = self
                .pair
                .after
                .number(step)
                .map(|new| self.name(new))
                .unwrap_or_default();
            self.notes.push(Note::Broken {
                step,
                name,
                references,
                because,
            });
        }
    }

    fn because(&self, step: usize, end: &DeadEnd) -> Because {
        let slug = end.path.get(1).filter(|_| end.path[0] == "steps");
        let Some(slug) = slug else {
            return Because::Says(end.message.clone());
        };
        if let Some(&used) = self.new.slugs.get(slug.as_str()) {
            return if used == step || self.new.sees(step, used) {
                Because::Says(end.message.clone())
            } else {
                Because::NotRun(self.name(used))
            };
        }
        match self.old.slugs.get(slug.as_str()) {
            Some(&used) => match self.pair.to_after.get(used) {
                Some(now) => {
                    Because::Renamed(self.name(now), self.pair.after.step(now).slug.clone())
                }
                None => Because::Deleted(self.pair.before.step(used).name.clone()),
            },
            None => Because::Says(end.message.clone()),
        }
    }

    /// Tells of references that say the same as before and mean another step.
    pub(super) fn rebound(&mut self) {
        let turned: BTreeMap<&str, (usize, usize)> = self
            .old
            .slugs
            .iter()
            .filter_map(|(slug, old)| Some((*slug, (*old, *self.new.slugs.get(slug)?))))
            .filter(|(_, (old, new))| self.pair.to_after.get(*old) != Some(*new))
            .collect();
        if turned.is_empty() {
            return;
        }
        let tree = &self.pair.after;
        for new in 0..tree.count() {
            let Some(old) = self.pair.to_before.get(new) else {
                continue;
            };
            for slug in self.same_words(old, new) {
                if let Some(&(was, is)) = turned.get(slug)
                    && self.new.sees(new, is)
                {
                    self.notes.push(Note::Rebound {
                        step: tree.id(new),
                        name: self.name(new),
                        reference: format!("steps.{slug}"),
                        was: self.pair.to_after.get(was).map_or_else(
                            || self.pair.before.step(was).name.clone(),
                            |was| self.name(was),
                        ),
                        is: self.name(is),
                    });
                }
            }
        }
    }

    /// Returns the slugs that a step uses now as it did before, and not because they follow a step
    /// that was renamed.
    fn same_words(&self, old: usize, new: usize) -> BTreeSet<&'p str> {
        let (before, after) = (self.pair.before.step(old), self.pair.after.step(new));
        let mut same = BTreeSet::new();
        let mut compare = |is_same: bool, said: BTreeSet<&'p str>, says: BTreeSet<&'p str>| {
            let followed: BTreeSet<&str> =
                said.iter().filter_map(|slug| self.followed(slug)).collect();
            let both = says.intersection(&said);
            same.extend(both.filter(|slug| is_same || !followed.contains(*slug)));
        };
        let schema = after.action().map(|action| &action.input);
        for (name, value) in &after.config {
            if let Some(was) = before.config.get(name) {
                let kind = schema.and_then(|schema| Some(&schema.field(name)?.kind));
                if kind.is_some_and(|kind| !kind.takes_expressions()) {
                    continue;
                }
                let is_condition = kind == Some(&FieldKind::Condition);
                compare(
                    is_same(was, value),
                    slugs(was, is_condition),
                    slugs(value, is_condition),
                );
            }
        }
        for lane in &after.lanes {
            let was = before.lanes.iter().find(|was| was.id == lane.id);
            if let (Some(was), Some(when)) = (was.and_then(|was| was.when.as_ref()), &lane.when) {
                let slugs = |text: &'p str| slugs_of(text, true).collect();
                compare(was == when, slugs(was), slugs(when));
            }
        }
        same
    }

    /// Returns what the step is called now that had a slug, if it is still there.
    fn followed(&self, slug: &str) -> Option<&'p str> {
        let now = self.pair.to_after.get(*self.old.slugs.get(slug)?)?;
        Some(self.pair.after.step(now).slug.as_str())
    }
}
