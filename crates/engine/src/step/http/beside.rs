//! Work that goes on beside the run that waits for it, on whichever thread is free.

use std::future::{Future, pending};
use std::panic::resume_unwind;

use tokio::task::JoinHandle;
use tracing::Instrument;

/// A task that ends with whoever waits for it.
struct Beside<T>(JoinHandle<T>);

impl<T> Drop for Beside<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Does something on a task of its own. A run is interpreted by one thread at a time, with all of
/// its strands: so it only hands their exchanges over, and others do them meanwhile. When the caller
/// does not wait any more, the work is dropped soon; when it panics, so does the caller.
///
/// It begins at once. What is returned is small, however large the work is.
pub(super) fn beside<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> impl Future<Output = T> + Send {
    let mut task = Beside(tokio::spawn(work.in_current_span()));
    async move {
        match (&mut task.0).await {
            Ok(done) => done,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                // The process ends, and the caller with it.
                Err(_) => pending().await,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn what_is_not_waited_for_any_more_is_dropped() {
        let held = Arc::new(());
        let kept = Arc::clone(&held);
        let work = beside(async move {
            let _kept = kept;
            pending::<()>().await;
        });
        let waited = timeout(Duration::from_millis(1), work).await;
        assert!(waited.is_err());
        let dropped = async {
            while Arc::strong_count(&held) > 1 {
                tokio::task::yield_now().await;
            }
        };
        let dropped = timeout(Duration::from_secs(10), dropped).await;
        dropped.expect("it is dropped");
    }

    #[tokio::test]
    #[should_panic(expected = "it broke")]
    async fn a_panic_of_the_work_is_one_of_the_caller() {
        beside(async { panic!("it broke") }).await
    }
}
