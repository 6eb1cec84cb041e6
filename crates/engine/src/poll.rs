//! Asks for the list of a trigger that polls, guarded like a step's request.

use std::time::Duration;

use domain::Timestamp;
use domain::poll::{Found, Poll, When};
use serde_json::Value;

use crate::port::{Call, Clients, Credentials, Failure, Network, NotNow, Outside, Request, Retry};
use crate::schedule::next_fires;

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
    /// Nothing was asked, because it is the turn of others at that host: that is no failure.
    pub waits: bool,
}

impl Unanswered {
    /// Returns a failure that says no more than that.
    pub fn saying(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            after: None,
            refused: None,
            waits: false,
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
    let request = Request::Http(call);
    let turn = match outside.turn(network, &request, now, now).await {
        Ok(turn) => turn,
        Err(NotNow::Later { message, wait }) => {
            return Err(Unanswered {
                after: Some(wait),
                waits: true,
                ..Unanswered::saying(message)
            });
        }
        Err(NotNow::Down(failure)) => return Err(unanswered(failure, issue)),
    };
    let output = outside.send(network, &request, turn, now).await;
    let output = output.map_err(|failure| unanswered(failure, issue))?;
    let found = poll.read(output.get("body").unwrap_or(&Value::Null), cursor);
    found.map_err(|refusal| Unanswered::saying(refusal.to_string()))
}

/// When a poll at set times that never come is due, in minutes. Validation lets none be published.
const NEVER_MINUTES: u32 = 60;

/// Returns when the next poll is due after one that was answered.
pub fn next(poll: &Poll, now: Timestamp) -> Timestamp {
    match &poll.when {
        When::Every(minutes) => later(now, *minutes),
        When::At { cron, time_zone } => at(cron, time_zone, now),
    }
}

/// Returns when the next poll is due after one that failed, with so many failures in a row before
/// it.
pub fn next_after_failure(poll: &Poll, now: Timestamp, failures: u32) -> Timestamp {
    let pause = later(now, poll.pause_minutes(failures));
    match &poll.when {
        When::Every(_) => pause,
        When::At { cron, time_zone } if poll.retries_between(failures) => {
            pause.min(at(cron, time_zone, now))
        }
        // A set time that is the end of the pause is not passed over.
        When::At { cron, time_zone } => at(cron, time_zone, Timestamp(pause.0 - 1)),
    }
}

fn at(cron: &str, time_zone: &str, after: Timestamp) -> Timestamp {
    let fire = next_fires(cron, time_zone, after, 1).pop();
    fire.unwrap_or_else(|| later(after, NEVER_MINUTES))
}

fn later(now: Timestamp, minutes: u32) -> Timestamp {
    Timestamp(now.0.saturating_add(i64::from(minutes) * 60_000))
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
        waits: false,
    }
}

#[cfg(test)]
mod tests {
    use domain::Document;
    use serde_json::json;

    use super::*;

    /// Sunday, 2026-03-29, 00:00 in Berlin; at 02:00 clocks are put forward.
    const MIDNIGHT: i64 = 1_774_738_800_000;
    const MINUTE: i64 = 60_000;

    fn poll(fields: Value) -> Poll {
        let mut document = Document::new("poll");
        let fields = fields.as_object().expect("fields").clone();
        document.trigger.config.extend(fields);
        Poll::of(&document).expect("it polls")
    }

    fn at_times(cron: &str) -> Poll {
        poll(json!({ "when": "cron", "cron": cron, "time_zone": "Europe/Berlin" }))
    }

    /// Returns minutes after midnight.
    fn minutes(at: Timestamp) -> i64 {
        (at.0 - MIDNIGHT) / MINUTE
    }

    #[test]
    fn polls_come_after_minutes_or_at_the_times_of_a_schedule() {
        let now = Timestamp(MIDNIGHT + 30 * MINUTE);
        assert_eq!(minutes(next(&poll(json!({ "every_minutes": 7 })), now)), 37);
        let old = json!({ "when": null, "every_minutes": 7, "cron": "0 6 * * *" });
        assert_eq!(
            minutes(next(&poll(old), now)),
            37,
            "as before there was a choice"
        );
        for cron in ["0 6 * * *", "15 2 * * *", "*/20 * * * *", "30 0 * * *"] {
            let fires = next_fires(cron, "Europe/Berlin", now, 1);
            assert_eq!(vec![next(&at_times(cron), now)], fires, "{cron}");
        }
        // The day has 23 hours.
        assert_eq!(minutes(next(&at_times("0 6 * * *"), now)), 5 * 60);
        assert_eq!(minutes(next(&at_times("30 0 * * *"), now)), 23 * 60 + 30);
    }

    #[test]
    fn a_poll_at_set_times_that_fails_is_tried_twice_in_between_and_then_passes_times_over() {
        let now = Timestamp(MIDNIGHT);
        let after = |cron: &str| {
            let poll = at_times(cron);
            [0, 1, 2, 3, 9].map(|failures| minutes(next_after_failure(&poll, now, failures)))
        };
        assert_eq!(after("0 6 * * *"), [2, 4, 300, 300, 300]);
        assert_eq!(after("* * * * *"), [1, 1, 8, 16, 60]);
        assert_eq!(after("*/15 * * * *"), [2, 4, 15, 30, 60]);
        let every = poll(json!({ "every_minutes": 5 }));
        assert_eq!(minutes(next_after_failure(&every, now, 1)), 10);
    }

    #[test]
    fn times_that_never_come_are_looked_at_again() {
        assert_eq!(
            minutes(next(&at_times("0 0 30 2 *"), Timestamp(MIDNIGHT))),
            60
        );
    }
}
