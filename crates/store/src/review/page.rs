//! Everything on the page of one review.

use std::collections::{BTreeMap, HashMap};

use domain::account::Me;
use domain::policy::Act;
use domain::review::thread::Suggestion;
use domain::review::{
    Check, Comment, Documents, Known, Override, Review, ReviewSummary, RevisionLine, Thread, check,
};
use domain::{CommentId, Document, DraftId, ReviewId, ThreadId};
use serde_json::Value;
use uuid::Uuid;

use super::facts::{self, Content, members, person};
use super::summary::{self, Which};
use super::thread::anchor;
use crate::{Error, Result, Store, Tx, document, number, timestamp, version};

/// Saves that the page lists.
const REVISIONS: i64 = 200;

impl Store {
    /// Returns a review with everything on its page, but without documents that the reader knows.
    ///
    /// # Errors
    /// When there is none with this id in the organization.
    pub async fn review(&self, me: &Me, id: ReviewId, known: Option<Known>) -> Result<Review> {
        let mut tx = self.begin(me, Act::See).await?;
        let mut listed = summary::read(&mut tx, me, Which::One(id)).await?;
        let mut listed = listed.pop().ok_or(Error::NotFound)?;
        let own = own(&mut tx, me, id).await?;
        let subject = &listed.seen.subject;
        let (integration, draft) = (subject.integration, subject.draft);
        let base =
            version::base_document(&mut tx, me, integration, subject.base, &own.document).await?;
        let subject = facts::Subject {
            content: Content::of(&mut tx, me, integration, &base, &own.document).await?,
            ..subject.clone()
        };
        listed.seen = facts::of(&mut tx, me, subject).await?;
        let checks = match own.checks {
            Some(checks) => checks,
            None => check::checks(&listed.seen.facts),
        };
        let members = members(&mut tx, me).await?.into_iter();
        let (facts, scene) = (&listed.seen.facts, &listed.seen.scene);
        let now = Known {
            base: facts.base,
            revision: facts.revision,
        };
        let documents = (known != Some(now)).then_some(Documents {
            base,
            draft: own.document,
        });
        Ok(Review {
            summary: listed.summary(),
            description: own.description,
            asked: scene.asked.clone(),
            authors: scene.authors.clone(),
            decisions: facts.decisions.clone(),
            checks,
            policy: facts.policy.clone(),
            fingerprint: facts.fingerprint.clone(),
            base: facts.base,
            live: facts.live,
            documents,
            revisions: revisions(&mut tx, me, draft).await?,
            threads: threads(&mut tx, me, id).await?,
            viewed: viewed(&mut tx, me, id).await?,
            last_looked: own.last_looked,
            override_reason: own.override_reason,
            version: own.version,
            members: members.map(|(person, _)| person).collect(),
        })
    }

    /// Returns the reviews of a draft, the open one first.
    ///
    /// # Errors
    /// When there is no such draft in the organization.
    pub async fn draft_reviews(&self, me: &Me, draft: DraftId) -> Result<Vec<ReviewSummary>> {
        let mut tx = self.begin(me, Act::See).await?;
        let listed = summary::read(&mut tx, me, Which::Of(draft)).await?;
        if listed.is_empty() {
            crate::draft::history::exists(&mut tx, me, draft).await?;
        }
        Ok(listed.iter().map(summary::Listed::summary).collect())
    }

