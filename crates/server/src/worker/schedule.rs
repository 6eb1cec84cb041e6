//! Fires schedules at their instants. Every process may do so: an instant fires once.

use std::time::Duration;

use engine::port::{Clock, SystemClock};
use store::Store;

/// Schedules have five fields, so every instant is the start of a minute.
const MINUTE_MS: i64 = 60_000;
/// How often is looked at least: a schedule may have been missed while nobody looked.
const LOOK_MS: i64 = 5_000;
/// So many fires at once mean that there may be more.
const MANY: usize = 500;

/// Fires until the task is ended.
pub(super) async fn fire(store: Store) {
    loop {
        match store.due(SystemClock.now()).await {
            Ok(fired) if fired.len() >= MANY => continue,
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "schedules could not be looked at"),
        }
        tokio::time::sleep(pause(SystemClock.now().0)).await;
    }
}

/// Returns the time until the next look: a moment after the next minute begins, but not long.
fn pause(now_ms: i64) -> Duration {
    let to_minute = MINUTE_MS - now_ms.rem_euclid(MINUTE_MS) + 2;
    Duration::from_millis(u64::try_from(to_minute.min(LOOK_MS)).unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::pause;

    #[test]
    fn the_start_of_a_minute_is_not_missed() {
        assert_eq!(pause(60_000), Duration::from_secs(5));
        assert_eq!(pause(119_000), Duration::from_millis(1_002));
        assert_eq!(pause(119_999), Duration::from_millis(3));
    }
}
