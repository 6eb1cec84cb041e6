//! Merges slugs, and reads references as what they mean: a step, not its slug on one side.
//!
//! A slug that not all sides use for the same step is a name to be careful with. Before anything is
//! compared, references by such slugs are rewritten to a name made of the step's id; what is merged
//! is rewritten to the slug that the step has then. So a rename on one side and a new reference on
//! the other fit together, and steps that both sides gave one slug can be told apart.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Map, Value};

use super::conflict::Decisions;
use super::index::Index;
use super::key::{ConflictKey, StepPart};
use super::sound;
use super::three::{SIDES, Side, Versions};
use crate::document::{Step, Trigger};
use crate::edit::references;
use crate::schema::Schema;
use crate::slug;
use crate::template::{Rename, renamed_text};

/// What a name made of an id begins with.
const MARK: &str = "__step_";

/// The steps whose slug is not the same everywhere.
pub(super) struct Names<'a> {
    /// By number.
    careful: BTreeMap<usize, Careful>,
    /// Which of them is meant by a name made of an id.
    by_name: HashMap<String, usize>,
    /// All slugs, each with the first step that has it.
    owners: HashMap<&'a str, usize>,
}

/// A step whose slug is not the same everywhere.
struct Careful {
    /// Made of its id.
    name: String,
    /// The slug that it has after the merge.
    slug: String,
}

impl<'a> Names<'a> {
    /// Finds the steps to be careful with. Notes which sides are flawed by steps with one slug.
    pub(super) fn new(index: &mut Index<'a>) -> Self {
        let mut found: BTreeSet<usize> = BTreeSet::new();
        let mut shared: BTreeSet<(&str, usize)> = BTreeSet::new();
        let mut owners: HashMap<&'a str, usize> = HashMap::with_capacity(index.steps.len());
        for (number, step) in index.steps.iter().enumerate() {
            let sides = [step.ours, step.theirs, step.base];
            let mut last = None;
            for step in sides.into_iter().flatten() {
                if last == Some(&step.slug) {
                    continue;
                }
                if last.replace(&step.slug).is_some() {
                    found.insert(number);
                }
                let owner = *owners.entry(&step.slug).or_insert(number);
                if owner != number {
                    found.extend([owner, number]);
                    shared.extend([(step.slug.as_str(), owner), (step.slug.as_str(), number)]);
                }
            }
        }
        for side in SIDES {
            let has = |slug, number: usize| {
                index.steps[number][side].is_some_and(|step| step.slug == slug)
            };
            let owners = shared.iter().filter(|(slug, number)| has(*slug, *number));
            let slugs: Vec<&str> = owners.map(|(slug, _)| *slug).collect();
            index.flawed[side] |= slugs.windows(2).any(|pair| pair[0] == pair[1]);
        }
        let careful = found.into_iter().map(|number| {
            let step = &index.steps[number];
            let slug = step.base.or(step.ours).or(step.theirs);
            let slug = slug.map(|step| step.slug.clone()).unwrap_or_default();
            let name = format!("{MARK}{}", index.id(number).0.simple());
            (number, Careful { name, slug })
        });
        let careful: BTreeMap<usize, Careful> = careful.collect();
        let by_name = careful
            .iter()
            .map(|(number, step)| (step.name.clone(), *number));
        Self {
            by_name: by_name.collect(),
            careful,
            owners,
        }
    }

