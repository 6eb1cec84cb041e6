//! How many runs a second are accepted, executed and finished, how long they take, what they cost.
//!
//! Everything shares this machine: Postgres, the server, the load. So the baseline, single-row
//! inserts by `pgbench`, is taken in turn with it. What counts is read from the runs in the
//! database: an answered event without a finished run fails the bench.

mod fanout;
mod flow;
mod growth;
mod load;
mod postgres;
mod processes;
pub(super) mod scenarios;

use std::fmt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::arguments::Arguments;
use crate::bench::Bench;
use crate::bench::figure::{Figure, median};
use crate::bench::server::Server;
use crate::command::{Context, Failure, Outcome, answer, progress};
use crate::launch::{self, Scratch};
use flow::{ANSWER, CLAIMED, Flow, ORDER, Page, Published};
use load::{Generator, Load, Seen};
use postgres::{Database, Finished};

/// What can be taken alone.
const PARTS: [&str; 4] = ["rate", "fanout", "growth", "processes"];
const ROUNDS: usize = 5;
/// Connections, and clients of the baseline.
const CONCURRENCY: usize = 64;
const FLOOD: Duration = Duration::from_secs(4);
const PACED: Duration = Duration::from_secs(4);

/// Prints `runs_per_s` and what belongs to it, or one part of that; with `--peer`, what can be seen of
/// another system.
pub(crate) fn measure(bench: &Bench<'_>, mut arguments: Arguments) -> Outcome {
    let peer = arguments.value("--peer")?;
    let flow = arguments.value("--flow")?;
    let full = arguments.flag("--full");
    let part = arguments.value("--part")?;
    arguments.finish()?;
    let generator = Generator::build(bench)?;
    match (peer, flow) {
        (Some(url), flow) => measure_peer(&generator, &url, flow.as_deref()),
        (None, None) => measure_own(bench, &generator, full, part.as_deref()),
        (None, Some(_)) => Err(Failure::new(
            "--flow says what the webhook of a --peer does; give its URL as well.",
        )),
    }
}

fn measure_own(
    bench: &Bench<'_>,
    generator: &Generator,
    full: bool,
    part: Option<&str>,
) -> Outcome {
    if let Some(part) = part.filter(|part| !PARTS.contains(part)) {
        return Err(Failure::new(format!(
            "`{part}` is no --part of it. These are: {}.",
            PARTS.join(", ")
        )));
    }
    let wanted = |name: &str| part.is_none_or(|part| part == name);
    let scratch = Scratch::new("bench-runs")?;
    let mut site = Site::start(bench, &scratch.path().join("data"))?;
    site.database.prepare_baseline(scratch.path())?;
    let place = Place {
        generator,
        database: &site.database,
        server: &site.server,
    };
    progress("Warming up");
    site.database.baseline(CONCURRENCY, FLOOD / 2)?;
    place.flood(&site.order)?;
    place.flood(&site.answer)?;
    if wanted("rate") {
        let (runs, inserts) = place.saturate(&site.order)?;
        place.pace(&site.order, &site.answer, (runs / 2.0, inserts / 2.0))?;
    }
    if wanted("fanout") {
        fanout::measure(&place, &mut site.page, full)?;
    }
    if wanted("growth") {
        let mut grown = Site::start(bench, &scratch.path().join("grown"))?;
        let sites = [&mut site, &mut grown];
        growth::measure(generator, sites, scratch.path(), full)?;
    }
    if wanted("processes") {
        let claimed = site.page.publish_flow(&site.database, &CLAIMED)?;
        // It would take part.
        drop(site.server);
        let flows = [&site.order, &claimed];
        processes::measure(bench, generator, &site.database, &site.postgres.url, flows)?;
    }
    Ok(())
}

/// A server with a Postgres of its own, and what is live in it.
struct Site {
    server: Server,
    database: Database,
    page: Page,
    order: Published,
    answer: Published,
    /// Ends after the server.
    postgres: launch::Postgres,
}

impl Site {
    /// Starts both with their data in a folder, and publishes what is called when accepted, and what
    /// answers.
    fn start(bench: &Bench<'_>, data: &Path) -> Outcome<Self> {
        let postgres = launch::Postgres::start(&bench.program, data)?;
        let database = Database::new(&postgres.url)?;
        let server = Server::start_on(bench, &postgres.url)?;
        let (page, [order, answer]) = flow::publish(server.address, &database)?;
        Ok(Self {
            server,
            database,
            page,
            order,
            answer,
            postgres,
        })
    }

