use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::document::Lane;
use crate::edit::{apply, new_step};
use crate::sample::{Maker, plans};
use crate::validate::Checked;
use crate::{catalog, slug};

fn ids(from: u128) -> (impl FnMut() -> StepId, impl FnMut() -> LaneId) {
    let mut steps = from;
    let mut lanes = from + (1 << 64);
    (
        move || {
            steps += 1;
            StepId::new(Uuid::from_u128(steps))
        },
        move || {
            lanes += 1;
            LaneId::new(Uuid::from_u128(lanes))
        },
    )
}

fn step(number: u128, kind: &str, name: &str, config: Value) -> Step {
    let action = catalog::action(kind).expect("the catalog has it");
    let (mut step_id, lane_id) = ids(number * 100);
    let mut step = new_step(action, step_id(), name, slug::of(name), lane_id);
    let fields: Map<String, Value> = serde_json::from_value(config).expect("an object");
    step.config.extend(fields);
    step
}

/// A loop with a request inside it, and a log behind it that uses both.
fn document() -> (Document, [StepId; 3]) {
    let mut each = step(
        1,
        "loop",
        "Each",
        json!({"items": "{{ trigger.body.rows }}"}),
    );
    let call = step(
        2,
        "http.request",
        "Call",
        json!({"url": "https://example.com/{{ steps.each.item.id }}", "headers": {
            "authorization": "Bearer abc", "x-api-key": "{{ trigger.body.key }}", "accept": "text/plain",
            "cookie": "Bearer {{ trigger.body.token }}",
        }}),
    );
    let log = step(
        3,
        "log",
        "Log",
        json!({"message": "{{ steps.each.count }} {{ steps.elsewhere.x }}"}),
    );
    let ids = [each.id, call.id, log.id];
    each.lanes[0].steps.push(call.id);
    let mut document = Document::new("webhook");
    document.flow = vec![each.id, log.id];
    document.steps = [each, call, log]
        .into_iter()
        .map(|step| (step.id, step))
        .collect();
    (document, ids)
}

fn pasted(document: &mut Document, text: &str, at: Place) -> Vec<StepId> {
    let clip = read(text).expect("it can be read");
    let (step_id, lane_id) = ids(1 << 100);
    let (edit, tops) = clip
        .paste(document, at, step_id, lane_id)
        .expect("there is room");
    apply(document, &edit).expect("it fits");
    tops
}

#[test]
fn copied_steps_refer_to_each_other_after_they_are_pasted() {
    let (mut document, [each, call, log]) = document();
    let copied = copy(&document, &[log, call, each]).expect("they are there");
    assert_eq!((copied.steps, copied.secrets), (3, 1));
    let at = behind(&document, Some(log)).expect("it is there");
    let tops = pasted(&mut document, &copied.text, at);
    let names: Vec<&str> = document
        .walk()
        .into_iter()
        .map(|(_, step)| step.slug.as_str())
        .collect();
    assert_eq!(names, ["each", "call", "log", "each_2", "call_2", "log_2"]);
    assert_eq!(document.flow[2..], tops);
    let said = &document.step_by_slug("log_2").expect("pasted").config["message"];
    // What was not copied is referred to as before: it may be there, too.
    assert_eq!(said, "{{ steps.each_2.count }} {{ steps.elsewhere.x }}");
}

#[test]
fn secrets_are_left_behind_and_expressions_are_not() {
    let (document, [_, call, _]) = document();
    let copied = copy(&document, &[call]).expect("it is there");
    assert!(!copied.text.contains("abc"), "{}", copied.text);
    let mut other = Document::new("manual");
    let at = behind(&other, None).expect("the start");
    pasted(&mut other, &copied.text, at);
    let headers = &other.step_by_slug("call").expect("pasted").config["headers"];
    let expected = json!({
        "authorization": "", "x-api-key": "{{ trigger.body.key }}", "accept": "text/plain",
        "cookie": "Bearer {{ trigger.body.token }}",
    });
    assert_eq!(*headers, expected);
}

#[test]
fn what_is_no_text_of_steps_is_refused_in_words() {
    let (document, [each, ..]) = document();
    let text = copy(&document, &[each]).expect("it is there").text;
    let whole: Value = serde_json::from_str(&text).expect("it is JSON");
    let with = |change: &dyn Fn(&mut Value)| {
        let mut clip = whole.clone();
        change(&mut clip);
        read(&clip.to_string()).expect_err("it is broken")
    };
    for text in ["", "hello", "[1]", "{}", "{\"sluice\": \"other\"}", "null"] {
        assert_eq!(read(text), Err(Refusal::NotSteps), "{text}");
    }
    assert_eq!(read(&"[".repeat(100_000)), Err(Refusal::NotSteps));
    assert_eq!(read(&" ".repeat(9 * 1024 * 1024)), Err(Refusal::TooLarge));
    assert_eq!(with(&|clip| clip["version"] = json!(2)), Refusal::Newer);
    let broken = |refusal: Refusal| matches!(refusal, Refusal::Broken(_));
    assert!(broken(with(&|clip| clip["steps"] = json!([]))));
    assert!(broken(with(&|clip| clip["steps"][1] = json!({"id": 1}))));
    // The inner step is missing, comes first, is there twice, or holds what holds it.
    assert!(broken(with(&|clip| drop(
        clip["steps"].as_array_mut().expect("a list").pop()
    ))));
    assert!(broken(with(&|clip| clip["steps"]
        .as_array_mut()
        .expect("a list")
        .reverse())));
    assert!(broken(with(&|clip| {
        let steps = clip["steps"].as_array_mut().expect("a list");
        steps.push(steps[1].clone());
    })));
    assert!(broken(with(&|clip| {
        let outer = clip["steps"][0]["id"].clone();
        clip["steps"][1]["lanes"] =
            json!([{"id": Uuid::from_u128(9), "name": "", "steps": [outer]}]);
    })));
}

