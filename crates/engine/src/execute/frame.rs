//! Where the interpreter stands: one frame per list of steps that is being worked through.

use domain::Timestamp;
use domain::template::{Items, Scope};
use serde_json::Value;

use super::catching::Trying;
use crate::program::Node;

/// A list of steps, the place in it, and what its expressions see.
pub(super) struct Frame<'p> {
    pub(super) list: &'p [usize],
    pub(super) next: usize,
    pub(super) scope: Scope,
    /// Set when the list is a loop's lane.
    pub(super) looping: Option<Box<Looping<'p>>>,
    /// Set when the list is a lane of a try.
    pub(super) trying: Option<Box<Trying<'p>>>,
}

impl<'p> Frame<'p> {
    pub(super) fn new(list: &'p [usize], scope: Scope) -> Self {
        Self {
            list,
            next: 0,
            scope,
            looping: None,
            trying: None,
        }
    }
}

/// A loop on its way through its items.
pub(super) struct Looping<'p> {
    pub(super) node: &'p Node,
    pub(super) started_at: Timestamp,
    pub(super) told: Told,
    /// Its beginning was recorded, so its end must be, too.
    pub(super) is_recorded: bool,
    /// What the steps before the loop gave: each round starts from it.
    pub(super) before: Scope,
    pub(super) count: usize,
    /// Rounds begun so far.
    pub(super) begun: usize,
    pub(super) results: Results,
}

/// What a loop was told: its rounds share the items in it, and so do its records until they are
/// written.
#[derive(Clone)]
pub(super) struct Told {
    pub(super) items: Items,
    /// What is recorded of it, when the items are too many.
    pub(super) shown: Option<Value>,
}

impl Told {
    /// Returns what a record has of it.
    pub(super) fn into_input(self) -> Value {
        self.shown.unwrap_or_else(|| self.items.into_object())
    }
}

/// The last output of each round.
pub(super) struct Results {
    pub(super) values: Vec<Value>,
    /// Output of the last step of the present round, once it is known.
    pub(super) of_round: Value,
    pub(super) bytes: usize,
    /// Some were left out, because nobody uses them and they are large.
    pub(super) are_cut: bool,
}

impl Results {
    pub(super) fn new() -> Self {
        Self {
            values: Vec::new(),
            of_round: Value::Null,
            bytes: 0,
            are_cut: false,
        }
    }
}
