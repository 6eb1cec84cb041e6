//! The same calls that `load calls` makes, by the HTTP library that Sluice sends requests with, and
//! nothing else: no run, no rules, no record. What a run takes longer than this is what the engine
//! takes; what this takes longer than `load calls` is what the library takes.
//!
//! Its calls are made by as many threads as Sluice has.

use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USAGE: &str = "client ADDRESS COUNT AT_ONCE   so many times GET /, some at once";

/// Most calls, and most at once.
const MOST: (usize, usize) = (10_000_000, 1_024);
/// An answer that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(30);

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    match run() {
        Ok(report) => {
            let _ = writeln!(std::io::stdout(), "{report}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            let _ = writeln!(std::io::stderr(), "client: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<String, Failure> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [address, count, at_once] = words.as_slice() else {
        return Err(USAGE.into());
    };
    let address: SocketAddr = address.parse()?;
    if !address.ip().is_loopback() {
        return Err("only this machine is called".into());
    }
    let count = count.parse::<usize>()?.min(MOST.0);
    let at_once = at_once.parse::<usize>()?.clamp(1, MOST.1);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(calls(address, count, at_once))
}

/// Makes all calls; returns what `load` says of its own.
async fn calls(address: SocketAddr, count: usize, at_once: usize) -> Result<String, Failure> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client = Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_max_idle_per_host(at_once)
        .build(connector);
    let url: Uri = format!("http://{address}/").parse()?;
    let begun = Instant::now();
    let made = Arc::new(AtomicUsize::new(0));
    let callers: Vec<_> = (0..at_once)
        .map(|_| {
            let (client, url, made) = (client.clone(), url.clone(), Arc::clone(&made));
            tokio::spawn(async move {
                let mut tally = Tally::default();
                while made.fetch_add(1, Ordering::Relaxed) < count {
                    let sent = Instant::now();
                    let called = tokio::time::timeout(PATIENCE, call(&client, &url)).await;
                    match called {
                        Ok(Ok(true)) => tally.waits.push(sent.elapsed()),
                        Ok(Ok(false)) => tally.refused += 1,
                        Ok(Err(_)) | Err(_) => tally.broken += 1,
                    }
                }
                tally
            })
        })
        .collect();
    let mut all = Tally::default();
    for caller in callers {
        let tally = caller.await?;
        all.waits.extend(tally.waits);
        all.refused += tally.refused;
        all.broken += tally.broken;
    }
    let seconds = begun.elapsed().as_secs_f64();
    all.waits.sort_unstable();
    let last = (all.waits.len() * 99).div_ceil(100).saturating_sub(1);
    let p99 = all.waits.get(last).copied().unwrap_or_default();
    Ok(format!(
        "answered={} refused={} broken={} seconds={seconds:.3} p99_ms={:.3}",
        all.waits.len(),
        all.refused,
        all.broken,
        p99.as_secs_f64() * 1000.0,
    ))
}

/// Makes one call and reads its answer; returns whether that is 2xx.
async fn call(client: &Client<HttpConnector, Empty<Bytes>>, url: &Uri) -> Result<bool, Failure> {
    let request = Request::get(url.clone())
        .header("user-agent", "Sluice")
        .header("accept", "*/*")
        .body(Empty::new())?;
    let response = client.request(request).await?;
    let is_expected = response.status().is_success();
    response.into_body().collect().await?;
    Ok(is_expected)
}

/// What came back.
#[derive(Default)]
struct Tally {
    /// Of the answers with 2xx.
    waits: Vec<Duration>,
    refused: usize,
    broken: usize,
}
