//! Where code ends that does not end by itself.

use std::time::Duration;

use domain::code::{CONSOLE_BYTES, CONSOLE_LINES, VALUE_BYTES};
use engine::port::{Sandbox, Script};
use serde_json::json;
use server::code::Processes;

use super::{processes, refusal, run, value};

/// What code has that would take whatever it got.
const SHORT: Duration = Duration::from_millis(300);
const TOO_LONG: &str = "The code took longer than";
const TOO_MUCH: &str = "The code used more than 64 MiB of memory.";
const TOO_DEEP: &str = "calls itself too deeply";
const TOO_LARGE: &str = "The code returned more than 5 MiB.";

#[tokio::test]
async fn code_without_end_is_ended() {
    for code in [
        "while (true);",
        "for (;;) { try { for (;;); } catch {} finally { continue; } }",
        "for (;;) await null;",
        "const again = () => queueMicrotask(again); again(); await new Promise(() => {});",
        "return /^(a+)+$/.test('a'.repeat(60) + 'b');",
        "return { get a() { for (;;); } };",
        "return { toJSON() { for (;;); } };",
        "return new Proxy({}, { ownKeys() { for (;;); } });",
        "console.log({ toJSON() { for (;;); } });",
        "throw { toString() { for (;;); }, toJSON() { return undefined; } };",
        "const e = new Error(); Object.defineProperty(e, 'stack', { get() { for (;;); } }); throw e;",
        "return { then() { for (;;); } };",
        "function* all() { for (;;) yield 1; } for (const one of all());",
    ] {
        let script = Script {
            code: code.to_owned(),
            input: json!({}),
        };
        let ran = processes().within(SHORT).run(script).await;
        let broke = ran.result.expect_err("it has no end");
        assert!(broke.message.starts_with(TOO_LONG), "{code}: {broke:?}");
        assert!(!broke.may_retry, "{code}: {broke:?}");
    }
}

/// What the interpreter itself does in one go asks nobody whether its time is over.
#[tokio::test]
async fn a_process_that_does_not_stop_by_itself_is_ended_from_outside() {
    let code = "return 'a'.repeat(4e6).split('a'.repeat(2e6) + 'b').length;";
    assert!(refusal(code).await.starts_with(TOO_LONG));
}

#[tokio::test]
async fn a_full_memory_is_told() {
    for code in [
        "const all = []; for (;;) all.push(new Array(1000).fill(1));",
        "let a = 'x'; for (;;) a += a + 'y';",
        "return new ArrayBuffer(1e9).byteLength;",
        "return new Uint8Array(200e6).length;",
        "const m = new Map(); for (let n = 0; ; n++) m.set(n, { n });",
        "return 'x'.repeat(2e8).length;",
        "const all = []; for (;;) { try { all.push(new Uint8Array(1e6)); } catch (e) { throw e; } }",
    ] {
        // Filling it takes a while on a busy machine.
        let program = env!("CARGO_BIN_EXE_sluice").into();
        let script = Script {
            code: code.to_owned(),
            input: json!({}),
        };
        let ran = Processes::new(program, 1).run(script).await;
        let message = ran.result.expect_err("it is too much").message;
        assert!(
            message.starts_with(TOO_MUCH)
                || message.contains("its memory was full")
                || message.contains("invalid")
                || message.contains("string too long"),
            "{code}: {message}"
        );
    }
}

#[tokio::test]
async fn too_deep_calls_are_told() {
    for code in [
        "const f = () => f(); f();",
        "const f = () => { try { f(); } finally { f(); } }; f();",
        "const o = { get a() { return this.a; } }; return o.a;",
        "const p = new Proxy({}, { get: (t, k, r) => r[k] }); return p.x;",
        "class A { toString() { return `${this}`; } } return `${new A()}`;",
        "const f = (n) => [1].map(() => f(n + 1)); f(0);",
    ] {
        let message = refusal(code).await;
        assert!(
            message.contains(TOO_DEEP) || message.starts_with(TOO_LONG),
            "{code}: {message}"
        );
    }
    let code = "return JSON.parse('['.repeat(1e6) + ']'.repeat(1e6)).length;";
    assert!(refusal(code).await.contains(TOO_DEEP));
}

#[tokio::test]
async fn a_result_is_as_large_as_an_answer_at_most() {
    let most = VALUE_BYTES - 2;
    assert_eq!(
        value(&format!("return 'x'.repeat({most});")).await,
        json!("x".repeat(most))
    );
    assert!(
        refusal(&format!("return 'x'.repeat({});", most + 1))
            .await
            .starts_with(TOO_LARGE)
    );
    assert!(
        refusal("return Array(1e6).fill('abcd');")
            .await
            .starts_with(TOO_LARGE)
    );
}

#[tokio::test]
async fn a_console_without_end_keeps_its_beginning() {
    let ran = run("for (let n = 0; n < 1e5; n++) console.log('line', n); return 1;").await;
    assert_eq!(ran.result, Ok(json!(1)));
    assert_eq!(ran.console[0].text, "line 0");
    assert_eq!(ran.console.len(), CONSOLE_LINES + 1);
    let ran = run("for (;;) console.log('x'.repeat(100000));").await;
    assert!(ran.result.is_err());
    let bytes: usize = ran.console.iter().map(|line| line.text.len()).sum();
    assert!(bytes <= CONSOLE_BYTES + 100, "{bytes}");
}

#[tokio::test]
async fn the_input_may_be_as_large_as_an_answer() {
    let text = "x".repeat(VALUE_BYTES - 100);
    let ran = super::run_with("return input.text.length;", json!({ "text": text })).await;
    assert_eq!(ran.result, Ok(json!(text.len())));
}
