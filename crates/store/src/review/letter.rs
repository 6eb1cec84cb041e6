//! Letters about reviews: which notifications are one, and what it says.

use std::time::Duration;

use domain::review::Happening;
use domain::review::letter::{Event, Letter, Said};
use domain::{ReviewId, ThreadId};
use sqlx::Acquire;
use uuid::Uuid;

use crate::error::unless_damaged;
use crate::outbox::{Claim, Claimed, Row};
use crate::{LETTER_LEASE, Result, Savepoint, Store, Tx};

/// Most notifications in one letter.
const AT_ONCE: i64 = 200;

/// A letter about a review that belongs to this process until [`LETTER_LEASE`] is over. Its id is
/// that of the newest notification in it.
pub type ClaimedLetter = Claimed<Letter>;

impl Store {
    /// Claims the letter about a review that is due for the longest time. What one member is told of
    /// one review within `gather` of the first notification becomes one letter. Whatever the member
    /// has read meanwhile, or gets as a member no more, is not sent.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn claim_letter(&self, gather: Duration) -> Result<Option<ClaimedLetter>> {
        let Some(mut tx) = self.begin_claim().await? else {
            return Ok(None);
        };
        forget_needless(&mut tx).await?;
        let claim = claim(&mut tx, gather).await?;
        let read = match &claim {
            Some(claim) => {
                let mut reading = tx.begin().await?;
                let read = read(&mut reading, claim).await;
                unless_damaged(reading, read).await?
            }
            None => Ok(None),
        };
        self.commit_claim(tx, claim, read).await
    }
}

/// Takes out of the outbox what is due and was read, or is for someone who left.
async fn forget_needless(tx: &mut Tx) -> Result<()> {
    sqlx::query!(
        "delete from mail using notification
         where mail.notification_id = notification.notification_id
            and state = 'waiting' and next_attempt <= now()
            and (read_at is not null or not exists (
                select from member
                where member.organization_id = notification.organization_id
                    and member.account_id = notification.account_id
            ))",
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn claim(tx: &mut Tx, gather: Duration) -> Result<Option<Claim>> {
    let rows = sqlx::query_as!(
        Row,
        "with due as (
             select account_id, review_id
             from mail join notification using (notification_id)
             where state = 'waiting' and next_attempt <= now()
                and (attempts > 0 or next_attempt <= now() - make_interval(secs => $1))
             order by next_attempt limit 1
         ), taken as (
             select mail_id
             from mail
             join notification using (notification_id)
             join due using (account_id, review_id)
             where state = 'waiting' and next_attempt <= now()
             order by mail_id limit $3
             for update of mail skip locked
         )
         update mail set attempts = attempts + 1,
                next_attempt = now() + make_interval(secs => $2)
         from taken where mail.mail_id = taken.mail_id
         returning mail.mail_id, attempts, next_attempt",
        gather.as_secs_f64(),
        LETTER_LEASE.as_secs_f64(),
        AT_ONCE,
    )
    .fetch_all(&mut **tx)
    .await?;
    Claim::of(&rows)
}

/// Reads what a letter says; `None` when nothing of it can be read.
async fn read(tx: &mut Savepoint<'_>, claim: &Claim) -> Result<Option<(Uuid, String, Letter)>> {
    let rows = sqlx::query!(
        r#"select notification_id, happening, thread_id, review_id, review.title,
                review.description, organization.name as organization_name,
                reader.name as reader_name, reader.email, actor.name as actor_name
           from notification
           join review using (review_id)
           join organization on organization.organization_id = notification.organization_id
           join account as reader on reader.account_id = notification.account_id
           join account as actor on actor.account_id = by_account
           where notification_id = any($1)
           order by notification.at, notification_id"#,
        &claim.mails,
    )
    .fetch_all(&mut **tx)
    .await?;
    let said = said(tx, &claim.mails).await?;
    let mut events = Vec::with_capacity(rows.len());
    let mut newest = None;
    for row in rows {
        // A newer version of Sluice may tell of what this one does not know.
        let Some(happening) = Happening::from_key(&row.happening) else {
            continue;
        };
        let own = said.iter().filter(|(of, _)| *of == row.notification_id);
        let mut texts: Vec<Said> = own.map(|(_, said)| said.clone()).collect();
        let tells_of_all = match happening {
            Happening::Asked => true,
            Happening::Mentioned => row.thread_id.is_none(),
            _ => false,
        };
        if tells_of_all && texts.is_empty() && !row.description.is_empty() {
            texts.push(Said {
                text: row.description,
                suggests: false,
            });
        }
        events.push(Event {
            happening,
            by: row.actor_name,
            thread: row.thread_id.map(ThreadId),
            said: texts,
        });
        let about = Letter {
            organization: row.organization_name,
            to: row.reader_name,
            review: ReviewId(row.review_id),
            title: row.title,
            events: Vec::new(),
        };
        newest = Some((row.notification_id, row.email, about));
    }
    Ok(newest.map(|(id, email, about)| (id, email, Letter { events, ..about })))
}

/// Returns what was said with each notification, oldest first: what its actor said in the review
/// just before it, and no earlier notification told.
async fn said(tx: &mut Savepoint<'_>, notifications: &[Uuid]) -> Result<Vec<(Uuid, Said)>> {
    let rows = sqlx::query!(
        r#"with said as (
               select review_id, account_id, message as text, false as suggests, at
               from decision where message <> ''
               union all
               select review_id, account_id, body, suggestion is not null,
                    coalesce(edited_at, sent_at)
               from comment where sent_at is not null and deleted_at is null
           )
           select notification_id, text as "text!", suggests as "suggests!"
           from notification
           join said on said.review_id = notification.review_id and said.account_id = by_account
           where notification_id = any($1)
                and happening in ('commented', 'mentioned', 'approved', 'rejected')
                and said.at <= notification.at and said.at > notification.at - interval '1 minute'
                and not exists (
                    select from notification as earlier
                    where earlier.organization_id = notification.organization_id
                        and earlier.account_id = notification.account_id
                        and earlier.review_id = notification.review_id
                        and earlier.by_account = notification.by_account
                        and earlier.at >= said.at and earlier.at < notification.at
                )
           order by said.at"#,
        notifications,
    )
    .fetch_all(&mut **tx)
    .await?;
    let said = rows.into_iter().map(|row| {
        let said = Said {
            text: row.text,
            suggests: row.suggests,
        };
        (row.notification_id, said)
    });
    Ok(said.collect())
}
