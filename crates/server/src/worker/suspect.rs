//! Runs that may be what ends their processes: a few are executed at a time.
//!
//! Whoever was beside such a run when its process ended is taken over with it, each time. So that
//! it is not set aside with it, a run that is taken over the second time in a row is executed
//! beside few others of these, until something of it is durable or it was executed for a while. One
//! alone would be surer; but after processes that ended again and again, as their machine did, there
//! are hundreds of these, and each of them may take a second.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use std::time::Duration;

use tokio::sync::Notify;

/// How long one is executed until it is taken for innocent, though nothing of it is durable yet: what
/// only reads, or computes, records nothing before it ends.
pub(super) const INNOCENT: Duration = Duration::from_secs(10);

/// Most of them at a time: as many are set aside with the one that ends their process.
const MOST: usize = 8;

/// How many of them a process has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Suspects(Arc<Counted>);

#[derive(Debug, Default)]
struct Counted {
    here: AtomicUsize,
    over: Notify,
}

/// One of them, until this is dropped or told to be innocent.
#[derive(Debug)]
pub(crate) struct Suspect {
    of: Suspects,
    is_over: AtomicBool,
}

impl Suspects {
    /// Returns whether there may be one more.
    pub(super) fn are_few(&self) -> bool {
        self.0.here.load(Ordering::SeqCst) < MOST
    }

    /// Adds one.
    pub(super) fn add(&self) -> Suspect {
        self.0.here.fetch_add(1, Ordering::SeqCst);
        Suspect {
            of: self.clone(),
            is_over: AtomicBool::new(false),
        }
    }

    /// Waits until one is over.
    pub(super) async fn one_over(&self) {
        self.0.over.notified().await;
    }
}

impl Suspect {
    /// Notes after a while that the run did not end its process yet. Never returns.
    pub(super) async fn live_on(&self, long: Duration) -> Infallible {
        tokio::time::sleep(long).await;
        self.got_further();
        std::future::pending().await
    }

    /// Notes that the run got further: it is not what ends its process.
    pub(crate) fn got_further(&self) {
        if !self.is_over.swap(true, Ordering::SeqCst) {
            self.of.0.here.fetch_sub(1, Ordering::SeqCst);
            self.of.0.over.notify_one();
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
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_suspect_that_lives_on_keeps_the_others_waiting_no_longer() {
        let suspects = Suspects::default();
        let suspect = suspects.add();
        assert!(suspect.live_on(INNOCENT).now_or_never().is_none());
        let others: Vec<_> = (1..MOST).map(|_| suspects.add()).collect();
        assert!(!suspects.are_few());
        tokio::select! {
            never = suspect.live_on(Duration::ZERO) => match never {},
            () = suspects.one_over() => {}
        }
        assert!(suspects.are_few());
        drop(suspect);
        let next = suspects.add();
        assert!(!suspects.are_few(), "it is counted once");
        drop((others, next));
        assert!(suspects.are_few());
    }
}
