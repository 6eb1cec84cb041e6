//! Runs that were executed before their event was kept.

use std::time::Instant;

use domain::RunId;
use domain::run::RunState;
use engine::Outcome;

use crate::journal;
use crate::run::check;

/// Bytes of records that may wait with their event.
const RECORDS_BYTES: usize = 256 * 1024;

/// A run that came to its end before its event was kept. Only a run that touches nothing outside
/// may: should the event not be kept, nothing of it ever was. Event, run and records become
/// durable together then, in one write where there would be two, and the run is never queued.
#[derive(Clone, Debug)]
pub struct Computed {
    pub(super) run: RunId,
    pub(super) began: Instant,
    /// A JSON array; `None` without any records.
    records: Option<String>,
}

impl Computed {
    /// Returns what is kept of a run that began then and ended so; `None` when it did not succeed, or
    /// its records are large or cannot be kept: then it is executed after its event was kept, and
    /// the journal writes of it what there is to write.
    pub fn of(run: RunId, began: Instant, outcome: &Outcome) -> Option<Self> {
        let Outcome::Finished {
            state: RunState::Succeeded,
            records,
            ..
        } = outcome
        else {
            return None;
        };
        let records = if records.is_empty() {
            None
        } else {
            let text = journal::list(run, records).ok()?;
            check::records(&text).ok()?;
            if text.len() > RECORDS_BYTES {
                return None;
            }
            Some(text)
        };
        Some(Self {
            run,
            began,
            records,
        })
    }

    pub(super) fn records(&self) -> Option<&str> {
        self.records.as_deref()
    }
}
