//! What differs inside one value: words of texts and parts of JSON.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::config;
use crate::change::{JsonChange, PieceKind, Segment, json as parts, words};
use crate::limit;

/// Returns two texts as one, with what was deleted and added marked.
fn marked(before: &str, after: &str) -> String {
    let pieces = words(before, after)
        .into_iter()
        .map(|piece| match piece.kind {
            PieceKind::Same => piece.text,
            PieceKind::Added => format!("{{+{}+}}", piece.text),
            PieceKind::Deleted => format!("[-{}-]", piece.text),
        });
    pieces.collect()
}

#[test]
fn texts_differ_by_whole_words() {
    let table = [
        ("", "", ""),
        ("", "new", "{+new+}"),
        ("the same", "the same", "the same"),
        (
            "Send the order",
            "Send an order",
            "Send [-the-]{+an+} order",
        ),
        (
            "{{ steps.order.body }}",
            "{{ steps.orders.body }}",
            "{{ steps.[-order-]{+orders+}.body }}",
        ),
        (
            "fetch_order",
            "fetch_orders",
            "[-fetch_order-]{+fetch_orders+}",
        ),
        (
            "trigger.body.a",
            "steps.get.b",
            "[-trigger.body.a-]{+steps.get.b+}",
        ),
        ("a == 1 and b", "a != 1 and b", "a [-==-]{+!=+} 1 and b"),
        (
            "total: 12.50 EUR",
            "total: 12.75 EUR",
            "total: [-12.50-]{+12.75+} EUR",
        ),
        (
            "version 1.2.3.",
            "version 1.2.4.",
            "version [-1.2.3-]{+1.2.4+}.",
        ),
        (
            "https://a.example.com/v1/x",
            "https://a.example.com/v2/x",
            "https://a.example.com/[-v1-]{+v2+}/x",
        ),
        // What stands in an expression is not the same as what stands outside.
        ("order id", "order {{ id }}", "order [-id-]{+{{ id }}+}"),
        // Braces stay where they are.
        ("{{ a }} b", "{{ c }} d", "{{ [-a-]{+c+} }} [-b-]{+d+}"),
        // Little that is the same between much that is not is part of the change.
        (
            "thank you for your interest",
            "thank you, look for our mail",
            "thank you[- for your interest-]{+, look for our mail+}",
        ),
        ("a, c", "x a, y c", "{+x +}a, {+y +}c"),
        ("注文を送る", "注文を消す", "注文を[-送る-]{+消す+}"),
        ("cafe\u{301} one", "cafe one", "[-cafe\u{301}-]{+cafe+} one"),
        ("👩\u{200d}🚀 one", "👩 one", "[-👩\u{200d}🚀-]{+👩+} one"),
    ];
    for (before, after, expected) in table {
        assert_eq!(marked(before, after), expected);
    }
}

#[test]
fn lines_differ_from_those_that_are_most_alike() {
    let table = [
        ("a\nb\nc\n", "a\nc\n", "a\n[-b\n-]c\n"),
        (
            "first line here\n\nsecond line here\n\nthird line here",
            "first line there\n\nthird line there",
            "first line [-here-]{+there+}\n\n[-second line here\n\n-]third line [-here-]{+there+}",
        ),
        (
            "one two three\nx",
            "x\none two four",
            "{+x\n+}one two [-three\nx-]{+four+}",
        ),
    ];
    for (before, after, expected) in table {
        assert_eq!(marked(before, after), expected);
    }
}

#[test]
fn long_texts_are_compared_with_bounded_work() {
    let lines = |count: usize, word: &str| -> String {
        (0..count)
            .map(|line| format!("{word} {line} of the text\n"))
            .collect()
    };
    let texts = [
        lines(limit::DIFF_LINES, "line"),
        lines(limit::DIFF_LINES + 1, "row"),
        lines(300, "line"),
        lines(300, "row"),
        "word ".repeat(50_000),
        "other ".repeat(50_000),
        "1.".repeat(50_000),
        "a".repeat(100_000),
    ];
    for before in &texts {
        for after in &texts {
            assert_whole(before, after);
        }
    }
    let changed = lines(300, "line").replace("line 150 of", "line 150 in");
    assert!(marked(&lines(300, "line"), &changed).contains("line 150 [-of-]{+in+} the text"));
}

fn assert_whole(before: &str, after: &str) {
    let pieces = words(before, after);
    let of = |left_out: PieceKind| -> String {
        let kept = pieces.iter().filter(|piece| piece.kind != left_out);
        kept.map(|piece| piece.text.as_str()).collect()
    };
    assert_eq!(of(PieceKind::Added), before);
    assert_eq!(of(PieceKind::Deleted), after);
    assert!(pieces.iter().all(|piece| !piece.text.is_empty()));
    assert!(pieces.windows(2).all(|pair| pair[0].kind != pair[1].kind));
}

