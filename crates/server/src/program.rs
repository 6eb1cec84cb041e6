//! Compiled documents, kept for the runs to come. A document never changes under its hash, so
//! nothing here is ever out of date.

use std::sync::Arc;

use domain::run::RunState;
use domain::{DocumentHash, OrganizationId};
use engine::port::{Clock, SystemClock};
use engine::{Outcome, Program, Task};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use store::{ClaimedRun, Store};

use crate::trace::Traced;

/// Which part of the memory that a process may take its programs take at most.
const PART: u64 = 32;
/// The least and the most that they may take, in bytes.
const BOUNDS: (u64, u64) = (32 * 1024 * 1024, 512 * 1024 * 1024);
/// What a small program takes: about two bytes for each of its document's, and this.
const SMALL: u64 = 512;
/// What one of a few steps takes.
const USUAL: u64 = 4 * 1024;

/// A document, ready to run.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// Its program.
    pub(crate) program: Arc<Program>,
    /// Whether a step of it answers a webhook.
    pub(crate) responds: bool,
    /// What it takes in memory, about.
    bytes: u64,
}

impl Loaded {
    /// Returns what is to be executed of a claimed run.
    pub(crate) fn task(&self, claimed: ClaimedRun, traced: Option<&Traced>) -> Task {
        Task {
            lease: claimed.lease,
            program: self.program.clone(),
            payload: claimed.payload,
            created_at: claimed.created_at,
            resumed_at: claimed.resumed_at,
            is_test: claimed.is_test,
            is_taken_over: claimed.is_taken_over,
            scope: claimed.scope,
            history: claimed.history,
            returned: claimed.returned,
            network: claimed.network,
            trace: traced.map(|traced| traced.trace.clone()),
            within: None,
        }
    }
}

/// The programs of documents that are run again and again. Which is given up for another is not
/// decided by its last use alone: of more integrations than fit, called in turn, a part stays.
#[derive(Debug)]
pub(crate) struct Programs(Cache<DocumentHash, Arc<Loaded>, Bytes>);

/// What a program takes of the memory that there is for all.
#[derive(Clone, Debug)]
struct Bytes;

impl Weighter<DocumentHash, Arc<Loaded>> for Bytes {
    fn weight(&self, _: &DocumentHash, loaded: &Arc<Loaded>) -> u64 {
        loaded.bytes
    }
}

impl Programs {
    /// Returns none yet. They take a part of the bytes of memory that this process may take.
    pub(crate) fn within(memory: u64) -> Self {
        let (least, most) = BOUNDS;
        let bytes = (memory / PART).clamp(least, most);
        let usual = usize::try_from(bytes / USUAL).unwrap_or(usize::MAX);
        Self(Cache::with_weighter(usual, bytes, Bytes))
    }

    /// Returns the program of a document.
    ///
    /// # Errors
    /// How a run of it goes on instead: it failed, or waits a moment for the database.
    pub(crate) async fn get(
        &self,
        store: &Store,
        organization: OrganizationId,
        hash: &DocumentHash,
    ) -> Result<Arc<Loaded>, Outcome> {
        if let Some(loaded) = self.0.get(hash) {
            return Ok(loaded);
        }
        let loaded = Self::load(store, organization, hash).await?;
        self.0.insert(hash.clone(), loaded.clone());
        Ok(loaded)
    }

    /// Returns the program of a document, as [`Programs::get`]: of many that ask at once for one
    /// that is not kept, one reads it, and the others wait for as long as that takes.
    pub(crate) async fn get_with_others(
        &self,
        store: &Store,
        organization: OrganizationId,
        hash: &DocumentHash,
    ) -> Result<Arc<Loaded>, Outcome> {
        let load = Self::load(store, organization, hash);
        self.0.get_or_insert_async(hash, load).await
    }

    async fn load(
        store: &Store,
        organization: OrganizationId,
        hash: &DocumentHash,
    ) -> Result<Arc<Loaded>, Outcome> {
        let (document, bytes) = match store.document(organization, hash).await {
            Ok(stored) => (stored.document, stored.bytes),
            Err(store::Error::Unavailable(error)) => {
                tracing::warn!(%error, "a document could not be read; its run waits");
                return Err(Outcome::again(SystemClock.now(), Vec::new()));
            }
            Err(error) => {
                return Err(failed(format!(
                    "The run's document cannot be read: {error}"
                )));
            }
        };
        let program = Program::compile(&document).map_err(|error| failed(error.to_string()))?;
        Ok(Arc::new(Loaded {
            program: Arc::new(program),
            responds: document.responds(),
            bytes: SMALL.saturating_add(2 * u64::try_from(bytes).unwrap_or(u64::MAX / 2)),
        }))
    }
}

/// Returns how a run ends of which nothing could be executed, or not to its end.
pub(crate) fn failed(error: String) -> Outcome {
    Outcome::Finished {
        state: RunState::Failed,
        error: Some(error),
        records: Vec::new(),
    }
}
