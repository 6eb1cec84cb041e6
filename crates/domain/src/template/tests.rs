//! Tables: what expressions give, what is said about those that are none, and what a rename does.

mod hostile;
mod json_text;
mod properties;

use serde_json::{Value, json};

use super::*;

fn scope() -> Scope {
    let trigger = json!({
        "body": {
            "email": "Ada@Example.com", "total": 120.5, "count": 3, "paid": true, "nothing": null,
            "big": 18_446_744_073_709_551_615_u64, "small": -9_223_372_036_854_775_808_i64,
            "lines": [{"sku": "a", "n": 1}, {"sku": "b", "n": 2}], "a b": "spaced",
            "html": "<b>&</b>", "z": 1, "a": 2,
        }
    });
    let run = json!({"id": "r1", "test": false});
    let mut scope = Scope::new(trigger, run);
    scope.set_step("order", json!({"status": 200, "body": {"id": 7}}));
    scope.round("each", json!({"sku": "a"}), 4)
}

fn evaluated(text: &str) -> Result<Value, String> {
    let template = Template::parse(text).map_err(|error| error.message)?;
    template.evaluate(&scope()).map_err(|error| error.message)
}

#[test]
fn a_lone_expression_keeps_its_type_and_mixed_text_is_text() {
    let table = [
        ("plain", json!("plain")),
        ("", json!("")),
        (
            "{ not } {% an %} {# expression #}",
            json!("{ not } {% an %} {# expression #}"),
        ),
        ("{{ trigger.body.total }}", json!(120.5)),
        ("{{trigger.body.count}}", json!(3)),
        ("{{ trigger.body.paid }}", json!(true)),
        ("{{ trigger.body.nothing }}", json!(null)),
        (
            "{{ trigger.body.big }}",
            json!(18_446_744_073_709_551_615_u64),
        ),
        (
            "{{ trigger.body.small }}",
            json!(-9_223_372_036_854_775_808_i64),
        ),
        (
            "{{ trigger.body.lines }}",
            json!([{"sku": "a", "n": 1}, {"sku": "b", "n": 2}]),
        ),
        ("{{ trigger.body['a b'] }}", json!("spaced")),
        ("{{ trigger.body.lines[1].sku }}", json!("b")),
        ("{{ trigger.body.lines.0.n }}", json!(1)),
        (
            "{{ trigger.body.lines[:1] }}",
            json!([{"sku": "a", "n": 1}]),
        ),
        ("{{ steps.order.body.id + 1 }}", json!(8)),
        ("{{ item.sku }}{{ index }}", json!("a4")),
        ("{{ steps.each.index }}", json!(4)),
        ("{{ run.id }}", json!("r1")),
        (" {{ trigger.body.count }}", json!(" 3")),
        ("{{ trigger.body.email | lower }}", json!("ada@example.com")),
        (
            "{{ trigger.body.lines | map(attribute='n') | sum }}",
            json!(3),
        ),
        (
            "{{ trigger.body.lines | length > 1 and not trigger.body.paid }}",
            json!(false),
        ),
        ("{{ 'yes' if trigger.body.paid else 'no' }}", json!("yes")),
        (
            "{{ trigger.body.nope | default('none given') }}",
            json!("none given"),
        ),
        ("{{ trigger.body.nope is defined }}", json!(false)),
        ("{{ 'a' in trigger.body.email }}", json!(true)),
        ("{{ {'a': 1, 'b': [1, 2]} }}", json!({"a": 1, "b": [1, 2]})),
        ("{{ {'a': {'b': 1}}}}", json!({"a": {"b": 1}})),
        ("{{ {1: 2, false: 3} }}", json!({"1": 2, "false": 3})),
        ("{{ (1, 2) }}", json!([1, 2])),
        ("{{ range(3) }}", json!([0, 1, 2])),
        ("{{ '}}' ~ \"{{\" }}", json!("}}{{")),
        (
            "{{ 7 // 2 }} {{ 7 / 2 }} {{ 2 ** 3 }} {{ 7 % 4 }}",
            json!("3 3.5 8 3"),
        ),
        ("{{ dict(a=1) }}", json!({"a": 1})),
        ("x {{ trigger.body.nothing }} y", json!("x null y")),
        ("x {{ trigger.body.paid }} y", json!("x true y")),
        ("x {{ trigger.body.total }} y", json!("x 120.5 y")),
        (
            "x {{ [1.0, none, 'a', true] }} y",
            json!("x [1.0,null,\"a\",true] y"),
        ),
        (
            "x {{ trigger.body.lines[0] }} y",
            json!("x {\"sku\":\"a\",\"n\":1} y"),
        ),
        ("<{{ trigger.body.html }}>", json!("<<b>&</b>>")),
        ("{{ 'it''s' }}", json!("its")),
        ("{{ 'a\\nb' }}", json!("a\nb")),
        ("{{ -trigger.body.count }}", json!(-3)),
        ("{{ 1e3 }}", json!(1000.0)),
        ("{{ 0x1F }}", json!(31)),
    ];
    for (text, expected) in table {
        assert_eq!(evaluated(text), Ok(expected), "{text}");
    }
}

