//! Conflicts in words, and their keys as texts.

use serde_json::json;

use super::super::*;
use super::case::Case;
use super::outline::{document, id, lane};
use crate::StepId;

#[test]
fn structure_is_told_in_words() {
    let case = |base: &str, ours: &str, theirs: &str| {
        let [base, ours, theirs] = [base, ours, theirs].map(document);
        Case { base, ours, theirs }
    };
    let orders =
        "It was changed in this draft and in live, and both orders together are not possible.";
    case("a b c", "b a c", "a c b").assert_told(&[("Order of the steps", orders)]);
    case("B[a b c]", "B[b a c]", "B[a c b]")
        .assert_told(&[("Lane “Lane 1” of “B”: order of its steps", orders)]);
    case("B[|||]", "B[4|1|2|3]", "B[1|4|2|3]")
        .assert_told(&[("Step “B”: order of its lanes", orders)]);
    case("a B[] c", "B[a] c", "B[] c a").assert_told(&[(
        "Step “a”: place",
        "It stands in the lane “Lane 1” of “B” in this draft, and at the top level in live.",
    )]);
    case("A[] B[]", "B[A[]]", "A[B[]]").assert_told(&[(
        "Steps “A”, “B”: moved into each other",
        "Together, the moves in this draft and in live would put these steps into each other.",
    )]);
    case("B[a | b] c", "B[a] c", "B[a | b d e f c]").assert_told(&[(
        "Lane “Lane 2” of “B”: deleted or kept",
        "“Lane 2” of “B” was deleted in this draft and changed in live: \
         “d” added to it, “e” added to it, “f” added to it, and 1 more.",
    )]);
}

#[test]
fn what_a_choice_does_to_the_structure_is_told_in_words() {
    let check = |base: &str, ours: &str, theirs: &str, right: [&str; 2]| {
        let [base, ours, theirs] = [base, ours, theirs].map(document);
        let conflicts = merge(&base, &ours, &theirs).conflicts;
        let sides = Sides {
            base: &base,
            ours: &ours,
            theirs: &theirs,
            ours_name: "this draft",
            theirs_name: "live",
        };
        let [conflict] = conflicts.as_slice() else {
            panic!("one conflict: {conflicts:?}");
        };
        let outcomes = conflict.outcomes(&sides).expect("it is of the structure");
        assert_eq!(outcomes, right.map(str::to_owned));
    };
    let place = [
        "Put it where live has it",
        "Leave it where this draft has it",
    ];
    check("a B[] c", "B[a] c", "B[] c a", place);
    let circle = [
        "Put them where live has them",
        "Leave them where this draft has them",
    ];
    check("A[] B[]", "B[A[]]", "A[B[]]", circle);
    let deleted = ["Keep it, as it is in live", "Delete it, as in this draft"];
    check("B[a | b] c", "B[a] c", "B[a | b d]", deleted);
}

#[test]
fn a_key_is_one_text() {
    let step = id('c');
    let parts = [
        "presence", "place", "circle", "kind", "name", "slug", "retries", "then", "notes", "lanes",
    ];
    let of_step = parts.iter().map(|part| format!("step/{step}/{part}"));
    let parts = ["presence", "name", "when", "order"];
    let of_lane = parts
        .iter()
        .map(|part| format!("step/{step}/lane/{}/{part}", lane(1)));
    let fields = ["url", "", "a~1b", "~0", "headers/X", "headers/"];
    let of_fields = fields.iter().flat_map(|field| {
        [
            format!("step/{step}/field/{field}"),
            format!("trigger/field/{field}"),
        ]
    });
    let others = ["trigger", "settings/time_limit_seconds", "flow/order"].map(str::to_owned);
    for text in of_step.chain(of_lane).chain(of_fields).chain(others) {
        let key: ConflictKey = text.parse().expect("it is a key");
        assert_eq!(key.to_string(), text);
        assert_eq!(serde_json::to_value(&key).ok(), Some(json!(text)));
    }
    for text in [
        "",
        "step",
        "step/c/name",
        "trigger/field",
        "trigger/field/a/b/c",
        "flow",
        "step/x",
    ] {
        assert!(text.parse::<ConflictKey>().is_err(), "{text}");
    }
    let key: ConflictKey = format!("step/{step}/field/a~1b/c~0d")
        .parse()
        .expect("it is a key");
    assert_eq!(key.at().field.as_deref(), Some("a/b"));
    assert_eq!(key.at().entry.as_deref(), Some("c~d"));
    let _: StepId = key.at().step.expect("it is about a step");
}
