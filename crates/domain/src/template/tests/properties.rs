//! Properties: our reading of expressions is MiniJinja's, for whatever is written.

use std::collections::BTreeSet;

use proptest::prelude::*;

use serde_json::Value;

use super::super::*;

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec!["trigger", "steps", "item", "order", "body", "a", "loop", "self", "items"])
            .prop_map(str::to_owned),
        1 => "[a-z_][a-z0-9_]{0,6}".prop_filter("a keyword is no name", |name| {
            !matches!(name.as_str(), "and" | "or" | "not" | "in" | "is" | "if" | "else" | "true" | "false" | "none")
        }),
    ]
}

fn literal() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9]{1,8}",
        "[0-9]{1,4}\\.[0-9]{1,4}",
        "'[a-z {}|.é]{0,6}'",
        "\"[a-z '{}]{0,6}\"",
        prop::sample::select(vec!["true", "False", "none"]).prop_map(str::to_owned),
        prop::sample::select(vec!["1e5", "0x1f", "1_000", "'\\n'", "'\\q'"])
            .prop_map(str::to_owned),
    ]
}

fn path() -> impl Strategy<Value = String> {
    (name(), prop::collection::vec(name(), 0..4), any::<bool>()).prop_map(|(root, rest, spaced)| {
        let joint = if spaced { " . " } else { "." };
        [vec![root], rest].concat().join(joint)
    })
}

/// Names with dots between them, most of which lead somewhere in what [`json`] gives.
fn lookup() -> impl Strategy<Value = String> {
    let root = prop::sample::select(vec![
        "trigger",
        "steps",
        "steps.order",
        "steps.loop",
        "steps.none",
        "item",
        "index",
        "run",
    ]);
    let rest = prop::sample::select(vec!["a", "b", "items", "item", "index", "length"]);
    (root, prop::collection::vec(rest, 0..4))
        .prop_map(|(root, rest)| [vec![root], rest].concat().join("."))
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (-3_i8..3).prop_map(|whole| Value::from(f64::from(whole))),
        "\\PC{0,4}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let names = prop::sample::select(vec!["b", "a", "items", "item", "index", ""]);
        let entries = prop::collection::vec((names.prop_map(str::to_owned), inner.clone()), 0..4);
        prop_oneof![
            1 => prop::collection::vec(inner, 0..4).prop_map(Value::from),
            3 => entries.prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

/// Expressions that are MiniJinja's, without slices (whose base MiniJinja forgets to report) and
/// without single names in brackets (which it sees through).
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![3 => path(), 2 => literal()];
    leaf.prop_recursive(5, 40, 4, |inner| {
        let operator = prop::sample::select(vec![
            "+",
            "-",
            "*",
            "/",
            "//",
            "%",
            "**",
            "~",
            "==",
            "!=",
            "<",
            "<=",
            ">",
            ">=",
            " in ",
            " not in ",
            " and ",
            " or ",
            " and not ",
        ]);
        let operand = inner.clone().prop_map(|text| {
            if text.contains(' ') {
                format!("(0 ~ ({text}))")
            } else {
                text
            }
        });
        prop_oneof![
            (operand.clone(), operator, operand.clone())
                .prop_map(|(a, op, b)| format!("{a}{op}{b}")),
            (operand.clone(), prop::sample::select(FILTERS.to_vec()))
                .prop_map(|(a, f)| format!("{a}|{f}")),
            (path(), name(), operand.clone(), operand.clone())
                .prop_map(|(a, k, b, c)| format!("{a} | join({b}, {k}={c})")),
            (path(), prop::sample::select(TESTS.to_vec()))
                .prop_map(|(a, t)| format!("({a} is {t})")),
            (path(), operand.clone()).prop_map(|(a, b)| format!("({a} is not divisibleby {b})")),
            (operand.clone(), operand.clone(), operand.clone())
                .prop_map(|(a, b, c)| format!("{a} if {b} else {c}")),
            prop::collection::vec(operand.clone(), 0..4)
                .prop_map(|items| format!("[{}]", items.join(", "))),
            prop::collection::vec((literal(), operand.clone()), 0..3).prop_map(|entries| {
                let entries: Vec<_> = entries
                    .into_iter()
                    .map(|(k, v)| format!("{k}: {v}"))
                    .collect();
                format!("{{{}}}", entries.join(","))
            }),
            (path(), operand.clone()).prop_map(|(a, b)| format!("{a}[{b}]")),
            (path(), operand.clone()).prop_map(|(a, b)| format!("range({a}, *{b})")),
            operand.clone().prop_map(|a| format!("-{a}")),
            operand.prop_map(|a| format!("not {a}")),
        ]
    })
}

/// Texts that look like expressions now and then.
fn soup() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec![
        "a", "steps", "and", "or", "not", "in", "is", "if", "else", "true", "none", "lower",
        "defined", "1", "2.5", "1.", "1e5", "0x", "'x'", "\"y\"", "'", "\\", "'\\u'", "(", ")",
        "[", "]", "{", "}", ",", ":", ".", "|", "~", "=", "==", "!", "!=", "<", "+", "-", "*",
        "**", "/", "//", "%", "&", "é", "{{", "}}", "0",
    ]);
    let joint = prop::sample::select(vec!["", " ", "\n"]);
    prop::collection::vec((token, joint), 0..12).prop_map(|tokens| {
        tokens
            .into_iter()
            .flat_map(|(token, joint)| [token, joint])
            .collect()
    })
}

