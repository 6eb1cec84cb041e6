//! Runs: listed, looked into, canceled, resumed.

mod cancel;
pub(crate) mod check;
mod list;
mod reply;
mod resume;
mod start;

use std::collections::HashMap;

use domain::account::Me;
use domain::delivery::Delivery;
use domain::policy::{self, Act};
use domain::run::{RunDetail, RunOf, RunState, RunSummary, StepPath, StepRecord};
use domain::{DocumentHash, DraftId, EventId, IntegrationId, RunId};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::sqlstate;
use crate::integration::throttle;
use crate::{Error, Result, Store, Tx, call, document, number, timestamp};

pub use reply::{Awaited, Reply};
pub(crate) use reply::{Progress, Responders};

/// Which live runs are listed; tests never are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Only those of one integration.
    pub integration: Option<IntegrationId>,
    /// Only those in one state.
    pub state: Option<RunState>,
    /// Only those that came before this one: for the next page, its last run.
    pub before: Option<RunId>,
}

/// Tests of a draft that are listed.
const TESTS: i64 = 20;
/// How often a verb is done that others keep from its locks in a circle.
const TRIES: usize = 5;

/// Does a verb, and does it again when Postgres ended its transaction because it and others waited
/// for each other's locks in a circle. It must change nothing but in that transaction.
async fn unless_in_a_circle<T, F>(verb: impl Fn() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    for _ in 1..TRIES {
        match verb().await {
            Err(Error::Unavailable(error)) if is_circle(&error) => {
                tracing::info!(%error, "a verb is done again");
            }
            done => return done,
        }
    }
    verb().await
}

fn is_circle(error: &sqlx::Error) -> bool {
    sqlstate(error).is_some_and(|code| code == "40P01")
}

impl Store {
    /// Returns a run, live or test, with what its steps did. Without what it received and sent
    /// when the role may not see that.
    ///
    /// # Errors
    /// When there is none with this id in the organization.
    pub async fn run(&self, me: &Me, id: RunId) -> Result<RunDetail> {
        let (mut tx, role) = self.enter(me).await?;
        policy::allow(role, Act::See)?;
        let shown = policy::allow(role, Act::SeePayloads).is_ok();
        detail(&mut tx, me, id, shown).await
    }

    /// Returns the newest test of a draft; `None` when it was never tested.
    ///
    /// # Errors
    /// When there is no such draft in the organization.
    pub async fn latest_test(&self, me: &Me, draft: DraftId) -> Result<Option<RunDetail>> {
        let (mut tx, role) = self.enter(me).await?;
        policy::allow(role, Act::See)?;
        let shown = policy::allow(role, Act::SeePayloads).is_ok();
        let newest = sqlx::query_scalar!(
            r#"select (
                   select run_id from run
                   where organization_id = $1 and draft_id = $2 and is_test
                   order by run_id desc limit 1
               ) as "run_id?"
               from draft where organization_id = $1 and draft_id = $2"#,
            me.organization.0,
            draft.0,
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(Error::NotFound)?;
        match newest {
            Some(id) => detail(&mut tx, me, RunId(id), shown).await.map(Some),
            None => Ok(None),
        }
    }

    /// Returns the newest tests of a draft, newest first, 20 at most.
    ///
    /// # Errors
    /// When there is no such draft in the organization.
    pub async fn tests(&self, me: &Me, draft: DraftId) -> Result<Vec<RunSummary>> {
        let mut tx = self.begin(me, Act::See).await?;
        let rows = sqlx::query_as!(
            SummaryRow,
            "select run_id, run.integration_id, integration.name as integration_name,
                    version_number, draft_id, draft_revision, state, run.created_at, started_at,
                    finished_at, error
             from run join integration using (integration_id)
             where run.organization_id = $1 and draft_id = $2 and is_test
             order by run_id desc
             limit $3",
            me.organization.0,
            draft.0,
            TESTS,
        )
        .fetch_all(&mut *tx)
        .await?;
        if rows.is_empty() {
            let found = sqlx::query_scalar!(
                r#"select exists (
                       select from draft where organization_id = $1 and draft_id = $2
                   ) as "found!""#,
                me.organization.0,
                draft.0,
            )
            .fetch_one(&mut *tx)
            .await?;
            if !found {
                return Err(Error::NotFound);
            }
        }
        rows.into_iter().map(SummaryRow::read).collect()
    }
}

