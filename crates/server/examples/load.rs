//! Load generator of `cargo xtask bench runs`: posts one body to one webhook on this machine, as
//! fast as some connections can or at a steady rate, for some seconds, and prints what came back.
//!
//! It shares the machine with what it measures, so it costs little: one thread, connections that
//! stay open, requests written as they are, and of each answer only its status and length are
//! read. A steady rate is kept whatever the answers take, and each wait counts from the instant
//! at which its request was due: a server that stalls is not asked less, and cannot hide it.

use std::cell::Cell;
use std::fmt;
use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep_until, timeout};

const USAGE: &str = "\
load flood ADDRESS PATH BODY SECONDS CONNECTIONS   as fast as the connections can
load pace ADDRESS PATH BODY SECONDS RATE           so many a second, evenly spread
PATH may be @ and a file with several, one a line: they are called in turn";

/// Longest time that a load goes on.
const LONGEST: Duration = Duration::from_secs(600);
/// Most connections.
const CONNECTIONS: usize = 1_024;
/// Connections that keep a steady rate: more requests than that are never under way.
const PACING: usize = 256;
/// An answer that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(30);
/// Largest answer.
const ANSWER_BYTES: usize = 1024 * 1024;

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    match run() {
        Ok(report) => {
            let _ = writeln!(std::io::stdout(), "{report}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            let _ = writeln!(std::io::stderr(), "load: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<Report, Failure> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [kind, address, path, body, seconds, number] = words.as_slice() else {
        return Err(USAGE.into());
    };
    let address: SocketAddr = address.parse()?;
    if !address.ip().is_loopback() {
        return Err("only this machine is called".into());
    }
    let time = Duration::from_secs_f64(seconds.parse::<f64>()?.clamp(0.0, LONGEST.as_secs_f64()));
    let paths = match path.strip_prefix('@') {
        Some(file) => std::fs::read_to_string(file)?,
        None => path.clone(),
    };
    let request = |path: &str| {
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        request.into_bytes()
    };
    let target = Target {
        address,
        requests: paths.lines().map(request).collect(),
        next: Cell::new(0),
    };
    if target.requests.is_empty() {
        return Err("there is no path to call".into());
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    match kind.as_str() {
        "flood" => LocalSet::new().block_on(&runtime, flood(target, number.parse()?, time)),
        "pace" => LocalSet::new().block_on(&runtime, pace(target, number.parse()?, time)),
        _ => Err(USAGE.into()),
    }
}

/// What is called, and with what.
struct Target {
    address: SocketAddr,
    requests: Vec<Vec<u8>>,
    next: Cell<usize>,
}

impl Target {
    /// The request whose turn it is.
    fn request(&self) -> &[u8] {
        let at = self.next.get();
        self.next.set((at + 1) % self.requests.len());
        &self.requests[at]
    }
}

/// Calls over each connection again as soon as the answer is there.
async fn flood(target: Target, connections: usize, time: Duration) -> Result<Report, Failure> {
    let target = Rc::new(target);
    let begun = Instant::now();
    let end = begun + time;
    let mut callers = Vec::new();
    for _ in 0..connections.clamp(1, CONNECTIONS) {
        let mut connection = Connection::open(Rc::clone(&target)).await?;
        callers.push(tokio::task::spawn_local(async move {
            let mut tally = Tally::default();
            let mut now = Instant::now();
            while now < end {
                let sent = now;
                let status = connection.call().await?;
                now = Instant::now();
                tally.count(status, now - sent);
            }
            Ok::<_, std::io::Error>(tally)
        }));
    }
    report(callers, begun).await
}

/// Calls at evenly spread instants.
async fn pace(target: Target, rate: f64, time: Duration) -> Result<Report, Failure> {
    if !(0.1..=100_000.0).contains(&rate) {
        return Err("the rate is from 0.1 to 100000 a second".into());
    }
    let target = Rc::new(target);
    let mut connections = Vec::new();
    for _ in 0..PACING {
        connections.push(Connection::open(Rc::clone(&target)).await?);
    }
    let begun = Instant::now();
    let next = Rc::new(Cell::new(0_u32));
    let mut callers = Vec::new();
    for mut connection in connections {
        let next = Rc::clone(&next);
        callers.push(tokio::task::spawn_local(async move {
            let mut tally = Tally::default();
            loop {
                let mine = next.get();
                next.set(mine + 1);
                let due = Duration::from_secs_f64(f64::from(mine) / rate);
                if due >= time {
                    return Ok::<_, std::io::Error>(tally);
                }
                sleep_until(begun + due).await;
                let status = connection.call().await?;
                tally.count(status, Instant::now() - (begun + due));
            }
        }));
    }
    report(callers, begun).await
}

async fn report(
    callers: Vec<tokio::task::JoinHandle<Result<Tally, std::io::Error>>>,
    begun: Instant,
) -> Result<Report, Failure> {
    let mut all = Tally::default();
    for caller in callers {
        let tally = caller.await??;
        all.waits.extend(tally.waits);
        all.refused += tally.refused;
    }
    all.waits.sort_unstable();
    Ok(Report {
        refused: all.refused,
        waits: all.waits,
        took: begun.elapsed(),
    })
}

/// What one connection saw.
#[derive(Default)]
struct Tally {
    waits: Vec<Duration>,
    refused: usize,
}

impl Tally {
    fn count(&mut self, status: u16, wait: Duration) {
        if (200..300).contains(&status) {
            self.waits.push(wait);
        } else {
            self.refused += 1;
        }
    }
}

/// What all connections saw.
struct Report {
    refused: usize,
    /// Of the answers with 2xx, shortest first.
    waits: Vec<Duration>,
    took: Duration,
}

impl Report {
    /// The wait that this share of the answers did not exceed, in milliseconds.
    fn percentile(&self, share: f64) -> f64 {
        let index = (self.waits.len() as f64 * share).ceil() as usize;
        let wait = self.waits.get(index.saturating_sub(1));
        wait.map_or(f64::NAN, |wait| wait.as_secs_f64() * 1000.0)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "answered={} refused={} seconds={:.3} p50_ms={:.3} p99_ms={:.3} max_ms={:.3}",
            self.waits.len(),
            self.refused,
            self.took.as_secs_f64(),
            self.percentile(0.5),
            self.percentile(0.99),
            self.percentile(1.0),
        )
    }
}

/// A connection that stays open.
struct Connection {
    target: Rc<Target>,
    stream: TcpStream,
    received: Vec<u8>,
}

impl Connection {
    async fn open(target: Rc<Target>) -> std::io::Result<Self> {
        let stream = TcpStream::connect(target.address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            target,
            stream,
            received: Vec::with_capacity(4_096),
        })
    }

    /// Sends the request; returns the status of the answer once all of it is there.
    async fn call(&mut self) -> std::io::Result<u16> {
        let exchange = async {
            self.stream.write_all(self.target.request()).await?;
            self.received.clear();
            loop {
                if self.stream.read_buf(&mut self.received).await? == 0 {
                    return Err(std::io::ErrorKind::UnexpectedEof.into());
                }
                if let Some(status) = whole_answer(&self.received)? {
                    return Ok(status);
                }
            }
        };
        match timeout(PATIENCE, exchange).await {
            Ok(status) => status,
            Err(late) => Err(late.into()),
        }
    }
}

/// Returns the status if these bytes are a whole answer.
fn whole_answer(bytes: &[u8]) -> std::io::Result<Option<u16>> {
    let strange = || std::io::Error::other("the answer is not understood");
    if bytes.len() > ANSWER_BYTES {
        return Err(strange());
    }
    let Some(head) = bytes.windows(4).position(|end| end == b"\r\n\r\n") else {
        return Ok(None);
    };
    let body = &bytes[head + 4..];
    let head = std::str::from_utf8(&bytes[..head]).map_err(|_| strange())?;
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1)?.parse().ok())
        .ok_or_else(strange)?;
    let mut length = 0;
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().map_err(|_| strange())?;
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            return Ok(body.ends_with(b"0\r\n\r\n").then_some(status));
        }
    }
    Ok((body.len() >= length).then_some(status))
}
