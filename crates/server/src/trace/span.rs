//! What a span says: which run, which step, when, and how it ended.

use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use domain::run::{RunState, StepRecord, StepState};
use domain::{DocumentHash, IntegrationId, OrganizationId, Timestamp};
use engine::Program;
use engine::trace::Trace;
use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use store::ClaimedRun;

/// What is said of each run.
#[derive(Clone, Debug)]
pub(super) struct About {
    run: String,
    organization: OrganizationId,
    integration: IntegrationId,
    hash: DocumentHash,
    is_test: bool,
}

impl About {
    pub(super) fn of(claimed: &ClaimedRun) -> Self {
        Self {
            run: claimed.lease.run.to_string(),
            organization: claimed.organization,
            integration: claimed.integration,
            hash: claimed.hash.clone(),
            is_test: claimed.is_test,
        }
    }
}

/// Returns the span of a run that ended.
pub(super) fn run(
    trace: &Trace,
    about: &About,
    state: RunState,
    began: Timestamp,
    ended: Timestamp,
) -> SpanData {
    let attributes = vec![
        KeyValue::new("sluice.run.id", about.run.clone()),
        KeyValue::new("sluice.run.state", state.key()),
        KeyValue::new("sluice.run.is_test", about.is_test),
        KeyValue::new("sluice.organization.id", about.organization.to_string()),
        KeyValue::new("sluice.integration.id", about.integration.to_string()),
        KeyValue::new("sluice.document.hash", about.hash.0.clone()),
    ];
    let status = if state.is_bad_end() {
        Status::error(state.title())
    } else {
        Status::Ok
    };
    SpanData {
        parent_span_id: trace.parent.map_or(SpanId::INVALID, SpanId::from_bytes),
        parent_span_is_remote: trace.parent.is_some(),
        span_kind: SpanKind::Consumer,
        name: Cow::Borrowed("run"),
        start_time: at(began),
        end_time: at(ended),
        attributes,
        status,
        ..empty(trace, trace.root)
    }
}

/// Returns the span of a step that ended; `None` while it has not.
pub(super) fn step(trace: &Trace, program: &Program, record: &StepRecord) -> Option<SpanData> {
    let ended = record.finished_at?;
    let id = record.path.step;
    let name = program.name_of(id)?;
    let mut attributes = vec![
        KeyValue::new("sluice.step.id", id.to_string()),
        KeyValue::new("sluice.step.attempts", i64::from(record.attempts)),
    ];
    if !record.path.rounds.is_empty() {
        let rounds: Vec<_> = record.path.rounds.iter().map(u32::to_string).collect();
        attributes.push(KeyValue::new("sluice.step.rounds", rounds.join("/")));
    }
    let status = match record.state {
        StepState::Failed => Status::error("Failed"),
        StepState::InDoubt => Status::error("In doubt"),
        StepState::Started | StepState::Succeeded | StepState::Waiting => Status::Ok,
    };
    let span_kind = if program.reaches_out(id) {
        SpanKind::Client
    } else {
        SpanKind::Internal
    };
    Some(SpanData {
        parent_span_id: SpanId::from_bytes(trace.root),
        span_kind,
        name: Cow::Owned(name.to_owned()),
        start_time: at(record.started_at),
        end_time: at(ended),
        attributes,
        status,
        ..empty(trace, trace.step(&record.path))
    })
}

fn empty(trace: &Trace, span: [u8; 8]) -> SpanData {
    SpanData {
        span_context: SpanContext::new(
            TraceId::from_bytes(trace.id),
            SpanId::from_bytes(span),
            TraceFlags::SAMPLED,
            false,
            TraceState::NONE,
        ),
        parent_span_id: SpanId::INVALID,
        parent_span_is_remote: false,
        span_kind: SpanKind::Internal,
        name: Cow::Borrowed(""),
        start_time: UNIX_EPOCH,
        end_time: UNIX_EPOCH,
        attributes: Vec::new(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: Status::Unset,
        instrumentation_scope: InstrumentationScope::builder("sluice")
            .with_version(env!("CARGO_PKG_VERSION"))
            .build(),
    }
}

fn at(time: Timestamp) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(time.0).unwrap_or_default())
}
