//! The signals that ask the process to end.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::Instant;

/// Listens from now on for SIGTERM, SIGINT (Ctrl-C) and SIGHUP. The future is ready when one
/// came, also when that was before it was first polled.
///
/// # Errors
/// When signals cannot be listened to.
pub fn asked_to_end() -> std::io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
        }
    })
}

/// Tells every part of the process that it is to end.
#[derive(Clone, Debug)]
pub struct Stop(watch::Sender<Option<Instant>>);

impl Stop {
    /// Returns a signal that has not been given.
    pub fn new() -> Self {
        Self(watch::Sender::new(None))
    }

    /// Gives the signal.
    pub fn give(&self) {
        self.0.send_if_modified(|given| {
            let is_first = given.is_none();
            given.get_or_insert_with(Instant::now);
            is_first
        });
    }

    /// Returns when so much time is over since it was given; counted from now, if it was not.
    pub fn after(&self, time: Duration) -> Instant {
        let given = *self.0.borrow();
        given.unwrap_or_else(Instant::now) + time
    }

    /// Returns whether it was given.
    pub fn is_given(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Returns once it was given.
    pub async fn given(&self) {
        // The sender is ours, so waiting cannot fail.
        let _ = self.0.subscribe().wait_for(Option::is_some).await;
    }
}

impl Default for Stop {
    fn default() -> Self {
        Self::new()
    }
}
