//! A Sluice to measure, on a free port of this machine.

use std::io::{BufRead, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::bench::Bench;
use crate::command::{Context, Failure, Outcome, Running};

/// Longer than any start takes; a server that is still silent then never answers.
const START_LIMIT: Duration = Duration::from_secs(120);

/// What is asked for until it answers: the page that people see first, or whether it can work.
const ASKED: (&str, &str) = ("/", "/health/ready");

/// What is logged, and what of a server that is disturbed.
const LOG: &str = "warn";
const LOG_OF_SUFFERING: &str = "warn,server::hook=off";

/// A running server, stopped when this value goes.
pub(crate) struct Server {
    running: Running,
    /// Where it answers.
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts one with a Postgres and a demo organization of its own, without waiting for anything.
    pub(crate) fn spawn(bench: &Bench<'_>, data: &Path) -> Outcome<Self> {
        let mut command = Command::new(&bench.program);
        command
            .args(["serve", "--demo", "--data-dir"])
            .arg(data)
            .env("RUST_LOG", LOG)
            .env_remove("DATABASE_URL");
        Self::launch(bench, command, free_address()?)
    }

    /// Starts one on a database, without a demo, and waits until it answers.
    pub(crate) fn start_on(bench: &Bench<'_>, database_url: &str) -> Outcome<Self> {
        Self::start_as(bench, database_url, "all")
    }

    /// Starts one like [`Server::start_on`] in a role that answers: `web` or `all`.
    pub(crate) fn start_as(bench: &Bench<'_>, database_url: &str, role: &str) -> Outcome<Self> {
        Self::start_with(bench, database_url, role, LOG, free_address()?)
    }

    /// Starts one like [`Server::start_on`], where another was or at a free address. It does not say
    /// which events it could not accept: they are many when what it needs is taken away.
    pub(crate) fn start_to_suffer(
        bench: &Bench<'_>,
        database_url: &str,
        address: Option<SocketAddr>,
    ) -> Outcome<Self> {
        let address = address.map_or_else(free_address, Ok)?;
        Self::start_with(bench, database_url, "all", LOG_OF_SUFFERING, address)
    }

    fn start_with(
        bench: &Bench<'_>,
        database_url: &str,
        role: &str,
        log: &str,
        address: SocketAddr,
    ) -> Outcome<Self> {
        let mut command = Command::new(&bench.program);
        command
            .args(["serve", "--role", role])
            .env("DATABASE_URL", database_url)
            .env("RUST_LOG", log);
        let begun = Instant::now();
        let mut server = Self::launch(bench, command, address)?;
        server.ready(begun, ASKED.1)?;
        Ok(server)
    }

    fn launch(bench: &Bench<'_>, mut command: Command, address: SocketAddr) -> Outcome<Self> {
        command
            .args(["--listen", &address.to_string()])
            .env("SLUICE_SITE", &bench.project.leptos.site_root)
            .stdout(Stdio::piped());
        let mut running = Running::start(&mut command)?;
        // Read to the end, so that the server never waits for a reader.
        if let Some(output) = running.output() {
            std::thread::spawn(move || output.lines().map_while(Result::ok).for_each(drop));
        }
        Ok(Self { running, address })
    }

    /// Starts it and waits until it answers; returns the milliseconds that took as well.
    pub(crate) fn start(bench: &Bench<'_>, data: &Path) -> Outcome<(Self, f64)> {
        let begun = Instant::now();
        let mut server = Self::spawn(bench, data)?;
        server.ready(begun, ASKED.0)?;
        Ok((server, begun.elapsed().as_secs_f64() * 1000.0))
    }

    fn ready(&mut self, begun: Instant, path: &str) -> Outcome {
        while !self.answers(path) {
            if self.running.has_ended() || begun.elapsed() > START_LIMIT {
                return Err(Failure::new(
                    "The server did not start; its own words are above.",
                ));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Ends it in the middle of what it does, with all that it started.
    pub(crate) fn kill(self) {
        self.running.kill();
    }

    /// Id of the server's process.
    pub(crate) fn process(&self) -> u32 {
        self.running.id()
    }

    /// Memory of the server's own processes in MB of 1,000,000 bytes; Postgres is not one of them.
    pub(crate) fn resident_mb(&self) -> Outcome<f64> {
        let status = format!("/proc/{}/status", self.running.id());
        let text = std::fs::read_to_string(&status).context(|| format!("reading {status}"))?;
        text.lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|rest| {
                rest.trim()
                    .trim_end_matches(" kB")
                    .trim()
                    .parse::<f64>()
                    .ok()
            })
            .map(|kilobytes| kilobytes * 1024.0 / 1e6)
            .ok_or_else(|| Failure::new(format!("{status} has no VmRSS.")))
    }

    /// The address for a browser.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// True if what is asked for comes back with 200.
    fn answers(&self, path: &str) -> bool {
        let Ok(mut stream) = TcpStream::connect_timeout(&self.address, Duration::from_secs(1))
        else {
            return false;
        };
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.address
        );
        let mut start = [0; 12];
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .is_ok()
            && stream.write_all(request.as_bytes()).is_ok()
            && stream.read_exact(&mut start).is_ok()
            && start.ends_with(b" 200")
    }
}

fn free_address() -> Outcome<SocketAddr> {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .context(|| "looking for a free port".to_owned())
}