#[test]
fn what_is_no_expression_is_said_in_plain_words() {
    let table = [
        (
            "{{ trigger.body",
            "`{{` is not closed. Write `}}` behind the expression.",
        ),
        (
            "{{ 'abc }}",
            "The quote is not closed. Write the same quote behind the text.",
        ),
        (
            "{{ }}",
            "The expression is empty. Put a value between {{ and }}.",
        ),
        (
            "{{ trigger. }}",
            "A name is missing after `.`. For a name with other signs in it, write `[\"the name\"]`.",
        ),
        (
            "{{ trigger.body.total > }}",
            "A value is missing at the end of the expression.",
        ),
        ("{{ > 1 }}", "A value is missing before `>`."),
        (
            "{{ trigger body }}",
            "`body` cannot follow what stands before it. Put an operator such as `~`, `+` or `and` between them, and texts into quotes.",
        ),
        (
            "{{ Hello, world }}",
            "`,` cannot follow what stands before it. Put an operator such as `~`, `+` or `and` between them, and texts into quotes.",
        ),
        (
            "{{ a = 1 }}",
            "A single `=` sets nothing here. To compare, write `==`.",
        ),
        (
            "{{ a && b }}",
            "`&` cannot stand in an expression. For two conditions at once, write `and`.",
        ),
        (
            "{{ a || b }}",
            "The name of a filter is missing after `|`, such as `lower`. For one condition or another, write `or`.",
        ),
        (
            "{{ !a }}",
            "`!` cannot stand in an expression. To turn a condition around, write `not`.",
        ),
        (
            "{{ a ? b : c }}",
            "`?` cannot stand in an expression. To choose between values, write `a if b else c`.",
        ),
        (
            "{{ $json.x }}",
            "`$` cannot stand in an expression. Put texts into quotes.",
        ),
        (
            "{{ (a + b }}",
            "The bracket is not closed. Write `)` behind its content.",
        ),
        (
            "{{ [1, 2 }}",
            "The bracket is not closed. Write `]` behind its content.",
        ),
        (
            "{{ a[] }}",
            "Nothing stands between `[` and `]`. Put a number or a text in quotes there.",
        ),
        (
            "{{ a | }}",
            "The name of a filter is missing after `|`, such as `lower`. For one condition or another, write `or`.",
        ),
        (
            "{{ a is }}",
            "The name of a test is missing after `is`, such as `defined`. To compare, write `==`.",
        ),
        ("{{ a | first.name }}", ""),
        (
            "{{ a | first[0] }}",
            "This cannot follow a filter or test. Put brackets around what stands before it: `(a | first).name`.",
        ),
        (
            "{{ a is defined if b else c }}",
            "`if` cannot follow a test. Put brackets around the test: `(a is defined) if …`.",
        ),
        (
            "{{ a not b }}",
            "`not` stands between two values. Write `not in`, or put `and` before it.",
        ),
        (
            "{{ {'a' 1} }}",
            "A `:` is missing behind the name. Write `{\"name\": value}`.",
        ),
        (
            "{{ f(a=1, 2) }}",
            "An argument without a name follows one with a name. Put it before the others.",
        ),
        ("{{ and }}", "A value is missing before `and`."),
        ("{{ 1 + or }}", "A value is missing before `or`."),
        (
            "{{ '\\ud800' }}",
            "`'\\ud800'` holds a `\\` with something unknown behind it. Write `\\\\` for the sign itself.",
        ),
        (
            "{{ 999999999999999999999999999999999999999999 }}",
            "`999999999999999999999999999999999999999999` holds a number that is too large.",
        ),
    ];
    for (text, expected) in table {
        let parsed = Template::parse(text)
            .map(drop)
            .map_err(|error| error.message);
        if expected.is_empty() {
            assert_eq!(parsed, Ok(()), "{text}");
        } else {
            assert_eq!(parsed, Err(expected.to_owned()), "{text}");
        }
    }
}

