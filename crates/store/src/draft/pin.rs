//! Pinned outputs: what tests of a draft use instead of running a step.

use std::collections::BTreeMap;

use domain::account::Me;
use domain::draft::{self, Pin};
use domain::policy::{self, Act};
use domain::{DraftId, StepId};
use serde_json::{Value, json};

use crate::live::{Changed, What};
use crate::run::check;
use crate::{Error, Result, Store, Tx, audit, timestamp};

impl Store {
    /// Returns the pinned outputs of a draft; without the outputs themselves when the role may not
    /// see payloads.
    ///
    /// # Errors
    /// When there is no such draft in the organization.
    pub async fn pins(&self, me: &Me, draft: DraftId) -> Result<Vec<Pin>> {
        let (mut tx, role) = self.enter(me).await?;
        policy::allow(role, Act::See)?;
        let shown = policy::allow(role, Act::SeePayloads).is_ok();
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
            "select step_id, output, name, pinned_at
             from pin join account on account_id = pinned_by
             where organization_id = $1 and draft_id = $2
             order by pinned_at, step_id",
            me.organization.0,
            draft.0,
        )
        .fetch_all(&mut *tx)
        .await?;
        let pins = rows.into_iter().map(|row| Pin {
            step: StepId(row.step_id),
            output: shown.then_some(row.output),
            pinned_by: row.name,
            pinned_at: timestamp::read(row.pinned_at),
        });
        Ok(pins.collect())
    }

    /// Pins the output of a draft's step, or takes the pin off with `None`. The document, its
    /// revision and its review stay as they are.
    ///
    /// # Errors
    /// When the role does not allow it, there is no such draft, it is closed, it has no such step,
    /// the step cannot be pinned, or the output is too large.
    pub async fn pin(
        &self,
        me: &Me,
        draft: DraftId,
        step: StepId,
        output: Option<Value>,
    ) -> Result<()> {
        let mut tx = self.begin(me, Act::EditDraft).await?;
        let output = output.map(|output| check::payload(&output)).transpose()?;
        let locked = super::lock(&mut tx, me, draft).await?;
        if !locked.state.is_open() {
            return Err(draft::Refusal::Closed(locked.state).into());
        }
        let is_pinned = output.is_some();
        match output {
            Some(output) => {
                draft::check_pin(&locked.document, step)?;
                sqlx::query!(
                    "insert into pin (draft_id, step_id, organization_id, output, pinned_by)
                     values ($1, $2, $3, $4::text::json, $5)
                     on conflict (draft_id, step_id) do update set
                        output = excluded.output, pinned_by = excluded.pinned_by,
                        pinned_at = now()",
                    draft.0,
                    step.0,
                    me.organization.0,
                    output,
                    me.account.0,
                )
                .execute(&mut *tx)
                .await?;
            }
            None => {
                sqlx::query!(
                    "delete from pin where draft_id = $1 and step_id = $2",
                    draft.0,
                    step.0,
                )
                .execute(&mut *tx)
                .await?;
            }
        }
        let detail = json!({ "step": step, "pinned": is_pinned });
        audit::note(&mut tx, me, "draft.pin", draft.0, detail).await?;
        let changed = Changed {
            organization: me.organization,
            what: What::Pinned(draft),
        };
        self.commit(tx, vec![changed]).await?;
        Ok(())
    }
}

/// Returns the pinned outputs of the steps that a document has.
pub(crate) async fn of(
    tx: &mut Tx,
    draft: DraftId,
    document: &domain::Document,
) -> Result<BTreeMap<StepId, Value>> {
    let rows = sqlx::query!(
        "select step_id, output from pin where draft_id = $1",
        draft.0
    )
    .fetch_all(&mut **tx)
    .await?;
    let pins = rows
        .into_iter()
        .map(|row| (StepId(row.step_id), row.output));
    Ok(pins
        .filter(|(step, _)| draft::check_pin(document, *step).is_ok())
        .collect())
}
