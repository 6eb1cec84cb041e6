//! Threads and their comments. A pending comment is its author's alone until it is sent: no verb
//! gives it to anyone else, counts it, or tells that it is there.

use domain::account::Me;
use domain::policy::Act;
use domain::review::decide::{check_comment, check_resolve};
use domain::review::thread::{NewThread, check_body, check_suggestion};
use domain::review::{Anchor, Happening, Refusal};
use domain::{AccountId, CommentId, ReviewId, ThreadId, limit};
use serde_json::{Value, json};
use uuid::Uuid;

use super::notify::{self, Message};
use super::standing::{changed, touch};
use super::{Under, lock};
use crate::live::Changed;
use crate::{Error, Result, Store, Tx, audit, stored, version};

impl Store {
    /// Starts a thread with its first comment.
    ///
    /// # Errors
    /// When there is no such review, it is over, what the anchor names is not there, the text or
    /// the suggestion cannot be taken, or there are too many threads.
    pub async fn start_thread(&self, me: &Me, id: ReviewId, new: NewThread) -> Result<ThreadId> {
        let mut tx = self.begin(me, Act::Comment).await?;
        let body = check_body(&new.body, new.suggestion.as_ref())?;
        let under = lock(&mut tx, me, id).await?.open()?;
        check_room(&mut tx, id).await?;
        let quoted = quote(&mut tx, me, &under, &new).await?;
        if let Some(value) = &new.suggestion {
            fits(&under, (&new.anchor, quoted.as_ref()), new.on_base, value)?;
        }
        let thread = ThreadId(Uuid::now_v7());
        let anchor = serde_json::to_string(&new.anchor).expect("an anchor is JSON");
        sqlx::query!(
            "insert into thread (thread_id, review_id, organization_id, anchor, on_base, revision,
                    quoted, started_by)
             values ($1, $2, $3, $4::text::json, $5, $6, $7::text::json, $8)",
            thread.0,
            id.0,
            me.organization.0,
            anchor,
            new.on_base,
            stored(new.revision)?,
            quoted.map(|value| value.to_string()),
            me.account.0,
        )
        .execute(&mut *tx)
        .await?;
        let said = Said {
            thread,
            body,
            suggestion: new.suggestion,
            is_pending: new.is_pending,
        };
        let (_, changes) = said.keep(&mut tx, me, &under).await?;
        self.commit(tx, changes).await?;
        Ok(thread)
    }

    /// Answers in a thread.
    ///
    /// # Errors
    /// When there is no such thread, the review is over, the text or the suggestion cannot be
    /// taken, or there are too many comments.
    pub async fn reply_in_thread(
        &self,
        me: &Me,
        thread: ThreadId,
        body: &str,
        suggestion: Option<Value>,
        is_pending: bool,
    ) -> Result<CommentId> {
        let mut tx = self.begin(me, Act::Comment).await?;
        let body = check_body(body, suggestion.as_ref())?;
        let found = find(&mut tx, me, thread).await?;
        let under = lock(&mut tx, me, found.review).await?.open()?;
        if found.comments >= limit::COMMENTS {
            return Err(Refusal::TooMany.into());
        }
        if let Some(value) = &suggestion {
            let place = (&found.anchor, found.quoted.as_ref());
            fits(&under, place, found.on_base, value)?;
        }
        let said = Said {
            thread,
            body,
            suggestion,
            // What others do not see has no answer that they see.
            is_pending: is_pending || found.is_pending,
        };
        let (comment, changes) = said.keep(&mut tx, me, &under).await?;
        self.commit(tx, changes).await?;
        Ok(comment)
    }

    /// Changes a comment. A suggestion that was applied stays as it was.
    ///
    /// # Errors
    /// When there is no such comment, it is someone else's or deleted, the review is over, or the
    /// text or the suggestion cannot be taken.
    pub async fn edit_comment(
        &self,
        me: &Me,
        id: CommentId,
        body: &str,
        suggestion: Option<Value>,
    ) -> Result<()> {
        let mut tx = self.begin(me, Act::Comment).await?;
        let body = check_body(body, suggestion.as_ref())?;
        let comment = find_comment(&mut tx, me, id).await?;
        check_comment(me.account, comment.by)?;
        let under = lock(&mut tx, me, comment.review).await?.open()?;
        // Read again: it may have been sent, applied or deleted while this waited.
        let comment = find_comment(&mut tx, me, id).await?;
        if comment.is_deleted {
            return Err(Error::NotFound);
        }
        let suggestion = if comment.is_applied {
            comment.suggestion.clone()
        } else {
            suggestion
        };
        if let Some(value) = &suggestion
            && suggestion != comment.suggestion
        {
            let place = (&comment.anchor, comment.quoted.as_ref());
            fits(&under, place, comment.on_base, value)?;
        }
        sqlx::query!(
            "update comment set body = $2, suggestion = $3::text::json,
                    edited_at = case when sent_at is not null then clock_timestamp() end
             where comment_id = $1",
            id.0,
            body,
            suggestion.map(|value| value.to_string()),
        )
        .execute(&mut *tx)
        .await?;
        if comment.is_pending {
            return self.commit(tx, Vec::new()).await;
        }
        let before = notify::mentioned(&mut tx, me, &comment.body).await?;
        let mentioned = notify::mentioned(&mut tx, me, &body).await?;
        let message = Message::new(Happening::Mentioned, comment.review);
        let message = message.in_thread(Some(comment.thread));
        let new = mentioned.difference(&before).copied();
        let mut changes = notify::tell(&mut tx, me, new, message).await?;
        changes.push(changed(me, comment.review));
        let detail = json!({ "review": comment.review });
        audit::note(&mut tx, me, "comment.edit", id.0, detail).await?;
        self.commit(tx, changes).await
    }

    /// Deletes a comment: its place stays, its text is gone. A thread of which nothing is left is
    /// resolved by that. A pending comment goes away wholly. Also when the review is over.
    ///
    /// # Errors
    /// When there is no such comment, or it is someone else's or deleted.
    pub async fn delete_comment(&self, me: &Me, id: CommentId) -> Result<()> {
        let mut tx = self.begin(me, Act::Comment).await?;
        let comment = find_comment(&mut tx, me, id).await?;
        check_comment(me.account, comment.by)?;
        lock(&mut tx, me, comment.review).await?;
        let comment = find_comment(&mut tx, me, id).await?;
        if comment.is_deleted {
            return Err(Error::NotFound);
        }
        if comment.is_pending {
            delete_pending(&mut tx, id, comment.thread).await?;
            return self.commit(tx, Vec::new()).await;
        }
        sqlx::query!(
            "update comment set body = '', suggestion = null, deleted_at = clock_timestamp()
             where comment_id = $1",
            id.0,
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!(
            "update thread set resolved_by = $2, resolved_at = clock_timestamp()
             where thread_id = $1 and resolved_at is null and not exists (
                select from comment
                where comment.thread_id = $1 and sent_at is not null and deleted_at is null
             )",
            comment.thread.0,
            me.account.0,
        )
        .execute(&mut *tx)
        .await?;
        touch(&mut tx, comment.review).await?;
        let detail = json!({ "review": comment.review });
        audit::note(&mut tx, me, "comment.delete", id.0, detail).await?;
        self.commit(tx, vec![changed(me, comment.review)]).await
    }

    /// Resolves a thread, or opens it again. One that is so already stays so.
    ///
    /// # Errors
    /// When there is no such thread, the review is over, or it is not `me`'s to resolve.
    pub async fn resolve_thread(&self, me: &Me, thread: ThreadId, resolved: bool) -> Result<()> {
        let (mut tx, role) = self.enter(me).await?;
        let found = find(&mut tx, me, thread).await?;
        check_resolve(role, me.account, found.started_by)?;
        lock(&mut tx, me, found.review).await?.open()?;
        let changed_rows = sqlx::query!(
            "update thread set
                resolved_by = case when $2 then $3::uuid end,
                resolved_at = case when $2 then clock_timestamp() end
             where thread_id = $1 and (resolved_at is not null) <> $2",
            thread.0,
            resolved,
            me.account.0,
        )
        .execute(&mut *tx)
        .await?;
        if changed_rows.rows_affected() == 0 || found.is_pending {
            return self.commit(tx, Vec::new()).await;
        }
        touch(&mut tx, found.review).await?;
        let act = if resolved {
            "thread.resolve"
        } else {
            "thread.reopen"
        };
        let detail = json!({ "review": found.review });
        audit::note(&mut tx, me, act, thread.0, detail).await?;
        self.commit(tx, vec![changed(me, found.review)]).await
    }
}

