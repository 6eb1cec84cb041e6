//! Runs the code of steps: each job in a process of its own, which is confined before it reads the
//! code, and gone after it.
//!
//! QuickJS is no border that is trusted: code that breaks out of it finds itself in a process
//! without files, network, environment, other descriptors or other processes ([`crate::sandbox`]), which
//! never ran anything before and never will again.

mod child;
mod protocol;
mod script;

use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use domain::code::{CONSOLE_BYTES, CONSOLE_LINES, MEMORY, TIME_SECONDS, VALUE_BYTES};
use domain::limit;
use engine::port::{Broke, Ran, Running, Sandbox, Script};
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::sandbox::{Answer, Program, own_binary};
pub use child::run_job;
use protocol::{Came, Job, Reply};
use script::cut;

/// What the binary is told to be such a process.
pub const ARGUMENT: &str = "run-code";

/// How long code may take.
const TIME_LIMIT: Duration = Duration::from_secs(TIME_SECONDS);
/// Most that is read of an answer: a line with the console, in which a character may take six
/// bytes, and a value.
const ANSWER_BYTES: usize = 6 * (CONSOLE_BYTES + 100 * CONSOLE_LINES) + VALUE_BYTES + 20_000;

/// Starts the processes in which code runs, so many at once that each has a processor.
#[derive(Clone, Debug)]
pub struct Processes {
    program: Program,
    places: Arc<Semaphore>,
    time_limit: Duration,
}

impl Processes {
    /// Returns what runs code with `program`, a `sluice`, at most `at_once` pieces at a time.
    pub fn new(program: PathBuf, at_once: usize) -> Self {
        Self {
            program: Program::new(program, ARGUMENT),
            places: Arc::new(Semaphore::new(at_once)),
            time_limit: TIME_LIMIT,
        }
    }

    /// Gives code less time than [`TIME_SECONDS`].
    #[must_use]
    pub fn within(self, time_limit: Duration) -> Self {
        Self {
            time_limit: time_limit.min(TIME_LIMIT),
            ..self
        }
    }

    /// Returns what runs code with the binary of this process.
    pub fn of_this_binary() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self::new(own_binary(), processors)
    }

    async fn run(&self, script: Script) -> Ran {
        let job = Job {
            code: script.code,
            input: script.input,
            time_ms: u64::try_from(self.time_limit.as_millis()).unwrap_or(u64::MAX),
        };
        let Ok(job) = serde_json::to_vec(&job) else {
            return broke("The input of the code is not JSON.");
        };
        let Ok(_place) = self.places.acquire().await else {
            return broke_for_now("The server ends.");
        };
        let answer = self.program.ask(&job, self.time_limit, ANSWER_BYTES).await;
        match answer {
            Ok(Answer::Whole(answer, status)) => read(&answer, status),
            Ok(Answer::TooLong) => broke(too_large()),
            Ok(Answer::TooLate) => broke(too_late()),
            Err(error) => {
                tracing::warn!(%error, "the process for a code step could not be started");
                broke_for_now("The server could not start the process in which code runs.")
            }
        }
    }
}

impl Sandbox for Processes {
    fn run(&self, script: Script) -> Running<'_> {
        Box::pin(self.run(script))
    }
}

/// Reads what a process answered. It may be anything.
fn read(answer: &[u8], status: ExitStatus) -> Ran {
    let line = answer.iter().position(|byte| *byte == b'\n');
    let reply = line.and_then(|end| serde_json::from_slice::<Reply>(&answer[..end]).ok());
    let (Some(end), Some(reply)) = (line, reply) else {
        return without_answer(status);
    };
    let mut console = domain::code::Console::default();
    for line in reply.console {
        console.write(line.level, line.text);
    }
    let result = match reply.came {
        Came::Done => value(&answer[end + 1..]).map_err(|message| Broke {
            message,
            may_retry: false,
        }),
        came => Err(Broke {
            may_retry: matches!(came, Came::Unconfined { .. }),
            message: cut(sentence(came)),
        }),
    };
    Ran {
        result,
        console: console.into_lines(),
    }
}

/// Says why a process may have ended without an answer.
fn without_answer(status: ExitStatus) -> Ran {
    use std::os::unix::process::ExitStatusExt;

    use crate::sandbox::{ABORT, SEGMENT, XCPU};

    match status.signal() {
        Some(XCPU) => broke(too_late()),
        Some(ABORT) => broke(too_much()),
        Some(SEGMENT) => broke("The code brought its process down. Write it in another way."),
        Some(signal) => broke_for_now(&format!(
            "The process in which the code ran was ended by signal {signal}."
        )),
        None => broke_for_now("The process in which the code ran ended without an answer."),
    }
}

fn value(json: &[u8]) -> Result<Value, String> {
    if json.len() > VALUE_BYTES {
        return Err(too_large());
    }
    let value: Value = serde_json::from_slice(json).map_err(|error| {
        if error.to_string().starts_with("recursion limit") {
            too_deep()
        } else {
            format!("The result of the code is not JSON: {error}.")
        }
    })?;
    if depth(&value) > limit::JSON_DEPTH {
        return Err(too_deep());
    }
    Ok(value)
}

/// Returns how deeply a value is nested. It was read with a limit, so this comes to an end.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn sentence(came: Came) -> String {
    match came {
        Came::Done => String::new(),
        Came::Threw { message, at } => match at {
            Some((line, column)) => format!("Line {line}, column {column}: {message}"),
            None => message,
        },
        Came::OutOfTime => too_late(),
        Came::OutOfMemory => too_much(),
        Came::OutOfStack { at } => {
            let place = at.map_or_else(String::new, |(line, column)| {
                format!("Line {line}, column {column}: ")
            });
            format!(
                "{place}The code calls itself too deeply. Use a loop, or end the recursion earlier."
            )
        }
        Came::TooLarge => too_large(),
        Came::NoJson { message } => format!(
            "The code returned what cannot be written as JSON: {message}. Return texts, numbers, lists and objects."
        ),
        Came::Stuck => "The code waits for a promise that nothing settles. There are no timers and no requests here; return what is there.".to_owned(),
        Came::Unconfined { message } => format!(
            "This server cannot confine code, so none was run: {message}. Tell whoever runs the server."
        ),
    }
}

fn too_late() -> String {
    format!(
        "The code took longer than {TIME_SECONDS} s. Look for a loop without end, or do less in one step."
    )
}

fn too_much() -> String {
    format!(
        "The code used more than {} MiB of memory. Do less in one step.",
        MEMORY / (1024 * 1024)
    )
}

fn too_large() -> String {
    format!(
        "The code returned more than {} MiB. Return less.",
        VALUE_BYTES / (1024 * 1024)
    )
}

fn too_deep() -> String {
    format!(
        "The code returned JSON that is nested deeper than {} levels. Make it flatter.",
        limit::JSON_DEPTH
    )
}

fn broke(message: impl Into<String>) -> Ran {
    Ran {
        result: Err(Broke {
            message: message.into(),
            may_retry: false,
        }),
        console: Vec::new(),
    }
}

fn broke_for_now(message: &str) -> Ran {
    Ran {
        result: Err(Broke {
            message: message.to_owned(),
            may_retry: true,
        }),
        console: Vec::new(),
    }
}
