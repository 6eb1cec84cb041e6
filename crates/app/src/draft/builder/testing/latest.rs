//! The newest test of a draft, told step by step as it goes on.

use std::collections::HashMap;

use domain::StepId;
use domain::run::{RunDetail, RunSummary, StepRecord};
use leptos::prelude::*;

use crate::draft::per_step::PerStep;

/// The newest test. A handle.
#[derive(Clone, Copy)]
pub(super) struct Latest {
    detail: RwSignal<Option<RunDetail>>,
    /// Where the newest record of each step stands: that of its last round, in a loop.
    newest: StoredValue<HashMap<StepId, usize>>,
    /// Told of a step when its newest record changes.
    steps: PerStep,
}

impl Latest {
    pub(super) fn new() -> Self {
        Self {
            detail: RwSignal::new(None),
            newest: StoredValue::new(HashMap::new()),
            steps: PerStep::new(),
        }
    }

    /// Returns the test as a whole; told whenever it goes on.
    pub(super) fn detail(self) -> Option<RunDetail> {
        self.detail.get()
    }

    /// Reads the line of the test; told whenever it goes on.
    pub(super) fn summary<T>(self, read: impl FnOnce(&RunSummary) -> T) -> Option<T> {
        self.detail
            .with(|detail| detail.as_ref().map(|detail| read(&detail.summary)))
    }

    /// Returns whether nothing was tested yet; told whenever a test goes on.
    pub(super) fn is_none(self) -> bool {
        self.detail.with(Option::is_none)
    }

    /// Returns whether the builder is gone.
    pub(super) fn is_disposed(self) -> bool {
        self.detail.is_disposed()
    }

    /// Takes what is known of the newest test now.
    pub(super) fn set(self, detail: RunDetail) {
        let newest: HashMap<StepId, usize> = detail
            .records
            .iter()
            .enumerate()
            .map(|(at, record)| (record.path.step, at))
            .collect();
        let before = self.newest.get_value();
        let changed: Vec<StepId> = self.detail.with_untracked(|old| {
            let old = old.as_ref().map(|old| old.records.as_slice());
            let old = old.unwrap_or_default();
            let is_other = |id: &&StepId| {
                let was = before.get(*id).and_then(|at| old.get(*at));
                was != newest.get(*id).and_then(|at| detail.records.get(*at))
            };
            let ids = before.keys().filter(|id| !newest.contains_key(*id));
            let ids = ids.chain(newest.keys());
            ids.filter(is_other).copied().collect()
        });
        self.newest.set_value(newest);
        self.detail.set(Some(detail));
        self.steps.tell(changed);
    }

    /// Reads the newest record of a step; told when it changes.
    pub(super) fn record<T>(self, id: StepId, read: impl FnOnce(&StepRecord) -> T) -> Option<T> {
        self.steps.track(id);
        let at = self.newest.with_value(|newest| newest.get(&id).copied())?;
        self.detail
            .with_untracked(|detail| detail.as_ref()?.records.get(at).map(read))
    }
}
