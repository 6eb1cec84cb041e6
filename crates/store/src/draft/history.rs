//! What a draft contained at an earlier revision.

use domain::account::Me;
use domain::draft::Refusal;
use domain::edit::{self, Edit};
use domain::{Document, DraftId};

use crate::{Error, Result, Tx, document, stored};

/// Returns the content of a draft at a revision: what it started with, and all edits up to there.
///
/// # Errors
/// When there is no such draft in the organization, or it has no such revision.
pub(crate) async fn at(tx: &mut Tx, me: &Me, id: DraftId, revision: u32) -> Result<Document> {
    let revision = stored(revision).map_err(|_| Error::NotFound)?;
    let draft = sqlx::query!(
        r#"select revision, body, case when revision = $3 then document end as document
           from draft
           join document on document.organization_id = $1 and document.hash = start_hash
           where draft.organization_id = $1 and draft_id = $2"#,
        me.organization.0,
        id.0,
        revision,
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or(Error::NotFound)?;
    if revision < 1 || revision > draft.revision {
        return Err(Error::NotFound);
    }
    if let Some(current) = draft.document {
        return document::read(current);
    }
    let mut document = document::read(draft.body)?;
    let saves = sqlx::query_scalar!(
        "select edits from draft_revision
         where organization_id = $1 and draft_id = $2 and revision <= $3
         order by revision",
        me.organization.0,
        id.0,
        revision,
    )
    .fetch_all(&mut **tx)
    .await?;
    for save in saves {
        let edits: Vec<Edit> = serde_json::from_value(save).map_err(sqlx::Error::decode)?;
        for edit in edits {
            edit::apply(&mut document, &edit).map_err(Refusal::from)?;
        }
    }
    Ok(document)
}

/// Finds a draft of the organization.
///
/// # Errors
/// When there is none with this id.
pub(crate) async fn exists(tx: &mut Tx, me: &Me, id: DraftId) -> Result<()> {
    let found = sqlx::query_scalar!(
        r#"select exists (
               select from draft where organization_id = $1 and draft_id = $2
           ) as "found!""#,
        me.organization.0,
        id.0,
    )
    .fetch_one(&mut **tx)
    .await?;
    if found { Ok(()) } else { Err(Error::NotFound) }
}
