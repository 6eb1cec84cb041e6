//! Where a draft under review stands: set again whenever something that decides it changes, in
//! the same transaction.

use std::collections::BTreeSet;

use domain::account::Me;
use domain::draft::DraftState;
use domain::review::{Check, Facts, Fingerprint, Happening, ReviewState, check};
use domain::{AccountId, DraftId, ReviewId, Timestamp};

use super::facts::{self, Content, Seen, Subject, UnderReview};
use super::{notify, summary};
use crate::draft::{self, Locked};
use crate::live::{Changed, What};
use crate::{Result, Tx, timestamp, version};

/// The open review of a draft.
pub(crate) struct Open {
    pub(crate) id: ReviewId,
    pub(crate) created_at: Timestamp,
    /// What the draft's content decided before the change that is under way.
    pub(crate) fingerprint: Fingerprint,
}

/// Returns the open review of a draft, if there is one. The draft is locked.
pub(crate) async fn open(tx: &mut Tx, me: &Me, draft: DraftId) -> Result<Option<Open>> {
    let row = sqlx::query!(
        "select review_id, created_at, fingerprint from review
         where organization_id = $1 and draft_id = $2 and state = 'open'",
        me.organization.0,
        draft.0,
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.map(|row| Open {
        id: ReviewId(row.review_id),
        created_at: timestamp::read(row.created_at),
        fingerprint: Fingerprint(row.fingerprint),
    }))
}

/// Reads the facts about a draft from its content. Its row is locked, so that they hold until the
/// transaction ends.
pub(crate) async fn seen(tx: &mut Tx, me: &Me, locked: &Locked) -> Result<Seen> {
    let review = open(tx, me, locked.id).await?;
    let review = review.map(|review| UnderReview {
        id: review.id,
        is_open: true,
        created_at: review.created_at,
    });
    let base =
        version::base_document(tx, me, locked.integration, locked.base, &locked.document).await?;
    let subject = Subject {
        draft: locked.id,
        integration: locked.integration,
        revision: locked.revision,
        base: locked.base,
        live: version::live_number(tx, me, locked.integration).await?,
        saved_at: locked.updated_at,
        content: Content::of(tx, me, locked.integration, &base, &locked.document).await?,
        review,
    };
    facts::of(tx, me, subject).await
}

/// Sets where a draft under review stands after its content changed, and tells those whose
/// approval does not count any more. `locked` is the draft as it is now, in the state before.
pub(crate) async fn edited(tx: &mut Tx, me: &Me, locked: &Locked) -> Result<Vec<Changed>> {
    if !locked.state.is_in_review() {
        return Ok(Vec::new());
    }
    let Some(review) = open(tx, me, locked.id).await? else {
        return Ok(Vec::new());
    };
    let seen = seen(tx, me, locked).await?;
    let before = Facts {
        fingerprint: review.fingerprint,
        ..seen.facts.clone()
    };
    let approving = |facts: &Facts| -> BTreeSet<AccountId> {
        facts.approvals().map(|d| d.by.account).collect()
    };
    let stale = &approving(&before) - &approving(&seen.facts);
    let mut changes = settle(tx, me, &seen, locked.state).await?;
    let message = notify::Message::new(Happening::ApprovalStale, review.id);
    changes.extend(notify::tell(tx, me, stale, message).await?);
    Ok(changes)
}

/// Sets where a draft stands by the facts, and what lists show of its content.
pub(crate) async fn settle(
    tx: &mut Tx,
    me: &Me,
    seen: &Seen,
    before: DraftState,
) -> Result<Vec<Changed>> {
    let Some(review) = seen.subject.review else {
        return Ok(Vec::new());
    };
    let content = &seen.subject.content;
    let (kinds, connections) = content.touched_columns();
    sqlx::query!(
        "update review set fingerprint = $2, problems = $3, kinds = $4, connections = $5,
                updated_at = clock_timestamp()
         where review_id = $1",
        review.id.0,
        content.fingerprint.0,
        i32::try_from(content.problems).unwrap_or(i32::MAX),
        &kinds,
        &connections,
    )
    .execute(&mut **tx)
    .await?;
    let mut changes = vec![changed(me, review.id)];
    let standing = check::standing(&seen.facts);
    if standing != before {
        set_state(tx, seen.subject.draft, standing).await?;
        changes.extend(state_changes(me, seen));
    }
    Ok(changes)
}

