//! What must be true before a draft is published, each rule with its state.
//!
//! Everything is computed from [`Facts`] that the deciding transaction read under the draft's
//! lock. An approval counts only when it still would be given: by someone who may decide now, on
//! what is there now.

mod state;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Decision, Fingerprint, OwnerRule, OwnerScope, Person, Policy, Verdict};
use crate::AccountId;
use crate::account::Role;
use crate::draft::DraftState;
use crate::policy::{Act, allow};

/// A rule of the policy, or of publishing itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// So many people approved what is there now.
    Approvals {
        /// How many are needed.
        need: u8,
        /// Who approved what is there now, and may.
        have: Vec<Person>,
    },
    /// Nobody who may decide wants changes to what is there now.
    NoRejection,
    /// An owner is among those who approved.
    Owners {
        /// What they own.
        scope: OwnerScope,
        /// Who they are.
        owners: Vec<Person>,
    },
    /// All threads are resolved.
    Threads,
    /// The exact revision passed a test as a whole.
    Test,
    /// The document has no problems. Nobody can override this.
    Problems,
    /// The draft started from what is live. Nobody can override this.
    UpToDate,
}

/// Whether a rule is met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckState {
    /// It is.
    Satisfied {
        /// By what, in a sentence.
        by: String,
    },
    /// It is not.
    Unsatisfied {
        /// What is missing and what would satisfy it, in a sentence.
        why: String,
    },
    /// It is not, and someone published all the same.
    Overridden {
        /// Who, and the reason that was given.
        why: String,
    },
    /// The policy does not ask for it, or the change does not touch it.
    NotApplicable {
        /// Why not, in a sentence.
        why: String,
    },
}

/// A rule with its state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The rule.
    pub rule: Rule,
    /// Its state.
    pub state: CheckState,
}

/// Everything that the rules look at, read in the transaction that decides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// What the organization or the integration has set.
    pub policy: Policy,
    /// The owner rules that the change touches.
    pub owners: Vec<OwnerRule>,
    /// Everyone who edited the draft.
    pub authors: BTreeSet<AccountId>,
    /// The roles now of all members; whoever left is not in it.
    pub roles: BTreeMap<AccountId, Role>,
    /// Who was asked by name.
    pub asked: BTreeSet<AccountId>,
    /// Whether there is an open review.
    pub in_review: bool,
    /// All verdicts of the review, oldest first.
    pub decisions: Vec<Decision>,
    /// The draft's revision now.
    pub revision: u32,
    /// The fingerprint of its document now.
    pub fingerprint: Fingerprint,
    /// How many threads are not resolved; those that only their authors see do not count.
    pub open_threads: u32,
    /// The newest revision that passed a test as a whole.
    pub tested: Option<u32>,
    /// How many problems the document has.
    pub problems: u32,
    /// The version that the draft started from.
    pub base: Option<u32>,
    /// The version that is live.
    pub live: Option<u32>,
}

impl Rule {
    /// Returns whether someone may publish although it is not met, with a reason.
    pub const fn can_be_overridden(&self) -> bool {
        !matches!(self, Rule::Problems | Rule::UpToDate)
    }

    /// Returns the name on screen.
    pub const fn title(&self) -> &'static str {
        match self {
            Rule::Approvals { .. } => "Approvals",
            Rule::NoRejection => "No changes requested",
            Rule::Owners { .. } => "Owners",
            Rule::Threads => "Threads resolved",
            Rule::Test => "Tested",
            Rule::Problems => "No problems",
            Rule::UpToDate => "Up to date with live",
        }
    }
}

impl Check {
    /// Returns whether it keeps the draft from being published.
    pub const fn is_unmet(&self) -> bool {
        matches!(self.state, CheckState::Unsatisfied { .. })
    }
}

impl Facts {
    /// Returns whether an account's approval or rejection counts, whatever it was given on.
    ///
    /// Never of someone who left; of a Reader only when asked by name and the policy allows it;
    /// of an author only when the policy allows it.
    pub fn may_decide(&self, account: AccountId) -> bool {
        let Some(role) = self.roles.get(&account) else {
            return false;
        };
        self.role_decides(*role, account) && !self.is_own_work(account)
    }

