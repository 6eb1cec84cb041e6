//! Versions: a draft becomes one when it is published, and triggers start the newest.

mod plan;
mod roll_back;

use domain::account::Me;
use domain::delivery::Source;
use domain::draft::{self, DraftState};
use domain::integration::{Version, VersionSummary};
use domain::policy::Act;
use domain::review::{Happening, Override, ReviewState};
use domain::signing::Signature;
use domain::{Document, DocumentHash, DraftId, IntegrationId, ReviewId, VersionId, limit};
use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::live::Changed;
use crate::review::facts::{Seen, person};
use crate::review::notify::{self, Message};
use crate::review::standing::{self, close, set_state};
use crate::review::{self, Agreed};
use crate::{
    Error, Refusal, Result, Store, Tx, audit, call, document, number, poll, schedule, stored,
    timestamp,
};

impl Store {
    /// Publishes a draft as it is at `revision`: makes it the next version and puts that live, in
    /// one step, and ends its review. Runs that have begun keep their version. With a reason also
    /// when the review policy holds it back; then the reason is kept with the version.
    ///
    /// # Errors
    /// When the role does not allow it, there is no such draft, it is closed or at another
    /// revision, a rule is not met, the reason is not `me`'s to give, or a text is too long.
    pub async fn publish(
        &self,
        me: &Me,
        id: DraftId,
        revision: u32,
        note: String,
        reason: Option<String>,
    ) -> Result<VersionSummary> {
        let mut tx = self.begin(me, Act::Publish).await?;
        let note = check_note(&note)?;
        // First the integration, then the draft, in every publish: two drafts of the same
        // integration then wait for each other instead of blocking each other.
        lock_integration_of(&mut tx, me, id).await?;
        let locked = crate::draft::lock(&mut tx, me, id).await?.open()?;
        if locked.revision != revision {
            let current = locked.revision;
            return Err(draft::Refusal::Moved { current }.into());
        }
        let seen = standing::seen(&mut tx, me, &locked).await?;
        let agreed = review::agree(me, &seen.facts, reason.as_deref())?;
        let new = New {
            integration: locked.integration,
            document: &locked.document,
            title: locked.title.clone(),
            note,
            draft: Some(id),
            review: seen.subject.review.map(|review| review.id),
            rolled_back_from: None,
            reason: agreed.reason.clone(),
        };
        let version = new.put_live(&mut tx, me).await?;
        set_state(&mut tx, id, DraftState::Published).await?;
        let mut changes = locked.changes(me);
        changes.extend(end_review(&mut tx, me, &seen, &agreed).await?);
        let detail = json!({
            "integration": locked.integration,
            "number": version.number,
            "revision": revision,
            "hash": version.hash,
            "fingerprint": seen.facts.fingerprint,
            "review": version.review,
            "reason": agreed.reason,
        });
        audit::note(&mut tx, me, "version.publish", version.id.0, detail).await?;
        self.commit(tx, changes).await?;
        Ok(version)
    }

