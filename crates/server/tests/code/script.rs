//! What code gets, gives and says.

use domain::code::Level;
use serde_json::{Value, json};

use super::{refusal, run, run_with, value};

#[tokio::test]
async fn input_and_result_keep_their_types() {
    let input = json!({
        "text": "ü\u{1f600}\"\\\u{0}", "whole": 7, "part": -0.5, "yes": true, "none": null,
        "list": [1, [2]], "object": {"__proto__": {"a": 1}, "constructor": 2},
    });
    let ran = run_with("return input;", input.clone()).await;
    assert_eq!(ran.result, Ok(input));
}

#[tokio::test]
async fn what_has_json_of_its_own_is_given_as_that() {
    for (code, gives) in [
        ("", Value::Null),
        ("return;", Value::Null),
        ("return undefined;", Value::Null),
        ("return () => 1;", Value::Null),
        ("return Symbol('x');", Value::Null),
        ("return NaN;", Value::Null),
        ("return new Date(0);", json!("1970-01-01T00:00:00.000Z")),
        (
            "return { a: undefined, b: () => 1, c: 3 };",
            json!({"c": 3}),
        ),
        ("return [undefined];", json!([null])),
        ("return new Map([[1, 2]]);", json!({})),
        ("return await Promise.resolve(5);", json!(5)),
        ("return (async () => 6)();", json!(6)),
        ("return { toJSON() { return 'own'; } };", json!("own")),
        (
            "return JSON.parse('{\"__proto__\": 1}');",
            json!({"__proto__": 1}),
        ),
        (
            "const { a = 1, ...rest } = input; return [a, rest];",
            json!([1, {}]),
        ),
        ("return `${{}}`; // }})", json!("[object Object]")),
        (
            "return /(?<y>\\d{4})/u.exec('in 2026').groups.y;",
            json!("2026"),
        ),
    ] {
        assert_eq!(value(code).await, gives, "{code}");
    }
}

/// There is no zone to read, and none that a server could have by chance.
#[tokio::test]
async fn times_are_in_utc_and_the_clock_goes() {
    let code = "const at = new Date(); return [at.getTimezoneOffset(), new Date(2026, 6, 1).toISOString(), at.getTime() > Date.UTC(2024, 0)];";
    assert_eq!(
        value(code).await,
        json!([0, "2026-07-01T00:00:00.000Z", true])
    );
}

#[tokio::test]
async fn an_error_names_the_line_and_the_column_of_the_code() {
    for (code, said) in [
        (
            "foo();",
            "Line 1, column 1: ReferenceError: foo is not defined",
        ),
        (
            "const a = 1;\n\n  a.b.c;",
            "Line 3, column 3: TypeError: cannot read property 'c' of undefined",
        ),
        (
            "let x = ;",
            "Line 1, column 9: SyntaxError: unexpected token in expression: ';'",
        ),
        (
            "// one\nthrow new RangeError('too far');",
            "Line 2, column 11: RangeError: too far",
        ),
        ("throw 'just a text';", "just a text"),
        ("throw { code: 7 };", "{\"code\":7}"),
        ("throw null;", "null was thrown"),
        ("throw new Error('');", "Line 1, column 11: Error"),
        (
            "if (true) {\n  return 1;",
            "Line 2, column 2: SyntaxError: unexpected token in expression: ')'",
        ),
        (
            "}); (function () {",
            "A bracket is closed that was not opened.",
        ),
    ] {
        let message = refusal(code).await;
        assert!(message.starts_with(said), "{code}: {message}");
    }
}

#[tokio::test]
async fn what_is_no_json_is_refused_with_the_reason() {
    for (code, said) in [
        ("const a = {}; a.a = a; return a;", "circular reference"),
        ("return 10n;", "BigInt"),
        (
            "let a = []; for (let n = 0; n < 120; n++) a = [a]; return a;",
            "nested deeper than 100 levels",
        ),
        (
            "let a = []; for (let n = 0; n < 1e5; n++) a = [a]; return a;",
            "nested too deeply",
        ),
        ("return '\\ud800';", "not JSON"),
        (
            "return { toJSON() { throw new Error('no'); } };",
            "Error: no",
        ),
        (
            "await new Promise(() => {});",
            "waits for a promise that nothing settles",
        ),
    ] {
        let message = refusal(code).await;
        assert!(message.contains(said), "{code}: {message}");
    }
}

#[tokio::test]
async fn the_console_is_kept_also_of_code_that_fails() {
    let code = "console.log('a', 1, { b: [2] }, null, undefined, 3n, () => 1, Symbol('s'));
        console.warn(new TypeError('odd'));
        console.error('bad'); console.debug(); console.info({ get x() { throw 1; } });
        throw new Error('end');";
    let ran = run(code).await;
    assert!(ran.result.is_err());
    let lines: Vec<_> = ran
        .console
        .iter()
        .map(|line| (line.level, line.text.as_str()))
        .collect();
    assert_eq!(
        lines[0],
        (
            Level::Info,
            "a 1 {\"b\":[2]} null undefined 3 [function] [symbol]"
        )
    );
    assert_eq!(lines[1], (Level::Warning, "TypeError: odd"));
    assert_eq!(lines[2], (Level::Error, "bad"));
    assert_eq!(lines[3], (Level::Debug, ""));
    assert_eq!(lines[4].0, Level::Info);
    assert_eq!(lines.len(), 5);
}
