//! Tells the other processes which hosts went down or came up, and hears it from them.

use std::time::Duration;

use store::Store;
use tokio::time::{MissedTickBehavior, interval};

/// How often is heard what others found out, and how many they are.
const HEAR: Duration = Duration::from_secs(5);

/// Tells and hears until the task is ended.
pub(super) async fn keep(store: Store) {
    let mut hear = interval(HEAR);
    hear.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let done = tokio::select! {
            changes = store.clients().host_changes() => store.turn(store.keep_hosts(changes)).await,
            _ = hear.tick() => store.turn(store.hear_of_hosts()).await,
        };
        // What could not be kept is only not shown, and found out by each process for itself.
        if let Err(error) = done {
            tracing::warn!(%error, "what became of hosts could not be kept or heard");
        }
    }
}
