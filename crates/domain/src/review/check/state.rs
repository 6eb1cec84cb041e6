//! The state of each rule, with a sentence that says what is there or what would satisfy it.

use super::{Check, CheckState, Facts, Rule};
use crate::review::{Decision, OwnerRule, OwnerScope, Person, Verdict};

fn check(rule: Rule, state: CheckState) -> Check {
    Check { rule, state }
}

fn satisfied(by: impl Into<String>) -> CheckState {
    CheckState::Satisfied { by: by.into() }
}

fn unsatisfied(why: impl Into<String>) -> CheckState {
    CheckState::Unsatisfied { why: why.into() }
}

fn not_applicable(why: impl Into<String>) -> CheckState {
    CheckState::NotApplicable { why: why.into() }
}

pub(super) fn approvals(facts: &Facts) -> Check {
    let need = facts.policy.approvals;
    let have: Vec<Person> = facts.approvals().map(|d| d.by.clone()).collect();
    let missing = usize::from(need).saturating_sub(have.len());
    let state = if need == 0 && have.is_empty() {
        not_applicable("The review policy asks for no approval.")
    } else if missing == 0 {
        satisfied(format!(
            "{} approved what is there now.",
            names(&have, "and")
        ))
    } else if facts.in_review {
        let more = if have.is_empty() { "" } else { " more" };
        unsatisfied(format!(
            "{} of someone who may decide {} missing.{}",
            count(missing, &format!("{more} approval")),
            if missing == 1 { "is" } else { "are" },
            uncounted(facts),
        ))
    } else {
        unsatisfied(format!(
            "{} needed. Ask for a review.",
            if missing == 1 {
                "1 approval is".to_owned()
            } else {
                format!("{missing} approvals are")
            }
        ))
    };
    check(Rule::Approvals { need, have }, state)
}

/// Says why approvals that were given do not count.
fn uncounted(facts: &Facts) -> String {
    let given = facts.latest().into_iter();
    let given = given.filter(|decision| decision.verdict == Verdict::Approve);
    given
        .filter_map(|decision| why_not(facts, decision))
        .collect()
}

fn why_not(facts: &Facts, decision: &Decision) -> Option<String> {
    let (name, account) = (&decision.by.name, decision.by.account);
    let approved = format!("{name} approved revision {}", decision.revision);
    match facts.roles.get(&account) {
        None => Some(format!(" {approved} but is not a member any more.")),
        Some(role) if !facts.role_decides(*role, account) => {
            Some(format!(" {approved} but may not decide now."))
        }
        Some(_) if facts.is_own_work(account) => Some(format!(
            " {approved} but edited the draft, and authors do not approve their own work."
        )),
        Some(_) if !facts.is_fresh(decision) => {
            Some(format!(" {approved}; the draft changed since."))
        }
        Some(_) => None,
    }
}

pub(super) fn no_rejection(facts: &Facts) -> Check {
    let rejecting: Vec<Person> = facts.rejections().map(|d| d.by.clone()).collect();
    let earlier = facts.latest().into_iter().rfind(|decision| {
        decision.verdict == Verdict::Reject && facts.may_decide(decision.by.account)
    });
    let state = if !facts.in_review {
        not_applicable("There is no review.")
    } else if rejecting.is_empty() {
        satisfied(earlier.map_or_else(
            || "Nobody asks for changes.".to_owned(),
            |decision| {
                format!(
                    "{} asked for changes on revision {}; the draft changed since.",
                    decision.by.name, decision.revision
                )
            },
        ))
    } else {
        unsatisfied(format!(
            "{} asked for changes. Make them, or ask again.",
            names(&rejecting, "and")
        ))
    };
    check(Rule::NoRejection, state)
}

pub(super) fn owners(facts: &Facts, rule: &OwnerRule) -> Check {
    let owns = |person: &Person| {
        rule.owners
            .iter()
            .any(|owner| owner.account == person.account)
    };
    let approved: Vec<Person> = facts
        .approvals()
        .map(|decision| decision.by.clone())
        .filter(owns)
        .collect();
    let able: Vec<Person> = rule
        .owners
        .iter()
        .filter(|owner| facts.may_decide(owner.account))
        .cloned()
        .collect();
    let what = match &rule.scope {
        OwnerScope::Integration(_) => "this integration".to_owned(),
        OwnerScope::StepKind(_) => format!("steps “{}”", rule.name),
        OwnerScope::Connection(_) => format!("the connection “{}”", rule.name),
    };
    let state = if !approved.is_empty() {
        satisfied(format!("{} approved, who owns {what}.", approved[0].name))
    } else if able.is_empty() {
        unsatisfied(format!(
            "Nobody who owns {what} can approve this draft: they edited it, or may not decide. An Admin can name other owners."
        ))
    } else {
        let ask = if facts.in_review {
            ""
        } else {
            " Ask for a review."
        };
        unsatisfied(format!(
            "The approval of {} is missing, who owns {what}.{ask}",
            names(&able, "or")
        ))
    };
    let (scope, owners) = (rule.scope.clone(), rule.owners.clone());
    check(Rule::Owners { scope, owners }, state)
}

pub(super) fn threads(facts: &Facts) -> Check {
    let open = facts.open_threads;
    let state = if !facts.in_review {
        not_applicable("There is no review.")
    } else if open == 0 {
        satisfied("No thread is open.")
    } else {
        let open = count(open as usize, " thread");
        if facts.policy.threads_resolved {
            unsatisfied(format!("Resolve {open} first."))
        } else {
            not_applicable(format!(
                "{open} open; the review policy does not ask that threads are resolved."
            ))
        }
    };
    check(Rule::Threads, state)
}

pub(super) fn test(facts: &Facts) -> Check {
    let now = facts.revision;
    let state = match facts.tested {
        Some(tested) if tested == now => {
            satisfied(format!("Revision {now} passed a test as a whole."))
        }
        _ if !facts.policy.test_passed => not_applicable("The review policy asks for no test."),
        Some(tested) => unsatisfied(format!(
            "Revision {tested} passed a test, but the draft is at revision {now}. Test it again as a whole."
        )),
        None => unsatisfied("No revision passed a test. Test the draft as a whole."),
    };
    check(Rule::Test, state)
}

pub(super) fn problems(facts: &Facts) -> Check {
    let state = match facts.problems {
        0 => satisfied("The draft has no problems."),
        problems => unsatisfied(format!(
            "The draft has {}. Mend {} in the builder.",
            count(problems as usize, " problem"),
            if problems == 1 { "it" } else { "them" },
        )),
    };
    check(Rule::Problems, state)
}

pub(super) fn up_to_date(facts: &Facts) -> Check {
    let state = match (facts.base, facts.live) {
        (_, None) => satisfied("Nothing is live yet."),
        (Some(base), Some(live)) if base == live => satisfied(format!(
            "The draft started from version {live}, which is live."
        )),
        (base, Some(live)) => unsatisfied(format!(
            "Version {live} is live, but the draft started from {}. Bring it up to date.",
            base.map_or_else(|| "nothing".to_owned(), |base| format!("version {base}")),
        )),
    };
    check(Rule::UpToDate, state)
}

/// Returns a number and its noun, which begins with a space: "1 thread", "2 threads".
fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number}{noun}{plural}")
}

/// Returns names as a sentence lists them.
fn names(people: &[Person], before_last: &str) -> String {
    let names: Vec<&str> = people.iter().map(|person| person.name.as_str()).collect();
    match names.as_slice() {
        [] => "Nobody".to_owned(),
        [one] => (*one).to_owned(),
        [most @ .., last] => format!("{} {before_last} {last}", most.join(", ")),
    }
}
