//! Documents as outlines: a step is a letter, what is inside it stands in brackets, lane by lane.
//!
//! `a B[c | d e]` is the step a, then a branch with two lanes. Lanes are numbered as they stand,
//! or as a digit before their steps says: `B[2 d e | 1 c]`. An empty lane is `B[]`, a branch
//! without lanes `B[-]`.

use uuid::Uuid;

use crate::document::{Lane, ListRef, Step};
use crate::edit::new_step;
use crate::merge::{ConflictKey, Merged, StepPart};
use crate::{Document, LaneId, StepId, catalog};

pub(super) fn id(letter: char) -> StepId {
    StepId::new(Uuid::from_u128(u128::from(u32::from(letter))))
}

fn letter(id: StepId) -> char {
    let number = u32::try_from(id.0.as_u128()).ok().and_then(char::from_u32);
    number.expect("ids of outlines are letters")
}

pub(super) fn lane(number: u32) -> LaneId {
    LaneId::new(Uuid::from_u128(u128::from(number)))
}

fn step(letter: char, kind: &str) -> Step {
    let kind = catalog::action(kind).expect("it is in the catalog");
    let slug = format!("step_{}", letter.to_ascii_lowercase());
    let mut step = new_step(kind, id(letter), &letter.to_string(), slug, || lane(0));
    step.lanes.clear();
    step
}

/// Returns the document that an outline stands for.
pub(super) fn document(outline: &str) -> Document {
    let mut document = Document::new("webhook");
    // The steps that are open, each with what stands in its lane so far.
    let mut open: Vec<char> = Vec::new();
    let mut last = ' ';
    for sign in outline.chars() {
        let list = open.last().map(|open| {
            let step = document
                .steps
                .get_mut(&id(*open))
                .expect("it was read before");
            &mut step.lanes
        });
        match (sign, list) {
            ('[', _) => {
                let opened = step(last, "branch");
                document.steps.insert(opened.id, opened);
                open.push(last);
                add_lane(&mut document, last);
            }
            ('|', _) => add_lane(&mut document, open.last().copied().expect("a lane is open")),
            (']', _) => {
                open.pop();
            }
            ('-', Some(lanes)) => lanes.clear(),
            ('0'..='9', Some(lanes)) => {
                let lane_now = lanes.last_mut().expect("a lane is open");
                lane_now.id = lane(sign.to_digit(10).expect("it is a digit"));
                lane_now.name = format!("Lane {sign}");
            }
            (' ', _) => {}
            (letter, list) => {
                match list {
                    Some(lanes) => {
                        let lane = lanes.last_mut().expect("a lane is open");
                        lane.steps.push(id(letter));
                    }
                    None => document.flow.push(id(letter)),
                }
                let added = step(letter, "log");
                document.steps.insert(added.id, added);
            }
        }
        last = sign;
    }
    document
}

fn add_lane(document: &mut Document, holder: char) {
    let lanes = &mut document
        .steps
        .get_mut(&id(holder))
        .expect("it is open")
        .lanes;
    let number = u32::try_from(lanes.len()).expect("few lanes") + 1;
    lanes.push(Lane {
        id: lane(number),
        name: format!("Lane {number}"),
        when: Some("true".to_owned()),
        steps: Vec::new(),
    });
}

/// Returns the outline of a document.
pub(super) fn outline(document: &Document) -> String {
    list(document, &document.flow)
}

fn list(document: &Document, ids: &[StepId]) -> String {
    let shown = ids.iter().map(|id| {
        let step = &document.steps[id];
        if step.kind != "branch" {
            return letter(*id).to_string();
        }
        let lanes = step.lanes.iter().zip(1..).map(|(lane_now, number)| {
            let inside = list(document, &lane_now.steps);
            if lane_now.id == lane(number) {
                inside
            } else {
                format!("{} {inside}", lane_now.id.0.as_u128())
                    .trim_end()
                    .to_owned()
            }
        });
        let lanes: Vec<String> = lanes.collect();
        let lanes = if lanes.is_empty() {
            "-".to_owned()
        } else {
            lanes.join(" | ")
        };
        format!("{}[{lanes}]", letter(*id))
    });
    shown.collect::<Vec<_>>().join(" ")
}

/// Returns the conflicts of a merge, such as `B lane 2 presence`.
pub(super) fn conflicts(merged: &Merged) -> Vec<String> {
    let shown = merged.conflicts.iter().map(|conflict| match &conflict.key {
        ConflictKey::Step { step, part } => {
            let key = conflict.key.to_string().replace('/', " ");
            let key = key.replace(&format!("step {step} "), "");
            let key = match part {
                StepPart::Lane { lane, .. } => {
                    key.replace(&lane.to_string(), &lane.0.as_u128().to_string())
                }
                _ => key,
            };
            format!("{} {key}", letter(*step))
        }
        key => key.to_string().replace('/', " "),
    });
    shown.collect()
}

/// Returns a list by the letter of its step and the number of its lane.
pub(super) fn in_lane(letter: char, number: u32) -> ListRef {
    ListRef::Lane(id(letter), lane(number))
}
