//! The data of the private Postgres: made once, with one database and one role of ours in it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::binaries::Binaries;
use super::place::Place;
use super::user::User;
use super::{Doing, Error};

/// The superuser that `initdb` makes; only this launcher uses it.
const SUPERUSER: &str = "postgres";
/// The role and the database that Sluice uses.
const NAME: &str = "sluice";
/// What the server is told on its command line, so that a newer Sluice changes it for old data too.
const SETTINGS: [&str; 15] = [
    "listen_addresses=",
    "unix_socket_permissions=0700",
    "fsync=on",
    "full_page_writes=on",
    "synchronous_commit=on",
    "shared_buffers=128MB",
    "max_connections=200",
    "max_wal_size=1GB",
    "idle_in_transaction_session_timeout=60s",
    "jit=off",
    "timezone=UTC",
    "log_timezone=UTC",
    "log_destination=stderr",
    "logging_collector=off",
    "log_min_messages=warning",
];

/// How whole pages are compressed in the write-ahead log, the first that this Postgres was built
/// with. Its own method, `pglz`, took an eighth of the time of all its processes where events came to
/// 100,000 integrations in turn: each wrote to another page. After a crash, a Postgres that was built
/// without lz4 could not read such a log; those of Debian and of the Postgres project have it.
const LOG_COMPRESSION: [&str; 2] = ["wal_compression=lz4", "wal_compression=pglz"];

/// Returns the address of the database in a place for our role.
pub(super) fn address(place: &Place) -> String {
    let socket = place.socket.to_string_lossy();
    let socket = utf8_percent_encode(&socket, NON_ALPHANUMERIC);
    format!("postgres://{NAME}@localhost/{NAME}?host={socket}")
}

/// A folder with a cluster in it, and everything needed to run it.
#[derive(Clone, Debug)]
pub(super) struct Cluster {
    /// Its programs.
    pub(super) binaries: Binaries,
    /// Whom it runs as.
    pub(super) user: User,
    /// Where it is.
    pub(super) place: Place,
    log_compression: &'static str,
}

impl Cluster {
    /// Makes the cluster where there is none, and sees to it that the user owns it.
    pub(super) fn prepare(binaries: &Binaries, user: &User, place: Place) -> Result<Self, Error> {
        let [better, always] = LOG_COMPRESSION;
        let mut cluster = Self {
            binaries: binaries.clone(),
            user: user.clone(),
            place,
            log_compression: always,
        };
        if cluster.place.version().is_none() {
            cluster.initialize()?;
        }
        user.own(&cluster.place.cluster).doing(|| {
            format!(
                "Giving {} to user {}",
                cluster.place.cluster.display(),
                user.name
            )
        })?;
        match cluster.check_setting(better) {
            Ok(()) => cluster.log_compression = better,
            Err(error) => tracing::debug!(%error, "the private Postgres was built without lz4"),
        }
        Ok(cluster)
    }

    /// Asks whether this Postgres would start with a setting.
    fn check_setting(&self, setting: &str) -> Result<(), Error> {
        let name = setting.split('=').next().unwrap_or_default();
        let mut asked = self.command("postgres");
        asked
            .args(["-C", name, "-c", setting, "-D"])
            .arg(&self.place.cluster);
        run(&mut asked, "Asking Postgres for its settings")
    }

    /// Makes the cluster beside its place and moves it there, so that it is whole or not there.
    fn initialize(&self) -> Result<(), Error> {
        tracing::info!(
            version = self.binaries.version,
            "making the private Postgres"
        );
        let unfinished = self.place.cluster.with_extension("new");
        let doing = || format!("Making {}", unfinished.display());
        if unfinished.exists() {
            std::fs::remove_dir_all(&unfinished).doing(doing)?;
        }
        std::fs::create_dir(&unfinished).doing(doing)?;
        std::fs::set_permissions(&unfinished, PermissionsExt::from_mode(0o700)).doing(doing)?;
        self.user.own(&unfinished).doing(doing)?;
        // Some systems have no C.UTF-8; C sorts the same way.
        if self.initdb(&unfinished, "C.UTF-8").is_err() {
            self.initdb(&unfinished, "C")?;
        }
        std::fs::rename(&unfinished, &self.place.cluster)
            .doing(|| format!("Making {}", self.place.cluster.display()))
    }

