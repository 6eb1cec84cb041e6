//! The hostile suite: what was done to others of our kind, done to a server of our own. Each class
//! of attack counts what it tried and what got through, which has to be nothing.
//!
//! `SLUICE_HOSTILE_REPORT` names a file that one line for each class is added to.
//!
//! What was done to others, class by class, and what tries it here:
//! - Expressions that reach out of their evaluator: [`expression`]; that evaluating one leaves the
//!   next as it was: `domain`'s tests of templates.
//! - Code out of its sandbox, and job after job: `tests/code/escape.rs`, which reports here as well.
//! - One organization's things under another's name: `permission.rs` (a foreign id in every
//!   function), [`stolen`], `store/tests/store/border.rs`. No cache holds what a step made.
//! - Names and texts that mean something to a shell, SQL, a template or a page: [`confused`], every
//!   field of every function; SQL is checked when it is compiled, and `tidy.rs` finds any elsewhere.
//! - Files, Git, shells: no step has any; what confines code is tested with it.
//! - Paths, and bodies that pose as others: [`confused`] (every function under every content type),
//!   [`forged`] (every part of a webhook's path), `page.rs` (files of the page).
//! - Webhooks of strangers, with missing, wrong, stale, replayed and cut signatures: [`forged`].
//! - Addresses that may not be reached: [`reach`], by every way out; `engine`'s tests say the same
//!   of e-mails, databases and tokens.
//! - Names that change their address between being judged and being connected to: a name is
//!   resolved once, and the address that was judged is the one that is connected to. A process has
//!   no setting for its name server, so `engine::network::rebinding` answers in its place, with real
//!   listeners at both addresses.
//! - Who may do what, and with whose connection: `permission.rs`, [`stolen`].
//! - Fields that nobody may set: a function takes what it names and nothing else; [`confused`].
//! - Pages that run what somebody typed: `end2end/tests/hostile.spec.ts`, in a browser, which reports
//!   here as well. Answers of webhooks are no pages of ours: `webhook.rs` holds their policy.
//! - Secrets in records, logs, dumps and browsers: `connection.rs` and `oauth.rs` with `bench secrets`,
//!   `end2end/tests/secrets.spec.ts`.
//! - Calls and answers that cost too much, slow and endless ones: [`bomb`]. Tables that strangers
//!   fill: [`growth`].
//! - Services that cannot prove who they are: `engine/tests/engine/untrusted.rs`, for every way out.
//!
//! What is not tried: the URL that someone consents at, as a browser opens it and no process of ours;
//! the SMTP server of the operator, which is no setting of an organization.

mod bomb;
mod component;
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
