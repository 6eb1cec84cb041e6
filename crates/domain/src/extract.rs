//! Steps that become an integration of their own, with a step that calls it where they stood.
//!
//! What the steps use of what is before them is given to the call as its input; what comes behind
//! them goes on with the call's result. Both documents do together what the one did.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::catalog::PARALLEL;
use crate::document::{ListRef, Place, Step};
use crate::edit::{self, Edit, several};
use crate::template::{Anew, rewritten_text};
use crate::{Document, IntegrationId, StepId, call, catalog, slug};

/// Most that the trigger says of what it expects, in bytes: below what its field takes.
const EXPECTS_BYTES: usize = 1_900;
/// Name of the step that gathers what is used behind the call, if that is more than its last step.
const RESULT: &str = "Result";
/// The names that every run has; inside another integration they mean something else.
const ROOTS: [&str; 4] = ["trigger", "item", "index", "run"];
/// Names that say little without what they are of.
const VAGUE: [&str; 12] = [
    "body", "code", "count", "data", "headers", "id", "items", "name", "output", "result",
    "status", "value",
];

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
    /// The last of them gives the result of what they are in.
    #[error(
        "“{last}” gives the result of {of}, which the call would change. Add a Set values step behind it that gives the result, and extract what is before."
    )]
    Result {
        /// The last of the steps.
        last: String,
        /// What it gives the result of.
        of: String,
    },
    /// What deals with their failure asks which of them failed, or how.
    #[error(
        "Behind “{0}” it is asked which step failed, or with which code. Of a call neither is known. Leave the steps here, or use the message only."
    )]
    Failure(String),
}

/// Something before the steps that they use: its names, such as `steps`, `order`, `body`.
type Source = Vec<String>;

/// Returns what a reference uses; `None` for what is no value of the run, or of the steps as a whole.
///
/// It is what is written out, and all of that which can be missing: where an expression asks whether
/// something is there, that is asked there, too.
fn source(names: &[&str], asks: bool) -> Option<Source> {
    let is_steps = names.first() == Some(&"steps");
    let least = if is_steps { 2 } else { 1 };
    if !(is_steps && names.len() > 1 || ROOTS.contains(names.first()?)) {
        return None;
    }
    let written = names.iter().take_while(|name| is_plain(name)).count();
    let most = if asks && names.len() == written {
        written.saturating_sub(1)
    } else {
        written
    };
    let names = names.iter().take(most.max(least));
    Some(names.map(|name| (*name).to_owned()).collect())
}

/// Returns whether a name can stand behind a dot.
fn is_plain(name: &str) -> bool {
    let mut letters = name.bytes();
    let is_first = |letter: u8| letter.is_ascii_alphabetic() || letter == b'_';
    letters.next().is_some_and(is_first)
        && letters.all(|letter| letter.is_ascii_digit() || is_first(letter))
}

/// Returns the expression that stands for a source where the steps are today.
fn expression(source: &[String]) -> String {
    format!("{{{{ {} }}}}", source.join("."))
}

