//! Where a document is drawn: every card, frame, lane, gap and line, as numbers.
//!
//! A flow goes down along an axis at x = 0, y grows downwards from the trigger's card, and one
//! unit is a CSS pixel at full size. A container's card sits on the upper edge of a frame that
//! holds its lanes side by side; a folded one is its card alone. Each block is centred on the axis
//! of its list, so that what grows in one lane leaves what is inside the others as it is.
//! Takes time in proportion to the number of steps, also of a document that is no sound tree.

mod place;

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use crate::document::{Gap, ListRef};
use crate::{Document, StepId};

/// Width of a card.
pub const CARD_WIDTH: i32 = 304;
/// Height of a card.
pub const CARD_HEIGHT: i32 = 64;
/// Height of the place between two blocks, where a step can be added.
pub const GAP: i32 = 44;
/// From a container's card to its lanes.
pub const STEM: i32 = 28;
/// Height of a lane's name and condition.
pub const LANE_HEAD: i32 = 44;
/// From the edge of a lane to what is in it.
pub const LANE_PAD: i32 = 16;
/// From the edge of a frame to its lanes, left and right.
pub const FRAME_PAD: i32 = 8;
/// From the end of the lanes to the end of their frame.
pub const MERGE: i32 = 28;

/// A rectangle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rect {
    /// The left edge.
    pub x: i32,
    /// The upper edge.
    pub y: i32,
    /// From left to right.
    pub width: i32,
    /// From top to bottom.
    pub height: i32,
}

impl Rect {
    /// Returns the right edge.
    pub const fn right(self) -> i32 {
        self.x + self.width
    }

    /// Returns the lower edge.
    pub const fn bottom(self) -> i32 {
        self.y + self.height
    }

    /// Returns whether two rectangles have a point in common; edges that touch are none.
    pub const fn meets(self, other: Rect) -> bool {
        self.x < other.right()
            && other.x < self.right()
            && self.y < other.bottom()
            && other.y < self.bottom()
    }

    /// Returns whether another rectangle is inside this one.
    pub const fn holds(self, other: Rect) -> bool {
        self.x <= other.x
            && other.right() <= self.right()
            && self.y <= other.y
            && other.bottom() <= self.bottom()
    }
}

/// A step, and where it is drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Spot {
    /// The step.
    pub step: StepId,
    /// Which of its list's steps it is, from 0.
    pub index: usize,
    /// Its card.
    pub card: Rect,
    /// Its card with all that belongs to it.
    pub block: Rect,
    /// The frame around its lanes, unless it has none or is folded.
    pub frame: Option<Rect>,
    /// How many steps are inside it and not drawn, when it is folded.
    pub folded: Option<usize>,
    /// Index of its list.
    column: usize,
    /// Indices of its lanes' lists.
    lanes: Range<usize>,
}

/// A list of steps, and where it is drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// The list.
    pub list: ListRef,
    /// The whole of a lane, its head included; of the flow, all of it.
    pub area: Rect,
    /// A lane's name and condition.
    pub head: Option<Rect>,
    /// Index of the container's spot.
    owner: Option<usize>,
    /// Indices of the steps' spots, in order.
    spots: Vec<usize>,
    axis: i32,
    /// Where the first gap begins.
    top: i32,
}

/// A line with at most one bend: down from a point, across, and down to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// Where it begins.
    pub from: (i32, i32),
    /// Where it ends.
    pub to: (i32, i32),
    /// Where it goes across, when the two are not one above the other.
    pub bend: i32,
}

/// What the arrow keys go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The trigger.
    Trigger,
    /// A step.
    Step(StepId),
    /// A place between steps.
    Gap(Gap),
}

/// Where all of a document is drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    /// The steps in the order of reading, without those inside folded ones.
    spots: Vec<Spot>,
    by_step: HashMap<StepId, usize>,
    /// The flow, then the lanes in the order of reading.
    columns: Vec<Column>,
    by_list: HashMap<ListRef, usize>,
    /// All gaps in the order of reading, as column and index.
    gaps: Vec<(usize, usize)>,
    lines: Vec<Line>,
    stops: Vec<Stop>,
}

impl Layout {
    /// Places a document of which some containers are folded.
    pub fn of(document: &Document, folded: &BTreeSet<StepId>) -> Self {
        place::place(document, folded)
    }

    /// Returns the trigger's card.
    pub const fn trigger(&self) -> Rect {
        Rect {
            x: -CARD_WIDTH / 2,
            y: 0,
            width: CARD_WIDTH,
            height: CARD_HEIGHT,
        }
    }

