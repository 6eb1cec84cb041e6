//! Traces of runs over OTLP: a span for each run, and one for each step in it.
//!
//! Spans are made of what became durable, when it did, and their ids follow from the run's
//! ([`engine::trace`]): a run that three processes worked on over a week is one trace. They hold
//! names, ids, times and how it ended, never what a run handled. What a collector does not take
//! is dropped and counted; no run ever waits for one.
//!
//! Set up as all of OpenTelemetry is, by the environment: `OTEL_EXPORTER_OTLP_ENDPOINT` turns it
//! on; headers, timeouts, resource attributes and sampler have their standard names, too.

mod sampler;
mod send;
mod span;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use domain::Timestamp;
use domain::run::{RunState, StepRecord};
use engine::port::{Clock, Journal, Lease, Lost, SystemClock};
use engine::trace::{Caller, Trace};
use engine::{Outcome, Program};
use opentelemetry_sdk::trace::SpanData;
use store::{ClaimedRun, PgJournal};
use tokio::sync::mpsc;

use crate::worker::Suspect;
use sampler::Sampler;
pub use send::Sending;

/// Spans that wait to be sent; more are dropped.
const WAITING: usize = 8_192;

/// Why traces cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// One of OpenTelemetry's own settings.
    #[error("Traces cannot be sent as the environment says (OTEL_…): {0}")]
    Exporter(String),
    /// Not a sampler.
    #[error(
        "OTEL_TRACES_SAMPLER is `{0}`. Choose always_on, always_off, traceidratio, or one of them with parentbased_ before it."
    )]
    Sampler(String),
    /// Not a ratio.
    #[error("OTEL_TRACES_SAMPLER_ARG is `{0}`. Write a number from 0 to 1.")]
    Ratio(String),
}

/// Makes spans of runs. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Tracer {
    spans: mpsc::Sender<SpanData>,
    sampler: Sampler,
    dropped: Arc<AtomicU64>,
}

impl Tracer {
    /// Returns what the environment asks for, with the task that sends; `None` when no spans are
    /// to be sent anywhere.
    ///
    /// # Errors
    /// When a setting cannot be used.
    pub fn from_environment(
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<(Self, Sending)>, Refusal> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let endpoints = [
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            "OTEL_EXPORTER_OTLP_ENDPOINT",
        ];
        let is_off = set("OTEL_SDK_DISABLED").is_some_and(|it| it.eq_ignore_ascii_case("true"))
            || set("OTEL_TRACES_EXPORTER").is_some_and(|it| it == "none");
        if is_off || !endpoints.into_iter().any(|name| set(name).is_some()) {
            return Ok(None);
        }
        let sampler = Sampler::read(
            set("OTEL_TRACES_SAMPLER").as_deref(),
            set("OTEL_TRACES_SAMPLER_ARG").as_deref(),
        )?;
        let (spans, waiting) = mpsc::channel(WAITING);
        let tracer = Self {
            spans,
            sampler,
            dropped: Arc::default(),
        };
        let sending = Sending::new(waiting, tracer.dropped.clone())?;
        Ok(Some((tracer, sending)))
    }

    /// Returns how many spans were lost because the collector was too slow or not there.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Returns what traces an execution of a run, unless it is not sampled.
    pub(crate) fn begin(&self, claimed: &ClaimedRun, program: &Arc<Program>) -> Option<Traced> {
        let caller = Caller::of(&claimed.payload);
        let run = claimed.lease.run;
        let trace = Trace::new(run, claimed.resumed_at, caller);
        self.sampler.takes(&trace, caller).then(|| Traced {
            tracer: self.clone(),
            trace,
            program: program.clone(),
            about: span::About::of(claimed),
            began_at: claimed.resumed_at.unwrap_or(claimed.created_at),
        })
    }

    fn tell(&self, span: SpanData) {
        if self.spans.try_send(span).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// An execution whose steps become spans.
#[derive(Clone, Debug)]
pub(crate) struct Traced {
    tracer: Tracer,
    /// The run's trace.
    pub(crate) trace: Trace,
    program: Arc<Program>,
    about: span::About,
    began_at: Timestamp,
}

impl Traced {
    /// Returns what is to be told once it is durable that an execution ended so.
    pub(crate) fn ended(&self, outcome: &Outcome) -> Untold {
        let (state, records) = match outcome {
            Outcome::Finished { state, records, .. } => (Some(*state), records.as_slice()),
            Outcome::Answered { records, .. } => (Some(RunState::Succeeded), records.as_slice()),
            Outcome::Waiting { records, .. } | Outcome::Calling { records, .. } => {
                (None, records.as_slice())
            }
            Outcome::Lost => (None, [].as_slice()),
        };
        let mut untold = self.steps(records);
        if let Some(state) = state {
            let at = SystemClock.now();
            let run = span::run(&self.trace, &self.about, state, self.began_at, at);
            untold.spans.push(run);
        }
        untold
    }

    fn steps(&self, records: &[StepRecord]) -> Untold {
        let steps = records.iter();
        let spans = steps.filter_map(|record| span::step(&self.trace, &self.program, record));
        Untold {
            tracer: self.tracer.clone(),
            spans: spans.collect(),
        }
    }
}

/// Spans of what is not durable yet.
#[derive(Debug)]
pub(crate) struct Untold {
    tracer: Tracer,
    spans: Vec<SpanData>,
}

impl Untold {
    pub(crate) fn tell(self) {
        for span in self.spans {
            self.tracer.tell(span);
        }
    }
}

/// A journal whose writes become spans once they are durable.
#[derive(Debug)]
pub(crate) struct TracedJournal {
    /// Where records are written.
    pub(crate) journal: PgJournal,
    /// How the run is traced; `None` when it is not.
    pub(crate) traced: Option<Traced>,
    /// That it may be what ended its processes, until something of it is durable.
    pub(crate) suspect: Option<Suspect>,
}

impl TracedJournal {
    /// Writes how an execution ended; see [`PgJournal::finish`].
    pub(crate) async fn finish(&self, lease: Lease, outcome: Outcome) -> Result<(), Lost> {
        let ended = self.traced.as_ref().map(|traced| traced.ended(&outcome));
        self.journal.finish(lease, outcome).await?;
        if let Some(ended) = ended {
            ended.tell();
        }
        Ok(())
    }
}

impl Journal for TracedJournal {
    async fn append(&self, lease: Lease, records: Vec<StepRecord>) -> Result<(), Lost> {
        let untold = self.traced.as_ref().map(|traced| traced.steps(&records));
        self.journal.append(lease, records).await?;
        if let Some(suspect) = &self.suspect {
            suspect.got_further();
        }
        if let Some(untold) = untold {
            untold.tell();
        }
        Ok(())
    }
}
