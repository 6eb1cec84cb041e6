//! `sluice rotate-key`: seals all secrets anew under a new master key, beside the processes that use
//! them.
//!
//! The file of the private Postgres is ours: it gets the new key on top, and loses the old one at the
//! end. A file that someone else keeps, perhaps on several machines, is theirs to change, before and
//! after.

use std::fs::File;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::config::{Config, KeySource};
use crate::master_key;
use crate::postgres::{self, Postgres};
use crate::serve::{Database, Failure, because, say};
use crate::signal::Stop;

/// How often it is told how far it is.
const TELL: Duration = Duration::from_secs(1);

/// Seals all secrets anew, then ends. Called again after it was stopped, it goes on.
///
/// # Errors
/// When there is no new master key, or an old one is missing; the message says what to do.
pub async fn run(mut config: Config) -> Result<(), Failure> {
    let source = config.master_key.clone();
    let own = tokio::task::spawn_blocking(move || prepare(source)).await??;
    if config.database_url.is_none() && is_running(&config) {
        let data_dir = config.data_dir.clone();
        let url = tokio::task::spawn_blocking(move || Postgres::of_running(&data_dir)).await??;
        config.database_url = Some(url);
    }
    let database = Database::open(&config).await?;
    let mut told_at = Instant::now();
    let rotated = database
        .store
        .rotate_keys(|done| {
            if told_at.elapsed() >= TELL {
                told_at = Instant::now();
                let _ = say(&format!("{} secrets are sealed anew\n", done.secrets));
            }
        })
        .await;
    database.close(&Stop::new()).await;
    let done = rotated.map_err(|error| because("Not all secrets were sealed anew", &error))?;
    if done.left > 0 {
        return Err(format!(
            "The old master key is still needed, for {} organizations. Run this again.",
            done.left
        )
        .into());
    }
    let next = match own {
        Some((path, turn)) => {
            tokio::task::spawn_blocking(move || master_key::keep_first(&path)).await??;
            drop(turn);
            "The old master key is removed. Copy the new one from master.key to where you keep copies."
        }
        None => "Remove all lines but the first from the file of the master key, on every machine.",
    };
    say(&format!(
        "Sealed {} secrets anew, for {} organizations. {next}\n",
        done.secrets, done.organizations
    ))
}

/// Sees to it that there is a new key above the old one; returns the file when it is ours, and the
/// turn to change it.
fn prepare(source: KeySource) -> Result<Option<(PathBuf, File)>, Failure> {
    let (keys, path, own) = match source {
        KeySource::Own(path) => {
            let turn = master_key::lock(&path)?;
            if master_key::from_file(&path)?.older() == 0 {
                master_key::add_new(&path)?;
            }
            return Ok(Some((path, turn)));
        }
        KeySource::File(path) => (
            master_key::from_file(&path)?,
            path.display().to_string(),
            None,
        ),
        KeySource::Given(keys) => (keys, "SLUICE_MASTER_KEY".to_owned(), None),
        KeySource::Missing => {
            return Err("There is no master key: set SLUICE_MASTER_KEY_FILE.".into());
        }
    };
    if keys.older() == 0 {
        return Err(format!(
            "{path} holds one key. Write a new one (openssl rand -hex 32) before it, on a line of its own, for every process of Sluice; then run this again."
        )
        .into());
    }
    Ok(own)
}

/// Returns whether another process has the private Postgres.
fn is_running(config: &Config) -> bool {
    postgres::is_locked(&config.data_dir)
}