/// A thread that the reader may know of.
struct Found {
    review: ReviewId,
    anchor: Anchor,
    /// What the anchored field said when the thread was started.
    quoted: Option<Value>,
    on_base: bool,
    started_by: AccountId,
    comments: usize,
    /// Whether nothing in it was sent yet.
    is_pending: bool,
}

async fn find(tx: &mut Tx, me: &Me, thread: ThreadId) -> Result<Found> {
    let row = sqlx::query!(
        r#"select thread.review_id, anchor, quoted, on_base, started_by, count(*) as "comments!",
                bool_and(sent_at is null) as "is_pending!"
           from thread join comment using (thread_id)
           where thread.organization_id = $1 and thread_id = $2
                and (sent_at is not null or account_id = $3)
           group by thread_id"#,
        me.organization.0,
        thread.0,
        me.account.0,
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or(Error::NotFound)?;
    Ok(Found {
        review: ReviewId(row.review_id),
        anchor: anchor(row.anchor)?,
        quoted: row.quoted,
        on_base: row.on_base,
        started_by: AccountId(row.started_by),
        comments: usize::try_from(row.comments).unwrap_or(usize::MAX),
        is_pending: row.is_pending,
    })
}

/// A comment that the reader may know of.
pub(super) struct FoundComment {
    pub(super) review: ReviewId,
    pub(super) thread: ThreadId,
    pub(super) anchor: Anchor,
    /// What the anchored field said when the thread was started.
    pub(super) quoted: Option<Value>,
    pub(super) on_base: bool,
    pub(super) by: AccountId,
    body: String,
    pub(super) suggestion: Option<Value>,
    pub(super) is_applied: bool,
    pub(super) is_pending: bool,
    pub(super) is_deleted: bool,
}

pub(super) async fn find_comment(tx: &mut Tx, me: &Me, id: CommentId) -> Result<FoundComment> {
    let row = sqlx::query!(
        r#"select comment.review_id, thread_id, anchor, quoted, on_base, account_id, body, suggestion,
                applied_by is not null as "is_applied!", sent_at is null as "is_pending!",
                deleted_at is not null as "is_deleted!"
           from comment join thread using (thread_id)
           where comment.organization_id = $1 and comment_id = $2
                and (sent_at is not null or account_id = $3)"#,
        me.organization.0,
        id.0,
        me.account.0,
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or(Error::NotFound)?;
    Ok(FoundComment {
        review: ReviewId(row.review_id),
        thread: ThreadId(row.thread_id),
        anchor: anchor(row.anchor)?,
        quoted: row.quoted,
        on_base: row.on_base,
        by: AccountId(row.account_id),
        body: row.body,
        suggestion: row.suggestion,
        is_applied: row.is_applied,
        is_pending: row.is_pending,
        is_deleted: row.is_deleted,
    })
}

/// Reads an anchor as it is stored.
pub(super) fn anchor(stored: Value) -> Result<Anchor> {
    serde_json::from_value(stored).map_err(|error| sqlx::Error::decode(error).into())
}

async fn check_room(tx: &mut Tx, review: ReviewId) -> Result<()> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from thread where review_id = $1"#,
        review.0,
    )
    .fetch_one(&mut **tx)
    .await?;
    if usize::try_from(count).is_ok_and(|count| count < limit::THREADS) {
        Ok(())
    } else {
        Err(Refusal::TooMany.into())
    }
}

