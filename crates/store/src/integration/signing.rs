//! The signing secrets of an integration's webhook.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use domain::account::Me;
use domain::policy::Act;
use domain::signing::{self, Refusal, SECRETS, SigningSecret};
use domain::{IntegrationId, OrganizationId, SigningSecretId};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::changed;
use crate::vault::{Place, opened};
use crate::{Error, Result, Store, audit, timestamp, version};

impl Store {
    /// Returns the signing secrets of an integration without the secrets, newest first.
    ///
    /// # Errors
    /// When there is no such integration in the organization.
    pub async fn signing_secrets(&self, me: &Me, id: IntegrationId) -> Result<Vec<SigningSecret>> {
        let mut tx = self.begin(me, Act::See).await?;
        let is_there = sqlx::query_scalar!(
            r#"select exists (select from integration
               where organization_id = $1 and integration_id = $2) as "is_there!""#,
            me.organization.0,
            id.0,
        )
        .fetch_one(&mut *tx)
        .await?;
        if !is_there {
            return Err(Error::NotFound);
        }
        let rows = sqlx::query!(
            "select signing_secret_id, account.name as created_by, signing_secret.created_at
             from signing_secret join account on account_id = created_by
             where organization_id = $1 and integration_id = $2
             order by signing_secret_id desc",
            me.organization.0,
            id.0,
        )
        .fetch_all(&mut *tx)
        .await?;
        let line = rows.into_iter().map(|row| SigningSecret {
            id: SigningSecretId(row.signing_secret_id),
            created_by: row.created_by,
            created_at: timestamp::read(row.created_at),
        });
        Ok(line.collect())
    }

    /// Keeps a signing secret for an integration: the one that the sender gave, or a new one for
    /// the sender, which is returned this once. Calls signed with it are taken from now on.
    ///
    /// # Errors
    /// When the role does not allow it, there is no such integration, the text is no secret, there
    /// are [`SECRETS`] already, or this process has no master key.
    pub async fn keep_signing_secret(
        &self,
        me: &Me,
        id: IntegrationId,
        given: Option<&str>,
    ) -> Result<Option<Zeroizing<String>>> {
        let mut tx = self.begin(me, Act::ManageSecrets).await?;
        let made = given.is_none().then(new_secret);
        let secret = match (given, &made) {
            (Some(given), _) => signing::check_secret(given)?,
            (None, Some(made)) => made.as_str(),
            (None, None) => return Err(Refusal::Malformed.into()),
        };
        // So that two who add a secret at once count each other's.
        version::lock_integration(&mut tx, me, id).await?;
        let kept = sqlx::query_scalar!(
            r#"select count(*) as "count!" from signing_secret
               where organization_id = $1 and integration_id = $2"#,
            me.organization.0,
            id.0,
        )
        .fetch_one(&mut *tx)
        .await?;
        if usize::try_from(kept).unwrap_or(usize::MAX) >= SECRETS {
            return Err(Refusal::TooMany.into());
        }
        let secret_id = SigningSecretId(Uuid::now_v7());
        let place = place(me.organization, secret_id);
        let vault = &self.inner.vault;
        let sealed = vault.seal(&mut tx, place, secret.as_bytes()).await?;
        sqlx::query!(
            "insert into signing_secret
                (signing_secret_id, organization_id, integration_id, sealed, created_by)
             values ($1, $2, $3, $4, $5)",
            secret_id.0,
            me.organization.0,
            id.0,
            sealed,
            me.account.0,
        )
        .execute(&mut *tx)
        .await?;
        let detail = json!({ "secret": secret_id, "made_here": made.is_some() });
        audit::note(&mut tx, me, "signing_secret.keep", id.0, detail).await?;
        self.commit(tx, vec![changed(me, id)]).await?;
        Ok(made)
    }

    /// Removes a signing secret: calls signed with it are refused from now on.
    ///
    /// # Errors
    /// When the role does not allow it, or the integration has no such secret.
    pub async fn remove_signing_secret(
        &self,
        me: &Me,
        id: IntegrationId,
        secret: SigningSecretId,
    ) -> Result<()> {
        let mut tx = self.begin(me, Act::ManageSecrets).await?;
        let removed = sqlx::query!(
            "delete from signing_secret
             where organization_id = $1 and integration_id = $2 and signing_secret_id = $3",
            me.organization.0,
            id.0,
            secret.0,
        )
        .execute(&mut *tx)
        .await?;
        if removed.rows_affected() == 0 {
            return Err(Error::NotFound);
        }
        let detail = json!({ "secret": secret });
        audit::note(&mut tx, me, "signing_secret.remove", id.0, detail).await?;
        self.commit(tx, vec![changed(me, id)]).await
    }

    /// Opens the signing secrets of an integration.
    pub(crate) async fn open_signing_secrets(
        &self,
        connection: &mut PgConnection,
        organization: OrganizationId,
        id: IntegrationId,
    ) -> Result<Vec<Zeroizing<Vec<u8>>>> {
        opened!(self.read_signing_secrets(connection, organization, id))
    }

    async fn read_signing_secrets(
        &self,
        connection: &mut PgConnection,
        organization: OrganizationId,
        id: IntegrationId,
    ) -> Result<Vec<Zeroizing<Vec<u8>>>> {
        let rows = sqlx::query!(
            "select signing_secret_id, sealed from signing_secret
             where organization_id = $1 and integration_id = $2
             order by signing_secret_id desc",
            organization.0,
            id.0,
        )
        .fetch_all(&mut *connection)
        .await?;
        let mut secrets = Vec::with_capacity(rows.len());
        for row in rows {
            let place = place(organization, SigningSecretId(row.signing_secret_id));
            secrets.push(
                self.inner
                    .vault
                    .open(connection, place, &row.sealed)
                    .await?,
            );
        }
        Ok(secrets)
    }
}

fn place(organization: OrganizationId, id: SigningSecretId) -> Place<'static> {
    Place {
        organization,
        kind: "signing_secret",
        id: id.0,
        inside: "",
    }
}

/// Makes a secret in the form of the Standard Webhooks specification: `whsec_` and 32 random bytes
/// in base64.
fn new_secret() -> Zeroizing<String> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(bytes.as_mut_slice()).expect("the operating system gives random bytes");
    Zeroizing::new(format!(
        "whsec_{}",
        BASE64_STANDARD.encode(bytes.as_slice())
    ))
}
