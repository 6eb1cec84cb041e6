//! Checks that what a step refers to is there when the step runs.
//!
//! A step sees the outputs of the steps before it in its own list and before each container it
//! is in, the round of each loop it is in, and the error of each try whose second lane it is in. Nothing in another lane, and nothing later.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::collector::Collector;
use super::{At, Problem};
use crate::catalog::{self, Action, Container};
use crate::document::{ListRef, OnError, Step};
use crate::schema::Schema;
use crate::template::ROOTS;
use crate::{Document, StepId, limit};

/// What can be seen of a step.
#[derive(Clone, Copy)]
pub(super) enum Seen<'a> {
    /// Its output, with what the catalog says of its kind.
    Output(&'a Step, Option<&'a Action>),
    /// The round of the loop.
    Round,
    /// What failed in the first lane of the try.
    Caught,
}

/// Things by the [`number`] of a name.
pub(super) type ByNumber<T> = HashMap<u64, T, BuildHasherDefault<AsItIs>>;

/// What a step finds around it.
#[derive(Default)]
pub(super) struct Surroundings<'a> {
    /// What can be seen, by slug.
    pub(super) visible: ByNumber<Seen<'a>>,
    /// How many lanes it is in.
    pub(super) depth: usize,
    /// How many of them are of loops.
    pub(super) loops: usize,
}

impl<'a> Surroundings<'a> {
    /// Looks up what is around one step of a sound document.
    pub(super) fn of(document: &'a Document, id: StepId) -> Self {
        let mut found = Self::default();
        let mut at = document.place(id);
        while let Some(place) = at {
            let before = document
                .list(place.list)
                .into_iter()
                .flatten()
                .take(place.index);
            for step in before.filter_map(|id| document.steps.get(id)) {
                found.show(step, step.action());
            }
            at = match place.list {
                ListRef::Flow => None,
                ListRef::Lane(container, lane) => {
                    found.depth += 1;
                    match document.steps.get(&container) {
                        Some(step) if is_loop(step) => {
                            found.visible.insert(number(&step.slug), Seen::Round);
                            found.loops += 1;
                        }
                        Some(step) if step.catches_in(lane) => found.catch(step),
                        _ => {}
                    }
                    document.place(container)
                }
            };
        }
        found
    }

    /// Makes the output of a step visible; returns its slug's number.
    pub(super) fn show(&mut self, step: &'a Step, action: Option<&'a Action>) -> u64 {
        let slug = number(&step.slug);
        self.visible.insert(slug, Seen::Output(step, action));
        slug
    }

    /// Makes the error of a try visible, for the lane that runs then.
    pub(super) fn catch(&mut self, step: &Step) {
        self.visible.insert(number(&step.slug), Seen::Caught);
    }

    /// Returns the problems of a step with what it uses, and notes which names those are.
    pub(super) fn check(
        &self,
        document: &Document,
        id: StepId,
        found: &mut Collector<'_>,
    ) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut mentions = std::mem::take(&mut found.mentions);
        mentions.clear();
        for (names, at) in found.uses() {
            let Some(named) = named(names) else { continue };
            if !mentions.contains(&named) {
                mentions.push(named);
            }
            // What lies deeper still moves with the step that is too deep.
            if self.depth <= limit::DEPTH
                && let Err((message, mend)) = self.check_use(document, id, names, named)
            {
                problems.push(Problem {
                    at: at(),
                    message,
                    mend,
                });
            }
        }
        found.mentions = mentions;
        if self.depth == limit::DEPTH {
            problems.push(Problem {
                at: At {
                    step: Some(id),
                    ..At::default()
                },
                message: format!("The step is nested deeper than {} lanes.", limit::DEPTH),
                mend: "Move it out, or make an integration of its own of the inner part."
                    .to_owned(),
            });
        }
        problems
    }

    /// Returns the references of a step to what is not there.
    pub(super) fn dead_ends<'f>(
        &'f self,
        document: &'f Document,
        id: StepId,
        found: &'f Collector<'_>,
    ) -> impl Iterator<Item = DeadEnd> + 'f {
        found.uses().filter_map(move |(names, _)| {
            let (message, _) = self.check_use(document, id, names, named(names)?).err()?;
            let path = names.iter().map(|name| (*name).to_owned()).collect();
            Some(DeadEnd {
                step: id,
                path,
                message,
            })
        })
    }

    /// Returns what is wrong with one reference of a step, if anything.
    pub(super) fn refuses(
        &self,
        document: &Document,
        id: StepId,
        names: &[&str],
    ) -> Option<String> {
        let (message, _) = self.check_use(document, id, names, named(names)?).err()?;
        Some(message)
    }

    /// Checks one reference; `named` is the number of its slug.
    fn check_use(
        &self,
        document: &Document,
        id: StepId,
        path: &[&str],
        named: u64,
    ) -> Result<(), Said> {
        let root = path.first().copied().unwrap_or_default();
        match root {
            "steps" => path.get(1).map_or(Ok(()), |slug| {
                self.check_step(document, id, slug, &path[2..], named)
            }),
            "trigger" => match (catalog::trigger(&document.trigger.kind), path.get(1)) {
                (Some(kind), Some(name)) => check_output(&kind.output, None, name, "trigger"),
                _ => Ok(()),
            },
            "item" | "index" if self.loops == 0 => Err((
                format!("`{root}` is only there inside a loop."),
                "Move the step into a loop, or use another value.".to_owned(),
            )),
            "run" => path.get(1).map_or(Ok(()), |name| {
                check_name(|known| RUN.contains(&known), || RUN.join(", "), name, "run")
            }),
            _ if ROOTS.contains(&root) => Ok(()),
            _ => Err((
                format!("There is no value called `{root}`."),
                if document.step_by_slug(root).is_some() {
                    format!("Write steps.{root} to use the output of that step.")
                } else {
                    "Start with trigger, steps, item, index or run; put texts into quotes."
                        .to_owned()
                },
            )),
        }
    }

    fn check_step(
        &self,
        document: &Document,
        id: StepId,
        slug: &str,
        rest: &[&str],
        named: u64,
    ) -> Result<(), Said> {
        match (self.visible.get(&named), rest.first()) {
            (Some(_), None) | (Some(Seen::Output(_, None)), _) => Ok(()),
            (Some(Seen::Round), Some(name)) => check_name(
                |known| ROUND.contains(&known),
                || ROUND.join(", "),
                name,
                &format!("steps.{slug}"),
            ),
            (Some(Seen::Caught), Some(name)) => check_name(
                |known| CAUGHT.contains(&known),
                || CAUGHT.join(", "),
                name,
                &format!("steps.{slug}"),
            ),
            (Some(Seen::Output(step, Some(action))), Some(name)) => {
                check_output(&action.output, Some(step), name, slug)?;
                match (action.container, rest) {
                    (Some(Container::Parallel), ["results", lane, ..]) => check_name(
                        |known| step.lanes.iter().any(|lane| lane.name == known),
                        || {
                            let names = step.lanes.iter().map(|lane| lane.name.as_str());
                            names.collect::<Vec<_>>().join(", ")
                        },
                        lane,
                        &format!("steps.{slug}.results"),
                    ),
                    _ => Ok(()),
                }
            }
            (None, _) => Err(match document.step_by_slug(slug) {
                None => (
                    format!("There is no step called `{slug}`."),
                    "Choose a step that is there, or rename one.".to_owned(),
                ),
                Some(step) if step.id == id => (
                    format!("The step uses its own output, `steps.{slug}`."),
                    "Use the output of a step before it.".to_owned(),
                ),
                Some(step) => (
                    format!(
                        "`{}` has not run when this step starts: it comes later, or is in another lane.",
                        step.name
                    ),
                    "Move it before this step, or use another value.".to_owned(),
                ),
            }),
        }
    }
}

