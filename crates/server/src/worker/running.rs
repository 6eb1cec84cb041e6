//! The runs that a worker executes at this moment, and how to reach each.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::RunId;
use engine::Signal;
use engine::port::Lease;
use tokio::sync::{Notify, watch};

/// The runs that a worker executes.
#[derive(Debug, Default)]
pub(super) struct Running(Mutex<Runs>);

#[derive(Debug, Default)]
struct Runs {
    by_id: HashMap<RunId, Entry>,
    /// What is asked of all that come, too.
    of_all: Signal,
    /// What is asked of those beside that answer nobody.
    of_silent: Signal,
}

#[derive(Debug)]
struct Entry {
    lease: Lease,
    /// Somebody waits for its answer.
    answers: bool,
    signal: watch::Sender<Signal>,
    lost: Arc<Notify>,
}

/// Which runs something is asked of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    All,
    /// Those for whose answer nobody waits.
    Silent,
}

/// A run among those that are executed, until this is dropped.
#[derive(Debug)]
pub(super) struct Place<'r> {
    running: &'r Running,
    lease: Lease,
    /// Says when the run is not ours any more.
    pub(super) lost: Arc<Notify>,
}

impl Running {
    /// Adds a run; `answers` says whether somebody waits for its answer. An older claim of the same
    /// run is told that it is lost, be it this one or the one that is there.
    pub(super) fn enter(
        &self,
        lease: Lease,
        answers: bool,
    ) -> (Place<'_>, watch::Receiver<Signal>) {
        let mut runs = self.locked();
        let asked = if answers {
            runs.of_all
        } else {
            runs.of_all.max(runs.of_silent)
        };
        let (signal, receiver) = watch::channel(asked);
        let lost = Arc::new(Notify::new());
        let place = Place {
            running: self,
            lease,
            lost: Arc::clone(&lost),
        };
        match runs.by_id.get(&lease.run) {
            Some(newer) if newer.lease.fence > lease.fence => lost.notify_one(),
            _ => {
                let entry = Entry {
                    lease,
                    answers,
                    signal,
                    lost,
                };
                if let Some(older) = runs.by_id.insert(lease.run, entry) {
                    older.lost.notify_one();
                }
            }
        }
        (place, receiver)
    }

    /// Returns the claims of all.
    pub(super) fn leases(&self) -> Vec<Lease> {
        let runs = self.locked();
        runs.by_id.values().map(|entry| entry.lease).collect()
    }

    /// Stops those of `asked` that are not among `held` any more.
    pub(super) fn keep(&self, asked: &[Lease], held: &[Lease]) {
        let held: HashSet<&Lease> = held.iter().collect();
        let runs = self.locked();
        for lost in asked.iter().filter(|lease| !held.contains(lease)) {
            let entry = runs.by_id.get(&lost.run);
            if let Some(entry) = entry.filter(|entry| entry.lease == *lost) {
                entry.lost.notify_one();
            }
        }
    }

    /// Cancels a run, if it is here.
    pub(super) fn cancel(&self, run: RunId) {
        if let Some(entry) = self.locked().by_id.get(&run) {
            entry.ask(Signal::Cancel);
        }
    }

    /// Notes that a run gave its answer: nobody waits for it any more.
    pub(super) fn answered(&self, lease: Lease) {
        let mut runs = self.locked();
        let asked = runs.of_silent;
        let entry = runs.by_id.get_mut(&lease.run);
        if let Some(entry) = entry.filter(|entry| entry.lease == lease) {
            entry.answers = false;
            entry.ask(asked);
        }
    }

    /// Asks something of runs, and of those that come.
    pub(super) fn ask(&self, of: Of, signal: Signal) {
        let mut runs = self.locked();
        match of {
            Of::All => runs.of_all = signal,
            Of::Silent => runs.of_silent = signal,
        }
        let asked = runs.by_id.values();
        asked
            .filter(|entry| of == Of::All || !entry.answers)
            .for_each(|entry| entry.ask(signal));
    }

    /// Stops all where they stand.
    pub(super) fn lose_all(&self) {
        let runs = self.locked();
        runs.by_id
            .values()
            .for_each(|entry| entry.lost.notify_one());
    }

    fn locked(&self) -> MutexGuard<'_, Runs> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn ask(&self, signal: Signal) {
        self.signal.send_if_modified(|asked| {
            let is_more = *asked < signal;
            *asked = signal.max(*asked);
            is_more
        });
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut runs = self.running.locked();
        // A newer claim of the run may be there by now.
        if let Some(entry) = runs.by_id.get(&self.lease.run)
            && entry.lease == self.lease
        {
            runs.by_id.remove(&self.lease.run);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use uuid::Uuid;

    use super::*;

    fn lease(fence: i64) -> Lease {
        let run = RunId(Uuid::nil());
        Lease { run, fence }
    }

    fn is_lost(place: &Place<'_>) -> bool {
        place.lost.notified().now_or_never().is_some()
    }

    #[test]
    fn of_two_claims_of_a_run_the_older_is_told_and_takes_only_itself_away() {
        let running = Running::default();
        let (older, _asked) = running.enter(lease(1), false);
        let (newer, asked) = running.enter(lease(2), false);
        assert!(is_lost(&older) && !is_lost(&newer));
        drop(older);
        assert_eq!(running.leases(), [lease(2)], "it is renewed on");
        running.cancel(lease(2).run);
        assert_eq!(*asked.borrow(), Signal::Cancel, "it can be canceled on");
        let (late, _asked) = running.enter(lease(1), false);
        assert!(is_lost(&late) && !is_lost(&newer));
        drop(late);
        assert_eq!(running.leases(), [lease(2)]);
        running.keep(&[lease(1)], &[]);
        assert!(!is_lost(&newer), "another claim was lost");
        running.keep(&[lease(2)], &[]);
        assert!(is_lost(&newer));
        drop(newer);
        assert!(running.leases().is_empty());
    }

    #[test]
    fn what_is_asked_at_the_end_is_asked_of_whoever_comes_later_too() {
        let running = Running::default();
        let other = RunId(Uuid::max());
        let (_here, silent) = running.enter(lease(1), false);
        let (_there, answering) = running.enter(
            Lease {
                run: other,
                fence: 1,
            },
            true,
        );
        running.ask(Of::Silent, Signal::HandBack);
        assert_eq!(*silent.borrow(), Signal::HandBack);
        assert_eq!(*answering.borrow(), Signal::GoOn);
        let (_later, late) = running.enter(lease(2), false);
        assert_eq!(*late.borrow(), Signal::HandBack);
        let another = Lease {
            run: RunId(Uuid::from_u128(7)),
            fence: 1,
        };
        let (_answered, answered) = running.enter(another, true);
        running.answered(another);
        assert_eq!(*answered.borrow(), Signal::HandBack, "as one of the silent");
        running.cancel(other);
        running.ask(Of::All, Signal::HandBackNow);
        assert_eq!(*late.borrow(), Signal::HandBackNow);
        assert_eq!(*answering.borrow(), Signal::Cancel, "that is more");
    }
}
