//! How long a start takes and what a server at rest keeps in memory.

use std::time::Duration;

use crate::arguments::Arguments;
use crate::bench::Bench;
use crate::bench::figure::{Figure, median};
use crate::bench::server::Server;
use crate::command::{Outcome, progress};
use crate::launch::Scratch;

const ROUNDS: usize = 5;
const IDLE: Duration = Duration::from_secs(60);

/// Prints `ready_ms` and `idle_rss_mb`.
pub(crate) fn measure(bench: &Bench<'_>, arguments: Arguments) -> Outcome {
    arguments.finish()?;
    let scratch = Scratch::new("bench-start")?;
    let data = scratch.path().join("data");
    // The first start makes the database and the demo; it is the warm-up.
    drop(Server::start(bench, &data)?);
    let mut times = Vec::new();
    for round in 1..=ROUNDS {
        let (server, time) = Server::start(bench, &data)?;
        progress(format_args!("Start {round} of {ROUNDS}: {time:.0} ms"));
        times.push(time);
        if round == ROUNDS {
            progress(format_args!(
                "Leaving the server alone for {} s",
                IDLE.as_secs()
            ));
            std::thread::sleep(IDLE);
            Figure::new("ready_ms", median(std::mem::take(&mut times)), "ms")
                .goal(3000.0)
                .print();
            Figure::new("idle_rss_mb", server.resident_mb()?, "MB")
                .goal(60.0)
                .print();
        }
    }
    Ok(())
}
