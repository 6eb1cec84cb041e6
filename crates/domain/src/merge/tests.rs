//! Merges that a person would name, and the laws.

mod case;
mod contents;
mod laws;
mod onto;
mod outline;
mod words;

use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use outline::{conflicts, document, id, in_lane, outline};

/// Merges outlines both ways round; with a conflict, each way gives its own side.
#[track_caller]
fn assert_merges(base: &str, ours: &str, theirs: &str, expected: &str, in_conflict: &[&str]) {
    let [base, ours, theirs] = [base, ours, theirs].map(document);
    let there = merge(&base, &ours, &theirs);
    let back = merge(&base, &theirs, &ours);
    assert_eq!(outline(&there.document), expected);
    assert_eq!(conflicts(&there), in_conflict);
    assert_eq!(conflicts(&back), in_conflict);
    if in_conflict.is_empty() {
        assert_eq!(outline(&back.document), expected);
    }
}

#[test]
fn what_both_sides_add_to_a_list_is_kept() {
    let table = [
        ("a b", "a x b", "a b y", "a x b y"),
        // At the same place what was made first comes first, and stays together.
        ("a", "a x", "a y", "a x y"),
        ("a", "a y z", "a x w", "a x w y z"),
        ("", "a b", "x y", "a b x y"),
        ("B[a]", "B[a x]", "B[y a]", "B[y a x]"),
        // Beside something that the other side deleted or took away.
        ("a b c", "a c", "a b x c", "a x c"),
        ("a b c", "b a c", "a b x c", "b a x c"),
        ("a b c d", "a c d b", "a b x c d", "a x c d b"),
        ("a b W[]", "W[a b]", "a x b W[]", "x W[a b]"),
    ];
    for (base, ours, theirs, merged) in table {
        assert_merges(base, ours, theirs, merged, &[]);
    }
}

#[test]
fn a_step_that_one_side_moved_goes_where_that_side_put_it() {
    let table = [
        ("a b c d", "d a b c", "a b c x d", "d a b c x"),
        ("a b c d", "b c d a", "d a b c", "d b c a"),
        ("a b c d", "b a c d", "a b d c", "b a d c"),
        ("B[a b c]", "B[c b a]", "B[b c a]", "B[c b a]"),
        ("a b c d e", "a d b c e", "a b c e d", "a d b c e"),
        ("a b B[c]", "a B[c b]", "a b x B[c]", "a x B[c b]"),
        ("a B[c d]", "a B[d] c", "a B[c d e]", "a B[d e] c"),
        ("a b c", "W[a b] c", "a b c x", "W[a b] c x"),
        // Both the same.
        ("a b B[]", "B[a] b", "b B[a]", "B[a] b"),
    ];
    for (base, ours, theirs, merged) in table {
        let clash = base == "a b c d e";
        assert_merges(
            base,
            ours,
            theirs,
            merged,
            if clash { &["flow order"] } else { &[] },
        );
    }
}

#[test]
fn orders_that_cannot_be_combined_are_one_conflict() {
    assert_merges("a b c d", "d a b c", "a d b c", "d a b c", &["flow order"]);
    assert_merges("a b c", "b a c", "a c b", "b a c", &["flow order"]);
    assert_merges(
        "B[a b c]",
        "B[b a c]",
        "B[a c b]",
        "B[b a c]",
        &["B lane 1 order"],
    );
    // Both added the same steps, in different orders.
    assert_merges("", "a b x", "x a b", "a b x", &["flow order"]);
    // What only one side has goes with its neighbours all the same.
    assert_merges("a b c", "b x a c", "a c b y", "b x a c y", &["flow order"]);
}

