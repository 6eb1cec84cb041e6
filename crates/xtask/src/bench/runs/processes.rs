//! What more processes bring: one that is called, the others run what it accepts.

use std::io::BufRead;
use std::process::{Command, Stdio};

use super::Place;
use super::flow::Published;
use super::load::Generator;
use super::postgres::Database;
use crate::bench::Bench;
use crate::bench::figure::Figure;
use crate::bench::server::Server;
use crate::command::{Failure, Outcome, Running, progress};

/// How many processes there are, beside one.
const PROCESSES: [(&str, usize); 2] = [("growth_processes_2", 2), ("growth_processes_4", 4)];

/// Prints the runs a second with several processes against those with one, each by the baseline
/// that is taken in turn with it. One process does both (`--role all`); of several, the first serves
/// (`--role web`) and the others work (`--role worker`).
pub(super) fn measure(
    bench: &Bench<'_>,
    generator: &Generator,
    database: &Database,
    url: &str,
    order: &Published,
) -> Outcome {
    let rate = |count: usize| {
        progress(format_args!("Processes: {count}"));
        let role = if count == 1 { "all" } else { "web" };
        let server = Server::start_as(bench, url, role)?;
        let workers = (1..count).map(|_| worker(bench, url));
        // They end with this function.
        let _workers = workers.collect::<Outcome<Vec<Running>>>()?;
        let place = Place {
            generator,
            database,
            server: &server,
        };
        place.relative(order)
    };
    let one = rate(1)?;
    for (name, count) in PROCESSES {
        Figure::new(name, rate(count)? / one, "ratio")
            .goal(0.8)
            .print();
    }
    Ok(())
}

/// Starts a process that runs what others accept, and waits until it does.
fn worker(bench: &Bench<'_>, url: &str) -> Outcome<Running> {
    let mut command = Command::new(&bench.program);
    command
        .args(["serve", "--role", "worker"])
        .env("DATABASE_URL", url)
        .env("RUST_LOG", "warn")
        .stdout(Stdio::piped());
    let mut running = Running::start(&mut command)?;
    let mut said = running.output().into_iter().flat_map(BufRead::lines);
    if !matches!(said.next(), Some(Ok(_))) {
        return Err(Failure::new(
            "A worker did not start; its own words are above.",
        ));
    }
    // Read to the end, so that it never waits for a reader.
    std::thread::spawn(move || said.map_while(Result::ok).for_each(drop));
    Ok(running)
}
