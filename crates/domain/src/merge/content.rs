//! Merges what a step, a lane, the trigger and the settings say, field by field.

use std::collections::BTreeSet;

use super::conflict::{Choice, Decisions, json};
use super::fields::{Fields, Owner, is_same_map};
use super::index::List;
use super::key::{ConflictKey, LanePart, StepPart};
use super::names::Names;
use super::text;
use super::three::{Three, Versions};
use crate::connector::{self, Declared};
use crate::document::{ErrorPolicy, Lane, ListRef, Settings, Step, Trigger};
use crate::schema::Schema;
use crate::{Document, LaneId, StepId};

/// Merges the content of one thing after the other.
pub(super) struct Content<'m, 'c> {
    pub(super) names: &'m Names<'m>,
    pub(super) decisions: &'m mut Decisions<'c>,
}

/// Returns whether two steps say something different, apart from what is inside their lanes and
/// what the lanes say. Lanes that only one of them has are no difference.
pub(super) fn differs(before: &Step, now: &Step) -> bool {
    !is_same(before, now) || is_reordered(&before.lanes, &now.lanes)
}

fn is_reordered(before: &[Lane], now: &[Lane]) -> bool {
    let ids = |lanes: &[Lane]| lanes.iter().map(|lane| lane.id).collect::<Vec<_>>();
    let (before, now) = (ids(before), ids(now));
    if before == now {
        return false;
    }
    let known = |ids: &[LaneId]| ids.iter().copied().collect::<BTreeSet<_>>();
    let (in_before, in_now) = (known(&before), known(&now));
    let before = before.iter().filter(|id| in_now.contains(id));
    !before.eq(now.iter().filter(|id| in_before.contains(id)))
}

/// Returns whether two steps say the same, their lanes left aside.
pub(super) fn is_same(one: &Step, other: &Step) -> bool {
    std::ptr::eq(one, other)
        || one.kind == other.kind
            && one.action == other.action
            && one.on_error == other.on_error
            && one.name == other.name
            && one.slug == other.slug
            && one.notes == other.notes
            && is_same_map(&one.config, &other.config)
}

/// Returns a copy of a step with other lanes.
fn with_lanes(step: &Step, lanes: Vec<Lane>) -> Step {
    Step {
        id: step.id,
        name: step.name.clone(),
        slug: step.slug.clone(),
        kind: step.kind.clone(),
        action: step.action.clone(),
        config: step.config.clone(),
        on_error: step.on_error,
        notes: step.notes.clone(),
        lanes,
    }
}

