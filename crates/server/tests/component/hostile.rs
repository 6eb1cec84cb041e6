//! Components that mean harm, each in a machine that others use at the same time.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write;
use std::time::Duration;

use engine::port::Ending;
use serde_json::json;
use server::component::Machines;

use crate::guest::{GOOD, embedded, good, guest, of_memory, with};
use crate::{job, machines, run, run_job, sluice};

/// Aliases a long text many times: a list of a million entries that all are the same 60 KiB.
const ALIASES: &str = "(local $at i32) (local.set $at (i32.const 131072))
    (drop (memory.grow (i32.const 512)))
    (loop $more
      (i32.store (local.get $at) (i32.const 0)) (i32.store offset=4 (local.get $at) (i32.const 60000))
      (i32.store offset=8 (local.get $at) (i32.const 0)) (i32.store offset=12 (local.get $at) (i32.const 60000))
      (local.set $at (i32.add (local.get $at) (i32.const 16)))
      (br_if $more (i32.lt_u (local.get $at) (i32.const 16908288))))";

/// What is tried, and what is said of it.
fn attacks() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let trap = "broke off";
    vec![
        ("a loop", guest("(loop $again (br $again)) unreachable"), "less in one step"),
        (
            "a loop of large copies",
            guest("(drop (memory.grow (i32.const 512))) (loop $again
                (memory.fill (i32.const 0) (i32.const 1) (i32.const 33000000)) (br $again)) unreachable"),
            "less in one step",
        ),
        (
            "a loop of lines",
            guest("(loop $again (call $log (i32.const 0) (i32.const 0) (i32.const 100000)) (br $again)) unreachable"),
            "took longer than",
        ),
        ("recursion", with("(func $again (call $again) (call $again))", "(call $again) unreachable"), "calls itself too deeply"),
        (
            "recursion with large frames",
            with("(func $again (param i64 i64 i64 i64 i64 i64 i64 i64) (call $again (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4) (i64.const 5) (i64.const 6) (i64.const 7) (i64.const 8)) (drop (local.get 7)))",
                "(call $again (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4) (i64.const 5) (i64.const 6) (i64.const 7) (i64.const 8)) unreachable"),
            "calls itself too deeply",
        ),
        ("memory, page by page", guest("(loop $again (drop (memory.grow (i32.const 1))) (br $again)) unreachable"), "more than 64 MiB"),
        ("memory, at once", guest("(drop (memory.grow (i32.const 60000))) unreachable"), "more than 64 MiB"),
        ("memory, from the beginning", of_memory("2000", "", GOOD), "more than 64 MiB"),
        ("memory, to be filled by realloc", guest("(call $gives (i32.const 1) (i32.const 0) (i32.const 2000000000))"), trap),
        ("a table", with("(table 100000000 funcref)", GOOD), "larger tables"),
        ("a table that grows", with("(table $t 1 funcref)", "(loop $again (drop (table.grow $t (ref.null func) (i32.const 10000))) (br $again)) unreachable"), "larger tables"),
        ("many tables", with(&"(table 1 funcref)".repeat(50), GOOD), ""),
        ("a huge output", of_memory("900", "", "(memory.fill (i32.const 131072) (i32.const 32) (i32.const 50000000)) (call $gives (i32.const 1) (i32.const 131072) (i32.const 50000000))"), ""),
        ("an output of more than there may be", of_memory("200", "", "(memory.fill (i32.const 131072) (i32.const 32) (i32.const 6000000)) (call $gives (i32.const 1) (i32.const 131072) (i32.const 6000000))"), "more than 5 MiB"),
        ("an output outside of its memory", guest("(call $gives (i32.const 1) (i32.const -8) (i32.const 8))"), trap),
        ("an output that is no text", with("(data (i32.const 1024) \"\\ff\\fe\")", "(call $gives (i32.const 1) (i32.const 1024) (i32.const 2))"), trap),
        ("an output that is not JSON", with("(data (i32.const 1024) \"{a}\")", "(call $gives (i32.const 1) (i32.const 1024) (i32.const 3))"), "not JSON"),
        (
            "deep JSON",
            guest("(memory.fill (i32.const 1024) (i32.const 91) (i32.const 100000)) (call $gives (i32.const 1) (i32.const 1024) (i32.const 100000))"),
            "nested deeper",
        ),
        ("a result outside of its memory", guest("(i32.const -4)"), trap),
        ("a result that is not aligned", guest("(i32.const 17)"), trap),
        ("a result of no kind", guest("(i32.store8 (i32.const 16) (i32.const 9)) (i32.const 16)"), trap),
        ("unreachable", guest("unreachable"), "it panicked"),
        ("division by zero", guest("(i32.div_u (i32.const 1) (i32.const 0))"), trap),
        ("an address beyond its memory", guest("(i32.load (i32.const -1))"), trap),
        ("a function that is not there", with("(table 1 funcref) (type $f (func (result i32)))", "(call_indirect (type $f) (i32.const 0))"), trap),
        (
            "headers that all are the same long text",
            guest(&format!("{ALIASES} (call $send (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 1)
                (i32.const 131072) (i32.const 1000000) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 512)) unreachable")),
            trap,
        ),
        (
            "texts to sign that all are the same",
            guest(&format!("{ALIASES} (call $sign (i32.const 0) (i32.const 1) (i32.const 131072) (i32.const 2000000) (i32.const 512)) unreachable")),
            trap,
        ),
        (
            "more headers than its memory holds",
            guest("(call $send (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 0) (i32.const -1)
                (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 512)) unreachable"),
            trap,
        ),
        ("a level that is none", guest("(call $log (i32.const 77) (i32.const 64) (i32.const 7)) unreachable"), trap),
        ("an endless start", with("(func $start (loop $again (br $again))) (start $start)", GOOD), "less in one step"),
        (
            "no memory to be answered in",
            embedded("(module (import \"sluice:connector/host@1.0.0\" \"now\" (func (result i64))) (memory (export \"memory\") 1)
                (func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) (i32.const -16))
                (func (export \"run\") (param i32 i32 i32 i32) (result i32) unreachable))"),
            trap,
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn each_ends_its_own_step_and_the_others_go_on() {
    let machines = machines();
    let (mut inputs, mut through) = (0, Vec::new());
    for (what, module, part) in attacks() {
        inputs += 1;
        let good = good();
        let (hostile, neighbour) = tokio::join!(run(&machines, &module), run(&machines, &good));
        let said = match hostile.end {
            Ending::Broke(broke) => broke.message,
            end => format!("it went through: {end:?}"),
        };
        if !said.contains(part) || said.starts_with("it went through") {
            through.push(format!("{what}: {said}"));
        }
        if neighbour.end != Ending::Done(json!({ "a": 1 })) {
            through.push(format!(
                "{what}: its neighbour ended with {:?}",
                neighbour.end
            ));
        }
    }
    report("component-bomb", inputs, &through);
}

/// Returns a function with so many loops in each other, and so many variables that change in the
/// innermost: what compiles makes something of each variable for each loop.
pub(crate) fn nested(loops: usize, variables: usize) -> String {
    let mut text = format!(
        "(func (param $go i32) (local {})",
        "i32 ".repeat(variables).trim_end()
    );
    text.push_str(&" loop".repeat(loops));
    for variable in 1..=variables {
        let _ = write!(
            text,
            " local.get {variable} local.get 0 i32.add local.set {variable}"
        );
    }
    text.push_str(&" local.get 0 br_if 0 end".repeat(loops));
    text.push(')');
    text
}

/// A few hundred kilobytes pass every look at what a module is made of.
#[tokio::test(flavor = "multi_thread")]
async fn what_takes_more_to_compile_than_there_is_ends_no_server() {
    let machines = machines();
    let (mut inputs, mut through) = (0, Vec::new());
    for (what, loops, variables) in [
        ("much memory", 2_000, 4_900),
        ("many loops", 20_000, 4_900),
        ("much time", 1_000, 1_000),
    ] {
        let module = with(&nested(loops, variables), GOOD);
        assert!(module.len() < 512 * 1024, "{}", module.len());
        inputs += 1;
        let good = good();
        // Others do not wait for it.
        assert_eq!(
            run(&machines, &good).await.end,
            Ending::Done(json!({ "a": 1 }))
        );
        let (hostile, neighbour) = tokio::join!(run(&machines, &module), run(&machines, &good));
        assert_eq!(neighbour.end, Ending::Done(json!({ "a": 1 })));
        match hostile.end {
            Ending::Broke(broke) if broke.message.starts_with("To compile the component takes") => {
                // What came of it is known from now on.
                let again = run(&machines, &module).await.end;
                if broke.may_retry || again != Ending::Broke(broke) {
                    through.push(format!("{what}, once more: {again:?}"));
                }
            }
            end => through.push(format!("{what}: {end:?}")),
        }
    }
    report("component-compiled", inputs, &through);
}

/// A bit of a component that is another: it is refused, or runs within the same bounds.
#[tokio::test(flavor = "multi_thread")]
async fn a_component_with_something_else_in_it_is_refused_or_bounded() {
    let machines = Machines::new(sluice(), 2, Duration::from_millis(300));
    let whole = good();
    let (mut inputs, mut through) = (0, Vec::new());
    for at in (0..whole.len()).step_by(whole.len() / 150) {
        for with in [0x00, 0x7f, 0xff] {
            let mut module = whole.clone();
            module[at] = with;
            inputs += 1;
            // Whatever it gives: the thread that ran it lives.
            let worked = run_job(&machines, &module, job(&module)).await;
            if let Ending::Broke(broke) = worked.end
                && broke.message.contains("Something went wrong")
            {
                through.push(format!("{at} {with}: {}", broke.message));
            }
        }
    }
    let after = run(&machines, &whole).await;
    assert_eq!(after.end, Ending::Done(json!({ "a": 1 })));
    report("component-forged", inputs, &through);
}

/// One that nobody waits for any more gives its place back.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_given_up_ends_and_others_take_its_place() {
    let machines = Machines::new(sluice(), 1, Duration::from_secs(5));
    // Long in time, and short in instructions.
    let slow = attacks().swap_remove(2).1;
    // Also where its time is over before it begins.
    let none = run(&Machines::new(sluice(), 1, Duration::ZERO), &slow).await;
    assert!(matches!(none.end, Ending::Broke(_)));
    let given_up = tokio::time::timeout(Duration::from_millis(300), run(&machines, &slow)).await;
    assert!(given_up.is_err(), "it had no end");
    let next = run(&machines, &good()).await;
    assert_eq!(next.end, Ending::Done(json!({ "a": 1 })));
}

/// Reports a class of attack, as the hostile suite of the server does.
fn report(class: &str, inputs: usize, through: &[String]) {
    if let Ok(report) = std::env::var("SLUICE_HOSTILE_REPORT") {
        let file = OpenOptions::new().append(true).create(true).open(report);
        let line = format!("class={class} inputs={inputs} through={}\n", through.len());
        file.and_then(|mut file| file.write_all(line.as_bytes()))
            .expect("the report can be written");
    }
    assert!(through.is_empty(), "{class}: {}", through.join("\n"));
}