/// A reference to something that is not there when its step runs.
pub(crate) struct DeadEnd {
    /// The step.
    pub(crate) step: StepId,
    /// The names, such as `["steps", "lookup", "body"]`.
    pub(crate) path: Vec<String>,
    /// What is wrong, in one sentence.
    pub(crate) message: String,
}

/// Returns the number of the name that decides what a reference means.
fn named(names: &[&str]) -> Option<u64> {
    let first = names.first()?;
    let slug = names.get(1).filter(|_| *first == "steps");
    Some(number(slug.unwrap_or(first)))
}

/// What is wrong, and how to mend it.
type Said = (String, String);

/// What is known of a run.
const RUN: [&str; 3] = ["id", "started_at", "test"];
/// What a loop gives to the steps inside it.
const ROUND: [&str; 2] = ["item", "index"];
/// What a try gives to the steps of the lane that runs when it failed.
const CAUGHT: [&str; 2] = ["error", "failed"];

pub(super) fn is_loop(step: &Step) -> bool {
    step.kind == "loop"
}

/// Checks a name that is taken from an output. What cannot be told before a run is let through.
fn check_output(output: &Schema, step: Option<&Step>, name: &str, of: &str) -> Result<(), Said> {
    let continues = step.is_some_and(|step| step.on_error.then == OnError::Continue);
    let extra = continues.then_some("error");
    let whole = || step.map_or_else(|| of.to_owned(), |_| format!("steps.{of}"));
    if let (Some(field), Some(step)) = (&output.same_as, step) {
        let map = step
            .config
            .get(field)
            .and_then(serde_json::Value::as_object);
        let Some(map) = map.filter(|map| !map.is_empty()) else {
            return Ok(());
        };
        if map.contains_key(name) || extra == Some(name) {
            return Ok(());
        }
        let known = map.keys().map(String::as_str).chain(extra);
        return Err(unknown(
            &known.collect::<Vec<_>>().join(", "),
            name,
            &whole(),
        ));
    }
    let known = || {
        output
            .fields
            .iter()
            .map(|field| field.name.as_str())
            .chain(extra)
    };
    if output.fields.is_empty() || known().any(|known| known == name) {
        return Ok(());
    }
    Err(unknown(
        &known().collect::<Vec<_>>().join(", "),
        name,
        &whole(),
    ))
}

fn check_name(
    is_known: impl Fn(&str) -> bool,
    all: impl Fn() -> String,
    name: &str,
    whole: &str,
) -> Result<(), Said> {
    if is_known(name) {
        Ok(())
    } else {
        Err(unknown(&all(), name, whole))
    }
}

fn unknown(known: &str, name: &str, whole: &str) -> Said {
    (
        format!("`{whole}` has no `{name}`."),
        format!("Use one of: {known}."),
    )
}

/// Returns a number that stands for a name, by the hash of Fowler, Noll and Vo. Two names with the
/// same one have to be looked for on purpose, and then confuse only their own document's problems.
pub(super) fn number(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Takes such a number for its own hash.
#[derive(Default)]
pub(super) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
