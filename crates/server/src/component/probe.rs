//! Compiles a module as a probe, in a process of its own, before this process compiles it.
//!
//! What compiles has no bound of time and memory for a module that was made to need both, and none
//! of it can be stopped. So a confined process ([`crate::sandbox`]) tries it first. It hands nothing
//! back but whether it got through: native code from a process in which the module may have taken
//! over would be native code of the module's author. The same compiler then does the same with the
//! same module here, which is known to end.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::{ExitCode, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::canonical::sha256;
use domain::connector::component::MODULE_BYTES;
use engine::port::Broke;
use serde::{Deserialize, Serialize};

use super::machine::{self, Unfit};
use crate::sandbox::confine::{Limits, confine};
use crate::sandbox::{ABORT, Answer, KILL, Program, SEGMENT, TERM, XCPU};

/// What the binary is told to be such a process.
pub const ARGUMENT: &str = "try-component";

/// Processor time that a module may take to be compiled, in seconds.
const CPU_SECONDS: u64 = 20;
/// How long it may take on a machine that does other things, too.
const TIME_LIMIT: Duration = Duration::from_secs(40);
/// Memory that it may take, in bytes.
const MEMORY: u64 = 512 * 1024 * 1024;
const LIMITS: Limits = Limits {
    cpu_seconds: CPU_SECONDS,
    address_space: MEMORY,
};
/// Lets our allocator take address space as it needs it, in KiB: it would have a gigabyte from the
/// beginning, and no limit would count.
const ARENAS: (&str, &str) = ("MIMALLOC_ARENA_RESERVE", "32768");
/// Most that is read of an answer, in bytes.
const ANSWER_BYTES: usize = 8 * 1024;
/// Most modules of which it is known what came of them.
const KNOWN: usize = 256;
/// Most that is told of a sentence from there, in characters.
const SENTENCE: usize = 1_000;

/// What the process says. It is believed only where it says no: a module that has taken over can say
/// that it fits, and is compiled here with what bounds there are without a probe.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Reply {
    /// It can be compiled.
    Fits,
    /// It is no component: a sentence.
    Unfit(String),
    /// The system does not confine the process, so nothing was tried.
    Unconfined(String),
}

/// Starts the processes that try modules, one at a time.
#[derive(Debug)]
pub(super) struct Probe {
    program: Program,
    known: Mutex<Known>,
    turn: tokio::sync::Mutex<()>,
    time_limit: Duration,
}

impl Probe {
    /// Returns what tries modules with `file`, a `sluice`.
    pub(super) fn new(file: PathBuf) -> Self {
        Self {
            program: Program::new(file, ARGUMENT).with(ARENAS.0, ARENAS.1),
            known: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            time_limit: TIME_LIMIT,
        }
    }

    /// Gives them less time.
    pub(super) fn within(self, time_limit: Duration) -> Self {
        Self {
            time_limit: time_limit.min(TIME_LIMIT),
            ..self
        }
    }

    /// Returns once it is known that a module can be compiled.
    ///
    /// # Errors
    /// When it cannot, or when that could not be tried.
    pub(super) async fn passes(&self, module: &[u8]) -> Result<(), Broke> {
        let hash = sha256(module);
        if let Some(came) = self.known().of(&hash) {
            return came;
        }
        let _turn = self.turn.lock().await;
        // Whoever had the turn before may have tried the same.
        if let Some(came) = self.known().of(&hash) {
            return came;
        }
        let came = self.tries(module).await;
        self.known().keep(hash, &came);
        came
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn tries(&self, module: &[u8]) -> Result<(), Broke> {
        let asked = self
            .program
            .ask(module, self.time_limit, ANSWER_BYTES)
            .await;
        let never = |message| Broke {
            message,
            may_retry: false,
        };
        let later = |message: String| Broke {
            message,
            may_retry: true,
        };
        match asked {
            Ok(Answer::Whole(answer, status)) => match serde_json::from_slice(&answer) {
                Ok(Reply::Fits) => Ok(()),
                Ok(Reply::Unfit(message)) => Err(never(message.chars().take(SENTENCE).collect())),
                Ok(Reply::Unconfined(message)) => Err(later(format!(
                    "This server cannot confine the process that tries components, so none is compiled: {}. Tell whoever runs the server.",
                    message.chars().take(SENTENCE).collect::<String>()
                ))),
                Err(_) => Err(broken_off(status)),
            },
            Ok(Answer::TooLong) => Err(never(broken())),
            // On a machine that has nothing else to do it may take less.
            Ok(Answer::TooLate) => Err(later(too_late())),
            Err(error) => {
                tracing::warn!(%error, "the process that tries a component could not be started");
                Err(later(
                    "The server could not start the process that tries components.".to_owned(),
                ))
            }
        }
    }
}

/// What came of the modules that were tried last, by their hash.
#[derive(Debug, Default)]
struct Known(VecDeque<(String, Result<(), Broke>)>);

impl Known {
    fn of(&self, hash: &str) -> Option<Result<(), Broke>> {
        let known = self.0.iter().find(|(of, _)| of == hash);
        known.map(|(_, came)| came.clone())
    }

    /// Keeps what would be the same another time.
    fn keep(&mut self, hash: String, came: &Result<(), Broke>) {
        if came.as_ref().is_err_and(|broke| broke.may_retry) {
            return;
        }
        if self.0.len() >= KNOWN {
            self.0.pop_front();
        }
        self.0.push_back((hash, came.clone()));
    }
}

/// Says why a process may have ended without an answer.
fn broken_off(status: ExitStatus) -> Broke {
    use std::os::unix::process::ExitStatusExt;

    let message = match status.signal() {
        Some(XCPU) => too_late(),
        Some(ABORT | SEGMENT) => format!(
            "To compile the component takes more than {} MiB of memory. Build it optimized, or do less in one function.",
            MEMORY / (1024 * 1024)
        ),
        // Someone else ended it: the system, when it ran out of memory, or whoever runs it.
        Some(KILL | TERM) => {
            return Broke {
                message: "What tries the component was ended from outside.".to_owned(),
                may_retry: true,
            };
        }
        _ => broken(),
    };
    Broke {
        message,
        may_retry: false,
    }
}

fn too_late() -> String {
    format!(
        "To compile the component takes longer than {CPU_SECONDS} s. Build it optimized, or do less in one function."
    )
}

fn broken() -> String {
    "It is no component: what reads it broke off.".to_owned()
}

/// Confines this process, compiles the module that comes on standard input, and says on standard
/// output whether that could be done. To be called before anything else of the process begins.
pub fn try_module() -> ExitCode {
    let reply = match confine(LIMITS) {
        Ok(()) => match module() {
            Ok(module) => match machine::try_out(&module) {
                Ok(()) => Reply::Fits,
                Err(Unfit(message)) => Reply::Unfit(message),
            },
            Err(_) => return ExitCode::FAILURE,
        },
        Err(error) => Reply::Unconfined(error.to_string()),
    };
    let Ok(line) = serde_json::to_vec(&reply) else {
        return ExitCode::FAILURE;
    };
    match io::stdout().write_all(&line) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn module() -> io::Result<Vec<u8>> {
    let mut module = Vec::new();
    io::stdin()
        .take(MODULE_BYTES as u64)
        .read_to_end(&mut module)?;
    Ok(module)
}
