//! Drafts: started, saved a revision at a time, renamed, thrown away.

pub(crate) mod caught;
pub(crate) mod history;
mod merge;
pub(crate) mod pin;

use std::collections::HashMap;

use domain::account::{self, Me};
use domain::draft::{self, Draft, DraftState, DraftSummary, Save, SaveOutcome};
use domain::edit::Edit;
use domain::policy::Act;
use domain::{AccountId, Document, DraftId, IntegrationId, Timestamp};
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::live::{Changed, What};
use crate::review::standing;
use crate::{
    Error, Result, Store, Tx, audit, call, document, number, review, stored, timestamp, token,
};

impl Store {
    /// Returns a draft with its content; also one that is published or discarded.
    ///
    /// # Errors
    /// When there is none with this id in the organization.
    pub async fn draft(&self, me: &Me, id: DraftId) -> Result<Draft> {
        let mut tx = self.begin(me, Act::See).await?;
        let row = sqlx::query!(
            r#"select draft.draft_id, draft.title, draft.state, draft.revision, draft.base,
                    account.name as updated_by, draft.updated_at, draft.integration_id,
                    integration.name as integration_name, version.number as "live?",
                    draft.document, draft.catch_token
               from draft
               join account on account_id = updated_by
               join integration using (integration_id)
               left join version on version_id = live_version_id
               where draft.organization_id = $1 and draft.draft_id = $2"#,
            me.organization.0,
            id.0,
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(Error::NotFound)?;
        let summary = SummaryRow {
            draft_id: row.draft_id,
            title: row.title,
            state: row.state,
            revision: row.revision,
            base: row.base,
            updated_by: row.updated_by,
            updated_at: row.updated_at,
        };
        Ok(Draft {
            summary: summary.read()?,
            integration: IntegrationId(row.integration_id),
            integration_name: row.integration_name,
            live: row.live.map(number).transpose()?,
            document: document::read(row.document)?,
            catch_path: format!("/catch/{}", row.catch_token),
        })
    }

    /// Starts a draft from the live version, or from nothing when there is none; returns it.
    ///
    /// # Errors
    /// When the role does not allow it, the title cannot be taken, or there is no such integration.
    pub async fn start_draft(
        &self,
        me: &Me,
        integration: IntegrationId,
        title: &str,
    ) -> Result<DraftId> {
        let mut tx = self.begin(me, Act::EditDraft).await?;
        let title = account::check_name(title)?;
        let live = sqlx::query!(
            r#"select number as "number?", body as "body?"
               from integration
               left join version on version_id = live_version_id
               left join document on document.organization_id = $1 and document.hash = version.hash
               where integration.organization_id = $1 and integration.integration_id = $2"#,
            me.organization.0,
            integration.0,
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(Error::NotFound)?;
        let document = match live.body {
            Some(body) => document::read(body)?,
            None => Document::new("webhook"),
        };
        let base = live.number.map(number).transpose()?;
        let id = insert(
            &mut tx,
            me,
            NewDraft {
                integration,
                title,
                base,
                document,
            },
        )
        .await?;
        self.commit(tx, vec![crate::integration::changed(me, integration)])
            .await?;
        Ok(id)
    }

    /// Saves edits on top of the revision that they were made on. The same save sent again gets
    /// the same answer. When someone saved in between, nothing is kept and the answer is `Stale`.
    ///
    /// # Errors
    /// When the role does not allow it, there is no such draft, it is closed, an edit does not
    /// fit, or the draft would be too large.
    pub async fn save_draft(&self, me: &Me, id: DraftId, save: Save) -> Result<SaveOutcome> {
        let mut tx = self.begin(me, Act::EditDraft).await?;
        let locked = lock(&mut tx, me, id).await?;
        if let Some(revision) = saved_as(&mut tx, id, save.id).await? {
            return Ok(SaveOutcome::Saved { revision });
        }
        if !locked.state.is_open() {
            return Err(draft::Refusal::Closed(locked.state).into());
        }
        if locked.revision != save.expected {
            return Ok(SaveOutcome::Stale {
                revision: locked.revision,
                document: locked.document,
                updated_by: locked.updated_by,
            });
        }
        let count = save.edits.len();
        let kept = Kept {
            save: save.id,
            document: draft::edited(&locked.document, &save.edits)?,
            edits: save.edits,
            base: locked.base,
            suggested_by: None,
            authored: true,
        };
        let (revision, changes) = locked.keep(&mut tx, me, kept).await?;
        let detail = json!({ "revision": revision, "edits": count });
        audit::note(&mut tx, me, "draft.save", id.0, detail).await?;
        self.commit(tx, changes).await?;
        Ok(SaveOutcome::Saved { revision })
    }

    /// Gives a draft another title.
    ///
    /// # Errors
    /// When the role does not allow it, the title cannot be taken, there is no such draft, or it
    /// is closed.
    pub async fn rename_draft(&self, me: &Me, id: DraftId, title: &str) -> Result<()> {
        let mut tx = self.begin(me, Act::EditDraft).await?;
        let title = account::check_name(title)?;
        let locked = lock(&mut tx, me, id).await?.open()?;
        sqlx::query!(
            "update draft set title = $2 where draft_id = $1",
            id.0,
            title
        )
        .execute(&mut *tx)
        .await?;
        audit::note(&mut tx, me, "draft.rename", id.0, json!({ "title": title })).await?;
        self.commit(tx, locked.changes(me)).await
    }

    /// Throws a draft away, and ends its review. It is kept, but cannot be changed any more.
    ///
    /// # Errors
    /// When the role does not allow it, there is no such draft, or it is closed.
    pub async fn discard_draft(&self, me: &Me, id: DraftId) -> Result<()> {
        let mut tx = self.begin(me, Act::EditDraft).await?;
        let locked = lock(&mut tx, me, id).await?.open()?;
        let mut changes = review::discard(&mut tx, me, &locked).await?;
        standing::set_state(&mut tx, id, DraftState::Discarded).await?;
        changes.extend(locked.changes(me));
        audit::note(&mut tx, me, "draft.discard", id.0, json!({})).await?;
        self.commit(tx, changes).await
    }
}

/// A draft whose row is locked until the transaction ends.
pub(crate) struct Locked {
    pub(crate) id: DraftId,
    pub(crate) integration: IntegrationId,
    pub(crate) title: String,
    pub(crate) state: DraftState,
    pub(crate) revision: u32,
    pub(crate) base: Option<u32>,
    pub(crate) document: Document,
    pub(crate) updated_by: String,
    pub(crate) updated_at: Timestamp,
}

/// What a save makes of a draft.
pub(crate) struct Kept {
    /// Made by whoever saves; the same save is kept once.
    pub(crate) save: Uuid,
    pub(crate) edits: Vec<Edit>,
    /// The content after the edits.
    pub(crate) document: Document,
    pub(crate) base: Option<u32>,
    /// Who proposed it, when it is a suggestion.
    pub(crate) suggested_by: Option<AccountId>,
    /// Whether whoever saves it becomes an author.
    pub(crate) authored: bool,
}

impl Locked {
    /// Refuses a draft that is published or discarded.
    pub(crate) fn open(self) -> Result<Self> {
        if self.state.is_open() {
            Ok(self)
        } else {
            Err(draft::Refusal::Closed(self.state).into())
        }
    }

    /// Says that the draft changed, and its line on the integration's page.
    pub(crate) fn changes(&self, me: &Me) -> Vec<Changed> {
        vec![
            changed(me, self.id, self.revision),
            crate::integration::changed(me, self.integration),
        ]
    }

    /// Keeps a save as the next revision, and sets where the draft stands when it is under review;
    /// returns the revision.
    pub(crate) async fn keep(
        self,
        tx: &mut Tx,
        me: &Me,
        kept: Kept,
    ) -> Result<(u32, Vec<Changed>)> {
        let revision = self.revision + 1;
        keep_revision(tx, me, self.id, revision, &kept).await?;
        let updated_at = sqlx::query_scalar!(
            "update draft set revision = $2, document = $3::text::json, base = $4,
                    updated_by = $5, updated_at = clock_timestamp()
             where draft_id = $1
             returning updated_at",
            self.id.0,
            stored(revision)?,
            kept.document.canonical(),
            kept.base.map(stored).transpose()?,
            me.account.0,
        )
        .fetch_one(&mut **tx)
        .await?;
        let of = (self.integration, Some(self.id));
        call::keep_called(tx, me, of, Some(&self.document), &kept.document).await?;
        let locked = Self {
            revision,
            base: kept.base,
            document: kept.document,
            updated_by: me.name.clone(),
            updated_at: timestamp::read(updated_at),
            ..self
        };
        let mut changes = vec![changed(me, locked.id, revision)];
        changes.extend(standing::edited(tx, me, &locked).await?);
        Ok((revision, changes))
    }
}

/// Locks a draft of the organization, though not against references to it.
pub(crate) async fn lock(tx: &mut Tx, me: &Me, id: DraftId) -> Result<Locked> {
    // Not a join: after a wait for the lock only the row of the draft is read anew, so that a join
    // would look for whoever saves last in the account of whoever saved before, and find no row.
    let row = sqlx::query!(
        r#"select integration_id, title, state, revision, base, document,
                  (select name from account where account_id = updated_by) as "updated_by!",
                  updated_at
           from draft
           where organization_id = $1 and draft_id = $2
           for no key update"#,
        me.organization.0,
        id.0,
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or(Error::NotFound)?;
    Ok(Locked {
        id,
        integration: IntegrationId(row.integration_id),
        title: row.title,
        state: state(&row.state)?,
        revision: number(row.revision)?,
        base: row.base.map(number).transpose()?,
        document: document::read(row.document)?,
        updated_by: row.updated_by,
        updated_at: timestamp::read(row.updated_at),
    })
}

async fn saved_as(tx: &mut Tx, id: DraftId, save: Uuid) -> Result<Option<u32>> {
    let revision = sqlx::query_scalar!(
        "select revision from draft_revision where draft_id = $1 and save_id = $2",
        id.0,
        save,
    )
    .fetch_optional(&mut **tx)
    .await?;
    revision.map(number).transpose()
}

async fn keep_revision(
    tx: &mut Tx,
    me: &Me,
    id: DraftId,
    revision: u32,
    kept: &Kept,
) -> Result<()> {
    let edits = serde_json::to_string(&kept.edits).expect("edits are JSON");
    sqlx::query!(
        "insert into draft_revision (draft_id, revision, organization_id, save_id, edits,
                account_id, suggested_by, authored)
         values ($1, $2, $3, $4, $5::text::json, $6, $7, $8)",
        id.0,
        stored(revision)?,
        me.organization.0,
        kept.save,
        edits,
        me.account.0,
        kept.suggested_by.map(|account| account.0),
        kept.authored,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// A draft to be inserted; its texts and size are checked.
pub(crate) struct NewDraft {
    pub(crate) integration: IntegrationId,
    pub(crate) title: String,
    pub(crate) base: Option<u32>,
    pub(crate) document: Document,
}

pub(crate) async fn insert(tx: &mut Tx, me: &Me, new: NewDraft) -> Result<DraftId> {
    let id = DraftId(Uuid::now_v7());
    let start_hash = document::keep(tx, me.organization, &new.document).await?;
    sqlx::query!(
        "insert into draft (draft_id, organization_id, integration_id, title, base, start_hash,
                document, catch_token, created_by, updated_by)
         values ($1, $2, $3, $4, $5, $6, $7::text::json, $8, $9, $9)",
        id.0,
        me.organization.0,
        new.integration.0,
        new.title,
        new.base.map(stored).transpose()?,
        start_hash.0,
        new.document.canonical(),
        token::address(),
        me.account.0,
    )
    .execute(&mut **tx)
    .await?;
    let nothing = Document::new(&new.document.trigger.kind);
    let of = (new.integration, Some(id));
    call::keep_called(tx, me, of, Some(&nothing), &new.document).await?;
    let detail = json!({ "integration": new.integration, "base": new.base });
    audit::note(tx, me, "draft.start", id.0, detail).await?;
    Ok(id)
}

/// Says that a draft changed.
pub(crate) fn changed(me: &Me, id: DraftId, revision: u32) -> Changed {
    Changed {
        organization: me.organization,
        what: What::Draft(id, revision),
    }
}

/// Returns the open drafts of the organization, or of one integration, newest change first.
pub(crate) async fn open(
    tx: &mut Tx,
    me: &Me,
    only: Option<Uuid>,
) -> Result<HashMap<IntegrationId, Vec<DraftSummary>>> {
    let rows = sqlx::query!(
        "select integration_id, draft_id, title, state, revision, base,
                account.name as updated_by, updated_at
         from draft join account on account_id = updated_by
         where organization_id = $1 and state not in ('published', 'discarded')
            and ($2::uuid is null or integration_id = $2)
         order by updated_at desc, draft_id desc",
        me.organization.0,
        only,
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut drafts: HashMap<_, Vec<_>> = HashMap::new();
    for row in rows {
        let summary = SummaryRow {
            draft_id: row.draft_id,
            title: row.title,
            state: row.state,
            revision: row.revision,
            base: row.base,
            updated_by: row.updated_by,
            updated_at: row.updated_at,
        };
        drafts
            .entry(IntegrationId(row.integration_id))
            .or_default()
            .push(summary.read()?);
    }
    Ok(drafts)
}

struct SummaryRow {
    draft_id: Uuid,
    title: String,
    state: String,
    revision: i32,
    base: Option<i32>,
    updated_by: String,
    updated_at: OffsetDateTime,
}

impl SummaryRow {
    fn read(self) -> Result<DraftSummary> {
        Ok(DraftSummary {
            id: DraftId(self.draft_id),
            title: self.title,
            state: state(&self.state)?,
            revision: number(self.revision)?,
            base: self.base.map(number).transpose()?,
            updated_by: self.updated_by,
            updated_at: timestamp::read(self.updated_at),
        })
    }
}

/// Reads the state of a draft as it is stored.
pub(crate) fn state(key: &str) -> Result<DraftState> {
    let unknown = || sqlx::Error::Decode(format!("there is no draft state `{key}`").into());
    Ok(DraftState::from_key(key).ok_or_else(unknown)?)
}
