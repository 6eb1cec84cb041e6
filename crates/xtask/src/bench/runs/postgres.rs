//! The database under the load: what is read from it, and the baseline it is held against.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use super::{first_id_of, unix_ms};
use crate::command::{Context, Failure, Outcome, answer, find};

/// Runs that are not finished so long after the load are stuck.
const STUCK: Duration = Duration::from_secs(60);

/// A single row, about as large as the smallest event.
const INSERT: &str = "insert into baseline (payload) values ('0123456789012345678901234567890123456789012345678901234567890123456789');\n";

/// Runs of one load, as the database has them.
pub(super) struct Finished {
    pub(super) runs: f64,
    /// Those that ended well.
    pub(super) succeeded: f64,
    /// From the first that came to the last that ended.
    pub(super) seconds: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

/// The Postgres that is measured.
pub(super) struct Database {
    url: String,
    /// The baseline's own database in the same Postgres.
    baseline_url: String,
    psql: PathBuf,
    pgbench: PathBuf,
    script: PathBuf,
}

impl Database {
    /// Finds the programs that talk to it.
    pub(super) fn new(url: &str) -> Outcome<Self> {
        Ok(Self {
            url: url.to_owned(),
            baseline_url: url.replace("/sluice?", "/baseline?"),
            psql: program("psql")?,
            pgbench: program("pgbench")?,
            script: PathBuf::new(),
        })
    }

    /// Makes the baseline's database and script.
    pub(super) fn prepare_baseline(&mut self, folder: &Path) -> Outcome {
        self.query("create database baseline")?;
        let table = "create table baseline (
            id bigint generated always as identity primary key,
            payload text not null
        )";
        self.query_at(&self.baseline_url, table)?;
        self.script = folder.join("baseline.sql");
        std::fs::write(&self.script, INSERT)
            .context(|| format!("writing {}", self.script.display()))
    }

