//! Alerts about polls, written in the transaction that takes what came of one. The rules are those
//! of the journal's statement for runs (`journal::statement`): one letter when it begins, one when
//! it is over, and what fails and recovers by turns is told seldom.

use domain::alert::QUIET_SECONDS;
use domain::{IntegrationId, OrganizationId, Timestamp};

use crate::{Result, Tx, timestamp};

/// Says that the polls of an integration fail, since `since` and for this reason. Does nothing when
/// that is known; returns whether it was not.
///
/// Whoever calls it has the row of the poll locked, or its claim.
pub(crate) async fn begin(
    tx: &mut Tx,
    organization: OrganizationId,
    integration: IntegrationId,
    since: Timestamp,
    reason: &str,
) -> Result<bool> {
    let began = sqlx::query_scalar!(
        r#"with began as (
               insert into failing (integration_id, cause, organization_id, since, alert_at)
               values ($1, 'polls', $2, $3, now())
               on conflict (integration_id, cause) do update
               set since = excluded.since,
                    alert_at = greatest(excluded.alert_at,
                        failing.alerted_at + make_interval(secs => $5))
               where failing.since is null
               returning since, alert_at
           ), alerted as (
               insert into alert (organization_id, account_id, integration_id, kind, cause, reason,
                    since)
               select organization_id, account_id, integration_id, 'failing', 'polls', $4, since
               from began cross join alert_reader
               where integration_id = $1
               returning alert_id, organization_id
           ), mailed as (
               insert into mail (mail_id, organization_id, alert_id, next_attempt)
               select alert_id, organization_id, alert_id, alert_at from alerted cross join began
           )
           select exists (select from began) as "began!""#,
        integration.0,
        organization.0,
        timestamp::write(since),
        reason,
        f64::from(QUIET_SECONDS),
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(began)
}

/// Says that the polls of an integration do not fail any more: one was answered. Who was told that
/// they fail is told that, too; a letter that still waited is taken back. Does nothing when they did
/// not fail; returns whether they did.
pub(crate) async fn end(tx: &mut Tx, integration: IntegrationId) -> Result<bool> {
    over(tx, integration, true).await
}

/// Says that there is nothing to be polled any more: nobody is told that it works again.
pub(crate) async fn forget(tx: &mut Tx, integration: IntegrationId) -> Result<()> {
    over(tx, integration, false).await.map(|_| ())
}

async fn over(tx: &mut Tx, integration: IntegrationId, tells: bool) -> Result<bool> {
    let ended = sqlx::query_scalar!(
        r#"with mended as (
               select integration_id, since, alert_at <= now() as was_told from failing
               where integration_id = $1 and cause = 'polls' and since is not null
               for update
           ), recovered as (
               update failing
               set since = null,
                    alerted_at = case when was_told then alert_at else alerted_at end
               from mended
               where failing.integration_id = mended.integration_id and cause = 'polls'
           ), taken_back as (
               delete from alert using mended
               where alert.integration_id = mended.integration_id and not was_told
                    and cause = 'polls' and kind = 'failing' and alert.since = mended.since
           ), alerted as (
               insert into alert (organization_id, account_id, integration_id, kind, cause, since)
               select organization_id, account_id, integration_id, 'recovered', 'polls', since
               from mended join alert_reader using (integration_id)
               where was_told and $2
               returning alert_id, organization_id
           ), mailed as (
               insert into mail (mail_id, organization_id, alert_id, next_attempt)
               select alert_id, organization_id, alert_id, now() from alerted
           )
           select exists (select from mended) as "ended!""#,
        integration.0,
        tells,
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(ended)
}
