//! The list of changes as the review draws it.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::field::Part;
use super::pair::{Item, Pair};
use super::tree::Tree;
use super::{Changes, StepChange, What};
use crate::{Document, LaneId, StepId};

/// One line of the outline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// How far it is indented: 0 for the flow, one more for a lane's head and two for what is in it.
    pub depth: usize,
    /// What it shows.
    pub kind: RowKind,
}

/// What a line of the outline shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowKind {
    /// The trigger, which changed.
    Trigger,
    /// The settings, which changed.
    Settings,
    /// A step: changed, or there so that what is around or inside it can be understood.
    Step {
        /// The step; a deleted one is in the earlier document only.
        id: StepId,
    },
    /// The head of a lane.
    Lane {
        /// The container.
        step: StepId,
        /// The lane; a deleted one is in the earlier document only.
        lane: LaneId,
    },
    /// Steps without changes, folded.
    Unchanged {
        /// The steps, with those inside them, in the order in which a person reads.
        steps: Vec<StepId>,
        /// How many of them differ only in ways that [`super::FieldChange`] calls minor or
        /// following a rename.
        quiet: usize,
    },
    /// Where a step that was moved stood.
    Ghost {
        /// The step.
        id: StepId,
    },
}

/// Returns the changes in the order in which a person reads, with what lies between them folded.
pub fn outline(before: &Document, after: &Document, changes: &Changes) -> Vec<Row> {
    let pair = Pair::new(before, after);
    let mut outline = Outline {
        nodes: nodes(&pair, changes),
        rows: Vec::new(),
        run: Vec::new(),
    };
    for (fields, kind) in [
        (&changes.trigger, RowKind::Trigger),
        (&changes.settings, RowKind::Settings),
    ] {
        if !fields.is_empty() {
            outline.rows.push(Row { depth: 0, kind });
        }
    }
    outline.draw();
    outline.rows
}

/// Something that both documents read together have, in order.
struct Node {
    depth: usize,
    /// What it is when it is shown.
    kind: RowKind,
    /// How many nodes it is with those inside it.
    size: usize,
    /// Something about it changed.
    is_changed: bool,
    /// Something inside it changed.
    holds_changes: bool,
    /// It came, went or was moved: what stands around it says where.
    is_placed: bool,
    /// It differs in ways that need not be read.
    is_quiet: bool,
}

fn nodes(pair: &Pair<'_>, changes: &Changes) -> Vec<Node> {
    let steps: BTreeMap<StepId, &StepChange> = changes
        .steps
        .iter()
        .map(|change| (change.id, change))
        .collect();
    let id = |before: Option<usize>, after: Option<usize>| match (before, after) {
        (_, Some(new)) => Some(pair.after.id(new)),
        (Some(old), None) => Some(pair.before.id(old)),
        (None, None) => None,
    };
    let lane =
        |tree: &Tree<'_>, list: usize| Some((tree.id(tree.owner(list)?.0), tree.lane(list)?.id));
    let mut nodes: Vec<Node> = Vec::new();
    pair.read(|depth, item| {
        let (kind, change) = match item {
            Item::Ghost { before } => (
                RowKind::Ghost {
                    id: pair.before.id(before),
                },
                None,
            ),
            Item::Step { before, after } => {
                let Some(id) = id(before, after) else { return };
                (RowKind::Step { id }, steps.get(&id))
            }
            Item::Lane { before, after } => {
                let found = after.map_or_else(
                    || before.and_then(|list| lane(&pair.before, list)),
                    |list| lane(&pair.after, list),
                );
                let Some((step, lane)) = found else { return };
                (RowKind::Lane { step, lane }, steps.get(&step))
            }
        };
        let (is_changed, is_placed) = match &kind {
            RowKind::Lane { lane, .. } => (
                change.is_some_and(|change| changes_lane(change, *lane)),
                false,
            ),
            RowKind::Step { .. } => (
                change.is_some_and(|change| !change.is_quiet()),
                change.is_some_and(|change| change.moved.is_some() || change.what != What::Kept),
            ),
            _ => (true, true),
        };
        let is_quiet = change.is_some_and(|change| change.is_quiet());
        nodes.push(Node {
            depth,
            kind,
            size: 1,
            is_changed,
            holds_changes: false,
            is_placed,
            is_quiet,
        });
    });
    measure(&mut nodes);
    nodes
}

