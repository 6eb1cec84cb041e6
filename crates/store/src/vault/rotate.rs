//! Seals all secrets anew, under new data keys and another master key, while everything runs.
//!
//! Each organization gets a new data key, wrapped by the master key that wraps now; whoever seals
//! from then on takes it. Then what is sealed under older ones is opened and sealed again, some rows
//! at a time; in between, both open. At last the data keys that nothing is sealed under are deleted,
//! and with them the older master key is of no use any more. What is left to do stands in the rows
//! themselves: whoever stops in the middle, and begins anew, goes on there.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use chacha20poly1305::XChaCha20Poly1305;
use domain::OrganizationId;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Place, Vault, decrypt, newly_wrapped, split};
use crate::{Result, Store, audit};

/// Secrets that are sealed anew in one transaction: few enough that whoever wants one of them does
/// not wait for long.
const BATCH: i64 = 200;

/// How far sealing anew has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resealed {
    /// Organizations that got a new data key.
    pub organizations: u64,
    /// Secrets that were sealed anew.
    pub secrets: u64,
    /// Data keys that were deleted.
    pub deleted: u64,
    /// Data keys that another master key wraps than the one that wraps now; that one is needed until
    /// there are none, as at the end.
    pub left: u64,
}

/// A secret as it lies in its table.
struct Row {
    organization: OrganizationId,
    kind: &'static str,
    id: Uuid,
    inside: String,
    /// What else names the row.
    key: (Uuid, String, String),
    sealed: Vec<u8>,
}

/// The tables that hold secrets.
#[derive(Clone, Copy, Debug)]
enum Table {
    Signing,
    Connection,
    Access,
    Refresh,
    Consent,
}

impl Table {
    const ALL: [Table; 5] = [
        Table::Signing,
        Table::Connection,
        Table::Access,
        Table::Refresh,
        Table::Consent,
    ];

    /// Returns some rows that are sealed under an older data key, locked; those that someone else
    /// has locked are left for later.
    async fn older(self, connection: &mut PgConnection) -> Result<Vec<Row>> {
        macro_rules! rows {
            ($kind:literal, $query:literal, |$row:ident| $of:expr) => {{
                let rows = sqlx::query!($query, BATCH).fetch_all(connection).await?;
                let rows = rows.into_iter().map(|$row| {
                    let (organization, id, inside, key, sealed): (Uuid, Uuid, String, _, Vec<u8>) =
                        $of;
                    Row {
                        organization: OrganizationId(organization),
                        kind: $kind,
                        id,
                        inside,
                        key,
                        sealed,
                    }
                });
                Ok(rows.collect())
            }};
        }
        // The four bytes behind the first say which data key it was: `super::HEAD`.
        match self {
            Table::Signing => rows!(
                "signing_secret",
                "select signing_secret_id, organization_id, sealed from signing_secret as s
                 where substring(sealed from 2 for 4) <> (
                    select int4send(max(number)) from data_key as k
                    where k.organization_id = s.organization_id
                 )
                 limit $1 for update skip locked",
                |row| (
                    row.organization_id,
                    row.signing_secret_id,
                    String::new(),
                    (row.signing_secret_id, String::new(), String::new()),
                    row.sealed
                )
            ),
            Table::Connection => rows!(
                "connection",
                "select connection_id, organization_id, variant, field, sealed
                 from connection_secret as s
                 where substring(sealed from 2 for 4) <> (
                    select int4send(max(number)) from data_key as k
                    where k.organization_id = s.organization_id
                 )
                 limit $1 for update skip locked",
                |row| (
                    row.organization_id,
                    row.connection_id,
                    crate::connection::inside(&row.variant, &row.field),
                    (row.connection_id, row.variant, row.field),
                    row.sealed
                )
            ),
            Table::Access => rows!(
                "connection",
                r#"select connection_id, organization_id, variant, access as "sealed!"
                 from connection_token as s
                 where substring(access from 2 for 4) <> (
                    select int4send(max(number)) from data_key as k
                    where k.organization_id = s.organization_id
                 )
                 limit $1 for update skip locked"#,
                |row| (
                    row.organization_id,
                    row.connection_id,
                    crate::connection::token::field(&row.variant, "access"),
                    (row.connection_id, row.variant, String::new()),
                    row.sealed
                )
            ),
            Table::Refresh => rows!(
                "connection",
                r#"select connection_id, organization_id, variant, refresh as "sealed!"
                 from connection_token as s
                 where substring(refresh from 2 for 4) <> (
                    select int4send(max(number)) from data_key as k
                    where k.organization_id = s.organization_id
                 )
                 limit $1 for update skip locked"#,
                |row| (
                    row.organization_id,
                    row.connection_id,
                    crate::connection::token::field(&row.variant, "refresh"),
                    (row.connection_id, row.variant, String::new()),
                    row.sealed
                )
            ),
            Table::Consent => rows!(
                "consent",
                r#"select state_hash, connection_id, organization_id, verifier as sealed
                 from consent as s
                 where substring(verifier from 2 for 4) <> (
                    select int4send(max(number)) from data_key as k
                    where k.organization_id = s.organization_id
                 )
                 limit $1 for update skip locked"#,
                |row| (
                    row.organization_id,
                    row.connection_id,
                    row.state_hash.clone(),
                    (row.connection_id, row.state_hash, String::new()),
                    row.sealed
                )
            ),
        }
    }

