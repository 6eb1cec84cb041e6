//! Reviews: asked for, described, decided on, taken back.
//!
//! Whatever decides about a draft locks its row first, then reads the facts, so that an approval
//! and an edit never both happen to the same content.

pub(crate) mod facts;
mod inbox;
pub(crate) mod letter;
pub(crate) mod notify;
mod page;
mod policy;
pub(crate) mod standing;
mod suggestion;
mod summary;
mod thread;

use std::collections::BTreeSet;

use domain::account::{self, Me};
use domain::draft::DraftState;
use domain::policy::Act;
use domain::review::decide::{self, Ownership, check_ownership, check_text, check_verdict};
use domain::review::{
    Check, Decision, Facts, Fingerprint, Happening, Person, Refusal, ReviewState, Verdict, check,
};
use domain::{AccountId, DecisionId, DraftId, ReviewId};
use serde_json::json;
use uuid::Uuid;

use crate::draft::Locked;
use crate::live::Changed;
use crate::{Error, Result, Store, Tx, audit, stored, timestamp, version};
use facts::{Content, Seen};
use notify::Message;
use standing::{changed, close, set_state, settle};

impl Store {
    /// Asks for a review of a draft; returns it. Without reviewers anyone may look. Owners of what
    /// the change touches are told as if they were asked.
    ///
    /// # Errors
    /// When the role does not allow it, there is no such draft, it is closed, has an open review
    /// already or changes nothing, a text cannot be taken, or a reviewer is no member.
    pub async fn create_review(
        &self,
        me: &Me,
        draft: DraftId,
        title: &str,
        description: &str,
        reviewers: &[AccountId],
    ) -> Result<ReviewId> {
        let mut tx = self.begin(me, Act::CreateReview).await?;
        let title = account::check_name(title)?;
        let description = check_text(description)?;
        let locked = crate::draft::lock(&mut tx, me, draft).await?.open()?;
        if let Some(open) = standing::open(&mut tx, me, draft).await? {
            return Err(Refusal::AlreadyOpen { review: open.id }.into());
        }
        let reviewers = policy::check_members(&mut tx, me, reviewers).await?;
        let (integration, base) = (locked.integration, locked.base);
        let base = version::base_document(&mut tx, me, integration, base, &locked.document).await?;
        if base == locked.document {
            return Err(Refusal::NothingToReview.into());
        }
        let id = ReviewId(Uuid::now_v7());
        let content = Content::of(&mut tx, me, integration, &base, &locked.document).await?;
        insert(&mut tx, me, id, draft, [&title, &description], &content).await?;
        ask(&mut tx, me, id, &reviewers).await?;
        let seen = standing::seen(&mut tx, me, &locked).await?;
        let mut changes = settle(&mut tx, me, &seen, locked.state).await?;
        let owners = seen.facts.owners.iter().flat_map(|rule| &rule.owners);
        let owners = owners.map(|owner| owner.account);
        let owners = owners.filter(|owner| seen.facts.may_decide(*owner));
        let asked: BTreeSet<_> = owners
            .chain(reviewers.iter().map(|id| AccountId(*id)))
            .collect();
        let message = Message::new(Happening::Asked, id);
        changes.extend(notify::tell(&mut tx, me, asked.iter().copied(), message).await?);
        let mentioned = notify::mentioned(&mut tx, me, &description).await?;
        let mentioned = mentioned.difference(&asked).copied();
        let message = Message::new(Happening::Mentioned, id);
        changes.extend(notify::tell(&mut tx, me, mentioned, message).await?);
        let detail = json!({ "draft": draft, "revision": locked.revision, "asked": reviewers });
        audit::note(&mut tx, me, "review.create", id.0, detail).await?;
        self.commit(tx, changes).await?;
        Ok(id)
    }

