//! Processes for what is not trusted: each is given one job, is confined before it reads it, and is
//! gone after it. They are of this binary, told by an argument what they are for.

pub(crate) mod confine;

use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

/// How much later than its time a process is ended that did not stop by itself.
const LENIENCY: Duration = Duration::from_millis(700);

/// The signals by which others end a process: the system, when it has no memory left, and people.
pub(crate) const KILL: i32 = 9;
pub(crate) const TERM: i32 = 15;
/// The signal of whoever aborts.
pub(crate) const ABORT: i32 = 6;
/// The signal of whoever reads or writes where there is no memory, and of whoever aborts once it is
/// confined, as on a full memory: it can send itself no other.
pub(crate) const SEGMENT: i32 = 11;
/// The signal of whoever used all of its processor time.
pub(crate) const XCPU: i32 = 24;

/// What such processes run.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    file: PathBuf,
    argument: &'static str,
    variable: Option<(&'static str, &'static str)>,
}

/// What came of a job.
pub(crate) enum Answer {
    /// All that the process said, which may be anything, and how it ended.
    Whole(Vec<u8>, ExitStatus),
    /// It said more than it may.
    TooLong,
    /// Its time was over.
    TooLate,
}

impl Program {
    /// Returns what runs `file`, a `sluice`, with this argument.
    pub(crate) fn new(file: PathBuf, argument: &'static str) -> Self {
        Self {
            file,
            argument,
            variable: None,
        }
    }

    /// Gives the processes a variable of the environment, which is empty else.
    #[must_use]
    pub(crate) fn with(self, name: &'static str, value: &'static str) -> Self {
        Self {
            variable: Some((name, value)),
            ..self
        }
    }

    /// Starts a process, gives it the job, and returns what it answers within a time, of at most so
    /// many bytes. However this ends, also when nobody waits for it any more, the process is over.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) async fn ask(&self, job: &[u8], time: Duration, most: usize) -> io::Result<Answer> {
        let mut child = self.start()?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let (Some(mut stdin), Some(stdout)) = (stdin, stdout) else {
            return Err(io::Error::other("the process has no pipes"));
        };
        let write = async move {
            // It may be over already, and then its answer says why.
            let _ = stdin.write_all(job).await;
            drop(stdin);
        };
        let read = async {
            let mut answer = Vec::new();
            stdout
                .take(most as u64 + 1)
                .read_to_end(&mut answer)
                .await?;
            io::Result::Ok(answer)
        };
        let both = async { tokio::join!(write, read).1 };
        let answer = match tokio::time::timeout(time + LENIENCY, both).await {
            Ok(answer) => answer?,
            Err(_) => {
                child.kill().await?;
                return Ok(Answer::TooLate);
            }
        };
        if answer.len() > most {
            child.kill().await?;
            return Ok(Answer::TooLong);
        }
        // It has nothing left to say, and nothing left to do.
        match tokio::time::timeout(LENIENCY, child.wait()).await {
            Ok(status) => Ok(Answer::Whole(answer, status?)),
            Err(_) => {
                child.kill().await?;
                Ok(Answer::TooLate)
            }
        }
    }

    fn start(&self) -> io::Result<Child> {
        Command::new(&self.file)
            .arg(self.argument)
            .env_clear()
            .envs(self.variable)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
    }
}

/// Returns the file of this process's binary.
pub(crate) fn own_binary() -> PathBuf {
    // Also when the file was replaced since, as by an upgrade.
    let own = PathBuf::from("/proc/self/exe");
    if own.exists() {
        own
    } else {
        std::env::current_exe().unwrap_or(own)
    }
}
