//! The three documents side by side: every step and list by number, and what each side has there.
//!
//! Made once; everything after it is a look-up. Steps are numbered by id, so that what goes by
//! number goes by id, whichever side is ours.

use std::iter::Peekable;
use std::ops::Range;

use super::three::{BOTH, SIDES, Side, Three};
use crate::document::{Lane, ListRef, Step};
use crate::{Document, LaneId, StepId};

/// The number of the top-level list.
pub(super) const FLOW: usize = 0;

/// Where a step stands on one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    /// The list.
    pub(super) list: usize,
    /// How many steps stand before it.
    pub(super) at: usize,
}

/// A list of steps.
pub(super) struct List<'a> {
    /// Its name in a document.
    pub(super) name: ListRef,
    /// The step with the lane that is this list; `None` for the flow.
    pub(super) holder: Option<usize>,
    /// The lane, on the sides that have it; none for the flow.
    pub(super) lanes: Three<Option<&'a Lane>>,
    /// The steps, in order; none where the list is not there.
    pub(super) members: Three<Vec<usize>>,
}

/// The three documents side by side.
pub(super) struct Index<'a> {
    pub(super) documents: Three<&'a Document>,
    /// The ids, sorted; as numbers, which compare faster than bytes and in the same order.
    ids: Vec<u128>,
    pub(super) steps: Vec<Three<Option<&'a Step>>>,
    pub(super) spots: Vec<Three<Option<Spot>>>,
    /// The flow, then the lanes of each step by id.
    pub(super) lists: Vec<List<'a>>,
    lanes_of: Vec<Range<usize>>,
    /// Which sides are no tree of steps, each kept under its own id.
    pub(super) flawed: Three<bool>,
}

impl<'a> Index<'a> {
    /// Only where no side is flawed, everything in it can be relied on.
    pub(super) fn new(documents: Three<&'a Document>) -> Self {
        let (ids, steps) = side_by_side(&documents);
        let mut index = Self {
            documents,
            spots: vec![Three::default(); ids.len()],
            lanes_of: Vec::with_capacity(ids.len()),
            lists: vec![List {
                name: ListRef::Flow,
                holder: None,
                lanes: Three::default(),
                members: Three::default(),
            }],
            ids,
            steps,
            flawed: Three::default(),
        };
        for number in 0..index.steps.len() {
            index.add_lanes(number);
        }
        for list in 0..index.lists.len() {
            for side in SIDES {
                index.add_members(list, side);
            }
        }
        for side in SIDES {
            index.flawed[side] |= index.count(side) != documents[side].steps.len();
        }
        index
    }

    fn add_lanes(&mut self, number: usize) {
        let first = self.lists.len();
        for side in SIDES {
            let id = self.id(number);
            self.flawed[side] |= self.steps[number][side].is_some_and(|step| step.id != id);
        }
        let lanes = self.steps[number].map(|step| step.map_or(&[][..], |step| &step.lanes));
        if SIDES.iter().any(|side| !lanes[*side].is_empty()) {
            self.add_sorted(number, lanes);
        }
        self.lanes_of.push(first..self.lists.len());
    }

    fn add_sorted(&mut self, number: usize, lanes: Three<&'a [Lane]>) {
        let mut left = Three::of(|side| {
            let mut lanes: Vec<&Lane> = lanes[side].iter().collect();
            lanes.sort_by_key(|lane| lane.id);
            self.flawed[side] |= lanes.windows(2).any(|pair| pair[0].id == pair[1].id);
            lanes.into_iter().peekable()
        });
        loop {
            let next = SIDES.map(|side| left[side].peek().map(|lane| lane.id));
            let Some(id) = next.into_iter().flatten().min() else {
                return;
            };
            self.lists.push(List {
                name: ListRef::Lane(self.id(number), id),
                holder: Some(number),
                lanes: Three::of(|side| left[side].next_if(|lane| lane.id == id)),
                members: Three::default(),
            });
        }
    }

    fn add_members(&mut self, list: usize, side: Side) {
        let steps = match (list, self.lists[list].lanes[side]) {
            (FLOW, _) => &self.documents[side].flow,
            (_, Some(lane)) => &lane.steps,
            (_, None) => return,
        };
        let mut members = Vec::with_capacity(steps.len());
        for id in steps {
            let guess = members.last().map_or(0, |last| last + 1);
            let known = self.find(*id, guess);
            let Some(number) = known.filter(|number| self.steps[*number][side].is_some()) else {
                self.flawed[side] = true;
                continue;
            };
            let at = members.len();
            self.flawed[side] |= self.spots[number][side]
                .replace(Spot { list, at })
                .is_some();
            members.push(number);
        }
        self.lists[list].members[side] = members;
    }