/// Returns what the anchored field said at the revision that was looked at.
async fn quote(tx: &mut Tx, me: &Me, under: &Under, new: &NewThread) -> Result<Option<Value>> {
    let draft = &under.draft;
    if new.revision > draft.revision {
        return Err(Refusal::Moved {
            looked_at: new.revision,
            current: draft.revision,
        }
        .into());
    }
    let base =
        version::base_document(tx, me, draft.integration, draft.base, &draft.document).await?;
    let earlier;
    let document = if new.revision == draft.revision {
        &draft.document
    } else {
        earlier = crate::draft::history::at(tx, me, draft.id, new.revision).await?;
        &earlier
    };
    Ok(new.anchor.quote(new.on_base, &base, document)?)
}

/// Checks a suggestion against the draft as it is now.
fn fits(
    under: &Under,
    (anchor, quoted): (&Anchor, Option<&Value>),
    on_base: bool,
    value: &Value,
) -> Result<()> {
    if on_base {
        let why = "It speaks of what was before the change.".to_owned();
        return Err(Refusal::SuggestionUnfit(why).into());
    }
    let draft = &under.draft.document;
    check_suggestion(draft, &anchor.clone().in_document(quoted, draft), value)?;
    Ok(())
}

/// A comment that is being written.
struct Said {
    thread: ThreadId,
    body: String,
    suggestion: Option<Value>,
    is_pending: bool,
}

