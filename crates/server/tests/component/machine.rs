//! What a component gets, and what is made of what it gives.

use std::sync::Arc;

use bytes::Bytes;
use domain::connector::Connector;
use domain::{Timestamp, code};
use engine::port::{Answered, Ending, Inspector, Job, SigningKey};
use serde_json::{Value, json};

use crate::guest::{GOOD, embedded, good, guest, of_memory, with};
use crate::{asks, job, machines, refusal, run, run_job};

#[tokio::test]
async fn what_a_component_gives_is_the_output_and_what_it_says_is_the_error() {
    let machines = machines();
    let worked = run(&machines, &good()).await;
    assert_eq!(worked.end, Ending::Done(json!({ "a": 1 })));
    let fails = with(
        "(data (i32.const 1024) \"No such order.\")",
        "(call $gives (i32.const 0) (i32.const 1024) (i32.const 14))",
    );
    assert_eq!(refusal(run(&machines, &fails).await), "No such order.");
    let silent = guest("(call $gives (i32.const 0) (i32.const 1024) (i32.const 0))");
    let said = refusal(run(&machines, &silent).await);
    assert!(said.contains("did not say why"), "{said}");
}

/// The action is the first text that `run` has, the input the second.
#[tokio::test]
async fn a_component_gets_the_action_and_the_input_as_json() {
    let machines = machines();
    let echo = guest("(call $gives (i32.const 1) (local.get 2) (local.get 3))");
    let input = json!({ "text": "ä\u{0}", "list": [1, null, { "a": 1.5 }] });
    let given = Job {
        input: input.clone(),
        ..job(&echo)
    };
    let worked = run_job(&machines, &echo, given).await;
    assert_eq!(worked.end, Ending::Done(input));
    let action = guest("(call $gives (i32.const 0) (local.get 0) (local.get 1))");
    assert_eq!(refusal(run(&machines, &action).await), "do");
}

#[tokio::test]
async fn a_request_without_an_answer_stops_it_and_one_with_an_answer_goes_on() {
    let machines = machines();
    let module = asks("GET", "https://a.example.com/b");
    let mut job = job(&module);
    let worked = run_job(&machines, &module, job.clone()).await;
    let Ending::Asks { asked, has_signed } = worked.end else {
        panic!("{worked:?}");
    };
    assert_eq!((asked.method.as_str(), has_signed), ("GET", false));
    assert_eq!(asked.url, "https://a.example.com/b");
    assert_eq!((asked.body.as_ref(), asked.repeats), (None, false));
    let answered = Answered {
        digest: asked.digest(),
        at: Timestamp(5),
        answer: json!({ "status": 200, "headers": { "etag": "x" }, "body": { "from": "json" } }),
    };
    job.answered = Arc::new(vec![answered]);
    let worked = run_job(&machines, &module, job).await;
    assert_eq!(worked.end, Ending::Done(json!({ "from": "json" })));
}

#[tokio::test]
async fn a_component_that_asks_for_something_else_than_before_is_ended() {
    let machines = machines();
    let module = asks("GET", "https://a.example.com/b");
    let mut job = job(&module);
    job.answered = Arc::new(vec![Answered {
        digest: "another".to_owned(),
        at: Timestamp(5),
        answer: json!({ "status": 200 }),
    }]);
    let said = refusal(run_job(&machines, &module, job).await);
    assert!(said.contains("another request in place 1"), "{said}");
}

#[tokio::test]
async fn it_logs_to_the_console_within_bounds() {
    let machines = machines();
    let many = guest(&format!(
        "(local $left i32) (local.set $left (i32.const 1000))
         (loop $more
           (call $log (i32.const 2) (i32.const 64) (i32.const 7))
           (local.set $left (i32.sub (local.get $left) (i32.const 1)))
           (br_if $more (local.get $left)))
         {GOOD}"
    ));
    let worked = run(&machines, &many).await;
    assert_eq!(worked.console.len(), code::CONSOLE_LINES + 1);
    assert_eq!(worked.console[0].text, "{\"a\":1}");
    assert_eq!(worked.console[0].level, code::Level::Warning);
}

/// One text, `{"a":1}`, is signed with the key itself.
const SIGNS: &str =
    "(i32.store (i32.const 600) (i32.const 64)) (i32.store (i32.const 604) (i32.const 7))
    (call $sign (i32.const 64) (i32.const 0) (i32.const 600) (i32.const 1) (i32.const 512))
    (call $gives (i32.const 0) (i32.load (i32.const 512)) (i32.load (i32.const 516)))";