/// Finds out how much is inside each node, and whether something of that changed.
fn measure(nodes: &mut [Node]) {
    let mut open: Vec<usize> = Vec::new();
    for index in 0..=nodes.len() {
        let depth = nodes.get(index).map_or(0, |node| node.depth);
        while let Some(last) = open.pop_if(|last| nodes[*last].depth >= depth) {
            nodes[last].size = index - last;
            let changed = nodes[last].is_changed || nodes[last].holds_changes;
            if let Some(outer) = open.last() {
                nodes[*outer].holds_changes |= changed;
            }
        }
        open.push(index);
    }
}

/// Returns whether something about a lane itself changed.
fn changes_lane(change: &StepChange, lane: LaneId) -> bool {
    change.fields.iter().any(|field| {
        let of = match field.field.part() {
            Part::Lane(id) | Part::LaneName(id) | Part::LaneWhen(id) => Some(id),
            _ => None,
        };
        of == Some(lane) && !field.is_quiet()
    })
}

struct Outline {
    nodes: Vec<Node>,
    rows: Vec<Row>,
    /// Steps of one list without changes, in a row and not drawn yet.
    run: Vec<usize>,
}

impl Outline {
    fn draw(&mut self) {
        let mut index = 0;
        while let Some(node) = self.nodes.get(index) {
            let (depth, next) = (node.depth, index + node.size);
            let is_lane = matches!(node.kind, RowKind::Lane { .. });
            if !is_lane && !node.is_changed && !node.holds_changes {
                if self
                    .run
                    .first()
                    .is_some_and(|first| self.nodes[*first].depth != depth)
                {
                    self.end_run(false);
                }
                self.run.push(index);
                index = next;
                continue;
            }
            let is_beside = self
                .run
                .first()
                .is_some_and(|first| self.nodes[*first].depth == depth);
            let (is_placed, holds_changes) = (node.is_placed, node.holds_changes);
            self.end_run(is_beside && is_placed);
            self.show(index);
            if holds_changes {
                index += 1;
            } else {
                self.fold(index + 1..next, depth + 1);
                index = next;
            }
        }
        self.end_run(false);
    }

    fn show(&mut self, index: usize) {
        let node = &self.nodes[index];
        self.rows.push(Row {
            depth: node.depth,
            kind: node.kind.clone(),
        });
    }

    /// Draws the steps without changes that came last. The one before something that came, went or
    /// was moved stays to be seen, as does one that is alone: folded, it would take as much room.
    fn end_run(&mut self, is_context: bool) {
        let run = std::mem::take(&mut self.run);
        let Some(&first) = run.first() else { return };
        let last = run[run.len() - 1];
        let seen = usize::from(is_context && self.nodes[last].size == 1);
        let folded = &run[..run.len() - seen];
        if let Some(end) = folded.last().map(|last| last + self.nodes[*last].size) {
            if end - first == 1 {
                self.show(first);
            } else {
                self.fold(first..end, self.nodes[first].depth);
            }
        }
        if seen == 1 {
            self.show(last);
        }
    }

    /// Draws one row for all steps of a part.
    fn fold(&mut self, part: Range<usize>, depth: usize) {
        let mut steps = Vec::new();
        let mut quiet = 0;
        for node in &self.nodes[part] {
            if let RowKind::Step { id } = node.kind {
                steps.push(id);
                quiet += usize::from(node.is_quiet);
            }
        }
        if !steps.is_empty() {
            self.rows.push(Row {
                depth,
                kind: RowKind::Unchanged { steps, quiet },
            });
        }
    }
}
