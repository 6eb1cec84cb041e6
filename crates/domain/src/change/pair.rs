//! Two documents side by side, and the order in which a person reads them together.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::order;
use super::tree::{FLOW, Numbers, Tree};
use crate::{Document, LaneId};

/// Which steps and lists are in both documents, and which of them stay where they stood.
pub(super) struct Pair<'a> {
    pub(super) before: Tree<'a>,
    pub(super) after: Tree<'a>,
    /// For each step of the earlier document its number in the later one.
    pub(super) to_after: Numbers,
    /// For each step of the later document its number in the earlier one.
    pub(super) to_before: Numbers,
    /// The same for lists.
    pub(super) list_to_after: Numbers,
    pub(super) list_to_before: Numbers,
    /// For each step of the later document whether it was there and stays where it stood.
    pub(super) stays: Vec<bool>,
    /// For each list of the later document whether its lane was there and stays among its sisters.
    pub(super) lane_stays: Vec<bool>,
}

/// Something that a person comes by who reads both documents as one.
#[derive(Clone, Copy)]
pub(super) enum Item {
    /// A step, by its number in the documents that have it.
    Step {
        before: Option<usize>,
        after: Option<usize>,
    },
    /// Where a step stood that is elsewhere now, by its number in the earlier document.
    Ghost { before: usize },
    /// A lane of a container, by the number of its list in the documents that have it.
    Lane {
        before: Option<usize>,
        after: Option<usize>,
    },
}

impl<'a> Pair<'a> {
    pub(super) fn new(before: &'a Document, after: &'a Document) -> Self {
        let (before, after) = (Tree::new(before), Tree::new(after));
        let mut pair = Self {
            to_after: Numbers::none(before.count()),
            to_before: Numbers::none(after.count()),
            list_to_after: Numbers::none(before.count_lists()),
            list_to_before: Numbers::none(after.count_lists()),
            stays: vec![false; after.count()],
            lane_stays: vec![false; after.count_lists()],
            before,
            after,
        };
        pair.match_steps();
        pair.match_lists();
        pair.find_stays();
        pair
    }

    fn match_steps(&mut self) {
        let (mut old, mut new) = (0, 0);
        while old < self.before.count() && new < self.after.count() {
            match self.before.id(old).cmp(&self.after.id(new)) {
                Ordering::Less => old += 1,
                Ordering::Greater => new += 1,
                Ordering::Equal => {
                    if self.before.spot(old).is_some() && self.after.spot(new).is_some() {
                        self.to_after.set(old, new);
                        self.to_before.set(new, old);
                    }
                    old += 1;
                    new += 1;
                }
            }
        }
    }

    fn match_lists(&mut self) {
        self.list_to_before.set(FLOW, FLOW);
        self.list_to_after.set(FLOW, FLOW);
        for new in 0..self.after.count() {
            let Some(old) = self.to_before.get(new) else {
                continue;
            };
            let (old, new) = (self.before.lanes(old), self.after.lanes(new));
            if old.is_empty() || new.is_empty() {
                continue;
            }
            let id = |tree: &Tree<'_>, list| tree.lane(list).map(|lane| lane.id);
            let both = old.clone().zip(new.clone());
            if old.len() == new.len()
                && both
                    .clone()
                    .all(|(old, new)| id(&self.before, old) == id(&self.after, new))
            {
                for (old, new) in both {
                    self.list_to_before.set(new, old);
                    self.list_to_after.set(old, new);
                }
                continue;
            }
            // Should several lanes have the same id, the first belongs to the first, and so on.
            let mut lists: BTreeMap<Option<LaneId>, Vec<usize>> = BTreeMap::new();
            for list in old.rev() {
                lists.entry(id(&self.before, list)).or_default().push(list);
            }
            for list in new {
                let old = lists.get_mut(&id(&self.after, list)).and_then(Vec::pop);
                if let Some(old) = old {
                    self.list_to_before.set(list, old);
                    self.list_to_after.set(old, list);
                }
            }
        }
    }

