//! Walks a document once, and finds where it is no tree.
//!
//! Edits keep a document's shape sound; a document from elsewhere may be anything, so that
//! nothing here trusts it: no recursion, and every step is visited once at most.

use super::scope::{self, ByNumber, Seen, Surroundings, is_loop};
use super::{At, Problem};
use crate::catalog::Action;
use crate::document::Step;
use crate::{Document, StepId};

/// Most problems of shape that are told; more help nobody.
const TOLD: usize = 50;

/// A list that is being gone through.
struct Open<'a> {
    list: &'a [StepId],
    next: usize,
    /// The step with the lane that is this list, and which of its lanes it is.
    inside: Option<(&'a Step, Option<&'a Action>, usize)>,
    /// How many slugs were visible when it was opened.
    shown: usize,
}

/// A step that a walk comes by.
pub(super) struct Visited<'a> {
    /// Its number in the [`Index`].
    pub(super) number: usize,
    /// The id under which the document keeps it.
    pub(super) id: StepId,
    /// The step itself.
    pub(super) step: &'a Step,
    /// What the catalog says of its kind.
    pub(super) action: Option<&'a Action>,
}

/// Calls `visit` with each step of each list, in the order in which a person reads them, and with
/// what is around it. `enter` gives number and step, or `None` to pass it by: in a document that
/// may have cycles, that is when it was there before.
pub(super) fn walk<'a>(
    document: &'a Document,
    mut enter: impl FnMut(StepId) -> Option<(usize, &'a Step)>,
    mut visit: impl FnMut(&Visited<'a>, &Surroundings<'a>),
) {
    let mut around = Surroundings::default();
    let mut shown: Vec<u64> = Vec::new();
    let mut open = vec![Open {
        list: &document.flow,
        next: 0,
        inside: None,
        shown: 0,
    }];
    while let Some(current) = open.last_mut() {
        if let Some(id) = current.list.get(current.next) {
            current.next += 1;
            let Some((number, step)) = enter(*id) else {
                continue;
            };
            let action = step.action();
            visit(
                &Visited {
                    number,
                    id: *id,
                    step,
                    action,
                },
                &around,
            );
            if let Some(lane) = step.lanes.first() {
                around.enter(step);
                let inside = Some((step, action, 0));
                open.push(Open {
                    list: &lane.steps,
                    next: 0,
                    inside,
                    shown: shown.len(),
                });
            } else {
                shown.push(around.show(step, action));
            }
            continue;
        }
        for slug in shown.drain(current.shown..) {
            around.visible.remove(&slug);
        }
        let Some((step, action, index)) = current.inside else {
            break;
        };
        if let Some(lane) = step.lanes.get(index + 1) {
            if step.catches_in(lane.id) {
                around.catch(step);
            }
            let inside = Some((step, action, index + 1));
            *current = Open {
                list: &lane.steps,
                next: 0,
                inside,
                shown: current.shown,
            };
        } else {
            open.pop();
            around.leave(step);
            shown.push(around.show(step, action));
        }
    }
}

impl<'a> Surroundings<'a> {
    fn enter(&mut self, container: &'a Step) {
        self.depth += 1;
        if is_loop(container) {
            self.loops += 1;
            self.visible
                .insert(scope::number(&container.slug), Seen::Round);
        }
    }

    fn leave(&mut self, container: &'a Step) {
        self.depth -= 1;
        self.loops -= usize::from(is_loop(container));
    }
}

/// The steps of a document by number, and which of them were visited.
pub(super) struct Index<'a> {
    /// The ids, sorted; as numbers, which compare faster than bytes and in the same order.
    ids: Vec<u128>,
    steps: Vec<&'a Step>,
    visited: Vec<bool>,
    last: usize,
}

impl<'a> Index<'a> {
    pub(super) fn new(document: &'a Document) -> Self {
        Self {
            ids: document.steps.keys().map(|id| id.0.as_u128()).collect(),
            steps: document.steps.values().collect(),
            visited: vec![false; document.steps.len()],
            last: usize::MAX,
        }
    }

