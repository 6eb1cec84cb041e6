//! What is wrong with a document, where, and how to mend it.
//!
//! A document with problems can be kept as a draft but not published. The browser shows them as
//! people type and the server asks the same code before it publishes: [`Checked::of`] looks at
//! everything, [`Checked::update`] only at what an edit touched, with the same result.

mod collector;
mod content;
mod ripple;
mod scope;
mod shape;
mod value;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::document::SCHEMA;
use crate::edit::Change;
use crate::{Document, IntegrationId, LaneId, StepId, limit};

use collector::Collector;
use ripple::Ripple;
pub(crate) use scope::DeadEnd;
use scope::Surroundings;
use shape::{Flaws, Index, Visited};

/// Returns what is wrong with a reference from a step of a sound document, if anything, in one
/// sentence.
pub fn reference(document: &Document, step: StepId, path: &[String]) -> Option<String> {
    let names: Vec<&str> = path.iter().map(String::as_str).collect();
    Surroundings::of(document, step).refuses(document, step, &names)
}

/// Something that keeps a document from being published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Where it is.
    pub at: At,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to do about it, in one sentence.
    pub mend: String,
}

/// A place in a document.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct At {
    /// The step; `None` for the trigger, the settings or the document as a whole.
    pub step: Option<StepId>,
    /// The lane of that step.
    pub lane: Option<LaneId>,
    /// The field, such as `url`, `name` or `trigger.cron`.
    pub field: Option<String>,
    /// The entry of a map field, such as the name of a header.
    pub entry: Option<String>,
}

/// The problems of a document, kept up to date as it is edited.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checked {
    whole: Vec<Problem>,
    /// Of the document's shape. While there are any, nothing else about it can be relied on.
    flaws: Vec<Problem>,
    /// The steps with problems or expressions.
    steps: BTreeMap<StepId, StepChecked>,
    beyond: Beyond,
}

/// What a check has to know that the document does not say.
#[derive(Clone, Debug, Default, PartialEq)]
struct Beyond {
    /// The integration that the document is of, which it cannot call.
    own: Option<IntegrationId>,
    /// The components that are not there, by the hash of their module.
    lacking: Arc<BTreeSet<String>>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct StepChecked {
    content: Vec<Problem>,
    scope: Vec<Problem>,
    /// The slugs (and other first names) that the step uses, as [`scope::number`].
    mentions: Box<[u64]>,
}

/// Where an edit made problems come, go or change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Affected {
    /// In the document as a whole, or its trigger.
    pub whole: bool,
    /// In these steps.
    pub steps: BTreeSet<StepId>,
}

impl Affected {
    /// Returns whether all problems are as they were.
    pub fn is_empty(&self) -> bool {
        !self.whole && self.steps.is_empty()
    }

    fn between(before: &Checked, after: &Checked) -> Self {
        let ids = before.steps.keys().chain(after.steps.keys());
        let steps = ids.filter(|id| !before.of_step(**id).eq(after.of_step(**id)));
        Self {
            whole: !before.of_trigger().eq(after.of_trigger()),
            steps: steps.copied().collect(),
        }
    }
}

/// Most steps that are looked up one by one after an edit, rather than in one walk.
const FEW: usize = 4;

impl Checked {
    /// Checks a whole document, of which is not known what integration it is of.
    pub fn of(document: &Document) -> Self {
        Self::within(Beyond::default(), document)
    }

    /// Checks a whole document of an integration.
    pub fn of_integration(own: IntegrationId, document: &Document) -> Self {
        let beyond = Beyond {
            own: Some(own),
            ..Beyond::default()
        };
        Self::within(beyond, document)
    }

    /// Notes which components that the document needs are not there, by the hash of their module:
    /// a step that one of them runs has a problem. Returns where problems are others than before.
    pub fn lack(&mut self, document: &Document, components: BTreeSet<String>) -> Affected {
        if *self.beyond.lacking == components {
            return Affected::default();
        }
        self.beyond.lacking = Arc::new(components);
        self.replace(document)
    }

    /// Checks another document of the same integration.
    #[must_use]
    pub fn anew(&self, document: &Document) -> Self {
        Self::within(self.beyond.clone(), document)
    }

    fn within(beyond: Beyond, document: &Document) -> Self {
        let mut index = Index::new(document);
        let mut flaws = Flaws::default();
        let mut collector = Collector::of(beyond.clone());
        let mut steps: Vec<StepChecked> = Vec::new();
        steps.resize_with(document.steps.len(), StepChecked::default);
        let enter = |id| match index.find(id) {
            None => {
                flaws.no_such_step(id);
                None
            }
            Some((number, step)) if index.mark(number) => Some((number, step)),
            Some((_, step)) => {
                flaws.twice(step);
                None
            }
        };
        shape::walk(document, enter, |visited, around| {
            steps[visited.number] = StepChecked::of(document, visited, around, &mut collector);
        });
        flaws.complete(&index);
        for number in index.unvisited() {
            let (id, step) = (index.id(number), index.step(number));
            content::check(&mut collector, id, step, step.action());
            steps[number].content = std::mem::take(&mut collector.problems);
        }
        let steps = index.all().map(|(id, _)| id).zip(steps);
        Self {
            whole: whole(document),
            flaws: flaws.0,
            steps: steps.filter(|(_, step)| !step.is_empty()).collect(),
            beyond,
        }
    }

