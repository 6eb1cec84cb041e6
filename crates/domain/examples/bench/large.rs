//! A large document without problems: nested lists, and in every third step every field is an
//! expression; the others hold literals.

use domain::catalog::{self, Action, Container};
use domain::document::{ListRef, OnError, Place, Step};
use domain::edit::{self, Edit, new_step};
use domain::schema::{FieldKind, Format};
use domain::{Document, LaneId, StepId};
use serde_json::{Map, Value, json};

/// Kinds of steps in the order in which they come; every seventh is a container while it may be.
const KINDS: [&str; 6] = ["http.request", "set", "log", "respond", "filter", "delay"];

struct Maker {
    document: Document,
    ids: u128,
    draws: u64,
}

/// Returns a document with so many steps in lists nested so deeply, and edits of many kinds.
pub(crate) fn document(steps: usize, levels: usize) -> (Document, Vec<Value>) {
    let mut maker = Maker {
        document: Document::new("webhook"),
        ids: 0,
        draws: 7,
    };
    let mut lists = vec![(ListRef::Flow, 0)];
    let mut turn = 0;
    while maker.document.steps.len() < steps {
        let (list, level) = lists[turn % lists.len()];
        let number = maker.document.steps.len();
        let holds = number % 7 == 3 && level + 1 < levels;
        let kind = match number / 7 % 2 {
            0 if holds => "branch",
            _ if holds => "loop",
            _ => KINDS[number % KINDS.len()],
        };
        let id = maker.add(kind, list);
        for lane in &maker.document.steps[&id].lanes {
            lists.push((ListRef::Lane(id, lane.id), level + 1));
        }
        turn += 1;
    }
    let deepest = maker
        .document
        .walk()
        .into_iter()
        .map(|(depth, _)| depth + 1)
        .max();
    assert_eq!(
        deepest,
        Some(levels),
        "the document is as deep as it should be"
    );
    let edits = maker.edits();
    (maker.document, edits)
}

/// Returns a large document, and what it is after one edit for every ten of its steps: a fifth of
/// them each adds and deletes a step, a fifth moves one, and the others change a field.
pub(crate) fn edited_pair(steps: usize, levels: usize) -> (Document, Document) {
    let (before, _) = document(steps, levels);
    let mut maker = Maker {
        ids: 1 << 40,
        draws: 11,
        document: before.clone(),
    };
    let leaves: Vec<StepId> = before
        .steps
        .values()
        .filter(|step| step.lanes.is_empty())
        .map(|step| step.id)
        .collect();
    let log = catalog::action("log").expect("it is in the catalog");
    for number in 0..steps / 10 {
        let step = leaves[number * leaves.len() / (steps / 10)];
        let at = maker.document.place(step).expect("it was not deleted yet");
        let edit = match number % 5 {
            0 => {
                let mut new = maker.make(log);
                (new.name, new.slug) = (format!("New {number}"), format!("new_{number}"));
                let steps = vec![new];
                Edit::Insert { steps, at }
            }
            1 => Edit::Delete { step },
            2 => {
                let length = maker.document.list(at.list).map_or(0, Vec::len);
                let to = if number % 2 == 0 && length > 1 {
                    Place {
                        list: at.list,
                        index: (at.index + length / 2) % length,
                    }
                } else {
                    Place {
                        list: ListRef::Flow,
                        index: maker.draw(maker.document.flow.len()),
                    }
                };
                Edit::Move { step, to }
            }
            _ => {
                let kind = &maker.document.steps[&step].kind;
                let kind = catalog::action(kind).expect("it is in the catalog");
                let field = kind
                    .input
                    .fields
                    .last()
                    .expect("every kind of leaf has a field");
                let value = Some(maker.expression(step, &field.kind));
                Edit::SetField {
                    step,
                    field: field.name.clone(),
                    value,
                }
            }
        };
        maker.apply(&edit);
    }
    (before, maker.document)
}

impl Maker {
    fn uuid<T: std::str::FromStr>(&mut self) -> T {
        self.ids += 1;
        let text = format!("01980000-0000-7000-8000-{:012x}", self.ids);
        text.parse().ok().expect("it is a UUID")
    }

