//! What can interrupt a run from outside: a cancel, and its time limit. And how long to wait
//! before another attempt.

use std::future::{Future, pending};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::step::http::Retry;

/// Longest wait before another attempt, when nobody asks for a longer one.
const LONGEST: Duration = Duration::from_secs(100);
/// Longest wait that the other side may ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(24 * 60 * 60);

/// Why a run must stop now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interrupt {
    Canceled,
    OutOfTime,
}

/// Watches for interrupts.
#[derive(Clone)]
pub(super) struct Watch {
    cancel: watch::Receiver<bool>,
    deadline: Instant,
}

impl Watch {
    pub(super) fn new(cancel: watch::Receiver<bool>, time_limit: Duration) -> Self {
        Self {
            cancel,
            deadline: Instant::now() + time_limit,
        }
    }

    /// Returns whether the run must stop.
    pub(super) fn check(&self, now: Instant) -> Option<Interrupt> {
        if *self.cancel.borrow() {
            Some(Interrupt::Canceled)
        } else if now >= self.deadline {
            Some(Interrupt::OutOfTime)
        } else {
            None
        }
    }

    /// Counts work that an earlier execution of the run did.
    pub(super) fn count(&mut self, worked: Duration) {
        self.deadline = self
            .deadline
            .checked_sub(worked)
            .unwrap_or_else(Instant::now);
    }

    /// Lets a time pass that does not count as work.
    pub(super) fn forgive(&mut self, waited: Duration) {
        self.deadline += waited;
    }

    /// Counts what a part of the run counted that worked beside others.
    pub(super) fn join(&mut self, other: &Watch) {
        self.deadline = self.deadline.min(other.deadline);
    }

    /// Does something, unless an interrupt comes first.
    pub(super) async fn unless<T>(&self, work: impl Future<Output = T>) -> Result<T, Interrupt> {
        let mut cancel = self.cancel.clone();
        let canceled = async {
            // Without a sender nobody can cancel any more.
            if cancel.wait_for(|is_canceled| *is_canceled).await.is_err() {
                pending::<()>().await;
            }
        };
        tokio::select! {
            biased;
            () = canceled => Err(Interrupt::Canceled),
            done = work => Ok(done),
            () = tokio::time::sleep_until(self.deadline) => Err(Interrupt::OutOfTime),
        }
    }
}

/// Returns how long to wait after a failed attempt (counted from 1): up to 1 s, 2 s, 4 s … with
/// full jitter, taken from the key so that it needs no source of randomness; what the other side
/// asks for, where that is longer.
pub(super) fn backoff(retry: Retry, key: &str, attempt: u32) -> Duration {
    let asked = match retry {
        Retry::After(asked) => asked.min(LONGEST_ASKED),
        Retry::Never | Retry::Backoff => Duration::ZERO,
    };
    let ceiling = Duration::from_secs(1 << attempt.saturating_sub(1).min(7)).min(LONGEST);
    let digest = domain::canonical::sha256(format!("{key}/{attempt}").as_bytes());
    let share = u32::from_str_radix(&digest[..8], 16).unwrap_or(u32::MAX);
    asked.max(ceiling.mul_f64(f64::from(share) / f64::from(u32::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_with_jitter_up_to_a_cap() {
        for attempt in 1..=10 {
            let ceiling = (1_u64 << (attempt - 1)).min(100);
            let waits: Vec<Duration> = (0..200)
                .map(|run| backoff(Retry::Backoff, &run.to_string(), attempt))
                .collect();
            assert!(
                waits
                    .iter()
                    .all(|wait| *wait <= Duration::from_secs(ceiling))
            );
            assert!(
                waits
                    .iter()
                    .any(|wait| *wait > Duration::from_secs(ceiling).mul_f64(0.9))
            );
            assert!(
                waits
                    .iter()
                    .any(|wait| *wait < Duration::from_secs(ceiling).mul_f64(0.1))
            );
        }
        assert_eq!(
            backoff(Retry::After(Duration::from_secs(7)), "", 1),
            Duration::from_secs(7)
        );
        assert_eq!(
            backoff(Retry::After(Duration::from_secs(1_000_000)), "", 1),
            LONGEST_ASKED
        );
        // “At once”, or at a time that is over.
        let asked = Retry::After(Duration::ZERO);
        assert_eq!(backoff(asked, "run", 9), backoff(Retry::Backoff, "run", 9));
    }
}