    /// Changes a review's title and description.
    ///
    /// # Errors
    /// When the role does not allow it, there is no such review, it is over or someone else's, or
    /// a text cannot be taken.
    pub async fn describe_review(
        &self,
        me: &Me,
        id: ReviewId,
        title: &str,
        description: &str,
    ) -> Result<()> {
        let mut tx = self.begin(me, Act::CreateReview).await?;
        let title = account::check_name(title)?;
        let description = check_text(description)?;
        let under = lock(&mut tx, me, id).await?.open()?;
        let seen = standing::seen(&mut tx, me, &under.draft).await?;
        under.check_owned(me, &seen)?;
        sqlx::query!(
            "update review set title = $2, description = $3, updated_at = clock_timestamp()
             where review_id = $1",
            id.0,
            title,
            description,
        )
        .execute(&mut *tx)
        .await?;
        audit::note(
            &mut tx,
            me,
            "review.describe",
            id.0,
            json!({ "title": title }),
        )
        .await?;
        self.commit(tx, vec![changed(me, id)]).await
    }

    /// Sets who is asked by name, and tells those who are new. When nobody is new or gone, it asks
    /// again: everyone who was asked, but those who approved what is there now.
    ///
    /// # Errors
    /// When the role does not allow it, there is no such review, it is over, or someone is no
    /// member.
    pub async fn ask_reviewers(
        &self,
        me: &Me,
        id: ReviewId,
        reviewers: &[AccountId],
    ) -> Result<()> {
        let mut tx = self.begin(me, Act::CreateReview).await?;
        let under = lock(&mut tx, me, id).await?.open()?;
        let reviewers = policy::check_members(&mut tx, me, reviewers).await?;
        let seen = standing::seen(&mut tx, me, &under.draft).await?;
        let wanted: BTreeSet<_> = reviewers
            .iter()
            .map(|account| AccountId(*account))
            .collect();
        let facts = &seen.facts;
        let told: Vec<Uuid> = if wanted == facts.asked {
            let done: BTreeSet<_> = facts.approvals().map(|d| d.by.account).collect();
            wanted.difference(&done).map(|account| account.0).collect()
        } else {
            wanted
                .difference(&facts.asked)
                .map(|account| account.0)
                .collect()
        };
        sqlx::query!(
            "delete from review_asked where review_id = $1 and account_id <> all ($2)",
            id.0,
            &reviewers,
        )
        .execute(&mut *tx)
        .await?;
        ask(&mut tx, me, id, &told).await?;
        // A Reader's verdict counts only while asked.
        let seen = standing::seen(&mut tx, me, &under.draft).await?;
        let mut changes = settle(&mut tx, me, &seen, under.draft.state).await?;
        let message = Message::new(Happening::Asked, id);
        let asked = told.iter().map(|account| AccountId(*account));
        changes.extend(notify::tell(&mut tx, me, asked, message).await?);
        let detail = json!({ "asked": reviewers, "told": told });
        audit::note(&mut tx, me, "review.ask", id.0, detail).await?;
        self.commit(tx, changes).await
    }

    /// Takes a review back; the draft is being edited again.
    ///
    /// # Errors
    /// When the role does not allow it, there is no such review, or it is over or someone else's.
    pub async fn withdraw_review(&self, me: &Me, id: ReviewId) -> Result<()> {
        let mut tx = self.begin(me, Act::CreateReview).await?;
        let under = lock(&mut tx, me, id).await?.open()?;
        let seen = standing::seen(&mut tx, me, &under.draft).await?;
        under.check_owned(me, &seen)?;
        close(
            &mut tx,
            &seen,
            ReviewState::Withdrawn,
            &check::checks(&seen.facts),
        )
        .await?;
        set_state(&mut tx, under.draft.id, DraftState::Editing).await?;
        let mut changes = under.draft.changes(me);
        changes.push(changed(me, id));
        let people = notify::participants(&mut tx, me, id).await?;
        let message = Message::new(Happening::Withdrawn, id);
        changes.extend(notify::tell(&mut tx, me, people, message).await?);
        audit::note(&mut tx, me, "review.withdraw", id.0, json!({})).await?;
        self.commit(tx, changes).await
    }

