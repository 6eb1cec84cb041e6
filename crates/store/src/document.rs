//! Documents: kept once an organization by their hash, never changed.

use domain::{Document, DocumentHash, OrganizationId};
use serde_json::Value;

use crate::{Error, Result, Store, Tx};

impl Store {
    /// Returns the document that a run or version pins. It never changes, so it can be cached.
    /// For workers: asks for no member's rights.
    ///
    /// # Errors
    /// When the organization has none with this hash.
    pub async fn document(
        &self,
        organization: OrganizationId,
        hash: &DocumentHash,
    ) -> Result<Document> {
        let body = sqlx::query_scalar!(
            r#"select body::text as "body!" from document where organization_id = $1 and hash = $2"#,
            organization.0,
            hash.0,
        )
        .fetch_optional(&self.inner.system)
        .await?;
        let body = body.ok_or(Error::NotFound)?;
        serde_json::from_str(&body).map_err(|error| sqlx::Error::decode(error).into())
    }
}

/// Keeps a document, when it is not kept already; returns its hash.
pub(crate) async fn keep(
    tx: &mut Tx,
    organization: OrganizationId,
    document: &Document,
) -> Result<DocumentHash> {
    let hash = document.hash();
    sqlx::query!(
        "insert into document (organization_id, hash, body) values ($1, $2, $3::text::json)
         on conflict do nothing",
        organization.0,
        hash.0,
        document.canonical(),
    )
    .execute(&mut **tx)
    .await?;
    Ok(hash)
}

/// Reads a document as it is stored.
pub(crate) fn read(body: Value) -> Result<Document> {
    serde_json::from_value(body).map_err(|error| sqlx::Error::decode(error).into())
}