#[test]
fn an_order_is_decided_for_a_side_as_before_or_as_written() {
    let [base, ours, theirs] = ["a b c d", "d a b x c", "a d b c"].map(document);
    let decided = |choice: Choice| {
        let choices = BTreeMap::from([(ConflictKey::FlowOrder, choice)]);
        let resolved = resolve(&base, &ours, &theirs, &choices);
        resolved.map(|document| outline(&document))
    };
    let written = |letters: &str| Choice::Value(json!(letters.chars().map(id).collect::<Vec<_>>()));
    let table = [
        (Choice::Ours, "d a b x c"),
        (Choice::Theirs, "a d b x c"),
        (Choice::Base, "a b x c d"),
        (written("cdba"), "c d b x a"),
        // What is left out stays behind its neighbour; what is not there is passed by.
        (written("qcc"), "d a b x c"),
    ];
    for (choice, expected) in table {
        assert_eq!(
            decided(choice.clone()).as_deref(),
            Ok(expected),
            "{choice:?}"
        );
    }
    let Err(Unresolved(left)) = decided(Choice::Value(json!("c"))) else {
        panic!("a text is no order");
    };
    assert_eq!(
        left[0].ours,
        Some(json!("dabxc".chars().map(id).collect::<Vec<_>>()))
    );
}

#[test]
fn a_step_that_both_moved_elsewhere_is_a_conflict() {
    assert_merges(
        "a B[] C[]",
        "B[a] C[]",
        "B[] C[a]",
        "B[a] C[]",
        &["a place"],
    );
    assert_merges(
        "a b c B[]",
        "b c B[a]",
        "b c a B[]",
        "b c B[a]",
        &["a place"],
    );
    let [base, ours, theirs] = ["a B[] C[]", "B[a] C[]", "B[] C[a]"].map(document);
    let merged = merge(&base, &ours, &theirs);
    assert_eq!(merged.conflicts[0].base, Some(json!("flow")));
    assert_eq!(merged.conflicts[0].ours, Some(json!(in_lane('B', 1))));
    assert_eq!(merged.conflicts[0].theirs, Some(json!(in_lane('C', 1))));
    let choices = BTreeMap::from([(merged.conflicts[0].key.clone(), Choice::Theirs)]);
    let decided = resolve(&base, &ours, &theirs, &choices).map(|document| outline(&document));
    assert_eq!(decided.as_deref(), Ok("B[] C[a]"));
}

#[test]
fn deleting_what_the_other_side_left_alone_is_no_conflict() {
    let table = [
        ("a b c", "a c", "a b", "a"),
        ("a B[c d]", "a", "a B[c d] x", "a x"),
        ("a B[c d]", "a", "a B[d]", "a"),
        ("B[a | b]", "B[a]", "B[a | b] x", "B[a] x"),
        // Saved before its container was deleted.
        ("a B[c]", "a c", "a B[c] x", "a c x"),
        ("A[b C[d]]", "b d", "A[b C[d]]", "b d"),
        ("A[b]", "W[b]", "A[b] x", "W[b] x"),
    ];
    for (base, ours, theirs, merged) in table {
        assert_merges(base, ours, theirs, merged, &[]);
    }
}

#[test]
fn deleting_what_the_other_side_changed_is_a_conflict() {
    let table = [
        // Something was put inside, at any depth.
        ("a B[c]", "a", "a B[c x]", "a", "B presence"),
        ("a B[c]", "a B[c x]", "a", "a B[c x]", "B presence"),
        ("A[B[C[]]]", "", "A[B[C[x]]]", "", "A presence"),
        (
            "B[a | b]",
            "B[a]",
            "B[a | b x]",
            "B[a]",
            "B lane 2 presence",
        ),
        // Moved into what the other side deleted: it stays where that side has it.
        ("a B[c]", "a", "B[c a]", "a", "B presence"),
        ("a B[c]", "B[c a]", "a", "B[c a]", "B presence"),
        (
            "a B[c | d]",
            "a B[c]",
            "B[c | d a]",
            "a B[c]",
            "B lane 2 presence",
        ),
        // Moved out of what the other side deleted, or within it.
        ("B[c d]", "c B[d]", "", "c", "c presence"),
        ("B[c d e]", "", "B[e c d]", "", "B presence"),
        ("a b c", "c a b", "a b", "c a b", "c presence"),
        ("B[1 a | 2 b]", "", "B[2 b | 1 a]", "", "B presence"),
    ];
    for (base, ours, theirs, merged, conflict) in table {
        assert_merges(base, ours, theirs, merged, &[conflict]);
    }
}

