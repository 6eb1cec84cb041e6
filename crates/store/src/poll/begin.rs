//! When polling begins, goes on, and begins anew.

use domain::account::Me;
use domain::policy::Act;
use domain::poll::{Poll, Refusal, Restart, When};
use domain::{IntegrationId, OrganizationId};
use serde_json::{Value, json};

use crate::{Result, Store, Tx, alert, audit, document, integration, timestamp, version};

impl Store {
    /// Lets the polling of an integration begin anew: what it knows is forgotten.
    ///
    /// # Errors
    /// When the role does not allow it, there is no such integration, what is live of it does not
    /// poll, or a cursor is given that is none.
    pub async fn restart_poll(&self, me: &Me, id: IntegrationId, restart: Restart) -> Result<()> {
        let mut tx = self.begin(me, Act::Operate).await?;
        // First the lock, then what is live, in a statement of its own: one that waits for a publish
        // would see what was live before it.
        version::lock_integration(&mut tx, me, id).await?;
        let found = sqlx::query!(
            r#"select enabled, body as "body?"
               from integration
               left join version on version_id = live_version_id and trigger = 'poll'
               left join document on document.organization_id = $1
                    and document.hash = version.hash
               where integration.organization_id = $1 and integration.integration_id = $2"#,
            me.organization.0,
            id.0,
        )
        .fetch_one(&mut *tx)
        .await?;
        let live = found.body.map(document::read).transpose()?;
        let poll = live.as_ref().and_then(Poll::of);
        let poll = poll.ok_or(crate::Refusal::Poll(Refusal::OtherTrigger))?;
        let cursor = poll.restarted(&restart).map_err(crate::Refusal::Poll)?;
        sqlx::query!(
            "update poll
             set fence = fence + 1, lease_until = null, cursor = $2::text::json,
                is_begun = false, starts_with_all = $3, started = 0, error = null, failures = 0,
                failing_since = null, next_at = case when $4 then now() end
             where integration_id = $1",
            id.0,
            cursor.as_ref().map(Value::to_string),
            restart != Restart::Now,
            found.enabled,
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!("delete from poll_item where integration_id = $1", id.0)
            .execute(&mut *tx)
            .await?;
        let detail = json!({ "from": restart });
        audit::note(&mut tx, me, "integration.restart_poll", id.0, detail).await?;
        self.commit(tx, vec![integration::changed(me, id)]).await
    }
}

/// Lets polling begin or go on when what is live polls and is enabled; else stops it. That is at
/// once, but at the next set time where it polls at some and only goes on: it knows already what is
/// old, and what was due stays due. Answers that are on their way are refused. What is known stays known, and is gone on with as
/// [`Poll::after`] has it, compared with what was polled last, however long ago.
pub(crate) async fn set(
    tx: &mut Tx,
    organization: OrganizationId,
    integration: IntegrationId,
) -> Result<()> {
    let live = sqlx::query!(
        r#"select body, enabled, now() as "now!"
           from integration
           join version on version_id = live_version_id
           join document on document.organization_id = $1 and document.hash = version.hash
           where integration.integration_id = $2 and trigger = 'poll'"#,
        organization.0,
        integration.0,
    )
    .fetch_optional(&mut **tx)
    .await?;
    let is_enabled = live.as_ref().is_some_and(|live| live.enabled);
    let now = live.as_ref().map(|live| timestamp::read(live.now));
    let live = live.map(|live| document::read(live.body)).transpose()?;
    let polled = live.as_ref().and_then(Poll::of);
    let is_polled = polled.is_some();
    if let (Some(poll), Some(now)) = (polled.filter(|_| is_enabled), now) {
        let goes_on_at = match poll.when {
            When::Every(_) => now,
            When::At { .. } => engine::poll::next(&poll, now),
        };
        sqlx::query!(
            "insert into poll (integration_id, organization_id, next_at, list_key, cursor_key)
             values ($1, $2, now(), $3, $4)
             on conflict (integration_id) do update
                set next_at = case
                        when poll.is_begun and poll.list_key = excluded.list_key
                            and coalesce(poll.next_at > now(), true)
                        then $5 else now() end,
                    fence = poll.fence + 1, lease_until = null, failures = 0,
                    failing_since = null, list_key = excluded.list_key, cursor_key = excluded.cursor_key,
                    is_begun = poll.is_begun and poll.list_key = excluded.list_key,
                    started = case when poll.list_key = excluded.list_key
                        then poll.started else 0 end,
                    cursor = case when poll.cursor_key = excluded.cursor_key then poll.cursor end,
                    starts_with_all = case
                        when poll.list_key = excluded.list_key
                            and poll.cursor_key = excluded.cursor_key
                        then poll.starts_with_all end",
            integration.0,
            organization.0,
            poll.list_key(),
            poll.cursor_key(),
            timestamp::write(goes_on_at),
        )
        .execute(&mut **tx)
        .await?;
    } else {
        sqlx::query!(
            "update poll set next_at = null, fence = fence + 1, lease_until = null
             where integration_id = $1",
            integration.0,
        )
        .execute(&mut **tx)
        .await?;
    }
    if !is_polled {
        // After the row of the poll is locked, as by whoever takes an answer.
        alert::polls::forget(tx, integration).await?;
    }
    Ok(())
}