    fn find_stays(&mut self) {
        let weights = self.after.weights();
        for list in 0..self.after.count_lists() {
            let Some(old) = self.list_to_before.get(list) else {
                continue;
            };
            let (mut kept, mut stood) = (Vec::new(), Vec::new());
            for &step in self.after.members(list) {
                let spot = self
                    .to_before
                    .get(step)
                    .and_then(|step| self.before.spot(step));
                if let Some(spot) = spot.filter(|spot| spot.list == old) {
                    kept.push(step);
                    stood.push(spot.index);
                }
            }
            let stays = order::stays(&stood, |item| weights[kept[item]]);
            for (step, stays) in kept.iter().zip(stays) {
                self.stays[*step] = stays;
            }
        }
        for step in 0..self.after.count() {
            if self.after.lanes(step).is_empty() {
                continue;
            }
            let kept: Vec<usize> = self
                .after
                .lanes(step)
                .filter(|list| self.list_to_before.get(*list).is_some())
                .collect();
            let stood: Vec<usize> = kept
                .iter()
                .filter_map(|list| self.list_to_before.get(*list))
                .collect();
            let first = stood.iter().min().copied().unwrap_or_default();
            let stood: Vec<usize> = stood.iter().map(|list| list - first).collect();
            let weight = |item: usize| {
                let list: usize = kept[item];
                self.after
                    .members(list)
                    .iter()
                    .map(|step| weights[*step])
                    .sum()
            };
            for (list, stays) in kept.iter().zip(order::stays(&stood, weight)) {
                self.lane_stays[*list] = stays;
            }
        }
    }

    /// Goes through both documents as one: as the later one reads, with what is gone where it
    /// stood. Gives each item with how far it is indented.
    pub(super) fn read(&self, mut visit: impl FnMut(usize, Item)) {
        let mut open = vec![(0, self.list(Some(FLOW), Some(FLOW)).into_iter())];
        while let Some((depth, items)) = open.last_mut() {
            let depth = *depth;
            let Some(item) = items.next() else {
                open.pop();
                continue;
            };
            visit(depth, item);
            let inside = match item {
                Item::Ghost { .. } => continue,
                Item::Lane { before, after } => self.list(before, after),
                Item::Step { before, after } => self.lanes(before, after),
            };
            if !inside.is_empty() {
                open.push((depth + 1, inside.into_iter()));
            }
        }
    }

    /// Returns what a list holds, in one of the documents or in both.
    fn list(&self, before: Option<usize>, after: Option<usize>) -> Vec<Item> {
        let old = before.map_or(&[][..], |list| self.before.members(list));
        let new = after.map_or(&[][..], |list| self.after.members(list));
        let stays = |step: usize| self.stays[step];
        let stayed = |step: usize| self.to_after.get(step).is_some_and(stays);
        let gone = |old: usize| match self.to_after.get(old) {
            Some(_) => Some(Item::Ghost { before: old }),
            None => Some(Item::Step {
                before: Some(old),
                after: None,
            }),
        };
        let there = |new| Item::Step {
            before: self.to_before.get(new),
            after: Some(new),
        };
        together(old, new, stayed, stays, gone, there)
    }

    /// Returns the lanes of a step that is in one of the documents or in both.
    fn lanes(&self, before: Option<usize>, after: Option<usize>) -> Vec<Item> {
        let old = before.map_or(0..0, |step| self.before.lanes(step));
        let new = after.map_or(0..0, |step| self.after.lanes(step));
        if old.is_empty() && new.is_empty() {
            return Vec::new();
        }
        let (old, new): (Vec<usize>, Vec<usize>) = (old.collect(), new.collect());
        let stays = |list: usize| self.lane_stays[list];
        let stayed = |list: usize| self.list_to_after.get(list).is_some_and(stays);
        // A lane that was moved is told where it is now, not where it was.
        let gone = |old: usize| match self.list_to_after.get(old) {
            Some(_) => None,
            None => Some(Item::Lane {
                before: Some(old),
                after: None,
            }),
        };
        let there = |new| Item::Lane {
            before: self.list_to_before.get(new),
            after: Some(new),
        };
        together(&old, &new, stayed, stays, gone, there)
    }
}

/// Puts two lists together: what stays is the frame, and between that comes first what is gone
/// and then what is new.
fn together(
    old: &[usize],
    new: &[usize],
    stayed: impl Fn(usize) -> bool,
    stays: impl Fn(usize) -> bool,
    gone: impl Fn(usize) -> Option<Item>,
    there: impl Fn(usize) -> Item,
) -> Vec<Item> {
    let mut items = Vec::with_capacity(old.len().max(new.len()));
    let mut old = old.iter().copied().peekable();
    let mut new = new.iter().copied().peekable();
    loop {
        while let Some(item) = old.next_if(|item| !stayed(*item)) {
            items.extend(gone(item));
        }
        while let Some(item) = new.next_if(|item| !stays(*item)) {
            items.push(there(item));
        }
        old.next();
        match new.next() {
            Some(item) => items.push(there(item)),
            None => return items,
        }
    }
}
