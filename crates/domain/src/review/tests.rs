//! A draft under review by people with names, and tables of what the rules say of it.

mod check;
mod decide;
mod fingerprint;
mod policy;
mod thread;
mod turn;

use std::collections::BTreeSet;

use uuid::Uuid;

use super::turn::Scene;
use super::*;

/// An author and Collaborator.
const AUTHOR: u128 = 1;
/// An Admin who did not write the draft.
const ADA: u128 = 2;
/// A Collaborator who did not write the draft.
const BEN: u128 = 3;
/// A Reader.
const RIA: u128 = 4;
/// Someone who was a member.
const GONE: u128 = 5;

const NAMES: [&str; 6] = ["", "Arno Author", "Ada", "Ben", "Ria", "Gone"];

fn account(number: u128) -> AccountId {
    AccountId(Uuid::from_u128(number))
}

fn person(number: u128) -> Person {
    Person {
        account: account(number),
        name: NAMES[usize::try_from(number).expect("it is small")].to_owned(),
    }
}

fn at(number: i64) -> Timestamp {
    Timestamp(number)
}

/// Facts and scene of a draft at revision 7 with content `b`, which was `a` on revision 5. Things
/// happen at the time of their revision, times ten.
struct Case {
    facts: Facts,
    scene: Scene,
}

impl Case {
    /// Returns a draft without a review, with everything in order.
    fn editing() -> Self {
        let roles = [
            (AUTHOR, Role::Collaborator),
            (ADA, Role::Admin),
            (BEN, Role::Collaborator),
            (RIA, Role::Reader),
        ];
        let facts = Facts {
            policy: Policy::default(),
            owners: Vec::new(),
            authors: BTreeSet::from([account(AUTHOR)]),
            roles: roles.map(|(number, role)| (account(number), role)).into(),
            asked: BTreeSet::new(),
            in_review: false,
            decisions: Vec::new(),
            revision: 7,
            fingerprint: Fingerprint("b".to_owned()),
            open_threads: 0,
            tested: None,
            problems: 0,
            base: Some(3),
            live: Some(3),
        };
        let scene = Scene {
            asked: Vec::new(),
            authors: vec![person(AUTHOR)],
            last_words: Vec::new(),
            created_at: at(40),
            saved_at: at(70),
        };
        Self { facts, scene }
    }

    /// Returns the same with a review.
    fn in_review() -> Self {
        Self::editing().with(|facts| facts.in_review = true)
    }

    fn with(mut self, change: impl FnOnce(&mut Facts)) -> Self {
        change(&mut self.facts);
        self
    }

    fn policy(self, change: impl FnOnce(&mut Policy)) -> Self {
        self.with(|facts| change(&mut facts.policy))
    }

    /// Asks someone at a time.
    fn asked(mut self, number: u128, when: i64) -> Self {
        self.facts.asked.insert(account(number));
        self.scene.asked.push(Asked {
            person: person(number),
            role: self.facts.roles.get(&account(number)).copied(),
            at: at(when),
        });
        self
    }

    /// Gives a verdict on what is there now.
    fn now(self, number: u128, verdict: Verdict) -> Self {
        self.decided(number, verdict, 7)
    }

    /// Gives a verdict on a revision.
    fn decided(mut self, number: u128, verdict: Verdict, revision: u32) -> Self {
        let content = if revision >= 7 { "b" } else { "a" };
        self.facts.decisions.push(Decision {
            id: DecisionId(Uuid::nil()),
            by: person(number),
            verdict,
            message: String::new(),
            revision,
            fingerprint: Fingerprint(content.to_owned()),
            at: at(i64::from(revision) * 10 + 5),
        });
        self
    }

    fn owned_by(self, owners: &[u128]) -> Self {
        let rule = OwnerRule {
            scope: OwnerScope::StepKind("http.request".to_owned()),
            name: "HTTP request".to_owned(),
            owners: owners.iter().map(|number| person(*number)).collect(),
        };
        self.with(|facts| facts.owners.push(rule))
    }

    /// Opens a thread in which someone said the last word at a time.
    fn thread(mut self, number: u128, when: i64) -> Self {
        self.facts.open_threads += 1;
        self.scene.last_words.push((account(number), at(when)));
        self
    }
}

#[test]
fn every_key_gives_back_what_it_stands_for() {
    for state in ReviewState::ALL {
        assert_eq!(ReviewState::from_key(state.key()), Some(state));
    }
    for verdict in Verdict::ALL {
        assert_eq!(Verdict::from_key(verdict.key()), Some(verdict));
    }
    for happening in Happening::ALL {
        assert_eq!(Happening::from_key(happening.key()), Some(happening));
    }
}
