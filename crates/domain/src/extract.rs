//! Steps that become an integration of their own, with a step that calls it where they stood.
//!
//! What the steps use of what is before them is given to the call as its input; what comes behind
//! them goes on with the call's result. Both documents do together what the one did.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::document::{Place, Step};
use crate::edit::{self, Edit, several};
use crate::template::{Anew, rewritten_text};
use crate::{Document, IntegrationId, StepId, call, catalog, slug};

/// Name of the step that gathers what is used behind the call, if that is more than its last step.
const RESULT: &str = "Result";
/// The names that every run has; inside another integration they mean something else.
const ROOTS: [&str; 4] = ["trigger", "item", "index", "run"];

/// Steps that can become an integration of their own.
#[derive(Clone, Debug, PartialEq)]
pub struct Extraction {
    /// The new integration's document.
    pub document: Document,
    /// What the call gives to it: a name, and the expression that stands for it today.
    pub inputs: Vec<(String, String)>,
    /// The slugs of the steps whose outputs are used behind the call.
    pub results: Vec<String>,
    /// The steps as they were.
    steps: Vec<Step>,
    roots: Vec<StepId>,
    result: Outcome,
}

/// What the result of the call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Nothing uses it, or it is what the last step gave.
    LastStep,
    /// What several steps gave, by their slugs.
    BySlug,
}

/// Why steps cannot become an integration of their own.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// None of them is there.
    #[error("Select the steps that shall become an integration of their own.")]
    NoSteps,
    /// They are in several places.
    #[error("Only steps that stand one behind the other can become an integration of their own.")]
    Apart,
    /// One of them answers whoever called.
    #[error(
        "“{0}” answers whoever started this integration, which another one cannot. Leave it here."
    )]
    Answers(String),
    /// One of them may end the run.
    #[error("“{0}” can end the run, but only its own. Leave it here, or use a Branch.")]
    Ends(String),
    /// One of them uses all that is before it.
    #[error("“{0}” uses `steps` as a whole. Name the step whose output it needs.")]
    Everything(String),
    /// It would have more steps than an integration may.
    #[error(transparent)]
    Edit(#[from] edit::Refusal),
}

/// Something before the steps that they use.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    /// The output of a step, by its slug.
    Step(String),
    /// One part of what the trigger gave.
    Trigger(String),
    /// A name that every run has, as a whole.
    Root(&'static str),
}

impl Source {
    /// Returns what a reference uses; `None` for what is no value of the run.
    fn of(names: &[&str]) -> Option<Self> {
        let is_name = |name: &str| {
            let mut letters = name.bytes();
            letters
                .next()
                .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
                && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == b'_')
        };
        match names {
            ["steps", slug, ..] => Some(Self::Step((*slug).to_owned())),
            ["trigger", part, ..] if is_name(part) => Some(Self::Trigger((*part).to_owned())),
            [root, ..] => {
                let root = ROOTS.iter().find(|known| *known == root)?;
                Some(Self::Root(root))
            }
            [] => None,
        }
    }

    /// Returns the expression that stands for it where the steps are today.
    fn expression(&self) -> String {
        match self {
            Self::Step(slug) => format!("{{{{ steps.{slug} }}}}"),
            Self::Trigger(part) => format!("{{{{ trigger.{part} }}}}"),
            Self::Root(root) => format!("{{{{ {root} }}}}"),
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Step(name) | Self::Trigger(name) => name,
            Self::Root(root) => root,
        }
    }

    /// Returns what a reference to it becomes, when that is found under `path`.
    fn anew(&self, path: String) -> Anew {
        match self {
            Self::Step(_) | Self::Trigger(_) => Anew::Both(path),
            Self::Root(_) => Anew::First(path),
        }
    }
}

