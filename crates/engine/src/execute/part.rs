//! A part of a draft, as a test: up to one step, and with pinned outputs.

use std::collections::BTreeMap;

use domain::StepId;
use domain::run::TestScope;
use serde_json::{Value, json};

/// How far a test goes, and which outputs it uses instead of running their steps. Empty for all
/// other runs.
#[derive(Debug, Default)]
pub(super) struct Part {
    until: Option<StepId>,
    pins: BTreeMap<StepId, Value>,
    /// How many lists were open when the last step began: it ends when no more are.
    ends_at: Option<usize>,
}

impl Part {
    /// Returns the part that a test executes. What is live runs whole.
    pub(super) fn of(scope: &TestScope, is_test: bool) -> Self {
        match scope {
            TestScope::Part { until, pins } if is_test => Self {
                until: *until,
                pins: pins.clone(),
                ends_at: None,
            },
            _ => Self::default(),
        }
    }

    /// Returns whether it ends at some step.
    pub(super) fn has_end(&self) -> bool {
        self.until.is_some()
    }

    /// Returns the part for a strand, which may come to the last step, too.
    pub(super) fn of_strand(&self) -> Self {
        Self {
            until: self.until,
            pins: self.pins.clone(),
            ends_at: None,
        }
    }

    /// Takes note of where a strand got; returns whether that was the end of the last step.
    pub(super) fn join(&mut self, strand: &Self) -> bool {
        let is_over = strand.ends_at.is_some();
        if is_over {
            // However many lists are open here, the last step is behind.
            self.ends_at = Some(usize::MAX);
        }
        is_over
    }

    /// Takes note that a step begins while so many lists are open; returns its pinned output.
    pub(super) fn begin(&mut self, step: StepId, open: usize) -> Option<Value> {
        if self.until == Some(step) && self.ends_at.is_none() {
            self.ends_at = Some(open);
        }
        self.pins.get(&step).cloned()
    }

    /// Returns whether the last step has ended, now that so many lists are open.
    pub(super) fn is_over(&self, open: usize) -> bool {
        self.ends_at.is_some_and(|ends_at| open <= ends_at)
    }
}

/// What the record of a pinned step has as its input.
pub(super) fn note() -> Value {
    json!({"note": "Pinned: this output was used, and the step was not run."})
}