    /// Returns the names of the steps to be careful with, by their slugs on a side.
    pub(super) fn on<'d>(&self, index: &Index<'d>, side: Side) -> HashMap<&'d str, String> {
        let mut names: HashMap<&str, String> = HashMap::new();
        for (number, careful) in &self.careful {
            if let Some(step) = index.steps[*number][side] {
                names.insert(&step.slug, careful.name.clone());
            }
        }
        // Also what refers to a step that the side deleted, unless another one took the slug.
        for (number, careful) in &self.careful {
            let step = &index.steps[*number];
            if let (None, Some(step)) = (step[side], step.base) {
                let name = || careful.name.clone();
                names.entry(&step.slug).or_insert_with(name);
            }
        }
        names
    }

    /// Merges the slugs of the steps that are `kept`. Where two would have the same one, the later
    /// one by id gets another; what refers to it follows.
    pub(super) fn settle(
        &mut self,
        index: &Index<'_>,
        kept: &dyn Fn(usize) -> bool,
        decisions: &mut Decisions<'_>,
    ) {
        for (number, careful) in self.careful.iter_mut().filter(|(number, _)| kept(**number)) {
            let step = &index.steps[*number];
            if let Some(one) = step.ours.xor(step.theirs) {
                careful.slug.clone_from(&one.slug);
            }
            if let Some(steps) = Versions::of(step) {
                let key = || ConflictKey::Step {
                    step: index.id(*number),
                    part: StepPart::Slug,
                };
                let slugs = steps.part(|step| &step.slug);
                careful.slug = decisions.plain(key, slugs, |slug| slug::is_valid(slug));
            }
        }
        let wanted = self.careful.values().map(|careful| careful.slug.clone());
        let wanted: BTreeSet<String> = wanted.collect();
        let numbers: BTreeSet<usize> = self.careful.keys().copied().collect();
        let of_other = |slug: &str| {
            let owner = self.owners.get(slug);
            owner.is_some_and(|owner| !numbers.contains(owner) && kept(*owner))
        };
        let mut met: BTreeSet<String> = BTreeSet::new();
        for (_, careful) in self.careful.iter_mut().filter(|(number, _)| kept(**number)) {
            let slug = &mut careful.slug;
            if met.contains(slug) || of_other(slug) {
                let taken = |slug: &str| {
                    self.owners.contains_key(slug) || wanted.contains(slug) || met.contains(slug)
                };
                *slug = sound::free(slug, &mut 2, taken);
            }
            met.insert(slug.clone());
        }
    }

    /// Returns the slug that a step has after the merge, when it is one to be careful with.
    pub(super) fn slug(&self, number: usize) -> Option<&str> {
        self.careful
            .get(&number)
            .map(|careful| careful.slug.as_str())
    }

    /// Gives what `rewrite` makes of references to steps by their slugs after the merge.
    fn back<T>(&self, rewrite: impl FnOnce(&Rename<'_>) -> Option<T>) -> Option<T> {
        if self.careful.is_empty() {
            return None;
        }
        rewrite(&Rename {
            among: &[MARK],
            of: &|name| self.slug(*self.by_name.get(name)?),
        })
    }

    /// Returns a merged step as it stands in the document.
    pub(super) fn step(&self, step: Step) -> Step {
        self.back(|rename| references::renamed(&step, rename))
            .unwrap_or(step)
    }

    /// Returns a merged trigger as it stands in the document.
    pub(super) fn trigger(&self, trigger: Trigger) -> Trigger {
        self.back(|rename| references::renamed_trigger(&trigger, rename))
            .unwrap_or(trigger)
    }

    /// Returns fields as they stand in the document.
    pub(super) fn config(
        &self,
        config: &Map<String, Value>,
        schema: Option<&Schema>,
    ) -> Map<String, Value> {
        self.back(|rename| references::rename_in_config(config, schema, rename))
            .unwrap_or_else(|| config.clone())
    }

    /// Returns the value of a field as it stands in the document.
    pub(super) fn value(&self, value: &Value) -> Value {
        let value = self
            .back(|rename| references::rename_in_value(value, rename, false))
            .unwrap_or_else(|| value.clone());
        match value {
            // A condition needs no braces.
            Value::String(text) if text.contains(MARK) => Value::String(self.condition(&text)),
            value => value,
        }
    }

    /// Returns a condition as it stands in the document.
    pub(super) fn condition(&self, text: &str) -> String {
        self.back(|rename| renamed_text(text, true, rename))
            .unwrap_or_else(|| text.to_owned())
    }
}