async fn detail(tx: &mut Tx, me: &Me, id: RunId, shown: bool) -> Result<RunDetail> {
    let row = sqlx::query!(
        r#"select run.run_id, run.integration_id, integration.name as integration_name,
                version_number, draft_id, draft_revision, state, run.created_at, started_at,
                finished_at, error, event_id, run.hash, body, event.payload,
                delivery_name, delivery.repeats as "repeats?"
           from run
           join integration using (integration_id)
           join event using (event_id)
           join document on document.organization_id = $1 and document.hash = run.hash
           left join delivery on delivery.integration_id = run.integration_id
                and delivery.name = delivery_name and delivery.run_id = run.run_id
           where run.organization_id = $1 and run.run_id = $2"#,
        me.organization.0,
        id.0,
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or(Error::NotFound)?;
    let records = sqlx::query_scalar!(
        r#"select records::json as "records!" from run_record
           where organization_id = $1 and run_id = $2 order by seq"#,
        me.organization.0,
        id.0,
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut records = fold(records)?;
    if !shown {
        for record in &mut records {
            record.input = Value::Null;
            record.output = Value::Null;
        }
    }
    let caller = call::caller_of(tx, me, id).await?;
    let calls = call::calls_of(tx, me, id).await?;
    let summary = SummaryRow {
        run_id: row.run_id,
        integration_id: row.integration_id,
        integration_name: row.integration_name,
        version_number: row.version_number,
        draft_id: row.draft_id,
        draft_revision: row.draft_revision,
        state: row.state,
        created_at: row.created_at,
        started_at: row.started_at,
        finished_at: row.finished_at,
        error: row.error,
    };
    let summary = summary.read()?;
    let held = match (summary.state, summary.of) {
        (RunState::Queued, RunOf::Version(_)) => {
            throttle::held(tx, me, summary.integration).await?
        }
        _ => None,
    };
    let delivery = row.delivery_name.map(|id| {
        Ok::<_, Error>(Delivery {
            id: shown.then_some(id),
            repeats: number(row.repeats.unwrap_or(0))?,
        })
    });
    Ok(RunDetail {
        summary,
        held,
        event: EventId(row.event_id),
        hash: DocumentHash(row.hash),
        document: document::read(row.body)?,
        payload: shown.then_some(row.payload),
        records,
        caller,
        calls,
        delivery: delivery.transpose()?,
        payloads_hidden: !shown,
    })
}

/// Reads rows of records, oldest first: see [`Folded`].
pub(crate) fn fold(rows: Vec<Value>) -> Result<Vec<StepRecord>> {
    let mut folded = Folded::default();
    for row in rows {
        let row: Vec<StepRecord> = serde_json::from_value(row).map_err(sqlx::Error::decode)?;
        row.into_iter().for_each(|record| folded.add(record));
    }
    Ok(folded.records)
}

/// One record for each path, the last one written, in the order in which the paths first appeared.
#[derive(Default)]
pub(crate) struct Folded {
    pub(crate) records: Vec<StepRecord>,
    places: HashMap<StepPath, usize>,
}

impl Folded {
    /// Adds what was written after all that is in it.
    pub(crate) fn add(&mut self, record: StepRecord) {
        match self.places.get(&record.path) {
            Some(place) => self.records[*place] = record,
            None => {
                self.places.insert(record.path.clone(), self.records.len());
                self.records.push(record);
            }
        }
    }
}

/// Reads the state of a run as it is stored.
pub(crate) fn state(key: &str) -> Result<RunState> {
    let unknown = || sqlx::Error::Decode(format!("there is no run state `{key}`").into());
    Ok(RunState::from_key(key).ok_or_else(unknown)?)
}

struct SummaryRow {
    run_id: Uuid,
    integration_id: Uuid,
    integration_name: String,
    version_number: Option<i32>,
    draft_id: Option<Uuid>,
    draft_revision: Option<i32>,
    state: String,
    created_at: OffsetDateTime,
    started_at: Option<OffsetDateTime>,
    finished_at: Option<OffsetDateTime>,
    error: Option<String>,
}

impl SummaryRow {
    fn read(self) -> Result<RunSummary> {
        let of = match (self.version_number, self.draft_id, self.draft_revision) {
            (Some(version), _, _) => RunOf::Version(number(version)?),
            (None, Some(draft), Some(revision)) => RunOf::Test(DraftId(draft), number(revision)?),
            _ => return Err(sqlx::Error::Decode("a run executes nothing".into()).into()),
        };
        Ok(RunSummary {
            id: RunId(self.run_id),
            integration: IntegrationId(self.integration_id),
            integration_name: self.integration_name,
            of,
            state: state(&self.state)?,
            created_at: timestamp::read(self.created_at),
            started_at: self.started_at.map(timestamp::read),
            finished_at: self.finished_at.map(timestamp::read),
            error: self.error,
        })
    }
}