    /// Gives a verdict on a revision, with a message, and sends all pending comments of `me`.
    ///
    /// # Errors
    /// When there is no such review, it is over, the draft is at another revision (a comment is
    /// taken all the same), the verdict is not `me`'s to give, or there is nothing to say.
    pub async fn submit_review(
        &self,
        me: &Me,
        id: ReviewId,
        revision: u32,
        verdict: Verdict,
        message: &str,
    ) -> Result<()> {
        let mut tx = self.begin(me, Act::Comment).await?;
        let message = check_text(message)?;
        let under = lock(&mut tx, me, id).await?.open()?;
        let mut seen = standing::seen(&mut tx, me, &under.draft).await?;
        check_verdict(seen.role(me)?, me.account, verdict, &seen.facts)?;
        let fingerprint = under
            .looked_at(&mut tx, me, revision, verdict, &seen)
            .await?;
        if verdict == Verdict::Reject && message.is_empty() {
            return Err(Refusal::MessageMissing.into());
        }
        let sent = thread::send_pending(&mut tx, me, id).await?;
        if verdict == Verdict::Comment && message.is_empty() && sent.is_empty() {
            return Err(Refusal::NothingToSay.into());
        }
        let given = Given {
            verdict,
            message: message.clone(),
            revision,
            fingerprint,
        };
        let decision = given.keep(&mut tx, me, id).await?;
        let detail = json!({
            "draft": under.draft.id,
            "verdict": verdict,
            "revision": revision,
            "fingerprint": decision.fingerprint,
            "comments": sent.len(),
        });
        seen.facts.decisions.push(decision);
        let mut changes = settle(&mut tx, me, &seen, under.draft.state).await?;
        let people = notify::participants(&mut tx, me, id).await?;
        let happening = match verdict {
            Verdict::Approve => Happening::Approved,
            Verdict::Reject => Happening::Rejected,
            Verdict::Comment => Happening::Commented,
        };
        let texts = sent.iter().map(|comment| comment.body.as_str());
        let text = texts
            .chain([message.as_str()])
            .collect::<Vec<_>>()
            .join("\n");
        let told = Message::new(happening, id).in_thread(sent.first().map(|first| first.thread));
        changes.extend(notify::tell_all(&mut tx, me, &text, &people, told).await?);
        audit::note(&mut tx, me, "review.submit", id.0, detail).await?;
        self.commit(tx, changes).await
    }
}

/// A review with the draft that it is about, whose row is locked until the transaction ends.
pub(crate) struct Under {
    id: ReviewId,
    state: ReviewState,
    created_by: AccountId,
    pub(crate) draft: Locked,
}

impl Under {
    /// Refuses a review that is over.
    fn open(self) -> Result<Self> {
        if self.state == ReviewState::Open {
            Ok(self)
        } else {
            Err(Refusal::Over(self.state).into())
        }
    }

    fn check_owned(&self, me: &Me, seen: &Seen) -> Result<()> {
        let review = Ownership {
            created_by: self.created_by,
            facts: &seen.facts,
        };
        Ok(check_ownership(seen.role(me)?, me.account, review)?)
    }

    /// Returns the fingerprint of what was looked at.
    async fn looked_at(
        &self,
        tx: &mut Tx,
        me: &Me,
        looked_at: u32,
        verdict: Verdict,
        seen: &Seen,
    ) -> Result<Fingerprint> {
        let current = self.draft.revision;
        if looked_at == current {
            return Ok(seen.facts.fingerprint.clone());
        }
        if verdict != Verdict::Comment || looked_at > current {
            return Err(Refusal::Moved { looked_at, current }.into());
        }
        let document = crate::draft::history::at(tx, me, self.draft.id, looked_at).await?;
        Ok(Fingerprint::of(&document))
    }
}