/// Sets again where all drafts under review stand, after the policy, the owners or the members
/// changed.
pub(crate) async fn settle_all(tx: &mut Tx, me: &Me) -> Result<Vec<Changed>> {
    if !lock_all(tx, me).await? {
        return Ok(Vec::new());
    }
    let mut changes = Vec::new();
    for listed in summary::read(tx, me, summary::Which::Open(i64::MAX)).await? {
        let standing = check::standing(&listed.seen.facts);
        if standing != listed.draft_state {
            set_state(tx, listed.seen.subject.draft, standing).await?;
            changes.push(changed(me, listed.id));
            changes.extend(state_changes(me, &listed.seen));
        }
    }
    Ok(changes)
}

/// Locks all drafts under review, in one order; returns whether there are any.
async fn lock_all(tx: &mut Tx, me: &Me) -> Result<bool> {
    let drafts = sqlx::query!(
        "select draft_id from draft
         where organization_id = $1 and state in ('in_review', 'approved', 'changes_requested')
         order by draft_id
         for no key update",
        me.organization.0,
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(!drafts.is_empty())
}

/// Looks again at the drafts under review that had problems, after something came that their steps
/// lacked.
pub(crate) async fn settle_problems(tx: &mut Tx, me: &Me) -> Result<Vec<Changed>> {
    lock_all(tx, me).await?;
    let rows = sqlx::query!(
        "select draft_id, problems from review
         where organization_id = $1 and state = 'open' and problems > 0
         order by draft_id",
        me.organization.0,
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut changes = Vec::new();
    for row in rows {
        let locked = draft::lock(tx, me, DraftId(row.draft_id)).await?;
        let seen = seen(tx, me, &locked).await?;
        if seen.subject.review.is_some()
            && i64::from(row.problems) != i64::from(seen.subject.content.problems)
        {
            changes.extend(settle(tx, me, &seen, locked.state).await?);
        }
    }
    Ok(changes)
}

/// Ends the review of a draft, with what the rules say of it now.
pub(crate) async fn close(
    tx: &mut Tx,
    seen: &Seen,
    state: ReviewState,
    checks: &[Check],
) -> Result<()> {
    let Some(review) = seen.subject.review else {
        return Ok(());
    };
    sqlx::query!(
        "update review set state = $2, checks = $3::text::json, updated_at = clock_timestamp()
         where review_id = $1",
        review.id.0,
        state.key(),
        serde_json::to_string(checks).expect("checks are JSON"),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Sets where a draft stands; its row is locked.
pub(crate) async fn set_state(tx: &mut Tx, draft: DraftId, state: DraftState) -> Result<()> {
    sqlx::query!(
        "update draft set state = $2 where draft_id = $1",
        draft.0,
        state.key(),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Says that a review changed.
pub(crate) fn changed(me: &Me, review: ReviewId) -> Changed {
    Changed {
        organization: me.organization,
        what: What::Review(review),
    }
}

fn state_changes(me: &Me, seen: &Seen) -> [Changed; 2] {
    let subject = &seen.subject;
    [
        crate::draft::changed(me, subject.draft, subject.revision),
        crate::integration::changed(me, subject.integration),
    ]
}

/// Notes that something was said in a review, for all to see.
pub(crate) async fn touch(tx: &mut Tx, review: ReviewId) -> Result<()> {
    sqlx::query!(
        "update review set updated_at = clock_timestamp() where review_id = $1",
        review.0,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
