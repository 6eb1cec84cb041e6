//! The nine public scenarios for queues on Postgres, by the names they go by: five in which something
//! breaks, four in which something presses.
//!
//! Each is taken in turn with an undisturbed flood and held against it. After every load each answered
//! event has to have its one run, finished well, whatever happened meanwhile: else the bench fails.

mod disturb;

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use super::flow::{self, Published};
use super::load::{Generator, Load};
use super::postgres::Database;
use super::{CONCURRENCY, first_id_of};
use crate::arguments::Arguments;
use crate::bench::Bench;
use crate::bench::figure::{Figure, median};
use crate::bench::server::Server;
use crate::command::{Failure, Outcome, Running, progress};
use crate::launch::{self, Scratch};

const ROUNDS: usize = 5;
/// How long an undisturbed flood takes, and one under pressure.
const FLOOD: Duration = Duration::from_secs(4);
/// How long a flood takes in which something breaks, and one in which all connections are taken, which
/// takes a while: until it is whole again, and a little longer.
const CHAOS: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(16));
/// How long what goes on for a flood's length is kept up in one that breaks things.
const BREAKING: Duration = Duration::from_secs(4);
/// How long a load goes on before something breaks.
const LEAD: Duration = Duration::from_secs(1);
/// How long a high load is sustained, and its first and last part.
const SUSTAINED: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(10));
/// How many connections come at once in a burst, and how long it takes.
const BURST: (usize, Duration) = (1_000, Duration::from_secs(1));
/// What should be left of the undisturbed rate, and with a snapshot held.
const LEFT: (f64, f64) = (0.95, 0.9);
/// Milliseconds until something new should be finished after something broke.
const RECOVERY: f64 = 3_000.0;

