//! What `cargo xtask bench` puts on this machine: calls of one webhook, as fast as some connections
//! can or at a steady rate, for some seconds; so many bare calls; and the server that they are held
//! against. It prints what came back.
//!
//! It shares the machine with what it measures, so it costs little: one thread, connections that
//! stay open, requests written as they are, and of each answer only its status and length are
//! read. A steady rate is kept whatever the answers take, and each wait counts from the instant
//! at which its request was due: a server that stalls is not asked less, and cannot hide it. A
//! connection that breaks is counted and made anew: what is called may be killed meanwhile.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

const USAGE: &str = "\
load flood ADDRESS PATH BODY SECONDS CONNECTIONS [FILE]   as fast as the connections can
load pace ADDRESS PATH BODY SECONDS RATE [FILE]           so many a second, evenly spread
load calls ADDRESS COUNT CONNECTIONS                      so many times GET /
load serve ADDRESS                                        answers each request with {\"ok\":true}
PATH may be @ and a file with several, one a line: they are called in turn.
The runs that the answers name are written into FILE, one a line.";

/// Longest time that a load goes on.
const LONGEST: Duration = Duration::from_secs(600);
/// Most connections.
const CONNECTIONS: usize = 1_024;
/// Connections that keep a steady rate: more requests than that are never under way.
const PACING: usize = 256;
/// Most bare calls.
const CALLS: usize = 10_000_000;
/// An answer that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(30);
/// Largest answer, and largest request that is answered.
const ANSWER_BYTES: usize = 1024 * 1024;
/// First pause before a connection is made anew, doubled each time up to the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(160));
/// What the bare server answers.
const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n{\"ok\":true}";
/// What stands before the run in an answer, and how long its id is.
const RUN: (&[u8], usize) = (b"\"run\":\"", 36);

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
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (kind, address, rest) = match words.as_slice() {
        [kind, address, rest @ ..] => (*kind, address.parse::<SocketAddr>()?, rest),
        _ => return Err(USAGE.into()),
    };
    if !address.ip().is_loopback() {
        return Err("only this machine is called".into());
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let tasks = LocalSet::new();
    match (kind, rest) {
        ("serve", []) => tasks.block_on(&runtime, serve(address)),
        ("calls", [count, connections]) => {
            let request = format!("GET / HTTP/1.1\r\nhost: {address}\r\n\r\n");
            let target = Target::new(address, vec![request.into_bytes()], false)?;
            let count = count.parse::<usize>()?.min(CALLS);
            tasks.block_on(&runtime, calls(target, count, connections.parse()?))
        }
        ("flood" | "pace", [path, body, seconds, number, file @ ..]) if file.len() < 2 => {
            let seconds = seconds.parse::<f64>()?.clamp(0.0, LONGEST.as_secs_f64());
            let time = Duration::from_secs_f64(seconds);
            let requests = posts(address, path, body)?;
            let target = Target::new(address, requests, !file.is_empty())?;
            let report = match kind {
                "flood" => tasks.block_on(&runtime, flood(target, number.parse()?, time)),
                _ => tasks.block_on(&runtime, pace(target, number.parse()?, time)),
            }?;
            if let Some(file) = file.first() {
                std::fs::write(file, &report.runs)?;
            }
            Ok(report)
        }
        _ => Err(USAGE.into()),
    }
}

/// The requests to the one path, or to those that stand in a file.
fn posts(address: SocketAddr, path: &str, body: &str) -> Result<Vec<Vec<u8>>, Failure> {
    let paths = match path.strip_prefix('@') {
        Some(file) => std::fs::read_to_string(file)?,
        None => path.to_owned(),
    };
    let request = |path: &str| {
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        request.into_bytes()
    };
    Ok(paths.lines().map(request).collect())
}

/// What is called, and with what.
struct Target {
    address: SocketAddr,
    requests: Vec<Vec<u8>>,
    next: Cell<usize>,
    /// The ids of the runs that were named, a line each, where they are asked for.
    runs: Option<RefCell<Vec<u8>>>,
}

impl Target {
    fn new(address: SocketAddr, requests: Vec<Vec<u8>>, keeps: bool) -> Result<Self, Failure> {
        if requests.is_empty() {
            return Err("there is no path to call".into());
        }
        Ok(Self {
            address,
            requests,
            next: Cell::new(0),
            runs: keeps.then(RefCell::default),
        })
    }

    /// The request whose turn it is.
    fn request(&self) -> &[u8] {
        let at = self.next.get();
        self.next.set((at + 1) % self.requests.len());
        &self.requests[at]
    }

    /// Keeps the run that an answer with 2xx names.
    fn keep_run(&self, answer: &[u8]) {
        let Some(runs) = &self.runs else { return };
        let (before, length) = RUN;
        let at = answer.windows(before.len()).position(|part| part == before);
        let run = at.and_then(|at| answer[at + before.len()..].get(..length));
        let mut runs = runs.borrow_mut();
        // An answer without a run leaves a line that is none, and so is found.
        runs.extend(run.unwrap_or(b"none"));
        runs.push(b'\n');
    }
}

/// Opens so many connections at once; returns when all are open.
async fn open_all(target: &Rc<Target>, connections: usize) -> Result<Vec<Connection>, Failure> {
    let opening: Vec<_> = (0..connections.clamp(1, CONNECTIONS))
        .map(|_| tokio::task::spawn_local(Connection::open(Rc::clone(target))))
        .collect();
    let mut open = Vec::new();
    for connection in opening {
        open.push(connection.await??);
    }
    Ok(open)
}

/// Calls over each connection again as soon as the answer is there.
async fn flood(target: Target, connections: usize, time: Duration) -> Result<Report, Failure> {
    let target = Rc::new(target);
    let connections = open_all(&target, connections).await?;
    let begun = Instant::now();
    let end = begun + time;
    let mut callers = Vec::new();
    for mut connection in connections {
        callers.push(tokio::task::spawn_local(async move {
            let mut tally = Tally::default();
            let mut now = Instant::now();
            while now < end {
                let sent = now;
                let called = connection.call().await;
                now = Instant::now();
                tally.count(called, now - sent);
                if !connection.is_open() && !connection.open_again(end).await {
                    break;
                }
            }
            tally
        }));
    }
    report(&target, callers, begun).await
}

/// Calls at evenly spread instants.
async fn pace(target: Target, rate: f64, time: Duration) -> Result<Report, Failure> {
    if !(0.1..=100_000.0).contains(&rate) {
        return Err("the rate is from 0.1 to 100000 a second".into());
    }
    let target = Rc::new(target);
    let connections = open_all(&target, PACING).await?;
    let begun = Instant::now();
    let next = Rc::new(Cell::new(0_u32));
    let mut callers = Vec::new();
    for mut connection in connections {
        let next = Rc::clone(&next);
        callers.push(tokio::task::spawn_local(async move {
            let mut tally = Tally::default();
            while connection.is_open() || connection.open_again(begun + time).await {
                let mine = next.get();
                next.set(mine + 1);
                let due = Duration::from_secs_f64(f64::from(mine) / rate);
                if due >= time {
                    break;
                }
                sleep_until(begun + due).await;
                let called = connection.call().await;
                tally.count(called, Instant::now() - (begun + due));
            }
            tally
        }));
    }
    report(&target, callers, begun).await
}

/// Calls so often, over each connection again as soon as the answer is there.
async fn calls(target: Target, count: usize, connections: usize) -> Result<Report, Failure> {
    let target = Rc::new(target);
    let connections = open_all(&target, connections).await?;
    let left = Rc::new(Cell::new(count));
    let begun = Instant::now();
    let mut callers = Vec::new();
    for mut connection in connections {
        let left = Rc::clone(&left);
        callers.push(tokio::task::spawn_local(async move {
            let mut tally = Tally::default();
            while connection.is_open() && left.get() > 0 {
                left.set(left.get() - 1);
                let sent = Instant::now();
                let called = connection.call().await;
                tally.count(called, sent.elapsed());
            }
            tally
        }));
    }
    report(&target, callers, begun).await
}

/// Answers until it is stopped. Says its address first.
async fn serve(address: SocketAddr) -> Result<Report, Failure> {
    let listener = TcpListener::bind(address).await?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::task::spawn_local(answer_all(stream));
    }
}

/// Answers each request without a body that comes over a connection.
async fn answer_all(mut stream: TcpStream) {
    let mut received = Vec::with_capacity(4_096);
    while received.len() <= ANSWER_BYTES && matches!(stream.read_buf(&mut received).await, Ok(1..))
    {
        if received.ends_with(b"\r\n\r\n") {
            received.clear();
            if stream.write_all(ANSWER).await.is_err() {
                return;
            }
        }
    }
}

async fn report(
    target: &Target,
    callers: Vec<tokio::task::JoinHandle<Tally>>,
    begun: Instant,
) -> Result<Report, Failure> {
    let mut all = Tally::default();
    for caller in callers {
        let tally = caller.await?;
        all.waits.extend(tally.waits);
        all.refused += tally.refused;
        all.broken += tally.broken;
    }
    all.waits.sort_unstable();
    Ok(Report {
        all,
        took: begun.elapsed(),
        runs: target.runs.as_ref().map(RefCell::take).unwrap_or_default(),
    })
}

/// What one connection saw, or all.
#[derive(Default)]
struct Tally {
    /// Of the answers with 2xx.
    waits: Vec<Duration>,
    refused: usize,
    broken: usize,
}

impl Tally {
    fn count(&mut self, called: std::io::Result<u16>, wait: Duration) {
        match called {
            Ok(200..300) => self.waits.push(wait),
            Ok(_) => self.refused += 1,
            Err(_) => self.broken += 1,
        }
    }
}

/// What all connections saw.
struct Report {
    /// Waits shortest first.
    all: Tally,
    took: Duration,
    runs: Vec<u8>,
}

impl Report {
    /// The wait that this share of the answers did not exceed, in milliseconds.
    fn percentile(&self, share: f64) -> f64 {
        let waits = &self.all.waits;
        let index = (waits.len() as f64 * share).ceil() as usize;
        let wait = waits.get(index.saturating_sub(1));
        wait.map_or(f64::NAN, |wait| wait.as_secs_f64() * 1000.0)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "answered={} refused={} broken={} seconds={:.3} p50_ms={:.3} p99_ms={:.3} max_ms={:.3}",
            self.all.waits.len(),
            self.all.refused,
            self.all.broken,
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
    /// `None` once it is broken.
    stream: Option<TcpStream>,
    received: Vec<u8>,
}

impl Connection {
    async fn open(target: Rc<Target>) -> std::io::Result<Self> {
        let stream = connect(target.address).await?;
        Ok(Self {
            target,
            stream: Some(stream),
            received: Vec::with_capacity(4_096),
        })
    }

    fn is_open(&self) -> bool {
        self.stream.is_some()
    }

    /// Makes it anew, however often that has to be tried until then; returns whether it is open.
    async fn open_again(&mut self, end: Instant) -> bool {
        let (mut pause, longest) = PAUSES;
        while self.stream.is_none() && Instant::now() + pause < end {
            sleep(pause).await;
            pause = (pause * 2).min(longest);
            self.stream = connect(self.target.address).await.ok();
        }
        self.is_open()
    }

    /// Sends the request; returns the status of the answer once all of it is there. The connection
    /// is broken after an error.
    async fn call(&mut self) -> std::io::Result<u16> {
        let Some(mut stream) = self.stream.take() else {
            return Err(std::io::ErrorKind::NotConnected.into());
        };
        let exchange = async {
            stream.write_all(self.target.request()).await?;
            self.received.clear();
            loop {
                if stream.read_buf(&mut self.received).await? == 0 {
                    return Err(std::io::ErrorKind::UnexpectedEof.into());
                }
                if let Some(status) = whole_answer(&self.received)? {
                    return Ok(status);
                }
            }
        };
        let status: std::io::Result<u16> = timeout(PATIENCE, exchange).await?;
        let status = status?;
        self.stream = Some(stream);
        if (200..300).contains(&status) {
            self.target.keep_run(&self.received);
        }
        Ok(status)
    }
}

async fn connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
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
