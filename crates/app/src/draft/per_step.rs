//! Tells of changes step by step, so that what shows one step of a large document hears of that
//! step only.

use std::collections::HashMap;

use domain::StepId;
use leptos::prelude::*;
use leptos::reactive::signal::ArcTrigger;

/// One trigger for each step that anyone listens to. A handle.
#[derive(Clone, Copy)]
pub(super) struct PerStep(StoredValue<HashMap<StepId, ArcTrigger>>);

impl PerStep {
    pub(super) fn new() -> Self {
        Self(StoredValue::new(HashMap::new()))
    }

    /// Makes whatever runs now run again when something is told of this step.
    pub(super) fn track(self, id: StepId) {
        let trigger = self
            .0
            .try_update_value(|all| all.entry(id).or_default().clone());
        if let Some(trigger) = trigger {
            trigger.track();
        }
    }

    /// Tells of some steps.
    pub(super) fn tell(self, ids: impl IntoIterator<Item = StepId>) {
        let told = self.0.try_with_value(|all| {
            ids.into_iter()
                .filter_map(|id| all.get(&id).cloned())
                .collect::<Vec<_>>()
        });
        told.iter().flatten().for_each(Notify::notify);
    }

    /// Tells of all steps.
    pub(super) fn tell_all(self) {
        let told = self
            .0
            .try_with_value(|all| all.values().cloned().collect::<Vec<_>>());
        told.iter().flatten().for_each(Notify::notify);
    }
}
