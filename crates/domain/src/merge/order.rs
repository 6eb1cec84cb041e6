//! Merges the order of a list.
//!
//! What stands in the list on both sides is ordered by pairs: of two, the order holds that a side
//! changed, if one did. When no order has all these pairs, or both moved one thing to different
//! places, it is a clash. What only one side has in the list then goes behind its neighbour there;
//! where both put something, the smaller number goes first, so that it does not matter who is ours.

use super::three::{SIDES, Side, Three};

/// Most members that are out of order before it counts as a clash; their pairs are looked at.
const MOVED: usize = 1_000;

/// What is known of a number while a list is merged.
#[derive(Clone, Default)]
struct Mark {
    /// Its place on each side.
    at: Three<Option<usize>>,
    /// It stands on both sides in the order of the base.
    steady: bool,
    /// How many steady ones stand before it on each side.
    gap: Three<Option<usize>>,
    /// Its place in the order of what both sides have.
    common: Option<usize>,
}

/// Merges orders of numbers below a bound, one list after the other.
pub(super) struct Orders {
    marks: Vec<Mark>,
}

/// What one side has behind one that both have.
struct Chunk {
    /// How many of what both have stand before it.
    after: usize,
    members: Vec<usize>,
}

impl Orders {
    pub(super) fn new(bound: usize) -> Self {
        Self {
            marks: vec![Mark::default(); bound],
        }
    }

    /// Returns a list with those who are `member`. `decide` is asked on a clash for the order to
    /// go by.
    pub(super) fn merge(
        &mut self,
        lists: Three<&[usize]>,
        member: &dyn Fn(usize) -> bool,
        decide: impl FnOnce() -> Vec<usize>,
    ) -> Vec<usize> {
        if lists.ours == lists.theirs {
            return lists.ours.iter().copied().filter(|n| member(*n)).collect();
        }
        for side in SIDES {
            for (at, number) in lists[side].iter().enumerate() {
                self.marks[*number].at[side] = Some(at);
            }
        }
        let common = lists.map(|list| {
            let both = |n: &usize| {
                let at = &self.marks[*n].at;
                at.ours.is_some() && at.theirs.is_some() && member(*n)
            };
            list.iter().copied().filter(both).collect::<Vec<_>>()
        });
        self.mark_steady(&common);
        let order = match self.common_order(&common) {
            Some(order) => order,
            None => self.arranged(&decide(), &common.ours),
        };
        let merged = self.weave(&order, &lists, member);
        for side in SIDES {
            for number in lists[side] {
                self.marks[*number] = Mark::default();
            }
        }
        merged
    }

    fn mark_steady(&mut self, common: &Three<Vec<usize>>) {
        if common.ours == common.theirs {
            for number in &common.ours {
                self.marks[*number].steady = true;
            }
            return;
        }
        let at = |side: Side| {
            let places = common
                .base
                .iter()
                .map(|number| self.marks[*number].at[side]);
            in_order(&places.flatten().collect::<Vec<_>>())
        };
        let steady = at(Side::Ours).into_iter().zip(at(Side::Theirs));
        for (number, (ours, theirs)) in common.base.iter().zip(steady) {
            self.marks[*number].steady = ours && theirs;
        }
    }

    /// Returns the order of what both sides have, or `None` on a clash.
    fn common_order(&mut self, common: &Three<Vec<usize>>) -> Option<Vec<usize>> {
        if common.ours == common.theirs || common.base == common.theirs {
            return Some(common.ours.clone());
        }
        if common.base == common.ours {
            return Some(common.theirs.clone());
        }
        for side in SIDES {
            let mut before = 0;
            for number in &common[side] {
                let mark = &mut self.marks[*number];
                mark.gap[side] = Some(before);
                before += usize::from(mark.steady);
            }
        }
        let (steady, moved): (Vec<usize>, Vec<usize>) =
            common.ours.iter().partition(|n| self.marks[**n].steady);
        if moved.len() > MOVED {
            return None;
        }
        // In an order with all the pairs, as many stand before each as the pairs say.
        let mut places: Vec<(usize, usize)> = Vec::with_capacity(common.ours.len());
        let mut before = vec![0; steady.len() + 1];
        for one in &moved {
            let gap = self.marks[*one].gap;
            let gap = gap[gap.merged()?]?;
            before[gap] += 1;
            let mut place = gap;
            for other in moved.iter().filter(|other| *other != one) {
                place += usize::from(self.is_before(*other, *one)?);
            }
            places.push((place, *one));
        }
        let mut moved_before = 0;
        for (place, number) in steady.into_iter().enumerate() {
            moved_before += before[place];
            places.push((place + moved_before, number));
        }
        places.sort_unstable();
        let is_order = places
            .iter()
            .enumerate()
            .all(|(at, (place, _))| at == *place);
        is_order.then(|| places.into_iter().map(|(_, number)| number).collect())
    }

