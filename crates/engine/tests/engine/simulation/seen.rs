//! What happened over many seeds: a simulation that never crashes a worker proves nothing.

use std::collections::BTreeMap;

/// How often what was to be seen has happened.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen(BTreeMap<&'static str, u64>);

impl Seen {
    pub(super) fn note(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (what, times) in &other.0 {
            *self.0.entry(what).or_default() += times;
        }
    }

    /// Asserts that the seeds together came through everything.
    pub(super) fn assert_all_happened(&self) {
        for what in [
            "crash",
            "write lost with its worker",
            "write durable without an answer",
            "hang",
            "stale write refused",
            "handed back",
            "stopped between requests",
            "stopped with a request under way",
            "stopped with requests under way",
            "cut when it stopped",
            "wait",
            "canceled",
            "resumed",
            "caught",
            "rounds at once",
            "another write held back",
            "a component's write waits, and may have arrived",
            "called",
            "called again",
            "waited for what was under way",
            "call written twice",
            "calls beside each other",
            "a time and calls are waited for",
            "a call was over before it was waited for",
            "a result was read when it was asked for",
            "a result could not be read",
            "canceled with its caller",
            "several canceled with their caller",
            "resumed with its caller",
            "several resumed with their caller",
            "succeeded",
            "failed",
            "in_doubt",
            "quarantined",
        ] {
            assert!(self.0.contains_key(what), "no {what}: {:?}", self.0);
        }
    }
}
