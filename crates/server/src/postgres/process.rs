//! The running server: started, watched, started again when it dies, stopped.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::cluster::{Cluster, run};
use super::log::{self, LastLines};
use super::{Doing, Error};

/// How long the first start may take: after a crash, Postgres first reads its log through. A later
/// one that takes longer is told, and waited for: stopped in the middle, it would begin it again.
const START: Duration = Duration::from_secs(120);
/// How often the state of a starting or running server is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// The pause before a server that died is started again. Each time that it does not start, the next
/// is twice as long.
const AGAIN: Duration = Duration::from_secs(1);
/// The longest such pause.
const AGAIN_AT_MOST: Duration = Duration::from_secs(30);

/// A server and the thread that watches it.
#[derive(Debug)]
pub(super) struct Postmaster {
    cluster: Cluster,
    stopping: Arc<Stopping>,
    // Taken by whoever starts, stops or restarts the server.
    turn: Arc<Mutex<()>>,
    watcher: Option<JoinHandle<()>>,
}

impl Postmaster {
    /// Stops what an earlier, killed Sluice left running, and starts the server.
    /// It ends early when `stopping` is given.
    pub(super) fn start(cluster: &Cluster, stopping: Arc<Stopping>) -> Result<Self, Error> {
        clear(cluster)?;
        let child = spawn(cluster, &stopping, Some(START))?;
        let turn = Arc::new(Mutex::new(()));
        let watcher = std::thread::Builder::new()
            .name("postgres".to_owned())
            .spawn({
                let (cluster, stopping, turn) = (cluster.clone(), stopping.clone(), turn.clone());
                move || watch(&cluster, child, &stopping, &turn)
            })
            .doing(|| "Starting a thread".to_owned())?;
        Ok(Self {
            cluster: cluster.clone(),
            stopping,
            turn,
            watcher: Some(watcher),
        })
    }

    /// Stops the server and waits until it is gone. Does nothing the second time.
    pub(super) fn stop(&mut self) {
        let Some(watcher) = self.watcher.take() else {
            return;
        };
        // A start that is under way ends by it.
        self.stopping.give();
        {
            let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
            // One that ended by itself left nothing to stop.
            if self.cluster.pid_file().exists()
                && let Err(error) =
                    run(&mut self.cluster.stopper(), "Stopping the private Postgres")
            {
                tracing::warn!(%error, "the private Postgres did not stop");
            }
        }
        let _ = watcher.join();
    }
}

impl Drop for Postmaster {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Says that the server is to stop.
#[derive(Debug, Default)]
pub(crate) struct Stopping {
    is_given: Mutex<bool>,
    told: Condvar,
}

impl Stopping {
    /// Gives the signal.
    pub(crate) fn give(&self) {
        *self.is_given.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.told.notify_all();
    }

