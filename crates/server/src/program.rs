//! Compiled documents, kept for the runs to come. A document never changes under its hash, so
//! nothing here is ever out of date.

use std::sync::Arc;

use domain::run::RunState;
use domain::{Document, DocumentHash, OrganizationId};
use engine::port::{Clock, SystemClock};
use engine::{CompileError, Outcome, Program, Task};
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};
use serde_json::Value;
use store::{ClaimedRun, Store};

use crate::trace::Traced;

/// Which part of the memory that a process may take its programs take at most.
const PART: u64 = 32;
/// The least and the most that they may take, in bytes.
const BOUNDS: (u64, u64) = (32 * 1024 * 1024, 512 * 1024 * 1024);
/// The least that one part of the cache has room for, which is locked by itself: more than the largest
/// documents take that anybody writes.
const SHARD: u64 = 16 * 1024 * 1024;
/// What a program takes beside what its document has.
const EMPTY: usize = 512;
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
    /// Compiles a document whose JSON has so many bytes.
    fn of(document: &Document, bytes: usize) -> Result<Self, CompileError> {
        Ok(Self {
            program: Arc::new(Program::compile(document)?),
            responds: document.responds(),
            bytes: u64::try_from(taken(document, bytes)).unwrap_or(u64::MAX),
        })
    }

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
        let count = |of: u64| usize::try_from(bytes / of).unwrap_or(usize::MAX);
        let options = OptionsBuilder::new()
            .weight_capacity(bytes)
            .estimated_items_capacity(count(USUAL))
            .shards(count(SHARD))
            .build()
            .expect("all of them are given");
        Self(Cache::with_options(
            options,
            Bytes,
            DefaultHashBuilder::default(),
            DefaultLifecycle::default(),
        ))
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
        let loaded = Loaded::of(&document, bytes).map_err(|error| failed(error.to_string()))?;
        Ok(Arc::new(loaded))
    }
}

/// Returns about how much memory a program takes: its texts stand in the document as they stand in
/// it, and each value, however short it is written, takes as much as any.
fn taken(document: &Document, bytes: usize) -> usize {
    let steps = document.steps.values();
    let values: usize = steps.flat_map(|step| step.config.values()).map(count).sum();
    EMPTY + 2 * bytes + values * size_of::<Value>()
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(map) => map.values().map(count).sum(),
        _ => 0,
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use domain::{Document, DocumentHash};
    use serde_json::{Value, json};

    use super::{BOUNDS, Loaded, Programs};

    /// A document of one step with these values.
    fn document(values: &Value) -> Document {
        let step = "00000000-0000-7000-8000-000000000001";
        let document = json!({
            "schema": 1,
            "trigger": { "kind": "webhook" },
            "flow": [step],
            "steps": { step: {
                "id": step, "name": "Set", "slug": "set", "kind": "set",
                "config": { "values": values },
            } },
        });
        serde_json::from_value(document).expect("it is a document")
    }

    fn loaded(values: &Value) -> Arc<Loaded> {
        let document = document(values);
        let bytes = document.canonical().len();
        Arc::new(Loaded::of(&document, bytes).expect("it compiles"))
    }

    #[test]
    fn a_program_weighs_what_its_values_take_and_not_what_they_are_written_with() {
        let few = loaded(&json!({ "zeros": [0] })).bytes;
        let many = loaded(&json!({ "zeros": vec![0; 100_001] })).bytes;
        let each = u64::try_from(size_of::<Value>()).expect("it is small");
        assert!(few < 2_048, "{few}");
        assert!(many - few >= 100_000 * each, "{many}");
    }

    #[test]
    fn programs_stay_within_their_part_of_the_memory_and_large_ones_are_kept_too() {
        let (least, most) = BOUNDS;
        for (memory, part) in [(0, least), (64 * least, 2 * least), (u64::MAX, most)] {
            assert_eq!(Programs::within(memory).0.capacity(), part, "{memory}");
        }
        let programs = Programs::within(0);
        let large = json!({ "text": "x".repeat(2 * 1024 * 1024) });
        for number in 0..40 {
            let hash = DocumentHash(number.to_string());
            programs.0.insert(hash.clone(), loaded(&large));
            assert!(programs.0.weight() <= least, "{number}");
            assert!(programs.0.get(&hash).is_some(), "{number}");
        }
    }
}
