//! What waits for a member: reviews, notifications, and the marks of what was seen. These marks
//! are a member's own and change nothing for others, so they are not noted in the audit.

use domain::account::Me;
use domain::policy::Act;
use domain::review::{Happening, Inbox, Notification, Refusal};
use domain::{NotificationId, ReviewId, ThreadId, limit};
use uuid::Uuid;

use super::facts::person;
use super::notify::notified;
use super::summary::{self, Which};
use crate::{Error, Result, Store, Tx, stored, timestamp};

/// Most open reviews in one inbox.
const OPEN: i64 = 200;
/// Reviews that ended, in one inbox.
const ENDED: i64 = 20;
/// Notifications in one inbox.
const NOTIFICATIONS: i64 = 50;
/// Longest key of a target, and longest digest, in bytes.
const MARK: usize = 200;

impl Store {
    /// Returns the reviews of the organization, those in which it is `me`'s turn first, and what
    /// `me` was told.
    ///
    /// # Errors
    /// When the session ended.
    pub async fn inbox(&self, me: &Me) -> Result<Inbox> {
        let mut tx = self.begin(me, Act::See).await?;
        let open = summary::read(&mut tx, me, Which::Open(OPEN)).await?;
        let ended = summary::read(&mut tx, me, Which::Ended(ENDED)).await?;
        let mut reviews: Vec<_> = open.iter().map(summary::Listed::summary).collect();
        // Stable: within both parts the newest change stays first.
        reviews.sort_by_key(|review| {
            let mut turns = review.turns.iter();
            !turns.any(|turn| turn.person.account == me.account)
        });
        Ok(Inbox {
            reviews,
            ended: ended.iter().map(summary::Listed::summary).collect(),
            notifications: notifications(&mut tx, me).await?,
        })
    }

    /// Returns how many notifications `me` has not seen.
    ///
    /// # Errors
    /// When the session ended.
    pub async fn unread_notifications(&self, me: &Me) -> Result<u32> {
        let mut tx = self.begin(me, Act::See).await?;
        let count = sqlx::query_scalar!(
            r#"select count(*) as "count!" from notification
               where organization_id = $1 and account_id = $2 and read_at is null"#,
            me.organization.0,
            me.account.0,
        )
        .fetch_one(&mut *tx)
        .await?;
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }

    /// Marks notifications of `me` as seen; all of them when none is named.
    ///
    /// # Errors
    /// When the session ended.
    pub async fn read_notifications(&self, me: &Me, ids: &[NotificationId]) -> Result<()> {
        let mut tx = self.begin(me, Act::See).await?;
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        let read = sqlx::query!(
            "update notification set read_at = clock_timestamp()
             where organization_id = $1 and account_id = $2 and read_at is null
                and (cardinality($3::uuid[]) = 0 or notification_id = any($3))",
            me.organization.0,
            me.account.0,
            &ids,
        )
        .execute(&mut *tx)
        .await?;
        let changes = match read.rows_affected() {
            0 => Vec::new(),
            _ => vec![notified(me, me.account)],
        };
        self.commit(tx, changes).await
    }

    /// Ticks a part of a change as viewed, with the digest of what was seen; `None` takes the tick
    /// back.
    ///
    /// # Errors
    /// When there is no such review, or the part is named by what cannot name one.
    pub async fn set_viewed(
        &self,
        me: &Me,
        id: ReviewId,
        target: &str,
        digest: Option<&str>,
    ) -> Result<()> {
        let mut tx = self.begin(me, Act::See).await?;
        current_revision(&mut tx, me, id).await?;
        let mark = |text: &str| text.len() <= MARK && !text.contains('\0');
        if !mark(target) || !digest.is_none_or(mark) {
            return Err(Refusal::NoSuchAnchor.into());
        }
        sqlx::query!(
            "delete from viewed where review_id = $1 and account_id = $2 and target = $3",
            id.0,
            me.account.0,
            target,
        )
        .execute(&mut *tx)
        .await?;
        if let Some(digest) = digest {
            let kept = sqlx::query!(
                "insert into viewed (review_id, account_id, target, digest, organization_id)
                 select $1, $2, $3, $4, $5
                 where (select count(*) from viewed where review_id = $1 and account_id = $2) < $6
                 on conflict (review_id, account_id, target) do update
                 set digest = excluded.digest",
                id.0,
                me.account.0,
                target,
                digest,
                me.organization.0,
                // The steps of both documents, the trigger and the settings.
                i64::try_from(2 * limit::STEPS + 2).unwrap_or(i64::MAX),
            )
            .execute(&mut *tx)
            .await?;
            if kept.rows_affected() == 0 {
                return Err(Refusal::TooMany.into());
            }
        }
        self.commit(tx, Vec::new()).await
    }

    /// Notes that `me` looked at a review at a revision; what `me` was told of it is seen by that.
    ///
    /// # Errors
    /// When there is no such review.
    pub async fn looked_at_review(&self, me: &Me, id: ReviewId, revision: u32) -> Result<()> {
        let mut tx = self.begin(me, Act::See).await?;
        let current = current_revision(&mut tx, me, id).await?;
        sqlx::query!(
            "insert into looked (review_id, account_id, revision, organization_id)
             values ($1, $2, $3, $4)
             on conflict (review_id, account_id) do update
             set revision = greatest(looked.revision, excluded.revision), at = excluded.at",
            id.0,
            me.account.0,
            stored(revision).unwrap_or(i32::MAX).min(current),
            me.organization.0,
        )
        .execute(&mut *tx)
        .await?;
        let read = sqlx::query!(
            "update notification set read_at = clock_timestamp()
             where organization_id = $1 and account_id = $2 and read_at is null and review_id = $3",
            me.organization.0,
            me.account.0,
            id.0,
        )
        .execute(&mut *tx)
        .await?;
        let changes = match read.rows_affected() {
            0 => Vec::new(),
            _ => vec![notified(me, me.account)],
        };
        self.commit(tx, changes).await
    }
}

/// Returns the revision of the draft that a review is about, as it is stored.
async fn current_revision(tx: &mut Tx, me: &Me, id: ReviewId) -> Result<i32> {
    let revision = sqlx::query_scalar!(
        "select revision from review join draft using (draft_id)
         where review.organization_id = $1 and review_id = $2",
        me.organization.0,
        id.0,
    )
    .fetch_optional(&mut **tx)
    .await?;
    revision.ok_or(Error::NotFound)
}

async fn notifications(tx: &mut Tx, me: &Me) -> Result<Vec<Notification>> {
    let rows = sqlx::query!(
        r#"select notification_id, happening, by_account, account.name, review_id, review.title,
                thread_id, at, read_at is not null as "is_read!"
           from notification
           join review using (review_id)
           join account on account.account_id = by_account
           where notification.organization_id = $1 and notification.account_id = $2
           order by notification_id desc
           limit $3"#,
        me.organization.0,
        me.account.0,
        NOTIFICATIONS,
    )
    .fetch_all(&mut **tx)
    .await?;
    let rows = rows.into_iter().map(|row| {
        let unknown = || sqlx::Error::Decode(format!("no happening `{}`", row.happening).into());
        Ok(Notification {
            id: NotificationId(row.notification_id),
            happening: Happening::from_key(&row.happening).ok_or_else(unknown)?,
            by: person(row.by_account, row.name),
            review: ReviewId(row.review_id),
            title: row.title,
            thread: row.thread_id.map(ThreadId),
            at: timestamp::read(row.at),
            is_read: row.is_read,
        })
    });
    rows.collect()
}
