//! Deletes runs that are older than what their organization keeps, and the names of old deliveries.
//! Every process may do so: one does at a time.

use std::time::{Duration, Instant};

use store::Store;

/// How often is looked for what is too old.
const LOOK: Duration = Duration::from_secs(10 * 60);
/// The shortest rest between two steps.
const REST: Duration = Duration::from_millis(20);
/// So many deliveries forgotten at once mean that there may be more.
const MANY: u64 = 500;

/// Deletes until the task is ended. Rests twice as long as it works, so that whoever claims and
/// finishes runs has the disk for most of the time.
pub(super) async fn keep(store: Store) {
    loop {
        let mut place = None;
        let mut runs = 0;
        loop {
            let begun = Instant::now();
            match store.long_turn(store.delete_old_runs(place)).await {
                Ok(deleted) => {
                    runs += deleted.runs;
                    place = deleted.next;
                }
                Err(error) => {
                    tracing::warn!(%error, "old runs could not be deleted");
                    break;
                }
            }
            if place.is_none() {
                break;
            }
            tokio::time::sleep((begun.elapsed() * 2).max(REST)).await;
        }
        if runs > 0 {
            tracing::info!(runs, "old runs were deleted");
        }
        forget_deliveries(&store).await;
        forget_deliveries(&store).await;
        tokio::time::sleep(LOOK).await;
    }
}

/// Forgets the names of old deliveries, in steps of the same kind.
async fn forget_deliveries(store: &Store) {
    loop {
        let begun = Instant::now();
        match store.long_turn(store.forget_deliveries()).await {
            Ok(MANY..) => tokio::time::sleep((begun.elapsed() * 2).max(REST)).await,
            Ok(_) => return,
            Err(error) => {
                tracing::warn!(%error, "old deliveries could not be forgotten");
                return;
            }
        }
    }
}
