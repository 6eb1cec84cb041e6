//! Testing a draft in the builder: a payload, the run, and what each step did.

mod compare;
mod events;
mod latest;
mod pins;

use std::collections::BTreeMap;
use std::time::Duration;

use domain::draft::CaughtEvent;
use domain::policy::Act;
use domain::run::{StepRecord, TestScope};
use domain::{DraftId, RunId, StepId, payload};
use leptos::prelude::*;
use leptos::task::spawn_local;
use serde_json::{Map, Value, json};

use super::super::api;
use super::super::editor::Editor;
use super::super::saving::{SaveState, Saving};
use super::{Builder, labelled};
use crate::design::field::described;
use crate::design::icon::Icon;
use crate::design::json::JsonView;
use crate::design::state::{RunStateBadge, StepStateBadge};
use crate::design::time::duration;
use crate::fault::Fault;
use crate::run::api::read_run;
use crate::run::records::{RecordTree, console};
use crate::session;
use latest::Latest;
use pins::Pins;
pub(super) use pins::mark as pin_mark;

/// How often a running test is asked for, beside the live notices.
const POLL: Duration = Duration::from_secs(1);

/// The tests of one draft. A handle.
#[derive(Clone, Copy)]
pub(super) struct Tests {
    draft: DraftId,
    editor: Editor,
    saving: Saving,
    /// Whether the test drawer is open.
    pub(super) open: RwSignal<bool>,
    /// The payload as typed.
    typed: RwSignal<String>,
    /// The newest test.
    latest: Latest,
    caught: RwSignal<Vec<CaughtEvent>>,
    /// Outputs that tests use instead of running the step.
    pub(super) pins: Pins,
    stage: RwSignal<Stage>,
    fault: RwSignal<Option<String>>,
}

/// How far a test is.
enum Stage {
    /// None is under way.
    Idle,
    /// It begins as soon as the draft is saved.
    Waiting(Value, TestScope),
    /// The server was asked to begin.
    Asked,
    /// It runs.
    Running(RunId),
}

impl Tests {
    pub(super) fn new(draft: DraftId, editor: Editor, saving: Saving) -> Self {
        let tests = Self {
            draft,
            editor,
            saving,
            open: RwSignal::new(false),
            typed: RwSignal::new(sample_payload(
                &editor.read(|document| document.trigger.kind.clone()),
            )),
            latest: Latest::new(),
            caught: RwSignal::new(Vec::new()),
            pins: Pins::new(draft),
            stage: RwSignal::new(Stage::Idle),
            fault: RwSignal::new(None),
        };
        spawn_local(async move {
            if let Ok(Some(detail)) = api::latest_test(draft).await
                && !tests.latest.is_disposed()
                && !untrack(|| tests.is_busy())
            {
                if let Some(payload) = detail
                    .payload
                    .as_ref()
                    .filter(|payload| payload.is_object())
                {
                    tests
                        .typed
                        .set(serde_json::to_string_pretty(payload).unwrap_or_default());
                }
                if !detail.summary.state.is_finished() {
                    tests.follow(detail.summary.id);
                }
                tests.latest.set(detail);
            }
        });
        tests.heard_of_event();
        Effect::new(move || tests.begin_when_saved());
        tests
    }

    /// Returns whether a test is under way; told when that changes.
    pub(super) fn is_busy(self) -> bool {
        self.stage.with(|stage| !matches!(stage, Stage::Idle))
    }

    /// Returns whether that run is the test under way.
    fn is_running(self, id: RunId) -> bool {
        let is_it = |stage: &Stage| matches!(stage, Stage::Running(running) if *running == id);
        self.stage.try_with_untracked(is_it).unwrap_or(false)
    }

    /// Reads the newest record of a step (of its last round, in a loop); told when it changes.
    pub(super) fn record_of<T>(self, id: StepId, read: impl FnOnce(&StepRecord) -> T) -> Option<T> {
        self.latest.record(id, read)
    }

    /// Returns whether tests use a pinned output of a step; told when that changes.
    pub(super) fn is_pinned(self, id: StepId) -> bool {
        self.pins.of(id).is_some()
    }

    /// Returns what a step gives as far as is known: what is pinned, else what it gave in the newest
    /// test.
    pub(super) fn output_of(self, id: StepId) -> Option<Value> {
        self.pins.output(id).or_else(|| self.recorded_output(id))
    }

    /// Returns what a step gave in the newest test.
    fn recorded_output(self, id: StepId) -> Option<Value> {
        self.record_of(id, |record| record.output.clone())
            .filter(|output| !output.is_null())
    }

    /// Returns what the trigger gives in the next test, or else gave in an event that was caught;
    /// nothing while the payload is what it is at first.
    pub(super) fn trigger_sample(self) -> Option<Value> {
        let kind = self.editor.trigger().kind;
        let typed = self.typed.with(|typed| {
            let is_own = *typed != sample_payload(&kind);
            is_own.then(|| payload::parse_json(typed.as_bytes()).ok())
        });
        let caught = || {
            self.caught
                .with(|caught| caught.first().map(|event| event.payload.clone()))
        };
        typed.flatten().or_else(caught)
    }