#[test]
fn a_fault_tells_its_place() {
    for (text, at) in [
        ("Hi {{ trigger. }}", "}}"),
        ("Hi {{ trigger.body > }}", "}}"),
        ("Hi {{ a && b }}", "&& b"),
        ("Hi {{ (a + b }}", "(a"),
        ("é {{ 'abc }}", "'abc"),
        ("Hi {{ open", "{{ open"),
    ] {
        let error = Template::parse(text).expect_err(text);
        assert!(text[error.at.start..].starts_with(at), "{text}: {error:?}");
        assert!(text.is_char_boundary(error.at.end), "{text}: {error:?}");
    }
}

#[test]
fn what_cannot_be_computed_is_said_in_plain_words() {
    let table = [
        (
            "{{ trigger.body.emial }}",
            "`trigger.body` has no `emial`. Where it may be missing, use `| default(…)`.",
        ),
        (
            "{{ trigger.bod.email }}",
            "`trigger` has no `bod`. Where it may be missing, use `| default(…)`.",
        ),
        (
            "Dear {{ trigger.body.emial }}",
            "`trigger.body` has no `emial`. Where it may be missing, use `| default(…)`.",
        ),
        (
            "{{ trigger.body.emial | upper }}",
            "`trigger.body` has no `emial`. Where it may be missing, use `| default(…)`.",
        ),
        (
            "{{ [trigger.body.emial] }}",
            "`trigger.body` has no `emial`. Where it may be missing, use `| default(…)`.",
        ),
        (
            "{{ trigger.body.email.name }}",
            "`trigger.body.email` is a text, so it has no `name`.",
        ),
        (
            "{{ trigger.body.nothing.name }}",
            "`trigger.body.nothing` is null, so it has no `name`.",
        ),
        (
            "{{ trigger.body.lines.sku }}",
            "`trigger.body.lines` is a list, so it has no `sku`.",
        ),
        (
            "{{ steps.later.body }}",
            "`steps.later` has no value here: that step has not run.",
        ),
        ("{{ order }}", "There is no value called `order`."),
        (
            "{{ trigger.body.lines[9] }}",
            "`trigger.body.lines[9]` has no value here. Give it one, or use `| default(…)`.",
        ),
        (
            "{{ 1 | nope }}",
            "`1 | nope` uses a filter that does not exist. See the list of filters.",
        ),
        (
            "{{ 1 is nope }}",
            "`1 is nope` uses a test that does not exist behind `is`.",
        ),
        (
            "{{ nope() }}",
            "`nope()` calls a function that does not exist.",
        ),
        (
            "{{ debug() }}",
            "`debug()` calls a function that does not exist.",
        ),
        (
            "{{ trigger.body.nope() }}",
            "`trigger.body.nope()` calls something that cannot be called. Use a filter, such as `value | length`.",
        ),
        (
            "{{ 1 + 'a' }}",
            "`1 + 'a'` cannot be computed: `+` does not go with a number and a text; to put texts together, use `~`.",
        ),
        (
            "{{ trigger.body.count / 0 }}",
            "`trigger.body.count / 0` cannot be computed: a division by 0, or a number that gets too large.",
        ),
        (
            "{{ trigger.body.lines - 1 }}",
            "`trigger.body.lines - 1` cannot be computed: `-` does not go with a list and a number.",
        ),
        (
            "{{ range }}",
            "`range` gives a function, which cannot be passed on.",
        ),
        (
            "{{ 10 ** 25 }}",
            "`10 ** 25` gives a number beyond 64 bits, which cannot be passed on.",
        ),
        (
            "{{ 1 | lower(2, 3) }}",
            "`1 | lower(2, 3)` gives more values in brackets than are taken.",
        ),
    ];
    for (text, expected) in table {
        assert_eq!(evaluated(text), Err(expected.to_owned()), "{text}");
    }
    let no_loop = Scope::new(json!({}), json!({}));
    let error = Template::parse("{{ item.sku }}")
        .expect("it parses")
        .evaluate(&no_loop);
    let message = error.expect_err("there is no item").message;
    assert_eq!(
        message,
        "`item` has no value here: it is only there inside a loop."
    );
}

