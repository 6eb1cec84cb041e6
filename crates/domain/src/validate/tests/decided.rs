//! Fields of which only a run decides whether they count.

use serde_json::json;

use super::problems;

#[test]
fn what_an_expression_may_send_is_checked() {
    let choice = "{{ trigger.body.kind }}";
    let both = problems(
        "respond",
        json!({"body_type": choice, "json": "{'a': 1}", "text": "{{ oops"}),
    );
    let fields: Vec<_> = both
        .iter()
        .filter_map(|one| one.split(':').next())
        .collect();
    assert_eq!(fields, ["json", "text"]);
    let used = problems(
        "respond",
        json!({"body_type": choice, "text": "{{ steps.nobody.body }}"}),
    );
    assert_eq!(used.len(), 1, "{used:?}");
    assert!(used[0].starts_with("text: "), "{used:?}");
}

#[test]
fn what_an_expression_may_send_can_stay_empty() {
    let choice = "{{ trigger.body.kind }}";
    for config in [
        json!({"body_type": choice}),
        json!({"body_type": choice, "json": " ", "text": ""}),
        json!({"body_type": choice, "json": null, "text": "Hello"}),
    ] {
        assert_eq!(problems("respond", config), Vec::<String>::new());
    }
}

#[test]
fn what_a_choice_hides_for_sure_is_not_checked() {
    let config = json!({"body_type": "none", "json": "{'a': 1}", "text": "{{ oops"});
    assert_eq!(problems("respond", config), Vec::<String>::new());
}
