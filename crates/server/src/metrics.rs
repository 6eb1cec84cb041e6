//! What this process does, in numbers, in the text format of Prometheus. Served at an address of
//! its own, which is for machines that watch and never for people or callers of webhooks.

use std::fmt::{Display, Write as _};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use http::{HeaderValue, StatusCode, header};
use store::{Backlog, Done, Histogram, Store};
use tokio::net::TcpListener;

use crate::signal::Stop;
use crate::trace::Tracer;
use crate::{answer, listen};

/// The content type of the format.
const FORMAT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// Serves `GET /metrics` until `stop` is given.
pub async fn serve(listener: TcpListener, store: Store, tracer: Option<Tracer>, stop: Stop) {
    let router = Router::new()
        .route("/metrics", get(metrics))
        .fallback(async || answer::not_found())
        .with_state((store, tracer));
    listen::serve(listener, router, stop).await;
}

async fn metrics(State((store, tracer)): State<(Store, Option<Tracer>)>) -> Response {
    // What the process knows of itself is told also while the database does not answer.
    let backlog = match store.backlog().await {
        Ok(backlog) => Some(backlog),
        Err(error) => {
            tracing::warn!(%error, "the queue could not be measured");
            None
        }
    };
    let mut response = Response::new(Body::from(text(
        &store.done(),
        backlog,
        rss(),
        tracer.map(|tracer| tracer.dropped()),
    )));
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().insert(header::CONTENT_TYPE, FORMAT);
    response
}

/// Returns the metrics as text.
fn text(
    done: &Done,
    backlog: Option<Backlog>,
    rss: Option<u64>,
    spans_dropped: Option<u64>,
) -> String {
    let mut page = Page::default();
    page.gauge(
        "sluice_up_database",
        "Whether the database answered just now.",
        u8::from(backlog.is_some()),
    );
    if let Some(backlog) = backlog {
        page.about(
            "sluice_queue_runs",
            "gauge",
            "Runs in the queue of all processes: due and without a worker, with one, or waiting for a time.",
        );
        let states = [
            ("waiting", backlog.waiting),
            ("leased", backlog.leased),
            ("later", backlog.later),
        ];
        for (state, count) in states {
            page.line("sluice_queue_runs", &[("state", state)], count);
        }
        page.gauge(
            "sluice_queue_oldest_seconds",
            "For how long the oldest run is due that no worker has.",
            backlog.oldest_seconds,
        );
    }
    page.about(
        "sluice_runs_finished_total",
        "counter",
        "Live runs that ended in this process, by integration and by how they ended.",
    );
    for (integration, state, count) in &done.finished {
        let integration = integration.map_or_else(|| "other".to_owned(), |id| id.to_string());
        let labels = [
            ("integration", integration.as_str()),
            ("state", state.key()),
        ];
        page.line("sluice_runs_finished_total", &labels, count);
    }
    page.histogram(
        "sluice_run_duration_seconds",
        "Time from accepting an event to the end of its run, of live runs that nobody resumed.",
        &done.latency_ms,
        1_000,
    );
    page.histogram(
        "sluice_journal_batch_writes",
        "Writes of runs that became durable together.",
        &done.batches,
        1,
    );
    let counters = [
        (
            "sluice_claims_total",
            "Times that this process claimed from the queue.",
            done.claims,
        ),
        (
            "sluice_runs_claimed_total",
            "Runs that this process claimed from the queue.",
            done.claimed,
        ),
        (
            "sluice_step_retries_total",
            "Attempts of steps beyond the first.",
            done.retries,
        ),
    ];
    for (name, help, count) in counters {
        page.about(name, "counter", help);
        page.line(name, &[], count);
    }
    if let Some(dropped) = spans_dropped {
        let name = "sluice_trace_spans_dropped_total";
        page.about(
            name,
            "counter",
            "Spans that the collector of traces did not take.",
        );
        page.line(name, &[], dropped);
    }
    if let Some(rss) = rss {
        page.gauge(
            "process_resident_memory_bytes",
            "Memory of this process that is in use, in bytes.",
            rss,
        );
    }
    page.0
}

/// Returns the memory of this process in bytes, where the system tells it.
fn rss() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1_024)
}

/// Metrics, written one after the other.
#[derive(Default)]
struct Page(String);

impl Page {
    fn about(&mut self, name: &str, kind: &str, help: &str) {
        self.write(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }

    /// Writes a value. Labels are keys and ids, in which nothing has to be escaped.
    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.write(format_args!("{name}"));
        for (place, (label, text)) in labels.iter().enumerate() {
            let open = if place == 0 { '{' } else { ',' };
            self.write(format_args!("{open}{label}=\"{text}\""));
        }
        let close = if labels.is_empty() { "" } else { "}" };
        self.write(format_args!("{close} {value}\n"));
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.about(name, "gauge", help);
        self.line(name, &[], value);
    }

    /// Writes a histogram whose values are `per_unit` times what is told.
    fn histogram<const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        histogram: &Histogram<N>,
        per_unit: u32,
    ) {
        self.about(name, "histogram", help);
        let bucket = format!("{name}_bucket");
        for (bound, count) in histogram.bounds.iter().zip(histogram.counts) {
            let bound = told(*bound, per_unit).to_string();
            self.line(&bucket, &[("le", &bound)], count);
        }
        self.line(&bucket, &[("le", "+Inf")], histogram.count);
        self.line(&format!("{name}_sum"), &[], told(histogram.sum, per_unit));
        self.line(&format!("{name}_count"), &[], histogram.count);
    }

    fn write(&mut self, text: std::fmt::Arguments<'_>) {
        self.0.write_fmt(text).expect("a text takes everything");
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "sums of milliseconds stay far below 2^52"
)]
fn told(value: u64, per_unit: u32) -> f64 {
    value as f64 / f64::from(per_unit)
}

#[cfg(test)]
mod tests {
    use super::{Page, rss};

    #[test]
    fn a_line_has_its_labels_in_braces() {
        let mut page = Page::default();
        page.gauge("depth", "How deep.", 1.5);
        page.line("depth", &[("of", "sea"), ("at", "noon")], 3);
        assert_eq!(
            page.0,
            "# HELP depth How deep.\n# TYPE depth gauge\ndepth 1.5\ndepth{of=\"sea\",at=\"noon\"} 3\n"
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_memory_of_the_process_is_known() {
        assert!(rss().is_some_and(|bytes| bytes > 1_024 * 1_024));
    }
}
