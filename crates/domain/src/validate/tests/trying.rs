//! What the lanes of a try see, and how many it has.

use super::*;

/// A set step, a try with a log in each lane, a log behind.
fn document() -> Document {
    let mut document = Document::new("webhook");
    let message = json!({"message": "x"});
    let values = json!({"values": {"total": 1}});
    add(&mut document, 1, "set", ListRef::Flow, values);
    add(&mut document, 2, "try", ListRef::Flow, json!({}));
    add(&mut document, 3, "log", lane(2, 1), message.clone());
    add(&mut document, 4, "log", lane(2, 2), message.clone());
    add(&mut document, 5, "log", ListRef::Flow, message);
    assert_eq!(told(&document), [""; 0]);
    document
}

#[test]
fn the_failing_lane_sees_the_error_and_not_what_was_tried() {
    let table = [
        (
            4,
            "{{ steps.try2.error.message }} {{ steps.try2.failed }}",
            None,
        ),
        (4, "{{ steps.set1.total }}", None),
        (
            4,
            "{{ steps.try2.result }}",
            Some("message: `steps.try2` has no `result`."),
        ),
        (
            3,
            "{{ steps.try2.error }}",
            Some(
                "message: `Step 2` has not run when this step starts: it comes later, or is in another lane.",
            ),
        ),
        (
            4,
            "{{ steps.log3 }}",
            Some(
                "message: `Step 3` has not run when this step starts: it comes later, or is in another lane.",
            ),
        ),
        (
            5,
            "{{ steps.try2.result }} {{ steps.try2.error.code }} {{ steps.try2.failed }}",
            None,
        ),
        (
            5,
            "{{ steps.try2.nope }}",
            Some("message: `steps.try2` has no `nope`."),
        ),
    ];
    for (step, text, expected) in table {
        let mut document = document();
        let mut checked = Checked::of(&document);
        let edit = Edit::SetField {
            step: id(step),
            field: "message".to_owned(),
            value: Some(json!(text)),
        };
        let change = edit::apply(&mut document, &edit).expect("it fits");
        checked.update(&document, &change);
        let told = told(&document);
        assert_eq!(told.first().map(String::as_str), expected, "{text}");
        assert_eq!(checked, Checked::of(&document), "{text}");
    }
}

#[test]
fn a_try_has_two_lanes_without_conditions() {
    let wrong =
        ": A try has two lanes without conditions: what is tried, and what runs if it fails.";
    let mut document = document();
    let lanes = &mut document.steps.get_mut(&id(2)).expect("it is there").lanes;
    lanes[0].when = Some("true".to_owned());
    assert_eq!(told(&document), [wrong]);
    let edit = Edit::DeleteLane {
        step: id(2),
        lane: LaneId::new(Uuid::from_u128(201)),
    };
    edit::apply(&mut document, &edit).expect("it fits");
    assert_eq!(told(&document), [wrong]);
}

#[test]
fn the_order_of_the_lanes_decides_which_one_sees_the_error() {
    let mut document = document();
    let text = Edit::SetField {
        step: id(4),
        field: "message".to_owned(),
        value: Some(json!("{{ steps.try2.error }}")),
    };
    edit::apply(&mut document, &text).expect("it fits");
    let mut checked = Checked::of(&document);
    let turn = Edit::MoveLane {
        step: id(2),
        lane: LaneId::new(Uuid::from_u128(202)),
        index: 0,
    };
    let change = edit::apply(&mut document, &turn).expect("it fits");
    checked.update(&document, &change);
    assert_eq!(checked, Checked::of(&document));
    assert_eq!(checked.count(), 1);
}
