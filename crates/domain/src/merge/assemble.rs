//! Puts the merged document together: lists in order, lanes, content.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::Value;

use super::conflict::{Choice, Decisions, json};
use super::content::Content;
use super::index::{FLOW, Index};
use super::key::{ConflictKey, StepPart};
use super::lens::Lens;
use super::names::Names;
use super::order::Orders;
use super::three::{Side, Three, Versions};
use super::tree::Tree;
use crate::document::{Lane, ListRef};
use crate::{Document, LaneId, StepId};

/// What the document is put together from.
struct Assembly<'m, 'a> {
    index: &'m Index<'a>,
    tree: &'m Tree,
    orders: Orders,
    /// The steps of each list, in order.
    lists: Vec<Vec<StepId>>,
}

/// Returns the document that a merged tree stands for.
pub(super) fn document(
    index: &Index<'_>,
    tree: &Tree,
    names: &Names<'_>,
    lens: &Lens<'_>,
    decisions: &mut Decisions<'_>,
) -> Document {
    let mut assembly = Assembly {
        index,
        tree,
        orders: Orders::new(index.steps.len().max(index.lists.len())),
        lists: Vec::with_capacity(index.lists.len()),
    };
    assembly.order_lists(decisions);
    let mut content = Content { names, decisions };
    let mut steps = Vec::with_capacity(index.steps.len());
    for (number, sides) in index.steps.iter().enumerate() {
        if tree.places[number].is_none() {
            continue;
        }
        let lanes = assembly.lanes(number, &mut content);
        let by_itself = index.is_by_itself(number);
        let rewritten = by_itself.then(|| lens.step(sides)).flatten();
        let merged = match &rewritten {
            None => content.merged(sides, lanes),
            Some(rewritten) => {
                let sides = Three::of(|side| rewritten[side].as_ref().or(sides[side]));
                content.merged(&sides, lanes)
            }
        };
        let Some(mut step) = merged else { continue };
        if rewritten.is_some() || !by_itself {
            step = names.step(step);
        }
        if let Some(slug) = names.slug(number) {
            slug.clone_into(&mut step.slug);
        }
        steps.push((step.id, step));
    }
    let documents = index.documents;
    let triggers = Three::of(|side| {
        let trigger = &documents[side].trigger;
        let rewritten = lens.trigger(side, trigger);
        rewritten.map_or(Cow::Borrowed(trigger), Cow::Owned)
    });
    let versions = Versions {
        base: Some(documents.base),
        ours: documents.ours,
        theirs: documents.theirs,
    };
    let schema = documents.map(|document| document.schema);
    Document {
        // Documents are brought to one schema when they are read; if not, the newer one is told.
        schema: match schema.merged() {
            Some(side) => schema[side],
            None => schema.ours.max(schema.theirs),
        },
        trigger: content.trigger(Versions {
            base: Some(&*triggers.base),
            ours: &triggers.ours,
            theirs: &triggers.theirs,
        }),
        flow: std::mem::take(&mut assembly.lists[FLOW]),
        // Of a list that is sorted, a map is made quickly.
        steps: steps.into_iter().collect(),
        settings: content.settings(versions),
    }
}

impl Assembly<'_, '_> {
    fn order_lists(&mut self, decisions: &mut Decisions<'_>) {
        let (index, tree) = (self.index, self.tree);
        let mut expected = vec![0; index.lists.len()];
        for list in tree.places.iter().flatten() {
            expected[*list] += 1;
        }
        for (number, list) in index.lists.iter().enumerate() {
            let members = Three::of(|side| list.members[side].as_slice());
            let stands_here = |step: usize| tree.places[step] == Some(number);
            let id = |step: usize| index.id(step);
            let decide = || {
                let key = ConflictKey::order(list.name);
                let numbered = |id: &StepId| index.number(*id);
                wanted(key, members, id, numbered, decisions)
            };
            let mut order = self.orders.merge(members, &stands_here, decide);
            if order.len() < expected[number] {
                // Steps that are left without a place of their own.
                let placed: BTreeSet<usize> = order.iter().copied().collect();
                let left = (0..index.steps.len()).filter(|step| stands_here(*step));
                order.extend(left.filter(|step| !placed.contains(step)));
            }
            self.lists.push(order.into_iter().map(id).collect());
        }
    }

    fn lanes(&mut self, number: usize, content: &mut Content<'_, '_>) -> Vec<Lane> {
        let index = self.index;
        if index.lanes(number).is_empty() {
            return Vec::new();
        }
        let sides = Three::of(|side| index.lanes_on(number, side));
        let sides = Three::of(|side| sides[side].as_slice());
        let is_there = |list: usize| self.tree.lists[list];
        let order = self.orders.merge(sides, &is_there, || {
            let key = ConflictKey::Step {
                step: index.id(number),
                part: StepPart::LaneOrder,
            };
            let name = |list: usize| match index.lists[list].name {
                ListRef::Flow => None,
                ListRef::Lane(_, lane) => Some(lane),
            };
            let numbered = |id: &Option<LaneId>| index.list(number, (*id)?);
            wanted(key, sides, name, numbered, content.decisions)
        });
        let lanes = order.into_iter().filter_map(|list| {
            let steps = std::mem::take(&mut self.lists[list]);
            content.lane(&index.lists[list], steps)
        });
        lanes.collect()
    }
}

/// Decides the order of a list.
fn wanted<T: serde::Serialize + serde::de::DeserializeOwned>(
    key: ConflictKey,
    sides: Three<&[usize]>,
    id: impl Fn(usize) -> T,
    number: impl Fn(&T) -> Option<usize>,
    decisions: &mut Decisions<'_>,
) -> Vec<usize> {
    let of = |side: Side| Some(sides[side].to_vec());
    let fit = |choice: &Choice| match choice {
        Choice::Ours => of(Side::Ours),
        Choice::Theirs => of(Side::Theirs),
        Choice::Base => of(Side::Base),
        Choice::Value(value) => {
            let ids: Vec<T> = serde_json::from_value(value.clone()).ok()?;
            Some(ids.iter().filter_map(&number).collect())
        }
    };
    let shown = |side: Side| {
        let ids: Vec<T> = sides[side].iter().map(|one| id(*one)).collect();
        Some::<Value>(json(&ids))
    };
    decisions.decide(key, sides.ours.to_vec(), fit, || Three::of(shown))
}
