//! The process in which code runs: one for each job, of the same binary.

use std::io::{self, Read, Write};
use std::process::ExitCode;

use domain::code::{CODE_BYTES, MEMORY, TIME_SECONDS, VALUE_BYTES};

use super::protocol::{Came, Job, Reply};
use super::script;
use crate::sandbox::confine::{Limits, confine};

/// Most bytes of a job: code and input as JSON, in which a character may take six.
const JOB_BYTES: u64 = 6 * (CODE_BYTES + VALUE_BYTES) as u64 + 1_000;

/// What the process may use. It is ended by its time at the latest when nobody is left to end it, and
/// has what code gets of memory, and as much again for its text, its result, and the interpreter.
const LIMITS: Limits = Limits {
    cpu_seconds: TIME_SECONDS + 2,
    address_space: 2 * MEMORY as u64 + 64 * 1024 * 1024,
};

/// Confines this process, runs the job that comes on standard input, and answers on standard
/// output. To be called before anything else of the process begins.
pub fn run_job() -> ExitCode {
    let (reply, value) = match confine(LIMITS) {
        Ok(()) => match job() {
            Ok(Some(job)) => script::run(job),
            // Nobody wants anything any more.
            Ok(None) => return ExitCode::SUCCESS,
            Err(_) => return ExitCode::FAILURE,
        },
        Err(error) => {
            let message = error.to_string();
            let came = Came::Unconfined { message };
            let console = Vec::new();
            (Reply { came, console }, String::new())
        }
    };
    match answer(&reply, &value) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn job() -> io::Result<Option<Job>> {
    let mut text = Vec::new();
    io::stdin().take(JOB_BYTES).read_to_end(&mut text)?;
    if text.is_empty() {
        return Ok(None);
    }
    Ok(Some(serde_json::from_slice(&text)?))
}

fn answer(reply: &Reply, value: &str) -> io::Result<()> {
    let mut line = serde_json::to_vec(reply)?;
    line.push(b'\n');
    let mut out = io::stdout().lock();
    out.write_all(&line)?;
    out.write_all(value.as_bytes())?;
    out.flush()
}