    async fn write(self, connection: &mut PgConnection, row: &Row, sealed: &[u8]) -> Result<()> {
        let (id, first, second) = &row.key;
        let write = match self {
            Table::Signing => sqlx::query!(
                "update signing_secret set sealed = $2 where signing_secret_id = $1",
                id,
                sealed
            ),
            Table::Connection => sqlx::query!(
                "update connection_secret set sealed = $4
                 where connection_id = $1 and variant = $2 and field = $3",
                id,
                first,
                second,
                sealed
            ),
            Table::Access => sqlx::query!(
                "update connection_token set access = $3
                 where connection_id = $1 and variant = $2",
                id,
                first,
                sealed
            ),
            Table::Refresh => sqlx::query!(
                "update connection_token set refresh = $3
                 where connection_id = $1 and variant = $2",
                id,
                first,
                sealed
            ),
            Table::Consent => sqlx::query!(
                "update consent set verifier = $2 where state_hash = $1",
                first,
                sealed
            ),
        };
        write.execute(connection).await?;
        Ok(())
    }
}

/// Data keys that were unwrapped: one whose transaction is over is what it is.
type Keys = HashMap<(OrganizationId, i32), XChaCha20Poly1305>;

impl Store {
    /// Seals all secrets anew under the master key that wraps now; `told` hears how far it is. Can
    /// be stopped at any time and called again, and does nothing where nothing is left to do.
    ///
    /// # Errors
    /// When there is no master key, one that secrets are sealed under is missing, or the database
    /// does not answer.
    pub async fn rotate_keys(&self, mut told: impl FnMut(Resealed)) -> Result<Resealed> {
        let mut done = Resealed::default();
        loop {
            // Each time: a process that knows no newer master key may have wrapped one meanwhile.
            done.organizations += self.new_data_keys().await?;
            told(done);
            for table in Table::ALL {
                while let count @ 1.. = self.reseal_some(table).await? {
                    done.secrets += count;
                    told(done);
                }
            }
            done.deleted += self.delete_data_keys().await?;
            // What someone had locked, or had sealed just before the new key was there, is left.
            let (older, under_another) = self.older_data_keys().await?;
            done.left = under_another;
            if older == 0 && done.left == 0 {
                return Ok(done);
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    /// Gives a new data key to each organization whose newest is wrapped by another master key.
    async fn new_data_keys(&self) -> Result<u64> {
        let vault = &self.inner.vault;
        let master = vault.masters()?.first.name();
        // In a transaction of its own: what they committed is not seen before it.
        let mut tx = self.inner.system.begin().await?;
        newly_wrapped(&mut tx).await?;
        tx.commit().await?;
        let waiting = sqlx::query!(
            r#"select organization_id, max(number) as "number!" from data_key
               group by organization_id
               having (array_agg(master order by number desc))[1] <> $1
               order by organization_id"#,
            master,
        )
        .fetch_all(&self.inner.system)
        .await?;
        let mut count = 0;
        for row in waiting {
            let organization = OrganizationId(row.organization_id);
            let mut tx = self.inner.system.begin().await?;
            // The key before it must open, or nothing that it sealed can be sealed anew.
            vault.key(&mut tx, organization, row.number).await?;
            vault.new_key(&mut tx, organization, row.number + 1).await?;
            let detail = json!({ "number": row.number + 1 });
            let act = "organization.rotate_key";
            audit::write(&mut tx, organization, None, act, organization.0, detail).await?;
            tx.commit().await?;
            count += 1;
        }
        Ok(count)
    }

    /// Seals some secrets of a table anew; returns how many.
    async fn reseal_some(&self, table: Table) -> Result<u64> {
        let vault = &self.inner.vault;
        let mut tx = self.inner.system.begin().await?;
        let rows = table.older(&mut tx).await?;
        let mut keys = Keys::new();
        for row in &rows {
            let place = Place {
                organization: row.organization,
                kind: row.kind,
                id: row.id,
                inside: &row.inside,
            };
            let sealed = vault.reseal(&mut tx, place, &row.sealed, &mut keys).await?;
            table.write(&mut tx, row, &sealed).await?;
        }
        tx.commit().await?;
        Ok(rows.len() as u64)
    }

    /// Deletes data keys that are not the newest and that nothing is sealed under.
    async fn delete_data_keys(&self) -> Result<u64> {
        let mut tx = self.inner.system.begin().await?;
        // Waits for whoever is just sealing under one of them, and sees then what they sealed.
        sqlx::query!(
            "select number from data_key as k
             where number < (
                select max(number) from data_key
                where data_key.organization_id = k.organization_id
             )
             order by organization_id, number for update",
        )
        .fetch_all(&mut *tx)
        .await?;
        let deleted = sqlx::query!(
            "delete from data_key as k
             where number < (
                select max(number) from data_key
                where data_key.organization_id = k.organization_id
             ) and not exists (
                select from signing_secret as s where s.organization_id = k.organization_id
                    and substring(s.sealed from 2 for 4) = int4send(k.number)
             ) and not exists (
                select from connection_secret as s where s.organization_id = k.organization_id
                    and substring(s.sealed from 2 for 4) = int4send(k.number)
             ) and not exists (
                select from connection_token as s where s.organization_id = k.organization_id
                    and int4send(k.number) in (
                        substring(s.access from 2 for 4), substring(s.refresh from 2 for 4)
                    )
             ) and not exists (
                select from consent as s where s.organization_id = k.organization_id
                    and substring(s.verifier from 2 for 4) = int4send(k.number)
             )",
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(deleted.rows_affected())
    }

    /// Counts the data keys that are not the newest, and all that another master key wraps.
    async fn older_data_keys(&self) -> Result<(i64, u64)> {
        let master = self.inner.vault.masters()?.first.name();
        let row = sqlx::query!(
            r#"select
                count(*) filter (where number < (
                    select max(number) from data_key
                    where data_key.organization_id = k.organization_id
                )) as "older!",
                count(*) filter (where master <> $1) as "under_another!"
               from data_key as k"#,
            master,
        )
        .fetch_one(&self.inner.system)
        .await?;
        Ok((
            row.older,
            u64::try_from(row.under_another).unwrap_or_default(),
        ))
    }
}

impl Vault {
    /// Opens what was sealed for this place, and seals it under the newest data key.
    async fn reseal(
        &self,
        connection: &mut PgConnection,
        place: Place<'_>,
        sealed: &[u8],
        keys: &mut Keys,
    ) -> Result<Vec<u8>> {
        let (number, nonce, text) = split(sealed)?;
        let key = (place.organization, number);
        let cipher = match keys.entry(key) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(vacant) => {
                let unwrapped = self.key(connection, place.organization, number).await?;
                vacant.insert(unwrapped)
            }
        };
        let secret = decrypt(cipher, nonce, text, &place.seal())?;
        self.seal(connection, place, &secret).await
    }
}
