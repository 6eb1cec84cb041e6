//! The database's clock beside ours: how late a claim may come that takes ended leases for silence.
//!
//! Whoever claims knows that it was in touch with the database, and renewed its own leases, when it
//! begins to. The claim may arrive much later, after the network was away or this machine stood
//! still; by the database's clock, which ends the leases, its own have ended by then.

use std::time::{Duration, Instant};

use time::OffsetDateTime;

use crate::LEASE;

/// How late a claim may come: leases are renewed every five seconds, so none that its worker can
/// renew has ended by then.
const LATE: Duration = Duration::from_secs(8);
const _: () = assert!(LATE.as_secs() + 5 < LEASE.as_secs());
/// How far the clocks may move apart from one claim to the next, a slow answer included. Further
/// means that one was set, or that ours stood still.
const APART: Duration = Duration::from_secs(2);

/// What is known of the database's clock.
#[derive(Debug, Default)]
pub(super) struct Clock {
    /// What time it had, and when it said so.
    told: Option<(OffsetDateTime, Instant)>,
    /// When the clocks were seen to have moved apart, the last time.
    moved: Option<Instant>,
}

impl Clock {
    /// Notes what time the database has.
    pub(super) fn told(&mut self, now: OffsetDateTime, at: Instant) {
        if let Some(expected) = self.at(at)
            && (now - expected).unsigned_abs() > APART
        {
            self.moved = Some(at);
        }
        self.told = Some((now, at));
    }

    /// Returns until when, by the database's clock, a claim that is begun now may take leases that
    /// ended for silence. `None` says that it may not: after the clocks moved apart, all that live
    /// have a lease's time to renew theirs.
    pub(super) fn silent_before(&self, begun: Instant) -> Option<OffsetDateTime> {
        let moved = self.moved.map(|moved| begun.duration_since(moved));
        if moved.is_some_and(|since| since < LEASE) {
            return None;
        }
        match self.at(begun) {
            Some(now) => Some(now + LATE),
            // The first claim of all: whoever makes it has no lease that could have ended.
            None => Some(crate::timestamp::write(domain::Timestamp(i64::MAX))),
        }
    }

    /// Returns what time the database has at an instant, if the clocks go alike.
    fn at(&self, instant: Instant) -> Option<OffsetDateTime> {
        let (now, at) = self.told?;
        Some(now + instant.duration_since(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_that_comes_late_or_after_a_clock_was_set_takes_nothing_for_silent() {
        let (start, noon) = (Instant::now(), OffsetDateTime::UNIX_EPOCH);
        let seconds = Duration::from_secs;
        let mut clock = Clock::default();
        assert!(clock.silent_before(start) > Some(noon + seconds(1_000_000)));
        clock.told(noon, start);
        // Nothing was claimed for a minute, as there was no room.
        let before = clock.silent_before(start + seconds(60));
        assert_eq!(before, Some(noon + seconds(68)));
        clock.told(noon + seconds(61), start + seconds(60));
        assert!(clock.silent_before(start + seconds(60)).is_some());

        // This machine stood still for a minute: the first claim comes too late, and the next ones
        // give everybody the time to renew.
        let before = clock.silent_before(start + seconds(61));
        assert_eq!(before, Some(noon + seconds(70)), "it is 12:02:02 there");
        clock.told(noon + seconds(122), start + seconds(61));
        for second in 62..76 {
            assert_eq!(clock.silent_before(start + seconds(second)), None);
            clock.told(noon + seconds(second + 61), start + seconds(second));
        }
        assert!(clock.silent_before(start + seconds(76)).is_some());
        clock.told(noon, start + seconds(77));
        assert_eq!(clock.silent_before(start + seconds(78)), None, "set back");
    }
}
