//! Whose turn it is.

use super::*;
use crate::review::turn::turns;
use Verdict::{Approve, Comment, Reject};

/// Asserts whose turn it is, why, and since when.
#[track_caller]
fn check(case: &Case, right: &[&str]) {
    let said: Vec<_> = turns(&case.facts, &case.scene)
        .into_iter()
        .map(|turn| format!("{} {} {}", turn.person.name, turn.why.title(), turn.since.0))
        .collect();
    assert_eq!(said, right);
}

#[test]
fn nobody_acts_without_a_review() {
    check(&Case::editing().asked(ADA, 41), &[]);
}

#[test]
fn whoever_was_asked_acts_until_there_is_an_answer_on_what_is_there_now() {
    let asked = || Case::in_review().asked(ADA, 41);
    check(&asked(), &["Ada was asked to review 41"]);
    check(&asked().now(ADA, Comment), &["Ada was asked to review 41"]);
    check(
        &asked().decided(ADA, Approve, 5),
        &["Ada decided on an earlier revision 70"],
    );
    check(
        &asked().now(ADA, Approve),
        &["Arno Author can publish it 75"],
    );
    let again = Case::in_review().now(ADA, Approve).asked(ADA, 80);
    check(
        &again,
        &[
            "Ada was asked to review 80",
            "Arno Author can publish it 75",
        ],
    );
    let others = asked().asked(BEN, 42).now(ADA, Approve);
    check(
        &others,
        &[
            "Ben was asked to review 42",
            "Arno Author can publish it 75",
        ],
    );
}

#[test]
fn a_reader_who_may_not_decide_answers_by_a_comment() {
    let asked = Case::in_review().asked(RIA, 41);
    check(&asked, &["Ria was asked to review 41"]);
    check(&asked.now(RIA, Comment), &[]);
}

#[test]
fn authors_and_those_who_left_are_not_waited_for() {
    check(&Case::in_review().asked(AUTHOR, 41).asked(GONE, 41), &[]);
}

#[test]
fn whoever_decided_unasked_looks_again_at_what_changed() {
    check(
        &Case::in_review().decided(BEN, Reject, 5),
        &["Ben decided on an earlier revision 70"],
    );
}

#[test]
fn owners_act_while_theirs_is_missing() {
    let owned = || Case::in_review().owned_by(&[ADA, AUTHOR, GONE]);
    check(&owned(), &["Ada owns what this changes 40"]);
    check(&owned().asked(ADA, 41), &["Ada was asked to review 41"]);
    check(
        &owned().now(ADA, Approve),
        &["Arno Author can publish it 75"],
    );
    check(
        &owned().now(BEN, Approve),
        &["Ada owns what this changes 40"],
    );
}

#[test]
fn authors_act_when_sent_back_asked_something_or_done() {
    let sent_back = Case::in_review().asked(ADA, 41).asked(BEN, 41);
    check(
        &sent_back.now(ADA, Reject),
        &["Arno Author has changes to make 75"],
    );
    check(
        &Case::in_review().thread(BEN, 62).thread(ADA, 61),
        &["Arno Author has comments to answer 61"],
    );
    check(&Case::in_review().thread(AUTHOR, 61), &[]);
    let approved = || Case::in_review().now(ADA, Approve);
    check(
        &approved().thread(AUTHOR, 61),
        &["Arno Author has checks to satisfy 75"],
    );
    check(
        &approved().with(|facts| facts.live = Some(4)),
        &["Arno Author has checks to satisfy 75"],
    );
    check(
        &approved().with(|facts| {
            facts.roles.insert(account(AUTHOR), Role::Reader);
        }),
        &[],
    );
}
