//! Modules that were made to be compiled for long, or with much memory: a process of its own tries
//! each before the server compiles it.

use std::path::PathBuf;
use std::time::Duration;

use domain::connector::Connector;
use engine::port::{Ending, Inspector};
use serde_json::json;
use server::component::Machines;

use crate::guest::{GOOD, good, with};
use crate::hostile::nested;
use crate::{job, refusal, run, run_job, sluice};

/// Returns a component of so many functions that do something.
fn of_functions(count: usize) -> Vec<u8> {
    let function = |at: usize| {
        format!(
            "(func (export \"f{at}\") (param i32) (result i32) (i32.xor (i32.mul (local.get 0) (i32.const {at})) (i32.shl (local.get 0) (i32.const 3))))"
        )
    };
    let parts: String = (0..count).map(function).collect();
    with(&parts, GOOD)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_compiled_in_time_may_be_another_time_and_is_not_imported() {
    let machines = Machines::trying_within(
        sluice(),
        2,
        Duration::from_secs(2),
        Duration::from_millis(1),
    );
    let module = with(&nested(20_000, 2_000), GOOD);
    let Ending::Broke(broke) = run(&machines, &module).await.end else {
        panic!("it takes longer than that");
    };
    assert!(broke.message.contains("longer than 20 s"), "{broke:?}");
    assert!(broke.may_retry, "{broke:?}");
    let connector = json!({
        "form": 1, "key": "a", "title": "A", "base": "https://a.example.com",
        "component": {},
        "actions": [{ "key": "do", "title": "Do", "run": "do" }],
    });
    let connector = Connector::read(&connector.to_string()).expect("it is whole");
    let imported = machines.inspect(connector, module.into()).await;
    let faults = imported.expect_err("it is refused");
    assert!(
        faults[0].to_string().contains("longer than 20 s"),
        "{faults:?}"
    );
}

/// What is large and means no harm is compiled, also when many ask for it at the same time.
#[tokio::test(flavor = "multi_thread")]
async fn a_component_of_many_functions_is_compiled_for_all_who_ask() {
    let machines = Machines::new(sluice(), 2, Duration::from_secs(5));
    let module = of_functions(2_000);
    let all = (0..8).map(|_| run(&machines, &module));
    for worked in futures::future::join_all(all).await {
        assert_eq!(worked.end, Ending::Done(json!({ "a": 1 })));
    }
}

#[tokio::test]
async fn where_nothing_can_be_tried_nothing_is_compiled() {
    let at = |program: &str| Machines::new(PathBuf::from(program), 1, Duration::from_secs(2));
    let Ending::Broke(broke) = run(&at("/nowhere/sluice"), &good()).await.end else {
        panic!("it was not tried");
    };
    assert!(
        broke.may_retry && broke.message.contains("could not start"),
        "{broke:?}"
    );
    // Whatever the process says that is not an answer is a no.
    for program in ["/bin/true", "/bin/false", "/bin/echo", "/bin/yes"] {
        let module = good();
        let said = refusal(run_job(&at(program), &module, job(&module)).await);
        assert!(said.contains("broke off"), "{program}: {said}");
    }
}