    fn place<'a>(&'a self, generator: &'a Generator) -> Place<'a> {
        Place {
            generator,
            database: &self.database,
            server: &self.server,
        }
    }
}

/// What a round needs.
struct Place<'a> {
    generator: &'a Generator,
    database: &'a Database,
    server: &'a Server,
}

impl Place<'_> {
    /// Takes what is taken at saturation; returns the runs a second, and those of the baseline.
    fn saturate(&self, flow: &Published) -> Outcome<(f64, f64)> {
        let (mut rates, mut baselines) = (Vec::new(), Vec::new());
        let (mut memory, mut wal, mut cpu) = (Vec::new(), Vec::new(), Vec::new());
        for round in 1..=ROUNDS {
            let baseline = self.database.baseline(CONCURRENCY, FLOOD)?;
            let flooded = self.flood_with_cost(flow)?;
            memory.push(self.server.resident_mb()?);
            cpu.push(flooded.cpu_ms);
            wal.push(flooded.wal_bytes);
            let rate = flooded.runs_per_s;
            progress(format_args!(
                "Round {round} of {ROUNDS}: {rate:.0} runs/s, {baseline:.0} inserts/s"
            ));
            rates.push(rate);
            baselines.push(baseline);
        }
        let (rate, baseline) = (median(rates), median(baselines));
        Figure::new("runs_per_s", rate, "1/s")
            .baseline(baseline)
            .goal(0.5)
            .print();
        Figure::new("server_rss_mb", median(memory), "MB")
            .goal(150.0)
            .print();
        Figure::new("wal_bytes_per_run", median(wal), "B")
            .goal(4000.0)
            .print();
        Figure::new("cpu_ms_per_run", median(cpu), "ms")
            .goal(1.0)
            .print();
        Ok((rate, baseline))
    }

    /// Takes what is taken at a steady rate, half of what there is at most: of events, and of the
    /// baseline's inserts.
    fn pace(&self, order: &Published, respond: &Published, (rate, inserts): (f64, f64)) -> Outcome {
        let load = Load::Pace(rate, PACED);
        let (mut accepts, mut halves, mut lates) = (Vec::new(), Vec::new(), Vec::new());
        let (mut answers, mut baselines) = (Vec::new(), Vec::new());
        for round in 1..=ROUNDS {
            let database = self.database;
            baselines.push(database.baseline_p99_ms(CONCURRENCY, PACED, inserts)?);
            let (seen, finished) = self.round(order, load)?;
            accepts.push(seen.p99_ms);
            halves.push(finished.p50_ms);
            lates.push(finished.p99_ms);
            let (answered, _) = self.round(respond, load)?;
            answers.push(answered.p99_ms);
            progress(format_args!(
                "Round {round} of {ROUNDS} at {rate:.0}/s: accepted {:.1} ms, finished {:.1} to {:.1} ms, answered {:.1} ms, inserted at {inserts:.0}/s {:.1} ms",
                seen.p99_ms,
                finished.p50_ms,
                finished.p99_ms,
                answered.p99_ms,
                baselines.last().copied().unwrap_or_default(),
            ));
        }
        let baseline = median(baselines);
        for (name, values, goal) in [
            ("accept_p99_ms", accepts, 10.0),
            ("finish_p50_ms", halves, 10.0),
            ("finish_p99_ms", lates, 50.0),
            ("sync_p99_ms", answers, 25.0),
        ] {
            let figure = Figure::new(name, median(values), "ms").goal(goal);
            // Half of the runs are no tail to be held against one.
            match name {
                "finish_p50_ms" => figure.print(),
                _ => figure.baseline(baseline).print(),
            }
        }
        Ok(())
    }

    /// Floods a flow; returns what was reached, and what a run of it took.
    fn flood_with_cost(&self, flow: &Published) -> Outcome<Flooded> {
        let wal = self.database.wal()?;
        let cpu = cpu_ms(self.server)?;
        let finished = self.flood(flow)?;
        Ok(Flooded {
            runs: finished.runs,
            runs_per_s: finished.runs / finished.seconds,
            cpu_ms: (cpu_ms(self.server)? - cpu) / finished.runs,
            wal_bytes: (self.database.wal()? - wal) / finished.runs,
        })
    }

    fn flood(&self, flow: &Published) -> Outcome<Finished> {
        Ok(self.round(flow, Load::Flood(CONCURRENCY, FLOOD))?.1)
    }

    /// Puts a load on a flow and waits until all its runs are finished.
    fn round(&self, flow: &Published, load: Load) -> Outcome<(Seen, Finished)> {
        let first = first_id_of(SystemTime::now());
        let seen = self
            .generator
            .run(self.server.address, &flow.path, flow.body, load, None)?
            .whole()?;
        self.database.settle()?;
        let finished = self.database.finished_since(&first)?;
        if finished.runs < seen.answered || finished.succeeded < finished.runs {
            return Err(Failure::new(format!(
                "{} events were accepted, {} runs came of them, {} succeeded.",
                seen.answered, finished.runs, finished.succeeded
            )));
        }
        if seen.refused > 0.0 {
            progress(format_args!("{} events were refused", seen.refused));
        }
        Ok((seen, finished))
    }
}

