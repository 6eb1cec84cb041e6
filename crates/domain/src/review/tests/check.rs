//! Which rules are met, and what their sentences say.

use super::*;
use crate::review::check::{checks, may_override, may_publish, overridden, standing};
use DraftState::{Approved, ChangesRequested, Editing, InReview};
use Verdict::{Approve, Comment, Reject};

/// Returns one line for each rule: `+` met, `-` not, `~` overridden, `o` not applicable.
fn said(checks: &[Check]) -> Vec<String> {
    let line = |check: &Check| {
        let (sign, sentence) = match &check.state {
            CheckState::Satisfied { by } => ('+', by),
            CheckState::Unsatisfied { why } => ('-', why),
            CheckState::Overridden { why } => ('~', why),
            CheckState::NotApplicable { why } => ('o', why),
        };
        format!("{sign} {}: {sentence}", check.rule.title())
    };
    checks.iter().map(line).collect()
}

/// Asserts the line of one rule and where the draft stands.
#[track_caller]
fn check(case: Case, state: DraftState, line: &str) {
    let said = said(&checks(&case.facts));
    assert!(said.iter().any(|found| found == line), "{said:#?}");
    assert_eq!(standing(&case.facts), state);
}

#[test]
fn each_rule_stands_in_its_place() {
    let case = Case::in_review().owned_by(&[ADA]).owned_by(&[BEN]);
    let titles: Vec<_> = checks(&case.facts)
        .iter()
        .map(|check| check.rule.title())
        .collect();
    let right = [
        "Approvals",
        "No changes requested",
        "Owners",
        "Owners",
        "Threads resolved",
        "Tested",
        "No problems",
        "Up to date with live",
    ];
    assert_eq!(titles, right);
}

#[test]
fn an_approval_counts_when_its_giver_may_decide_on_what_is_there_now() {
    let approved = |number| Case::in_review().now(number, Approve);
    check(
        Case::in_review(),
        InReview,
        "- Approvals: 1 approval of someone who may decide is missing.",
    );
    check(
        approved(ADA),
        Approved,
        "+ Approvals: Ada approved what is there now.",
    );
    check(
        approved(BEN),
        Approved,
        "+ Approvals: Ben approved what is there now.",
    );
    check(
        approved(AUTHOR),
        InReview,
        "- Approvals: 1 approval of someone who may decide is missing. Arno Author approved revision 7 but edited the draft, and authors do not approve their own work.",
    );
    check(
        approved(GONE),
        InReview,
        "- Approvals: 1 approval of someone who may decide is missing. Gone approved revision 7 but is not a member any more.",
    );
    check(
        Case::in_review().decided(ADA, Approve, 5),
        InReview,
        "- Approvals: 1 approval of someone who may decide is missing. Ada approved revision 5; the draft changed since.",
    );
    check(
        Case::in_review()
            .decided(ADA, Approve, 5)
            .policy(|policy| policy.edits_make_stale = false),
        Approved,
        "+ Approvals: Ada approved what is there now.",
    );
    check(
        approved(AUTHOR).policy(|policy| policy.authors_may_approve = true),
        Approved,
        "+ Approvals: Arno Author approved what is there now.",
    );
    check(
        approved(ADA).policy(|policy| policy.approvals = 3),
        InReview,
        "- Approvals: 2 more approvals of someone who may decide are missing.",
    );
    check(
        approved(ADA)
            .now(BEN, Approve)
            .policy(|policy| policy.approvals = 2),
        Approved,
        "+ Approvals: Ada and Ben approved what is there now.",
    );
    check(
        approved(ADA)
            .now(ADA, Approve)
            .policy(|policy| policy.approvals = 2),
        InReview,
        "- Approvals: 1 more approval of someone who may decide is missing.",
    );
}

#[test]
fn a_readers_approval_counts_only_when_asked_by_name_and_the_policy_allows_it() {
    for (asked, allowed, state) in [
        (false, false, InReview),
        (true, false, InReview),
        (false, true, InReview),
        (true, true, Approved),
    ] {
        let mut case = Case::in_review().now(RIA, Approve);
        if asked {
            case = case.asked(RIA, 41);
        }
        let case = case.policy(|policy| policy.readers_decide = allowed);
        assert_eq!(standing(&case.facts), state, "{asked} {allowed}");
    }
}

#[test]
fn the_last_decision_of_each_person_is_the_one_that_counts() {
    let rejected = Case::in_review().now(ADA, Approve).now(ADA, Reject);
    check(
        rejected,
        ChangesRequested,
        "- No changes requested: Ada asked for changes. Make them, or ask again.",
    );
    let approved = Case::in_review().now(ADA, Reject).now(ADA, Approve);
    assert_eq!(standing(&approved.facts), Approved);
    let commented = Case::in_review().now(ADA, Approve).now(ADA, Comment);
    assert_eq!(
        standing(&commented.facts),
        Approved,
        "a comment takes nothing back"
    );
}

#[test]
fn a_rejection_holds_a_draft_back_until_it_changes() {
    let by_another = Case::in_review().now(ADA, Approve).now(BEN, Reject);
    assert_eq!(standing(&by_another.facts), ChangesRequested);
    check(
        Case::in_review().decided(BEN, Reject, 5),
        InReview,
        "+ No changes requested: Ben asked for changes on revision 5; the draft changed since.",
    );
    for number in [AUTHOR, RIA, GONE] {
        let powerless = Case::in_review().now(ADA, Approve).now(number, Reject);
        assert_eq!(standing(&powerless.facts), Approved, "{number}");
    }
}

