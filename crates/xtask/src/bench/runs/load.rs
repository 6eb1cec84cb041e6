//! The load generator, `crates/server/examples/load.rs`, the client beside it, and what they saw.

use std::io::BufRead;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::bench::Bench;
use crate::command::{Failure, Outcome, Running, run, run_reading};

/// What is put on a webhook.
#[derive(Clone, Copy)]
pub(super) enum Load {
    /// As much as so many connections can, so long.
    Flood(usize, Duration),
    /// So many a second, so long.
    Pace(f64, Duration),
}

/// What came back.
pub(super) struct Seen {
    /// Answers with 2xx.
    pub(super) answered: f64,
    /// Other answers.
    pub(super) refused: f64,
    /// Calls that ended without an answer.
    broken: f64,
    /// From the first request to the last answer.
    pub(super) seconds: f64,
    /// How long the answers took; at a steady rate counted from when the request was due.
    pub(super) p99_ms: f64,
}

impl Seen {
    /// Fails if a call had no answer.
    pub(super) fn whole(self) -> Outcome<Self> {
        if self.broken > 0.0 {
            return Err(Failure::new(format!(
                "{} calls ended without an answer.",
                self.broken
            )));
        }
        Ok(self)
    }
}

/// The programs.
pub(super) struct Generator {
    load: PathBuf,
    /// Calls by the HTTP library.
    client: PathBuf,
}

impl Generator {
    /// Builds them.
    pub(super) fn build(bench: &Bench<'_>) -> Outcome<Self> {
        let mut cargo = bench.toolchain.cargo();
        let package = &bench.project.leptos.bin_package;
        cargo
            .args(["build", "--release", "--package", package])
            .args(["--example", "load", "--example", "client"])
            .current_dir(&bench.project.root);
        run(&mut cargo)?;
        let built = bench.project.target.join("release/examples");
        Ok(Self {
            load: built.join("load"),
            client: built.join("client"),
        })
    }

    /// Puts a load on a webhook of this machine. The runs that the answers name are written into the
    /// file, where one is given.
    pub(super) fn run(
        &self,
        address: SocketAddr,
        path: &str,
        body: &str,
        load: Load,
        runs: Option<&Path>,
    ) -> Outcome<Seen> {
        let (kind, time, number) = match load {
            Load::Flood(connections, time) => ("flood", time, connections.to_string()),
            Load::Pace(rate, time) => ("pace", time, rate.to_string()),
        };
        let mut command = Command::new(&self.load);
        command
            .args([kind, &address.to_string(), path, body])
            .args([time.as_secs_f64().to_string(), number])
            .args(runs);
        Self::report(&mut command)
    }

    /// Calls a server of this machine so often, over so many connections.
    pub(super) fn calls(
        &self,
        address: SocketAddr,
        count: usize,
        connections: usize,
    ) -> Outcome<Seen> {
        let mut command = Command::new(&self.load);
        command
            .args(["calls", &address.to_string()])
            .args([count.to_string(), connections.to_string()]);
        Self::report(&mut command)
    }

    /// As [`Generator::calls`], by the HTTP library that Sluice sends requests with.
    pub(super) fn library_calls(
        &self,
        address: SocketAddr,
        count: usize,
        at_once: usize,
    ) -> Outcome<Seen> {
        let mut command = Command::new(&self.client);
        command
            .arg(address.to_string())
            .args([count.to_string(), at_once.to_string()]);
        Self::report(&mut command)
    }

    /// Starts the bare server, which ends when what is returned goes.
    pub(super) fn serve(&self) -> Outcome<(Running, SocketAddr)> {
        let mut command = Command::new(&self.load);
        command
            .args(["serve", "127.0.0.1:0"])
            .stdout(Stdio::piped());
        let mut running = Running::start(&mut command)?;
        let said = running.output().and_then(|output| output.lines().next());
        let address = said.and_then(|line| line.ok()?.parse().ok());
        let address = address.ok_or_else(|| Failure::new("The bare server did not start."))?;
        Ok((running, address))
    }

    /// Runs it and reads what it saw.
    fn report(command: &mut Command) -> Outcome<Seen> {
        let mut report = String::new();
        if !run_reading(command, |line| line.clone_into(&mut report))? {
            return Err(Failure::new(
                "The load generator failed; its own words are above.",
            ));
        }
        let field = |name: &str| {
            report
                .split(' ')
                .filter_map(|word| word.split_once('='))
                .find_map(|(field, value)| (field == name).then(|| value.parse().ok())?)
                .ok_or_else(|| Failure::new(format!("The load generator did not say {name}.")))
        };
        Ok(Seen {
            answered: field("answered")?,
            refused: field("refused")?,
            broken: field("broken")?,
            seconds: field("seconds")?,
            p99_ms: field("p99_ms")?,
        })
    }
}

/// Returns the address and the path of a URL of this machine.
pub(super) fn loopback(url: &str) -> Outcome<(SocketAddr, String)> {
    let wrong = || {
        Failure::new(format!(
            "`{url}` is not a webhook of this machine. Write it like http://127.0.0.1:5678/webhook/order."
        ))
    };
    let rest = url.strip_prefix("http://").ok_or_else(wrong)?;
    let (host, path) = rest.split_at(rest.find('/').ok_or_else(wrong)?);
    let mut addresses = host.to_socket_addrs().map_err(|_| wrong())?;
    let address = addresses.find(|address| address.ip().is_loopback());
    Ok((address.ok_or_else(wrong)?, path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::loopback;

    #[test]
    fn only_this_machine_is_called() {
        let (address, path) = loopback("http://127.0.0.1:5678/webhook/order").expect("it is");
        assert_eq!((address.port(), path.as_str()), (5678, "/webhook/order"));
        assert!(loopback("http://192.0.2.1:80/webhook").is_err());
        assert!(loopback("https://127.0.0.1:5678/webhook").is_err());
    }
}
