//! Fires schedules at their instants. Every process may do so: an instant fires once.

use std::time::Duration;

use domain::Timestamp;
use store::Store;
use tokio::time::Instant;

/// Schedules have five fields, so every instant is the start of a minute.
const MINUTE_MS: i64 = 60_000;
/// How often is looked at least: a schedule may have been missed while nobody looked.
const LOOK_MS: i64 = 5_000;
/// How long to wait for a database that does not answer.
const A_MOMENT: Duration = Duration::from_secs(1);
/// So many fires at once mean that there may be more.
const MANY: usize = 500;

/// Fires until the task is ended.
pub(super) async fn fire(store: Store) {
    let mut last = None;
    loop {
        let asked = Instant::now();
        let pause = match store.turn(look(&store, &mut last)).await {
            Ok((_, MANY..)) => continue,
            Ok((now, _)) => pause(now.0),
            Err(error) => {
                tracing::warn!(%error, "schedules could not be looked at");
                A_MOMENT
            }
        };
        tokio::time::sleep_until(asked + pause).await;
    }
}

/// Fires what is due by the database's clock, which is one for all processes; returns what that
/// says, and how many were fired. `last` is what it said before.
async fn look(
    store: &Store,
    last: &mut Option<Timestamp>,
) -> Result<(Timestamp, usize), store::Error> {
    let now = store.now().await?;
    // It went back, or nobody knows what it said while no process was up: what fired while it was
    // ahead would be silent until then.
    if last.is_none_or(|last| now < last) {
        let moved = store.pull_schedules_back(now).await?;
        if moved > 0 {
            tracing::warn!(
                moved,
                "schedules were set again: a clock was ahead when they fired"
            );
        }
    }
    *last = Some(now);
    Ok((now, store.due(now).await?.len()))
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