    /// Returns whether one goes before another, or `None` when the sides do not agree on two that
    /// were not both there before.
    fn is_before(&self, one: usize, other: usize) -> Option<bool> {
        let (one, other) = (&self.marks[one].at, &self.marks[other].at);
        let before = Three::of(|side| Some(one[side]? < other[side]?));
        before[before.merged()?]
    }

    /// Returns what both sides have, ordered as `wanted` says; what that leaves out stays behind
    /// its neighbour on our side.
    fn arranged(&mut self, wanted: &[usize], ours: &[usize]) -> Vec<usize> {
        for number in ours {
            self.marks[*number].common = Some(0);
        }
        let mut order: Vec<usize> = Vec::with_capacity(ours.len());
        for number in wanted {
            let place = &mut self.marks[*number].common;
            if *place == Some(0) {
                order.push(*number);
                *place = Some(order.len());
            }
        }
        let mut after = 0;
        let mut places: Vec<(usize, usize)> = Vec::with_capacity(ours.len());
        for number in ours {
            match self.marks[*number].common {
                None | Some(0) => places.push((after, *number)),
                Some(place) => after = place,
            }
        }
        // The sort is stable: neighbours that are left out together stay in their order.
        let wanted = order.into_iter().enumerate();
        let wanted = wanted.map(|(place, number)| (place + 1, number));
        let mut all: Vec<(usize, usize)> = wanted.chain(places).collect();
        all.sort_by_key(|(place, _)| *place);
        all.into_iter().map(|(_, number)| number).collect()
    }

    /// Puts what only one side has between what both have.
    fn weave(
        &mut self,
        order: &[usize],
        lists: &Three<&[usize]>,
        member: &dyn Fn(usize) -> bool,
    ) -> Vec<usize> {
        for (place, number) in order.iter().enumerate() {
            self.marks[*number].common = Some(place);
        }
        let mut chunks: Vec<Chunk> = Vec::new();
        for side in [Side::Ours, Side::Theirs, Side::Base] {
            let from = chunks.len();
            let places = self.places(lists[side]);
            for (number, after) in lists[side].iter().zip(places) {
                let mark = &self.marks[*number];
                if mark.common.is_some() || !mark.is_only_on(side) || !member(*number) {
                    continue;
                }
                match chunks[from..].last_mut() {
                    Some(chunk) if chunk.after >= after => chunk.members.push(*number),
                    _ => chunks.push(Chunk {
                        after,
                        members: vec![*number],
                    }),
                }
            }
        }
        chunks.sort_by_key(|chunk| (chunk.after, chunk.members[0]));
        let mut merged = Vec::with_capacity(order.len() + chunks.len());
        let mut chunks = chunks.into_iter().peekable();
        for place in 0..=order.len() {
            while let Some(chunk) = chunks.next_if(|chunk| chunk.after == place) {
                merged.extend(chunk.members);
            }
            merged.extend(order.get(place));
        }
        merged
    }

    /// Returns for each number of a side's list how many of what both sides have go before it: all
    /// that stand before it there. Where some of them now come after others that stand behind it,
    /// only those count whose order nobody changed.
    fn places(&self, list: &[usize]) -> Vec<usize> {
        let mut places = Vec::with_capacity(list.len());
        let (mut before, mut steady) = (0, 0);
        for number in list {
            places.push((before, steady));
            let mark = &self.marks[*number];
            if let Some(place) = mark.common {
                before = before.max(place + 1);
                steady = if mark.steady { place + 1 } else { steady };
            }
        }
        let mut behind = usize::MAX;
        let from_behind = list
            .iter()
            .zip(places)
            .rev()
            .map(|(number, (before, steady))| {
                let place = if before <= behind { before } else { steady };
                behind = behind.min(self.marks[*number].common.unwrap_or(usize::MAX));
                place
            });
        let mut places: Vec<usize> = from_behind.collect();
        places.reverse();
        places
    }
}

impl Mark {
    fn is_only_on(&self, side: Side) -> bool {
        match side {
            Side::Base => self.at.ours.is_none() && self.at.theirs.is_none(),
            _ => self.at[side.other()].is_none(),
        }
    }
}

/// Returns which of some numbers belong to a longest series that grows.
pub(super) fn in_order(numbers: &[usize]) -> Vec<bool> {
    // For each length, which number ends the series of that length that ends lowest.
    let mut ends: Vec<usize> = Vec::new();
    let mut previous: Vec<Option<usize>> = Vec::with_capacity(numbers.len());
    for (index, number) in numbers.iter().enumerate() {
        let length = ends.partition_point(|end| numbers[*end] < *number);
        previous.push(length.checked_sub(1).map(|shorter| ends[shorter]));
        match ends.get_mut(length) {
            Some(end) => *end = index,
            None => ends.push(index),
        }
    }
    let mut inside = vec![false; numbers.len()];
    let mut next = ends.last().copied();
    while let Some(index) = next {
        inside[index] = true;
        next = previous[index];
    }
    inside
}
