//! The database under the load: what is read from it, and the baseline it is held against.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::command::{Context, Failure, Outcome, answer, find};

/// A single row, about as large as the smallest event.
const INSERT: &str = "insert into baseline (payload) values ('0123456789012345678901234567890123456789012345678901234567890123456789');\n";

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
        let mut pgbench = Command::new(&self.pgbench);
        pgbench
            .args(["--no-vacuum", "--protocol=prepared", "--jobs=2"])
            .arg(format!("--client={clients}"))
            .arg(format!("--time={}", time.as_secs().max(1)))
            .arg("--file")
            .arg(&self.script)
            .arg(&self.baseline_url);
        let said = answer(&mut pgbench).unwrap_or_default();
        said.lines()
            .find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok())
            .ok_or_else(|| Failure::new(format!("pgbench gave no result: {said}")))
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
        let mut psql = Command::new(&self.psql);
        psql.args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only"])
            .args(["--dbname", url, "--command", query])
            // Row-level security shows all organizations to the machinery only.
            .env("PGOPTIONS", "-c sluice.scope=system");
        answer(&mut psql).ok_or_else(|| Failure::new(format!("psql refused `{query}`.")))
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