/// Reads what some steps need and give, if they can become an integration of their own.
///
/// `step_id` makes the id of the step that gathers the results, if one is needed.
///
/// # Errors
/// When they do not stand together, or would do something else there.
pub fn extract(
    document: &Document,
    chosen: &[StepId],
    step_id: impl FnOnce() -> StepId,
) -> Result<Extraction, Refusal> {
    let roots = several::roots(document, chosen);
    together(document, &roots)?;
    let inside: BTreeSet<StepId> = roots
        .iter()
        .flat_map(|root| document.subtree(*root))
        .collect();
    let looped = in_loops(document, &roots);
    for step in inside.iter().filter_map(|id| document.steps.get(id)) {
        match step.kind.as_str() {
            "respond" => return Err(Refusal::Answers(step.name.clone())),
            "filter" if !looped.contains(&step.id) => return Err(Refusal::Ends(step.name.clone())),
            _ => {}
        }
    }
    let own: BTreeSet<&str> = slugs(document, &inside).collect();
    let sources = sources(document, &inside, &looped, &own)?;
    let keys = keys(&sources);

    let mut extracted = Document::new(call::TRIGGER);
    for (id, step) in document.steps.iter().filter(|(id, _)| inside.contains(id)) {
        let in_loop = looped.contains(id);
        let moved = edit::rewritten(step, &|text, is_condition| {
            rewritten_text(text, is_condition, |names| {
                let source = outer(names, in_loop, &own)?;
                let (source, key) = find(&keys, &source)?;
                Some(source.anew(format!("trigger.body.{key}")))
            })
        });
        extracted
            .steps
            .insert(*id, moved.unwrap_or_else(|| step.clone()));
    }
    extracted.flow.clone_from(&roots);

    let used = used_behind(document, &roots, &inside);
    let last = roots.last().and_then(|id| document.steps.get(id));
    let is_last_alone = last
        .is_some_and(|last| last.lanes.is_empty() && used.iter().all(|slug| *slug == last.slug));
    let result = if is_last_alone || used.is_empty() {
        Outcome::LastStep
    } else {
        gather(&mut extracted, &used, step_id());
        Outcome::BySlug
    };
    let inputs = keys
        .iter()
        .map(|(source, key)| (key.clone(), source.expression()))
        .collect();
    describe(&mut extracted, &inputs, document);
    Ok(Extraction {
        document: extracted,
        inputs,
        results: used,
        steps: content(document, &roots).cloned().collect(),
        roots,
        result,
    })
}

impl Extraction {
    /// Returns the act that puts a step in place of the steps, which calls the integration that
    /// they became, and lets what used their outputs use its result; `None` when the steps are not
    /// there any more as they were read.
    pub fn replacing(
        &self,
        document: &Document,
        integration: IntegrationId,
        name: &str,
        step_id: StepId,
    ) -> Option<Edit> {
        let at = together(document, &self.roots).ok()?;
        if !content(document, &self.roots).eq(&self.steps) {
            return None;
        }
        let inside: BTreeSet<StepId> = self
            .roots
            .iter()
            .flat_map(|root| document.subtree(*root))
            .collect();
        let rest = document
            .steps
            .values()
            .filter(|step| !inside.contains(&step.id));
        let taken: BTreeSet<&str> = rest.clone().map(|step| step.slug.as_str()).collect();
        let slug = slug::unique(name, |slug| taken.contains(slug));
        let mut edits: Vec<Edit> = self
            .roots
            .iter()
            .map(|step| Edit::Delete { step: *step })
            .collect();
        if let Some(action) = catalog::action(call::STEP) {
            // It has no lanes.
            let lane = || crate::LaneId::new(uuid::Uuid::nil());
            let mut step = edit::new_step(action, step_id, name, slug.clone(), lane);
            let id = Value::from(integration.to_string());
            step.config.insert("integration".to_owned(), id);
            if !self.inputs.is_empty() {
                let inputs = self.inputs.iter();
                let inputs = inputs.map(|(key, from)| (key.clone(), Value::from(from.as_str())));
                step.config
                    .insert("input".to_owned(), Value::Object(inputs.collect()));
            }
            edits.push(Edit::Insert {
                steps: vec![step],
                at,
            });
        }
        for step in rest {
            let rewritten = edit::rewritten(step, &|text, is_condition| {
                rewritten_text(text, is_condition, |names| {
                    let ["steps", used, ..] = names else {
                        return None;
                    };
                    let is_given = self.results.iter().any(|slug| slug == used);
                    is_given.then(|| {
                        Anew::Both(match self.result {
                            Outcome::LastStep => format!("steps.{slug}.result"),
                            Outcome::BySlug => format!("steps.{slug}.result.{used}"),
                        })
                    })
                })
            });
            edits.extend(rewritten.iter().flat_map(|now| differing(step, now)));
        }
        Some(Edit::Batch { edits })
    }
}