    /// Returns what is known of the run of the newest test, as expressions see it.
    pub(super) fn run_sample(self) -> Option<Value> {
        self.latest.summary(super::values::run_sample)
    }

    /// Takes note that a run went on.
    pub(super) fn heard_of_run(self, id: RunId) {
        if self.is_running(id) {
            self.fetch(id);
        }
    }

    /// Takes note that a test event was caught.
    pub(super) fn heard_of_event(self) {
        spawn_local(async move {
            if let Ok(events) = api::caught_events(self.draft).await
                && !self.caught.is_disposed()
            {
                self.caught.set(events);
            }
        });
    }

    fn fetch(self, id: RunId) {
        spawn_local(async move {
            match read_run(id).await {
                _ if !self.is_running(id) => {}
                Ok(detail) => {
                    if detail.summary.state.is_finished() {
                        self.stage.set(Stage::Idle);
                    }
                    self.latest.set(detail);
                }
                Err(fault) => self.fault.set(Some(fault.to_string())),
            }
        });
    }

    /// Asks now and then how a run goes on, until it ends.
    fn follow(self, id: RunId) {
        self.stage.set(Stage::Running(id));
        self.poll(id);
    }

    fn poll(self, id: RunId) {
        set_timeout(
            move || {
                if self.is_running(id) {
                    self.fetch(id);
                    self.poll(id);
                }
            },
            POLL,
        );
    }

    /// Starts a test of what is on screen, as soon as it is saved; none while another is under way.
    fn start(self, scope: TestScope) {
        if untrack(|| self.is_busy()) {
            return;
        }
        self.fault.set(None);
        let payload = match self
            .typed
            .with_untracked(|typed| payload::parse_json(typed.as_bytes()))
        {
            Ok(payload) => payload,
            Err(refusal) => {
                self.open.set(true);
                self.fault.set(Some(refusal.to_string()));
                return;
            }
        };
        self.saving.send();
        self.stage.set(Stage::Waiting(payload, scope));
    }

    /// Returns whether a test can be started now.
    pub(super) fn is_possible(self) -> bool {
        session::may(Act::Test).get_untracked().is_ok() && !untrack(|| self.is_busy())
    }

    /// Tests all of the draft, with the result in view.
    pub(super) fn run_all(self) {
        self.open.set(true);
        self.start(TestScope::Whole);
    }

    fn begin_when_saved(self) {
        if self
            .stage
            .with(|stage| !matches!(stage, Stage::Waiting(..)))
        {
            return;
        }
        match self.saving.state.get() {
            SaveState::Saved => {
                let stage = self
                    .stage
                    .try_update(|stage| std::mem::replace(stage, Stage::Asked));
                if let Some(Stage::Waiting(payload, scope)) = stage {
                    self.send(payload, scope);
                }
            }
            SaveState::Waiting | SaveState::Saving => {}
            SaveState::Offline | SaveState::Refused(_) => {
                self.stage.set(Stage::Idle);
                let why = "The draft is not saved yet, so it cannot be tested. See the top bar.";
                self.fault.set(Some(why.to_owned()));
            }
        }
    }

    fn send(self, payload: Value, scope: TestScope) {
        let revision = self.saving.revision.get_untracked();
        spawn_local(async move {
            let started: Result<RunId, Fault> =
                api::start_test(self.draft, revision, payload, scope).await;
            if self.stage.is_disposed() {
                return;
            }
            match started {
                Ok(id) => {
                    self.follow(id);
                    self.fetch(id);
                }
                Err(fault) => {
                    self.stage.set(Stage::Idle);
                    self.fault.set(Some(fault.to_string()));
                }
            }
        });
    }

    /// Returns the outputs of earlier steps that a test of one step can use.
    fn outputs_for(self, id: StepId) -> Map<String, Value> {
        let seen: Vec<(StepId, String)> = self.editor.read(|document| {
            document
                .visible_from(id)
                .into_iter()
                .map(|step| (step.id, step.slug.clone()))
                .collect()
        });
        let outputs: BTreeMap<String, Value> = seen
            .into_iter()
            .filter_map(|(id, slug)| Some((slug, self.output_of(id)?)))
            .collect();
        outputs.into_iter().collect()
    }
}

fn sample_payload(trigger: &str) -> String {
    let sample = match trigger {
        "webhook" => json!({ "method": "POST", "headers": {}, "query": {}, "body": {} }),
        "schedule" => json!({ "scheduled_at": "2026-01-01T06:00:00Z", "time_zone": "UTC" }),
        "poll" => json!({ "item": {}, "id": "", "polled_at": "2026-01-01T06:00:00Z" }),
        "call" => json!({ "body": {}, "caller": { "integration": "", "run": "" } }),
        _ => json!({ "body": {} }),
    };
    serde_json::to_string_pretty(&sample).unwrap_or_default()
}

