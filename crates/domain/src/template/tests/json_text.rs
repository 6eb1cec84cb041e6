//! JSON as text: what becomes of it, and what is said of one that can never become JSON.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::{JsonText, Scope, check_json_text};

fn evaluate(text: &str) -> Result<Value, String> {
    let trigger = json!({
        "name": "A \"B\"\n", "total": 3, "lines": [{"a": 1}], "raw": "{\"x\": 1}",
        "sly": "1, \"admin\": true",
    });
    JsonText::parse(text)
        .and_then(|json| json.evaluate(&Scope::new(trigger, Value::Null)))
        .map_err(|error| error.message)
}

#[test]
fn expressions_fill_their_place_and_nothing_else() {
    let cases = [
        (r#"{"n": "{{ trigger.name }}"}"#, json!({"n": "A \"B\"\n"})),
        (r#"{"n": {{ trigger.name }}}"#, json!({"n": "A \"B\"\n"})),
        (
            r#"{"t": {{ trigger.total }}, "s": "{{ trigger.total }}!"}"#,
            json!({"t": 3, "s": "3!"}),
        ),
        (r#"{"l": {{ trigger.lines }}}"#, json!({"l": [{"a": 1}]})),
        (r#"{"l": {{trigger.lines}}}"#, json!({"l": [{"a": 1}]})),
        (
            r#"{"l": {{ trigger.lines | tojson }}}"#,
            json!({"l": [{"a": 1}]}),
        ),
        (
            r#"{"q": "\"{{ trigger["name"] }}\""}"#,
            json!({"q": "\"A \"B\"\n\""}),
        ),
        (
            r#"["{{ "}}" }}", {{ {"a": {"b": 1}}["a"] }}]"#,
            json!(["}}", {"b": 1}]),
        ),
        ("{{ trigger.lines }}", json!([{"a": 1}])),
        (r#"{"r": "{{ trigger.raw }}"}"#, json!({"r": "{\"x\": 1}"})),
        (
            r#"{"s": {{ trigger.sly ~ "" | tojson }}}"#,
            json!({"s": "1, \"admin\": true\"\""}),
        ),
        (
            r#"{ {{ trigger.name }}: -{{ trigger.total }}{{ trigger.total }}.5}"#,
            json!({"A \"B\"\n": -33.5}),
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(evaluate(text), Ok(expected), "{text}");
        assert_eq!(check_json_text(text), Ok(()), "{text}");
    }
}

#[test]
fn what_is_not_json_is_said_when_its_values_are_there() {
    for (text, said) in [
        (r#"{"a": {{ trigger.total }}"#, "not JSON"),
        (r#"{"a": {{ trigger.none }}}"#, "none"),
        (r#"{"a": {{ trigger.x }"#, "not closed"),
    ] {
        let refused = evaluate(text).expect_err(text);
        assert!(refused.contains(said), "{text}: {refused}");
    }
}

#[test]
fn what_can_never_be_json_is_said_before_the_run_with_its_place() {
    let table = [
        (
            r#"{"a": {{ trigger.total }}"#,
            "it ends too early, at line 1, column 25.",
        ),
        (
            "{\"a\": {{ trigger.a\n }},\n  b: 1}",
            "a name is not in double quotes at line 3, column 3.",
        ),
        (
            r#"["{{ trigger.a }}" 1]"#,
            "`,` or `]` is missing at line 1, column 20.",
        ),
        (
            r#"[true{{ trigger.a }}]"#,
            "`,` or `]` is missing at line 1, column 6.",
        ),
        (
            r#"[{{ trigger.a }} {{ trigger.b }}]"#,
            "`,` or `]` is missing at line 1, column 18.",
        ),
        (r#"[0{{ trigger.a }}]"#, "a number is not written"),
        (
            r#"["{{ trigger.a }}\q"]"#,
            "a \\ has something unknown behind it",
        ),
        ("[1,]", "a comma has nothing behind it"),
        ("[1e999]", "a number is too large"),
        (r#"["\ud800"]"#, "an escape names no character"),
    ];
    for (text, expected) in table {
        let refusal = check_json_text(text).expect_err(text).to_string();
        assert!(refusal.contains(expected), "{text}: {refusal}");
    }
}

#[test]
fn what_depends_on_the_values_is_let_through() {
    for text in [
        "{{ trigger.a }}5",
        "1e{{ trigger.a }}",
        "{{ trigger.a }}{{ trigger.b }}",
        r#""\{{ trigger.a }}""#,
        r#""\u00{{ trigger.a }}""#,
        "{ {{ trigger.a }}: 1}",
    ] {
        assert_eq!(check_json_text(text), Ok(()), "{text}");
    }
}

proptest! {
    #[test]
    fn a_text_that_becomes_json_is_never_refused_before(
        parts in prop::collection::vec(
            prop::sample::select(vec![
                "{{ trigger.a }}", "{{trigger.b}}", "{{ trigger.a | tojson }}", "{", "}", "[", "]",
                ",", ":", "\"", "\\", "u00", "1", "-", ".5", "e", "true", " ", "\n", "\"k\"",
            ]),
            1..9,
        ),
        a in prop::sample::select(vec![json!(7), json!("41"), json!("n"), json!({"k": [1]}), json!(null), json!(-0.5)]),
        b in prop::sample::select(vec![json!(0), json!("\"}"), json!([]), json!(true)]),
    ) {
        let text = parts.concat();
        let scope = Scope::new(json!({"a": a, "b": b}), Value::Null);
        let becomes = JsonText::parse(&text).is_ok_and(|json| json.evaluate(&scope).is_ok());
        if becomes {
            prop_assert_eq!(check_json_text(&text), Ok(()));
        }
    }
}