    /// Returns what the draft of a review contained at a revision.
    ///
    /// # Errors
    /// When there is no such review, or no such revision of its draft.
    pub async fn review_document(&self, me: &Me, id: ReviewId, revision: u32) -> Result<Document> {
        let mut tx = self.begin(me, Act::See).await?;
        let draft = sqlx::query_scalar!(
            "select draft_id from review where organization_id = $1 and review_id = $2",
            me.organization.0,
            id.0,
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(Error::NotFound)?;
        crate::draft::history::at(&mut tx, me, DraftId(draft), revision).await
    }
}

/// What only the page of a review needs.
struct Own {
    description: String,
    checks: Option<Vec<Check>>,
    document: Document,
    last_looked: Option<u32>,
    version: Option<u32>,
    override_reason: Option<Override>,
}

async fn own(tx: &mut Tx, me: &Me, id: ReviewId) -> Result<Own> {
    let row = sqlx::query!(
        r#"select description, checks, document, looked.revision as "last_looked?",
                version.number as "version?", override_by, account.name as "override_name?",
                override_reason as "override_reason?"
           from review
           join draft using (draft_id)
           left join looked on looked.review_id = review.review_id and looked.account_id = $3
           left join version on version.review_id = review.review_id
           left join account on account.account_id = override_by
           where review.organization_id = $1 and review.review_id = $2"#,
        me.organization.0,
        id.0,
        me.account.0,
    )
    .fetch_one(&mut **tx)
    .await?;
    let checks = row.checks.map(serde_json::from_value).transpose();
    Ok(Own {
        description: row.description,
        checks: checks.map_err(sqlx::Error::decode)?,
        document: document::read(row.document)?,
        last_looked: row.last_looked.map(number).transpose()?,
        version: row.version.map(number).transpose()?,
        override_reason: version::overridden(
            row.override_by,
            row.override_name,
            row.override_reason,
        ),
    })
}

async fn revisions(tx: &mut Tx, me: &Me, draft: DraftId) -> Result<Vec<RevisionLine>> {
    let rows = sqlx::query!(
        r#"select revision, draft_revision.account_id, account.name, suggested_by,
                proposer.name as "proposer?", at,
                case when json_typeof(edits) = 'array' then json_array_length(edits) else 0 end
                    as "edits!"
           from draft_revision
           join account on account.account_id = draft_revision.account_id
           left join account as proposer on proposer.account_id = suggested_by
           where organization_id = $1 and draft_id = $2
           order by revision desc
           limit $3"#,
        me.organization.0,
        draft.0,
        REVISIONS,
    )
    .fetch_all(&mut **tx)
    .await?;
    let rows = rows.into_iter().map(|row| {
        Ok(RevisionLine {
            revision: number(row.revision)?,
            by: person(row.account_id, row.name),
            suggested_by: row
                .suggested_by
                .zip(row.proposer)
                .map(|(account, name)| person(account, name)),
            at: timestamp::read(row.at),
            edits: number(row.edits)?,
        })
    });
    rows.collect()
}

/// Returns the threads that `me` may see, oldest first, with the comments that `me` may see.
async fn threads(tx: &mut Tx, me: &Me, id: ReviewId) -> Result<Vec<Thread>> {
    let mut comments = comments(tx, me, id).await?;
    let rows = sqlx::query!(
        r#"select thread_id, anchor, on_base, revision, quoted, resolved_by, resolved_at,
                account.name as "resolved_name?"
           from thread left join account on account.account_id = resolved_by
           where organization_id = $1 and review_id = $2
           order by thread_id"#,
        me.organization.0,
        id.0,
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut threads = Vec::with_capacity(rows.len());
    for row in rows {
        let Some(comments) = comments.remove(&row.thread_id) else {
            continue;
        };
        let by = row.resolved_by.zip(row.resolved_name);
        let by = by.map(|(account, name)| person(account, name));
        threads.push(Thread {
            id: ThreadId(row.thread_id),
            anchor: anchor(row.anchor)?,
            on_base: row.on_base,
            revision: number(row.revision)?,
            quoted: row.quoted,
            resolved: by.zip(row.resolved_at.map(timestamp::read)),
            comments,
        });
    }
    Ok(threads)
}

async fn comments(tx: &mut Tx, me: &Me, id: ReviewId) -> Result<HashMap<Uuid, Vec<Comment>>> {
    let rows = sqlx::query!(
        r#"select comment_id, thread_id, comment.account_id, account.name, body, suggestion,
                applied_by, applied_revision, applier.name as "applier?", written_at, edited_at,
                deleted_at is not null as "is_deleted!", sent_at is null as "is_pending!"
           from comment
           join account on account.account_id = comment.account_id
           left join account as applier on applier.account_id = applied_by
           where organization_id = $1 and review_id = $2
                and (sent_at is not null or comment.account_id = $3)
           order by comment_id"#,
        me.organization.0,
        id.0,
        me.account.0,
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut comments: HashMap<Uuid, Vec<Comment>> = HashMap::new();
    for row in rows {
        let applied = row.applied_by.zip(row.applier).zip(row.applied_revision);
        let applied = applied.map(|((account, name), revision)| {
            Ok::<_, Error>((person(account, name), number(revision)?))
        });
        let applied = applied.transpose()?;
        let suggestion = |value: Value| Suggestion { value, applied };
        comments.entry(row.thread_id).or_default().push(Comment {
            id: CommentId(row.comment_id),
            by: person(row.account_id, row.name),
            body: row.body,
            suggestion: row.suggestion.map(suggestion),
            at: timestamp::read(row.written_at),
            edited_at: row.edited_at.map(timestamp::read),
            is_deleted: row.is_deleted,
            is_pending: row.is_pending,
        });
    }
    Ok(comments)
}

async fn viewed(tx: &mut Tx, me: &Me, id: ReviewId) -> Result<BTreeMap<String, String>> {
    let rows = sqlx::query!(
        "select target, digest from viewed
         where organization_id = $1 and review_id = $2 and account_id = $3",
        me.organization.0,
        id.0,
        me.account.0,
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.target, row.digest))
        .collect())
}
