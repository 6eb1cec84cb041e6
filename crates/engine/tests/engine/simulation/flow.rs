//! Documents made by chance, of every kind of step.

use domain::{ConnectionId, Document};
use serde_json::{Value, json};
use uuid::Uuid;

use super::chance::Chance;
use crate::stage::{declared, document};

/// The connection of steps that send e-mails.
pub(super) const OFFICE: ConnectionId = ConnectionId(Uuid::from_u128(21));
/// The connection of steps that ask a database.
const DATABASE: ConnectionId = ConnectionId(Uuid::from_u128(22));

/// Returns a document with up to about a dozen steps.
pub(super) fn any(chance: &mut Chance, trigger: &str) -> Document {
    let mut steps = Steps { chance, made: 0 };
    let length = 2 + steps.chance.below(5);
    let mut document = document(steps.list(length, 0));
    document.trigger = Document::new(trigger).trigger;
    // A worker that hangs, or waits for an answer, counts as one that works. No time passes here
    // for the limit itself.
    document.settings.time_limit_seconds = 86_400;
    document
}

struct Steps<'c> {
    chance: &'c mut Chance,
    made: usize,
}

impl Steps<'_> {
    fn list(&mut self, length: usize, depth: usize) -> Value {
        (0..length).map(|_| self.step(depth)).collect()
    }

    fn step(&mut self, depth: usize) -> Value {
        self.made += 1;
        let slug = format!("s{}", self.made);
        let kind = if depth < 2 {
            self.chance.below(19)
        } else {
            self.chance.below(11)
        };
        let mut step = match kind {
            0..5 => self.request(&slug),
            5 => json!({"kind": "set", "values": {"a": "{{ trigger.body.n }}"}}),
            6 if self.chance.percent(25) => {
                json!({"kind": "csv.read", "text": "a,b\n{{ trigger.body.n }},2"})
            }
            6 if self.chance.percent(25) => {
                json!({"kind": "csv.write", "rows": [{"a": "{{ trigger.body.n }}"}]})
            }
            6 if self.chance.percent(20) => {
                json!({"kind": "xml.write", "value": {"a": "{{ trigger.body.n }}"}})
            }
            6 if self.chance.percent(20) => {
                json!({"kind": "json.read", "text": "[{{ trigger.body.n }}]"})
            }
            6 if self.chance.percent(40) => json!({
                "kind": "code.javascript", "code": "return Math.random();",
                "input": {"n": "{{ trigger.body.n }}"},
                "on_error": {"retries": self.chance.below(3), "then": "stop"},
            }),
            6 => json!({"kind": "log", "message": "n is {{ trigger.body.n }}"}),
            7 => json!({"kind": "filter", "condition": "trigger.body.n != 1"}),
            8 => json!({"kind": "delay", "amount": self.chance.below(3), "unit": "minutes"}),
            9 => json!({"kind": "delay", "amount": 1, "unit": "seconds"}),
            10 if self.chance.percent(30) => json!({"kind": "stop", "message": "That was it"}),
            10 => json!({"kind": "respond", "status": 200, "body_type": "none"}),
            11 => {
                let length = 1 + self.chance.below(2);
                let lanes = json!([
                    [
                        "Even",
                        "trigger.body.n is even",
                        self.list(length, depth + 1)
                    ],
                    ["Else", null, self.list(1, depth + 1)],
                ]);
                json!({"kind": "branch", "lanes": lanes})
            }
            12 if self.chance.percent(50) => {
                let lanes: Vec<Value> = (0..1 + self.chance.below(3))
                    .map(|lane| {
                        let length = self.chance.below(3);
                        json!([format!("Lane {lane}"), null, self.list(length, depth + 1)])
                    })
                    .collect();
                json!({"kind": "parallel", "lanes": lanes})
            }
            12..14 => {
                let (tried, rescue) = (1 + self.chance.below(3), self.chance.below(3));
                json!({
                    "kind": "try",
                    "try": self.list(tried, depth + 1),
                    "catch": self.list(rescue, depth + 1),
                })
            }
            16.. => self.call(),
            14..16 if self.chance.percent(40) => {
                // What calls first thing has its calls beside each other.
                let (call, more) = (self.call(), self.chance.below(2));
                let mut list = json!([call]);
                self.made += 1;
                list[0]["slug"] = format!("s{}", self.made).into();
                if let (Value::Array(list), Value::Array(more)) =
                    (&mut list, self.list(more, depth + 1))
                {
                    list.extend(more);
                }
                json!({
                    "kind": "loop", "items": "{{ trigger.body.items }}",
                    "at_once": *self.chance.one_of(&[2, 3]), "do": list,
                })
            }
            _ => {
                let length = 1 + self.chance.below(3);
                json!({
                    "kind": "loop", "items": "{{ trigger.body.items }}",
                    "at_once": *self.chance.one_of(&[1, 1, 2, 3]),
                    "do": self.list(length, depth + 1),
                })
            }
        };
        step["slug"] = slug.into();
        step
    }

    fn call(&mut self) -> Value {
        let wait = *self.chance.one_of(&["result", "result", "result", "start"]);
        json!({
            "kind": "integration.call", "integration": Uuid::from_u128(1), "wait": wait,
            "input": {"n": "{{ trigger.body.n }}", "items": "{{ trigger.body.items }}"},
            "on_error": {"retries": self.chance.below(2), "then": "stop"},
        })
    }

    fn request(&mut self, slug: &str) -> Value {
        let method = *self.chance.one_of(&["GET", "POST", "POST", "PUT"]);
        let then = *self.chance.one_of(&["stop", "stop", "continue"]);
        let no_answer = if self.chance.percent(20) {
            "repeat"
        } else {
            "doubt"
        };
        let on_error = json!({"retries": self.chance.below(4), "then": then});
        match self.chance.below(10) {
            0..2 => json!({
                "kind": "email.send", "connection": OFFICE, "to": "ada@example.com",
                "subject": slug, "text": "Hello", "no_answer": no_answer, "on_error": on_error,
            }),
            2..4 => json!({
                "kind": "postgres.query", "connection": DATABASE, "sql": "select 1",
                "access": *self.chance.one_of(&["read", "write"]), "no_answer": no_answer,
                "on_error": on_error,
            }),
            4..6 => json!({
                "kind": "connector", "no_answer": no_answer,
                "action": declared(method, "https://target.example", "/{item}"),
                "item": slug, "note": "{{ trigger.body.n }}", "on_error": on_error,
            }),
            6..8 => self.component(slug, &on_error),
            _ => json!({
                "kind": "http.request", "method": method, "no_answer": no_answer,
                "url": format!("http://target.example/{slug}"), "on_error": on_error,
            }),
        }
    }
    /// A step whose component asks for up to three requests, and says when in each; some have no
    /// other way to ask for the same again.
    fn component(&mut self, slug: &str, on_error: &Value) -> Value {
        let asks: Vec<&str> = (0..1 + self.chance.below(3))
            .map(|_| *self.chance.one_of(&["GET", "POST", "PUT", "PUT", "DELETE"]))
            .collect();
        let text = json!({"type": "string"});
        json!({
            "kind": "connector", "asks": asks.join(" "), "name": slug, "on_error": on_error,
            "changes": if self.chance.percent(20) { "yes" } else { "no" },
            "action": {
                "connector": "logic", "title": "Logic", "icon": "plug",
                "base": "https://target.example", "auth": ["bearer"],
                "component": {"sha256": "a".repeat(64), "hosts": ["https://target.example"]},
                "operation": {
                    "key": "do", "title": "Do", "run": "do", "anonymous": true,
                    "input": {"type": "object", "properties": {
                        "asks": text, "name": text, "changes": text,
                    }},
                },
            },
        })
    }
}
