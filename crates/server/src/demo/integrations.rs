//! The three integrations of the demo, as edits on an empty document.

use domain::document::{ListRef, Place};
use domain::edit::{Edit, new_step};
use domain::{LaneId, StepId, catalog, slug};
use serde_json::{Value, json};
use uuid::Uuid;

/// How one integration of the demo is made.
pub(super) struct Recipe {
    /// What it is called.
    pub(super) name: &'static str,
    /// Key of its trigger.
    pub(super) trigger: &'static str,
    /// What makes its first version from an empty document.
    pub(super) edits: Vec<Edit>,
    /// A draft that is open beside the live version: its title and edits.
    pub(super) next: Option<(&'static str, Vec<Edit>)>,
    /// What its webhook is called with for the first runs.
    pub(super) examples: Vec<Value>,
}

/// Returns the demo's integrations, which call the services at `base`.
pub(super) fn all(base: &str) -> [Recipe; 3] {
    [orders(base), stock(base), contact(base)]
}

fn orders(base: &str) -> Recipe {
    let mut flow = Flow::default();
    let list = ListRef::Flow;
    flow.add(
        list,
        "set",
        "Order",
        json!({ "values": {
        "id": "{{ trigger.body.id }}",
        "customer": "{{ trigger.body.customer.name }}",
        "total": "{{ trigger.body.total }}",
    } }),
    );
    let (branch, lanes) = flow.add(list, "branch", "By total", json!({}));
    flow.lane(
        branch,
        lanes[0],
        "Large order",
        Some("steps.order.total >= 500"),
    );
    flow.lane(branch, lanes[1], "Normal order", None);
    flow.add(ListRef::Lane(branch, lanes[0]), "http.request", "Ask for approval", post(
        base,
        "approvals",
        r#"{"order": {{ steps.order.id }}, "total": {{ steps.order.total }}, "reason": "Total of 500 or more"}"#,
    ));
    flow.add(
        ListRef::Lane(branch, lanes[1]),
        "log",
        "No approval needed",
        json!({
            "level": "info",
            "message": "Order {{ steps.order.id }} is below 500",
        }),
    );
    flow.add(list, "http.request", "Create shipment", post(
        base,
        "shipments",
        r#"{"order": {{ steps.order.id }}, "to": {{ steps.order.customer }}, "lines": {{ trigger.body.lines }}}"#,
    ));
    let (respond, _) = flow.add(list, "respond", "Answer the shop", json!({
        "status": 201,
        "body_type": "json",
        "json": r#"{"order": {{ steps.order.id }}, "shipment": {{ steps.create_shipment.body.id }}}"#,
    }));
    let next = vec![
        Edit::SetField {
            step: respond,
            field: "json".to_owned(),
            value: Some(json!(
                r#"{"order": {{ steps.order.id }}, "shipment": {{ steps.create_shipment.body.id }}, "needs_approval": {{ steps.order.total >= 500 }}}"#
            )),
        },
        Edit::SetNotes {
            step: respond,
            notes: "The shop wants to tell its customer when somebody has to approve.".to_owned(),
        },
    ];
    let order = |id: &str, name: &str, total: u32, sku: &str| json!({ "id": id, "customer": { "name": name }, "total": total, "lines": [{ "sku": sku, "count": 1 }] });
    Recipe {
        name: "Orders to warehouse",
        trigger: "webhook",
        edits: flow.0,
        next: Some(("Tell the shop about approvals", next)),
        examples: vec![
            order("D-1001", "Demo Customer One", 120, "LAMP-1"),
            order("D-1002", "Demo Customer Two", 890, "CHAIR-2"),
            // Without a customer, as shops do send: this run fails, and says at which step and why.
            json!({ "id": "D-1003", "total": 35, "lines": [] }),
            order("D-1004", "Demo Customer One", 540, "CHAIR-2"),
        ],
    }
}

fn stock(base: &str) -> Recipe {
    let mut flow = Flow::default();
    let list = ListRef::Flow;
    flow.0.push(Edit::SetTriggerField {
        field: "cron".to_owned(),
        value: Some(json!("15 2 * * *")),
    });
    let zone = Some(json!("Europe/Berlin"));
    flow.0.push(Edit::SetTriggerField {
        field: "time_zone".to_owned(),
        value: zone,
    });
    flow.add(
        list,
        "http.request",
        "Read stock",
        json!({ "method": "GET", "url": format!("{base}/stock") }),
    );
    let (each, lanes) = flow.add(
        list,
        "loop",
        "Each article",
        json!({ "items": "{{ steps.read_stock.body.items }}" }),
    );
    flow.add(ListRef::Lane(each, lanes[0]), "http.request", "Update the shop", post(
        base,
        "shop",
        r#"{"sku": {{ item.sku }}, "available": {{ item.count > 0 }}, "count": {{ item.count }}}"#,
    ));
    flow.add(list, "log", "Done", json!({
        "level": "info",
        "message": "{{ steps.each_article.count }} articles are in the shop as they are in the warehouse",
    }));
    Recipe {
        name: "Nightly stock sync",
        trigger: "schedule",
        edits: flow.0,
        next: None,
        examples: Vec::new(),
    }
}

fn contact(base: &str) -> Recipe {
    let mut flow = Flow::default();
    let list = ListRef::Flow;
    flow.add(
        list,
        "filter",
        "Only real messages",
        json!({
            "condition": "trigger.body.message and \"@\" in trigger.body.email",
        }),
    );
    let ticket = r#"{"from": "{{ trigger.body.email | lower }}", "subject": "Contact form: {{ trigger.body.topic }}", "text": {{ trigger.body.message }}}"#;
    flow.add(
        list,
        "http.request",
        "Open ticket",
        post(base, "tickets", ticket),
    );
    flow.add(
        list,
        "log",
        "Note the number",
        json!({
            "level": "info",
            "message": "Opened {{ steps.open_ticket.body.id }} for {{ trigger.body.email }}",
        }),
    );
    let message = |email: &str, topic: &str, message: &str| json!({ "email": email, "topic": topic, "message": message });
    Recipe {
        name: "Contact form to ticket",
        trigger: "webhook",
        edits: flow.0,
        next: None,
        examples: vec![
            message(
                "One@Demo.example",
                "Delivery",
                "When does my desk lamp arrive?",
            ),
            message("not an address", "Buy now", ""),
            message(
                "two@demo.example",
                "Invoice",
                "Please send the invoice again.",
            ),
        ],
    }
}

fn post(base: &str, list: &str, body: &str) -> Value {
    json!({ "method": "POST", "url": format!("{base}/{list}"), "body_type": "json", "json": body })
}

/// Collects the edits that build a flow, step by step.
#[derive(Default)]
struct Flow(Vec<Edit>);

impl Flow {
    /// Adds a step at the end of a list; returns its id and those of its lanes.
    fn add(
        &mut self,
        list: ListRef,
        kind: &str,
        name: &str,
        config: Value,
    ) -> (StepId, Vec<LaneId>) {
        let action = catalog::action(kind).expect("the catalog has it");
        let lane = || LaneId(Uuid::now_v7());
        let mut step = new_step(action, StepId(Uuid::now_v7()), name, slug::of(name), lane);
        if let Value::Object(fields) = config {
            step.config.extend(fields);
        }
        let ids = (step.id, step.lanes.iter().map(|lane| lane.id).collect());
        let index = self.length(list);
        self.0.push(Edit::Insert {
            steps: vec![step],
            at: Place { list, index },
        });
        ids
    }

    fn lane(&mut self, step: StepId, lane: LaneId, name: &str, when: Option<&str>) {
        let (name, when) = (name.to_owned(), when.map(str::to_owned));
        self.0.push(Edit::SetLane {
            step,
            lane,
            name,
            when,
        });
    }

    fn length(&self, list: ListRef) -> usize {
        let inserted = |edit: &&Edit| matches!(edit, Edit::Insert { at, .. } if at.list == list);
        self.0.iter().filter(inserted).count()
    }
}

#[cfg(test)]
mod tests {
    use domain::Document;
    use domain::draft::edited;
    use domain::validate::Checked;

    use super::all;

    #[test]
    fn every_demo_integration_can_be_published() {
        for recipe in all("http://127.0.0.1:1") {
            let mut document = Document::new(recipe.trigger);
            let next = recipe.next.map(|(_, edits)| edits).unwrap_or_default();
            for edits in [recipe.edits, next] {
                document = edited(&document, &edits).expect("the edits fit");
                let checked = Checked::of(&document);
                let problems: Vec<_> = checked.problems().collect();
                assert!(problems.is_empty(), "{}: {problems:?}", recipe.name);
            }
        }
    }
}