/// Returns steps with everything in them, in the order of reading.
fn content<'a>(document: &'a Document, roots: &'a [StepId]) -> impl Iterator<Item = &'a Step> {
    let ids = roots.iter().flat_map(|root| document.subtree(*root));
    ids.filter_map(|id| document.steps.get(&id))
}

/// Returns the place of steps that stand one behind the other.
fn together(document: &Document, roots: &[StepId]) -> Result<Place, Refusal> {
    let first = roots.first().ok_or(Refusal::NoSteps)?;
    let at = document.place(*first).ok_or(Refusal::NoSteps)?;
    let list = document
        .list(at.list)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let here = list.get(at.index..at.index + roots.len());
    if here == Some(roots) {
        Ok(at)
    } else {
        Err(Refusal::Apart)
    }
}

/// Returns the steps inside a loop that is itself among the steps: `item` and `index` are its own.
fn in_loops(document: &Document, roots: &[StepId]) -> BTreeSet<StepId> {
    let all = roots.iter().flat_map(|root| document.subtree(*root));
    let loops = all.filter(|id| {
        let step = document.steps.get(id);
        step.is_some_and(|step| step.kind == "loop")
    });
    loops
        .flat_map(|id| document.subtree(id).into_iter().skip(1))
        .collect()
}

fn slugs<'a>(document: &'a Document, ids: &'a BTreeSet<StepId>) -> impl Iterator<Item = &'a str> {
    let steps = ids.iter().filter_map(|id| document.steps.get(id));
    steps.map(|step| step.slug.as_str())
}

/// Returns what a reference uses from outside the steps.
fn outer(names: &[&str], in_loop: bool, own: &BTreeSet<&str>) -> Option<Source> {
    let source = Source::of(names)?;
    let is_outer = match &source {
        Source::Step(slug) => !own.contains(slug.as_str()),
        Source::Root("item" | "index") => !in_loop,
        Source::Root(_) | Source::Trigger(_) => true,
    };
    is_outer.then_some(source)
}

/// Returns what the steps use from outside.
fn sources(
    document: &Document,
    inside: &BTreeSet<StepId>,
    looped: &BTreeSet<StepId>,
    own: &BTreeSet<&str>,
) -> Result<BTreeSet<Source>, Refusal> {
    let found = RefCell::new(BTreeSet::new());
    let is_whole = RefCell::new(false);
    for (id, step) in document.steps.iter().filter(|(id, _)| inside.contains(id)) {
        look(step, &|names| {
            *is_whole.borrow_mut() |= names == ["steps"];
            found
                .borrow_mut()
                .extend(outer(names, looped.contains(id), own));
        });
        if *is_whole.borrow() {
            return Err(Refusal::Everything(step.name.clone()));
        }
    }
    let mut found = found.into_inner();
    // Where the whole is given, its parts are in it.
    if found.contains(&Source::Root("trigger")) {
        found.retain(|source| !matches!(source, Source::Trigger(_)));
    }
    Ok(found)
}

/// Shows each reference of a step.
fn look(step: &Step, see: &dyn Fn(&[&str])) {
    let unchanged = edit::rewritten(step, &|text, is_condition| {
        rewritten_text(text, is_condition, |names| {
            see(names);
            None
        })
    });
    debug_assert!(unchanged.is_none(), "it was only looked at");
}