impl Said {
    /// Keeps the comment and, unless it is pending, tells the others.
    async fn keep(self, tx: &mut Tx, me: &Me, under: &Under) -> Result<(CommentId, Vec<Changed>)> {
        let id = CommentId(Uuid::now_v7());
        sqlx::query!(
            "insert into comment (comment_id, thread_id, review_id, organization_id, account_id,
                    body, suggestion, sent_at)
             values ($1, $2, $3, $4, $5, $6, $7::text::json,
                    case when $8 then null else clock_timestamp() end)",
            id.0,
            self.thread.0,
            under.id.0,
            me.organization.0,
            me.account.0,
            self.body,
            self.suggestion.map(|value| value.to_string()),
            self.is_pending,
        )
        .execute(&mut **tx)
        .await?;
        if self.is_pending {
            return Ok((id, Vec::new()));
        }
        touch(tx, under.id).await?;
        let people = notify::participants(tx, me, under.id).await?;
        let message = Message::new(Happening::Commented, under.id).in_thread(Some(self.thread));
        let mut changes = notify::tell_all(tx, me, &self.body, &people, message).await?;
        changes.push(changed(me, under.id));
        let detail = json!({ "review": under.id, "thread": self.thread });
        audit::note(tx, me, "comment.write", id.0, detail).await?;
        Ok((id, changes))
    }
}

/// A comment that was pending.
pub(super) struct Sent {
    pub(super) thread: ThreadId,
    pub(super) body: String,
}

/// Sends all pending comments of `me` in a review.
pub(super) async fn send_pending(tx: &mut Tx, me: &Me, review: ReviewId) -> Result<Vec<Sent>> {
    let rows = sqlx::query!(
        "update comment set sent_at = clock_timestamp()
         where review_id = $1 and account_id = $2 and sent_at is null
         returning comment_id, thread_id, body",
        review.0,
        me.account.0,
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut rows: Vec<_> = rows.into_iter().collect();
    rows.sort_by_key(|row| row.comment_id);
    let sent = rows.into_iter().map(|row| Sent {
        thread: ThreadId(row.thread_id),
        body: row.body,
    });
    Ok(sent.collect())
}

/// Deletes a pending comment, and its thread when nothing else is in it.
async fn delete_pending(tx: &mut Tx, id: CommentId, thread: ThreadId) -> Result<()> {
    sqlx::query!("delete from comment where comment_id = $1", id.0)
        .execute(&mut **tx)
        .await?;
    sqlx::query!(
        "delete from thread where thread_id = $1
            and not exists (select from comment where comment.thread_id = $1)",
        thread.0,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
