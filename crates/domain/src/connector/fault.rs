//! What is wrong with a connector, and where.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One thing that is wrong with a connector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Where, such as `actions “Create an issue”, places, owner`; empty for the file as a whole.
    pub at: String,
    /// What, and how to mend it, in a sentence or two.
    pub message: String,
}

impl Fault {
    /// Most that are told of one connector.
    pub const MOST: usize = 100;

    /// Returns a fault.
    pub fn of(at: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            at: at.into(),
            message: message.into(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at.as_str() {
            "" => out.write_str(&self.message),
            at => write!(out, "{at}: {}", self.message),
        }
    }
}

/// Says what the reader of JSON found wrong, which names line and column.
pub(super) fn of_json(error: &serde_json::Error) -> String {
    let said: String = error.to_string().chars().take(300).collect();
    format!("This is no connector: {said}.")
}

/// Gathers faults, with the way to where it is looking.
#[derive(Default)]
pub(super) struct Faults {
    way: Vec<String>,
    pub(super) found: Vec<Fault>,
}

impl Faults {
    /// Looks into a part: what is said meanwhile is said of it.
    pub(super) fn within(&mut self, part: impl Into<String>, look: impl FnOnce(&mut Self)) {
        if self.found.len() >= Fault::MOST {
            return;
        }
        self.way.push(part.into());
        look(self);
        self.way.pop();
    }

    pub(super) fn say(&mut self, message: impl Into<String>) {
        if self.found.len() < Fault::MOST {
            self.found.push(Fault::of(self.way.join(", "), message));
        }
    }

    /// Says a sentence about a part if something does not hold.
    pub(super) fn expect(&mut self, holds: bool, part: &str, message: impl Into<String>) {
        if !holds {
            self.within(part, |faults| faults.say(message));
        }
    }
}
