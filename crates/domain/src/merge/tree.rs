//! Merges which steps and lists there are, and in which list each step stands.
//!
//! Which conflicts there are does not depend on how any of them is decided. A step whose list may
//! go, or that both sides moved, counts as standing in both its places: whatever could stand inside
//! itself by some decision is one conflict, decided for all of it at once.

use serde_json::{Map, Value};

use super::circle::circles;
use super::conflict::{Decisions, json};
use super::index::{FLOW, Index};
use super::key::{ConflictKey, LanePart, StepPart};
use super::region::{Region, Regions, Root};
use super::three::{BOTH, Side, Three};
use crate::StepId;
use crate::document::{ListRef, Step};

/// The merged tree.
pub(super) struct Tree {
    /// The list of each step; `None` for those that are not there any more.
    pub(super) places: Vec<Option<usize>>,
    /// Which lists are there.
    pub(super) lists: Vec<bool>,
}

impl Tree {
    /// Merges what the index holds; what cannot be merged is decided.
    pub(super) fn merged(index: &Index<'_>, decisions: &mut Decisions<'_>) -> Self {
        let mut regions = Regions::new(index);
        let mut wanted = wanted(index, &mut regions);
        let groups = groups(index, &mut regions, &mut wanted);
        let sides = sides(index, &wanted, groups, decisions);
        let kept: Vec<bool> = regions
            .all
            .iter()
            .map(|region| region.changed && keep(index, region, decisions))
            .collect();
        let is_kept = |region: Option<usize>| region.is_none_or(|region| kept[region]);
        let lists = (0..index.lists.len()).map(|list| {
            BOTH.iter().any(|side| index.has_list(list, *side)) && is_kept(regions.of_list[list])
        });
        let mut tree = Self {
            lists: lists.collect(),
            places: Vec::with_capacity(index.steps.len()),
        };
        for (number, first) in sides.into_iter().enumerate() {
            let places = [first, first.other()].map(|side| index.list_of(number, side));
            let place = if index.is_in_both(number) {
                // Whoever decides to delete both lists of a step finds it at the end of the flow.
                let place = places.into_iter().flatten().find(|list| tree.lists[*list]);
                Some(place.unwrap_or(FLOW))
            } else {
                let place = places.into_iter().flatten().next();
                place.filter(|_| is_kept(regions.of_step[number]))
            };
            tree.places.push(place);
        }
        tree.open_circles(index);
        tree
    }

    /// Puts a step of each circle at the end of the flow. There is one only where decisions that
    /// do not belong together leave no other place.
    fn open_circles(&mut self, index: &Index<'_>) {
        let mut seen = vec![0; self.places.len()];
        for start in 0..self.places.len() {
            let mut path = Vec::new();
            let mut next = Some(start);
            while let Some(number) = next.filter(|number| seen[*number] == 0) {
                seen[number] = start + 1;
                path.push(number);
                next = self.places[number].and_then(|list| index.lists[list].holder);
            }
            if let Some(number) = next
                && let Some(from) = path.iter().position(|one| *one == number)
            {
                let circle = path[from..].iter().copied();
                let moved = circle.filter(|number| is_moved(index, *number)).min();
                self.places[moved.unwrap_or(number)] = Some(FLOW);
            }
        }
    }
}

/// Returns whether the two sides have a step in different lists.
fn is_moved(index: &Index<'_>, number: usize) -> bool {
    index.is_in_both(number)
        && index.list_of(number, Side::Ours) != index.list_of(number, Side::Theirs)
}

/// In which of its places a step may end up.
#[derive(Clone, Copy, PartialEq)]
enum Wanted {
    /// Where one side has it.
    One(Side),
    /// Where one side has it, or where the other does if that list is not there any more.
    First(Side),
    /// Both sides moved it.
    Either,
}

/// Says for each step where it may stand, and notes which regions hold such a step.
fn wanted(index: &Index<'_>, regions: &mut Regions) -> Vec<Wanted> {
    let mut all = Vec::with_capacity(index.steps.len());
    for (number, step) in index.steps.iter().enumerate() {
        let lists = Three::of(|side| index.list_of(number, side));
        if !is_moved(index, number) {
            let side = if step.ours.is_some() {
                Side::Ours
            } else {
                Side::Theirs
            };
            all.push(Wanted::One(side));
            continue;
        }
        let shifted = regions.shifted[number];
        let moved = BOTH.map(|side| lists[side] != lists.base || shifted[side]);
        let wanted = match moved {
            [true, true] => Wanted::Either,
            [true, false] => Wanted::One(Side::Ours),
            [false, _] => Wanted::One(Side::Theirs),
        };
        let region_of = |side: Side| lists[side].and_then(|list| regions.of_list[list]);
        let wanted = match wanted {
            Wanted::One(side) if region_of(side).is_some() => Wanted::First(side),
            wanted => wanted,
        };
        if !matches!(wanted, Wanted::One(_)) {
            hold(index, regions, number);
        }
        all.push(wanted);
    }
    all
}

