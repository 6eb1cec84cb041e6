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
    document.settings.time_limit_seconds = 60;
    let extraction = extract(&document, &[id(4), id(2)], || id(9)).expect("they stand together");
    let new = &extraction.document;
    assert_eq!(new.trigger.kind, call::TRIGGER);
    assert_eq!(new.settings, document.settings);
    assert_eq!(new.flow, [id(2), id(4), id(9)]);
    assert_eq!(config(new, "each")["items"], "{{ trigger.body.lines }}");
    // A loop that goes along keeps its items; the run of another integration is another one.
    let line =
        json!({"price": "{{ item.price * trigger.body.rate }}", "by": "{{ trigger.body.run_id }}"});
    assert_eq!(config(new, "line")["values"], line);
    let total = json!({
        "all": "{{ steps.each.items | length }}",
        "of": "{{ trigger.body.customer_name }} {{ trigger.body.headers['x-from'] }}",
    });
    assert_eq!(config(new, "total")["values"], total);
    let result = json!({"each": "{{ steps.each }}", "total": "{{ steps.total }}"});
    assert_eq!(config(new, "result")["values"], result);
    let expects = "run_id: run.id of the calling run\n\
        lines: steps.order.body.lines, of “Order”\nrate: steps.order.body.rate, of “Order”\n\
        customer_name: trigger.body.customer.name of the calling run\n\
        headers: trigger.headers of the calling run";
    assert_eq!(new.trigger.config["expects"], expects);

    let edit = extraction
        .replacing(&document, called(), "Add up", id(CALL))
        .expect("nothing changed");
    apply(&mut document, &edit).expect("it fits");
    assert_eq!(document.flow, [id(1), id(CALL), id(5)]);
    let input = json!({
        "lines": "{{ steps.order.body.lines }}", "rate": "{{ steps.order.body.rate }}",
        "customer_name": "{{ trigger.body.customer.name }}", "headers": "{{ trigger.headers }}",
        "run_id": "{{ run.id }}",
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
        "price": "{{ trigger.body.price * trigger.body.rate }}",
        "by": "{{ trigger.body.run_id }}",
    });
    assert_eq!(config(&extraction.document, "line")["values"], line);
    let edit = extraction
        .replacing(&document, called(), "Line", id(CALL))
        .expect("nothing changed");
    apply(&mut document, &edit).expect("it fits");
    let input = json!({
        "price": "{{ item.price }}", "rate": "{{ steps.order.body.rate }}", "run_id": "{{ run.id }}",
    });
    assert_eq!(config(&document, "line")["input"], input);
}

#[test]
fn a_whole_is_given_once_and_what_may_be_missing_is_asked_for_where_it_was() {
    let table = [
        ("{{ trigger.body.id }}", vec!["trigger.body.id"]),
        (
            "{{ trigger.body.id }} {{ trigger.body }}",
            vec!["trigger.body"],
        ),
        ("{{ trigger }} {{ trigger.body.id }}", vec!["trigger"]),
        ("{{ trigger.body.id | default('-') }}", vec!["trigger.body"]),
        (
            "{{ 'a' if trigger.body.id is defined else 'b' }}",
            vec!["trigger.body"],
        ),
        ("{{ trigger.body['odd name'].id }}", vec!["trigger.body"]),
        (
            "{{ trigger.body.id }} {{ trigger.headers.id }}",
            vec!["trigger.body.id", "trigger.headers.id"],
        ),
        ("{{ now }} {{ 1 + 2 }}", vec![]),
    ];
    for (text, expected) in table {
        let log = step(1, "log", "Say", json!({ "message": text }));
        let mut document = Document::new("webhook");
        document.flow = vec![log.id];
        document.steps = [(log.id, log)].into();
        let extraction = extract(&document, &[id(1)], || id(9)).expect("it stands alone");
        let given = extraction.inputs.iter().map(|(_, from)| from.clone());
        let expected = expected.iter().map(|path| format!("{{{{ {path} }}}}"));
        assert!(given.eq(expected), "{text}: {:?}", extraction.inputs);
    }
}

#[test]
fn the_last_step_of_what_has_a_result_stays_where_that_is_used() {
    let mut document = document();
    let mut tell = |message: &str| {
        let tell = document.steps.get_mut(&id(5)).expect("it is there");
        tell.config.insert("message".to_owned(), message.into());
        extract(&document, &[id(3)], || id(9)).map(drop)
    };
    let refused = |of: &str| {
        Err(Refusal::Result {
            last: "Line".to_owned(),
            of: of.to_owned(),
        })
    };
    assert_eq!(tell("{{ steps.each.results[0].price }}"), refused("“Each”"));
    assert_eq!(tell("{{ steps.each }}"), refused("“Each”"));
    assert_eq!(tell("{{ steps.each.count }}"), Ok(()));
    document.trigger.kind = call::TRIGGER.to_owned();
    let last = extract(&document, &[id(5)], || id(9)).map(drop);
    let expected = Refusal::Result {
        last: "Tell".to_owned(),
        of: "this integration".to_owned(),
    };
    assert_eq!(last, Err(expected));
    assert!(extract(&document, &[id(4)], || id(9)).is_ok());
}

#[test]
fn where_it_is_asked_which_step_failed_the_steps_stay() {
    let mut around = step(1, "try", "Safely", json!({}));
    let order = step(
        2,
        "http.request",
        "Order",
        json!({"url": "https://example.com"}),
    );
    let log = step(3, "log", "Log", json!({"message": "done"}));
    let sorry = |message: &str| step(4, "log", "Sorry", json!({ "message": message }));
    around.lanes[0].steps = vec![order.id, log.id];
    around.lanes[1].steps.push(id(4));
    let of = |message: &str| {
        let mut document = Document::new("webhook");
        document.flow = vec![around.id];
        let all = [around.clone(), order.clone(), log.clone(), sorry(message)];
        document.steps = all.into_iter().map(|step| (step.id, step)).collect();
        extract(&document, &[id(2)], || id(9)).map(drop)
    };
    let refused = Err(Refusal::Failure("Safely".to_owned()));
    assert_eq!(of("{{ steps.safely.error.code }}"), refused);
    assert_eq!(of("{{ steps.safely.error.step }}"), refused);
    assert_eq!(of("{{ steps.safely.error }}"), refused);
    assert_eq!(of("{{ steps.safely.error.message }}"), Ok(()));
    assert_eq!(of("Sorry"), Ok(()));
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
        if kind == "log" {
            // Behind the steps it would find their outputs gone.
            assert_eq!(refused(&document, &[id(4)]), expected);
        }
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
            look(step, &|_, names| if let ["steps", slug, ..] = names {
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