    /// Waits for it, so long at most; returns whether it is given.
    fn wait(&self, at_most: Duration) -> bool {
        let is_given = self.is_given.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .told
            .wait_timeout_while(is_given, at_most, |is_given| !*is_given);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Waits for the server's end, and starts it again while nobody wants it to stop: again and again,
/// as what keeps it from starting may pass, such as a full disk.
fn watch(cluster: &Cluster, mut child: Child, stopping: &Stopping, turn: &Mutex<()>) {
    loop {
        let status = child.wait();
        if stopping.wait(Duration::ZERO) {
            return;
        }
        tracing::error!(?status, "the private Postgres ended by itself");
        let mut pause = AGAIN;
        child = loop {
            tracing::info!(
                "starting the private Postgres again in {} s",
                pause.as_secs()
            );
            if stopping.wait(pause) {
                return;
            }
            let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
            match clear(cluster).and_then(|()| spawn(cluster, stopping, None)) {
                Ok(child) => break child,
                Err(error) => {
                    tracing::error!(%error, "the private Postgres did not start again");
                    pause = (pause * 2).min(AGAIN_AT_MOST);
                }
            }
        };
    }
}

/// Starts the server and waits until it accepts connections, `at_most` so long.
fn spawn(
    cluster: &Cluster,
    stopping: &Stopping,
    at_most: Option<Duration>,
) -> Result<Child, Error> {
    let mut child = cluster
        .server()
        // A group of its own: Ctrl-C at a terminal reaches us, and we stop it after our own work.
        .process_group(0)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .doing(|| "Starting the private Postgres".to_owned())?;
    let last = LastLines::default();
    if let Some(output) = child.stderr.take() {
        let (path, last) = (cluster.place.log.clone(), last.clone());
        std::thread::Builder::new()
            .name("postgres-log".to_owned())
            .spawn(move || log::copy(output, &path, &last))
            .doing(|| "Starting a thread".to_owned())?;
    }
    let begun = Instant::now();
    let failed = |said: String| Error::Command {
        doing: "Starting the private Postgres".to_owned(),
        said,
    };
    let mut told_at = begun;
    while !is_ready(cluster, child.id()) {
        if let Ok(Some(status)) = child.try_wait() {
            // The thread that copies the log may be a moment behind.
            std::thread::sleep(LOOK * 5);
            return Err(failed(format!(
                "it ended with {status}. It said:\n{}",
                last.text()
            )));
        }
        if told_at.elapsed() > START && at_most.is_none() {
            told_at = Instant::now();
            let seconds = begun.elapsed().as_secs();
            tracing::warn!(seconds, "the private Postgres is not ready yet");
        }
        let is_late = at_most.is_some_and(|at_most| begun.elapsed() > at_most);
        if is_late || stopping.wait(LOOK) {
            let _ = run(&mut cluster.stopper(), "Stopping the private Postgres");
            let _ = child.kill();
            let _ = child.wait();
            return Err(failed(match is_late {
                true => format!(
                    "it was not ready after {} s. It said:\n{}",
                    begun.elapsed().as_secs(),
                    last.text()
                ),
                false => "it was stopped meanwhile.".to_owned(),
            }));
        }
    }
    Ok(child)
}

/// Returns whether the server with that process id has written that it accepts connections.
fn is_ready(cluster: &Cluster, process: u32) -> bool {
    let text = std::fs::read_to_string(cluster.pid_file()).unwrap_or_default();
    let mut lines = text.lines();
    lines.next().and_then(|line| line.trim().parse().ok()) == Some(process)
        && lines.nth(6).is_some_and(|state| state.trim() == "ready")
}

/// Makes way for a new server. We hold the lock of the data directory, so a server that still
/// runs has outlived its Sluice; a file without its server is left from a crash.
fn clear(cluster: &Cluster) -> Result<(), Error> {
    let path = cluster.pid_file();
    let Ok(text) = std::fs::read_to_string(&path) else {
        return Ok(());
    };
    let process = text
        .lines()
        .next()
        .and_then(|line| line.trim().parse().ok());
    if process.is_some_and(|process| runs(process, &cluster.place.cluster)) {
        tracing::warn!("stopping a private Postgres that outlived its Sluice");
        return run(
            &mut cluster.stopper(),
            "Stopping the Postgres of a Sluice that was killed",
        );
    }
    // Its number may belong to another program by now, which Postgres would take for a server.
    std::fs::remove_file(&path).doing(|| format!("Removing {}", path.display()))
}

/// Returns whether a process is a Postgres server on that folder.
fn runs(process: u32, folder: &Path) -> bool {
    let line = match std::fs::read(format!("/proc/{process}/cmdline")) {
        Ok(line) => line,
        Err(_) if Path::new("/proc/self").exists() => return false,
        Err(_) => Command::new("ps")
            .args(["-o", "command=", "-p", &process.to_string()])
            .output()
            .map(|output| output.stdout)
            .unwrap_or_default(),
    };
    let folder = folder.as_os_str().as_encoded_bytes();
    line.windows(folder.len()).any(|part| part == folder)
        && line.windows(8).any(|part| part == b"postgres")
}
