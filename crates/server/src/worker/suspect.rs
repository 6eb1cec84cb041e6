//! Runs that may be what ends their processes: a few are executed at a time.
//!
//! Whoever was beside such a run when its process ended is taken over with it, each time, and so is
//! suspect, too. One after the other would soon tell which it is; but after processes that ended
//! again and again, as their machine did, there are hundreds of these, and each of them may take a
//! second. So a process executes some of them beside each other. None is set aside for its
//! neighbours: who was beside others when its process ended goes alone the next time, and the others
//! wait meanwhile.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use store::{Room, Suspected};
use tokio::sync::watch;

/// How long one is executed until it is taken for innocent, though nothing of it is durable yet: what
/// only reads, or computes, records nothing before it ends.
pub(super) const INNOCENT: Duration = Duration::from_secs(10);

/// Most of them at a time. As many go alone, one after the other, after the one that ends their
/// process.
const MOST: usize = 16;
/// Most of them with those that are taken for innocent, as nobody is surely.
const MOST_HERE: usize = 2 * MOST;

/// The suspects of a process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Suspects(watch::Sender<Group>);

#[derive(Debug, Default)]
pub(super) struct Group {
    /// Those that are executed, and of which nothing is durable yet.
    here: usize,
    /// Those of them that are not taken for innocent either.
    unproven: usize,
    /// No other one may join those that are here, as one of them is alone, or another one has to be.
    is_closed: bool,
}

/// One of them, until something of it is durable, or this is dropped.
#[derive(Debug)]
pub(crate) struct Suspect {
    of: Suspects,
    suspected: Suspected,
    is_unproven: AtomicBool,
    is_here: AtomicBool,
}

impl Suspects {
    /// Returns what room there is for one more.
    pub(super) fn room(&self) -> Room {
        let group = self.0.borrow();
        if group.here == 0 {
            Room::All
        } else if group.unproven < MOST && group.here < MOST_HERE && !group.is_closed {
            Room::Beside
        } else {
            Room::None
        }
    }

    /// Adds one for which there was room.
    pub(super) fn add(&self, suspected: Suspected) -> Suspect {
        // Nobody waits for that.
        self.0.send_if_modified(|group| {
            group.here += 1;
            group.unproven += 1;
            group.is_closed |= suspected != Suspected::Beside;
            false
        });
        Suspect {
            of: self.clone(),
            suspected,
            is_unproven: AtomicBool::new(true),
            is_here: AtomicBool::new(true),
        }
    }

    /// Notes that the one whose turn it is has to be alone.
    pub(super) fn one_waits(&self) {
        self.0.send_modify(|group| group.is_closed = group.here > 0);
    }

    /// Returns where it is heard that there may be room for another one.
    pub(super) fn changes(&self) -> watch::Receiver<Group> {
        self.0.subscribe()
    }
}

impl Suspect {
    /// Notes after a while that the run did not end its process yet, and lets others join, unless it
    /// has to be alone. Never returns.
    pub(super) async fn live_on<F>(&self, long: Duration, let_join: impl Fn() -> F) -> Infallible
    where
        F: Future<Output = Result<(), store::Error>>,
    {
        if self.suspected != Suspected::StrictlyAlone {
            tokio::time::sleep(long).await;
            while self.suspected == Suspected::Alone
                && let Err(error) = let_join().await
            {
                tracing::warn!(%error, "a run stays alone that may have ended its process");
                tokio::time::sleep(long).await;
            }
            self.is_innocent();
        }
        std::future::pending().await
    }

    /// Notes that the run got further: it is not what ends its process.
    pub(crate) fn got_further(&self) {
        self.is_innocent();
        if self.is_here.swap(false, Ordering::SeqCst) {
            self.of.0.send_modify(|group| {
                group.here -= 1;
                group.is_closed &= group.here > 0;
            });
        }
    }

    fn is_innocent(&self) {
        if self.is_unproven.swap(false, Ordering::SeqCst) {
            self.of.0.send_modify(|group| {
                group.unproven -= 1;
                group.is_closed &= self.suspected == Suspected::Beside;
            });
        }
    }
}

