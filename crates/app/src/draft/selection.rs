//! What is selected in the builder: the trigger or steps.
//!
//! Several steps can be selected at once; one of them leads: the panel shows it, and the focus is
//! on its card. What is done to "the selection" is done to [`Selected::steps`]; the editor gives
//! them in the order of the document, without those inside others (`Editor::chosen`).

use std::collections::BTreeSet;

use domain::StepId;
use leptos::prelude::*;

use super::per_step::PerStep;

/// A thing that can be selected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Selection {
    /// The trigger (and the settings of the integration).
    Trigger,
    /// A step.
    Step(StepId),
}

impl Selection {
    pub(super) const fn step(self) -> Option<StepId> {
        match self {
            Selection::Trigger => None,
            Selection::Step(id) => Some(id),
        }
    }
}

/// What is selected now. A handle.
#[derive(Clone, Copy)]
pub(super) struct Selected {
    lead: RwSignal<Selection>,
    /// Every selected step, in the order of selecting; the leading one is among them, and none
    /// while the trigger is selected.
    all: RwSignal<Vec<StepId>>,
    /// Where a range that is selected with Shift begins.
    anchor: StoredValue<Selection>,
    /// Told of a step when it becomes selected or leads, and when that ends.
    steps: PerStep,
}

impl Selected {
    pub(super) fn new() -> Self {
        Self {
            lead: RwSignal::new(Selection::Trigger),
            all: RwSignal::new(Vec::new()),
            anchor: StoredValue::new(Selection::Trigger),
            steps: PerStep::new(),
        }
    }

    /// Returns what leads the selection; told when that changes.
    pub(super) fn get(self) -> Selection {
        self.lead.get()
    }

    /// Returns what leads the selection, without being told of changes.
    pub(super) fn get_untracked(self) -> Selection {
        self.lead.get_untracked()
    }

    /// Returns every selected step, in the order of selecting, without being told of changes.
    pub(super) fn steps_untracked(self) -> Vec<StepId> {
        self.all.get_untracked()
    }

    /// Returns how many steps are selected; told when that changes.
    pub(super) fn count(self) -> usize {
        self.all.with(Vec::len)
    }

    /// Returns whether a thing leads the selection; told when that becomes so and when it ends.
    pub(super) fn leads(self, what: Selection) -> bool {
        self.track(what);
        self.lead.get_untracked() == what
    }

    /// Returns whether a thing is selected, alone or with others; told when that becomes so and
    /// when it ends.
    pub(super) fn is(self, what: Selection) -> bool {
        self.track(what);
        self.holds(what)
    }

    /// Returns whether a thing is selected, without being told of changes.
    pub(super) fn holds(self, what: Selection) -> bool {
        match what {
            Selection::Trigger => self.lead.get_untracked() == what,
            Selection::Step(id) => self.all.with_untracked(|all| all.contains(&id)),
        }
    }

    /// Returns where a range that is selected with Shift begins.
    pub(super) fn anchor(self) -> Selection {
        self.anchor.get_value()
    }

    /// Selects a thing instead of all that was selected.
    pub(super) fn set(self, what: Selection) {
        self.anchor.set_value(what);
        self.change_to(what, what.step().into_iter().collect());
    }

    /// Selects some steps instead of all that was selected; the last of them leads. The anchor
    /// stays where it is. Without any, what leads is selected alone.
    pub(super) fn set_all(self, steps: Vec<StepId>) {
        match steps.last() {
            Some(last) => self.change_to(Selection::Step(*last), steps),
            None => self.set(self.get_untracked()),
        }
    }

    /// Adds a step to the selection, and lets it lead, or takes it out again. The last selected
    /// step stays.
    pub(super) fn toggle(self, id: StepId) {
        let mut all = self.steps_untracked();
        let before = all.len();
        all.retain(|step| *step != id);
        if all.len() == before {
            all.push(id);
        }
        if let Some(last) = all.last() {
            self.anchor.set_value(Selection::Step(*last));
            self.set_all(all);
        }
    }

    /// Forgets steps that are not there any more; when none is left, the trigger is selected.
    pub(super) fn retain(self, is_there: impl Fn(StepId) -> bool) {
        let mut all = self.steps_untracked();
        let before = all.len();
        all.retain(|id| is_there(*id));
        match (all.last(), self.get_untracked()) {
            _ if all.len() == before => {}
            (None, _) => self.set(Selection::Trigger),
            (Some(_), Selection::Step(lead)) if all.contains(&lead) => {
                self.change_to(Selection::Step(lead), all);
            }
            (Some(last), _) => {
                self.anchor.set_value(Selection::Step(*last));
                self.set_all(all);
            }
        }
    }

    fn track(self, what: Selection) {
        match what {
            Selection::Trigger => self.lead.track(),
            Selection::Step(id) => self.steps.track(id),
        }
    }

    fn change_to(self, lead: Selection, all: Vec<StepId>) {
        let led = self.lead.get_untracked();
        let before = self.steps_untracked();
        let mut told: BTreeSet<StepId> = BTreeSet::new();
        if led != lead {
            self.lead.set(lead);
            told.extend([led, lead].into_iter().filter_map(Selection::step));
        }
        if before != all {
            let was: BTreeSet<StepId> = before.into_iter().collect();
            let is: BTreeSet<StepId> = all.iter().copied().collect();
            told.extend(was.symmetric_difference(&is));
            self.all.set(all);
        }
        self.steps.tell(told);
    }
}
