//! Placing, in three goes without recursion: which blocks there are, how large each is (the
//! innermost first), where each stands (the outermost first).

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{
    CARD_HEIGHT, CARD_WIDTH, Column, FRAME_PAD, GAP, LANE_HEAD, LANE_PAD, Layout, Line, MERGE,
    Rect, STEM, Spot, Stop,
};
use crate::document::{ListRef, Step};
use crate::{Document, StepId};

pub(super) fn place(document: &Document, folded: &BTreeSet<StepId>) -> Layout {
    let mut layout = Layout {
        spots: Vec::with_capacity(document.steps.len()),
        by_step: HashMap::with_capacity(document.steps.len()),
        columns: Vec::new(),
        by_list: HashMap::new(),
        gaps: Vec::with_capacity(document.steps.len() + 1),
        lines: Vec::new(),
        stops: vec![Stop::Trigger],
    };
    gather(&mut layout, document, folded);
    measure(&mut layout);
    arrange(&mut layout);
    draw_lines(&mut layout);
    layout
}

/// Finds the blocks in the order of reading. A step that stands in several lists (which no edit
/// makes) is drawn in the first.
fn gather<'a>(layout: &mut Layout, document: &'a Document, folded: &BTreeSet<StepId>) {
    let mut seen = HashSet::with_capacity(document.steps.len());
    let mut steps_of = |ids: &'a [StepId]| -> Vec<&'a Step> {
        let new = ids.iter().filter(|id| seen.insert(**id));
        new.filter_map(|id| document.steps.get(id)).collect()
    };
    let mut lists = vec![steps_of(&document.flow)];
    layout.columns.push(column(ListRef::Flow, None));
    let mut open = vec![(0, 0)];
    while let Some((at, next)) = open.last_mut() {
        let (at, index) = (*at, *next);
        layout.gaps.push((at, index));
        let gap = layout.name_of(at, index);
        layout.stops.push(Stop::Gap(gap));
        let Some(step) = lists[at].get(index).copied() else {
            open.pop();
            continue;
        };
        *next += 1;
        let is_folded = !step.lanes.is_empty() && folded.contains(&step.id);
        let first = lists.len();
        let here = layout.spots.len();
        if !is_folded {
            for lane in &step.lanes {
                let list = ListRef::Lane(step.id, lane.id);
                lists.push(steps_of(&lane.steps));
                layout.columns.push(column(list, Some(here)));
            }
            open.extend((first..lists.len()).rev().map(|lane| (lane, 0)));
        }
        layout.columns[at].spots.push(here);
        layout.by_step.insert(step.id, here);
        layout.stops.push(Stop::Step(step.id));
        layout.spots.push(Spot {
            step: step.id,
            index,
            card: Rect::default(),
            block: Rect::default(),
            frame: None,
            folded: is_folded.then(|| document.subtree(step.id).len().saturating_sub(1)),
            column: at,
            lanes: first..lists.len(),
        });
    }
    let lists = layout.columns.iter().enumerate();
    layout.by_list = lists.map(|(at, column)| (column.list, at)).collect();
}

fn column(list: ListRef, owner: Option<usize>) -> Column {
    Column {
        list,
        area: Rect::default(),
        head: None,
        owner,
        spots: Vec::new(),
        axis: 0,
        top: 0,
    }
}

/// Finds the size of each block: what is inside one comes behind it in the order of reading.
fn measure(layout: &mut Layout) {
    for at in (0..layout.spots.len()).rev() {
        let lanes = layout.spots[at].lanes.clone();
        let (mut width, mut height) = (0, 0);
        for lane in lanes.clone() {
            let (inner_width, inner_height) = size(layout, lane);
            let area = &mut layout.columns[lane].area;
            area.width = inner_width + 2 * LANE_PAD;
            width += area.width;
            height = height.max(LANE_HEAD + inner_height);
        }
        let block = &mut layout.spots[at].block;
        if lanes.is_empty() {
            (block.width, block.height) = (CARD_WIDTH, CARD_HEIGHT);
            continue;
        }
        block.width = width + 2 * FRAME_PAD;
        block.height = CARD_HEIGHT + STEM + height + MERGE;
        for lane in lanes {
            layout.columns[lane].area.height = height;
        }
    }
    let (width, height) = size(layout, 0);
    layout.columns[0].area.width = width;
    layout.columns[0].area.height = height;
}

/// Returns the size of a list of measured blocks, with the gaps between and around them.
fn size(layout: &Layout, column: usize) -> (i32, i32) {
    let blocks = layout.columns[column].spots.iter();
    let blocks = blocks.map(|at| layout.spots[*at].block);
    blocks.fold((CARD_WIDTH, GAP), |(width, height), block| {
        (width.max(block.width), height + block.height + GAP)
    })
}

/// Places each list's blocks; a list comes behind the one that its container stands in.
fn arrange(layout: &mut Layout) {
    let flow = &mut layout.columns[0];
    flow.top = CARD_HEIGHT;
    flow.area.x = -flow.area.width / 2;
    flow.area.y = CARD_HEIGHT;
    for column in 0..layout.columns.len() {
        let axis = layout.columns[column].axis;
        let mut y = layout.columns[column].top + GAP;
        for at in layout.columns[column].spots.clone() {
            let spot = &mut layout.spots[at];
            spot.block.x = axis - spot.block.width / 2;
            spot.block.y = y;
            spot.card = Rect {
                x: axis - CARD_WIDTH / 2,
                y,
                width: CARD_WIDTH,
                height: CARD_HEIGHT,
            };
            y += spot.block.height + GAP;
            if spot.lanes.is_empty() {
                continue;
            }
            spot.frame = Some(Rect {
                y: spot.block.y + CARD_HEIGHT / 2,
                height: spot.block.height - CARD_HEIGHT / 2,
                ..spot.block
            });
            let (mut x, top) = (spot.block.x + FRAME_PAD, spot.card.bottom() + STEM);
            for lane in &mut layout.columns[spot.lanes.clone()] {
                (lane.area.x, lane.area.y) = (x, top);
                lane.head = Some(Rect {
                    height: LANE_HEAD,
                    ..lane.area
                });
                lane.axis = x + lane.area.width / 2;
                lane.top = top + LANE_HEAD;
                x += lane.area.width;
            }
        }
    }
}

/// Finds the lines: through each gap, from a container's card to its lanes, and together again.
fn draw_lines(layout: &mut Layout) {
    let mut lines = Vec::with_capacity(layout.gaps.len() + 2 * layout.columns.len());
    for (at, index) in &layout.gaps {
        let column = &layout.columns[*at];
        let gap = layout.gap_rect(column, *index);
        let is_end = *at == 0 && *index == column.spots.len();
        let end = gap.y + if is_end { GAP / 2 } else { GAP };
        lines.push(Line {
            from: (column.axis, gap.y),
            to: (column.axis, end),
            bend: end,
        });
    }
    for column in &layout.columns {
        let Some(owner) = column.owner else { continue };
        let owner = &layout.spots[owner];
        let axis = owner.card.x + CARD_WIDTH / 2;
        lines.push(Line {
            from: (axis, owner.card.bottom()),
            to: (column.axis, column.area.y),
            bend: owner.card.bottom() + STEM / 2,
        });
        let end = column
            .spots
            .last()
            .map_or(column.top, |at| layout.spots[*at].block.bottom());
        lines.push(Line {
            from: (column.axis, end + GAP),
            to: (axis, owner.block.bottom()),
            bend: owner.block.bottom() - MERGE / 2,
        });
    }
    layout.lines = lines;
}
