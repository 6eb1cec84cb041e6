//! Bounds the attempts to guess a password: ten in 15 minutes for each e-mail address.

use domain::canonical;
use sqlx::PgPool;

use crate::{Refusal, Result};

/// How many attempts may fail.
const ATTEMPTS: i32 = 10;
/// Addresses without an account that are remembered. More are not: guessing at those is of no use.
const STRANGERS: i64 = 50_000;

/// Counts an attempt, before it is known whether it fails; refuses it when there were too many.
pub(super) async fn count(system: &PgPool, email: &str, is_known: bool) -> Result<()> {
    sqlx::query!("delete from sign_in_failure where first_at < now() - interval '15 minutes'")
        .execute(system)
        .await?;
    let counted = sqlx::query!(
        r#"insert into sign_in_failure as failure (email_hash)
           select $1 where $2 or (select count(*) from sign_in_failure) < $3
           on conflict (email_hash) do update set failures = failure.failures + 1
           returning failures,
                greatest(1, extract(epoch from first_at + interval '15 minutes' - now()))::integer
                    as "retry_after_seconds!""#,
        canonical::sha256(email.as_bytes()),
        is_known,
        STRANGERS,
    )
    .fetch_optional(system)
    .await?;
    match counted {
        Some(counted) if counted.failures > ATTEMPTS => Err(Refusal::TooManyAttempts {
            retry_after_seconds: u32::try_from(counted.retry_after_seconds).unwrap_or(1),
        }
        .into()),
        _ => Ok(()),
    }
}

/// Forgets the failed attempts of an address: the password was right.
pub(super) async fn forget(system: &PgPool, email: &str) -> Result<()> {
    sqlx::query!(
        "delete from sign_in_failure where email_hash = $1",
        canonical::sha256(email.as_bytes()),
    )
    .execute(system)
    .await?;
    Ok(())
}
