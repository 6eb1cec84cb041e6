//! What the server and the process that runs code tell each other: a job on its standard input,
//! then one line and a value on its standard output. The server believes nothing of what comes
//! back: code that breaks out of the interpreter can write whatever it likes.

use domain::code::ConsoleLine;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is to be run.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Job {
    /// The code: the body of a function of `input`.
    pub(super) code: String,
    /// What it has as `input`.
    pub(super) input: Value,
    /// Milliseconds that it has.
    pub(super) time_ms: u64,
}

/// The line that comes before the value.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reply {
    /// What became of it; with [`Came::Done`], the value follows as JSON.
    pub(super) came: Came,
    /// What the code wrote to its console.
    pub(super) console: Vec<ConsoleLine>,
}

/// What became of a job.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Came {
    /// A value.
    Done,
    /// The code threw something.
    Threw {
        /// What it says of itself.
        message: String,
        /// Line and column in the code, from 1, where that is known.
        at: Option<(u32, u32)>,
    },
    /// Its time was over.
    OutOfTime,
    /// Its memory was full.
    OutOfMemory,
    /// Its calls were nested too deeply.
    OutOfStack {
        /// Where, as for [`Came::Threw`].
        at: Option<(u32, u32)>,
    },
    /// Its result is larger than what a step may give.
    TooLarge,
    /// Its result is no JSON.
    NoJson {
        /// Why.
        message: String,
    },
    /// It waits for a promise that nothing settles.
    Stuck,
    /// The system does not confine the process, so nothing was run.
    Unconfined {
        /// Why.
        message: String,
    },
}
