//! The private Postgres: started when no `DATABASE_URL` is set, so that one command is enough.
//!
//! It runs as a child with its data in the data directory, reachable over a Unix socket in a
//! private folder only, with `fsync` on. Started by root, it runs as an unprivileged user. It
//! is stopped with us; one that outlived a killed Sluice is stopped and started anew.

mod binaries;
mod cluster;
mod log;
mod place;
mod process;
mod user;

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use binaries::Binaries;
use cluster::Cluster;
use place::Place;
use process::Postmaster;
pub(crate) use process::Stopping;
use user::User;

/// Why the private Postgres cannot run. Each message says what to do.
#[derive(Debug, Error)]
pub enum Error {
    /// There is no usable Postgres on this machine.
    #[error(
        "No Postgres {wanted} was found in PG_BIN, PATH or /usr/lib/postgresql. Install it (Debian: `apt-get install postgresql`), or set DATABASE_URL to a Postgres that runs."
    )]
    NotInstalled {
        /// Which versions would do.
        wanted: String,
    },
    /// Another process has the data directory.
    #[error(
        "Sluice already runs on the data directory {} (process {owner}). Stop it, or choose another --data-dir.", data_dir.display()
    )]
    InUse {
        /// The directory.
        data_dir: PathBuf,
        /// What the lock file says about its owner.
        owner: String,
    },
    /// Root started us and there is nobody to run Postgres as.
    #[error(
        "Postgres does not run as root, and this machine has neither a user `postgres` nor `nobody`. Start Sluice as another user."
    )]
    NoUser,
    /// A command of Postgres failed.
    #[error("{doing} failed: {said}")]
    Command {
        /// What was tried.
        doing: String,
        /// What it wrote.
        said: String,
    },
    /// A file could not be read, written or given away.
    #[error("{doing} failed: {source}")]
    File {
        /// What was tried.
        doing: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// Something that belongs to someone else stands where the socket should be.
    #[error(
        "{} is there already and is not a private folder of user {user}. Remove it.", path.display()
    )]
    SocketFolder {
        /// The folder.
        path: PathBuf,
        /// Who should own it.
        user: String,
    },
}

/// Names what was being done when a file operation failed.
trait Doing<T> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, Error>;
}

impl<T> Doing<T> for std::io::Result<T> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, Error> {
        self.map_err(|source| Error::File {
            doing: what(),
            source,
        })
    }
}

/// A running private Postgres. Dropping it stops it.
#[derive(Debug)]
pub struct Postgres {
    url: String,
    postmaster: Postmaster,
    // Last, so that the lock goes after the server has stopped.
    _lock: File,
}

impl Postgres {
    /// Starts the private Postgres of a data directory, making it first where there is none.
    /// Blocks until it accepts connections; the first time that takes some seconds.
    ///
    /// # Errors
    /// When there is no Postgres, another Sluice has the directory, or Postgres does not start.
    pub fn start(data_dir: &Path) -> Result<Self, Error> {
        Self::start_until(data_dir, Arc::default())
    }

    /// Starts it as [`Postgres::start`] does, but gives up once `stopping` is given.
    pub(crate) fn start_until(data_dir: &Path, stopping: Arc<Stopping>) -> Result<Self, Error> {
        std::fs::create_dir_all(data_dir).doing(|| format!("Making {}", data_dir.display()))?;
        let data_dir = std::fs::canonicalize(data_dir)
            .doing(|| format!("Looking up {}", data_dir.display()))?;
        let lock = lock(&data_dir)?;
        let user = User::for_postgres()?;
        let place = Place::choose(&data_dir, &user)?;
        let binaries = Binaries::find(place.version())?;
        let cluster = Cluster::prepare(&binaries, &user, place)?;
        let postmaster = Postmaster::start(&cluster, stopping)?;
        cluster.create_database()?;
        Ok(Self {
            url: cluster.url(),
            postmaster,
            _lock: lock,
        })
    }

    /// Returns the address of the database in a data directory that another process has started its
    /// Postgres on.
    ///
    /// # Errors
    /// When the directory is not there, or nobody could have.
    pub fn of_running(data_dir: &Path) -> Result<String, Error> {
        let data_dir = std::fs::canonicalize(data_dir)
            .doing(|| format!("Looking up {}", data_dir.display()))?;
        let place = Place::choose(&data_dir, &User::for_postgres()?)?;
        Ok(cluster::address(&place))
    }

    /// The address of the database for a role that is no superuser but may create databases.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Stops it: open transactions are rolled back, everything committed is on the disk.
    /// Blocks until it is done.
    pub fn stop(mut self) {
        self.postmaster.stop();
    }
}

/// Returns whether another process has a data directory.
pub(crate) fn is_locked(data_dir: &Path) -> bool {
    match std::fs::canonicalize(data_dir) {
        Ok(data_dir) => matches!(lock(&data_dir), Err(Error::InUse { .. })),
        Err(_) => false,
    }
}

/// Takes the data directory for this process; the lock goes when the process does, however it ends.
fn lock(data_dir: &Path) -> Result<File, Error> {
    let path = data_dir.join("sluice.lock");
    let doing = || format!("Writing {}", path.display());
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .doing(doing)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut owner = String::new();
            let _ = file.read_to_string(&mut owner);
            return Err(Error::InUse {
                data_dir: data_dir.to_owned(),
                owner: owner.trim().to_owned(),
            });
        }
        Err(TryLockError::Error(source)) => {
            return Err(Error::File {
                doing: doing(),
                source,
            });
        }
    }
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .doing(doing)?;
    Ok(file)
}