/// Breaks something while a load goes on; returns when it was over.
type Break = fn(&mut Bed<'_>) -> Outcome<SystemTime>;
/// Begins to press; what it returns presses until it goes.
type Press = fn(&Bed<'_>) -> Outcome<Running>;

/// What is done to the system.
enum Kind {
    /// The rate after it is held against the one before it. A load goes on so long meanwhile.
    Chaos(Break, Duration),
    /// The rate meanwhile is held against the one before it.
    Pressure(Press),
    /// The end of a long load is held against its beginning.
    Sustained,
    /// The rate after very many calls at once is held against the one before them.
    Burst,
}

const SCENARIOS: [(&str, f64, Kind); 9] = [
    (
        "postgres_restart",
        LEFT.0,
        Kind::Chaos(disturb::restart_postgres, CHAOS.0),
    ),
    (
        "pg_backend_kill",
        LEFT.0,
        Kind::Chaos(disturb::kill_backends, CHAOS.0),
    ),
    (
        "pool_exhaustion",
        LEFT.0,
        Kind::Chaos(disturb::exhaust_connections, CHAOS.1),
    ),
    (
        "crash_recovery",
        LEFT.0,
        Kind::Chaos(disturb::kill_once, CHAOS.0),
    ),
    (
        "repeated_kills",
        LEFT.0,
        Kind::Chaos(disturb::kill_repeatedly, CHAOS.0),
    ),
    ("idle_in_tx", LEFT.1, Kind::Pressure(disturb::hold_snapshot)),
    ("sustained_high_load", LEFT.0, Kind::Sustained),
    ("active_readers", LEFT.0, Kind::Pressure(disturb::read)),
    ("event_burst", LEFT.0, Kind::Burst),
];

/// Prints for each scenario, or for those that are named, which part of the undisturbed rate is left, and `recovery_ms`: the slowest of
/// all recoveries.
pub(crate) fn measure(bench: &Bench<'_>, mut arguments: Arguments) -> Outcome {
    let mut wanted = Vec::new();
    while let Some(name) = arguments.word() {
        if !SCENARIOS.iter().any(|(of, ..)| *of == name) {
            let names = SCENARIOS.map(|(name, ..)| name);
            return Err(Failure::new(format!(
                "`{name}` is not a scenario. These are: {}.",
                names.join(", ")
            )));
        }
        wanted.push(name);
    }
    arguments.finish()?;
    let generator = Generator::build(bench)?;
    let scratch = Scratch::new("bench-scenarios")?;
    let mut bed = Bed::make(bench, &generator, scratch.path())?;
    progress("Warming up");
    bed.rate()?;
    bed.rate()?;
    let mut recoveries = Vec::new();
    for (name, goal, kind) in &SCENARIOS {
        if !wanted.is_empty() && !wanted.iter().any(|wanted| wanted == name) {
            continue;
        }
        let mut left = Vec::new();
        for round in 1..=ROUNDS {
            let (before, rate) = bed.round(kind, &mut recoveries)?;
            progress(format_args!(
                "{name}, round {round} of {ROUNDS}: {rate:.0} runs/s, undisturbed {before:.0} runs/s"
            ));
            left.push(rate / before);
        }
        // Of what is close in time: the machine may be another one for each round.
        Figure::new(name, median(left), "ratio").goal(*goal).print();
    }
    if let Some(slowest) = recoveries.into_iter().max_by(f64::total_cmp) {
        Figure::new("recovery_ms", slowest, "ms")
            .goal(RECOVERY)
            .print();
    }
    Ok(())
}

/// A system of its own that things are done to.
struct Bed<'a> {
    bench: &'a Bench<'a>,
    generator: &'a Generator,
    folder: PathBuf,
    database: Database,
    /// Not there while it is started anew.
    server: Option<Server>,
    /// Not there while it is started anew. Ends after the server.
    postgres: Option<launch::Postgres>,
    order: Published,
}

/// A load, once all its runs are finished.
struct Storm {
    /// The smallest id that one of its runs may have.
    first: String,
    /// When the last of its calls was over.
    ended: SystemTime,
}

impl<'a> Bed<'a> {
    fn make(bench: &'a Bench<'a>, generator: &'a Generator, folder: &Path) -> Outcome<Self> {
        let postgres = launch::Postgres::start(&bench.program, &folder.join("data"))?;
        let database = Database::new(&postgres.url)?;
        let server = Server::start_to_suffer(bench, &postgres.url, None)?;
        let (_, [order, _]) = flow::publish(server.address, &database)?;
        Ok(Self {
            bench,
            generator,
            folder: folder.to_owned(),
            database,
            server: Some(server),
            postgres: Some(postgres),
            order,
        })
    }

    /// Returns the undisturbed rate and the one that is held against it.
    fn round(&mut self, kind: &Kind, recoveries: &mut Vec<f64>) -> Outcome<(f64, f64)> {
        match kind {
            Kind::Chaos(break_it, time) => {
                let before = self.rate()?;
                let (_, over) = self.storm(Load::Flood(CONCURRENCY, *time), break_it)?;
                let took = self.database.recovery_ms(over)?;
                progress(format_args!(
                    "Something new was finished after {took:.0} ms"
                ));
                recoveries.push(took);
                Ok((before, self.rate()?))
            }
            Kind::Pressure(press) => {
                let before = self.rate()?;
                let pressing = press(self)?;
                let rate = self.rate();
                drop(pressing);
                Ok((before, rate?))
            }
            Kind::Sustained => {
                let (time, part) = SUSTAINED;
                let began = SystemTime::now();
                let (storm, ()) = self.storm(Load::Flood(CONCURRENCY, time), |_| Ok(()))?;
                let rate = |from| self.database.rate_from(&storm.first, from, part);
                Ok((rate(began)?, rate(storm.ended - part)?))
            }
            Kind::Burst => {
                let before = self.rate()?;
                let (connections, time) = BURST;
                self.storm(Load::Flood(connections, time), |_| Ok(()))?;
                Ok((before, self.rate()?))
            }
        }
    }

    /// Returns the runs a second of a flood.
    fn rate(&mut self) -> Outcome<f64> {
        let (storm, ()) = self.storm(Load::Flood(CONCURRENCY, FLOOD), |_| Ok(()))?;
        let finished = self.database.finished_since(&storm.first)?;
        Ok(finished.runs / finished.seconds)
    }

    /// Puts a load on the flow while something else happens, and waits until all its runs are
    /// finished. Fails when one that was answered is not there.
    fn storm<T>(
        &mut self,
        load: Load,
        meanwhile: impl FnOnce(&mut Self) -> Outcome<T>,
    ) -> Outcome<(Storm, T)> {
        let Some(server) = &self.server else {
            return Err(Failure::new("The server was not started again."));
        };
        let (generator, address) = (self.generator, server.address);
        let (path, body) = (self.order.path.clone(), self.order.body);
        let file = self.folder.join("answered");
        let first = first_id_of(SystemTime::now());
        let (seen, happened) = thread::scope(|scope| {
            let load = scope.spawn(|| generator.run(address, &path, body, load, Some(&file)));
            let happened = meanwhile(self);
            let seen = load
                .join()
                .unwrap_or_else(|_| Err(Failure::new("The load was not put on.")));
            (seen, happened)
        });
        let ended = SystemTime::now();
        let (seen, happened) = (seen?, happened?);
        self.database.settle()?;
        self.database.must_have(&file, seen.answered, &first)?;
        Ok((Storm { first, ended }, happened))
    }
}