    /// Returns whether a role lets an account decide, authors aside.
    pub(super) fn role_decides(&self, role: Role, account: AccountId) -> bool {
        allow(role, Act::Decide).is_ok()
            || (self.policy.readers_decide && self.asked.contains(&account))
    }

    /// Returns whether the account edited the draft and so does not decide on it.
    pub(super) fn is_own_work(&self, account: AccountId) -> bool {
        !self.policy.authors_may_approve && self.authors.contains(&account)
    }

    /// Returns whether a verdict was given on what is there now, as far as the policy cares.
    pub fn is_fresh(&self, decision: &Decision) -> bool {
        !self.policy.edits_make_stale || decision.fingerprint == self.fingerprint
    }

    /// Returns each person's latest approval or rejection, oldest first.
    pub(super) fn latest(&self) -> Vec<&Decision> {
        let mut seen = BTreeSet::new();
        let mut latest: Vec<_> = self
            .decisions
            .iter()
            .rev()
            .filter(|decision| decision.verdict != Verdict::Comment)
            .filter(|decision| seen.insert(decision.by.account))
            .collect();
        latest.reverse();
        latest
    }

    /// Returns the verdicts that count: the latest of each person who may decide, given on what
    /// is there now.
    fn counted(&self, verdict: Verdict) -> impl Iterator<Item = &Decision> {
        self.latest().into_iter().filter(move |decision| {
            decision.verdict == verdict
                && self.may_decide(decision.by.account)
                && self.is_fresh(decision)
        })
    }

    /// Returns the approvals that count, oldest first.
    pub fn approvals(&self) -> impl Iterator<Item = &Decision> {
        self.counted(Verdict::Approve)
    }

    /// Returns the rejections that count, oldest first.
    pub fn rejections(&self) -> impl Iterator<Item = &Decision> {
        self.counted(Verdict::Reject)
    }
}

/// Returns every rule with its state: approvals, rejections, one rule for each owned thing that
/// the change touches, threads, test, problems, and whether live has moved.
pub fn checks(facts: &Facts) -> Vec<Check> {
    let mut checks = vec![state::approvals(facts), state::no_rejection(facts)];
    checks.extend(facts.owners.iter().map(|rule| state::owners(facts, rule)));
    checks.extend([
        state::threads(facts),
        state::test(facts),
        state::problems(facts),
        state::up_to_date(facts),
    ]);
    checks
}

/// Returns whether nothing keeps the draft from being published.
pub fn may_publish(checks: &[Check]) -> bool {
    !checks.iter().any(Check::is_unmet)
}

/// Returns whether someone may publish with a reason although not all is met.
pub fn may_override(checks: &[Check]) -> bool {
    let mut unmet = checks.iter().filter(|check| check.is_unmet());
    unmet.all(|check| check.rule.can_be_overridden())
}

/// Returns the checks as they are when someone publishes all the same: what was not met and can
/// be overridden is, by whom and for which reason.
pub fn overridden(checks: Vec<Check>, by: &Person, reason: &str) -> Vec<Check> {
    let overridden = |mut check: Check| {
        if check.is_unmet() && check.rule.can_be_overridden() {
            let why = format!("{} published all the same: {reason}", by.name);
            check.state = CheckState::Overridden { why };
        }
        check
    };
    checks.into_iter().map(overridden).collect()
}

/// Returns where an open draft stands by what was decided: sent back when a rejection counts,
/// approved when someone approved and neither an approval nor an owner is missing.
pub fn standing(facts: &Facts) -> DraftState {
    if !facts.in_review {
        return DraftState::Editing;
    }
    if facts.rejections().next().is_some() {
        return DraftState::ChangesRequested;
    }
    let decided = |check: &Check| {
        matches!(check.rule, Rule::Approvals { .. } | Rule::Owners { .. }) && check.is_unmet()
    };
    // Where the policy asks for no approval, a review is approved by the first that is given.
    let approved = facts.approvals().next().is_some();
    if approved && !checks(facts).iter().any(decided) {
        DraftState::Approved
    } else {
        DraftState::InReview
    }
}
