//! The task that sends spans to the collector.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use super::Refusal;

/// Most spans in one request.
const AT_ONCE: usize = 512;
/// How long a span waits for others at most.
const GATHER: Duration = Duration::from_secs(1);
/// How often is said that the collector takes nothing.
const SAY_AGAIN: Duration = Duration::from_secs(60);

/// Sends what a [`super::Tracer`] makes.
#[derive(Debug)]
pub struct Sending {
    waiting: mpsc::Receiver<SpanData>,
    exporter: SpanExporter,
    dropped: Arc<AtomicU64>,
}

impl Sending {
    pub(super) fn new(
        waiting: mpsc::Receiver<SpanData>,
        dropped: Arc<AtomicU64>,
    ) -> Result<Self, Refusal> {
        let exporter = SpanExporter::builder().with_http().build();
        let mut exporter = exporter.map_err(|error| Refusal::Exporter(error.to_string()))?;
        let mut resource = Resource::builder();
        // The environment's own name for us goes first.
        if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
            resource = resource.with_service_name("sluice");
        }
        let resource = resource.with_attributes([
            opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            opentelemetry::KeyValue::new("service.instance.id", Uuid::now_v7().to_string()),
        ]);
        exporter.set_resource(&resource.build());
        Ok(Self {
            waiting,
            exporter,
            dropped,
        })
    }

    /// Sends until `over` is given, and then what is waiting still.
    pub async fn work(mut self, over: oneshot::Receiver<()>) {
        let mut over = std::pin::pin!(over);
        let mut is_over = false;
        let mut said: Option<Instant> = None;
        loop {
            let first = tokio::select! {
                biased;
                first = self.waiting.recv() => first,
                _ = over.as_mut(), if !is_over => {
                    is_over = true;
                    self.waiting.close();
                    continue;
                }
            };
            let Some(first) = first else { return };
            let spans = self.gather(first).await;
            let count = spans.len();
            let Err(error) = self.exporter.export(spans).await else {
                continue;
            };
            self.dropped
                .fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
            if said.is_none_or(|at| at.elapsed() > SAY_AGAIN) {
                said = Some(Instant::now());
                tracing::warn!(count, %error, "the collector did not take spans; they are lost");
            }
        }
    }

    /// Waits for more spans, but not long.
    async fn gather(&mut self, first: SpanData) -> Vec<SpanData> {
        let mut spans = vec![first];
        let end = Instant::now() + GATHER;
        while spans.len() < AT_ONCE {
            let room = AT_ONCE - spans.len();
            match timeout_at(end, self.waiting.recv_many(&mut spans, room)).await {
                Ok(more) if more > 0 => {}
                _ => break,
            }
        }
        spans
    }
}
