//! Asks for the lists of triggers that poll. Every process may do so: a poll is claimed by one.

use std::sync::Arc;
use std::time::Duration;

use domain::poll::Found;
use engine::poll::{Unanswered, ask};
use engine::port::{Clock, SystemClock};
use store::{ClaimedPoll, POLL_LEASE, Store, Taken};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Most polls of this process at once. One organization leaves one of these places to the others.
const AT_ONCE: usize = 16;
/// How often is looked for what is due.
const LOOK: Duration = Duration::from_secs(1);

/// Polls until the task is ended. What is on its way then is dropped, and asked for again by
/// another process.
pub(super) async fn keep(store: Store) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut polls = JoinSet::new();
    loop {
        while polls.try_join_next().is_some() {}
        match store
            .turn(store.claim_polls(places.available_permits()))
            .await
        {
            Ok(claims) => {
                for claim in claims {
                    let Ok(place) = places.clone().acquire_owned().await else {
                        return;
                    };
                    let store = store.clone();
                    polls.spawn(async move {
                        once(&store, &claim).await;
                        drop(place);
                    });
                }
            }
            Err(error) => tracing::warn!(%error, "polls could not be looked at"),
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn once(store: &Store, claim: &ClaimedPoll) {
    let taken = async { store.polled(claim, answer(store, claim).await?).await };
    // After that it belongs to another process, whatever holds it up here.
    let taken = timeout(POLL_LEASE, taken).await;
    match taken.unwrap_or(Ok(Taken::Stale)) {
        Ok(Taken::Runs(_) | Taken::Failed) => {}
        Ok(Taken::Stale) => {
            tracing::info!(integration = %claim.integration, "a poll was too slow, or is not wanted any more");
        }
        // Nothing was taken: it is asked for again when the claim ends.
        Err(error) => tracing::warn!(%error, "the answer to a poll could not be kept"),
    }
}

/// Asks, once more with another token where one was not taken.
async fn answer(
    store: &Store,
    claim: &ClaimedPoll,
) -> Result<Result<Found, Unanswered>, store::Error> {
    let (poll, cursor) = (&claim.poll, claim.cursor.as_ref());
    let mut refused = None;
    loop {
        let credentials = match store.poll_credentials(claim, refused).await? {
            Ok(credentials) => credentials,
            Err(closed) => return Ok(Err(closed)),
        };
        let now = SystemClock.now();
        let answer = ask(
            store.clients(),
            &claim.network,
            poll,
            cursor,
            credentials,
            now,
        )
        .await;
        match answer {
            Err(Unanswered {
                refused: Some(issue),
                ..
            }) if refused.is_none() => refused = Some(issue),
            answer => return Ok(answer),
        }
    }
}
