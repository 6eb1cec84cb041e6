//! Bringing a draft up to date with what went live after it was started.

use domain::account::Me;
use domain::draft::{self, MergeBasis};
use domain::merge::{Choice, ConflictKey, merge_with};
use domain::policy::Act;
use domain::review::Fingerprint;
use domain::{Document, DraftId, change};
use serde_json::json;
use uuid::Uuid;

use super::{Kept, Locked, lock};
use crate::{Error, Refusal, Result, Store, Tx, audit, document, number, version};

impl Store {
    /// Returns the three documents that bringing a draft up to date merges.
    ///
    /// # Errors
    /// When there is no such draft in the organization, or nothing of its integration is live.
    pub async fn merge_basis(&self, me: &Me, id: DraftId) -> Result<MergeBasis> {
        let mut tx = self.begin(me, Act::See).await?;
        let row = sqlx::query!(
            r#"select draft.integration_id, revision, base, document, number as "number?"
               from draft
               join integration using (integration_id)
               left join version on version_id = live_version_id
               where draft.organization_id = $1 and draft.draft_id = $2"#,
            me.organization.0,
            id.0,
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(Error::NotFound)?;
        let live_number = number(row.number.ok_or(Refusal::NotPublished)?)?;
        let integration = domain::IntegrationId(row.integration_id);
        let base_number = row.base.map(number).transpose()?;
        let draft = document::read(row.document)?;
        Ok(MergeBasis {
            base: version::base_document(&mut tx, me, integration, base_number, &draft).await?,
            base_number,
            live: version::document(&mut tx, me, integration, live_number).await?,
            live_number,
            draft,
            revision: number(row.revision)?,
        })
    }

    /// Merges what is live into a draft as a new revision, and makes it the draft's base; returns
    /// the revision. `live` is the version that was looked at. Approvals of a draft that runs as
    /// before stay good, and nobody becomes its author by that. A draft that is up to date stays
    /// as it is.
    ///
    /// # Errors
    /// When the role does not allow it, there is no such draft, it is closed or at another
    /// revision, another version is live, or a conflict is not decided.
    pub async fn bring_up_to_date(
        &self,
        me: &Me,
        id: DraftId,
        expected: u32,
        live: u32,
        choices: Vec<(ConflictKey, Choice)>,
    ) -> Result<u32> {
        let mut tx = self.begin(me, Act::EditDraft).await?;
        // In the order of a publish, so that what is live stays so until this is done.
        let current = version::lock_integration_of(&mut tx, me, id).await?;
        let locked = lock(&mut tx, me, id).await?.open()?;
        if locked.revision != expected {
            let current = locked.revision;
            return Err(draft::Refusal::Moved { current }.into());
        }
        let current = current.ok_or(Refusal::NotPublished)?;
        if current != live {
            return Err(draft::Refusal::LiveMoved { live: current }.into());
        }
        if locked.base == Some(live) {
            return Ok(expected);
        }
        let kept = merged(&mut tx, me, &locked, live, choices).await?;
        let (from, integration) = (locked.base, locked.integration);
        let (revision, mut changes) = locked.keep(&mut tx, me, kept).await?;
        changes.push(crate::integration::changed(me, integration));
        let detail = json!({ "revision": revision, "from": from, "to": live });
        audit::note(&mut tx, me, "draft.merge", id.0, detail).await?;
        self.commit(tx, changes).await?;
        Ok(revision)
    }
}

async fn merged(
    tx: &mut Tx,
    me: &Me,
    locked: &Locked,
    live: u32,
    choices: Vec<(ConflictKey, Choice)>,
) -> Result<Kept> {
    let (integration, draft) = (locked.integration, &locked.document);
    let base = version::base_document(tx, me, integration, locked.base, draft).await?;
    let theirs = version::document(tx, me, integration, live).await?;
    let merged = merge_with(&base, draft, &theirs, &choices.into_iter().collect());
    if !merged.conflicts.is_empty() {
        return Err(draft::Refusal::Unresolved(merged.conflicts.len()).into());
    }
    let edits = change::edits(draft, &merged.document);
    let document: Document = draft::edited(draft, &edits)?;
    Ok(Kept {
        save: Uuid::now_v7(),
        edits,
        authored: Fingerprint::of(&document) != Fingerprint::of(draft),
        document,
        base: Some(live),
        suggested_by: None,
    })
}