#[tokio::test]
async fn it_signs_with_a_key_that_it_does_not_see() {
    let machines = machines();
    let module = guest(SIGNS);
    let said = refusal(run(&machines, &module).await);
    assert!(said.contains("wants a signature"), "{said}");
    let with_key = Job {
        key: Some(SigningKey::new("AKIDEXAMPLE", "made up")),
        ..job(&module)
    };
    // What is signed with is known by its id.
    let said = refusal(run_job(&machines, &module, with_key).await);
    assert_eq!(said, "AKIDEXAMPLE");
}

/// Says of a module what an Admin is told who imports it.
async fn unfit(module: Vec<u8>) -> String {
    let connector = json!({
        "form": 1, "key": "a", "title": "A", "base": "https://a.example.com",
        "component": {},
        "actions": [{ "key": "do", "title": "Do", "run": "do" }],
    });
    let connector = Connector::read(&connector.to_string()).expect("it is whole");
    match machines().inspect(connector, Bytes::from(module)).await {
        Ok(()) => String::new(),
        Err(faults) => faults[0].to_string(),
    }
}

#[tokio::test]
async fn only_what_the_world_has_may_be_imported_and_it_is_told_by_name() {
    assert_eq!(unfit(good()).await, "");
    let foreign = |from: &str, name: &str| {
        embedded(&format!(
            "(module (import \"{from}\" \"{name}\" (func)) (memory (export \"memory\") 1)
               (func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) unreachable)
               (func (export \"run\") (param i32 i32 i32 i32) (result i32) unreachable))"
        ))
    };
    for (from, name) in [
        ("wasi_snapshot_preview1", "fd_write"),
        ("env", "system"),
        ("wasi:filesystem/types@0.2.0", "stat"),
        ("sluice:connector/host@1.0.0", "open-vault"),
        ("sluice:connector/host@2.0.0", "send"),
        ("sluice:connector/secret@1.0.0", "send"),
    ] {
        let told = unfit(foreign(from, name)).await;
        let names = told.contains(from) || told.contains(name);
        assert!(
            told.starts_with("component: ") && names,
            "{from} {name}: {told}"
        );
    }
    // A component may ask for the same; there it is the import of a component.
    let component = wat::parse_str(
        "(component (import \"wasi:cli/environment@0.2.0\" (instance (export \"f\" (func)))))",
    );
    let told = unfit(component.expect("it is a component")).await;
    assert!(
        told.contains("imports `wasi:cli/environment@0.2.0`, which is not there"),
        "{told}"
    );
}

#[tokio::test]
async fn what_is_no_component_or_does_not_start_is_not_imported() {
    let endless = with(
        "(func $start (loop $again (br $again))) (start $start)",
        GOOD,
    );
    let huge = of_memory("2000", "", GOOD);
    let locals = format!("(func (local{}))", " i64".repeat(6_000));
    for (module, part) in [
        (b"hello".to_vec(), "no WebAssembly"),
        (b"\0asm".to_vec(), "no WebAssembly"),
        (b"\0asm\x01\0\0\0".to_vec(), "does not export `run"),
        (b"\0asm\x0d\0\x01\0".to_vec(), "does not export `run"),
        (b"\0asm\xff\xff\xff\xff".to_vec(), "component"),
        // Each may be instantiated a thousand times, and those in it as well.
        (
            b"\0asm\x0d\0\x01\0\x04\x08\0asm\x0d\0\x01\0".to_vec(),
            "a component within a component",
        ),
        (with(&locals, GOOD), "more than 5000 variables"),
        (endless, "cannot be started. The component did more"),
        (
            huge,
            "cannot be started. The component used more than 64 MiB",
        ),
        (vec![0; 5 * 1024 * 1024], "more than 4 MiB"),
    ] {
        let told = unfit(module).await;
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[tokio::test]
async fn what_time_it_is_passes_with_the_answers_only() {
    let machines = machines();
    // Gives the time as one sign for each second, twice, and asks in between.
    let module = with(
        "(data (i32.const 1024) \"GET\") (data (i32.const 2048) \"0123456789\")",
        "(local $first i32)
         (local.set $first (i32.wrap_i64 (call $now)))
         (call $send (i32.const 1024) (i32.const 3) (i32.const 2048) (local.get $first)
           (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
           (i32.const 512))
         (call $gives (i32.const 1) (i32.const 2048) (i32.wrap_i64 (call $now)))",
    );
    let mut job = Job {
        now: Timestamp(3),
        ..job(&module)
    };
    let worked = run_job(&machines, &module, job.clone()).await;
    let Ending::Asks { asked, .. } = worked.end else {
        panic!("{worked:?}");
    };
    assert_eq!(asked.url, "012");
    job.answered = Arc::new(vec![Answered {
        digest: asked.digest(),
        at: Timestamp(3),
        answer: Value::Null,
    }]);
    job.now = Timestamp(1);
    let worked = run_job(&machines, &module, job).await;
    assert_eq!(
        worked.end,
        Ending::Done(json!(0)),
        "one second later it is 1"
    );
}