#[test]
fn each_deletion_is_decided_as_a_whole() {
    let [base, ours, theirs] = ["a B[c] d", "a", "B[c x a] d y"].map(document);
    let merged = merge(&base, &ours, &theirs);
    assert_eq!(conflicts(&merged), ["B presence"]);
    assert_eq!(outline(&merged.document), "a y");
    let inside = merged.conflicts[0]
        .theirs
        .as_ref()
        .map(|steps| steps.as_array().map(Vec::len));
    assert_eq!(inside, Some(Some(4)), "the step and all inside it");
    for (choice, expected) in [(Choice::Ours, "a y"), (Choice::Theirs, "B[c x a] y")] {
        let choices = BTreeMap::from([(merged.conflicts[0].key.clone(), choice)]);
        let decided = resolve(&base, &ours, &theirs, &choices);
        assert_eq!(
            decided.map(|document| outline(&document)).as_deref(),
            Ok(expected)
        );
    }
}

#[test]
fn moves_that_put_steps_into_each_other_are_one_conflict() {
    assert_merges("A[] B[]", "B[A[]]", "A[B[]]", "B[A[]]", &["A circle"]);
    assert_merges(
        "A[] B[] C[]",
        "B[A[]] C[]",
        "A[C[B[]]]",
        "B[A[]] C[]",
        &["A circle"],
    );
    // Taking back one move can make another circle: that one belongs to it.
    assert_merges(
        "A[] H[B[]]",
        "H[B[A[]]]",
        "A[H[] B[]]",
        "H[B[A[]]]",
        &["A circle"],
    );
    let [base, ours, theirs] = ["A[] B[] x", "x B[A[]]", "A[B[]] x y"].map(document);
    let merged = merge(&base, &ours, &theirs);
    let places = json!({ id('A').to_string(): in_lane('B', 1), id('B').to_string(): "flow" });
    assert_eq!(merged.conflicts[0].ours, Some(places));
    let choices = BTreeMap::from([(merged.conflicts[0].key.clone(), Choice::Theirs)]);
    let decided = resolve(&base, &ours, &theirs, &choices).map(|document| outline(&document));
    assert_eq!(decided.as_deref(), Ok("A[B[]] x y"));
}

#[test]
fn a_step_whose_lists_are_both_deleted_by_decision_is_kept() {
    let [base, ours, theirs] = ["A[s] C[]", "C[s]", "A[s]"].map(document);
    let merged = merge(&base, &ours, &theirs);
    assert_eq!(conflicts(&merged), ["A presence", "C presence"]);
    assert_eq!(outline(&merged.document), "C[s]");
    let choices = BTreeMap::from([
        (merged.conflicts[0].key.clone(), Choice::Ours),
        (merged.conflicts[1].key.clone(), Choice::Theirs),
    ]);
    let decided = resolve(&base, &ours, &theirs, &choices).map(|document| outline(&document));
    assert_eq!(decided.as_deref(), Ok("s"));
}

#[test]
fn lanes_are_merged_as_steps_are() {
    let table: [(&str, &str, &str, &str, &[&str]); 5] = [
        (
            "B[a | b]",
            "B[2 b | 1 a]",
            "B[a | b | c]",
            "B[2 b | 1 a | c]",
            &[],
        ),
        ("B[a | b]", "B[a x | b]", "B[a | b y]", "B[a x | b y]", &[]),
        ("B[a]", "B[a | 3 x]", "B[a | 2 y]", "B[a | y | x]", &[]),
        (
            "B[|||]",
            "B[4|1|2|3]",
            "B[1|4|2|3]",
            "B[4 | 1 | 2 | 3]",
            &["B lanes"],
        ),
        ("B[a]", "B[-]", "B[a] x", "B[-] x", &[]),
    ];
    for (base, ours, theirs, merged, in_conflict) in table {
        assert_merges(base, ours, theirs, merged, in_conflict);
    }
}

#[test]
fn a_list_in_another_order_all_over_is_a_conflict_and_quickly_told() {
    let letters: String = (0..3_000)
        .filter_map(|n| char::from_u32(0x4e00 + n))
        .collect();
    let back: String = letters.chars().rev().collect();
    let half: String = letters[..3_000]
        .chars()
        .rev()
        .chain(letters[3_000..].chars())
        .collect();
    let [base, ours, theirs] = [letters, back, half].map(|outline| document(&outline));
    let merged = merge(&base, &ours, &theirs);
    assert_eq!(conflicts(&merged), ["flow order"]);
    assert_eq!(merged.document, ours);
}
