//! Whether the database was there all the time, as far as this process saw.
//!
//! Leases end by the database's clock, also while nobody reaches it to renew them. So a lease that
//! ended says that its worker is silent only once whoever looks has been in touch with the database
//! for as long as a lease lasts: by then each worker that lives has renewed its own.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use store::LEASE;

use super::RENEW;

/// For so long it may not have been asked: leases are renewed more often while there are any, and
/// claims are made more often while there is room for more.
const GAP: Duration = Duration::from_secs(8);
const _: () = assert!(RENEW.as_millis() < GAP.as_millis() && GAP.as_millis() < LEASE.as_millis());

/// What was seen of the database.
#[derive(Debug)]
pub(super) struct Contact(Mutex<Seen>);

#[derive(Debug)]
struct Seen {
    /// Since when it answered whenever it was asked; `None` when it did not the last time.
    since: Option<Instant>,
    /// When it answered last.
    last: Instant,
    /// Whether leases were renewed since then.
    is_renewed: bool,
}

impl Contact {
    /// Returns that of a process that has no leases and has asked nothing yet.
    pub(super) fn new(now: Instant) -> Self {
        Self(Mutex::new(Seen {
            since: None,
            last: now,
            is_renewed: true,
        }))
    }

    /// Notes an answer to what was asked at `begun`.
    pub(super) fn answered(&self, begun: Instant, now: Instant) {
        let mut seen = self.locked();
        let is_late = now.duration_since(begun) > GAP;
        if is_late || now.duration_since(seen.last) > GAP {
            seen.since = None;
            seen.is_renewed = false;
        }
        seen.since.get_or_insert(now);
        seen.last = now;
    }

    /// Notes that leases were renewed by what was asked at `begun`.
    pub(super) fn renewed(&self, begun: Instant, now: Instant) {
        self.answered(begun, now);
        self.locked().is_renewed = true;
    }

    /// Notes that there is nothing to renew.
    pub(super) fn has_no_leases(&self) {
        self.locked().is_renewed = true;
    }

    /// Notes that it did not answer.
    pub(super) fn failed(&self) {
        let mut seen = self.locked();
        seen.since = None;
        seen.is_renewed = false;
    }

    /// Returns whether leases have to be renewed before runs are claimed.
    pub(super) fn must_renew(&self, now: Instant) -> bool {
        let seen = self.locked();
        !seen.is_renewed || now.duration_since(seen.last) > GAP
    }

    /// Returns whether whoever has not renewed a lease by now is silent.
    pub(super) fn is_witness(&self, now: Instant) -> bool {
        let seen = self.locked();
        let is_in_touch = now.duration_since(seen.last) <= GAP;
        let since = seen.since.filter(|_| is_in_touch);
        since.is_some_and(|since| now.duration_since(since) >= LEASE)
    }

    fn locked(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_that_ended_says_something_only_after_a_lease_of_answers() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let answers = |contact: &Contact, seconds: std::ops::Range<u64>| {
            seconds.for_each(|second| contact.answered(at(second), at(second)));
        };
        let contact = Contact::new(start);
        assert!(!contact.must_renew(at(1)), "it has none");
        answers(&contact, 1..16);
        assert!(!contact.is_witness(at(15)));
        assert!(contact.is_witness(at(16)));

        contact.failed();
        assert!(contact.must_renew(at(17)) && !contact.is_witness(at(17)));
        contact.renewed(at(20), at(20));
        assert!(!contact.must_renew(at(21)) && !contact.is_witness(at(21)));
        answers(&contact, 21..35);
        assert!(!contact.is_witness(at(34)));
        assert!(contact.is_witness(at(35)));

        // It was not asked for long, as this process stood still; or it took long to answer.
        assert!(contact.must_renew(at(60)));
        contact.has_no_leases();
        assert!(!contact.is_witness(at(60)), "others were not seen either");
        contact.renewed(at(60), at(60));
        assert!(!contact.is_witness(at(61)));
        answers(&contact, 61..76);
        assert!(contact.is_witness(at(76)));
        contact.answered(at(76), at(90));
        assert!(contact.must_renew(at(90)) && !contact.is_witness(at(90)));
    }
}
