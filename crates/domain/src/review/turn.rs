//! Whose turn it is in a review, and why (Gerrit calls it the attention set).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::check::{self, CheckState};
use super::{Asked, Decision, Facts, Person, Rule, Verdict};
use crate::draft::DraftState;
use crate::policy::{Act, allow};
use crate::{AccountId, Timestamp};

/// Someone who is to act next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Who.
    pub person: Person,
    /// Why.
    pub why: Why,
    /// Since when.
    pub since: Timestamp,
}

/// What someone is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Was asked and has not decided yet.
    Asked,
    /// Decided on something that has changed since.
    ChangedSince,
    /// Owns what the change touches, and has not approved it.
    Owner,
    /// An author of a draft that was sent back.
    SentBack,
    /// An author with comments to answer.
    Comments,
    /// An author of a draft that may be published.
    ReadyToPublish,
    /// An author of a draft that is approved but cannot be published yet.
    NotReady,
}

impl Why {
    /// Returns the reason as a person reads it.
    pub const fn title(self) -> &'static str {
        match self {
            Why::Asked => "was asked to review",
            Why::ChangedSince => "decided on an earlier revision",
            Why::Owner => "owns what this changes",
            Why::SentBack => "has changes to make",
            Why::Comments => "has comments to answer",
            Why::ReadyToPublish => "can publish it",
            Why::NotReady => "has checks to satisfy",
        }
    }
}

/// What decides whose turn it is, besides the facts.
#[derive(Clone, Debug)]
pub struct Scene {
    /// Who was asked by name.
    pub asked: Vec<Asked>,
    /// Everyone who edited the draft.
    pub authors: Vec<Person>,
    /// Of each thread that is not resolved: who said the last word, and when.
    pub last_words: Vec<(AccountId, Timestamp)>,
    /// When the review was asked for.
    pub created_at: Timestamp,
    /// When the draft was last saved.
    pub saved_at: Timestamp,
}

/// Returns who is to act next, reviewers first; nobody twice. Empty when no review is open.
pub fn turns(facts: &Facts, scene: &Scene) -> Vec<Turn> {
    let standing = check::standing(facts);
    let mut turns = Turns::default();
    match standing {
        DraftState::InReview | DraftState::Approved => {
            reviewers(facts, scene, standing, &mut turns);
        }
        DraftState::ChangesRequested => {}
        _ => return Vec::new(),
    }
    if let Some((why, since)) = of_authors(facts, scene, standing) {
        let able = scene.authors.iter().filter(|author| {
            let role = facts.roles.get(&author.account);
            role.is_some_and(|role| allow(*role, Act::EditDraft).is_ok())
        });
        able.for_each(|author| turns.add(author, why, since));
    }
    turns.in_order
}

/// Turns as they are found; the first reason to be found is the one that is told.
#[derive(Default)]
struct Turns {
    in_order: Vec<Turn>,
    known: BTreeSet<AccountId>,
}

impl Turns {
    fn add(&mut self, person: &Person, why: Why, since: Timestamp) {
        if self.known.insert(person.account) {
            let person = person.clone();
            self.in_order.push(Turn { person, why, since });
        }
    }
}

fn reviewers(facts: &Facts, scene: &Scene, standing: DraftState, turns: &mut Turns) {
    let latest = |account| {
        facts
            .latest()
            .into_iter()
            .rfind(|d| d.by.account == account)
    };
    for asked in &scene.asked {
        let account = asked.person.account;
        if asked.role.is_none() || facts.is_own_work(account) || has_answered(facts, asked) {
            continue;
        }
        match latest(account) {
            Some(decision) if !facts.is_fresh(decision) => {
                let since = scene.saved_at.max(asked.at);
                turns.add(&asked.person, Why::ChangedSince, since);
            }
            _ => turns.add(&asked.person, Why::Asked, asked.at),
        }
    }
    if standing == DraftState::Approved {
        return;
    }
    for decision in facts.latest() {
        if facts.may_decide(decision.by.account) && !facts.is_fresh(decision) {
            turns.add(&decision.by, Why::ChangedSince, scene.saved_at);
        }
    }
    for check in check::checks(facts) {
        if let (Rule::Owners { owners, .. }, CheckState::Unsatisfied { .. }) =
            (&check.rule, &check.state)
        {
            let able = owners
                .iter()
                .filter(|owner| facts.may_decide(owner.account));
            able.for_each(|owner| turns.add(owner, Why::Owner, scene.created_at));
        }
    }
}

/// Whether someone who was asked has said something since, about what is there now. Of whoever
/// may decide, only a decision is an answer.
fn has_answered(facts: &Facts, asked: &Asked) -> bool {
    let account = asked.person.account;
    let counts = |decision: &Decision| {
        decision.by.account == account
            && (decision.verdict != Verdict::Comment || !facts.may_decide(account))
    };
    let last = facts.decisions.iter().rfind(|decision| counts(decision));
    last.is_some_and(|decision| facts.is_fresh(decision) && decision.at >= asked.at)
}

fn of_authors(facts: &Facts, scene: &Scene, standing: DraftState) -> Option<(Why, Timestamp)> {
    if standing == DraftState::ChangesRequested {
        let since = facts.rejections().map(|decision| decision.at).min()?;
        return Some((Why::SentBack, since));
    }
    let asked = scene.last_words.iter();
    let asked = asked.filter(|(account, _)| !facts.authors.contains(account));
    if let Some(since) = asked.map(|(_, at)| *at).min() {
        return Some((Why::Comments, since));
    }
    if standing != DraftState::Approved {
        return None;
    }
    let since = facts.approvals().map(|decision| decision.at).max()?;
    let why = if check::may_publish(&check::checks(facts)) {
        Why::ReadyToPublish
    } else {
        Why::NotReady
    };
    Some((why, since))
}