    fn initdb(&self, folder: &Path, locale: &str) -> Result<(), Error> {
        let mut initdb = self.command("initdb");
        initdb
            .arg("--pgdata")
            .arg(folder)
            .args([
                "--username",
                SUPERUSER,
                "--encoding",
                "UTF8",
                "--locale",
                locale,
            ])
            .args([
                "--data-checksums",
                "--auth-local",
                "trust",
                "--auth-host",
                "reject",
            ])
            .arg("--no-instructions");
        run(&mut initdb, "Making the private Postgres (initdb)")
    }

    /// Makes our role and database where they are missing. The server must be running.
    pub(super) fn create_database(&self) -> Result<(), Error> {
        let done = self.place.cluster.join("sluice-database-made");
        if done.exists() {
            return Ok(());
        }
        let connection = |program: &str| {
            let mut command = self.command(program);
            command.arg("--host").arg(&self.place.socket).args([
                "--username",
                SUPERUSER,
                "--no-password",
            ]);
            command
        };
        let mut role = connection("createuser");
        role.args([
            "--login",
            "--createdb",
            "--no-superuser",
            "--no-createrole",
            NAME,
        ]);
        unless_there(run(&mut role, "Making the role"))?;
        let mut database = connection("createdb");
        database.args([
            "--owner",
            NAME,
            "--template",
            "template0",
            "--encoding",
            "UTF8",
            NAME,
        ]);
        unless_there(run(&mut database, "Making the database"))?;
        std::fs::write(&done, "")
            .and_then(|()| self.user.own(&done))
            .doing(|| format!("Writing {}", done.display()))
    }

    /// Returns the command that runs the server in the foreground.
    pub(super) fn server(&self) -> Command {
        let mut server = self.command("postgres");
        server.arg("-D").arg(&self.place.cluster);
        for setting in SETTINGS.into_iter().chain([self.log_compression]) {
            server.args(["-c", setting]);
        }
        let mut sockets = std::ffi::OsString::from("unix_socket_directories=");
        sockets.push(&self.place.socket);
        server.arg("-c").arg(sockets);
        server
    }

    /// Returns the command that stops the server and waits until it is gone.
    pub(super) fn stopper(&self) -> Command {
        let mut stop = self.command("pg_ctl");
        stop.args([
            "stop",
            "--silent",
            "--wait",
            "--timeout",
            "60",
            "--mode",
            "fast",
            "--pgdata",
        ])
        .arg(&self.place.cluster);
        stop
    }

    /// Returns the path of the file in which a running server writes its process and state.
    pub(super) fn pid_file(&self) -> PathBuf {
        self.place.cluster.join("postmaster.pid")
    }

    /// Returns the database's address for our role.
    pub(super) fn url(&self) -> String {
        address(&self.place)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = self.user.command(&self.binaries.program(program));
        // Ours may be one that the user cannot enter.
        command.current_dir("/");
        command
    }
}

/// Runs a command to its end; what it wrote becomes the error when it fails.
pub(super) fn run(command: &mut Command, doing: &str) -> Result<(), Error> {
    let output = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .doing(|| doing.to_owned())?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::Command {
        doing: doing.to_owned(),
        said: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

/// Takes "already exists" for success: a start that was killed in between left it.
fn unless_there(result: Result<(), Error>) -> Result<(), Error> {
    match result {
        Err(Error::Command { said, .. }) if said.contains("already exists") => Ok(()),
        other => other,
    }
}
