//! What an organization, or one integration, sets of the rules of review.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Person, Refusal};
use crate::connection::{of_step, of_trigger};
use crate::document::Step;
use crate::{ConnectionId, Document, IntegrationId, connector};

/// Most approvals that can be required.
pub const APPROVALS_MAX: u8 = 10;

/// The rules of review (`design/product.md`, "Review policy"). An integration has the
/// organization's, or its own instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// How many people must approve; 0 to [`APPROVALS_MAX`]. With 0, no review is needed to publish.
    pub approvals: u8,
    /// Whether people who edited a draft may approve it.
    pub authors_may_approve: bool,
    /// Whether an approval counts for the behaviour it was given on only.
    pub edits_make_stale: bool,
    /// Whether all threads must be resolved.
    pub threads_resolved: bool,
    /// Whether the exact revision must have passed a test as a whole.
    pub test_passed: bool,
    /// Whether Readers who were asked by name may decide.
    pub readers_decide: bool,
    /// Whether Collaborators, too, may publish without approval, with a reason.
    pub collaborators_override: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            approvals: 1,
            authors_may_approve: false,
            edits_make_stale: true,
            threads_resolved: true,
            test_passed: false,
            readers_decide: false,
            collaborators_override: false,
        }
    }
}

impl Policy {
    /// Checks a policy before it is kept.
    ///
    /// # Errors
    /// When a number is out of range.
    pub const fn check(&self) -> Result<(), Refusal> {
        if self.approvals > APPROVALS_MAX {
            Err(Refusal::TooManyApprovals)
        } else {
            Ok(())
        }
    }
}

/// What owners answer for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OwnerScope {
    /// Every change of one integration.
    Integration(IntegrationId),
    /// Every change that adds, deletes or modifies a step of this kind, in any integration.
    StepKind(String),
    /// Every change that adds, deletes or modifies a step that uses this connection before it or
    /// after it, in any integration.
    Connection(ConnectionId),
}

/// One of these people must be among those who approve, when the change touches the scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerRule {
    /// What they own.
    pub scope: OwnerScope,
    /// What people call it: the name of the integration or the connection, the title of the kind.
    pub name: String,
    /// Who; one approval of any of them is enough.
    pub owners: Vec<Person>,
}

/// The page on which Admins set the policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicySettings {
    /// What holds where nothing else is set.
    pub organization: Policy,
    /// What integrations have instead, with their names.
    pub integrations: Vec<IntegrationPolicy>,
    /// Who owns what.
    pub owners: Vec<OwnerRule>,
    /// Everyone who can own something.
    pub members: Vec<Person>,
}

/// One integration and its own policy, if it has one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntegrationPolicy {
    /// The integration.
    pub integration: IntegrationId,
    /// Its name.
    pub name: String,
    /// Its own policy; `None` where the organization's holds.
    pub policy: Option<Policy>,
}

/// What a change touches, by which the owners of it are found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// The kinds of the steps that it adds, deletes or modifies.
    pub kinds: BTreeSet<String>,
    /// The connections that these steps, or a trigger that it changes, use before it or after it.
    pub connections: BTreeSet<ConnectionId>,
}

impl Touched {
    /// Returns what the change from one document to another touches. A step that only stands
    /// elsewhere is not modified, nor one that other steps were put into.
    pub fn between(before: &Document, after: &Document) -> Self {
        let mut touched = Self::default();
        for (id, step) in &before.steps {
            match after.steps.get(id) {
                Some(later) if is_same(step, later) => {}
                Some(later) => {
                    touched.add(step);
                    touched.add(later);
                }
                None => touched.add(step),
            }
        }
        let triggers = [before, after].map(of_trigger);
        if before.trigger != after.trigger {
            touched.connections.extend(triggers.into_iter().flatten());
        }
        let added = after
            .steps
            .iter()
            .filter(|(id, _)| !before.steps.contains_key(id));
        added.for_each(|(_, step)| touched.add(step));
        touched
    }

    fn add(&mut self, step: &Step) {
        self.kinds.insert(step.kind.clone());
        // It sends a request like any other: who owns those owns this one.
        if step.kind == connector::STEP {
            self.kinds.insert("http.request".to_owned());
        }
        self.connections.extend(of_step(step));
    }
}

fn is_same(one: &Step, other: &Step) -> bool {
    let lanes = |step: &Step| -> Vec<_> {
        let lanes = step.lanes.iter();
        lanes
            .map(|lane| (lane.id, lane.name.clone(), lane.when.clone()))
            .collect()
    };
    let rest = |step: &Step| Step {
        lanes: Vec::new(),
        ..step.clone()
    };
    one == other || (rest(one) == rest(other) && lanes(one) == lanes(other))
}

impl OwnerScope {
    /// Returns whether a change of an integration that touches this is owned.
    pub fn is_touched(&self, integration: IntegrationId, touched: &Touched) -> bool {
        match self {
            OwnerScope::Integration(owned) => *owned == integration,
            OwnerScope::StepKind(kind) => touched.kinds.contains(kind),
            OwnerScope::Connection(id) => touched.connections.contains(id),
        }
    }
}