#[test]
fn a_condition_is_one_expression_with_or_without_braces() {
    for text in [
        "trigger.body.count > 2",
        " {{ trigger.body.count > 2 }} ",
        "{{trigger.body.count > 2}}",
    ] {
        let condition = Template::parse_condition(text).expect(text);
        assert_eq!(condition.evaluate(&scope()), Ok(json!(true)), "{text}");
    }
    for text in [
        "a {{ b }}",
        "{{ a }} b",
        "{{ a }}{{ b }}",
        "{{ a }} {{",
        "",
        "{{ }}",
        "a }}",
        "}} a",
    ] {
        assert!(Template::parse_condition(text).is_err(), "{text}");
        assert!(check_condition(text).is_err(), "{text}");
    }
}

#[test]
fn a_rename_rewrites_references_and_nothing_else() {
    let table = [
        ("{{ steps.order.id }}", Some("{{ steps.bill.id }}")),
        (
            "{{steps.order}}{{ steps.order }}",
            Some("{{steps.bill}}{{ steps.bill }}"),
        ),
        ("{{ steps['order'].id }}", Some("{{ steps['bill'].id }}")),
        ("{{ steps . order . id }}", Some("{{ steps . bill . id }}")),
        (
            "{{ f(steps.order, [steps.order, {'a': steps.order}]) }}",
            Some("{{ f(steps.bill, [steps.bill, {'a': steps.bill}]) }}"),
        ),
        ("{{ x[steps.order.id] }}", Some("{{ x[steps.bill.id] }}")),
        (
            "{{ x | replace(steps.order, 'steps.order') }}",
            Some("{{ x | replace(steps.bill, 'steps.order') }}"),
        ),
        (
            "{{ steps.order.order.steps.order }}",
            Some("{{ steps.bill.order.steps.order }}"),
        ),
        ("{{ 'steps.order' }} steps.order", None),
        ("{{ steps.orders }}", None),
        ("{{ trigger.steps.order }}", None),
        ("{{ order.steps }}", None),
        ("steps.order", None),
        (
            "{{ steps.order. }} and {{ ( steps.order",
            Some("{{ steps.bill. }} and {{ ( steps.order"),
        ),
        (
            "{{ ) 1 1 steps.order.x }}",
            Some("{{ ) 1 1 steps.bill.x }}"),
        ),
        ("é{{ steps.order }}é", Some("é{{ steps.bill }}é")),
    ];
    for (text, expected) in table {
        assert_eq!(
            rename_step(text, "order", "bill", false).as_deref(),
            expected,
            "{text}"
        );
    }
    assert_eq!(
        rename_step("steps.order.id > 1", "order", "bill", true).as_deref(),
        Some("steps.bill.id > 1")
    );
    assert_eq!(
        rename_step("{{ steps.order.id > 1 }}", "order", "bill", true).as_deref(),
        Some("{{ steps.bill.id > 1 }}")
    );
}

#[test]
fn the_lists_of_names_are_what_the_environment_knows() {
    let shown = format!("{:?}", *ENVIRONMENT);
    let list = |what: &str| {
        let from = shown
            .find(&format!("{what}: ["))
            .expect("the environment shows its names")
            + what.len()
            + 3;
        let names = shown[from..]
            .split(']')
            .next()
            .unwrap_or_default()
            .split(", ");
        names
            .map(|name| name.trim_matches('"').to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(list("filters"), FILTERS);
    let named = |name: &String| name.starts_with(|first: char| first.is_ascii_alphabetic());
    assert_eq!(
        list("tests").into_iter().filter(named).collect::<Vec<_>>(),
        TESTS
    );
    let mut functions: Vec<_> = ENVIRONMENT
        .globals()
        .map(|(name, _)| name.to_owned())
        .collect();
    functions.sort();
    assert_eq!(functions, FUNCTIONS);
    for list in [FILTERS.as_slice(), &FUNCTIONS, &TESTS] {
        assert!(list.is_sorted());
    }
}

#[test]
fn json_with_templates_is_evaluated_inside_and_literals_stay() {
    let value = json!({"a": "{{ trigger.body.count }}", "b": ["x {{ item.sku }}", 1, null], "c": {"d": "{{"}});
    assert!(ValueTemplate::parse(&value).is_err());
    let value = json!({"a": "{{ trigger.body.count }}", "b": ["x {{ item.sku }}", 1, null], "c": {"{{ d }}": true}});
    let template = ValueTemplate::parse(&value).expect("it parses");
    let expected = json!({"a": 3, "b": ["x a", 1, null], "c": {"{{ d }}": true}});
    assert_eq!(template.evaluate(&scope()), Ok(expected));
    assert!(
        ValueTemplate::parse(&json!({"a": [1, "b"]}))
            .expect("it parses")
            .is_literal()
    );
}
