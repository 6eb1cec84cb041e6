//! The outbox of e-mails: which process sends which letter, and what became of it.
//!
//! A letter is about a review (`review::letter`) or an alert (`alert`); here is what they have in
//! common. A claim is a lease: whoever was to send a letter and went silent loses it to another
//! process, and what it still says of it is refused. A letter goes out at least once, and more than
//! once only when a process ended between its acceptance and the note of that.

use std::time::Duration;

use domain::letter::pause_after;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{Result, Store, Tx, number};

/// For how long a claim holds. Sending takes less, or is given up.
pub const LETTER_LEASE: Duration = Duration::from_secs(150);

/// Held while a letter is claimed, so that no two processes divide one between them.
const CLAIMING: i64 = 0x6c65_7474_6572;
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
pub struct Claimed<L> {
    /// Names the letter. One that is sent again without news has the same.
    pub id: Uuid,
    /// Where to send it.
    pub email: String,
    /// What it says.
    pub letter: L,
    claim: Claim,
}

/// Rows of the outbox that go out as one letter.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub(crate) mails: Vec<Uuid>,
    attempts: u32,
    /// The end of the lease, by which the claim is known again.
    until: OffsetDateTime,
}

/// A row of the outbox that was just claimed.
pub(crate) struct Row {
    pub(crate) mail_id: Uuid,
    pub(crate) attempts: i32,
    pub(crate) next_attempt: OffsetDateTime,
}

impl Claim {
    /// Returns the claim on rows that were claimed together; `None` without rows.
    pub(crate) fn of(rows: &[Row]) -> Result<Option<Self>> {
        let Some(first) = rows.first() else {
            return Ok(None);
        };
        let attempts = rows.iter().map(|row| row.attempts).max().unwrap_or(1);
        Ok(Some(Self {
            mails: rows.iter().map(|row| row.mail_id).collect(),
            attempts: number(attempts)?,
            until: first.next_attempt,
        }))
    }
}

impl Store {
    /// Begins to claim a letter; `None` while another process does.
    pub(crate) async fn begin_claim(&self) -> Result<Option<Tx>> {
        let mut tx = self.inner.system.begin().await?;
        let is_free = sqlx::query_scalar!(
            r#"select pg_try_advisory_xact_lock($1) as "free!""#,
            CLAIMING
        )
        .fetch_one(&mut *tx)
        .await?;
        Ok(is_free.then_some(tx))
    }

    /// Commits a claim. A letter of which nothing can be read fails.
    pub(crate) async fn commit_claim<L>(
        &self,
        tx: Tx,
        claim: Option<Claim>,
        read: Result<Option<(Uuid, String, L)>, sqlx::Error>,
    ) -> Result<Option<Claimed<L>>> {
        tx.commit().await?;
        let Some(claim) = claim else { return Ok(None) };
        let why = read.as_ref().err().map(ToString::to_string);
        let Ok(Some((id, email, letter))) = read else {
            tracing::error!(mails = ?claim.mails, why, "a letter cannot be read");
            self.end_letter(&claim, "failed", Some(UNREADABLE)).await?;
            return Ok(None);
        };
        Ok(Some(Claimed {
            id,
            email,
            letter,
            claim,
        }))
    }

    /// Notes that a letter was accepted by the SMTP server.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn letter_sent<L>(&self, letter: &Claimed<L>) -> Result<()> {
        self.end_letter(&letter.claim, "sent", None).await
    }

    /// Notes that a letter can never be sent, and why.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn letter_failed<L>(&self, letter: &Claimed<L>, reason: &str) -> Result<()> {
        self.end_letter(&letter.claim, "failed", Some(reason)).await
    }

    /// Notes that a letter could not be sent now, and why; it is tried again later.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn letter_delayed<L>(&self, letter: &Claimed<L>, reason: &str) -> Result<()> {
        let claim = &letter.claim;
        let pause = f64::from(pause_after(claim.attempts));
        sqlx::query!(
            "update mail set next_attempt = now() + make_interval(secs => $3), error = $4
             where mail_id = any($1) and state = 'waiting' and next_attempt = $2",
            &claim.mails,
            claim.until,
            pause,
            cut(reason),
        )
        .execute(&self.inner.system)
        .await?;
        Ok(())
    }

    /// Gives up the letters that could not be sent for a day, or that no process sends because no
    /// SMTP server is set up; returns of how many notifications and alerts.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn give_up_letters(&self) -> Result<u64> {
        let given_up = sqlx::query!(
            "with old as (
                 select mail_id
                 from mail
                 left join notification using (notification_id)
                 left join alert using (alert_id)
                 where state = 'waiting' and next_attempt <= now()
                    and coalesce(notification.at, alert.at) <= now() - make_interval(secs => $1)
             )
             update mail set state = 'failed', error = coalesce(error, $2)
             from old
             where mail.mail_id = old.mail_id and state = 'waiting' and next_attempt <= now()",
            USEFUL.as_secs_f64(),
            NO_SERVER,
        )
        .execute(&self.inner.system)
        .await?;
        Ok(given_up.rows_affected())
    }

    async fn end_letter(&self, claim: &Claim, state: &str, reason: Option<&str>) -> Result<()> {
        sqlx::query!(
            "update mail set state = $3, error = $4
             where mail_id = any($1) and state = 'waiting' and next_attempt = $2",
            &claim.mails,
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