    /// Returns a version with its content.
    ///
    /// # Errors
    /// When the organization has none with this number of this integration.
    pub async fn version(&self, me: &Me, id: IntegrationId, number: u32) -> Result<Version> {
        let mut tx = self.begin(me, Act::See).await?;
        let row = sqlx::query!(
            r#"select version_id, number, title, note, account.name as published_by, published_at,
                    hash, steps, integration.name as integration_name, body, review_id,
                    rolled_back_from, override_by, overrider.name as "override_name?",
                    override_reason
               from version
               join account on account_id = published_by
               join integration using (integration_id)
               join document using (hash)
               left join account as overrider on overrider.account_id = override_by
               where version.organization_id = $1 and document.organization_id = $1
                    and integration_id = $2 and number = $3"#,
            me.organization.0,
            id.0,
            stored(number).map_err(|_| Error::NotFound)?,
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(Error::NotFound)?;
        let summary = SummaryRow {
            version_id: row.version_id,
            number: row.number,
            title: row.title,
            note: row.note,
            published_by: row.published_by,
            published_at: row.published_at,
            hash: row.hash,
            steps: row.steps,
            review_id: row.review_id,
            rolled_back_from: row.rolled_back_from,
            override_by: row.override_by,
            override_name: row.override_name,
            override_reason: row.override_reason,
        };
        Ok(Version {
            summary: summary.read()?,
            integration: id,
            integration_name: row.integration_name,
            document: document::read(row.body)?,
        })
    }
}

/// Returns a note as it is kept: without what a database cannot hold.
fn check_note(note: &str) -> Result<String> {
    if note.chars().nth(limit::TEXT).is_some() {
        return Err(Refusal::NoteTooLong.into());
    }
    Ok(note.replace('\0', "").trim().to_owned())
}

/// Ends the review of a draft that was published, if one is open, and tells who took part.
async fn end_review(tx: &mut Tx, me: &Me, seen: &Seen, agreed: &Agreed) -> Result<Vec<Changed>> {
    let Some(review) = seen.subject.review else {
        return Ok(Vec::new());
    };
    close(tx, seen, ReviewState::Published, &agreed.checks).await?;
    let people = notify::participants(tx, me, review.id).await?;
    let message = Message::new(Happening::Published, review.id);
    let mut changes = notify::tell(tx, me, people, message).await?;
    changes.push(standing::changed(me, review.id));
    Ok(changes)
}

/// Locks the integration of a draft, though not against references to it; returns the number of
/// its live version.
pub(crate) async fn lock_integration_of(
    tx: &mut Tx,
    me: &Me,
    draft: DraftId,
) -> Result<Option<u32>> {
    let integration = integration_of(tx, me, draft).await?;
    lock_integration(tx, me, integration).await
}

/// Returns the integration that a draft changes.
async fn integration_of(tx: &mut Tx, me: &Me, draft: DraftId) -> Result<IntegrationId> {
    let integration = sqlx::query_scalar!(
        "select integration_id from draft where organization_id = $1 and draft_id = $2",
        me.organization.0,
        draft.0,
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(IntegrationId(integration.ok_or(Error::NotFound)?))
}

/// Locks an integration; returns the number of its live version.
pub(crate) async fn lock_integration(
    tx: &mut Tx,
    me: &Me,
    id: IntegrationId,
) -> Result<Option<u32>> {
    sqlx::query_scalar!(
        "select integration_id from integration
         where organization_id = $1 and integration_id = $2
         for no key update",
        me.organization.0,
        id.0,
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or(Error::NotFound)?;
    live_number(tx, me, id).await
}

/// Returns the number of an integration's live version; `None` when nothing is live.
pub(crate) async fn live_number(tx: &mut Tx, me: &Me, id: IntegrationId) -> Result<Option<u32>> {
    let live = sqlx::query_scalar!(
        "select number from integration join version on version_id = live_version_id
         where integration.organization_id = $1 and integration.integration_id = $2",
        me.organization.0,
        id.0,
    )
    .fetch_optional(&mut **tx)
    .await?;
    live.map(number).transpose()
}

/// Returns the content of a version.
///
/// # Errors
/// When the integration has none with this number.
pub(crate) async fn document(
    tx: &mut Tx,
    me: &Me,
    integration: IntegrationId,
    number: u32,
) -> Result<Document> {
    let body = sqlx::query_scalar!(
        "select body from version join document using (organization_id, hash)
         where organization_id = $1 and integration_id = $2 and number = $3",
        me.organization.0,
        integration.0,
        stored(number).map_err(|_| Error::NotFound)?,
    )
    .fetch_optional(&mut **tx)
    .await?;
    document::read(body.ok_or(Error::NotFound)?)
}

/// Returns what a draft's changes are read against: the content of its base, or nothing but the
/// draft's kind of trigger when it started from nothing.
pub(crate) async fn base_document(
    tx: &mut Tx,
    me: &Me,
    integration: IntegrationId,
    base: Option<u32>,
    draft: &Document,
) -> Result<Document> {
    match base {
        Some(base) => document(tx, me, integration, base).await,
        None => Ok(Document::new(&draft.trigger.kind)),
    }
}

/// A version that is to be made and put live. The integration is locked.
struct New<'a> {
    integration: IntegrationId,
    document: &'a Document,
    title: String,
    note: String,
    draft: Option<DraftId>,
    review: Option<ReviewId>,
    rolled_back_from: Option<u32>,
    /// Why it was published although the review policy held it back.
    reason: Option<String>,
}

impl New<'_> {
    async fn put_live(self, tx: &mut Tx, me: &Me) -> Result<VersionSummary> {
        crate::connection::check_named(tx, me, self.document).await?;
        let version = self.insert(tx, me).await?;
        sqlx::query!(
            "update integration set live_version_id = $2 where integration_id = $1",
            self.integration.0,
            version.id.0,
        )
        .execute(&mut **tx)
        .await?;
        call::keep_called(tx, me, (self.integration, None), None, self.document).await?;
        schedule::set(tx, me.organization, self.integration).await?;
        poll::set(tx, me.organization, self.integration).await?;
        Ok(version)
    }

    async fn insert(&self, tx: &mut Tx, me: &Me) -> Result<VersionSummary> {
        let document = self.document;
        let hash = document::keep(tx, me.organization, document).await?;
        let override_by = self.reason.as_ref().map(|_| me.account.0);
        let row = sqlx::query!(
            "insert into version (version_id, organization_id, integration_id, number, hash,
                    trigger, method, responds, steps, title, note, draft_id, published_by,
                    review_id, rolled_back_from, override_by, override_reason, signature,
                    delivery_source)
             values ($1, $2, $3,
                    1 + coalesce((select max(number) from version where integration_id = $3), 0),
                    $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
             returning version_id, number, published_at, steps",
            Uuid::now_v7(),
            me.organization.0,
            self.integration.0,
            hash.0,
            document.trigger.kind,
            method(document),
            document.responds(),
            i32::try_from(document.steps.len()).expect("a document has few steps"),
            self.title,
            self.note,
            self.draft.map(|draft| draft.0),
            me.account.0,
            self.review.map(|review| review.0),
            self.rolled_back_from.map(stored).transpose()?,
            override_by,
            self.reason,
            Signature::of(document).key(),
            delivery_source(document),
        )
        .fetch_one(&mut **tx)
        .await?;
        let summary = SummaryRow {
            version_id: row.version_id,
            number: row.number,
            title: self.title.clone(),
            note: self.note.clone(),
            published_by: me.name.clone(),
            published_at: row.published_at,
            hash: hash.0,
            steps: row.steps,
            review_id: self.review.map(|review| review.0),
            rolled_back_from: self.rolled_back_from.map(stored).transpose()?,
            override_by,
            override_name: override_by.map(|_| me.name.clone()),
            override_reason: self.reason.clone(),
        };
        summary.read()
    }
}

/// Returns the method that the document's webhook expects.
fn method(document: &Document) -> Option<&str> {
    let method = document
        .trigger
        .config
        .get("method")
        .and_then(Value::as_str);
    method.filter(|_| document.trigger.kind == "webhook")
}

/// Returns where the document's webhook finds what a sender calls an event; `None` for nowhere.
fn delivery_source(document: &Document) -> Option<Value> {
    let source = Source::of(document);
    (source != Source::Nowhere).then(|| json!(source))
}

/// Returns the versions of an integration, newest first.
pub(crate) async fn summaries(
    tx: &mut Tx,
    me: &Me,
    id: IntegrationId,
) -> Result<Vec<VersionSummary>> {
    let rows = sqlx::query_as!(
        SummaryRow,
        r#"select version_id, number, title, note, account.name as published_by, published_at, hash,
                steps, review_id, rolled_back_from, override_by,
                overrider.name as "override_name?", override_reason
           from version
           join account on account_id = published_by
           left join account as overrider on overrider.account_id = override_by
           where organization_id = $1 and integration_id = $2
           order by number desc"#,
        me.organization.0,
        id.0,
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter().map(SummaryRow::read).collect()
}

struct SummaryRow {
    version_id: Uuid,
    number: i32,
    title: String,
    note: String,
    published_by: String,
    published_at: OffsetDateTime,
    hash: String,
    steps: i32,
    review_id: Option<Uuid>,
    rolled_back_from: Option<i32>,
    override_by: Option<Uuid>,
    override_name: Option<String>,
    override_reason: Option<String>,
}

impl SummaryRow {
    fn read(self) -> Result<VersionSummary> {
        Ok(VersionSummary {
            id: VersionId(self.version_id),
            number: number(self.number)?,
            title: self.title,
            note: self.note,
            published_by: self.published_by,
            published_at: timestamp::read(self.published_at),
            hash: DocumentHash(self.hash),
            steps: number(self.steps)?,
            review: self.review_id.map(ReviewId),
            override_reason: overridden(self.override_by, self.override_name, self.override_reason),
            rolled_back_from: self.rolled_back_from.map(number).transpose()?,
        })
    }
}

/// Returns who published against the review policy and why, as it is stored.
pub(crate) fn overridden(
    by: Option<Uuid>,
    name: Option<String>,
    reason: Option<String>,
) -> Option<Override> {
    let by = by.zip(name).map(|(account, name)| person(account, name));
    by.zip(reason).map(|(by, reason)| Override { by, reason })
}
