//! Notes who did what, in the transaction that does it: without a note nothing is done.

use domain::OrganizationId;
use domain::account::Me;
use serde_json::Value;
use uuid::Uuid;

use crate::{Result, Tx};

/// Notes that `me` did something to the thing with the id `subject`. `detail` holds ids, numbers
/// and names, never a secret or a payload.
pub(crate) async fn note(
    tx: &mut Tx,
    me: &Me,
    act: &str,
    subject: Uuid,
    detail: Value,
) -> Result<()> {
    write(
        tx,
        me.organization,
        Some(me.account.0),
        act,
        subject,
        detail,
    )
    .await
}

/// Notes what someone did who is no member yet, or the machinery itself.
pub(crate) async fn write(
    tx: &mut Tx,
    organization: OrganizationId,
    account: Option<Uuid>,
    act: &str,
    subject: Uuid,
    detail: Value,
) -> Result<()> {
    sqlx::query!(
        "insert into audit (organization_id, account_id, act, subject, detail)
         values ($1, $2, $3, $4, $5)",
        organization.0,
        account,
        act,
        subject,
        detail,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