    /// Checks again what an edit changed; `document` is the document after it. The result is that
    /// of [`Checked::of`]. Returns where problems are others than before.
    pub fn update(&mut self, document: &Document, change: &Change) -> Affected {
        let mut ripple = Ripple::of(document, change);
        if !self.flaws.is_empty() || ripple.everything {
            return self.replace(document);
        }
        let reached = self
            .steps
            .iter()
            .filter(|(_, step)| ripple.reaches(&step.mentions));
        ripple
            .steps
            .extend(reached.map(|(id, _)| *id).collect::<Vec<_>>());
        let (here, gone): (Vec<StepId>, Vec<_>) = ripple
            .steps
            .iter()
            .partition(|id| document.steps.contains_key(id));
        if here.len() > document.steps.len() / 2 {
            return self.replace(document);
        }
        let mut affected = Affected::default();
        if ripple.whole {
            let before = std::mem::replace(&mut self.whole, whole(document));
            affected.whole = before != self.whole;
        }
        for id in gone {
            self.set(id, StepChecked::default(), &mut affected);
        }
        let mut collector = Collector::of(self.beyond.clone());
        if here.len() <= FEW {
            for id in here {
                let around = Surroundings::of(document, id);
                let step = &document.steps[&id];
                let visited = Visited {
                    number: 0,
                    id,
                    step,
                    action: step.action(),
                };
                let step = StepChecked::of(document, &visited, &around, &mut collector);
                self.set(id, step, &mut affected);
            }
            return affected;
        }
        let mut index = Index::new(document);
        shape::walk(
            document,
            |id| index.find(id),
            |visited, around| {
                if ripple.steps.contains(&visited.id) {
                    let step = StepChecked::of(document, visited, around, &mut collector);
                    self.set(visited.id, step, &mut affected);
                }
            },
        );
        affected
    }

    fn replace(&mut self, document: &Document) -> Affected {
        let after = self.anew(document);
        let before = std::mem::replace(self, after);
        Affected::between(&before, self)
    }

    fn set(&mut self, id: StepId, step: StepChecked, affected: &mut Affected) {
        let before = if step.is_empty() {
            self.steps.remove(&id)
        } else {
            self.steps.insert(id, step)
        };
        if !before.unwrap_or_default().problems().eq(self.of_step(id)) {
            affected.steps.insert(id);
        }
    }

    /// Returns all problems: of the document and trigger first, then step by step.
    pub fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.of_trigger()
            .chain(self.steps.values().flat_map(StepChecked::problems))
    }

    /// Returns the problems of one step.
    pub fn of_step(&self, id: StepId) -> impl Iterator<Item = &Problem> {
        self.steps
            .get(&id)
            .into_iter()
            .flat_map(StepChecked::problems)
    }

    /// Returns the problems of the document as a whole and of its trigger.
    pub fn of_trigger(&self) -> impl Iterator<Item = &Problem> {
        self.whole.iter().chain(&self.flaws)
    }

    /// Returns whether every step is in exactly one list, under its own id and with its own slug.
    /// Edits keep a document so; only one from elsewhere can be otherwise.
    pub fn is_sound(&self) -> bool {
        self.flaws.is_empty()
    }

    /// Returns how many problems there are.
    pub fn count(&self) -> usize {
        self.problems().count()
    }

    /// Returns whether the document may be published.
    pub fn is_clean(&self) -> bool {
        self.problems().next().is_none()
    }
}

impl StepChecked {
    fn of<'a>(
        document: &Document,
        visited: &Visited<'a>,
        around: &Surroundings<'_>,
        collector: &mut Collector<'a>,
    ) -> Self {
        content::check(collector, visited.id, visited.step, visited.action);
        Self {
            scope: around.check(document, visited.id, collector),
            mentions: collector.mentions.as_slice().into(),
            content: std::mem::take(&mut collector.problems),
        }
    }

    fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.content.iter().chain(&self.scope)
    }

    fn is_empty(&self) -> bool {
        self.content.is_empty() && self.scope.is_empty() && self.mentions.is_empty()
    }
}

/// Returns every reference of a step to something that is not there when the step runs.
pub(crate) fn dead_ends(document: &Document) -> Vec<DeadEnd> {
    let mut index = Index::new(document);
    let mut collector = Collector::default();
    let mut ends = Vec::new();
    let enter = |id| index.find(id).filter(|(number, _)| index.mark(*number));
    shape::walk(document, enter, |visited, around| {
        content::check(&mut collector, visited.id, visited.step, visited.action);
        ends.extend(around.dead_ends(document, visited.id, &collector));
    });
    ends
}

fn whole(document: &Document) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut say = |field: Option<&str>, message: String, mend: &str| {
        let at = At {
            field: field.map(str::to_owned),
            ..At::default()
        };
        problems.push(Problem {
            at,
            message,
            mend: mend.to_owned(),
        });
    };
    if document.schema != SCHEMA {
        let message = format!(
            "The document has schema {}, but {SCHEMA} is needed.",
            document.schema
        );
        say(
            None,
            message,
            "Open it with the version of Sluice that wrote it.",
        );
    }
    if document.flow.is_empty() {
        say(
            None,
            "There are no steps.".to_owned(),
            "Add at least one step.",
        );
    }
    if document.steps.len() > limit::STEPS {
        let message = format!(
            "There are {} steps. At most {} are allowed.",
            document.steps.len(),
            limit::STEPS
        );
        say(None, message, "Move some of them into another integration.");
    }
    if !(1..=86_400).contains(&document.settings.time_limit_seconds) {
        let message = "The time limit must be between 1 second and a day.".to_owned();
        say(
            Some("settings.time_limit_seconds"),
            message,
            "Choose a time limit from 1 to 86,400.",
        );
    }
    content::check_trigger(&document.trigger, &mut problems);
    problems
}

#[cfg(test)]
mod tests;