#[test]
fn more_steps_than_a_document_holds_are_refused() {
    let (mut document, [each, ..]) = document();
    let copied = copy(&document, &[each]).expect("it is there");
    let full = limit::STEPS - document.steps.len() - 1;
    for number in 0..full {
        let id = StepId::new(Uuid::from_u128((1 << 90) + number as u128));
        let mut more = document.steps[&each].clone();
        (more.id, more.slug, more.lanes) = (id, format!("more_{number}"), Vec::<Lane>::new());
        document.steps.insert(id, more);
    }
    let clip = read(&copied.text).expect("it can be read");
    let at = behind(&document, None).expect("the start");
    let (step_id, lane_id) = ids(1 << 100);
    let refused = clip.paste(&document, at, step_id, lane_id);
    assert_eq!(refused.expect_err("it is full"), Refusal::TooMany);
}

/// Any JSON, mostly of the words that our own text has.
fn any_json() -> impl Strategy<Value = Value> {
    let word = prop_oneof![
        Just("sluice"),
        Just("steps"),
        Just("version"),
        Just("id"),
        Just("lanes"),
        Just("name"),
        Just("slug"),
        Just("kind"),
        Just("config"),
        Just("when"),
        Just("log"),
        Just("01890000-0000-7000-8000-000000000001"),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..3_u64).prop_map(Value::from),
        word.clone().prop_map(Value::from),
        "\\PC{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((word.clone(), inner), 0..8).prop_map(|entries| {
                let entries = entries
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value));
                Value::Object(entries.collect())
            }),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_copied_can_be_pasted_anywhere(
        from in plans(30), to in plans(30), picks in prop::collection::vec(0..64_usize, 0..6), place in 0..64_usize,
    ) {
        let from = Maker::default().document(&from);
        let mut to = Maker::default().document(&to);
        let chosen: Vec<StepId> = picks.iter()
            .filter_map(|pick| from.steps.keys().nth(pick % from.steps.len().max(1)).copied())
            .collect();
        let Some(copied) = copy(&from, &chosen) else {
            prop_assert!(chosen.is_empty());
            return Ok(());
        };
        let tops = several::roots(&from, &chosen);
        let clip = read(&copied.text);
        // A document may hold a slug twice when edits made it so; then it is told.
        let Ok(clip) = clip else {
            prop_assert!(matches!(clip, Err(Refusal::Broken(_))));
            return Ok(());
        };
        prop_assert_eq!(clip.len(), copied.steps);
        let before = to.clone();
        let at = behind(&to, to.steps.keys().nth(place % (to.steps.len() + 1)).copied());
        let at = at.expect("every step is somewhere");
        let (step_id, lane_id) = ids(1 << 100);
        let (edit, pasted) = clip.paste(&to, at, step_id, lane_id).expect("there is room");
        prop_assert_eq!(pasted.len(), tops.len());
        let change = apply(&mut to, &edit).expect("it fits");
        prop_assert_eq!(to.steps.len(), before.steps.len() + copied.steps);
        prop_assert!(Checked::of(&to).is_sound() || !Checked::of(&before).is_sound());
        apply(&mut to, &change.inverse).expect("it can be taken back");
        prop_assert_eq!(to, before);
    }

    #[test]
    fn no_text_makes_reading_panic(text in "\\PC{0,200}", json in any_json(), steps in any_json()) {
        let _ = read(&text);
        let _ = read(&json.to_string());
        let _ = read(&json!({"sluice": "steps", "version": 1, "steps": steps}).to_string());
    }

    #[test]
    fn a_copied_text_with_a_mistake_is_read_or_refused(plans in plans(20), at in 0..4_000_usize, length in 0..80_usize) {
        let document = Maker::default().document(&plans);
        let all: Vec<StepId> = document.steps.keys().copied().collect();
        let Some(copied) = copy(&document, &all) else { return Ok(()) };
        let mut text: Vec<char> = copied.text.chars().collect();
        let at = at % text.len();
        let end = (at + length).min(text.len());
        text.drain(at..end);
        if let Ok(clip) = read(&text.into_iter().collect::<String>()) {
            let (step_id, lane_id) = ids(1 << 100);
            let mut other = Document::new("manual");
            let place = behind(&other, None).expect("the start");
            let (edit, _) = clip.paste(&other, place, step_id, lane_id).expect("there is room");
            prop_assert!(apply(&mut other, &edit).is_ok());
        }
    }
}