impl Drop for Suspect {
    fn drop(&mut self) {
        self.got_further();
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use futures::FutureExt;

    use super::*;

    /// Adds as many as there is room for beside each other.
    fn fill(suspects: &Suspects) -> Vec<Suspect> {
        let mut added = Vec::new();
        while suspects.room() != Room::None {
            added.push(suspects.add(Suspected::Beside));
        }
        added
    }

    async fn never_joined() -> Result<(), store::Error> {
        unreachable!("it is not alone")
    }

    #[test]
    fn there_is_room_for_a_few_and_for_another_one_with_each_that_got_further() {
        let suspects = Suspects::default();
        assert_eq!(suspects.room(), Room::All);
        let mut here = fill(&suspects);
        assert_eq!(here.len(), MOST);
        here[0].got_further();
        assert_eq!(suspects.room(), Room::Beside);
        drop(here.remove(0));
        here.extend(fill(&suspects));
        assert_eq!(here.len(), MOST, "it is counted once");
        drop(here);
        assert_eq!(suspects.room(), Room::All);
    }

    #[test]
    fn none_joins_one_that_is_alone() {
        for suspected in [Suspected::Alone, Suspected::StrictlyAlone] {
            let suspects = Suspects::default();
            let alone = suspects.add(suspected);
            assert_eq!(suspects.room(), Room::None);
            alone.got_further();
            assert_eq!(suspects.room(), Room::All);
            let next = suspects.add(Suspected::Beside);
            drop(alone);
            assert_eq!(suspects.room(), Room::Beside);
            drop(next);
        }
    }

    #[test]
    fn one_that_has_to_be_alone_waits_only_for_those_that_are_here() {
        let suspects = Suspects::default();
        let mut changes = suspects.changes();
        let mut here = fill(&suspects);
        drop(here.pop());
        suspects.one_waits();
        while let Some(last) = here.pop() {
            assert_eq!(suspects.room(), Room::None, "none joins them");
            drop(last);
        }
        assert_eq!(suspects.room(), Room::All);
        changes.mark_unchanged();
        suspects.one_waits();
        assert_eq!(suspects.room(), Room::All, "none was here");
        assert!(changes.changed().now_or_never().is_some());
        let next = suspects.add(Suspected::Beside);
        assert_eq!(suspects.room(), Room::Beside, "another process has it");
        drop(next);
    }

    #[tokio::test]
    async fn a_suspect_that_lives_on_keeps_the_others_waiting_no_longer() {
        let suspects = Suspects::default();
        let mut here = fill(&suspects);
        let suspect = here.pop().expect("there are several");
        let lives = suspect.live_on(INNOCENT, never_joined);
        assert!(lives.now_or_never().is_none());
        assert_eq!(suspects.room(), Room::None);
        let mut changes = suspects.changes();
        tokio::select! {
            never = suspect.live_on(Duration::ZERO, never_joined) => match never {},
            changed = changes.changed() => changed.expect("it is there"),
        }
        here.extend(fill(&suspects));
        assert_eq!(here.len(), MOST);
        drop(suspect);
        assert_eq!(suspects.room(), Room::None, "it is counted once");
        suspects.one_waits();
        changes.mark_unchanged();
        let suspect = here.pop().expect("there are several");
        tokio::select! {
            never = suspect.live_on(Duration::ZERO, never_joined) => match never {},
            changed = changes.changed() => changed.expect("it is there"),
        }
        drop(here);
        assert_eq!(suspects.room(), Room::None, "it is here yet");
        drop(suspect);
        assert_eq!(suspects.room(), Room::All);
    }

    #[tokio::test]
    async fn one_that_is_alone_and_lives_on_is_joined_once_that_is_noted() {
        let suspects = Suspects::default();
        let mut changes = suspects.changes();
        let suspect = suspects.add(Suspected::Alone);
        let asked = AtomicBool::new(false);
        let let_join = || {
            assert_eq!(suspects.room(), Room::None);
            let is_first = !asked.swap(true, Ordering::SeqCst);
            ready(if is_first {
                Err(store::Error::NotFound)
            } else {
                Ok(())
            })
        };
        tokio::select! {
            never = suspect.live_on(Duration::ZERO, let_join) => match never {},
            changed = changes.changed() => changed.expect("it is there"),
        }
        assert_eq!(suspects.room(), Room::Beside);
        assert_eq!(fill(&suspects).len(), MOST);
    }

    #[tokio::test]
    async fn one_that_has_to_be_alone_is_so_until_it_got_further() {
        let suspects = Suspects::default();
        let suspect = suspects.add(Suspected::StrictlyAlone);
        // As long as another one takes to be joined.
        let others = Suspects::default();
        let mut changes = others.changes();
        let other = others.add(Suspected::Beside);
        tokio::select! {
            biased;
            never = suspect.live_on(Duration::ZERO, never_joined) => match never {},
            never = other.live_on(Duration::ZERO, never_joined) => match never {},
            changed = changes.changed() => changed.expect("it is there"),
        }
        assert_eq!(suspects.room(), Room::None);
        suspect.got_further();
        assert_eq!(suspects.room(), Room::All);
    }
}