#[test]
fn without_a_review_only_what_the_policy_asks_for_is_missing() {
    check(
        Case::editing(),
        Editing,
        "- Approvals: 1 approval is needed. Ask for a review.",
    );
    check(
        Case::editing(),
        Editing,
        "o No changes requested: There is no review.",
    );
    let free = Case::editing().policy(|policy| policy.approvals = 0);
    check(
        free,
        Editing,
        "o Approvals: The review policy asks for no approval.",
    );
    let free = Case::editing().policy(|policy| policy.approvals = 0);
    assert!(may_publish(&checks(&free.facts)));
}

#[test]
fn where_no_approval_is_asked_for_a_review_is_approved_by_the_first_one() {
    let free = || Case::in_review().policy(|policy| policy.approvals = 0);
    assert_eq!(standing(&free().facts), InReview);
    assert_eq!(standing(&free().now(ADA, Approve).facts), Approved);
    let rejected = free().now(ADA, Reject);
    assert_eq!(standing(&rejected.facts), ChangesRequested);
    assert!(!may_publish(&checks(&rejected.facts)));
}

#[test]
fn one_owner_of_each_owned_thing_is_among_those_who_approve() {
    check(
        Case::in_review().owned_by(&[ADA, BEN]),
        InReview,
        "- Owners: The approval of Ada or Ben is missing, who owns steps “HTTP request”.",
    );
    check(
        Case::in_review().owned_by(&[ADA]).now(BEN, Approve),
        InReview,
        "- Owners: The approval of Ada is missing, who owns steps “HTTP request”.",
    );
    check(
        Case::in_review().owned_by(&[ADA, BEN]).now(BEN, Approve),
        Approved,
        "+ Owners: Ben approved, who owns steps “HTTP request”.",
    );
    check(
        Case::editing().owned_by(&[ADA]),
        Editing,
        "- Owners: The approval of Ada is missing, who owns steps “HTTP request”. Ask for a review.",
    );
    for owners in [&[AUTHOR][..], &[GONE], &[AUTHOR, GONE, RIA]] {
        check(
            Case::in_review().owned_by(owners).now(ADA, Approve),
            InReview,
            "- Owners: Nobody who owns steps “HTTP request” can approve this draft: they edited it, or may not decide. An Admin can name other owners.",
        );
    }
}

#[test]
fn threads_and_tests_count_as_the_policy_says() {
    let approved = || Case::in_review().now(ADA, Approve);
    check(
        approved(),
        Approved,
        "+ Threads resolved: No thread is open.",
    );
    check(
        approved().thread(BEN, 60).thread(BEN, 61),
        Approved,
        "- Threads resolved: Resolve 2 threads first.",
    );
    check(
        approved()
            .thread(BEN, 60)
            .policy(|policy| policy.threads_resolved = false),
        Approved,
        "o Threads resolved: 1 thread open; the review policy does not ask that threads are resolved.",
    );
    check(
        approved(),
        Approved,
        "o Tested: The review policy asks for no test.",
    );
    let tested = |revision: Option<u32>| {
        approved()
            .policy(|policy| policy.test_passed = true)
            .with(|facts| facts.tested = revision)
    };
    check(
        tested(None),
        Approved,
        "- Tested: No revision passed a test. Test the draft as a whole.",
    );
    check(
        tested(Some(6)),
        Approved,
        "- Tested: Revision 6 passed a test, but the draft is at revision 7. Test it again as a whole.",
    );
    check(
        tested(Some(7)),
        Approved,
        "+ Tested: Revision 7 passed a test as a whole.",
    );
}

#[test]
fn a_draft_with_problems_or_behind_live_is_published_by_nobody() {
    let approved = || Case::in_review().now(ADA, Approve);
    let broken = || approved().with(|facts| facts.problems = 2);
    check(
        broken(),
        Approved,
        "- No problems: The draft has 2 problems. Mend them in the builder.",
    );
    let behind = || approved().with(|facts| facts.live = Some(4));
    check(
        behind(),
        Approved,
        "- Up to date with live: Version 4 is live, but the draft started from version 3. Bring it up to date.",
    );
    check(
        approved().with(|facts| facts.base = None),
        Approved,
        "- Up to date with live: Version 3 is live, but the draft started from nothing. Bring it up to date.",
    );
    check(
        approved().with(|facts| {
            facts.base = None;
            facts.live = None;
        }),
        Approved,
        "+ Up to date with live: Nothing is live yet.",
    );
    for case in [broken(), behind()] {
        let checks = overridden(checks(&case.facts), &person(ADA), "It must.");
        assert!(!may_publish(&checks) && !may_override(&checks));
    }
}

#[test]
fn what_is_overridden_says_by_whom_and_why() {
    let case = Case::in_review()
        .owned_by(&[BEN])
        .thread(BEN, 60)
        .policy(|policy| policy.test_passed = true)
        .now(ADA, Reject);
    let before = checks(&case.facts);
    assert!(!may_publish(&before) && may_override(&before));
    let after = overridden(before, &person(ADA), "The shop is down.");
    assert!(may_publish(&after));
    let said = said(&after);
    assert_eq!(said.iter().filter(|line| line.starts_with('~')).count(), 5);
    let line = "~ Approvals: Ada published all the same: The shop is down.";
    assert_eq!(said[0], line);
    assert!(said.iter().any(|line| line.starts_with("+ No problems")));
}
