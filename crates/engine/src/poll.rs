//! Asks for the list of a trigger that polls, guarded like a step's request.

use std::time::Duration;

use domain::Timestamp;
use domain::poll::{Found, Poll};
use serde_json::Value;

use crate::port::{Call, Clients, Credentials, Failure, Network, Outside, Request, Retry};
use crate::step::http::client::send_in_turn;

/// Why there is no answer that could be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unanswered {
    /// A sentence that says what to do, without secrets.
    pub message: String,
    /// How long the other side asks to be left alone.
    pub after: Option<Duration>,
    /// The token that it did not take, by its [`Credentials::issue`]: with another one it may
    /// answer.
    pub refused: Option<i64>,
}

impl Unanswered {
    /// Returns a failure that says no more than that.
    pub fn saying(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            after: None,
            refused: None,
        }
    }
}

/// Sends the request of a poll once, with a cursor and an opened connection, and reads the list.
///
/// # Errors
/// When no answer came, it is not what was expected, or it holds no list.
pub async fn ask(
    outside: &impl Outside,
    network: &Network,
    poll: &Poll,
    cursor: Option<&Value>,
    credentials: Option<Credentials>,
    now: Timestamp,
) -> Result<Found, Unanswered> {
    let mut call = Call::build(&poll.request(cursor), "").map_err(Unanswered::saying)?;
    if let Some(credentials) = credentials {
        call.authorize(credentials);
    } else if call.connection().is_some() {
        return Err(Unanswered::saying(
            "The connection of the trigger is not there. Choose another one and publish again.",
        ));
    }
    let issue = call.issue();
    let output = send_in_turn(outside, network, &Request::Http(call), now).await;
    let output = output.map_err(|failure| unanswered(failure, issue))?;
    let found = poll.read(output.get("body").unwrap_or(&Value::Null), cursor);
    found.map_err(|refusal| Unanswered::saying(refusal.to_string()))
}

/// Sends the first request of a poll, as a draft wants to see it.
///
/// # Errors
/// As [`ask`].
pub async fn once(
    clients: &Clients,
    network: &Network,
    poll: &Poll,
    credentials: Option<Credentials>,
    now: Timestamp,
) -> Result<Found, Unanswered> {
    ask(clients, network, poll, None, credentials, now).await
}

/// What is said of a step's request is true of this one, but there is no step.
fn unanswered(failure: Failure, issue: Option<i64>) -> Unanswered {
    let refused = issue.filter(|_| failure.is_unauthorized());
    let message = failure.message.replace("the step", "the trigger");
    let after = match failure.retry {
        Retry::After(after) => Some(after),
        Retry::Never | Retry::Backoff => None,
    };
    Unanswered {
        message,
        after,
        refused,
    }
}
