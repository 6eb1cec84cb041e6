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
            .env_remove("DATABASE_URL");
        Self::launch(bench, command)
    }

    /// Starts one on a database, without a demo, and waits until it answers.
    pub(crate) fn start_on(bench: &Bench<'_>, database_url: &str) -> Outcome<Self> {
        let begun = Instant::now();
        let mut command = Command::new(&bench.program);
        command.arg("serve").env("DATABASE_URL", database_url);
        let mut server = Self::launch(bench, command)?;
        server.ready(begun)?;
        Ok(server)
    }

    fn launch(bench: &Bench<'_>, mut command: Command) -> Outcome<Self> {
        let address = TcpListener::bind(("127.0.0.1", 0))
            .and_then(|listener| listener.local_addr())
            .context(|| "looking for a free port".to_owned())?;
        command
            .args(["--listen", &address.to_string()])
            .env("SLUICE_SITE", &bench.project.leptos.site_root)
            .env("RUST_LOG", "warn")
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
        server.ready(begun)?;
        Ok((server, begun.elapsed().as_secs_f64() * 1000.0))
    }

    fn ready(&mut self, begun: Instant) -> Outcome {
        while !self.answers() {
            if self.running.has_ended() || begun.elapsed() > START_LIMIT {
                return Err(Failure::new(
                    "The server did not start; its own words are above.",
                ));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
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

    /// True if the page comes back with 200.
    fn answers(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect_timeout(&self.address, Duration::from_secs(1))
        else {
            return false;
        };
        let request = format!(
            "GET / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
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
