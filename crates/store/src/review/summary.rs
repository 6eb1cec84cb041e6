//! Lines about reviews: for the inbox, a draft's page, and the head of a review.

use domain::account::Me;
use domain::draft::DraftState;
use domain::review::policy::Touched;
use domain::review::{Fingerprint, Person, ReviewState, ReviewSummary, turn};
use domain::{ConnectionId, DraftId, IntegrationId, ReviewId, Timestamp};
use time::OffsetDateTime;
use uuid::Uuid;

use super::facts::{self, Content, Seen, Subject, UnderReview, person};
use crate::{Result, Tx, draft, number, timestamp};

/// Which reviews are listed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Which {
    /// One.
    One(ReviewId),
    /// All of a draft, the open one first.
    Of(DraftId),
    /// The open ones of the organization, newest change first, so many at most.
    Open(i64),
    /// Those that ended, newest first, so many at most.
    Ended(i64),
}

/// A review as lists show it, with the facts about it.
pub(super) struct Listed {
    pub(super) id: ReviewId,
    pub(super) draft_state: DraftState,
    pub(super) seen: Seen,
    row: Head,
}

/// What only the head of a review says.
#[derive(Clone)]
struct Head {
    integration_name: String,
    title: String,
    state: ReviewState,
    created_by: Person,
    updated_at: Timestamp,
    unread: bool,
}

impl Listed {
    /// Returns the line.
    pub(super) fn summary(&self) -> ReviewSummary {
        let Seen {
            subject,
            facts,
            scene,
        } = &self.seen;
        let row = self.row.clone();
        ReviewSummary {
            id: self.id,
            draft: subject.draft,
            integration: subject.integration,
            integration_name: row.integration_name,
            title: row.title,
            state: row.state,
            draft_state: self.draft_state,
            revision: subject.revision,
            created_by: row.created_by,
            created_at: scene.created_at,
            updated_at: row.updated_at,
            turns: turn::turns(facts, scene),
            open_threads: facts.open_threads,
            unread: row.unread,
        }
    }
}

/// Reads reviews of the organization.
pub(super) async fn read(tx: &mut Tx, me: &Me, which: Which) -> Result<Vec<Listed>> {
    let (one, of, is_open, at_most) = match which {
        Which::One(id) => (Some(id.0), None, None, 1),
        Which::Of(draft) => (None, Some(draft.0), None, 100),
        Which::Open(at_most) => (None, None, Some(true), at_most),
        Which::Ended(at_most) => (None, None, Some(false), at_most),
    };
    let rows = sqlx::query_as!(
        Row,
        r#"select review.review_id, review.draft_id, draft.integration_id,
                integration.name as integration_name, review.title, review.state,
                draft.state as draft_state, draft.revision, draft.base, draft.updated_at as saved_at,
                version.number as "live?", review.fingerprint, review.problems, review.kinds,
                review.connections,
                review.created_by, account.name as created_by_name, review.created_at,
                review.updated_at,
                coalesce(greatest(
                    (select max(sent_at) from comment
                        where comment.review_id = review.review_id and account_id <> $2),
                    (select max(at) from decision
                        where decision.review_id = review.review_id and account_id <> $2),
                    (select max(at) from draft_revision
                        where draft_revision.draft_id = review.draft_id and account_id <> $2
                            and at > review.created_at),
                    case when review.created_by <> $2 then review.created_at end
                ) > coalesce(looked.at, '-infinity'), false) as "unread!"
           from review
           join draft using (draft_id)
           join integration on integration.integration_id = draft.integration_id
           join account on account.account_id = review.created_by
           left join version on version_id = live_version_id
           left join looked on looked.review_id = review.review_id and looked.account_id = $2
           where review.organization_id = $1
                and ($3::uuid is null or review.review_id = $3)
                and ($4::uuid is null or review.draft_id = $4)
                and ($5::boolean is null or (review.state = 'open') = $5)
           order by review.state = 'open' desc, review.updated_at desc, review.review_id desc
           limit $6"#,
        me.organization.0,
        me.account.0,
        one,
        of,
        is_open,
        at_most,
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut subjects = Vec::with_capacity(rows.len());
    let mut heads = Vec::with_capacity(rows.len());
    for row in rows {
        let (subject, draft_state, head) = row.read()?;
        subjects.push(subject);
        heads.push((draft_state, head));
    }
    let seen = facts::all(tx, me, subjects).await?;
    let listed = seen.into_iter().zip(heads);
    Ok(listed
        .map(|(seen, (draft_state, row))| Listed {
            id: seen.subject.review.expect("it was read from one").id,
            draft_state,
            seen,
            row,
        })
        .collect())
}

struct Row {
    review_id: Uuid,
    draft_id: Uuid,
    integration_id: Uuid,
    integration_name: String,
    title: String,
    state: String,
    draft_state: String,
    revision: i32,
    base: Option<i32>,
    saved_at: OffsetDateTime,
    live: Option<i32>,
    fingerprint: String,
    problems: i32,
    kinds: Vec<String>,
    connections: Vec<Uuid>,
    created_by: Uuid,
    created_by_name: String,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
    unread: bool,
}

impl Row {
    fn read(self) -> Result<(Subject, DraftState, Head)> {
        let state = review_state(&self.state)?;
        let draft_state = draft::state(&self.draft_state)?;
        let subject = Subject {
            draft: DraftId(self.draft_id),
            integration: IntegrationId(self.integration_id),
            revision: number(self.revision)?,
            base: self.base.map(number).transpose()?,
            live: self.live.map(number).transpose()?,
            saved_at: timestamp::read(self.saved_at),
            content: Content {
                fingerprint: Fingerprint(self.fingerprint),
                problems: number(self.problems)?,
                touched: Touched {
                    kinds: self.kinds.into_iter().collect(),
                    connections: self.connections.into_iter().map(ConnectionId).collect(),
                },
            },
            review: Some(UnderReview {
                id: ReviewId(self.review_id),
                is_open: state == ReviewState::Open,
                created_at: timestamp::read(self.created_at),
            }),
        };
        let head = Head {
            integration_name: self.integration_name,
            title: self.title,
            state,
            created_by: person(self.created_by, self.created_by_name),
            updated_at: timestamp::read(self.updated_at),
            unread: self.unread,
        };
        Ok((subject, draft_state, head))
    }
}

/// Reads the state of a review as it is stored.
pub(super) fn review_state(key: &str) -> Result<ReviewState> {
    let unknown = || sqlx::Error::Decode(format!("there is no review state `{key}`").into());
    Ok(ReviewState::from_key(key).ok_or_else(unknown)?)
}