/// What was reached in a flood, and what each run took.
struct Flooded {
    runs: f64,
    runs_per_s: f64,
    /// Processor time of the server.
    cpu_ms: f64,
    /// What Postgres wrote to its log.
    wal_bytes: f64,
}

impl fmt::Display for Flooded {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{:.0} runs/s ({:.3} ms, {:.0} B each)",
            self.runs_per_s, self.cpu_ms, self.wal_bytes
        )
    }
}

/// Takes what can be seen from outside. A webhook that answers when it has accepted does not show
/// when its runs are finished; one that answers at the end shows both in one.
fn measure_peer(generator: &Generator, url: &str, name: Option<&str>) -> Outcome {
    let flows: [&Flow; 2] = [&ORDER, &ANSWER];
    let flow = flows.into_iter().find(|flow| Some(flow.name) == name);
    let Some(flow) = flow else {
        let names = flows.map(|flow| format!("    {:<8} {}", flow.name, flow.about));
        return Err(Failure::new(format!(
            "--flow says what the webhook does:\n{}",
            names.join("\n")
        )));
    };
    let (address, path) = load::loopback(url)?;
    let call = |load| {
        generator
            .run(address, &path, flow.body, load, None)?
            .whole()
    };
    let flood = Load::Flood(CONCURRENCY, FLOOD);
    progress("Warming up");
    call(flood)?;
    let mut rates = Vec::new();
    for _ in 0..ROUNDS {
        let seen = call(flood)?;
        rates.push(seen.answered / seen.seconds);
    }
    let rate = median(rates);
    let mut waits = Vec::new();
    for _ in 0..ROUNDS {
        waits.push(call(Load::Pace((rate / 2.0).max(1.0), PACED))?.p99_ms);
    }
    let (of_rate, of_wait, goal) = if flow.answers_at_end {
        ("runs_per_s", "sync_p99_ms", 25.0)
    } else {
        ("accepts_per_s", "accept_p99_ms", 10.0)
    };
    Figure::new(of_rate, rate, "1/s").print();
    Figure::new(of_wait, median(waits), "ms").goal(goal).print();
    Ok(())
}

/// Returns the smallest id that a run may have that begins then: ids begin with the milliseconds.
fn first_id_of(instant: SystemTime) -> String {
    let hex = format!("{:012x}", unix_ms(instant));
    format!("{}-{}-7000-8000-000000000000", &hex[..8], &hex[8..12])
}

/// Returns the milliseconds since 1970.
fn unix_ms(instant: SystemTime) -> u64 {
    let since = instant.duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

/// Processor time of the server until now, in milliseconds.
fn cpu_ms(server: &Server) -> Outcome<f64> {
    let path = format!("/proc/{}/stat", server.process());
    let text = std::fs::read_to_string(&path).context(|| format!("reading {path}"))?;
    let ticks = answer(std::process::Command::new("getconf").arg("CLK_TCK"));
    let ticks: f64 = ticks.and_then(|text| text.parse().ok()).unwrap_or(100.0);
    // The name in brackets may hold anything; the fields after it are the third and on.
    let fields = text.rsplit(')').next().unwrap_or_default();
    let times: Vec<f64> = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .flat_map(str::parse)
        .collect();
    let [user, system] = times[..] else {
        return Err(Failure::new(format!("{path} is not understood.")));
    };
    Ok((user + system) * 1000.0 / ticks)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::first_id_of;

    #[test]
    fn the_smallest_id_of_an_instant_begins_with_its_milliseconds() {
        let instant = SystemTime::UNIX_EPOCH + Duration::from_millis(0x0001_9aca_5c00);
        assert_eq!(first_id_of(instant), "00019aca-5c00-7000-8000-000000000000");
    }
}
