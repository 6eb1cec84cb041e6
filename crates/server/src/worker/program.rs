//! Compiled documents, kept for the runs to come. A document never changes under its hash, so
//! nothing here is ever out of date.

use std::sync::{Arc, Mutex, PoisonError};

use domain::DocumentHash;
use domain::Timestamp;
use engine::port::{Clock, SystemClock};
use engine::{Outcome, Program};
use hashlink::LruCache;
use store::{ClaimedRun, Store};

use super::{AGAIN_MS, failed};

/// Most steps of all kept programs together.
const STEPS: usize = 50_000;

/// A document, ready to run.
#[derive(Debug)]
pub(super) struct Loaded {
    /// Its program.
    pub(super) program: Arc<Program>,
    /// Whether a step of it answers a webhook.
    pub(super) responds: bool,
    steps: usize,
}

/// The programs that were used last.
#[derive(Debug, Default)]
pub(super) struct Programs(Mutex<Kept>);

#[derive(Debug)]
struct Kept {
    /// The one that was used longest ago first.
    by_hash: LruCache<DocumentHash, Arc<Loaded>>,
    steps: usize,
}

impl Default for Kept {
    fn default() -> Self {
        Self {
            // They are limited by their steps.
            by_hash: LruCache::new_unbounded(),
            steps: 0,
        }
    }
}

impl Programs {
    /// Returns the program of a run.
    ///
    /// # Errors
    /// How the run goes on instead: it failed, or waits a moment for the database.
    pub(super) async fn get(
        &self,
        store: &Store,
        claimed: &ClaimedRun,
    ) -> Result<Arc<Loaded>, Outcome> {
        if let Some(loaded) = self.locked().get(&claimed.hash) {
            return Ok(loaded);
        }
        let document = match store.document(claimed.organization, &claimed.hash).await {
            Ok(document) => document,
            Err(store::Error::Unavailable(error)) => {
                tracing::warn!(%error, "a document could not be read; its run waits");
                let until = Timestamp(SystemClock.now().0 + AGAIN_MS);
                return Err(Outcome::Waiting {
                    until,
                    records: Vec::new(),
                });
            }
            Err(error) => {
                return Err(failed(format!(
                    "The run's document cannot be read: {error}"
                )));
            }
        };
        let program = Program::compile(&document).map_err(|error| failed(error.to_string()))?;
        let loaded = Arc::new(Loaded {
            program: Arc::new(program),
            responds: document.responds(),
            steps: document.steps.len() + 1,
        });
        self.locked().keep(claimed.hash.clone(), loaded.clone());
        Ok(loaded)
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn get(&mut self, hash: &DocumentHash) -> Option<Arc<Loaded>> {
        self.by_hash.get(hash).cloned()
    }

    fn keep(&mut self, hash: DocumentHash, loaded: Arc<Loaded>) {
        self.steps += loaded.steps;
        if let Some(before) = self.by_hash.insert(hash, loaded) {
            self.steps -= before.steps;
        }
        while self.steps > STEPS
            && self.by_hash.len() > 1
            && let Some((_, dropped)) = self.by_hash.remove_lru()
        {
            self.steps -= dropped.steps;
        }
    }
}
