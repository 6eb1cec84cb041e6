//! What holds the runs of an integration back: a limit of runs at once, or a pause.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::Timestamp;
use crate::limit::{RUNS_AT_ONCE, RUNS_COUNTED};

/// How the runs of an integration's live version begin, and how many there are now.
///
/// A run has a place from its beginning until it is over, also while it waits in a delay or for
/// another attempt. With one place, runs follow each other in the order in which their events
/// were accepted. While paused, no run begins; what has begun goes on to its end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Throttle {
    /// At most so many runs at once; `None` for no limit.
    pub at_once: Option<u32>,
    /// Since when it is paused.
    pub paused_at: Option<Timestamp>,
    /// Runs that have not begun; [`RUNS_COUNTED`] stands for that or more.
    pub waiting: u32,
    /// Runs that have begun and are not over; [`RUNS_COUNTED`] stands for that or more.
    pub begun: u32,
}

impl Throttle {
    /// Returns how many runs wait and are under way, as a sentence; `None` when there are none.
    pub fn now(&self) -> Option<String> {
        let waiting = count(self.waiting);
        let begun = count(self.begun);
        match (self.waiting, self.begun) {
            (0, 0) => None,
            (0, 1) => Some("1 run is under way.".to_owned()),
            (0, _) => Some(format!("{begun} runs are under way.")),
            (1, 0) => Some("1 run waits.".to_owned()),
            (_, 0) => Some(format!("{waiting} runs wait.")),
            (1, _) => Some(format!("1 run waits, {begun} under way.")),
            (_, _) => Some(format!("{waiting} runs wait, {begun} under way.")),
        }
    }
}

/// Why a run that could begin does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Held {
    /// The integration is paused, since then.
    Paused(Timestamp),
    /// So many runs of the integration have begun and are not over, and no more may.
    Limit(u32),
}

impl Held {
    /// Says why, and until when.
    pub fn says(self) -> String {
        match self {
            Held::Paused(_) => {
                "It waits because the integration is paused. It begins once someone continues the integration.".to_owned()
            }
            Held::Limit(1) => {
                "It waits for its place: runs of this integration follow one another, and one is under way.".to_owned()
            }
            Held::Limit(count) => format!(
                "It waits for a place: at most {count} runs of this integration go on at once, and as many are under way."
            ),
        }
    }
}

fn count(runs: u32) -> String {
    if runs >= RUNS_COUNTED {
        format!("{RUNS_COUNTED} or more")
    } else {
        runs.to_string()
    }
}

/// Why a limit cannot be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Not a number of runs.
    #[error("Write a number from 1 to {RUNS_AT_ONCE}.")]
    AtOnce,
}

/// Checks how many runs are to go on at once; `None` for no limit.
///
/// # Errors
/// When it is none, or more than [`RUNS_AT_ONCE`].
pub fn check_at_once(at_once: Option<u32>) -> Result<Option<u32>, Refusal> {
    match at_once {
        Some(count) if count == 0 || count > RUNS_AT_ONCE => Err(Refusal::AtOnce),
        fits => Ok(fits),
    }
}

#[cfg(test)]
mod tests {
    use super::{Held, Refusal, Throttle, check_at_once};
    use crate::Timestamp;
    use crate::limit::{RUNS_AT_ONCE, RUNS_COUNTED};

    #[test]
    fn a_run_that_is_held_back_says_why() {
        for (held, says) in [
            (
                Held::Paused(Timestamp(0)),
                "because the integration is paused",
            ),
            (Held::Limit(1), "follow one another"),
            (Held::Limit(3), "at most 3 runs"),
        ] {
            assert!(held.says().contains(says), "{}", held.says());
        }
    }

    #[test]
    fn a_limit_is_a_number_of_runs_or_none() {
        for fits in [None, Some(1), Some(RUNS_AT_ONCE)] {
            assert_eq!(check_at_once(fits), Ok(fits));
        }
        for wrong in [0, RUNS_AT_ONCE + 1, u32::MAX] {
            assert_eq!(check_at_once(Some(wrong)), Err(Refusal::AtOnce));
        }
    }

    #[test]
    fn what_waits_is_said_with_its_number() {
        let table = [
            ((0, 0), None),
            ((0, 1), Some("1 run is under way.")),
            ((0, 2), Some("2 runs are under way.")),
            ((1, 0), Some("1 run waits.")),
            ((3, 0), Some("3 runs wait.")),
            ((1, 1), Some("1 run waits, 1 under way.")),
            ((3, 2), Some("3 runs wait, 2 under way.")),
            ((RUNS_COUNTED, 0), Some("10000 or more runs wait.")),
        ];
        for ((waiting, begun), said) in table {
            let throttle = Throttle {
                waiting,
                begun,
                ..Throttle::default()
            };
            assert_eq!(throttle.now().as_deref(), said);
        }
    }
}
