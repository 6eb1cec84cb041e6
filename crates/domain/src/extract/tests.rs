use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::LaneId;
use crate::edit::{apply, new_step};
use crate::sample::{Maker, plans};
use crate::validate::Checked;

const CALL: u128 = 1 << 100;

fn id(number: u128) -> StepId {
    StepId::new(Uuid::from_u128(number))
}

fn called() -> IntegrationId {
    IntegrationId::new(Uuid::from_u128(7))
}

fn step(number: u128, kind: &str, name: &str, config: Value) -> Step {
    let action = catalog::action(kind).expect("the catalog has it");
    let mut lanes = number << 64;
    let lane = || {
        lanes += 1;
        LaneId::new(Uuid::from_u128(lanes))
    };
    let mut step = new_step(action, id(number), name, slug::of(name), lane);
    let fields: Map<String, Value> = serde_json::from_value(config).expect("an object");
    step.config.extend(fields);
    step
}

/// An order is fetched, its lines are added up and told, and an answer is given.
fn document() -> Document {
    let order = step(
        1,
        "http.request",
        "Order",
        json!({"url": "https://example.com/{{ trigger.body.id }}"}),
    );
    let mut each = step(
        2,
        "loop",
        "Each",
        json!({"items": "{{ steps.order.body.lines }}"}),
    );
    let line = step(
        3,
        "set",
        "Line",
        json!({"values": {
            "price": "{{ item.price * steps['order'].body.rate }}",
            "by": "{{ run.id }}",
        }}),
    );
    each.lanes[0].steps.push(line.id);
    let total = step(
        4,
        "set",
        "Total",
        json!({"values": {
            "all": "{{ steps.each.items | length }}",
            "of": "{{ trigger.body.customer.name }} {{ trigger.headers['x-from'] }}",
        }}),
    );
    let tell = step(
        5,
        "log",
        "Tell",
        json!({"message": "{{ steps.total.all }} of {{ steps.each.count }}: {{ steps.order.status }}"}),
    );
    let mut document = Document::new("webhook");
    document.flow = vec![order.id, each.id, total.id, tell.id];
    let all = [order, each, line, total, tell];
    document.steps = all.into_iter().map(|step| (step.id, step)).collect();
    document
}

fn config<'a>(document: &'a Document, slug: &str) -> &'a Map<String, Value> {
    &document.step_by_slug(slug).expect("it is there").config
}

#[test]
fn steps_become_an_integration_that_is_given_what_they_used_and_gives_what_is_used_of_them() {
    let mut document = document();
    let extraction = extract(&document, &[id(4), id(2)], || id(9)).expect("they stand together");
    let new = &extraction.document;
    assert_eq!(new.trigger.kind, call::TRIGGER);
    assert_eq!(new.flow, [id(2), id(4), id(9)]);
    assert_eq!(
        config(new, "each")["items"],
        "{{ trigger.body.order.body.lines }}"
    );
    // A loop that goes along keeps its items; the run of another integration is another one.
    let line = json!({"price": "{{ item.price * trigger.body.order.body.rate }}", "by": "{{ trigger.body.run.id }}"});
    assert_eq!(config(new, "line")["values"], line);
    let total = json!({
        "all": "{{ steps.each.items | length }}",
        "of": "{{ trigger.body.body.customer.name }} {{ trigger.body.headers['x-from'] }}",
    });
    assert_eq!(config(new, "total")["values"], total);
    let result = json!({"each": "{{ steps.each }}", "total": "{{ steps.total }}"});
    assert_eq!(config(new, "result")["values"], result);
    let expects = "order: what “Order” gives\nbody: trigger.body of the calling run\n\
        headers: trigger.headers of the calling run\nrun: run of the calling run";
    assert_eq!(new.trigger.config["expects"], expects);

    let edit = extraction
        .replacing(&document, called(), "Add up", id(CALL))
        .expect("nothing changed");
    apply(&mut document, &edit).expect("it fits");
    assert_eq!(document.flow, [id(1), id(CALL), id(5)]);
    let input = json!({
        "order": "{{ steps.order }}", "body": "{{ trigger.body }}",
        "headers": "{{ trigger.headers }}", "run": "{{ run }}",
    });
    let call = config(&document, "add_up");
    assert_eq!(call["input"], input);
    assert_eq!(call["integration"], called().to_string());
    assert_eq!(
        config(&document, "tell")["message"],
        "{{ steps.add_up.result.total.all }} of {{ steps.add_up.result.each.count }}: {{ steps.order.status }}"
    );
}

