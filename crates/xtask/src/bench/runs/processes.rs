//! What more processes bring: one that is called, the others run what it accepts and does not compute
//! by itself.

use std::io::BufRead;
use std::process::{Command, Stdio};

use super::flow::Published;
use super::load::Generator;
use super::postgres::Database;
use super::{CONCURRENCY, FLOOD, Place};
use crate::bench::Bench;
use crate::bench::figure::{Figure, median};
use crate::bench::server::Server;
use crate::command::{Failure, Outcome, Running, progress};

const ROUNDS: usize = 5;
/// How many processes there are, one of which the others are held against.
const COUNTS: [usize; 3] = [1, 2, 4];
/// What the several are called: with the flow that only computes, and the one that is claimed.
const NAMES: [[&str; 2]; 2] = [
    ["growth_processes_2", "growth_processes_4"],
    ["growth_claimed_2", "growth_claimed_4"],
];

/// Prints the runs a second with several processes against those with one, each by the baseline
/// that is taken in turn with it. One process does both (`--role all`); of several, the first serves
/// (`--role web`) and the others work (`--role worker`). Of the two flows the first only computes, so
/// that who serves executes it at once; each run of the second is claimed by a worker.
///
/// The baseline is taken while none of them runs: four leave it too few connections.
pub(super) fn measure(
    bench: &Bench<'_>,
    generator: &Generator,
    database: &Database,
    url: &str,
    flows: [&Published; 2],
) -> Outcome {
    let rates = |count: usize| {
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
        let rate = |flow: &Published| -> Outcome<f64> {
            place.flood(flow)?;
            let finished = place.flood(flow)?;
            Ok(finished.runs / finished.seconds)
        };
        let [computed, claimed] = flows;
        Ok([rate(computed)?, rate(claimed)?])
    };
    let mut ratios = flows.map(|_| COUNTS.map(|_| Vec::new()));
    for round in 1..=ROUNDS {
        for (place, count) in COUNTS.into_iter().enumerate() {
            let baseline = database.baseline(CONCURRENCY, FLOOD)?;
            let rates: [f64; 2] = rates(count)?;
            let [computed, claimed] = rates;
            progress(format_args!(
                "Round {round} of {ROUNDS}, processes: {count}: {computed:.0} runs/s, {claimed:.0} claimed runs/s, {baseline:.0} inserts/s"
            ));
            for (ratios, rate) in ratios.iter_mut().zip(rates) {
                ratios[place].push(rate / baseline);
            }
        }
    }
    for (names, ratios) in NAMES.into_iter().zip(ratios) {
        let [one, several @ ..] = ratios.map(median);
        for (name, ratio) in names.into_iter().zip(several) {
            Figure::new(name, ratio / one, "ratio").goal(0.8).print();
        }
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
