//! What a run hears from outside: a cancel, its time limit, and that its process is to end. And how
//! long to wait before another attempt.

use std::future::{Future, pending};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::step::http::Retry;

/// Longest wait before another attempt, when nobody asks for a longer one.
const LONGEST: Duration = Duration::from_secs(100);
/// Longest wait that the other side may ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(24 * 60 * 60);

/// What is asked of a run while it is executed. Each asks for more than the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Signal {
    /// Nothing: it goes on.
    #[default]
    GoOn,
    /// To end before it begins anything more that reaches outside or waits, once what is under way is
    /// over: another process goes on with it.
    HandBack,
    /// To end now, whatever is under way, and to write what it knows.
    HandBackNow,
    /// To be canceled.
    Cancel,
}

/// Why a run must stop now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interrupt {
    Canceled,
    OutOfTime,
    /// Nothing is recorded of what it interrupts, as of a crash.
    HandedBack,
}

impl Interrupt {
    /// Says why, in what is recorded; `None` when nothing is.
    pub(super) fn why(self) -> Option<&'static str> {
        match self {
            Interrupt::Canceled => Some("The run was canceled"),
            Interrupt::OutOfTime => Some("The run's time was over"),
            Interrupt::HandedBack => None,
        }
    }
}

/// Watches for interrupts.
#[derive(Clone)]
pub(super) struct Watch {
    signal: watch::Receiver<Signal>,
    deadline: Instant,
}

impl Watch {
    pub(super) fn new(signal: watch::Receiver<Signal>, time_limit: Duration) -> Self {
        Self {
            signal,
            deadline: Instant::now() + time_limit,
        }
    }

    /// Returns what is asked of the run.
    ///
    /// # Errors
    /// When it must stop.
    pub(super) fn check(&self, now: Instant) -> Result<Signal, Interrupt> {
        let signal = *self.signal.borrow();
        if signal == Signal::Cancel {
            Err(Interrupt::Canceled)
        } else if now >= self.deadline {
            Err(Interrupt::OutOfTime)
        } else {
            Ok(signal)
        }
    }

    /// Returns whether nothing more may be begun.
    pub(super) fn is_handed_back(&self) -> bool {
        *self.signal.borrow() >= Signal::HandBack
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
        tokio::select! {
            biased;
            signal = self.asked(Signal::HandBackNow) => Err(match signal {
                Signal::Cancel => Interrupt::Canceled,
                _ => Interrupt::HandedBack,
            }),
            done = work => Ok(done),
            () = tokio::time::sleep_until(self.deadline) => Err(Interrupt::OutOfTime),
        }
    }

    /// Waits where nothing is under way, unless an interrupt comes first. Returns whether the time
    /// is over: if not, the run is to be handed back.
    pub(super) async fn rest(&self, time: impl Future<Output = ()>) -> Result<bool, Interrupt> {
        let rest = async {
            tokio::select! {
                biased;
                _ = self.asked(Signal::HandBack) => false,
                () = time => true,
            }
        };
        self.unless(rest).await
    }

    /// Waits until so much is asked of the run, or more.
    async fn asked(&self, least: Signal) -> Signal {
        let mut signal = self.signal.clone();
        let asked = signal.wait_for(|signal| *signal >= least).await;
        match asked.map(|signal| *signal) {
            Ok(signal) => signal,
            // Without a sender nobody can ask any more.
            Err(_) => pending().await,
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
