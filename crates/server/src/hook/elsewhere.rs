//! Asks the database after runs that other processes may execute, for the callers who wait.
//!
//! What this process executes is answered at its desk. Asking is the net for all else: runs that a
//! process without a worker accepted, or that went on elsewhere after they had waited for a time, or
//! were handed back. So each caller asks more and more seldom; where few wait, an answer is known
//! about a second after it is durable.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use domain::run::RunState;
use domain::{OrganizationId, RunId};
use store::Awaited;

use crate::answer_desk::Reply;
use crate::web::Web;

/// How long a caller whose run we may execute waits until it asks the first time. One that repeats
/// another asks at once, and again after this.
pub(super) const SOON: Duration = Duration::from_millis(250);
/// The longest pause once this process is asked to end: there is little time for an answer then.
const ENDING: Duration = Duration::from_millis(500);
/// The longest pause while few ask, and while more do.
const FEW_ASK: Duration = Duration::from_secs(1);
const MANY_ASK: Duration = Duration::from_secs(2);
/// Callers that are few.
const FEW: usize = 200;

/// How many callers of this process ask, or would if they waited for longer.
#[derive(Debug, Default)]
pub(crate) struct Askers(AtomicUsize);

/// A caller that asks, counted until it does not any more.
struct Asker<'a>(&'a Askers);

impl Askers {
    fn enter(&self) -> Asker<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Asker(self)
    }
}

impl Asker<'_> {
    fn all(&self) -> usize {
        self.0.0.load(Ordering::Relaxed)
    }
}

impl Drop for Asker<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Asks after a run until it has something for its caller, after a while the first time. `None` when
/// the run is not kept any more.
pub(super) async fn reply(
    web: &Web,
    organization: OrganizationId,
    run: RunId,
    after: Duration,
) -> Option<Reply> {
    let asker = web.askers.enter();
    let mut awaited = Awaited::new(organization, run);
    let mut pause = after;
    loop {
        let is_ending = web.stop.is_given();
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            // It may have been answered elsewhere in a pause that was to be long.
            () = web.stop.given(), if !is_ending => {}
        }
        match web.store.reply(&mut awaited).await {
            Ok(store::Reply::Responded(fields)) => {
                let given = engine::answer(&fields);
                return Some(given.map_or(Reply::Ended(RunState::Failed), Reply::Answer));
            }
            Ok(store::Reply::Ended(state)) => return Some(Reply::Ended(state)),
            Ok(store::Reply::Pending) => {}
            Ok(store::Reply::Gone) => return None,
            Err(error) => tracing::debug!(%error, "a run could not be asked after"),
        }
        pause = longer(pause, asker.all(), web.stop.is_given());
    }
}

/// Returns how long to wait after such a pause, when so many ask.
fn longer(pause: Duration, askers: usize, is_ending: bool) -> Duration {
    let longest = match askers {
        _ if is_ending => ENDING,
        0..=FEW => FEW_ASK,
        _ => MANY_ASK,
    };
    (pause * 2).clamp(SOON, longest)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Askers, FEW, longer};

    #[test]
    fn who_waits_asks_more_and_more_seldom_and_the_more_so_the_more_wait() {
        let pauses = |askers: usize, is_ending: bool| {
            let mut pause = Duration::ZERO;
            let next = || {
                pause = longer(pause, askers, is_ending);
                Some(pause.as_millis())
            };
            std::iter::from_fn(next).take(5).collect::<Vec<_>>()
        };
        assert_eq!(pauses(FEW, false), [250, 500, 1_000, 1_000, 1_000]);
        assert_eq!(pauses(FEW + 1, false), [250, 500, 1_000, 2_000, 2_000]);
        assert_eq!(pauses(FEW + 1, true), [250, 500, 500, 500, 500]);
    }

    #[test]
    fn who_does_not_wait_any_more_does_not_count() {
        let askers = Askers::default();
        let first = askers.enter();
        assert_eq!((first.all(), askers.enter().all()), (1, 2));
        assert_eq!(first.all(), 1);
    }
}
