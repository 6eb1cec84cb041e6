//! Processes of Sluice on one database, of which some are killed.

use std::process::Stdio;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection, Row};
use tokio::process::Command;
use uuid::Uuid;

use crate::app::eventually;
use crate::process::Process;

/// How long a process may take until it is ready: others use this machine, too.
const READY: Duration = Duration::from_secs(60);

struct Member {
    process: Process,
    base: String,
    /// The name under which it claims runs.
    worker: Uuid,
}

/// The processes that run, and when others died.
pub(super) struct Fleet {
    url: String,
    size: usize,
    members: Mutex<Vec<Member>>,
    deaths: Mutex<Vec<(Uuid, SystemTime)>>,
    turn: Mutex<usize>,
}

impl Fleet {
    pub(super) async fn start(url: &str, size: usize) -> Self {
        let fleet = Self {
            url: url.to_owned(),
            size,
            members: Mutex::default(),
            deaths: Mutex::default(),
            turn: Mutex::default(),
        };
        fleet.heal().await;
        fleet
    }

    fn members(&self) -> MutexGuard<'_, Vec<Member>> {
        self.members.lock().expect("nobody panicked")
    }

    /// Returns the address of each in turn.
    pub(super) fn any_base(&self) -> Option<String> {
        let mut turn = self.turn.lock().expect("nobody panicked");
        *turn += 1;
        let members = self.members();
        (!members.is_empty()).then(|| members[*turn % members.len()].base.clone())
    }

    /// Kills the one that has lived longest, then starts another. Returns whether there was one.
    pub(super) async fn kill_one(&self) -> bool {
        let oldest = {
            let mut members = self.members();
            (!members.is_empty()).then(|| members.remove(0))
        };
        let Some(oldest) = oldest else { return false };
        let died = (oldest.worker, SystemTime::now());
        oldest.process.end("KILL").await;
        self.deaths.lock().expect("nobody panicked").push(died);
        self.heal().await;
        true
    }

    pub(super) fn deaths(&self) -> Vec<(Uuid, SystemTime)> {
        self.deaths.lock().expect("nobody panicked").clone()
    }

    /// Starts as many as are missing, one after the other: so it is known which worker is whose.
    pub(super) async fn heal(&self) {
        while self.members().len() < self.size {
            let before = self.workers().await;
            let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
            command
                .args(["serve", "--listen", "127.0.0.1:0"])
                .env("DATABASE_URL", &self.url)
                .env("RUST_LOG", "error")
                .stderr(Stdio::null());
            let process = Process::start(command).await;
            let base = process.base().to_owned();
            let new = async || {
                let now = self.workers().await;
                now.into_iter().find(|worker| !before.contains(worker))
            };
            let worker = eventually("the worker is known", READY, new).await;
            self.members().push(Member {
                process,
                base,
                worker,
            });
        }
    }

    /// Returns the workers that are known to live; none while the database does not answer.
    async fn workers(&self) -> Vec<Uuid> {
        let options: PgConnectOptions = self.url.parse().expect("it is an address");
        let Ok(mut connection) = PgConnection::connect_with(&options).await else {
            return Vec::new();
        };
        let rows = sqlx::query("select worker_id from worker")
            .fetch_all(&mut connection)
            .await;
        let rows = rows.unwrap_or_default();
        rows.iter().map(|row| row.get(0)).collect()
    }

    pub(super) async fn end(self) {
        let members = self.members.into_inner().expect("nobody panicked");
        for member in members {
            let (took, well) = member.process.end("TERM").await;
            assert!(well && took < Duration::from_secs(10), "it took {took:?}");
        }
    }
}