impl<'c> Content<'_, 'c> {
    /// Merges a step, if any side that is merged has it; its lanes are merged already, its slug
    /// elsewhere.
    pub(super) fn merged(
        &mut self,
        sides: &Three<Option<&Step>>,
        lanes: Vec<Lane>,
    ) -> Option<Step> {
        match Versions::of(sides) {
            Some(steps) => Some(self.step(steps, lanes)),
            None => sides
                .ours
                .or(sides.theirs)
                .map(|step| with_lanes(step, lanes)),
        }
    }

    fn step(&mut self, steps: Versions<'_, Step>, lanes: Vec<Lane>) -> Step {
        if let Some(step) = steps.merged_by(is_same) {
            return with_lanes(step, lanes);
        }
        let step = steps.ours.id;
        let key = |part| move || ConflictKey::Step { step, part };
        let mut declared = [steps.ours, steps.theirs].into_iter();
        let declared = declared.find_map(|step| Some(&step.action.as_ref()?.action().input));
        let merged = self.fields(Owner::Step(step), declared).merged(
            steps.base.map(|step| (step.kind.as_str(), &step.config)),
            (&steps.ours.kind, &steps.ours.config),
            (&steps.theirs.kind, &steps.theirs.config),
        );
        let action = self.action(key(StepPart::Action), &merged.kind, &steps);
        let policy = steps.part(|step| &step.on_error);
        let (retries, then) = (policy.part(|p| &p.retries), policy.part(|p| &p.then));
        let decisions = &mut *self.decisions;
        Step {
            id: step,
            name: decisions.plain(key(StepPart::Name), steps.part(|step| &step.name), |_| true),
            slug: steps.ours.slug.clone(),
            kind: merged.kind,
            action,
            config: merged.config,
            on_error: ErrorPolicy {
                retries: decisions.plain(key(StepPart::Retries), retries, |_| true),
                then: decisions.plain(key(StepPart::Then), then, |_| true),
            },
            notes: self.notes(key(StepPart::Notes), steps.part(|step| &step.notes)),
            lanes,
        }
    }

    /// Merges what a connector declares of the action, which belongs to the kind: another kind has
    /// none, and a step that is of a connector on one side only has that side's.
    fn action(
        &mut self,
        key: impl FnOnce() -> ConflictKey,
        kind: &str,
        steps: &Versions<'_, Step>,
    ) -> Option<Declared> {
        if kind != connector::STEP {
            return None;
        }
        let is_one = |step: &Step| step.kind == connector::STEP;
        let actions = steps.part(|step| &step.action);
        match (is_one(steps.ours), is_one(steps.theirs)) {
            (true, true) => self.decisions.plain(key, actions, Option::is_some),
            (true, false) => actions.ours.clone(),
            (false, _) => actions.theirs.clone(),
        }
    }

    fn notes(&mut self, key: impl FnOnce() -> ConflictKey, notes: Versions<'_, String>) -> String {
        let is_changed_by_both = notes.merged_by(String::eq).is_none();
        let base = notes.base.filter(|_| is_changed_by_both);
        base.and_then(|base| text::merged(base, notes.ours, notes.theirs))
            .unwrap_or_else(|| self.decisions.plain(key, notes, |_| true))
    }

    /// Merges what a lane says, if any side that is merged has it.
    pub(super) fn lane(&mut self, list: &List<'_>, steps: Vec<StepId>) -> Option<Lane> {
        let ListRef::Lane(step, lane) = list.name else {
            return None;
        };
        let Some(lanes) = Versions::of(&list.lanes) else {
            let lane = list.lanes.ours.or(list.lanes.theirs)?;
            let (name, when) = (lane.name.clone(), lane.when.clone());
            return Some(Lane {
                id: lane.id,
                name,
                when,
                steps,
            });
        };
        let key = |part| move || ConflictKey::lane(step, lane, part);
        let names = lanes.part(|lane| &lane.name);
        Some(Lane {
            id: lane,
            name: self.decisions.plain(key(LanePart::Name), names, |_| true),
            when: self.when(key(LanePart::When), lanes.part(|lane| &lane.when)),
            steps,
        })
    }

    fn when(
        &mut self,
        key: impl FnOnce() -> ConflictKey,
        whens: Versions<'_, Option<String>>,
    ) -> Option<String> {
        if let Some(when) = whens.merged_by(Option::eq) {
            return when.clone();
        }
        let Versions { base, ours, theirs } = whens;
        let fit = |choice: &Choice| match choice {
            Choice::Ours => Some(ours.clone()),
            Choice::Theirs => Some(theirs.clone()),
            Choice::Base => base.cloned(),
            Choice::Value(value) => serde_json::from_value(value.clone()).ok(),
        };
        let names = self.names;
        let shown = |when: &Option<String>| Some(json(&names.condition(when.as_deref()?)));
        self.decisions.decide(key(), ours.clone(), fit, || Three {
            base: base.and_then(shown),
            ours: shown(ours),
            theirs: shown(theirs),
        })
    }

    /// Merges the trigger.
    pub(super) fn trigger(&mut self, triggers: Versions<'_, Trigger>) -> Trigger {
        self.names.trigger(match triggers.merged_by(Trigger::eq) {
            Some(trigger) => trigger.clone(),
            None => self.fields(Owner::Trigger, None).merged(
                triggers.base.map(|base| (base.kind.as_str(), &base.config)),
                (&triggers.ours.kind, &triggers.ours.config),
                (&triggers.theirs.kind, &triggers.theirs.config),
            ),
        })
    }

    /// Merges the settings.
    pub(super) fn settings(&mut self, documents: Versions<'_, Document>) -> Settings {
        let limits = documents.part(|document| &document.settings.time_limit_seconds);
        let key = || ConflictKey::TimeLimit;
        Settings {
            time_limit_seconds: self.decisions.plain(key, limits, |_| true),
        }
    }

    fn fields<'f>(&'f mut self, owner: Owner, declared: Option<&'f Schema>) -> Fields<'f, 'c> {
        Fields {
            owner,
            declared,
            names: self.names,
            decisions: self.decisions,
        }
    }
}
