//! Templates of integrations: what a new one can start from. Each is whole, does something that
//! companies need, and runs as it is against the services of the demo.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::document::{ErrorPolicy, ListRef, OnError, Place};
use crate::edit::{self, Edit, new_step};
use crate::{Document, LaneId, StepId, catalog, slug};

/// Where the templates call when nothing else is known: an address that nobody has.
pub const NOWHERE: &str = "https://api.example.com";

/// A template.
#[derive(Debug)]
pub struct Starter {
    /// Its name in addresses.
    pub key: &'static str,
    /// What an integration made from it is called first.
    pub name: &'static str,
    /// What it does, in a sentence.
    pub description: &'static str,
    /// Key of its trigger in the catalog.
    pub trigger: &'static str,
    make: fn(&mut Maker<'_>),
}

/// Returns all templates.
pub const fn all() -> &'static [Starter] {
    &[
        Starter {
            key: "order-intake",
            name: "Order intake",
            description: "Takes an order by webhook, checks that it is complete, passes it on, and answers with its number or with what is missing.",
            trigger: "webhook",
            make: order_intake,
        },
        Starter {
            key: "daily-report",
            name: "Daily stock report",
            description: "Reads the stock every weekday morning, and opens a ticket with what runs low.",
            trigger: "schedule",
            make: daily_report,
        },
        Starter {
            key: "fan-out",
            name: "One call for each line",
            description: "Goes through a list that came in, calls once for each item, tries failed calls again, and goes on when one keeps failing.",
            trigger: "webhook",
            make: fan_out,
        },
        Starter {
            key: "relay",
            name: "Relay with a filter",
            description: "Passes on the events that matter, in another form, and drops all others.",
            trigger: "webhook",
            make: relay,
        },
        Starter {
            key: "form-to-ticket",
            name: "Form to ticket",
            description: "Tidies up what someone typed into a form, opens a ticket, and answers with its number.",
            trigger: "webhook",
            make: form_to_ticket,
        },
        Starter {
            key: "nightly-sync",
            name: "Nightly sync of two systems",
            description: "Reads all articles from one system at night, and tells another one which can be sold and which cannot.",
            trigger: "schedule",
            make: nightly_sync,
        },
        Starter {
            key: "reminder",
            name: "Reminder of open approvals",
            description: "Started by hand or by a call: looks for approvals that wait, and reminds of them if there are any.",
            trigger: "manual",
            make: reminder,
        },
    ]
}

impl Starter {
    /// Returns the template with that key.
    pub fn by_key(key: &str) -> Option<&'static Self> {
        all().iter().find(|starter| starter.key == key)
    }

    /// Makes the document; its requests go to `base`, an address without `/` at the end.
    ///
    /// `id` gives an id that nothing else has.
    pub fn document(&self, base: &str, id: &mut dyn FnMut() -> Uuid) -> Document {
        let mut maker = Maker {
            document: Document::new(self.trigger),
            base,
            id,
        };
        (self.make)(&mut maker);
        maker.document
    }
}

/// Builds a document step by step.
struct Maker<'a> {
    document: Document,
    base: &'a str,
    id: &'a mut dyn FnMut() -> Uuid,
}

