//! Code steps in the real process: what they can do, where they end, and what they cannot reach.

mod escape;
mod limit;
mod process;
mod script;

use std::path::PathBuf;
use std::time::Duration;

use engine::port::{Ran, Sandbox, Script};
use serde_json::{Value, json};
use server::code::Processes;

/// The processes of a server, whose code has two seconds.
fn processes() -> Processes {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_sluice"));
    Processes::new(program, 2).within(Duration::from_secs(2))
}

async fn run_with(code: &str, input: Value) -> Ran {
    let code = code.to_owned();
    processes().run(Script { code, input }).await
}

async fn run(code: &str) -> Ran {
    run_with(code, json!({})).await
}

/// Runs code that is right; returns what it gives.
async fn value(code: &str) -> Value {
    let ran = run(code).await;
    ran.result
        .unwrap_or_else(|broke| panic!("{code}: {broke:?}"))
}

/// Runs code that is wrong; returns what is said of it. Another attempt would do no better.
async fn refusal(code: &str) -> String {
    let broke = run(code).await.result.expect_err("it is wrong");
    assert!(!broke.may_retry, "{code}: {broke:?}");
    broke.message
}