#[test]
fn where_only_the_last_step_is_used_its_output_is_the_result() {
    let mut document = document();
    let extraction = extract(&document, &[id(4)], || unreachable!("nothing is gathered"));
    let extraction = extraction.expect("it stands alone");
    assert_eq!(extraction.document.flow, [id(4)]);
    let edit = extraction
        .replacing(&document, called(), "Sum", id(CALL))
        .expect("nothing changed");
    apply(&mut document, &edit).expect("it fits");
    let message = "{{ steps.sum.result.all }} of {{ steps.each.count }}: {{ steps.order.status }}";
    assert_eq!(config(&document, "tell")["message"], message);
}

#[test]
fn in_a_loop_that_stays_the_item_is_given() {
    let mut document = document();
    let extraction = extract(&document, &[id(3)], || id(9)).expect("it stands alone");
    let line = json!({
        "price": "{{ trigger.body.item.price * trigger.body.order.body.rate }}",
        "by": "{{ trigger.body.run.id }}",
    });
    assert_eq!(config(&extraction.document, "line")["values"], line);
    let edit = extraction
        .replacing(&document, called(), "Line", id(CALL))
        .expect("nothing changed");
    apply(&mut document, &edit).expect("it fits");
    let input = json!({"order": "{{ steps.order }}", "item": "{{ item }}", "run": "{{ run }}"});
    assert_eq!(config(&document, "line")["input"], input);
}

#[test]
fn what_would_do_something_else_there_is_refused_in_words() {
    let mut document = document();
    let refused = |document: &Document, chosen: &[StepId]| {
        extract(document, chosen, || id(9)).expect_err("it is refused")
    };
    assert_eq!(refused(&document, &[]), Refusal::NoSteps);
    assert_eq!(refused(&document, &[id(99)]), Refusal::NoSteps);
    assert_eq!(refused(&document, &[id(1), id(4)]), Refusal::Apart);
    assert_eq!(refused(&document, &[id(1), id(3)]), Refusal::Apart);
    let others = [
        ("respond", json!({}), Refusal::Answers("Other".to_owned())),
        (
            "filter",
            json!({"condition": "trigger.body.id > 1"}),
            Refusal::Ends("Other".to_owned()),
        ),
        (
            "log",
            json!({"message": "{{ steps[trigger.body.id] }}"}),
            Refusal::Everything("Other".to_owned()),
        ),
    ];
    for (kind, config, expected) in others {
        let other = step(6, kind, "Other", config);
        document.flow.retain(|step| *step != id(6));
        document.flow.push(id(6));
        document.steps.insert(id(6), other);
        assert_eq!(refused(&document, &[id(5), id(6)]), expected);
    }
    // Inside a loop that goes along, a filter ends one item only.
    let filter = step(6, "filter", "Other", json!({"condition": "item.price > 1"}));
    document.flow.pop();
    document.steps.insert(id(6), filter);
    let each = document.steps.get_mut(&id(2)).expect("it is there");
    each.lanes[0].steps.push(id(6));
    assert!(extract(&document, &[id(2)], || id(9)).is_ok());
    assert_eq!(
        refused(&document, &[id(6)]),
        Refusal::Ends("Other".to_owned())
    );
}

proptest! {
    #[test]
    fn both_documents_are_sound_where_the_one_was(plans in plans(30), pick in 0..64_usize, count in 1..5_usize) {
        let document = Maker::default().document(&plans);
        let Some(first) = document.steps.keys().nth(pick % document.steps.len().max(1)).copied() else {
            return Ok(());
        };
        let at = document.place(first).expect("every step is somewhere");
        let list = document.list(at.list).expect("it is in a list");
        let chosen: Vec<StepId> = list.iter().skip(at.index).take(count).copied().collect();
        let Ok(extraction) = extract(&document, &chosen, || id(CALL + 1)) else {
            return Ok(());
        };
        let own: BTreeSet<String> = extraction.document.steps.values().map(|step| step.slug.clone()).collect();
        for step in extraction.document.steps.values() {
            look(step, &|names| if let ["steps", slug, ..] = names {
                assert!(own.contains(*slug), "{slug} stayed behind");
            });
        }
        let mut rest = document.clone();
        let edit = extraction.replacing(&document, called(), "The call", id(CALL)).expect("nothing changed");
        let change = apply(&mut rest, &edit).expect("it fits");
        prop_assert_eq!(rest.steps.len() + extraction.document.steps.len(),
            document.steps.len() + 1 + usize::from(extraction.result == Outcome::BySlug));
        if Checked::of(&document).is_sound() {
            prop_assert!(Checked::of(&rest).is_sound());
            prop_assert!(Checked::of(&extraction.document).is_sound());
        }
        prop_assert_eq!(extraction.replacing(&rest, called(), "Again", id(CALL + 2)), None);
        apply(&mut rest, &change.inverse).expect("it can be taken back");
        prop_assert_eq!(rest, document);
    }
}
