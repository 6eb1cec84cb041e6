//! Edits by which two sides of a large document come apart: of ten steps, one is added, deleted,
//! modified or moved on each side.

use domain::catalog;
use domain::document::{ErrorPolicy, OnError, Place};
use domain::edit::{self, Edit, new_step};
use domain::{Document, LaneId, StepId};
use serde_json::{Value, json};

use crate::large;

struct Side {
    document: Document,
    edits: Vec<Edit>,
    ids: u128,
    draws: u64,
}

/// Returns a request for the bench `merge` with so many steps.
pub(crate) fn request(steps: usize) -> Value {
    let (document, _) = large::document(steps, 5);
    let edits = |number: u64| {
        let mut side = Side {
            document: document.clone(),
            edits: Vec::new(),
            ids: u128::from(number) << 40,
            draws: number,
        };
        for turn in 0..steps / 10 {
            side.edit(turn);
        }
        side.edits
    };
    json!({ "document": document, "ours": edits(1), "theirs": edits(2) })
}

impl Side {
    /// Returns a number below `below`, the same ones on every run.
    fn draw(&mut self, below: usize) -> usize {
        self.draws = self
            .draws
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.draws >> 33).expect("31 bits") % below
    }

    fn step(&mut self) -> StepId {
        let number = self.draw(self.document.steps.len());
        let id = self.document.steps.keys().nth(number);
        *id.expect("there are as many")
    }

    fn id<T: std::str::FromStr>(&mut self) -> T {
        self.ids += 1;
        let text = format!("01990000-0000-7000-8000-{:012x}", self.ids);
        text.parse().ok().expect("it is a UUID")
    }

    fn place(&mut self) -> Place {
        let beside = self.step();
        self.document.place(beside).expect("every step has one")
    }

    /// Makes one edit that fits; what does not is drawn again.
    fn edit(&mut self, turn: usize) {
        for _ in 0..100 {
            let edit = self.drawn(turn);
            let is_leaf = |step: &StepId| self.document.steps[step].lanes.is_empty();
            if matches!(&edit, Edit::Delete { step } if !is_leaf(step)) {
                continue;
            }
            if edit::apply(&mut self.document, &edit).is_ok() {
                self.edits.push(edit);
                return;
            }
        }
    }

    fn drawn(&mut self, turn: usize) -> Edit {
        let step = self.step();
        let text = format!("{{{{ trigger.body.field_{} }}}}", self.draw(1_000));
        let (field, value) = ("notes_of_bench".to_owned(), Some(json!(text)));
        match turn % 20 {
            0 | 4 | 8 | 12 | 16 => {
                let id = self.id();
                let at = self.place();
                let log = catalog::action("log").expect("it is in the catalog");
                let slug = format!("added_{}", self.ids);
                let mut added = new_step(log, id, "Added", slug, || LaneId::new(id.0));
                added.config.insert("message".to_owned(), json!(text));
                let steps = vec![added];
                Edit::Insert { steps, at }
            }
            1 | 5 | 9 | 13 | 17 => Edit::Delete { step },
            2 | 6 | 10 | 14 | 18 => Edit::Move {
                step,
                to: self.place(),
            },
            3 => Edit::Rename {
                step,
                name: "Renamed".to_owned(),
                slug: format!("renamed_{}", self.draws >> 33),
            },
            7 => Edit::SetErrorPolicy {
                step,
                policy: ErrorPolicy {
                    retries: 2,
                    then: OnError::Continue,
                },
            },
            11 => Edit::SetNotes { step, notes: text },
            _ => Edit::SetField { step, field, value },
        }
    }
}
