//! Documents and edits for tests: made from small numbers, so that a failing one shrinks.

use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::connector::{self, Declared};
use crate::document::{ErrorPolicy, Lane, ListRef, OnError, Place, Settings, Step, Trigger};
use crate::edit::{self, Edit};
use crate::{Document, LaneId, StepId, catalog};

/// An edit before it meets a document: numbers that choose among what is there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    what: u8,
    a: u16,
    b: u16,
    c: u16,
}

/// Returns plans of all kinds of edits.
pub(crate) fn plans(most: usize) -> impl Strategy<Value = Vec<Plan>> {
    let plan = (0..24_u8, 0..64_u16, 0..64_u16, 0..64_u16);
    prop::collection::vec(
        plan.prop_map(|(what, a, b, c)| Plan { what, a, b, c }),
        0..most,
    )
}

/// Returns plans that mostly insert containers.
pub(crate) fn nested(most: usize) -> impl Strategy<Value = Vec<Plan>> {
    let what = prop_oneof![4 => Just(0_u8), 1 => 8..11_u8];
    let plan = (what, 0..14_u16, 0..64_u16, 0..64_u16);
    prop::collection::vec(
        plan.prop_map(|(what, a, b, c)| Plan {
            what,
            a: a / 2 * 9 + 5 + a % 2,
            b,
            c,
        }),
        0..most,
    )
}

/// Returns plans that mostly move steps and lanes.
pub(crate) fn moves(most: usize) -> impl Strategy<Value = Vec<Plan>> {
    let what = prop_oneof![8 => 8..11_u8, 2 => Just(18_u8), 1 => Just(6_u8), 1 => Just(0_u8), 1 => Just(13_u8)];
    let plan = (what, 0..64_u16, 0..64_u16, 0..64_u16);
    prop::collection::vec(
        plan.prop_map(|(what, a, b, c)| Plan { what, a, b, c }),
        0..most,
    )
}

/// Turns plans into edits of documents.
#[derive(Default)]
pub(crate) struct Maker {
    made: u128,
}

const TEXTS: [&str; 24] = [
    "plain",
    "{{ steps.s0.body }}",
    "{{ steps.s1.status }} and {{ steps.s2.nope }}",
    "{{ steps['s3'].values }}",
    "{{ trigger.body.email | lower }}",
    "{{ trigger.scheduled_at }}",
    "{{ item.sku }} {{ index }}",
    "{{ steps.s4.item }}",
    "{{ steps.s5.error.message }}",
    "{{ steps.s0. }}",
    "{{ open",
    "{{ nope }}",
    "{{ s1 }}",
    "{{ run.id }}{{ run.nope }}",
    "{{ [steps.s1, steps.s2.a, 'steps.s0'] | length }}",
    "{{ x | nofilter }}",
    "{{ x is notest }}",
    "https://example.com/{{ steps.s6.body.id }}",
    "not a url",
    "",
    "2xx, 404",
    "{{ steps.s7 is defined }}",
    "{{ steps.s0.total }}",
    "{{ 1e3 + 0x1f }}",
];

const FIELDS: [&str; 12] = [
    "url",
    "method",
    "body_type",
    "json",
    "headers",
    "values",
    "message",
    "condition",
    "items",
    "amount",
    "text",
    "unknown",
];

fn value(n: u16) -> Value {
    let text = TEXTS[usize::from(n) % TEXTS.len()];
    match n % 7 {
        0 => json!({"a": text, "b": {"c": [text, 1, null]}}),
        1 => json!([text]),
        2 => json!(n),
        3 => Value::Null,
        _ => json!(text),
    }
}

/// Returns one of a few declarations of a connector's action.
pub(crate) fn declared(n: u16) -> Declared {
    let declared = json!({
        "connector": "shop",
        "title": "Shop",
        "version": (n % 3).to_string(),
        "icon": "plug",
        "base": "https://{site}.example.com",
        "auth": ["bearer"],
        "operation": {
            "key": "update order",
            "title": "Update an order",
            "method": if n.is_multiple_of(2) { "PATCH" } else { "GET" },
            "path": "/orders/{text}",
            "body": if n.is_multiple_of(2) { "json" } else { "none" },
            "input": {
                "type": "object",
                "required": ["site", "text"],
                "properties": {
                    "site": { "type": "string" },
                    "text": { "type": "string" },
                    "json": { "type": "object" },
                    "headers": { "type": "object", "x-widget": "map" },
                },
            },
        },
    });
    serde_json::from_value(declared).expect("it is a declaration")
}

