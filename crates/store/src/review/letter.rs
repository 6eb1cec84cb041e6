//! The outbox of e-mails: which process sends which letter, and what became of it.
//!
//! A claim is a lease: whoever was to send a letter and went silent loses it to another process,
//! and what it still says of it is refused. A letter goes out at least once, and more than once
//! only when a process ended between its acceptance and the note of that.

use std::time::Duration;

use domain::review::Happening;
use domain::review::letter::{Event, Letter, Said, pause_after};
use domain::{NotificationId, ReviewId, ThreadId};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{Result, Store, Tx, number};

/// For how long a claim holds. Sending takes less, or is given up.
pub const LETTER_LEASE: Duration = Duration::from_secs(150);

/// Held while a letter is claimed, so that no two processes divide one between them.
const CLAIMING: i64 = 0x6c65_7474_6572;
/// Most notifications in one letter.
const AT_ONCE: i64 = 200;
/// After this time a letter that nobody could send is of no use any more.
const USEFUL: Duration = Duration::from_secs(24 * 60 * 60);
/// Longest reason that is kept, in characters.
const REASON: usize = 500;
/// What is said of a letter that is not stored as it should be.
const UNREADABLE: &str = "What is stored of it cannot be read.";
/// What is said of a letter that no process tried to send.
const NO_SERVER: &str = "No SMTP server is set up.";

/// A letter that belongs to this process until [`LETTER_LEASE`] is over.
#[derive(Clone, Debug)]
pub struct ClaimedLetter {
    /// The newest notification in it. A letter that is sent again without news has the same.
    pub id: NotificationId,
    /// Where to send it.
    pub email: String,
    /// What it says.
    pub letter: Letter,
    claim: Claim,
}

#[derive(Clone, Debug)]
struct Claim {
    notifications: Vec<Uuid>,
    attempts: u32,
    /// The end of the lease, by which the claim is known again.
    until: OffsetDateTime,
}

impl Store {
    /// Claims the letter that is due for the longest time. What one member is told of one review
    /// within `gather` of the first notification becomes one letter. Whatever the member has read
    /// meanwhile, or gets as a member no more, is not sent.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn claim_letter(&self, gather: Duration) -> Result<Option<ClaimedLetter>> {
        let mut tx = self.inner.system.begin().await?;
        let is_free = sqlx::query_scalar!(
            r#"select pg_try_advisory_xact_lock($1) as "free!""#,
            CLAIMING
        )
        .fetch_one(&mut *tx)
        .await?;
        if !is_free {
            return Ok(None);
        }
        forget_needless(&mut tx).await?;
        let Some(claim) = claim(&mut tx, gather).await? else {
            tx.commit().await?;
            return Ok(None);
        };
        let claimed = read(&mut tx, claim.clone()).await?;
        tx.commit().await?;
        if claimed.is_none() {
            tracing::error!(notifications = ?claim.notifications, "a letter cannot be read");
            self.end(&claim, "failed", Some(UNREADABLE)).await?;
        }
        Ok(claimed)
    }

    /// Notes that a letter was accepted by the SMTP server.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn letter_sent(&self, letter: &ClaimedLetter) -> Result<()> {
        self.end(&letter.claim, "sent", None).await
    }

    /// Notes that a letter can never be sent, and why.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn letter_failed(&self, letter: &ClaimedLetter, reason: &str) -> Result<()> {
        self.end(&letter.claim, "failed", Some(reason)).await
    }

    /// Notes that a letter could not be sent now, and why; it is tried again later.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn letter_delayed(&self, letter: &ClaimedLetter, reason: &str) -> Result<()> {
        let claim = &letter.claim;
        let pause = f64::from(pause_after(claim.attempts));
        sqlx::query!(
            "update mail set next_attempt = now() + make_interval(secs => $3), error = $4
             where notification_id = any($1) and state = 'waiting' and next_attempt = $2",
            &claim.notifications,
            claim.until,
            pause,
            cut(reason),
        )
        .execute(&self.inner.system)
        .await?;
        Ok(())
    }

    /// Gives up the letters that could not be sent for a day, or that no process sends because no
    /// SMTP server is set up; returns of how many notifications.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn give_up_letters(&self) -> Result<u64> {
        let given_up = sqlx::query!(
            "update mail set state = 'failed', error = coalesce(error, $2)
             from notification
             where mail.notification_id = notification.notification_id
                and state = 'waiting' and next_attempt <= now()
                and at <= now() - make_interval(secs => $1)",
            USEFUL.as_secs_f64(),
            NO_SERVER,
        )
        .execute(&self.inner.system)
        .await?;
        Ok(given_up.rows_affected())
    }

    async fn end(&self, claim: &Claim, state: &str, reason: Option<&str>) -> Result<()> {
        sqlx::query!(
            "update mail set state = $3, error = $4
             where notification_id = any($1) and state = 'waiting' and next_attempt = $2",
            &claim.notifications,
            claim.until,
            state,
            reason.map(cut),
        )
        .execute(&self.inner.system)
        .await?;
        Ok(())
    }
}

fn cut(reason: &str) -> String {
    // Postgres keeps no NUL in a text.
    let clean = reason.chars().filter(|c| *c != '\0');
    clean.take(REASON).collect()
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
    let rows = sqlx::query!(
        "with due as (
             select account_id, review_id
             from mail join notification using (notification_id)
             where state = 'waiting' and next_attempt <= now()
                and (attempts > 0 or next_attempt <= now() - make_interval(secs => $1))
             order by next_attempt limit 1
         ), taken as (
             select mail.notification_id
             from mail
             join notification using (notification_id)
             join due using (account_id, review_id)
             where state = 'waiting' and next_attempt <= now()
             order by mail.notification_id limit $3
             for update of mail skip locked
         )
         update mail set attempts = attempts + 1,
                next_attempt = now() + make_interval(secs => $2)
         from taken where mail.notification_id = taken.notification_id
         returning mail.notification_id, attempts, next_attempt",
        gather.as_secs_f64(),
        LETTER_LEASE.as_secs_f64(),
        AT_ONCE,
    )
    .fetch_all(&mut **tx)
    .await?;
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    let until = first.next_attempt;
    let attempts = rows.iter().map(|row| row.attempts).max().unwrap_or(1);
    Ok(Some(Claim {
        notifications: rows.iter().map(|row| row.notification_id).collect(),
        attempts: number(attempts)?,
        until,
    }))
}

/// Reads what a letter says; `None` when nothing of it can be read.
async fn read(tx: &mut Tx, claim: Claim) -> Result<Option<ClaimedLetter>> {
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
        &claim.notifications,
    )
    .fetch_all(&mut **tx)
    .await?;
    let said = said(tx, &claim.notifications).await?;
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
        newest = Some((NotificationId(row.notification_id), row.email, about));
    }
    Ok(newest.map(|(id, email, about)| ClaimedLetter {
        id,
        email,
        letter: Letter { events, ..about },
        claim,
    }))
}

/// Returns what was said with each notification, oldest first: what its actor said in the review
/// just before it, and no earlier notification told.
async fn said(tx: &mut Tx, notifications: &[Uuid]) -> Result<Vec<(Uuid, Said)>> {
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