/// Gives each source a name of its own.
fn keys(sources: &BTreeSet<Source>) -> BTreeMap<Source, String> {
    let mut taken: BTreeSet<String> = BTreeSet::new();
    let mut keys = BTreeMap::new();
    for source in sources {
        let key = slug::unique(source.name(), |key| taken.contains(key));
        taken.insert(key.clone());
        keys.insert(source.clone(), key);
    }
    keys
}

/// Returns the source that is given for another one: itself, or the whole that it is a part of.
fn find<'a>(
    keys: &'a BTreeMap<Source, String>,
    source: &Source,
) -> Option<(&'a Source, &'a String)> {
    keys.get_key_value(source).or_else(|| match source {
        Source::Trigger(_) => keys.get_key_value(&Source::Root("trigger")),
        Source::Step(_) | Source::Root(_) => None,
    })
}

/// Returns the slugs of the steps whose outputs others use, in the order of the flow.
fn used_behind(document: &Document, roots: &[StepId], inside: &BTreeSet<StepId>) -> Vec<String> {
    let used = RefCell::new(BTreeSet::new());
    for step in document
        .steps
        .values()
        .filter(|step| !inside.contains(&step.id))
    {
        look(step, &|names| {
            if let ["steps", slug, ..] = names {
                used.borrow_mut().insert((*slug).to_owned());
            }
        });
    }
    let used = used.into_inner();
    let slugs = roots.iter().filter_map(|id| document.steps.get(id));
    let slugs = slugs.map(|step| step.slug.clone());
    slugs.filter(|slug| used.contains(slug)).collect()
}

/// Adds the step that gives the outputs of several steps as one result.
fn gather(document: &mut Document, used: &[String], step_id: StepId) {
    let Some(action) = catalog::action("set") else {
        return;
    };
    let slug = slug::unique(RESULT, |slug| document.step_by_slug(slug).is_some());
    // It has no lanes.
    let lane = || crate::LaneId::new(uuid::Uuid::nil());
    let mut step = edit::new_step(action, step_id, RESULT, slug, lane);
    let values = used.iter().map(|slug| {
        let value = Source::Step(slug.clone()).expression();
        (slug.clone(), Value::from(value))
    });
    let values: Map<String, Value> = values.collect();
    step.config
        .insert("values".to_owned(), Value::Object(values));
    document.flow.push(step_id);
    document.steps.insert(step_id, step);
}

/// Says in the trigger what it expects.
fn describe(extracted: &mut Document, inputs: &Vec<(String, String)>, from: &Document) {
    let mut lines = Vec::new();
    for (key, expression) in inputs {
        let inner = expression.trim_matches(['{', '}', ' ']);
        let step = inner.strip_prefix("steps.");
        let step = step.and_then(|slug| from.step_by_slug(slug));
        lines.push(match step {
            Some(step) => format!("{key}: what “{}” gives", step.name),
            None => format!("{key}: {inner} of the calling run"),
        });
    }
    if !lines.is_empty() {
        let expects = Value::from(lines.join("\n"));
        let config = &mut extracted.trigger.config;
        config.insert("expects".to_owned(), expects);
    }
}

/// Returns the edits that make one state of a step's own content of another.
fn differing(before: &Step, now: &Step) -> Vec<Edit> {
    let fields = now.config.iter();
    let fields = fields.filter(|(field, value)| before.config.get(*field) != Some(value));
    let fields = fields.map(|(field, value)| Edit::SetField {
        step: now.id,
        field: field.clone(),
        value: Some(value.clone()),
    });
    let lanes = before.lanes.iter().zip(&now.lanes);
    let lanes = lanes.filter(|(before, now)| before.when != now.when);
    let lanes = lanes.map(|(_, lane)| Edit::SetLane {
        step: now.id,
        lane: lane.id,
        name: lane.name.clone(),
        when: lane.when.clone(),
    });
    fields.chain(lanes).collect()
}

#[cfg(test)]
mod tests;