impl Maker<'_> {
    fn apply(&mut self, edit: &Edit) {
        edit::apply(&mut self.document, edit).expect("a template fits together");
    }

    fn trigger(&mut self, field: &str, value: &str) {
        self.apply(&Edit::SetTriggerField {
            field: field.to_owned(),
            value: Some(value.into()),
        });
    }

    /// Adds a step at the end of a list; returns the lists of its lanes.
    fn add(&mut self, list: ListRef, kind: &str, name: &str, config: Value) -> Vec<ListRef> {
        let action = catalog::action(kind).expect("the catalog has it");
        let own = StepId::new((self.id)());
        let ids = &mut self.id;
        let mut step = new_step(action, own, name, slug::of(name), || LaneId::new(ids()));
        if let Value::Object(fields) = config {
            step.config.extend(fields);
        }
        let lanes = step.lanes.iter();
        let lanes = lanes.map(|lane| ListRef::Lane(own, lane.id)).collect();
        let index = self.document.list(list).map_or(0, Vec::len);
        self.apply(&Edit::Insert {
            steps: vec![step],
            at: Place { list, index },
        });
        lanes
    }

    /// Adds a branch of two lanes.
    fn branch(&mut self, name: &str, (yes, when): (&str, &str), no: &str) -> [ListRef; 2] {
        let lanes = self.add(ListRef::Flow, "branch", name, json!({}));
        for (list, (name, when)) in lanes.iter().zip([(yes, Some(when)), (no, None)]) {
            if let ListRef::Lane(step, lane) = *list {
                self.apply(&Edit::SetLane {
                    step,
                    lane,
                    name: name.to_owned(),
                    when: when.map(str::to_owned),
                });
            }
        }
        [lanes[0], lanes[1]]
    }

    fn get(&mut self, list: ListRef, name: &str, path: &str) {
        let url = format!("{}/{path}", self.base);
        self.add(
            list,
            "http.request",
            name,
            json!({ "method": "GET", "url": url }),
        );
    }

    fn post(&mut self, list: ListRef, name: &str, path: &str, body: &str) {
        let url = format!("{}/{path}", self.base);
        let config = json!({ "method": "POST", "url": url, "body_type": "json", "json": body });
        self.add(list, "http.request", name, config);
    }

    fn respond(&mut self, list: ListRef, name: &str, status: u16, body: &str) {
        let config = json!({ "status": status, "body_type": "json", "json": body });
        self.add(list, "respond", name, config);
    }

    fn log(&mut self, list: ListRef, name: &str, message: &str) {
        self.add(
            list,
            "log",
            name,
            json!({ "level": "info", "message": message }),
        );
    }
}

fn order_intake(maker: &mut Maker<'_>) {
    let complete = "trigger.body.id is defined and trigger.body.customer is defined and trigger.body.lines is defined";
    let [yes, no] = maker.branch(
        "Is it complete",
        ("Complete", complete),
        "Something is missing",
    );
    maker.post(
        yes,
        "Pass the order on",
        "orders",
        r#"{"order": {{ trigger.body.id }}, "customer": {{ trigger.body.customer }}, "lines": {{ trigger.body.lines }}}"#,
    );
    maker.respond(
        yes,
        "Confirm",
        201,
        r#"{"order": {{ trigger.body.id }}, "number": {{ steps.pass_the_order_on.body.number }}}"#,
    );
    maker.respond(
        no,
        "Say what is missing",
        422,
        r#"{"error": "An order has an id, a customer and lines."}"#,
    );
}

fn daily_report(maker: &mut Maker<'_>) {
    maker.trigger("cron", "0 7 * * 1-5");
    let list = ListRef::Flow;
    maker.get(list, "Read the stock", "stock");
    maker.add(list, "set", "What runs low", json!({ "values": {
        "articles": r#"{{ steps.read_the_stock.body["items"] | selectattr("count", "lt", 10) | map(attribute="name") | list }}"#,
    } }));
    maker.post(
        list,
        "Open a ticket",
        "tickets",
        r#"{"subject": "Stock of {{ run.started_at }}", "text": "{{ steps.what_runs_low.articles | length }} articles run low: {{ steps.what_runs_low.articles | join(", ") }}"}"#,
    );
}

fn fan_out(maker: &mut Maker<'_>) {
    let items = "{{ trigger.body.lines | default([]) }}";
    let lanes = maker.add(
        ListRef::Flow,
        "loop",
        "Each line",
        json!({ "items": items }),
    );
    maker.post(
        lanes[0],
        "Tell the warehouse",
        "shipments",
        r#"{"line": {{ item }}, "place": {{ index + 1 }}}"#,
    );
    let call = maker.document.step_by_slug("tell_the_warehouse");
    let call = call.map(|step| step.id).expect("it was just added");
    maker.apply(&Edit::SetErrorPolicy {
        step: call,
        policy: ErrorPolicy {
            retries: 2,
            then: OnError::Continue,
        },
    });
    maker.log(
        ListRef::Flow,
        "Done",
        "{{ steps.each_line.count }} lines were passed on.",
    );
}