    /// Single-row insert transactions a second.
    pub(super) fn baseline(&self, clients: usize, time: Duration) -> Outcome<f64> {
        let said = answer(&mut self.inserts(clients, time)).unwrap_or_default();
        said.lines()
            .find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok())
            .ok_or_else(|| Failure::new(format!("pgbench gave no result: {said}")))
    }

    /// The wait that 99 of 100 single-row inserts do not exceed, from the instant at which each is
    /// due, at a steady rate a second.
    pub(super) fn baseline_p99_ms(
        &self,
        clients: usize,
        time: Duration,
        rate: f64,
    ) -> Outcome<f64> {
        let folder = self.script.with_extension("waits");
        std::fs::create_dir_all(&folder).context(|| format!("making {}", folder.display()))?;
        let mut pgbench = self.inserts(clients, time);
        pgbench
            .arg(format!("--rate={rate:.0}"))
            .args(["--log", "--log-prefix"])
            .arg(folder.join("wait"));
        answer(&mut pgbench).ok_or_else(|| Failure::new("pgbench kept no steady rate."))?;
        let reading = || format!("reading what is in {}", folder.display());
        let mut waits: Vec<f64> = Vec::new();
        for file in std::fs::read_dir(&folder).context(reading)? {
            let lines = std::fs::read_to_string(file.context(reading)?.path()).context(reading)?;
            // Client, number, microseconds.
            waits.extend(lines.lines().filter_map(|line| {
                let wait = line.split(' ').nth(2)?;
                wait.parse::<f64>().ok()
            }));
        }
        std::fs::remove_dir_all(&folder).context(|| format!("removing {}", folder.display()))?;
        waits.sort_unstable_by(f64::total_cmp);
        let wait = waits.get(waits.len() * 99 / 100);
        let wait = wait.ok_or_else(|| Failure::new("pgbench logged no wait."))?;
        Ok(wait / 1000.0)
    }

    fn inserts(&self, clients: usize, time: Duration) -> Command {
        let mut pgbench = Command::new(&self.pgbench);
        pgbench
            .args(["--no-vacuum", "--protocol=prepared", "--jobs=2"])
            .arg(format!("--client={clients}"))
            .arg(format!("--time={}", time.as_secs().max(1)))
            .arg("--file")
            .arg(&self.script)
            .arg(&self.baseline_url);
        pgbench
    }

    /// Bytes of log written until now.
    pub(super) fn wal(&self) -> Outcome<f64> {
        self.number("select pg_current_wal_insert_lsn() - '0/0'::pg_lsn")
    }

    /// Returns the one number that a query gives.
    pub(super) fn number(&self, query: &str) -> Outcome<f64> {
        let text = self.query(query)?;
        text.parse()
            .map_err(|_| Failure::new(format!("`{query}` gave `{text}`.")))
    }

    /// Returns the rows of a query, columns separated by `|`.
    pub(super) fn query(&self, query: &str) -> Outcome<String> {
        self.query_at(&self.url, query)
    }

    fn query_at(&self, url: &str, query: &str) -> Outcome<String> {
        let mut psql = self.psql_at(url);
        psql.args(["--command", query]);
        answer(&mut psql).ok_or_else(|| Failure::new(format!("psql refused `{query}`.")))
    }

    /// Returns `psql` on the database, to be told what to do.
    pub(super) fn psql(&self) -> Command {
        self.psql_at(&self.url)
    }

    fn psql_at(&self, url: &str) -> Command {
        let mut psql = Command::new(&self.psql);
        psql.args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only"])
            .args(["--dbname", url])
            // Row-level security shows all organizations to the machinery only.
            .env("PGOPTIONS", "-c sluice.scope=system");
        psql
    }

    /// Returns `pgbench` with so many sessions on the database, to be told what they do.
    pub(super) fn pgbench(&self, sessions: u32) -> Command {
        let mut pgbench = Command::new(&self.pgbench);
        pgbench
            .args(["--no-vacuum", "--client", &sessions.to_string()])
            .arg(&self.url)
            .env("PGOPTIONS", "-c sluice.scope=system");
        pgbench
    }

    /// Waits until no run is left in the queue.
    pub(super) fn settle(&self) -> Outcome {
        let begun = Instant::now();
        // It counts nothing: to look through the whole queue would slow down what is measured.
        let waits = "select count(*) from (select from run_queue limit 1) as waiting";
        while self.number(waits)? > 0.0 {
            if begun.elapsed() > STUCK {
                return Err(Failure::new("Some runs do not finish."));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Returns what became of the runs from an id on.
    pub(super) fn finished_since(&self, first: &str) -> Outcome<Finished> {
        let row = self.query(&format!(
            "select count(*), count(*) filter (where state = 'succeeded'),
                extract(epoch from max(finished_at) - min(created_at)),
                percentile_disc(0.5) within group (order by took),
                percentile_disc(0.99) within group (order by took)
             from run, lateral (
                select extract(epoch from finished_at - created_at) * 1000 as took
             ) as of_run
             where run_id >= '{first}'"
        ))?;
        let numbers: Vec<f64> = row.split('|').flat_map(str::parse).collect();
        let [runs, succeeded, seconds, p50_ms, p99_ms] = numbers[..] else {
            return Err(Failure::new(format!("No runs came of the load: `{row}`.")));
        };
        Ok(Finished {
            runs,
            succeeded,
            seconds,
            p50_ms,
            p99_ms,
        })
    }

    /// Returns how many runs, of those from an id on, were finished a second for some time.
    pub(super) fn rate_from(&self, first: &str, begin: SystemTime, time: Duration) -> Outcome<f64> {
        let from = unix_ms(begin) as f64 / 1000.0;
        let to = from + time.as_secs_f64();
        let runs = self.number(&format!(
            "select count(*) from run where run_id >= '{first}'
             and finished_at >= to_timestamp({from:.3}) and finished_at < to_timestamp({to:.3})"
        ))?;
        Ok(runs / time.as_secs_f64())
    }

    /// Returns how long after an instant the first run was finished that had come after it, in
    /// milliseconds.
    pub(super) fn recovery_ms(&self, over: SystemTime) -> Outcome<f64> {
        let first = first_id_of(over);
        let text = self.query(&format!(
            "select extract(epoch from min(finished_at)) * 1000 - {} from run
             where run_id >= '{first}'",
            unix_ms(over)
        ))?;
        text.parse().map_err(|_| {
            Failure::new("The load was over before anything new could come after what broke.")
        })
    }

    /// Fails unless the runs that a file names, one a line, are so many, each there and ended well,
    /// and no event of a run from an id on has another run.
    pub(super) fn must_have(&self, file: &Path, answered: f64, first: &str) -> Outcome {
        let mut psql = self.psql();
        psql.args(["--command", "create temporary table answered (run text)"])
            .args([
                "--command",
                &format!("\\copy answered from '{}'", file.display()),
            ])
            .args([
                "--command",
                &format!(
                "with since as (select run_id, event_id, state from run where run_id >= '{first}')
                 select count(distinct answered.run), count(distinct since.run_id),
                    count(distinct since.run_id) filter (where state = 'succeeded'),
                    (select count(*) - count(distinct event_id) from since)
                 from answered left join since on since.run_id::text = answered.run"
            ),
            ]);
        let row = answer(&mut psql)
            .ok_or_else(|| Failure::new("psql could not compare the runs with the answers."))?;
        let numbers: Vec<f64> = row.split('|').flat_map(str::parse).collect();
        match numbers[..] {
            [named, there, succeeded, double]
                if named == answered && there == named && succeeded == there && double == 0.0 =>
            {
                Ok(())
            }
            [named, there, succeeded, double] => Err(Failure::new(format!(
                "{answered} events were accepted and {named} runs named; {there} of these are there, {succeeded} succeeded; {double} events have more than one run."
            ))),
            _ => Err(Failure::new(format!(
                "The runs cannot be compared with the answers: `{row}`."
            ))),
        }
    }

    /// Returns how many connections Postgres has left for us; `None` when it refuses one.
    pub(super) fn connections_left(&self) -> Option<u32> {
        // The reserved ones are named differently in different versions. Ours is free again after.
        let query = "select (select setting::int from pg_settings where name = 'max_connections')
                - (select sum(setting::int) from pg_settings where name in
                    ('superuser_reserved_connections', 'reserved_connections'))
                - (select count(*) - 1 from pg_stat_activity where usename is not null)";
        let left = self.query(query).ok()?;
        Some(left.parse::<u32>().unwrap_or(0).max(1))
    }

    /// Waits until so many sessions are in a state.
    pub(super) fn await_sessions(&self, state: &str, count: f64, limit: Duration) -> Outcome {
        let begun = Instant::now();
        let query = format!(
            "select count(*) from pg_stat_activity where state = '{state}'
             and application_name in ('psql', 'pgbench')"
        );
        while self.number(&query)? < count {
            if begun.elapsed() > limit {
                return Err(Failure::new(format!("No {count} sessions were {state}.")));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

fn program(name: &str) -> Outcome<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter();
    let mut found: Vec<PathBuf> = versions
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin").join(name))
        .filter(|path| path.is_file())
        .collect();
    found.sort();
    found.pop().or_else(|| find(name)).ok_or_else(|| {
        Failure::new(format!(
            "`{name}` was not found. It comes with Postgres' server programs."
        ))
    })
}
