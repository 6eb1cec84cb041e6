//! Test events that come to a draft's own address.

use domain::account::Me;
use domain::draft::CaughtEvent;
use domain::policy::Act;
use domain::{DraftId, OrganizationId};
use serde_json::Value;

use crate::live::{Changed, What};
use crate::{Error, Result, Store, Tx, timestamp, token};

/// How many are kept per draft, the newest.
const KEPT: i64 = 20;

impl Store {
    /// Keeps a test event for the draft whose address was called; returns whether there is such
    /// a draft and it is open. Starts nothing.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn catch_event(&self, token: &str, payload: &Value) -> Result<bool> {
        if !token::is_address(token) {
            return Ok(false);
        }
        let mut tx = self.inner.system.begin().await?;
        // The lock keeps two events from each trimming what the other has not seen.
        let draft = sqlx::query!(
            "select draft_id, organization_id from draft
             where catch_token = $1 and state not in ('published', 'discarded')
             for no key update",
            token,
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(draft) = draft else { return Ok(false) };
        let (id, organization) = (
            DraftId(draft.draft_id),
            OrganizationId(draft.organization_id),
        );
        keep(&mut tx, organization, id, &payload.to_string()).await?;
        let what = What::Caught(id);
        self.commit(tx, vec![Changed { organization, what }])
            .await?;
        Ok(true)
    }

    /// Returns the test events that were caught for a draft, newest first, 20 at most.
    ///
    /// # Errors
    /// When the role does not allow it, or there is no such draft.
    pub async fn caught(&self, me: &Me, draft: DraftId) -> Result<Vec<CaughtEvent>> {
        let mut tx = self.begin(me, Act::SeePayloads).await?;
        let found = sqlx::query_scalar!(
            r#"select exists (
                   select from draft where organization_id = $1 and draft_id = $2
               ) as "found!""#,
            me.organization.0,
            draft.0,
        )
        .fetch_one(&mut *tx)
        .await?;
        if !found {
            return Err(Error::NotFound);
        }
        let rows = sqlx::query!(
            "select caught_at, payload from caught_event
             where organization_id = $1 and draft_id = $2
             order by caught_event_id desc",
            me.organization.0,
            draft.0,
        )
        .fetch_all(&mut *tx)
        .await?;
        let events = rows.into_iter().map(|row| CaughtEvent {
            caught_at: timestamp::read(row.caught_at),
            payload: row.payload,
        });
        Ok(events.collect())
    }
}

/// Keeps a test event of a draft, whose row is locked, and forgets the oldest of too many.
pub(crate) async fn keep(
    tx: &mut Tx,
    organization: OrganizationId,
    draft: DraftId,
    payload: &str,
) -> Result<()> {
    sqlx::query!(
        "insert into caught_event (draft_id, organization_id, payload)
         values ($1, $2, $3::text::json)",
        draft.0,
        organization.0,
        payload,
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "delete from caught_event where draft_id = $1 and caught_event_id <= (
            select caught_event_id from caught_event where draft_id = $1
            order by caught_event_id desc offset $2 limit 1
         )",
        draft.0,
        KEPT,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