fn compiles(source: &str) -> bool {
    ENVIRONMENT
        .compile_expression_owned(source.to_owned())
        .is_ok()
}

/// What MiniJinja says that an expression uses. A path in brackets it knows up to the bracket, a
/// name that is called it takes for a value.
fn by_minijinja(source: &str) -> BTreeSet<String> {
    let compiled = ENVIRONMENT
        .compile_expression_owned(source.to_owned())
        .expect("it compiles");
    compiled
        .undeclared_variables(true)
        .into_iter()
        .filter(|name| name != "range")
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn references_are_what_minijinja_says(source in expression()) {
        prop_assert!(compiles(&source), "the generator writes expressions: {source}");
        let scanned = check_condition(&format!("{{{{ {source} }}}}"));
        let scanned = scanned.map_err(|error| TestCaseError::fail(format!("{source}: {error}")))?;
        // Beyond `["name"]` MiniJinja does not look.
        let written = |r: &Reference| format!("{{{{ {source} }}}}")[r.at.clone()].to_owned();
        let dotted = |r: &Reference| written(r).split('[').next().unwrap_or_default().matches('.').count() + 1;
        let ours: BTreeSet<String> = scanned.references.iter().map(|r| r.path[..dotted(r)].join(".")).collect();
        prop_assert_eq!(ours, by_minijinja(&source), "{}", source);
    }

    #[test]
    fn a_reference_stands_where_it_is_said_to(source in expression(), before in "[a-zé ]{0,5}") {
        let text = format!("{before}{{{{ {source} }}}}");
        for scanned in check(&text).map_err(|error| TestCaseError::fail(error.to_string()))? {
            for reference in scanned.references {
                let mut rest = &text[reference.at];
                for name in &reference.path {
                    let at = rest.find(name.as_str());
                    prop_assert!(at.is_some_and(|at| rest[..at].chars().all(|c| " .['\"]".contains(c))), "{}", text);
                    rest = &rest[at.unwrap_or_default() + name.len()..];
                }
                prop_assert!(rest.chars().all(|c| " ['\"]".contains(c)), "{}", text);
            }
            for call in scanned.calls {
                prop_assert_eq!(&text[call.at], call.name);
            }
        }
    }

    #[test]
    fn sure_means_that_minijinja_takes_it(source in prop_oneof![soup(), expression()]) {
        let mut found = Found::default();
        if grammar::read(&source, 0, &mut found) == Ok(true) {
            prop_assert!(compiles(&source), "{source}");
        }
    }

    #[test]
    fn check_accepts_what_parse_accepts(source in soup(), text in "[a-zé{ ]{0,6}") {
        for text in [format!("{text}{{{{{source}}}}}"), format!("{{{{{source}}}}}{text}"), source.clone()] {
            let checked = check(&text).map(drop);
            prop_assert_eq!(&checked, &Template::parse(&text).map(drop));
            prop_assert_eq!(check_condition(&text).map(drop), Template::parse_condition(&text).map(drop));
            if let Err(error) = checked {
                prop_assert!(text.get(error.at.clone()).is_some(), "{text}: {error:?}");
                prop_assert!(!error.message.contains("unexpected"), "{text}: {error}");
            }
        }
    }

    #[test]
    fn little_is_refused_beyond_minijinja(source in soup()) {
        let mut found = Found::default();
        let refused = grammar::read(&source, 0, &mut found).is_err();
        // Words in the place of names; and behind a text MiniJinja overlooks a sign that it does not know.
        let beyond = ["and", "or", "not", "in", "is", "if", "else", "(a)", "=", "&", "!", "é", "\\", "'", "\""];
        if refused && compiles(&source) {
            prop_assert!(beyond.iter().any(|part| source.contains(part)), "{source}");
        }
    }

    #[test]
    fn a_rename_changes_the_named_references_only(source in expression()) {
        let text = format!("x {{{{ {source} }}}}");
        let renamed = rename_step(&text, "order", "bill_2", false).unwrap_or_else(|| text.clone());
        let paths = |text: &str| -> Vec<Vec<String>> {
            let scanned = check(text).expect("a rename keeps it an expression");
            scanned.into_iter().flat_map(|s| s.references).map(|r| r.path).collect()
        };
        let expected: Vec<Vec<String>> = paths(&text).into_iter().map(|mut path| {
            if path[0] == "steps" && path.get(1).is_some_and(|slug| slug == "order") {
                "bill_2".clone_into(&mut path[1]);
            }
            path
        }).collect();
        prop_assert_eq!(paths(&renamed), expected);
        let back = rename_step(&renamed, "bill_2", "order", false).unwrap_or(renamed);
        prop_assert_eq!(back, text);
    }

    #[test]
    fn a_glance_misses_no_reference(
        source in prop_oneof![soup(), expression()],
        begin in prop::sample::select(vec!["", "{{ ", "{{ steps.", "{{ steps['", "{{ steps . \"", "steps["]),
        end in prop::sample::select(vec!["", " }}", "'] }}"]),
        is_condition in any::<bool>(),
    ) {
        let of = |slug: &str| matches!(slug, "a" | "x" | "order" | "is it").then_some("bill");
        let text = format!("{begin}{source}{end}");
        let after = |among| renamed_text(&text, is_condition, &Rename { among, of: &of });
        prop_assert_eq!(after(&[]), after(&[""]), "{}", text);
    }

    #[test]
    fn what_is_looked_up_is_what_would_be_computed(
        trigger in json(), run in json(), output in json(), item in json(), names in lookup(),
    ) {
        let mut scope = Scope::new(trigger, run);
        scope.set_step("loop", output.clone());
        scope.set_step("order", output);
        // As texts, so that the order of names counts, too.
        let given = |scope: &Scope, text: &str| {
            let template = Template::parse(text).expect("it is an expression");
            let given = template.evaluate(scope).map(|value| value.to_string());
            given.map_err(|error| error.message.replace(['(', ')'], ""))
        };
        for scope in [scope.round("loop", item, 3), scope] {
            let looked_up = given(&scope, &format!("{{{{ {names} }}}}"));
            prop_assert_eq!(looked_up, given(&scope, &format!("{{{{ ({names}) }}}}")), "{}", names);
        }
    }

    #[test]
    fn nothing_panics(text in "\\PC{0,40}", value in soup()) {
        let scope = Scope::new(serde_json::json!({"a": 1}), Value::Null);
        for text in [text, value] {
            if let Ok(template) = Template::parse(&text) {
                let _ = template.evaluate(&scope);
            }
            if let Ok(template) = Template::parse_condition(&text) {
                let _ = template.evaluate(&scope);
            }
            let _ = rename_step(&text, "a", "b", true);
        }
    }
}