    /// Returns the least rectangle around everything.
    pub fn bounds(&self) -> Rect {
        let flow = self.columns[0].area;
        Rect {
            y: 0,
            height: flow.bottom(),
            ..flow
        }
    }

    /// Returns where a step is drawn, unless it is inside a folded one or not there.
    pub fn spot(&self, step: StepId) -> Option<&Spot> {
        self.by_step.get(&step).map(|at| &self.spots[*at])
    }

    /// Returns every step that is drawn, in the order of reading.
    pub fn spots(&self) -> &[Spot] {
        &self.spots
    }

    /// Returns where a list is drawn.
    pub fn column(&self, list: ListRef) -> Option<&Column> {
        self.by_list.get(&list).map(|at| &self.columns[*at])
    }

    /// Returns the lanes of a step as they are drawn.
    pub fn lanes(&self, step: StepId) -> &[Column] {
        let lanes = self.spot(step).map(|spot| spot.lanes.clone());
        &self.columns[lanes.unwrap_or_default()]
    }

    /// Returns the list that a step stands in, and how many steps that list has.
    pub fn list_of(&self, spot: &Spot) -> (ListRef, usize) {
        let column = &self.columns[spot.column];
        (column.list, column.spots.len())
    }

    /// Returns the lists that a step is in, the innermost first, each with its step that is or
    /// holds the given one.
    pub fn way_to(&self, step: StepId) -> Vec<(ListRef, StepId)> {
        let mut way = Vec::new();
        let mut at = self.by_step.get(&step).copied();
        while let Some(index) = at {
            let spot = &self.spots[index];
            let column = &self.columns[spot.column];
            way.push((column.list, spot.step));
            at = column.owner;
        }
        way
    }

    /// Returns the steps of a list of which something is inside a window, in order.
    pub fn steps_within(
        &self,
        list: ListRef,
        window: Rect,
    ) -> impl Iterator<Item = &Spot> + use<'_> {
        let spots = self.column(list).map(|column| column.spots.as_slice());
        let spots = spots.unwrap_or_default();
        let block = |at: &usize| self.spots[*at].block;
        let from = spots.partition_point(|at| block(at).bottom() <= window.y);
        let to = spots.partition_point(|at| block(at).y < window.bottom());
        let found = spots.get(from..to).unwrap_or_default();
        found.iter().map(|at| &self.spots[*at])
    }

    /// Returns where a gap is drawn; `None` when it is not.
    pub fn gap(&self, gap: Gap) -> Option<Rect> {
        let column = self.column(gap.list)?;
        let index = match gap.after {
            None => 0,
            Some(step) => {
                let spot = self.spot(step)?;
                (self.columns[spot.column].list == gap.list).then_some(spot.index + 1)?
            }
        };
        Some(self.gap_rect(column, index))
    }

    /// Returns the gap that is nearest to a point, the column that the point is in before others.
    pub fn nearest_gap(&self, x: i32, y: i32) -> Option<Gap> {
        let far = |(column, index): &(usize, usize)| {
            let rect = self.gap_rect(&self.columns[*column], *index);
            let beside = (rect.x - x).max(x - rect.right()).max(0);
            (rect.y + GAP / 2 - y).abs() + 4 * beside
        };
        let nearest = self.gaps.iter().min_by_key(|gap| far(gap));
        nearest.map(|(column, index)| self.name_of(*column, *index))
    }

    /// Returns the lines of which something is inside a window.
    pub fn lines_within(&self, window: Rect) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(move |line| {
            let (left, right) = (line.from.0.min(line.to.0), line.from.0.max(line.to.0));
            left <= window.right()
                && window.x <= right
                && line.from.1 <= window.bottom()
                && window.y <= line.to.1
        })
    }

    /// Returns everything that arrow keys go through, in the order of reading.
    pub fn stops(&self) -> &[Stop] {
        &self.stops
    }

    fn gap_rect(&self, column: &Column, index: usize) -> Rect {
        let above = index.checked_sub(1).and_then(|at| column.spots.get(at));
        Rect {
            x: column.axis - CARD_WIDTH / 2,
            y: above.map_or(column.top, |at| self.spots[*at].block.bottom()),
            width: CARD_WIDTH,
            height: GAP,
        }
    }

    fn name_of(&self, column: usize, index: usize) -> Gap {
        let column = &self.columns[column];
        let above = index.checked_sub(1).and_then(|at| column.spots.get(at));
        Gap {
            list: column.list,
            after: above.map(|at| self.spots[*at].step),
        }
    }
}

#[cfg(test)]
mod tests;