/// Notes that a step may stand where either side has it; returns whether that makes a region
/// changed that was not.
fn hold(index: &Index<'_>, regions: &mut Regions, number: usize) -> bool {
    let mut news = false;
    for side in BOTH {
        let list = index.list_of(number, side);
        news |= regions.change(list.and_then(|list| regions.of_list[list]));
    }
    news
}

/// Returns the steps that might stand inside each other by some decision, in groups: those of each
/// that the two sides have in different lists. They may then stand where either side has them.
fn groups(index: &Index<'_>, regions: &mut Regions, wanted: &mut [Wanted]) -> Vec<Vec<usize>> {
    let holds = |number: usize| !index.lanes(number).is_empty();
    let moved = (0..wanted.len()).filter(|number| holds(*number) && is_moved(index, *number));
    if moved.count() < 2 {
        return Vec::new();
    }
    loop {
        let edges = (0..wanted.len()).map(|number| {
            let is_gone = |region: usize| !regions.all[region].changed;
            if !holds(number) || regions.of_step[number].is_some_and(is_gone) {
                return [None, None];
            }
            let holder = |side| index.lists[index.list_of(number, side)?].holder;
            match wanted[number] {
                Wanted::One(side) => [holder(side), None],
                Wanted::First(_) | Wanted::Either => BOTH.map(holder),
            }
        });
        let mut groups = circles(&edges.collect::<Vec<_>>());
        let mut again = false;
        for group in &mut groups {
            group.retain(|number| is_moved(index, *number));
            for number in group {
                again |= std::mem::replace(&mut wanted[*number], Wanted::Either) != Wanted::Either;
                again |= hold(index, regions, *number);
            }
        }
        if !again {
            return groups;
        }
    }
}

/// Decides for each step which side's place comes first.
fn sides(
    index: &Index<'_>,
    wanted: &[Wanted],
    groups: Vec<Vec<usize>>,
    decisions: &mut Decisions<'_>,
) -> Vec<Side> {
    let place = |number: usize, side| Some(json(&index.lists[index.list_of(number, side)?].name));
    let mut decided: Vec<Option<Side>> = vec![None; wanted.len()];
    for group in groups {
        let Some(first) = group.first() else { continue };
        let key = ConflictKey::Step {
            step: index.id(*first),
            part: StepPart::Circle,
        };
        let side = decisions.side(key, || {
            Three::of(|side| {
                let entry = |number: &usize| {
                    let place = place(*number, side)?;
                    Some((index.id(*number).to_string(), place))
                };
                let places: Map<String, Value> = group.iter().filter_map(entry).collect();
                (!places.is_empty()).then_some(Value::Object(places))
            })
        });
        for number in group {
            decided[number] = Some(side);
        }
    }
    let mut decide = |number: usize| {
        let key = ConflictKey::Step {
            step: index.id(number),
            part: StepPart::Place,
        };
        decisions.side(key, || Three::of(|side| place(number, side)))
    };
    let steps = decided.into_iter().zip(wanted.iter().copied()).enumerate();
    steps
        .map(|(number, (side, wanted))| match (side, wanted) {
            (Some(side), _) | (None, Wanted::One(side) | Wanted::First(side)) => side,
            (None, Wanted::Either) => decide(number),
        })
        .collect()
}

/// Decides whether a region is kept.
fn keep(index: &Index<'_>, region: &Region, decisions: &mut Decisions<'_>) -> bool {
    let key = match region.root {
        Root::Step(number) => ConflictKey::Step {
            step: index.id(number),
            part: StepPart::Presence,
        },
        Root::List(list) => match index.lists[list].name {
            ListRef::Flow => return true,
            ListRef::Lane(step, lane) => ConflictKey::lane(step, lane, LanePart::Presence),
        },
    };
    let side = decisions.side(key, || {
        Three::of(|side| match region.root {
            _ if side == region.keeper.other() => None,
            Root::Step(number) => Some(json(&inside(index, side, &[index.id(number)]))),
            Root::List(list) => {
                let lane = index.lists[list].lanes[side]?;
                let steps = json(&inside(index, side, &lane.steps));
                Some(Value::Object(Map::from_iter([
                    ("lane".to_owned(), json(lane)),
                    ("steps".to_owned(), steps),
                ])))
            }
        })
    });
    side == region.keeper
}

/// Returns some steps of a side with everything inside them.
fn inside<'a>(index: &Index<'a>, side: Side, ids: &[StepId]) -> Vec<&'a Step> {
    let document = index.documents[side];
    let ids = ids.iter().flat_map(|id| document.subtree(*id));
    ids.filter_map(|id| document.steps.get(&id)).collect()
}
