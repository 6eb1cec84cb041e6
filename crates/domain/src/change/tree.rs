//! A document by numbers: every step that its lists lead to, and where it stands.
//!
//! Nothing trusts the document's shape. A step counts where a list names it first; what no list
//! leads to is not there.

use std::ops::Range;

use uuid::Uuid;

use crate::document::{Lane, ListRef, Place, Step};
use crate::{Document, StepId};

/// The number of the top-level list.
pub(super) const FLOW: usize = 0;

/// For each of some things the number of another, or none. Large documents are compared in the
/// time that it takes to go through memory, so the numbers are small.
pub(super) struct Numbers(Vec<u32>);

impl Numbers {
    /// Returns as many as there are things, none of which has a number yet.
    pub(super) fn none(count: usize) -> Self {
        Self(vec![u32::MAX; count])
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn get(&self, of: usize) -> Option<usize> {
        Some(self.0[of])
            .filter(|number| *number != u32::MAX)
            .map(|number| number as usize)
    }

    pub(super) fn set(&mut self, of: usize, number: usize) {
        self.0[of] = u32::try_from(number).expect("a document holds fewer steps and lanes");
    }
}

/// The steps and lists of a document. Steps are numbered by id, lists from the flow inwards.
pub(super) struct Tree<'a> {
    ids: Vec<u128>,
    /// The numbers of steps, each at the first free place from [`Tree::hash`] on.
    by_hash: Numbers,
    steps: Vec<&'a Step>,
    /// For each step the list that it stands in, and how many entries stand before it there.
    lists_of: Numbers,
    indexes: Numbers,
    /// For each step how many lanes it has: looked up without going to the step.
    lane_counts: Vec<u32>,
    /// For each step the list that is its first lane.
    first_lists: Numbers,
    lists: Vec<List>,
    members: Vec<usize>,
}

/// Where a step stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Spot {
    /// The number of the list.
    pub(super) list: usize,
    /// How many entries stand before it.
    pub(super) index: usize,
}

/// A list of steps.
struct List {
    /// The number of the container and which of its lanes this is; `None` for the flow.
    owner: Option<(usize, usize)>,
    members: Range<usize>,
}

impl<'a> Tree<'a> {
    pub(super) fn new(document: &'a Document) -> Self {
        let count = document.steps.len();
        let mut tree = Self {
            ids: document.steps.keys().map(|id| id.0.as_u128()).collect(),
            by_hash: Numbers::none((2 * count).next_power_of_two()),
            steps: document.steps.values().collect(),
            lists_of: Numbers::none(count),
            indexes: Numbers::none(count),
            lane_counts: document
                .steps
                .values()
                .map(|step| u32::try_from(step.lanes.len()).unwrap_or(u32::MAX))
                .collect(),
            first_lists: Numbers::none(count),
            lists: vec![List {
                owner: None,
                members: 0..0,
            }],
            members: Vec::with_capacity(count),
        };
        tree.fill_hashes();
        let mut guess = 0;
        let mut list = FLOW;
        while list < tree.lists.len() {
            let begin = tree.members.len();
            let ids = tree.lists[list]
                .owner
                .map_or(&document.flow, |(step, lane)| {
                    &tree.steps[step].lanes[lane].steps
                });
            for (index, id) in ids.iter().enumerate() {
                let Some(step) = tree.find(*id, guess) else {
                    continue;
                };
                guess = step + 1;
                if tree.lists_of.get(step).is_some() {
                    continue;
                }
                tree.lists_of.set(step, list);
                tree.indexes.set(step, index);
                tree.members.push(step);
                tree.first_lists.set(step, tree.lists.len());
                let lanes = (0..tree.lane_counts[step] as usize).map(|lane| List {
                    owner: Some((step, lane)),
                    members: 0..0,
                });
                tree.lists.extend(lanes);
            }
            tree.lists[list].members = begin..tree.members.len();
            list += 1;
        }
        tree
    }

    /// Returns the number of a step, which may be the guess: steps are mostly made in the order in
    /// which they stand.
    fn find(&self, id: StepId, guess: usize) -> Option<usize> {
        let id = id.0.as_u128();
        if self.ids.get(guess) == Some(&id) {
            return Some(guess);
        }
        let mut at = self.hash(id);
        while let Some(step) = self.by_hash.get(at) {
            if self.ids[step] == id {
                return Some(step);
            }
            at = (at + 1) % self.by_hash.len();
        }
        None
    }

    /// Returns where the search for an id begins: Fibonacci hashing, for there are as many places
    /// as a power of two.
    fn hash(&self, id: u128) -> usize {
        let folded = (id >> 64) as u64 ^ id as u64;
        let mixed = folded.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 32) as usize & (self.by_hash.len() - 1)
    }

    fn fill_hashes(&mut self) {
        for step in 0..self.ids.len() {
            let mut at = self.hash(self.ids[step]);
            while self.by_hash.get(at).is_some() {
                at = (at + 1) % self.by_hash.len();
            }
            self.by_hash.set(at, step);
        }
    }

    /// Returns the number of a step that some list leads to.
    pub(super) fn number(&self, id: StepId) -> Option<usize> {
        self.find(id, 0)
            .filter(|step| self.lists_of.get(*step).is_some())
    }

    /// Returns how many steps the document keeps, also those that no list leads to.
    pub(super) fn count(&self) -> usize {
        self.ids.len()
    }

    /// Returns how many lists there are.
    pub(super) fn count_lists(&self) -> usize {
        self.lists.len()
    }

    pub(super) fn id(&self, step: usize) -> StepId {
        StepId::new(Uuid::from_u128(self.ids[step]))
    }

    pub(super) fn step(&self, step: usize) -> &'a Step {
        self.steps[step]
    }

    /// Returns where a step stands; `None` when no list leads to it.
    pub(super) fn spot(&self, step: usize) -> Option<Spot> {
        let (list, index) = (self.lists_of.get(step)?, self.indexes.get(step)?);
        Some(Spot { list, index })
    }

    /// Returns the steps of a list.
    pub(super) fn members(&self, list: usize) -> &[usize] {
        &self.members[self.lists[list].members.clone()]
    }

    /// Returns the container of a list and which of its lanes it is; `None` for the flow.
    pub(super) fn owner(&self, list: usize) -> Option<(usize, usize)> {
        self.lists[list].owner
    }

    /// Returns the lane that a list is; `None` for the flow.
    pub(super) fn lane(&self, list: usize) -> Option<&'a Lane> {
        let (step, lane) = self.lists[list].owner?;
        self.steps[step].lanes.get(lane)
    }

    /// Returns the lists that are a step's lanes.
    pub(super) fn lanes(&self, step: usize) -> Range<usize> {
        match self.first_lists.get(step) {
            Some(first) => first..first + self.lane_counts[step] as usize,
            None => 0..0,
        }
    }

    /// Returns a spot as the document says it.
    pub(super) fn place(&self, spot: Spot) -> Place {
        let list = match (self.owner(spot.list), self.lane(spot.list)) {
            (Some((step, _)), Some(lane)) => ListRef::Lane(self.id(step), lane.id),
            _ => ListRef::Flow,
        };
        Place {
            list,
            index: spot.index,
        }
    }

    /// Returns for each step how many steps it is with those inside it.
    pub(super) fn weights(&self) -> Vec<usize> {
        let mut weights = vec![1; self.ids.len()];
        for list in self.lists.iter().rev() {
            if let Some((owner, _)) = list.owner {
                let inside: usize = self.members[list.members.clone()]
                    .iter()
                    .map(|step| weights[*step])
                    .sum();
                weights[owner] += inside;
            }
        }
        weights
    }
}
