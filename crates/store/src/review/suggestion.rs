//! Applying a suggested value: a save of the draft by whoever applies it.

use domain::CommentId;
use domain::account::Me;
use domain::draft;
use domain::policy::Act;
use domain::review::Refusal;
use domain::review::thread::check_suggestion;
use serde_json::json;
use uuid::Uuid;

use super::lock;
use super::standing::{changed, touch};
use super::thread::find_comment;
use crate::draft::Kept;
use crate::{Error, Result, Store, audit, stored};

impl Store {
    /// Applies a suggestion as a new revision of the draft, and resolves its thread; returns the
    /// revision. Whoever applies it is an author of the draft from then on.
    ///
    /// # Errors
    /// When the role does not allow it, there is no such suggestion, it was applied or deleted,
    /// the review is over, the draft is at another revision, or the value does not fit any more.
    pub async fn apply_suggestion(&self, me: &Me, id: CommentId, expected: u32) -> Result<u32> {
        let mut tx = self.begin(me, Act::EditDraft).await?;
        let review = find_comment(&mut tx, me, id).await?.review;
        let under = lock(&mut tx, me, review).await?.open()?;
        let comment = find_comment(&mut tx, me, id).await?;
        if comment.is_pending || comment.is_deleted {
            return Err(Error::NotFound);
        }
        let value = comment.suggestion.ok_or(Error::NotFound)?;
        let locked = under.draft;
        if locked.revision != expected {
            let current = locked.revision;
            return Err(draft::Refusal::Moved { current }.into());
        }
        if comment.is_applied {
            let why = "It was applied already.".to_owned();
            return Err(Refusal::SuggestionUnfit(why).into());
        }
        let anchor = comment.anchor;
        let anchor = anchor.in_document(comment.quoted.as_ref(), &locked.document);
        let edits = vec![check_suggestion(&locked.document, &anchor, &value)?];
        let kept = Kept {
            save: Uuid::now_v7(),
            document: draft::edited(&locked.document, &edits)?,
            edits,
            base: locked.base,
            suggested_by: Some(comment.by),
            authored: true,
        };
        let (revision, mut changes) = locked.keep(&mut tx, me, kept).await?;
        sqlx::query!(
            "update comment set applied_by = $2, applied_revision = $3 where comment_id = $1",
            id.0,
            me.account.0,
            stored(revision)?,
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!(
            "update thread set resolved_by = $2, resolved_at = clock_timestamp()
             where thread_id = $1 and resolved_at is null",
            comment.thread.0,
            me.account.0,
        )
        .execute(&mut *tx)
        .await?;
        touch(&mut tx, review).await?;
        changes.push(changed(me, review));
        let detail = json!({ "review": review, "revision": revision, "by": comment.by });
        audit::note(&mut tx, me, "comment.apply", id.0, detail).await?;
        self.commit(tx, changes).await?;
        Ok(revision)
    }
}