fn slug(n: u16) -> String {
    if n == 63 {
        "Not a slug".to_owned()
    } else {
        format!("s{}", n % 9)
    }
}

impl Maker {
    fn uuid(&mut self) -> Uuid {
        self.made += 1;
        // Not in order: the first digits come from the last.
        Uuid::from_u128((self.made % 7) << 120 | self.made)
    }

    fn step(&mut self, n: u16, m: u16) -> Step {
        let kinds = catalog::actions();
        let declared = declared(m);
        let kind = kinds.get(usize::from(n) % (kinds.len() + 1));
        let kind = kind.unwrap_or(declared.action());
        let id = StepId::new(self.uuid());
        let mut lanes = Vec::new();
        for _ in 0..2 {
            lanes.push(LaneId::new(self.uuid()));
        }
        let name = format!("Step {}", n % 5);
        let mut step = edit::new_step(kind, id, &name, slug(m), || {
            lanes.pop().expect("two are enough")
        });
        step.action = (kind.key == connector::STEP).then(|| declared.clone());
        for (number, field) in kind.input.fields.iter().enumerate() {
            let n = m + u16::try_from(number).expect("few fields");
            if n.is_multiple_of(3) {
                step.config.insert(field.name.clone(), value(n));
            }
        }
        for lane in step.lanes.iter_mut().filter(|lane| lane.when.is_some()) {
            lane.when = Some(TEXTS[usize::from(m) % TEXTS.len()].to_owned());
        }
        step
    }

    /// Returns a step with up to three others inside it, if it holds lanes.
    fn tree(&mut self, plan: Plan) -> Vec<Step> {
        let mut steps = vec![self.step(plan.a, plan.b)];
        for n in 0..plan.c % 4 {
            let inner = self.step(plan.b + n, plan.a + n + 1);
            let holders = steps.len();
            let holder = &mut steps[usize::from(n) % holders];
            if let Some(lane) = holder.lanes.last_mut() {
                lane.steps.push(inner.id);
                steps.push(inner);
            }
        }
        steps
    }

    fn any_step(document: &Document, n: u16) -> StepId {
        let count = document.steps.len();
        let picked = document.steps.keys().nth(usize::from(n) % count.max(1));
        picked.copied().unwrap_or(StepId::new(Uuid::nil()))
    }

    fn any_lane(document: &Document, n: u16) -> (StepId, LaneId, usize) {
        let mut lanes = document.steps.values().flat_map(|step| {
            step.lanes
                .iter()
                .map(move |lane| (step.id, lane.id, step.lanes.len()))
        });
        let count = lanes.clone().count();
        let missing = (Self::any_step(document, n), LaneId::new(Uuid::nil()), 0);
        lanes.nth(usize::from(n) % count.max(1)).unwrap_or(missing)
    }

    fn any_place(document: &Document, n: u16, m: u16) -> Place {
        let list = match n % 3 {
            0 => ListRef::Flow,
            _ => {
                let (step, lane, _) = Self::any_lane(document, n);
                ListRef::Lane(step, lane)
            }
        };
        let length = document.list(list).map_or(0, Vec::len);
        Place {
            list,
            index: usize::from(m) % (length + 2),
        }
    }