/// Locks the draft of a review, then reads the review.
pub(crate) async fn lock(tx: &mut Tx, me: &Me, id: ReviewId) -> Result<Under> {
    // Which draft a review is about never changes, so it may be read before the lock is held.
    let draft = sqlx::query_scalar!(
        "select draft_id from review where organization_id = $1 and review_id = $2",
        me.organization.0,
        id.0,
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or(Error::NotFound)?;
    let draft = crate::draft::lock(tx, me, DraftId(draft)).await?;
    let row = sqlx::query!(
        "select state, created_by from review where review_id = $1",
        id.0,
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(Under {
        id,
        state: summary::review_state(&row.state)?,
        created_by: AccountId(row.created_by),
        draft,
    })
}

async fn insert(
    tx: &mut Tx,
    me: &Me,
    id: ReviewId,
    draft: DraftId,
    [title, description]: [&str; 2],
    content: &Content,
) -> Result<()> {
    let (kinds, connections) = content.touched_columns();
    sqlx::query!(
        "insert into review (review_id, organization_id, draft_id, title, description,
                fingerprint, problems, kinds, connections, created_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        id.0,
        me.organization.0,
        draft.0,
        title,
        description,
        content.fingerprint.0,
        stored(content.problems)?,
        &kinds,
        &connections,
        me.account.0,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Asks people, also those who were asked before.
async fn ask(tx: &mut Tx, me: &Me, review: ReviewId, people: &[Uuid]) -> Result<()> {
    sqlx::query!(
        "insert into review_asked (review_id, account_id, organization_id)
         select $1, account_id, $2 from unnest($3::uuid[]) as asked (account_id)
         on conflict (review_id, account_id) do update set at = clock_timestamp()",
        review.0,
        me.organization.0,
        people,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// A verdict that is being given.
struct Given {
    verdict: Verdict,
    message: String,
    revision: u32,
    fingerprint: Fingerprint,
}

impl Given {
    async fn keep(self, tx: &mut Tx, me: &Me, review: ReviewId) -> Result<Decision> {
        let id = DecisionId(Uuid::now_v7());
        let at = sqlx::query_scalar!(
            "insert into decision (decision_id, review_id, organization_id, account_id, verdict,
                    message, revision, fingerprint)
             values ($1, $2, $3, $4, $5, $6, $7, $8)
             returning at",
            id.0,
            review.0,
            me.organization.0,
            me.account.0,
            self.verdict.key(),
            self.message,
            stored(self.revision)?,
            self.fingerprint.0,
        )
        .fetch_one(&mut **tx)
        .await?;
        Ok(Decision {
            id,
            by: Person {
                account: me.account,
                name: me.name.clone(),
            },
            verdict: self.verdict,
            message: self.message,
            revision: self.revision,
            fingerprint: self.fingerprint,
            at: timestamp::read(at),
        })
    }
}

/// What lets a draft be published.
pub(crate) struct Agreed {
    /// Each rule with its state, what was overridden included.
    pub(crate) checks: Vec<Check>,
    /// The reason, when something had to be overridden.
    pub(crate) reason: Option<String>,
}

/// Decides whether something may go live: all rules are met, or `me` answers for those that are
/// not with a reason.
pub(crate) fn agree(me: &Me, facts: &Facts, reason: Option<&str>) -> Result<Agreed> {
    let role = facts.roles.get(&me.account).copied();
    let role = role.ok_or(crate::Refusal::SessionEnded)?;
    domain::policy::allow(role, Act::Publish)?;
    let checks = check::checks(facts);
    if check::may_publish(&checks) {
        return Ok(Agreed {
            checks,
            reason: None,
        });
    }
    let reason = match reason {
        Some(reason) if check::may_override(&checks) => reason,
        _ => {
            let unmet = checks.into_iter().filter(Check::is_unmet).collect();
            return Err(Refusal::Unmet(unmet).into());
        }
    };
    let reason = decide::check_override(role, &facts.policy, reason)?;
    let by = Person {
        account: me.account,
        name: me.name.clone(),
    };
    Ok(Agreed {
        checks: check::overridden(checks, &by, &reason),
        reason: Some(reason),
    })
}

/// Ends the review of a draft that is thrown away, if one is open.
pub(crate) async fn discard(tx: &mut Tx, me: &Me, locked: &Locked) -> Result<Vec<Changed>> {
    if !locked.state.is_in_review() {
        return Ok(Vec::new());
    }
    let seen = standing::seen(tx, me, locked).await?;
    close(
        tx,
        &seen,
        ReviewState::Discarded,
        &check::checks(&seen.facts),
    )
    .await?;
    let review = seen.subject.review.into_iter();
    Ok(review.map(|review| changed(me, review.id)).collect())
}