/// The drawer with the payload at the left and the result at the right.
pub(super) fn drawer(builder: Builder) -> impl IntoView {
    let tests = builder.tests;
    view! {
        <Show when=move || tests.open.get()>
            <section class="test-drawer" aria-label="Test">
                <header class="test-head">
                    <h2>"Test"</h2>
                    <p class="panel-help">"Runs this draft. What is live is not touched; requests are really sent, and integrations really called."</p>
                    <button type="button" class="button quiet icon-only" aria-label="Close the test" on:click=move |_| tests.open.set(false)>
                        <Icon name="x" />
                    </button>
                </header>
                <div class="test-body">
                    <div class="test-input">
                        {payload_field(tests)}
                        {run_button(tests)}
                        {move || tests.fault.get().map(|text| view! { <p class="fault" role="alert">{text}</p> })}
                        {pinned_notice(tests)}
                        {events::caught(builder)}
                        {events::past(builder)}
                    </div>
                    <div class="test-result" aria-live="polite">{result(tests)}</div>
                </div>
            </section>
        </Show>
    }
}

/// Says that a test does not run everything.
fn pinned_notice(tests: Tests) -> impl IntoView {
    move || {
        let text = match tests.pins.count() {
            0 => return None,
            1 => "1 output is pinned: its step is not run.".to_owned(),
            count => format!("{count} outputs are pinned: their steps are not run."),
        };
        Some(view! { <p class="pin-notice"><Icon name="pin" /> {text}</p> })
    }
}

fn payload_field(tests: Tests) -> impl IntoView {
    let problem = move || {
        tests
            .typed
            .with(|typed| payload::parse_json(typed.as_bytes()).err())
            .map(|refusal| refusal.to_string())
    };
    view! {
        {labelled("Payload", "What the trigger gives; expressions see it as trigger.", Signal::derive(problem), move |id| view! {
            <textarea
                id=id.clone()
                class="input code"
                rows="10"
                spellcheck="false"
                aria-describedby=described(&id)
                prop:value=move || tests.typed.get()
                on:input=move |event| tests.typed.set(event_target_value(&event))
            ></textarea>
        }.into_any())}
    }
}

fn run_button(tests: Tests) -> impl IntoView {
    let may = session::may(Act::Test);
    let reason = move || may.get().err().map(|denied| denied.to_string());
    view! {
        <button
            type="button"
            class="button primary"
            prop:disabled=move || reason().is_some() || tests.is_busy()
            on:click=move |_| tests.start(TestScope::Whole)
        >
            <Icon name="play" />
            {move || if tests.is_busy() { "Running…" } else { "Run test" }}
        </button>
        {move || reason().map(|text| view! { <p class="field-help">{text}</p> })}
    }
}

fn result(tests: Tests) -> impl IntoView {
    move || {
        if tests.latest.is_none() {
            return view! { <p class="empty">"Run the test to see what each step does."</p> }
                .into_any();
        }
        let detail = Signal::derive(move || tests.latest.detail());
        view! {
            {move || detail.get().map(|detail| view! {
                <p class="test-summary">
                    <RunStateBadge state=detail.summary.state />
                    <span>{detail.summary.error.clone()}</span>
                </p>
            })}
            {compare::view(tests)}
            {move || detail.get().map(|detail| view! { <RecordTree detail=Signal::stored(detail) /> })}
        }
        .into_any()
    }
}

/// Tests one step alone, with what the steps before it gave.
pub(super) fn run_step(builder: Builder, id: StepId) {
    let tests = builder.tests;
    tests.start(TestScope::Step {
        step: id,
        outputs: tests.outputs_for(id),
    });
}

/// Tests the draft from its start up to a step.
pub(super) fn run_to(builder: Builder, id: StepId) {
    builder.tests.start(TestScope::Part {
        until: Some(id),
        pins: BTreeMap::new(),
    });
}

/// What the newest test did in one step, in the panel, and the buttons to test it.
pub(super) fn of_step(builder: Builder, id: StepId) -> impl IntoView {
    let tests = builder.tests;
    let is_off = move || session::may(Act::Test).get().is_err() || tests.is_busy();
    view! {
        <section class="panel-test" aria-label="Test of this step">
            <div class="row">
                <button type="button" class="button" prop:disabled=is_off on:click=move |_| run_step(builder, id)>
                    <Icon name="play" /> "Test this step"
                </button>
                <button type="button" class="button" prop:disabled=is_off on:click=move |_| run_to(builder, id)>
                    "Run to here"
                </button>
            </div>
            {pins::of_step(builder, id)}
            {move || tests.record_of(id, StepRecord::clone).map(record_view)}
        </section>
    }
}

fn record_view(record: StepRecord) -> impl IntoView {
    let took = record
        .finished_at
        .map(|end| duration(end.since(record.started_at)));
    let part = |title: &'static str, value: Value| {
        (!value.is_null()).then(|| {
            view! {
                <h3 class="panel-test-title">{title}</h3>
                <JsonView value=Signal::stored(value) />
            }
        })
    };
    view! {
        <div class="panel-test-result">
            <p><StepStateBadge state=record.state /> " " {took}</p>
            {record.error.map(|error| view! { <p class="fault">{error}</p> })}
            {console(&record.console)}
            {part("Output", record.output)}
            {part("Input", record.input)}
        </div>
    }
}