    /// Returns a step and its number. Steps are mostly made in the order in which they stand.
    pub(super) fn find(&mut self, id: StepId) -> Option<(usize, &'a Step)> {
        let guess = self.last.wrapping_add(1);
        let id = id.0.as_u128();
        let number = match self.ids.get(guess) {
            Some(found) if *found == id => guess,
            _ => self.ids.binary_search(&id).ok()?,
        };
        self.last = number;
        Some((number, self.steps[number]))
    }

    /// Marks a step as visited; returns whether it was not yet.
    pub(super) fn mark(&mut self, number: usize) -> bool {
        !std::mem::replace(&mut self.visited[number], true)
    }

    /// Returns the steps that no list leads to, by number.
    pub(super) fn unvisited(&self) -> impl Iterator<Item = usize> {
        let numbers = self.visited.iter().enumerate();
        numbers
            .filter(|(_, visited)| !**visited)
            .map(|(number, _)| number)
    }

    /// Returns the id of a step.
    pub(super) fn id(&self, number: usize) -> StepId {
        StepId::new(uuid::Uuid::from_u128(self.ids[number]))
    }

    /// Returns a step.
    pub(super) fn step(&self, number: usize) -> &'a Step {
        self.steps[number]
    }

    /// Returns the steps with their ids in the document, sorted by id.
    pub(super) fn all(&self) -> impl Iterator<Item = (StepId, &'a Step)> {
        let ids = self
            .ids
            .iter()
            .map(|id| StepId::new(uuid::Uuid::from_u128(*id)));
        ids.zip(self.steps.iter().copied())
    }
}

/// What is wrong with the shape of a document.
#[derive(Default)]
pub(super) struct Flaws(pub(super) Vec<Problem>);

impl Flaws {
    fn say(&mut self, step: Option<StepId>, message: String, mend: &str) {
        if self.0.len() < TOLD {
            let at = At {
                step,
                ..At::default()
            };
            self.0.push(Problem {
                at,
                message,
                mend: mend.to_owned(),
            });
        }
    }

    /// Notes that a list names a step that is not in the document.
    pub(super) fn no_such_step(&mut self, id: StepId) {
        let message = format!("A list names the step {id}, which is not there.");
        self.say(None, message, "Take it out of the list, or add the step.");
    }

    /// Notes that lists name a step more than once.
    pub(super) fn twice(&mut self, step: &Step) {
        let message = format!("The step `{}` stands in two places.", step.name);
        self.say(Some(step.id), message, "Put it into exactly one list.");
    }

    /// Looks for steps outside all lists, and for ids and slugs that are not unique.
    pub(super) fn complete(&mut self, index: &Index<'_>) {
        let mut slugs: ByNumber<&str> = ByNumber::default();
        slugs.reserve(index.steps.len());
        for (id, step) in index.all() {
            if step.id != id {
                let message = format!("The step {} is kept under the id {id}.", step.id);
                self.say(Some(id), message, "Keep it under its own id.");
            }
            let other = slugs.insert(scope::number(&step.slug), &step.slug);
            if other.is_some_and(|other| other == step.slug) {
                let message = format!("Two steps are called `{}` in expressions.", step.slug);
                self.say(Some(id), message, "Rename one of them.");
            }
            let lanes = &step.lanes;
            if lanes.len() > 1 && has_double(lanes.iter().map(|lane| lane.id)) {
                let message = format!("Two lanes of `{}` have the same id.", step.name);
                self.say(Some(id), message, "Delete one of them and add it again.");
            }
        }
        for number in index.unvisited() {
            let message = format!("The step `{}` stands in no list.", index.steps[number].name);
            self.say(
                Some(index.id(number)),
                message,
                "Put it into exactly one list.",
            );
        }
    }
}

fn has_double<T: Ord>(items: impl Iterator<Item = T>) -> bool {
    let mut items: Vec<T> = items.collect();
    items.sort_unstable();
    items.windows(2).any(|pair| pair[0] == pair[1])
}