    /// Returns how many steps a walk from the flow comes by; it ends where steps stand twice.
    fn count(&self, side: Side) -> usize {
        let mut count = 0;
        let mut open = vec![FLOW];
        while let Some(list) = open.pop().filter(|_| !self.flawed[side]) {
            let members = &self.lists[list].members[side];
            count += members.len();
            open.extend(members.iter().flat_map(|number| self.lanes(*number)));
        }
        count
    }

    /// Returns the number of a step. Steps are mostly made in the order in which they stand.
    fn find(&self, id: StepId, guess: usize) -> Option<usize> {
        let id = id.0.as_u128();
        match self.ids.get(guess) {
            Some(found) if *found == id => Some(guess),
            _ => self.ids.binary_search(&id).ok(),
        }
    }

    /// Returns the number of a step.
    pub(super) fn number(&self, id: StepId) -> Option<usize> {
        self.find(id, usize::MAX)
    }

    /// Returns the id of a step.
    pub(super) fn id(&self, number: usize) -> StepId {
        StepId::new(uuid::Uuid::from_u128(self.ids[number]))
    }

    /// Returns the numbers of the lists that are lanes of a step on any side.
    pub(super) fn lanes(&self, number: usize) -> Range<usize> {
        self.lanes_of[number].clone()
    }

    /// Returns the lists that are a step's lanes on one side, in order.
    pub(super) fn lanes_on(&self, number: usize, side: Side) -> Vec<usize> {
        let lanes = self.steps[number][side].map_or(&[][..], |step| &step.lanes);
        let lists = lanes.iter().filter_map(|lane| self.list(number, lane.id));
        lists.collect()
    }

    /// Returns the list that is a lane of a step.
    pub(super) fn list(&self, number: usize, lane: LaneId) -> Option<usize> {
        let lists = self.lanes(number);
        let name = ListRef::Lane(self.id(number), lane);
        let found = self.lists[lists.clone()].binary_search_by(|list| list.name.cmp(&name));
        Some(lists.start + found.ok()?)
    }

    /// Returns the list in which a step stands on one side.
    pub(super) fn list_of(&self, number: usize, side: Side) -> Option<usize> {
        self.spots[number][side].map(|spot| spot.list)
    }

    /// Returns whether a step is in both documents that are merged.
    pub(super) fn is_in_both(&self, number: usize) -> bool {
        BOTH.iter().all(|side| self.steps[number][*side].is_some())
    }

    /// Returns whether a list is in a document.
    pub(super) fn has_list(&self, list: usize, side: Side) -> bool {
        list == FLOW || self.lists[list].lanes[side].is_some()
    }

    /// Returns whether a step is in both documents that are merged and has no lanes, so that what
    /// it says decides nothing else.
    pub(super) fn is_by_itself(&self, number: usize) -> bool {
        self.is_in_both(number) && self.lanes(number).is_empty()
    }

    /// Takes other content for a step; it has the same lanes.
    pub(super) fn replace(&mut self, number: usize, steps: &'a Three<Option<Step>>) {
        for side in SIDES {
            let Some(step) = &steps[side] else { continue };
            self.steps[number][side] = Some(step);
            for lane in &step.lanes {
                if let Some(list) = self.list(number, lane.id) {
                    self.lists[list].lanes[side] = Some(lane);
                }
            }
        }
    }
}

type Rows<'a> = Vec<Three<Option<&'a Step>>>;

/// Returns the ids of all steps, sorted, and what each side has under them.
fn side_by_side<'a>(documents: &Three<&'a Document>) -> (Vec<u128>, Rows<'a>) {
    let most = documents.ours.steps.len().max(documents.theirs.steps.len());
    let (mut ids, mut steps) = (Vec::with_capacity(most), Vec::with_capacity(most));
    let mut left = documents.map(|document| document.steps.iter().peekable());
    loop {
        let next = [
            next(&mut left.base),
            next(&mut left.ours),
            next(&mut left.theirs),
        ];
        let Some(id) = next.into_iter().flatten().min() else {
            return (ids, steps);
        };
        ids.push(id);
        steps.push(Three::of(|side| {
            let entry = left[side].next_if(|(key, _)| key.0.as_u128() == id);
            entry.map(|(_, step)| step)
        }));
    }
}

fn next<'a>(left: &mut Peekable<impl Iterator<Item = (&'a StepId, &'a Step)>>) -> Option<u128> {
    left.peek().map(|(id, _)| id.0.as_u128())
}