#[test]
fn json_differs_part_by_part() {
    let table = [
        (json!(1), json!(1), json!([])),
        (json!({"b": 1, "a": 2}), json!({"a": 2, "b": 1}), json!([])),
        (json!(1), json!("1"), json!([[[], 1, "1"]])),
        (
            json!({"a": {"b": 1}}),
            json!({"a": {"b": 2, "c": 3}}),
            json!([[["a", "b"], 1, 2], [["a", "c"], null, 3]]),
        ),
        (json!({"a": null}), json!({}), json!([[["a"], null, null]])),
        (json!([1, 2, 3]), json!([1, 3]), json!([[[1], 2, null]])),
        (json!([1, 3]), json!([1, 2, 3]), json!([[[1], null, 2]])),
        (json!([1, 2, 3]), json!([1, 5, 3]), json!([[[1], 2, 5]])),
        (
            json!([{"id": 1, "n": "a"}, {"id": 2, "n": "b"}, {"id": 3, "n": "c"}]),
            json!([{"id": 3, "n": "d"}, {"id": 4, "n": "e"}]),
            json!([
                [[0], {"id": 1, "n": "a"}, null],
                [[1], {"id": 2, "n": "b"}, null],
                [[0, "n"], "c", "d"],
                [[1], null, {"id": 4, "n": "e"}],
            ]),
        ),
        (
            json!({"a": [1]}),
            json!({"a": {"0": 1}}),
            json!([[["a"], [1], {"0": 1}]]),
        ),
        (json!([0.0]), json!([-0.0]), json!([[[0], 0.0, -0.0]])),
    ];
    for (before, after, expected) in table {
        let told: Vec<Value> = parts(&before, &after)
            .into_iter()
            .map(
                |JsonChange {
                     path,
                     before,
                     after,
                 }| json!([path, before, after]),
            )
            .collect();
        assert_eq!(json!(told), expected, "{before} {after}");
    }
}

#[test]
fn long_lists_are_compared_place_by_place() {
    let numbers = |count: usize, from: usize| -> Value { (from..from + count).collect() };
    let long = limit::DIFF_ITEMS + 1;
    assert_eq!(parts(&numbers(long, 0), &numbers(long, 1)).len(), long);
    assert_eq!(parts(&numbers(long - 1, 0), &numbers(long - 1, 1)).len(), 2);
}

/// Returns any JSON, rather small.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..4_i64).prop_map(Value::from),
        "[ab]{0,2}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec(("[abc]", inner), 0..4)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

/// Returns what a path leads to.
fn at<'a>(value: &'a Value, path: &[Segment]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, segment| match segment {
        Segment::Key(key) => value.get(key),
        Segment::Index(index) => value.get(index),
    })
}

proptest! {
    #![proptest_config(config(600))]

    #[test]
    fn words_make_up_both_texts(before in "([a-c{}._ \n]|é|日|1\\.){0,40}", after in "([a-c{}._ \n]|é|日|1\\.){0,40}") {
        assert_whole(&before, &after);
    }

    #[test]
    fn a_name_is_never_cut(names in prop::collection::vec("[ab_]{1,3}", 1..12), others in prop::collection::vec("[ab_]{1,3}", 1..12)) {
        let text = |names: &[String]| format!("{{{{ {} }}}}", names.join("."));
        let is_name = |c: char| c.is_alphanumeric() || c == '_';
        let (before, after) = (text(&names), text(&others));
        for left_out in [PieceKind::Added, PieceKind::Deleted] {
            let pieces = words(&before, &after);
            let side: Vec<_> = pieces.iter().filter(|piece| piece.kind != left_out).collect();
            for pair in side.windows(2) {
                prop_assert!(!(pair[0].text.ends_with(is_name) && pair[1].text.starts_with(is_name)), "{:?}", pieces);
            }
        }
    }

    #[test]
    fn parts_of_json_are_where_they_say(before in any_json(), after in any_json()) {
        let changes = parts(&before, &after);
        prop_assert_eq!(changes.is_empty(), before == after);
        for change in &changes {
            prop_assert!(change.before != change.after);
            if change.after.is_some() {
                prop_assert_eq!(at(&after, &change.path), change.after.as_ref(), "{:?}", change.path);
            }
            let json = serde_json::to_string(change).expect("it is JSON");
            prop_assert_eq!(&serde_json::from_str::<JsonChange>(&json).expect("it comes back"), change);
        }
        prop_assert!(parts(&after, &after).is_empty());
    }
}
