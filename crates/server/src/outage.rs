//! Events that cannot be kept, as the database is away: told by a few lines of the log, however
//! many they are.

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long it takes from one line to the next, and how long nothing was refused when it is over.
const PAUSE: Duration = Duration::from_secs(10);

/// How long nothing was refused when the next refusal is another outage, though no event came in
/// between that would have ended the last one.
const APART: Duration = Duration::from_secs(60);

/// What is told of refused events: one line when it begins, one with their number every 10 seconds
/// at most while it goes on, and one when it is over.
#[derive(Debug, Default)]
pub(crate) struct Outage {
    /// So that an event that is kept looks no further.
    is_on: AtomicBool,
    stretch: Mutex<Option<Stretch>>,
}

/// A stretch of time in which events were refused.
#[derive(Debug)]
struct Stretch {
    began: Instant,
    /// When the last line was written.
    told: Instant,
    /// When the last event was refused.
    last: Instant,
    refused: u64,
}

/// A line of the log.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Begins,
    GoesOn { refused: u64 },
    Over { refused: u64, lasted: Duration },
}

impl Outage {
    /// Notes that an event was refused, and why.
    pub(crate) fn note_refused(&self, cause: &impl Display) {
        match self.refused(Instant::now()) {
            Some(Line::GoesOn { refused }) => {
                tracing::error!(refused, error = %cause, "events can still not be accepted");
            }
            Some(_) => tracing::error!(error = %cause, "events cannot be accepted"),
            None => {}
        }
    }

    /// Notes that an event was kept.
    pub(crate) fn note_kept(&self) {
        if let Some(Line::Over { refused, lasted }) = self.kept(Instant::now()) {
            let seconds = lasted.as_secs();
            tracing::info!(refused, seconds, "events are accepted again");
        }
    }

    fn refused(&self, now: Instant) -> Option<Line> {
        let mut known = self.locked();
        known.take_if(|stretch| now.saturating_duration_since(stretch.last) >= APART);
        let Some(stretch) = known.as_mut() else {
            *known = Some(Stretch {
                began: now,
                told: now,
                last: now,
                refused: 1,
            });
            self.is_on.store(true, Ordering::Relaxed);
            return Some(Line::Begins);
        };
        stretch.last = stretch.last.max(now);
        stretch.refused += 1;
        if now.saturating_duration_since(stretch.told) < PAUSE {
            return None;
        }
        stretch.told = now;
        Some(Line::GoesOn {
            refused: stretch.refused,
        })
    }

    /// A database that is there one moment and away the next is away.
    fn kept(&self, now: Instant) -> Option<Line> {
        if !self.is_on.load(Ordering::Relaxed) {
            return None;
        }
        let mut stretch = self.locked();
        let over =
            stretch.take_if(|stretch| now.saturating_duration_since(stretch.last) >= PAUSE)?;
        self.is_on.store(false, Ordering::Relaxed);
        Some(Line::Over {
            refused: over.refused,
            lasted: over.last.saturating_duration_since(over.began),
        })
    }

    fn locked(&self) -> MutexGuard<'_, Option<Stretch>> {
        self.stretch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_many_events_are_refused_a_few_lines_tell_of_them() {
        let (outage, begin) = (Outage::default(), Instant::now());
        assert_eq!(outage.kept(begin), None, "nothing was wrong");
        let mut lines = Vec::new();
        // A thousand a second, for 25 seconds; now and then one gets through.
        for ms in 0..25_000 {
            let now = begin + Duration::from_millis(ms);
            lines.extend(outage.refused(now));
            if ms % 100 == 0 {
                assert_eq!(outage.kept(now), None);
            }
        }
        let goes_on = |refused| Line::GoesOn { refused };
        assert_eq!(lines, [Line::Begins, goes_on(10_001), goes_on(20_001)]);
        let last = begin + Duration::from_millis(24_999);
        assert_eq!(outage.kept(last + PAUSE - Duration::from_millis(1)), None);
        let over = Line::Over {
            refused: 25_000,
            lasted: last - begin,
        };
        assert_eq!(outage.kept(last + PAUSE), Some(over));
        assert_eq!(outage.kept(last + PAUSE), None, "it is told once");
        assert_eq!(outage.refused(last + 2 * PAUSE), Some(Line::Begins));
        let next_day = last + 2 * PAUSE + APART;
        assert_eq!(outage.refused(next_day), Some(Line::Begins));
    }
}
