//! Where webhooks wait for the answers of their runs.
//!
//! The request that accepted an event and the worker that executes its run meet here, whichever
//! comes first. A run that is executed by another process is asked after in the database.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use domain::RunId;
use domain::run::RunState;
use engine::port::Answer;
use tokio::sync::oneshot;

/// How long an answer is kept for a request that has not asked yet.
const KEPT: Duration = Duration::from_secs(30);
/// Most answers that are kept so.
const UNASKED: usize = 1_000;

/// What a run gives to the request that waits for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A Respond step answered.
    Answer(Answer),
    /// The run ended, or began to wait, without an answer.
    Ended(RunState),
}

#[derive(Debug)]
enum Place {
    Waiting(oneshot::Sender<Reply>),
    Came(Reply),
}

/// Where webhooks wait for the answers of their runs.
#[derive(Debug, Default)]
pub struct AnswerDesk(Mutex<Places>);

#[derive(Debug, Default)]
struct Places {
    by_run: HashMap<RunId, Place>,
    /// When each reply came that nobody has asked for, oldest first.
    unasked: VecDeque<(Instant, RunId)>,
}

impl AnswerDesk {
    /// Waits for a run's reply, until the returned value is dropped.
    pub fn wait(&self, run: RunId) -> Waiting<'_> {
        let (sender, receiver) = oneshot::channel();
        let mut places = self.locked();
        match places.by_run.remove(&run) {
            Some(Place::Came(reply)) => {
                let _ = sender.send(reply);
            }
            _ => {
                places.by_run.insert(run, Place::Waiting(sender));
            }
        }
        drop(places);
        Waiting {
            desk: self,
            run,
            receiver,
        }
    }

    /// Gives a run's reply to the request that waits for it, or keeps it for a while. The first
    /// reply of a run counts.
    pub fn give(&self, run: RunId, reply: Reply) {
        let mut places = self.locked();
        match places.by_run.remove(&run) {
            Some(Place::Waiting(sender)) => {
                let _ = sender.send(reply);
            }
            Some(came @ Place::Came(_)) => {
                places.by_run.insert(run, came);
            }
            None => places.keep(run, reply, Instant::now()),
        }
    }

    fn locked(&self) -> MutexGuard<'_, Places> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that waits for a run's reply.
#[derive(Debug)]
pub struct Waiting<'d> {
    desk: &'d AnswerDesk,
    run: RunId,
    receiver: oneshot::Receiver<Reply>,
}

impl Waiting<'_> {
    /// Returns the reply once it comes; `None` when it cannot come any more.
    pub async fn reply(&mut self) -> Option<Reply> {
        (&mut self.receiver).await.ok()
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut places = self.desk.locked();
        // What came after the last look is not kept for anyone else.
        places.by_run.remove(&self.run);
    }
}

impl Places {
    fn keep(&mut self, run: RunId, reply: Reply, now: Instant) {
        while let Some((at, oldest)) = self.unasked.front()
            && (now.saturating_duration_since(*at) > KEPT || self.unasked.len() >= UNASKED)
        {
            if let Some(Place::Came(_)) = self.by_run.get(oldest) {
                self.by_run.remove(oldest);
            }
            self.unasked.pop_front();
        }
        self.unasked.push_back((now, run));
        self.by_run.insert(run, Place::Came(reply));
    }
}

#[cfg(test)]
mod tests {
    use domain::RunId;
    use domain::run::RunState;
    use uuid::Uuid;

    use super::{AnswerDesk, Reply};

    #[tokio::test]
    async fn request_and_run_meet_whichever_comes_first() {
        let desk = AnswerDesk::default();
        let (early, late) = (RunId(Uuid::now_v7()), RunId(Uuid::now_v7()));
        desk.give(early, Reply::Ended(RunState::Succeeded));
        let reply = desk.wait(early).reply().await;
        assert_eq!(reply, Some(Reply::Ended(RunState::Succeeded)));
        let mut waiting = desk.wait(late);
        desk.give(late, Reply::Ended(RunState::Failed));
        assert_eq!(waiting.reply().await, Some(Reply::Ended(RunState::Failed)));
    }

    #[test]
    fn who_hangs_up_leaves_nothing_behind() {
        let desk = AnswerDesk::default();
        drop(desk.wait(RunId(Uuid::now_v7())));
        assert!(desk.locked().by_run.is_empty());
    }
}
