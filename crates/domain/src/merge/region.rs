//! Finds what one side deleted and the other still has, and whether the other changed it.

use super::content;
use super::index::{FLOW, Index};
use super::order;
use super::three::{BOTH, Side, Three};

/// What a region begins with.
#[derive(Clone, Copy)]
pub(super) enum Root {
    Step(usize),
    List(usize),
}

/// A step or lane that one side deleted, with all that the other side has inside it and the
/// deleting side does not have elsewhere. It is kept or deleted as a whole.
pub(super) struct Region {
    pub(super) root: Root,
    /// The side that has it.
    pub(super) keeper: Side,
    /// Whether that side changed it, so that deleting it would lose something.
    pub(super) changed: bool,
}

/// All regions, and which steps and lists belong to which.
pub(super) struct Regions {
    pub(super) all: Vec<Region>,
    pub(super) of_step: Vec<Option<usize>>,
    pub(super) of_list: Vec<Option<usize>>,
    /// Whether a side moved a step within its list.
    pub(super) shifted: Vec<Three<bool>>,
}

impl Regions {
    pub(super) fn new(index: &Index<'_>) -> Self {
        let mut regions = Self {
            all: Vec::new(),
            of_step: vec![None; index.steps.len()],
            of_list: vec![None; index.lists.len()],
            shifted: shifted(index),
        };
        for keeper in BOTH {
            regions.walk(index, keeper);
        }
        regions
    }

    fn walk(&mut self, index: &Index<'_>, keeper: Side) {
        let mut open = vec![FLOW];
        while let Some(list) = open.pop() {
            for number in &index.lists[list].members[keeper] {
                self.enter_step(index, *number, list, keeper);
                for lane in index.lanes(*number) {
                    if index.has_list(lane, keeper) {
                        self.enter_lane(index, *number, lane, keeper);
                        open.push(lane);
                    }
                }
            }
        }
    }

    fn enter_step(&mut self, index: &Index<'_>, number: usize, list: usize, keeper: Side) {
        let step = &index.steps[number];
        let (Some(now), None) = (step[keeper], step[keeper.other()]) else {
            return;
        };
        let Some(before) = step.base else {
            self.of_step[number] = self.of_list[list];
            self.change(self.of_list[list]);
            return;
        };
        let region = self.of_list[list];
        let region = Some(region.unwrap_or_else(|| self.begin(Root::Step(number), keeper)));
        self.of_step[number] = region;
        let moved = index.list_of(number, Side::Base) != Some(list);
        if moved || self.shifted[number][keeper] || content::differs(before, now) {
            self.change(region);
        }
    }

    fn enter_lane(&mut self, index: &Index<'_>, holder: usize, list: usize, keeper: Side) {
        let lanes = &index.lists[list].lanes;
        let (Some(now), None) = (lanes[keeper], lanes[keeper.other()]) else {
            return;
        };
        let region = self.of_step[holder];
        let Some(before) = lanes.base else {
            self.of_list[list] = region;
            self.change(region);
            return;
        };
        let region = Some(region.unwrap_or_else(|| self.begin(Root::List(list), keeper)));
        self.of_list[list] = region;
        if before.name != now.name || before.when != now.when {
            self.change(region);
        }
    }

    fn begin(&mut self, root: Root, keeper: Side) -> usize {
        self.all.push(Region {
            root,
            keeper,
            changed: false,
        });
        self.all.len() - 1
    }

    /// Notes that a region, if it is one, has something that deleting it would lose; returns
    /// whether that is news.
    pub(super) fn change(&mut self, region: Option<usize>) -> bool {
        region.is_some_and(|region| !std::mem::replace(&mut self.all[region].changed, true))
    }
}

/// Finds which steps each side moved within their list: as few as explain its order.
fn shifted(index: &Index<'_>) -> Vec<Three<bool>> {
    let mut shifted = vec![Three::default(); index.steps.len()];
    for (list, known) in index.lists.iter().enumerate() {
        for side in BOTH {
            let before = &known.members.base;
            if *before == known.members[side] {
                continue;
            }
            let spots = before.iter().filter_map(|number| {
                let spot = index.spots[*number][side].filter(|spot| spot.list == list)?;
                Some((*number, spot.at))
            });
            let (numbers, places): (Vec<usize>, Vec<usize>) = spots.unzip();
            for (number, in_order) in numbers.iter().zip(order::in_order(&places)) {
                shifted[*number][side] = !in_order;
            }
        }
    }
    shifted
}