    /// Returns a number below `below`, the same ones on every run.
    fn draw(&mut self, below: usize) -> usize {
        self.draws = self
            .draws
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.draws >> 33).expect("31 bits") % below
    }

    fn make(&mut self, kind: &Action) -> Step {
        let id: StepId = self.uuid();
        let number = self.document.steps.len();
        let name = format!("{} {number}", kind.title);
        let lanes: [LaneId; 2] = [self.uuid(), self.uuid()];
        let mut lanes = lanes.into_iter();
        let slug = domain::slug::of(&name);
        new_step(kind, id, &name, slug, || {
            lanes.next().expect("two are enough")
        })
    }

    fn add(&mut self, kind: &str, list: ListRef) -> StepId {
        let kind = catalog::action(kind).expect("it is in the catalog");
        let mut step = self.make(kind);
        let index = self.document.list(list).map_or(0, Vec::len);
        let at = Place { list, index };
        // Put in first, so that what it can see is known.
        let id = step.id;
        self.apply(&Edit::Insert {
            steps: vec![step.clone()],
            at,
        });
        let all = self.document.steps.len() % 3 == 1;
        for field in &kind.input.fields {
            if let Some((other, values)) = &field.show_when
                && step.config.get(other) != values.first().map(|value| json!(value)).as_ref()
            {
                continue;
            }
            if matches!(field.kind, FieldKind::Connection | FieldKind::Integration) {
                // There is none where the document will be.
                continue;
            }
            if field.name == "body_type" {
                // Not an expression: it decides which of the other fields are there.
                step.config.insert(field.name.clone(), json!("json"));
            } else if all || field.required && field.default.is_none() {
                let value = if all {
                    self.expression(id, &field.kind)
                } else {
                    literal(&field.kind)
                };
                step.config.insert(field.name.clone(), value);
            }
        }
        for lane in step
            .lanes
            .iter_mut()
            .filter(|_| kind.container == Some(Container::Branch))
        {
            lane.when = lane
                .when
                .is_some()
                .then(|| format!("{} == 200 or trigger.body.total > 100", self.value(id)));
        }
        self.apply(&Edit::Restore { steps: vec![step] });
        id
    }

    fn apply(&mut self, edit: &Edit) {
        edit::apply(&mut self.document, edit).expect("the bench makes edits that fit");
    }

    /// Returns a reference to something that the step can see.
    fn value(&mut self, id: StepId) -> String {
        let visible: Vec<(String, String)> = self
            .document
            .visible_from(id)
            .into_iter()
            .map(|step| (step.slug.clone(), step.kind.clone()))
            .collect();
        if visible.is_empty() || self.draw(4) == 0 {
            return "trigger.body.order.id".to_owned();
        }
        let (slug, kind) = &visible[self.draw(visible.len())];
        let name = match kind.as_str() {
            "http.request" => "body.data.id",
            "set" | "branch" => return format!("steps.{slug}"),
            "log" => "message",
            "respond" => "status",
            "filter" => "passed",
            "delay" => "waited_ms",
            _ => "index",
        };
        // Inside a loop its round is visible, outside its output; not told apart here.
        if name == "index" {
            format!("steps.{slug}")
        } else {
            format!("steps.{slug}.{name}")
        }
    }

    fn expression(&mut self, id: StepId, kind: &FieldKind) -> Value {
        let (a, b) = (self.value(id), self.value(id));
        let text = |text: String| Value::String(text);
        match kind {
            FieldKind::Text {
                format: Some(Format::Uri),
                ..
            } => text(format!(
                "https://api.example.com/orders/{{{{ {a} }}}}?q={{{{ {b} | trim }}}}"
            )),
            FieldKind::Text {
                format: Some(_), ..
            } => text(format!("{{{{ {a} | default('2xx') }}}}")),
            FieldKind::Text { .. } => text(format!(
                "Order {{{{ {a} }}}} of {{{{ trigger.body.email | lower }}}}: {{{{ {b} }}}}"
            )),
            FieldKind::Number { .. } => text(format!("{{{{ {a} | int + 1 }}}}")),
            FieldKind::Choice(_) => text(format!("{{{{ \"POST\" if {a} else \"PUT\" }}}}")),
            FieldKind::Condition => text(format!("{a} == 200 and trigger.body.total > 100")),
            FieldKind::List => text(format!("{{{{ {a} | default([]) | list }}}}")),
            FieldKind::Code(_) => text("return { ...input, total: input.id * 2 };".to_owned()),
            FieldKind::Map { .. } => {
                json!({ "id": format!("{{{{ {a} }}}}"), "total": format!("{{{{ {b} ~ \"/\" ~ run.id }}}}") })
            }
            FieldKind::Connection | FieldKind::Integration => unreachable!("it is left out"),
            FieldKind::Json => {
                json!({ "id": format!("{{{{ {a} }}}}"), "lines": [{ "sku": format!("{{{{ {b} }}}}") }], "test": "{{ run.test }}" })
            }
        }
    }

    /// Returns edits such as a person makes, each of which applies to the document as it is.
    fn edits(&mut self) -> Vec<Value> {
        let document = self.document.clone();
        let in_use = |slug: &str| {
            document
                .canonical()
                .matches(&format!("steps.{slug}."))
                .count()
        };
        let nth = |kind: &str, n: usize| {
            let of_kind: Vec<&Step> = document
                .walk()
                .into_iter()
                .map(|(_, step)| step)
                .filter(|s| s.kind == kind)
                .collect();
            of_kind[n * of_kind.len() / 10].clone()
        };
        let (request, set, log) = (nth("http.request", 5), nth("set", 3), nth("log", 7));
        let used = (1..9)
            .map(|n| nth("http.request", n))
            .max_by_key(|step| in_use(&step.slug))
            .expect("there are some");
        let unused = document
            .steps
            .values()
            .rev()
            .find(|step| step.kind == "log" && in_use(&step.slug) == 0)
            .expect("there is one");
        let branch = nth("branch", 4);
        let new = self.make(catalog::action("log").expect("it is in the catalog"));
        let filled = {
            let mut step = new;
            step.config
                .insert("message".into(), json!("{{ trigger.body.id }}"));
            step
        };
        let place = document.place(log.id).expect("it has one");
        let end = Place {
            list: place.list,
            index: document.list(place.list).map_or(0, Vec::len) - 1,
        };
        let set_field = |step: &Step, field: &str, value: Value| Edit::SetField {
            step: step.id,
            field: field.to_owned(),
            value: Some(value),
        };
        let policy = domain::document::ErrorPolicy {
            retries: 2,
            then: OnError::Continue,
        };
        let mut values = set
            .config
            .get("values")
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_else(Map::new);
        values.insert("more".to_owned(), json!("{{ trigger.body.more }}"));
        let edits = [
            set_field(
                &request,
                "url",
                json!("https://api.example.com/{{ trigger.body.id }}"),
            ),
            set_field(&set, "values", Value::Object(values)),
            Edit::Rename {
                step: used.id,
                name: "Renamed".to_owned(),
                slug: "renamed".to_owned(),
            },
            Edit::Insert {
                steps: vec![filled],
                at: place,
            },
            Edit::Delete { step: unused.id },
            Edit::Move {
                step: unused.id,
                to: end,
            },
            Edit::SetErrorPolicy {
                step: used.id,
                policy,
            },
            Edit::SetLane {
                step: branch.id,
                lane: branch.lanes[0].id,
                name: "Large".to_owned(),
                when: Some("trigger.body.total > 1".to_owned()),
            },
        ];
        edits
            .iter()
            .map(|edit| serde_json::to_value(edit).expect("an edit is JSON"))
            .collect()
    }
}

fn literal(kind: &FieldKind) -> Value {
    match kind {
        FieldKind::Text {
            format: Some(Format::Uri),
            ..
        } => json!("https://api.example.com/orders"),
        FieldKind::Condition => json!(true),
        FieldKind::List => json!([1, 2, 3]),
        FieldKind::Map { .. } => json!({ "total": 1, "name": "literal" }),
        _ => json!("a literal text"),
    }
}