    /// Returns an edit of a document. Most apply, some are refused.
    pub(crate) fn edit(&mut self, document: &Document, plan: Plan) -> Edit {
        let Plan { what, a, b, c } = plan;
        let step = Self::any_step(document, a);
        match what {
            0..=5 => Edit::Insert {
                steps: self.tree(plan),
                at: Self::any_place(document, b, c),
            },
            6 | 7 => Edit::Delete { step },
            8..=10 => Edit::Move {
                step,
                to: Self::any_place(document, b, c),
            },
            11 | 12 => Edit::Rename {
                step,
                name: format!("Name {b}"),
                slug: slug(c),
            },
            13 | 14 => Edit::SetField {
                step,
                field: FIELDS[usize::from(b) % FIELDS.len()].to_owned(),
                value: (c != 0).then(|| value(c)),
            },
            15 => {
                let then = if b % 2 == 0 {
                    OnError::Stop
                } else {
                    OnError::Continue
                };
                Edit::SetErrorPolicy {
                    step,
                    policy: ErrorPolicy {
                        retries: (c % 12) as u8,
                        then,
                    },
                }
            }
            16 if b % 3 == 0 => Edit::SetAction {
                step,
                action: (b > 0).then(|| declared(c)),
            },
            16 => Edit::SetNotes {
                step,
                notes: "n".repeat(usize::from(b)),
            },
            17 => {
                let lane = Lane {
                    id: LaneId::new(self.uuid()),
                    name: format!("Lane {b}"),
                    when: None,
                    steps: vec![],
                };
                Edit::AddLane {
                    step,
                    lane,
                    index: usize::from(c) % 4,
                }
            }
            18 => {
                let (step, lane, count) = Self::any_lane(document, a);
                if b % 2 == 0 {
                    Edit::DeleteLane { step, lane }
                } else {
                    Edit::MoveLane {
                        step,
                        lane,
                        index: usize::from(c) % (count + 1),
                    }
                }
            }
            19 => {
                let (step, lane, _) = Self::any_lane(document, a);
                let when = (b % 4 > 0).then(|| TEXTS[usize::from(b) % TEXTS.len()].to_owned());
                Edit::SetLane {
                    step,
                    lane,
                    name: format!("Lane {c}"),
                    when,
                }
            }
            20 => match a % 3 {
                0 => Edit::SetTrigger {
                    trigger: Trigger {
                        kind: ["webhook", "schedule", "manual", "nope"][usize::from(b) % 4]
                            .to_owned(),
                        config: serde_json::Map::new(),
                    },
                },
                1 => Edit::SetTriggerField {
                    field: ["cron", "time_zone", "method", "nope"][usize::from(b) % 4].to_owned(),
                    value: (c % 3 > 0).then(|| value(c)),
                },
                _ => Edit::SetSettings {
                    settings: Settings {
                        time_limit_seconds: u32::from(b) * 2000,
                    },
                },
            },
            21 => {
                let mut changed = document
                    .steps
                    .get(&step)
                    .cloned()
                    .unwrap_or_else(|| self.step(a, b));
                changed.slug = slug(b);
                changed.config.insert("message".to_owned(), value(c));
                if c % 5 == 0 {
                    changed.kind =
                        ["set", "loop", "nope", connector::STEP][usize::from(b) % 4].to_owned();
                }
                Edit::Restore {
                    steps: vec![changed],
                }
            }
            _ => {
                let mut scratch = document.clone();
                let mut edits = Vec::new();
                for n in 0..1 + b % 3 {
                    let what = ((u16::from(what) * 7 + a + n * 5) % 24) as u8;
                    let what = if what > 21 && c > 20 { 8 } else { what };
                    let plan = Plan {
                        what,
                        a: b + n,
                        b: c + n,
                        c: a.saturating_sub(9),
                    };
                    let edit = self.edit(&scratch, plan);
                    let _ = edit::apply(&mut scratch, &edit);
                    edits.push(edit);
                }
                Edit::Batch { edits }
            }
        }
    }

    /// Returns the document that some plans lead to.
    pub(crate) fn document(&mut self, plans: &[Plan]) -> Document {
        let mut document = Document::new("webhook");
        for plan in plans {
            let edit = self.edit(&document, *plan);
            let _ = edit::apply(&mut document, &edit);
        }
        document
    }
}

/// Returns documents that no edit makes: lists name steps twice, not at all, or in a ring; ids and
/// slugs are not unique.
pub(crate) fn broken() -> impl Strategy<Value = Document> {
    let list = || prop::collection::vec(0..8_u128, 0..5);
    let step = (
        0..8_u128,
        prop::bool::weighted(0.1),
        0..6_u16,
        prop::collection::vec(list(), 0..3),
    );
    (list(), prop::collection::vec(step, 0..7)).prop_map(|(flow, steps)| {
        let ids = |list: Vec<u128>| {
            list.into_iter()
                .map(|n| StepId::new(Uuid::from_u128(n)))
                .collect()
        };
        let mut document = Document::new("webhook");
        document.flow = ids(flow);
        let mut maker = Maker { made: 100 };
        for (n, (id, elsewhere, slug_of, lists)) in steps.into_iter().enumerate() {
            let mut step = maker.step(n as u16, slug_of);
            step.kind = if slug_of % 2 == 0 { "loop" } else { "branch" }.to_owned();
            let lanes = lists.into_iter().enumerate().map(|(number, list)| Lane {
                id: LaneId::new(Uuid::from_u128(if slug_of == 5 {
                    1
                } else {
                    number as u128
                })),
                name: "Lane".to_owned(),
                when: None,
                steps: ids(list),
            });
            step.lanes = lanes.collect();
            step.id = StepId::new(Uuid::from_u128(if elsewhere { id + 1 } else { id }));
            document
                .steps
                .insert(StepId::new(Uuid::from_u128(id)), step);
        }
        document
    })
}
