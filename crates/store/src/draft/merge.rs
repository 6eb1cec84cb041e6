//! Bringing a draft up to date with what went live after it was started, and bringing one draft
//! into another.

use domain::account::Me;
use domain::draft::{self, DraftState, MergeBasis, MergeSource};
use domain::merge::{Choice, ConflictKey, merge_with};
use domain::policy::Act;
use domain::review::Fingerprint;
use domain::{Document, DraftId, IntegrationId, change};
use serde_json::json;
use uuid::Uuid;

use super::{Kept, Locked, lock};
use crate::{Error, Refusal, Result, Store, Tx, audit, document, number, stored, version};

impl Store {
    /// Returns the three documents that are merged: of bringing a draft up to date, or of bringing
    /// in the draft `from`.
    ///
    /// # Errors
    /// When there is no such draft in the organization, nothing of its integration is live, or
    /// `from` is not another open draft of the same integration.
    pub async fn merge_basis(
        &self,
        me: &Me,
        id: DraftId,
        from: Option<DraftId>,
    ) -> Result<MergeBasis> {
        let mut tx = self.begin(me, Act::See).await?;
        if let Some(from) = from {
            return basis_of_two(&mut tx, me, id, from).await;
        }
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
        let integration = IntegrationId(row.integration_id);
        let base_number = row.base.map(number).transpose()?;
        let draft = document::read(row.document)?;
        Ok(MergeBasis {
            base: version::base_document(&mut tx, me, integration, base_number, &draft).await?,
            base_number,
            source: MergeSource::Live(live_number),
            theirs: version::document(&mut tx, me, integration, live_number).await?,
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

    /// Merges another open draft of the same integration into a draft, as a new revision; returns
    /// the revision. Both revisions are the ones that were looked at. The other draft stays as it
    /// is; whoever wrote it is an author of this one from then on. When nothing new is in it, the
    /// draft stays as it is.
    ///
    /// # Errors
    /// When the role does not allow it, there is no such draft, one is closed or at another
    /// revision, they are not of one integration, or a conflict is not decided.
    pub async fn bring_in(
        &self,
        me: &Me,
        id: DraftId,
        expected: u32,
        (from, from_revision): (DraftId, u32),
        choices: Vec<(ConflictKey, Choice)>,
    ) -> Result<u32> {
        let mut tx = self.begin(me, Act::EditDraft).await?;
        let locked = lock(&mut tx, me, id).await?.open()?;
        if locked.revision != expected {
            let current = locked.revision;
            return Err(draft::Refusal::Moved { current }.into());
        }
        let other = read(&mut tx, me, from).await?;
        check_pair((id, locked.integration), (from, &other))?;
        if other.revision != from_revision {
            let current = other.revision;
            return Err(draft::Refusal::SourceMoved { current }.into());
        }
        let ours = (id, locked.base, &locked.document);
        let base = shared(&mut tx, me, ours, (from, &other)).await?;
        if base == other.document || locked.document == other.document {
            return Ok(expected);
        }
        let newest = locked.base.max(other.base);
        let kept = merge_into(&locked, &base, &other.document, newest, choices)?;
        let (revision, changes) = locked.keep(&mut tx, me, kept).await?;
        sqlx::query!(
            "insert into draft_brought_in
                (draft_id, revision, organization_id, from_draft_id, from_revision)
             values ($1, $2, $3, $4, $5)",
            id.0,
            stored(revision)?,
            me.organization.0,
            from.0,
            stored(from_revision)?,
        )
        .execute(&mut *tx)
        .await?;
        let detail = json!({ "revision": revision, "from": from, "from_revision": from_revision });
        audit::note(&mut tx, me, "draft.bring_in", id.0, detail).await?;
        self.commit(tx, changes).await?;
        Ok(revision)
    }
}

/// A draft as another one sees it: not locked, for what a revision holds never changes.
struct Other {
    integration: IntegrationId,
    title: String,
    state: DraftState,
    revision: u32,
    base: Option<u32>,
    document: Document,
}

async fn read(tx: &mut Tx, me: &Me, id: DraftId) -> Result<Other> {
    let row = sqlx::query!(
        "select integration_id, title, state, revision, base, document from draft
         where organization_id = $1 and draft_id = $2",
        me.organization.0,
        id.0,
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or(Error::NotFound)?;
    Ok(Other {
        integration: IntegrationId(row.integration_id),
        title: row.title,
        state: super::state(&row.state)?,
        revision: number(row.revision)?,
        base: row.base.map(number).transpose()?,
        document: document::read(row.document)?,
    })
}

fn check_pair(
    (id, integration): (DraftId, IntegrationId),
    (from, other): (DraftId, &Other),
) -> Result<()> {
    if id == from || other.integration != integration || !other.state.is_open() {
        return Err(draft::Refusal::NotBroughtIn.into());
    }
    Ok(())
}

async fn basis_of_two(tx: &mut Tx, me: &Me, id: DraftId, from: DraftId) -> Result<MergeBasis> {
    let own = read(tx, me, id).await?;
    let other = read(tx, me, from).await?;
    check_pair((id, own.integration), (from, &other))?;
    Ok(MergeBasis {
        base: shared(tx, me, (id, own.base, &own.document), (from, &other)).await?,
        base_number: own.base,
        source: MergeSource::Draft {
            id: from,
            title: other.title,
            revision: other.revision,
        },
        theirs: other.document,
        draft: own.document,
        revision: own.revision,
    })
}

/// Returns what two drafts share: what one was when it was last brought into the other, else the
/// older of the versions that they started from, which the newer one grew out of.
async fn shared(
    tx: &mut Tx,
    me: &Me,
    (id, base, document): (DraftId, Option<u32>, &Document),
    (from, other): (DraftId, &Other),
) -> Result<Document> {
    let last = sqlx::query!(
        "select from_draft_id, from_revision from draft_brought_in
         where organization_id = $1
            and ((draft_id = $2 and from_draft_id = $3) or (draft_id = $3 and from_draft_id = $2))
         order by at desc
         limit 1",
        me.organization.0,
        id.0,
        from.0,
    )
    .fetch_optional(&mut **tx)
    .await?;
    if let Some(last) = last {
        let draft = DraftId(last.from_draft_id);
        return super::history::at(tx, me, draft, number(last.from_revision)?).await;
    }
    let older = base.min(other.base);
    version::base_document(tx, me, other.integration, older, document).await
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
    merge_into(locked, &base, &theirs, Some(live), choices)
}

fn merge_into(
    locked: &Locked,
    base: &Document,
    theirs: &Document,
    new_base: Option<u32>,
    choices: Vec<(ConflictKey, Choice)>,
) -> Result<Kept> {
    let draft = &locked.document;
    let merged = merge_with(base, draft, theirs, &choices.into_iter().collect());
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
        base: new_base,
        suggested_by: None,
    })
}
