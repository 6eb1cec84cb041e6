//! What a step sends, whatever it is sent to: records, retries, doubt and cancel are the same.

use domain::ConnectionId;
use serde_json::{Map, Value};

use super::email::Email;
use super::http::{Call, Credentials};
use super::postgres::Query;

/// A request that can be sent, several times if need be.
#[derive(Debug)]
pub enum Request {
    /// To a web address.
    Http(Call),
    /// An e-mail, to a mail server.
    Email(Email),
    /// A statement, to a database.
    Query(Query),
}

impl Request {
    /// Builds the request of an HTTP step.
    ///
    /// # Errors
    /// A sentence that names the field.
    pub(crate) fn http(config: &Map<String, Value>, key: &str) -> Result<Self, String> {
        Call::build(config, key).map(Self::Http)
    }

    /// Builds the request of an HTTP step, whose answer stays as it came.
    ///
    /// # Errors
    /// A sentence that names the field.
    pub(crate) fn raw(config: &Map<String, Value>, key: &str) -> Result<Self, String> {
        Call::build(config, key).map(|call| Self::Http(call.raw()))
    }

    /// Builds the e-mail of a step.
    ///
    /// # Errors
    /// A sentence that names the field.
    pub(crate) fn email(config: &Map<String, Value>, key: &str) -> Result<Self, String> {
        Email::build(config, key).map(Self::Email)
    }

    /// Builds the statement of a step.
    ///
    /// # Errors
    /// A sentence that names the field.
    pub(crate) fn query(config: &Map<String, Value>, key: &str) -> Result<Self, String> {
        Query::build(config, key).map(Self::Query)
    }

    /// Says to whoever gets it in which trace it is sent, by the header `traceparent`. An e-mail and
    /// a statement have no place for that.
    pub(crate) fn name_trace(&mut self, traceparent: &str) {
        if let Request::Http(call) = self {
            call.name_trace(traceparent);
        }
    }

    /// Returns the connection that the step names, or a sentence when that is none.
    pub(crate) fn connection(&self) -> Option<Result<ConnectionId, String>> {
        match self {
            Request::Http(call) => call.connection(),
            Request::Email(email) => email.connection(),
            Request::Query(query) => query.connection(),
        }
    }

    /// Lets an opened connection prove who sends. It goes to the connection's origins only.
    pub(crate) fn authorize(&mut self, credentials: Credentials) {
        match self {
            Request::Http(call) => call.authorize(credentials),
            Request::Email(email) => email.authorize(credentials),
            Request::Query(query) => query.authorize(credentials),
        }
    }

    /// Returns what proves who sends.
    pub(crate) fn credentials(&self) -> Option<&Credentials> {
        match self {
            Request::Http(call) => call.credentials(),
            Request::Email(email) => email.credentials(),
            Request::Query(query) => query.credentials(),
        }
    }

    /// Returns the issue of the token that it carries, if that could be exchanged for a new one.
    pub(crate) fn issue(&self) -> Option<i64> {
        self.credentials()?.issue()
    }

    /// Returns the host and port that it goes to at first; `None` when its connection is missing.
    pub(crate) fn host(&self) -> Option<(&str, u16)> {
        match self {
            Request::Http(call) => call.host(),
            Request::Email(_) | Request::Query(_) => self.credentials()?.server_host(),
        }
    }

    /// Returns whether sending it twice does what sending it once does.
    pub fn is_idempotent(&self) -> bool {
        match self {
            Request::Http(call) => call.is_idempotent(),
            Request::Email(email) => email.is_idempotent(),
            Request::Query(query) => query.is_idempotent(),
        }
    }

    /// Returns whether it only reads.
    pub fn is_safe(&self) -> bool {
        match self {
            Request::Http(call) => call.is_safe(),
            Request::Email(_) => false,
            Request::Query(query) => query.is_safe(),
        }
    }

    /// Returns the key that it has however often it is sent; none when it only reads. A database is
    /// not told it.
    pub fn idempotency_key(&self) -> Option<&str> {
        match self {
            Request::Http(call) => call.idempotency_key(),
            Request::Email(email) => Some(email.key()),
            Request::Query(query) => query.key(),
        }
    }

    /// Returns what to do when nobody knows whether it arrived, without a full stop.
    pub(crate) fn in_doubt(&self) -> &'static str {
        match self {
            Request::Http(_) => {
                "Check in the other system, then resume the run: the request is sent again with the same idempotency key"
            }
            Request::Email(_) => {
                "Ask whoever it went to, then resume the run: the e-mail is sent again with the same Message-ID"
            }
            Request::Query(_) => {
                "Check in the database, then resume the run: the statement is run again"
            }
        }
    }
}
