//! Alerts: who wants them, and the letters that say them. They are written by the journal, with
//! the end of the run that they are about, and with the answer to a poll.

pub(crate) mod polls;

use domain::account::Me;
use domain::alert::{Cause, Kind, Letter};
use domain::policy::Act;
use domain::run::{StepRecord, ended_at};
use domain::{Document, IntegrationId, RunId};
use serde_json::{Value, json};
use sqlx::Acquire;
use uuid::Uuid;

use crate::error::unless_damaged;
use crate::outbox::{Claim, Claimed, Row};
use crate::run::Folded;
use crate::{LETTER_LEASE, Result, Savepoint, Store, Tx, audit, timestamp};

/// Writes of a run, the last ones, among which a letter looks for the step that ended it.
const NEWEST: i64 = 20;
/// What these may have together, in bytes; more is not read for a name.
const NEWEST_BYTES: i64 = 16 * 1024 * 1024;

/// An alert that belongs to this process until [`LETTER_LEASE`] is over.
pub type ClaimedAlert = Claimed<Letter>;

impl Store {
    /// Returns whether `me` is told when integrations begin to fail, and recover: all of them as an
    /// Admin, else those whose live version `me` published.
    ///
    /// # Errors
    /// When the session ended.
    pub async fn wants_alerts(&self, me: &Me) -> Result<bool> {
        let mut tx = self.begin(me, Act::See).await?;
        let wants = sqlx::query_scalar!(
            "select wants_alerts from member where organization_id = $1 and account_id = $2",
            me.organization.0,
            me.account.0,
        )
        .fetch_one(&mut *tx)
        .await?;
        Ok(wants)
    }

    /// Says whether `me` is to be told when integrations begin to fail, and recover. What waits to
    /// be sent is not sent either.
    ///
    /// # Errors
    /// When the session ended.
    pub async fn set_wants_alerts(&self, me: &Me, wants: bool) -> Result<()> {
        let mut tx = self.begin(me, Act::See).await?;
        sqlx::query!(
            "update member set wants_alerts = $3 where organization_id = $1 and account_id = $2",
            me.organization.0,
            me.account.0,
            wants,
        )
        .execute(&mut *tx)
        .await?;
        let detail = json!({ "wants": wants });
        audit::note(&mut tx, me, "member.alerts", me.account.0, detail).await?;
        self.commit(tx, Vec::new()).await
    }

    /// Claims the alert that is due for the longest time. What someone does not want any more, or
    /// gets as a member no more, is not sent.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn claim_alert(&self) -> Result<Option<ClaimedAlert>> {
        let Some(mut tx) = self.begin_claim().await? else {
            return Ok(None);
        };
        forget_needless(&mut tx).await?;
        let claim = claim(&mut tx).await?;
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

/// Takes out of the outbox what is due, and is for someone who does not want it or left.
async fn forget_needless(tx: &mut Tx) -> Result<()> {
    sqlx::query!(
        "delete from mail using alert
         where mail.alert_id = alert.alert_id and state = 'waiting' and next_attempt <= now()
            and not exists (
                select from member
                where member.organization_id = alert.organization_id
                    and member.account_id = alert.account_id and wants_alerts
            )",
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn claim(tx: &mut Tx) -> Result<Option<Claim>> {
    let rows = sqlx::query_as!(
        Row,
        "with due as (
             select mail_id from mail
             where state = 'waiting' and next_attempt <= now() and alert_id is not null
             order by next_attempt limit 1
             for update skip locked
         )
         update mail set attempts = attempts + 1,
                next_attempt = now() + make_interval(secs => $1)
         from due where mail.mail_id = due.mail_id
         returning mail.mail_id, attempts, next_attempt",
        LETTER_LEASE.as_secs_f64(),
    )
    .fetch_all(&mut **tx)
    .await?;
    Claim::of(&rows)
}

/// Reads what an alert says; `None` when it cannot be read.
async fn read(tx: &mut Savepoint<'_>, claim: &Claim) -> Result<Option<(Uuid, String, Letter)>> {
    let row = sqlx::query!(
        r#"select alert.alert_id, kind, run_id, reason, since, integration_id,
                integration.name as integration_name, organization.name as organization_name,
                account.name as account_name, account.email
           from mail
           join alert using (alert_id)
           join integration using (integration_id)
           join organization on organization.organization_id = alert.organization_id
           join account using (account_id)
           where mail_id = any($1)"#,
        &claim.mails,
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let Some(kind) = Kind::from_key(&row.kind) else {
        return Ok(None);
    };
    let cause = match (row.run_id, kind) {
        (None, _) => Cause::Polls,
        (Some(run), Kind::Failing) => Cause::Runs {
            run: RunId(run),
            step: step(tx, run).await?,
        },
        (Some(run), Kind::Recovered) => Cause::Runs {
            run: RunId(run),
            step: None,
        },
    };
    let letter = Letter {
        kind,
        organization: row.organization_name,
        to: row.account_name,
        integration: IntegrationId(row.integration_id),
        name: row.integration_name,
        cause,
        reason: row.reason.unwrap_or_default(),
        since: timestamp::text(timestamp::read(row.since)),
    };
    Ok(Some((row.alert_id, row.email, letter)))
}

/// Returns the name of the step at which a run ended; `None` when it is not recorded at the end, the
/// run goes on meanwhile, or what is stored of it cannot be read: that may be why it ended, and must
/// not keep its letter, and all others behind it, from being sent.
async fn step(tx: &mut Savepoint<'_>, run: Uuid) -> Result<Option<String>> {
    let mut reading = tx.begin().await?;
    let stored = end_of(&mut reading, run).await;
    let named = match unless_damaged(reading, stored).await? {
        Ok(Some((body, rows))) => name_of_end(body, &rows).map_err(sqlx::Error::decode),
        Ok(None) => Ok(None),
        Err(error) => Err(error),
    };
    Ok(named.unwrap_or_else(|error| {
        tracing::warn!(%run, %error, "an alert does not say where its run ended");
        None
    }))
}

/// Returns the document of a run and its last records, as they are stored.
async fn end_of(tx: &mut Savepoint<'_>, run: Uuid) -> Result<Option<(Value, Vec<String>)>> {
    let body = sqlx::query_scalar!(
        "select body
         from run
         join document on document.organization_id = run.organization_id
            and document.hash = run.hash
         where run_id = $1",
        run,
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(body) = body else { return Ok(None) };
    let rows = sqlx::query_scalar!(
        r#"select records from (
               select seq, records, sum(octet_length(records)) over (order by seq desc) as bytes
               from run_record where run_id = $1
               order by seq desc limit $2
           ) as newest
           where bytes <= $3 order by seq"#,
        run,
        NEWEST,
        NEWEST_BYTES,
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(Some((body, rows)))
}

fn name_of_end(body: Value, rows: &[String]) -> Result<Option<String>, serde_json::Error> {
    let document: Document = serde_json::from_value(body)?;
    let mut folded = Folded::default();
    for row in rows {
        let row: Vec<StepRecord> = serde_json::from_str(row)?;
        row.into_iter().for_each(|record| folded.add(record));
    }
    // A step that has others within began before them, but perhaps so long ago that only its end is
    // among these.
    folded.records.sort_by_key(|record| record.started_at);
    let ended = ended_at(&folded.records, &document).pop();
    let step = ended.and_then(|record| document.steps.get(&record.path.step));
    Ok(step.map(|step| step.name.clone()))
}
