//! Who may give which verdict, and who may do what else in a review.

use super::{Facts, Policy, Refusal, Verdict};
use crate::account::Role;
use crate::policy::{Act, allow};
use crate::{AccountId, limit};

/// Decides whether an account with a role may give a verdict.
///
/// Anyone may comment. Whoever edited the draft neither approves nor rejects it, unless the
/// policy allows it; a Reader decides only when asked by name and the policy allows it.
///
/// # Errors
/// The sentence to show when it may not.
pub fn check_verdict(
    role: Role,
    account: AccountId,
    verdict: Verdict,
    facts: &Facts,
) -> Result<(), Refusal> {
    if verdict == Verdict::Comment {
        Ok(())
    } else if !facts.role_decides(role, account) {
        Err(Refusal::ReaderDecides)
    } else if facts.is_own_work(account) {
        Err(Refusal::OwnWork(verdict))
    } else {
        Ok(())
    }
}

/// Returns whether the policy lets a role publish what it holds back, given a reason.
pub fn may_override(role: Role, policy: &Policy) -> bool {
    allow(role, Act::Override).is_ok()
        || (policy.collaborators_override && allow(role, Act::Publish).is_ok())
}

/// Decides whether a role may publish what the policy holds back; returns the reason as it is
/// kept.
///
/// # Errors
/// When the role may not, or the reason is missing or too long.
pub fn check_override(role: Role, policy: &Policy, reason: &str) -> Result<String, Refusal> {
    if !may_override(role, policy) {
        return Err(Refusal::MayNotOverride {
            collaborators: policy.collaborators_override,
        });
    }
    let reason = check_text(reason)?;
    if reason.is_empty() {
        return Err(Refusal::ReasonMissing);
    }
    Ok(reason)
}

/// Returns a description, message or reason as it is kept: without what a database cannot hold.
///
/// # Errors
/// When it is longer than [`limit::TEXT`].
pub fn check_text(text: &str) -> Result<String, Refusal> {
    if text.chars().nth(limit::TEXT).is_some() {
        return Err(Refusal::TextTooLong);
    }
    Ok(text.replace('\0', "").trim().to_owned())
}

/// Whose a review is: who may describe it and take it back.
#[derive(Clone, Copy, Debug)]
pub struct Ownership<'a> {
    /// Who asked for it.
    pub created_by: AccountId,
    /// The facts, which name the draft's authors.
    pub facts: &'a Facts,
}

/// Decides whether an account may change a review's title and description, or withdraw it: who
/// asked for it, authors of the draft, Admins.
///
/// # Errors
/// The sentence to show when it may not.
pub fn check_ownership(
    role: Role,
    account: AccountId,
    review: Ownership<'_>,
) -> Result<(), Refusal> {
    let is_theirs = review.created_by == account || review.facts.authors.contains(&account);
    if role == Role::Admin || is_theirs {
        Ok(())
    } else {
        Err(Refusal::NotYourReview)
    }
}

/// Decides whether an account may resolve a thread, or open it again: Readers only what they
/// started.
///
/// # Errors
/// The sentence to show when it may not.
pub fn check_resolve(role: Role, account: AccountId, started_by: AccountId) -> Result<(), Refusal> {
    if started_by == account || allow(role, Act::CreateReview).is_ok() {
        Ok(())
    } else {
        Err(Refusal::NotYourThread)
    }
}

/// Decides whether an account may change or delete a comment: only whoever wrote it.
///
/// # Errors
/// The sentence to show when it may not.
pub fn check_comment(account: AccountId, written_by: AccountId) -> Result<(), Refusal> {
    if account == written_by {
        Ok(())
    } else {
        Err(Refusal::NotYourComment)
    }
}
