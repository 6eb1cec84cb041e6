//! Who may say what.

use super::*;
use crate::review::decide::{
    Ownership, check_comment, check_override, check_ownership, check_resolve, check_text,
    check_verdict,
};

/// Asserts who may approve and reject; each word names a person.
#[track_caller]
fn deciders(case: &Case, right: &str) {
    for verdict in [Verdict::Approve, Verdict::Reject] {
        let able: Vec<_> = [AUTHOR, ADA, BEN, RIA]
            .into_iter()
            .filter(|number| {
                let role = case.facts.roles[&account(*number)];
                check_verdict(role, account(*number), verdict, &case.facts).is_ok()
            })
            .map(|number| NAMES[usize::try_from(number).expect("it is small")])
            .collect();
        assert_eq!(able.join(" "), right, "{verdict:?}");
    }
}

#[test]
fn authors_do_not_decide_on_their_own_work_unless_the_policy_allows_it() {
    deciders(&Case::in_review(), "Ada Ben");
    let lenient = Case::in_review().policy(|policy| policy.authors_may_approve = true);
    deciders(&lenient, "Arno Author Ada Ben");
    let facts = Case::in_review().facts;
    for verdict in [Verdict::Approve, Verdict::Reject] {
        let own = check_verdict(Role::Collaborator, account(AUTHOR), verdict, &facts);
        assert_eq!(own, Err(Refusal::OwnWork(verdict)));
    }
    let admin = check_verdict(Role::Admin, account(AUTHOR), Verdict::Approve, &facts);
    assert_eq!(
        admin,
        Err(Refusal::OwnWork(Verdict::Approve)),
        "no Admin either"
    );
}

#[test]
fn a_reader_decides_only_when_asked_by_name_and_the_policy_allows_it() {
    deciders(&Case::in_review().asked(RIA, 41), "Ada Ben");
    let allowed = || Case::in_review().policy(|policy| policy.readers_decide = true);
    deciders(&allowed(), "Ada Ben");
    deciders(&allowed().asked(RIA, 41), "Ada Ben Ria");
    let refused = check_verdict(
        Role::Reader,
        account(RIA),
        Verdict::Approve,
        &allowed().facts,
    );
    assert_eq!(refused, Err(Refusal::ReaderDecides));
}

#[test]
fn everyone_may_comment() {
    let facts = Case::in_review().facts;
    for role in Role::ALL {
        for number in [AUTHOR, ADA, RIA] {
            assert!(check_verdict(role, account(number), Verdict::Comment, &facts).is_ok());
        }
    }
}

#[test]
fn publishing_without_approval_needs_the_right_and_a_reason() {
    let policy = |collaborators_override| Policy {
        collaborators_override,
        ..Policy::default()
    };
    let may = |role, collaborators| check_override(role, &policy(collaborators), " It must. ");
    let yes = Ok("It must.".to_owned());
    let no = |collaborators| Err(Refusal::MayNotOverride { collaborators });
    assert_eq!(may(Role::Admin, false), yes);
    assert_eq!(may(Role::Admin, true), yes);
    assert_eq!(may(Role::Collaborator, false), no(false));
    assert_eq!(may(Role::Collaborator, true), yes);
    assert_eq!(may(Role::Reader, false), no(false));
    assert_eq!(may(Role::Reader, true), no(true));
    for empty in ["", " \n", "\0"] {
        let refused = check_override(Role::Admin, &policy(false), empty);
        assert_eq!(refused, Err(Refusal::ReasonMissing), "{empty:?}");
    }
}

#[test]
fn a_review_is_taken_back_by_whoever_asked_an_author_or_an_admin() {
    let facts = Case::in_review().facts;
    let check = |role, number| {
        let review = Ownership {
            created_by: account(BEN),
            facts: &facts,
        };
        check_ownership(role, account(number), review)
    };
    assert!(check(Role::Collaborator, BEN).is_ok());
    assert!(check(Role::Collaborator, AUTHOR).is_ok());
    assert!(check(Role::Admin, ADA).is_ok());
    assert_eq!(check(Role::Collaborator, ADA), Err(Refusal::NotYourReview));
}

#[test]
fn readers_resolve_what_they_started_and_only_authors_of_comments_change_them() {
    for role in [Role::Admin, Role::Collaborator] {
        assert!(check_resolve(role, account(ADA), account(BEN)).is_ok());
    }
    assert!(check_resolve(Role::Reader, account(RIA), account(RIA)).is_ok());
    let others = check_resolve(Role::Reader, account(RIA), account(BEN));
    assert_eq!(others, Err(Refusal::NotYourThread));
    assert!(check_comment(account(ADA), account(ADA)).is_ok());
    let others = check_comment(account(ADA), account(BEN));
    assert_eq!(others, Err(Refusal::NotYourComment));
}

#[test]
fn a_text_is_kept_without_what_a_database_cannot_hold() {
    assert_eq!(check_text(" a\0b\n"), Ok("ab".to_owned()));
    let longest = "ü".repeat(limit::TEXT);
    assert_eq!(check_text(&longest).as_deref(), Ok(&*longest));
    let longer = "ü".repeat(limit::TEXT + 1);
    assert_eq!(check_text(&longer), Err(Refusal::TextTooLong));
}