fn relay(maker: &mut Maker<'_>) {
    let list = ListRef::Flow;
    let condition = r#"trigger.body.type is defined and trigger.body.type in ["order.created", "order.changed"]"#;
    maker.add(
        list,
        "filter",
        "Only what matters",
        json!({ "condition": condition }),
    );
    maker.post(
        list,
        "Pass it on",
        "shop",
        r#"{"source": "relay", "kind": {{ trigger.body.type | replace("order.", "") }}, "data": {{ trigger.body.data | default(none) }}}"#,
    );
}

fn form_to_ticket(maker: &mut Maker<'_>) {
    let list = ListRef::Flow;
    maker.add(
        list,
        "set",
        "Tidy up",
        json!({ "values": {
        "email": r#"{{ trigger.body.email | default("unknown") | trim | lower }}"#,
        "topic": r#"{{ trigger.body.topic | default("No topic") | trim }}"#,
        "message": r#"{{ trigger.body.message | default("") | trim }}"#,
    } }),
    );
    maker.post(
        list,
        "Open a ticket",
        "tickets",
        r#"{"from": {{ steps.tidy_up.email }}, "subject": "Form: {{ steps.tidy_up.topic }}", "text": {{ steps.tidy_up.message }}}"#,
    );
    maker.respond(
        list,
        "Answer",
        200,
        r#"{"ticket": {{ steps.open_a_ticket.body.id }}, "thanks": true}"#,
    );
}

fn nightly_sync(maker: &mut Maker<'_>) {
    maker.trigger("cron", "30 2 * * *");
    let list = ListRef::Flow;
    maker.get(list, "Read all articles", "stock");
    let items = r#"{{ steps.read_all_articles.body["items"] }}"#;
    let lanes = maker.add(list, "loop", "Each article", json!({ "items": items }));
    maker.post(
        lanes[0],
        "Tell the shop",
        "shop",
        r#"{"sku": {{ item.sku }}, "count": {{ item.count }}, "for_sale": {{ item.count > 0 }}}"#,
    );
    maker.log(
        list,
        "Done",
        "The shop knows of {{ steps.each_article.count }} articles.",
    );
}

fn reminder(maker: &mut Maker<'_>) {
    maker.get(ListRef::Flow, "Read open approvals", "approvals");
    let any = r#"steps.read_open_approvals.body["items"] | length > 0"#;
    let [yes, no] = maker.branch("Are there any", ("Some wait", any), "None waits");
    maker.post(
        yes,
        "Remind",
        "tickets",
        r#"{"subject": "Approvals", "text": "{{ steps.read_open_approvals.body["items"] | length }} approvals wait."}"#,
    );
    maker.log(no, "Nothing to do", "No approval waits.");
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::validate::Checked;

    #[test]
    fn every_template_can_be_published_as_it_is() {
        let mut keys = BTreeSet::new();
        for starter in all() {
            assert!(keys.insert(starter.key), "{} is there twice", starter.key);
            let mut made = 0;
            let mut id = || {
                made += 1;
                Uuid::from_u128(made)
            };
            let document = starter.document(NOWHERE, &mut id);
            let checked = Checked::of(&document);
            let problems: Vec<_> = checked.problems().collect();
            assert!(problems.is_empty(), "{}: {problems:?}", starter.key);
            assert!(catalog::trigger(starter.trigger).is_some());
            assert_eq!(
                Starter::by_key(starter.key).map(|it| it.key),
                Some(starter.key)
            );
        }
        assert!(keys.len() >= 6);
    }
}
