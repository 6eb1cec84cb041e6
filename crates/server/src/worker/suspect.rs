//! Runs that may be what ends their processes: executed one at a time.
//!
//! Whoever was beside such a run when its process ended is taken over with it, each time. So that
//! it is not set aside with it, a run that is taken over the second time in a row is executed
//! beside no other of these, until something of it is durable.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::Notify;

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
    /// Returns whether there is none.
    pub(super) fn are_none(&self) -> bool {
        self.0.here.load(Ordering::SeqCst) == 0
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
