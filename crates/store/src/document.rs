//! Documents: kept once an organization by their hash, never changed.

use std::collections::BTreeMap;

use domain::{Document, DocumentHash, OrganizationId, StepId};
use serde::Deserialize;
use serde_json::Value;
use sqlx::postgres::PgConnection;

use crate::gathered::Question;
use crate::{Error, Result, Store, Tx};

/// A document as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredDocument {
    /// The document.
    pub document: Document,
    /// Bytes of its JSON.
    pub bytes: usize,
}

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
    ) -> Result<StoredDocument> {
        let body = self.document_json(organization, hash).await?;
        let body = body.ok_or(Error::NotFound)?;
        Ok(StoredDocument {
            document: serde_json::from_str(&body).map_err(sqlx::Error::decode)?,
            bytes: body.len(),
        })
    }

    /// Returns the JSON of a document; `None` when the organization has none with this hash.
    pub(crate) async fn document_json(
        &self,
        organization: OrganizationId,
        hash: &DocumentHash,
    ) -> Result<Option<String>> {
        let pinned = Pinned {
            organization,
            hash: hash.clone(),
        };
        Ok(self.inner.documents.ask(pinned).await?)
    }
}

/// Returns the steps of a kind in the JSON of a document, of which nothing else is read.
pub(crate) fn of_kind(body: &str, kind: &str) -> Result<Vec<StepId>> {
    #[derive(Deserialize)]
    struct Kinds {
        steps: BTreeMap<StepId, Kind>,
    }
    #[derive(Deserialize)]
    struct Kind {
        kind: String,
    }
    let Kinds { steps } = serde_json::from_str(body).map_err(sqlx::Error::decode)?;
    let of_kind = steps.into_iter().filter(|(_, step)| step.kind == kind);
    Ok(of_kind.map(|(id, _)| id).collect())
}

/// Asks for the JSON of a document.
#[derive(Debug)]
pub(crate) struct Pinned {
    organization: OrganizationId,
    hash: DocumentHash,
}

impl Question for Pinned {
    type Answer = String;

    async fn ask(
        questions: &[Self],
        connection: &mut PgConnection,
    ) -> Result<Vec<(i64, String)>, sqlx::Error> {
        let organizations: Vec<_> = questions.iter().map(|asked| asked.organization.0).collect();
        let hashes: Vec<_> = questions
            .iter()
            .map(|asked| asked.hash.0.as_str())
            .collect();
        let rows = sqlx::query!(
            r#"select place as "place!", body::text as "body!"
               from unnest($1::uuid[], $2::text[]) with ordinality
                    as asked (organization_id, hash, place)
               join document using (organization_id, hash)"#,
            &organizations,
            &hashes as &[&str],
        )
        .fetch_all(connection)
        .await?;
        Ok(rows.into_iter().map(|row| (row.place, row.body)).collect())
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