/// Returns what a source is best called, among others.
fn called(source: &[String]) -> String {
    let Some((last, before)) = source.split_last() else {
        return String::new();
    };
    let owner = before
        .iter()
        .rev()
        .find(|name| !["steps", "trigger", "body"].contains(&name.as_str()));
    match owner {
        Some(owner) if VAGUE.contains(&last.as_str()) => format!("{owner}_{last}"),
        _ => last.clone(),
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
    let at = together(document, &roots)?;
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
    keeps_result(document, &roots, &inside)?;
    keeps_failure(document, at, &inside)?;
    let own: BTreeSet<&str> = slugs(document, &inside).collect();
    let sources = sources(document, &inside, &looped, &own)?;
    let keys = keys(&sources);

    let mut extracted = Document::new(call::TRIGGER);
    extracted.settings = document.settings.clone();
    for (id, step) in document.steps.iter().filter(|(id, _)| inside.contains(id)) {
        let in_loop = looped.contains(id);
        let moved = edit::rewritten(step, &|text, is_condition| {
            rewritten_text(text, is_condition, |names| {
                let source = outer(names, asks(text), in_loop, &own)?;
                let (source, key) = keys.iter().find(|(given, _)| source.starts_with(given))?;
                Some(Anew::Path(source.len(), format!("trigger.body.{key}")))
            })
        });
        extracted
            .steps
            .insert(*id, moved.unwrap_or_else(|| step.clone()));
    }
    extracted.flow.clone_from(&roots);

    let used = used_behind(document, &roots, &inside)?;
    let last = roots.last().and_then(|id| document.steps.get(id));
    let is_last_alone = last
        .is_some_and(|last| last.lanes.is_empty() && used.iter().all(|slug| *slug == last.slug));
    let result = if is_last_alone || used.is_empty() {
        Outcome::LastStep
    } else {
        gather(&mut extracted, &used, step_id());
        Outcome::BySlug
    };
    let inputs: Vec<(String, String)> = keys
        .iter()
        .map(|(source, key)| (key.clone(), expression(source)))
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
        let inside: BTreeSet<StepId> = self.steps.iter().map(|step| step.id).collect();
        let taken: BTreeSet<&str> = outside(document, &inside)
            .map(|step| step.slug.as_str())
            .collect();
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
        for step in outside(document, &inside) {
            let rewritten = edit::rewritten(step, &|text, is_condition| {
                rewritten_text(text, is_condition, |names| {
                    let ["steps", used, ..] = names else {
                        return None;
                    };
                    let is_given = self.results.iter().any(|slug| slug == used);
                    is_given.then(|| {
                        let path = match self.result {
                            Outcome::LastStep => format!("steps.{slug}.result"),
                            Outcome::BySlug => format!("steps.{slug}.result.{used}"),
                        };
                        Anew::Path(2, path)
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

/// Returns whether a text asks if something is there.
fn asks(text: &str) -> bool {
    ["defined", "default", "| d", "|d"]
        .iter()
        .any(|word| text.contains(word))
}

/// Returns what a reference uses from outside the steps.
fn outer(names: &[&str], asks: bool, in_loop: bool, own: &BTreeSet<&str>) -> Option<Source> {
    let is_own = match names {
        ["steps", slug, ..] => own.contains(slug),
        ["item" | "index", ..] => in_loop,
        _ => false,
    };
    if is_own { None } else { source(names, asks) }
}

/// Returns what the steps use from outside. Where a whole is used, its parts are in it.
fn sources(
    document: &Document,
    inside: &BTreeSet<StepId>,
    looped: &BTreeSet<StepId>,
    own: &BTreeSet<&str>,
) -> Result<BTreeSet<Source>, Refusal> {
    let found = RefCell::new(BTreeSet::new());
    for (id, step) in document.steps.iter().filter(|(id, _)| inside.contains(id)) {
        look(step, &|text, names| {
            let source = outer(names, asks(text), looped.contains(id), own);
            found.borrow_mut().extend(source);
        });
        uses_no_whole(step)?;
    }
    // In this order a whole comes right before its parts.
    let mut wholes: BTreeSet<Source> = BTreeSet::new();
    for source in found.into_inner() {
        let is_part = wholes.last().is_some_and(|whole| source.starts_with(whole));
        if !is_part {
            wholes.insert(source);
        }
    }
    Ok(wholes)
}

/// Refuses a step that uses all that is before it.
fn uses_no_whole(step: &Step) -> Result<(), Refusal> {
    let is_whole = Cell::new(false);
    look(step, &|_, names| {
        is_whole.set(is_whole.get() || names == ["steps"])
    });
    if is_whole.get() {
        return Err(Refusal::Everything(step.name.clone()));
    }
    Ok(())
}

/// Shows each reference of a step, with the text that it stands in.
fn look(step: &Step, see: &dyn Fn(&str, &[&str])) {
    let unchanged = edit::rewritten(step, &|text, is_condition| {
        rewritten_text(text, is_condition, |names| {
            see(text, names);
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
        let key = slug::unique(&called(source), |key| taken.contains(key));
        taken.insert(key.clone());
        keys.insert(source.clone(), key);
    }
    keys
}

/// Returns whether a step outside uses such a value of a container.
fn is_used(
    document: &Document,
    inside: &BTreeSet<StepId>,
    container: &Step,
    is_meant: impl Fn(&[&str]) -> bool,
) -> bool {
    let used = Cell::new(false);
    for step in outside(document, inside) {
        look(step, &|_, names| {
            if let ["steps", slug, rest @ ..] = names {
                used.set(used.get() || *slug == container.slug && is_meant(rest));
            }
        });
    }
    used.get()
}

/// Refuses where the last of the steps gives the result of a loop, a try or a called run that is
/// used: a call's output is not the output of the step in it.
fn keeps_result(
    document: &Document,
    roots: &[StepId],
    inside: &BTreeSet<StepId>,
) -> Result<(), Refusal> {
    let Some(last) = roots.last().and_then(|id| document.steps.get(id)) else {
        return Ok(());
    };
    let refused = |of: String| {
        Err(Refusal::Result {
            last: last.name.clone(),
            of,
        })
    };
    let mut at = last.id;
    // In a cycle of containers there is no way out: stop after as many as there can be.
    for _ in 0..=document.steps.len() {
        let Some(place) = document.place(at) else {
            break;
        };
        let list = document.list(place.list).map(Vec::as_slice);
        if list.and_then(<[_]>::last) != Some(&at) {
            break;
        }
        let ListRef::Lane(container, _) = place.list else {
            let responds = document.steps.values().any(|step| step.kind == "respond");
            if document.trigger.kind == call::TRIGGER && !responds {
                return refused("this integration".to_owned());
            }
            break;
        };
        let Some(around) = document.steps.get(&container) else {
            break;
        };
        if matches!(around.kind.as_str(), "loop" | "try" | PARALLEL) {
            let is_result = |rest: &[&str]| matches!(rest, [] | ["result" | "results", ..]);
            if is_used(document, inside, around, is_result) {
                return refused(format!("“{}”", around.name));
            }
            break;
        }
        at = container;
    }
    Ok(())
}

/// Refuses where a try around the steps is asked which of them failed, or how.
fn keeps_failure(document: &Document, at: Place, inside: &BTreeSet<StepId>) -> Result<(), Refusal> {
    let mut list = at.list;
    for _ in 0..=document.steps.len() {
        let ListRef::Lane(container, lane) = list else {
            break;
        };
        if let Some(around) = document.steps.get(&container)
            && around.kind == "try"
            && !around.catches_in(lane)
        {
            let is_asked = |rest: &[&str]| {
                matches!(rest, [] | ["error"])
                    || matches!(rest, ["error", part, ..] if *part != "message")
            };
            if is_used(document, inside, around, is_asked) {
                return Err(Refusal::Failure(around.name.clone()));
            }
        }
        match document.place(container) {
            Some(place) => list = place.list,
            None => break,
        }
    }
    Ok(())
}

fn outside<'a>(
    document: &'a Document,
    inside: &'a BTreeSet<StepId>,
) -> impl Iterator<Item = &'a Step> {
    let steps = document.steps.values();
    steps.filter(|step| !inside.contains(&step.id))
}

/// Returns the slugs of the steps whose outputs others use, in the order of the flow.
fn used_behind(
    document: &Document,
    roots: &[StepId],
    inside: &BTreeSet<StepId>,
) -> Result<Vec<String>, Refusal> {
    let used = RefCell::new(BTreeSet::new());
    for step in outside(document, inside) {
        look(step, &|_, names| {
            if let ["steps", slug, ..] = names {
                used.borrow_mut().insert((*slug).to_owned());
            }
        });
        uses_no_whole(step)?;
    }
    let used = used.into_inner();
    let slugs = roots.iter().filter_map(|id| document.steps.get(id));
    let slugs = slugs.map(|step| step.slug.clone());
    Ok(slugs.filter(|slug| used.contains(slug)).collect())
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
        let value = expression(&["steps".to_owned(), slug.clone()]);
        (slug.clone(), Value::from(value))
    });
    let values: Map<String, Value> = values.collect();
    step.config
        .insert("values".to_owned(), Value::Object(values));
    document.flow.push(step_id);
    document.steps.insert(step_id, step);
}

/// Says in the trigger what it expects, as far as there is room.
fn describe(extracted: &mut Document, inputs: &[(String, String)], from: &Document) {
    let mut said = String::new();
    for (key, expression) in inputs {
        let inner = expression.trim_matches(['{', '}', ' ']);
        let names: Vec<&str> = inner.split('.').collect();
        let step = match names.as_slice() {
            ["steps", slug, ..] => from.step_by_slug(slug),
            _ => None,
        };
        let line = match step {
            Some(step) => format!("{key}: {inner}, of “{}”", step.name),
            None => format!("{key}: {inner} of the calling run"),
        };
        if said.len() + line.len() >= EXPECTS_BYTES {
            break;
        }
        if !said.is_empty() {
            said.push('\n');
        }
        said.push_str(&line);
    }
    if !said.is_empty() {
        let config = &mut extracted.trigger.config;
        config.insert("expects".to_owned(), Value::from(said));
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
