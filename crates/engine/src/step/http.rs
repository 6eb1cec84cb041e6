//! The HTTP request step: builds a request from its fields and sends it.
//!
//! What happens around it (records, retries, cancel) is in [`crate::execute`].

mod beside;
pub(crate) mod client;
mod credentials;
pub(crate) mod header;
pub(crate) mod hidden;
pub(crate) mod request;
mod response;
pub(crate) mod send;

use std::time::Duration;

use serde_json::Value;

pub use credentials::Credentials;
pub use request::Call;

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// A sentence that says what to do.
    pub message: String,
    /// What was answered, when something was: recorded for the reader.
    pub answer: Value,
    /// Whether another attempt may do better.
    pub retry: Retry,
    /// No answer came to a request that may have arrived.
    pub is_open: bool,
    /// It came to nothing before its host, at the proxy that everything goes through: that says
    /// nothing of the host.
    pub is_before_host: bool,
}

/// Whether an attempt is worth repeating.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// It would fail again.
    Never,
    /// After a growing wait.
    Backoff,
    /// After the time that the other side asked for.
    After(Duration),
}

impl Failure {
    pub(crate) fn never(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            answer: Value::Null,
            retry: Retry::Never,
            is_open: false,
            is_before_host: false,
        }
    }

    pub(crate) fn transient(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            answer: Value::Null,
            retry: Retry::Backoff,
            is_open: false,
            is_before_host: false,
        }
    }

    /// Returns whether a service answered that it does not know who sends (RFC 9110, 15.5.2).
    pub(crate) fn is_unauthorized(&self) -> bool {
        self.answer.get("status").and_then(Value::as_u64) == Some(401)
    }

    /// The proxy that everything goes through did not let it through.
    pub(crate) fn at_proxy(message: impl Into<String>) -> Self {
        Self {
            is_before_host: true,
            ..Self::transient(message)
        }
    }

    /// The request went out, and no answer came back.
    pub(crate) fn open(message: impl Into<String>) -> Self {
        Self {
            is_open: true,
            ..Self::transient(message)
        }
    }
}
