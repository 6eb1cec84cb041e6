//! The hostile suite: what was done to others of our kind, done to a server of our own. Each class
//! of attack counts what it tried and what got through, which has to be nothing.
//!
//! `SLUICE_HOSTILE_REPORT` names a file that one line for each class is added to.
//!
//! What is tried elsewhere, and why something is not tried:
//! - Code of steps, out of its sandbox: `tests/code/escape.rs`, which reports here as well.
//! - Names that change their address between being judged and being connected to (rebinding): a
//!   name is resolved once, and the address that was judged is the one that is connected to, so
//!   there is no second answer to change; `engine::network` tests that on the answer of a resolver.
//! - The URL that someone consents at: a browser opens it, no process of ours.
//! - The SMTP server of the operator: it is no setting of an organization.
//! - Files, Git, shells: no step has any; what confines code is tested with it.
//! - Every function with every kind of caller and foreign ids: `permission.rs`.

mod bomb;
mod confused;
mod expression;
mod forged;
mod growth;
mod reach;
mod stolen;

use std::fs::OpenOptions;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use domain::document::{ListRef, OnError, Place};
use domain::edit::{Edit, apply, new_step};
use domain::{LaneId, StepId, catalog};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::app::TestApp;
use crate::document::{document, wire};

/// Counts one class of attack.
pub(super) struct Tally {
    class: &'static str,
    inputs: usize,
    through: Vec<String>,
}

impl Tally {
    pub(super) fn new(class: &'static str) -> Self {
        Self {
            class,
            inputs: 0,
            through: Vec::new(),
        }
    }

    /// Counts an input, and whether it was stopped.
    pub(super) fn input(&mut self, is_stopped: bool, what: impl FnOnce() -> String) {
        self.inputs += 1;
        if !is_stopped {
            self.through.push(what());
        }
    }

    /// Reports, and asserts that enough was tried and nothing got through.
    pub(super) fn end(self, least: usize) {
        let Self {
            class,
            inputs,
            through,
        } = self;
        if let Ok(report) = std::env::var("SLUICE_HOSTILE_REPORT") {
            let file = OpenOptions::new().append(true).create(true).open(report);
            let line = format!("class={class} inputs={inputs} through={}\n", through.len());
            // One write, as other tests report at the same time.
            file.and_then(|mut file| file.write_all(line.as_bytes()))
                .expect("the report can be written");
        }
        assert!(inputs >= least, "{class}: only {inputs} inputs");
        assert!(through.is_empty(), "{class}: {}", through.join("\n"));
    }
}

/// Listens on every address of this machine and counts who comes.
pub(super) struct Canary {
    pub(super) port: u16,
    accepted: Arc<AtomicUsize>,
}

impl Canary {
    pub(super) async fn start() -> Self {
        let listener = match TcpListener::bind("[::]:0").await {
            Ok(listener) => listener,
            Err(_) => TcpListener::bind("0.0.0.0:0").await.expect("a free port"),
        };
        let port = listener.local_addr().expect("it is bound").port();
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
        tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { port, accepted }
    }

    /// Returns how many came since it was asked the last time.
    pub(super) fn came(&self) -> usize {
        self.accepted.swap(0, Ordering::SeqCst)
    }
}

/// Returns a webhook document that does a step for each item of the call's body, whatever comes of
/// it, and answers with what came of each.
pub(super) fn for_each(kind: &str, fields: &Value) -> Value {
    let mut made = document(
        "webhook",
        &[
            ("loop", "Each", json!({ "items": "{{ trigger.body }}" })),
            (
                "respond",
                "Answer",
                json!({ "body_type": "json", "json": "{{ steps.each.results | tojson }}" }),
            ),
        ],
    );
    let each = made.flow[0];
    let lane = made.steps[&each].lanes[0].id;
    let action = catalog::action(kind).expect("the catalog has it");
    let mut step = new_step(
        action,
        StepId(Uuid::now_v7()),
        "Try",
        "attempt".to_owned(),
        || LaneId(Uuid::now_v7()),
    );
    step.on_error.then = OnError::Continue;
    step.config
        .extend(fields.as_object().cloned().unwrap_or_default());
    let at = Place {
        list: ListRef::Lane(each, lane),
        index: 0,
    };
    let steps = vec![step];
    apply(&mut made, &Edit::Insert { steps, at }).expect("it fits into the loop");
    wire(&made)
}

/// Calls a webhook of [`for_each`] with items, some at a time; returns what came of each.
pub(super) async fn tried(app: &TestApp, path: &str, items: &[Value]) -> Vec<Value> {
    let mut all = Vec::new();
    for some in items.chunks(50) {
        let answer = app.anonymous.post_json(path, &json!(some)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let results = answer.json();
        all.extend(results.as_array().expect("a list").iter().cloned());
    }
    assert_eq!(all.len(), items.len());
    all
}

/// Returns what an output of a step that failed says.
pub(super) fn error_of(output: &Value) -> Option<&str> {
    output["error"]["message"].as_str()
}
