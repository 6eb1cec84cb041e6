//! What the caller of a webhook gets to know of its run, when another process executes it.
//!
//! Thousands of callers may wait for seconds, so what is asked again and again is small, and asked
//! for many of them in one statement, over one connection: whoever renews leases waits for none of
//! them. A run's document is read only when something was recorded, of that only which steps
//! respond, and that is remembered; of its records each row is looked at once for a caller, by
//! Postgres, and only one that names such a step is read.

use std::sync::Arc;

use domain::run::{RunState, StepRecord, StepState};
use domain::{DocumentHash, OrganizationId, RunId, StepId};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use serde_json::{Map, Value};
use sqlx::postgres::PgConnection;

use super::{Folded, state};
use crate::gathered::Question;
use crate::{Error, Result, Store, document};

/// Rows of records that one question looks through.
const LOOKED_AT: i64 = 64;
/// Bytes of records after which all questions of a statement together look at no further row: one run
/// with large records must not hold up the callers of others.
const LOOKED_AT_BYTES: i64 = 2 * 1_024 * 1_024;
/// Respond steps that Postgres looks for; where there are more, each row of records is read, one with
/// each question.
const NAMED: usize = 32;
/// Bytes that are remembered of documents, and what one without any Respond step takes of them.
const REMEMBERED: u64 = 8 * 1_024 * 1_024;
const ONE: u64 = 256;

/// What a run has for the caller of its webhook.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// A Respond step ran, with these fields.
    Responded(Map<String, Value>),
    /// It is over, and none did.
    Ended(RunState),
    /// It goes on, and none did yet.
    Pending,
    /// It is not kept any more.
    Gone,
}

/// A run that is asked after until it has something for its caller, and what is known of it.
#[derive(Clone, Debug)]
pub struct Awaited {
    organization: OrganizationId,
    run: RunId,
    /// The last row of its records that was looked at.
    seen: i64,
    /// Its document, and the steps of it that respond, once that is known. It has another one after
    /// it was resumed on the live version.
    steps: Option<(DocumentHash, Arc<[StepId]>)>,
}

impl Awaited {
    /// Returns a run of an organization of which nothing is known yet.
    pub fn new(organization: OrganizationId, run: RunId) -> Self {
        Self {
            organization,
            run,
            seen: 0,
            steps: None,
        }
    }
}

impl Store {
    /// Returns what a run has for the caller of its webhook, as far as that is durable. For the
    /// machinery: asks for no member's rights.
    ///
    /// # Errors
    /// When the database does not answer, or what is stored of the run cannot be read.
    pub async fn reply(&self, awaited: &mut Awaited) -> Result<Reply> {
        loop {
            let question = Progress::of(awaited);
            let Some(stored) = self.inner.replies.ask(question).await? else {
                return Ok(Reply::Gone);
            };
            let last = stored.last.unwrap_or(0);
            let hash = DocumentHash(stored.hash);
            if awaited.steps.take_if(|(of, _)| *of != hash).is_some() {
                awaited.seen = 0;
                continue;
            }
            if last > awaited.seen {
                let Some((_, steps)) = &awaited.steps else {
                    match self.responding(awaited.organization, &hash).await {
                        Ok(steps) => awaited.steps = Some((hash, steps)),
                        Err(Error::NotFound) => return Ok(Reply::Gone),
                        Err(error) => return Err(error),
                    }
                    continue;
                };
                if let Some(records) = stored.records
                    && let Some(fields) = responded(&records, steps)?
                {
                    return Ok(Reply::Responded(fields));
                }
                awaited.seen = match steps.is_empty() {
                    true => last,
                    // Others may have had all that one statement looks at.
                    false => stored.upto.unwrap_or(awaited.seen),
                };
                if last > awaited.seen {
                    continue;
                }
            }
            let state = state(&stored.state)?;
            return Ok(match state.is_finished() {
                true => Reply::Ended(state),
                false => Reply::Pending,
            });
        }
    }

    /// Returns which steps of a document respond. Of many that ask at once, one reads it.
    async fn responding(
        &self,
        organization: OrganizationId,
        hash: &DocumentHash,
    ) -> Result<Arc<[StepId]>> {
        let key = (organization, hash.clone());
        let read = async {
            let body = self.document_json(key.0, &key.1).await?;
            let steps = document::of_kind(&body.ok_or(Error::NotFound)?, "respond")?;
            Ok(Arc::from(steps))
        };
        let known = &self.inner.responders.0;
        known.get_or_insert_async(&key, read).await
    }
}

/// Returns what a Respond step gave in one row of records, if one did.
fn responded(records: &str, steps: &[StepId]) -> Result<Option<Map<String, Value>>> {
    let records: Vec<StepRecord> = serde_json::from_str(records).map_err(sqlx::Error::decode)?;
    let mut folded = Folded::default();
    records.into_iter().for_each(|record| folded.add(record));
    let responded = folded
        .records
        .into_iter()
        .find_map(|record| match record.input {
            Value::Object(fields)
                if record.state == StepState::Succeeded && steps.contains(&record.path.step) =>
            {
                Some(fields)
            }
            _ => None,
        });
    Ok(responded)
}

/// The steps of documents that respond, remembered: what a document says never changes.
#[derive(Debug)]
pub(crate) struct Responders(Cache<(OrganizationId, DocumentHash), Arc<[StepId]>, Bytes>);

impl Default for Responders {
    fn default() -> Self {
        let usual = usize::try_from(REMEMBERED / ONE).unwrap_or(usize::MAX);
        Self(Cache::with_weighter(usual, REMEMBERED, Bytes))
    }
}

/// What is remembered of a document, about.
#[derive(Clone, Debug)]
struct Bytes;

impl Weighter<(OrganizationId, DocumentHash), Arc<[StepId]>> for Bytes {
    fn weight(&self, _: &(OrganizationId, DocumentHash), steps: &Arc<[StepId]>) -> u64 {
        ONE + u64::try_from(size_of_val::<[StepId]>(steps)).unwrap_or(REMEMBERED)
    }
}

/// Asks how far a run is, and for the first row of its records after those that were looked at that
/// names one of some texts.
#[derive(Debug)]
pub(crate) struct Progress {
    organization: OrganizationId,
    run: RunId,
    seen: i64,
    sought: Vec<String>,
}

impl Progress {
    fn of(awaited: &Awaited) -> Self {
        let steps = awaited.steps.as_ref();
        let steps = steps.map_or([].as_slice(), |(_, steps)| steps);
        let sought = match steps.len() {
            0..=NAMED => steps.iter().map(ToString::to_string).collect(),
            // It is in each row.
            _ => vec![String::new()],
        };
        Self {
            organization: awaited.organization,
            run: awaited.run,
            seen: awaited.seen,
            sought,
        }
    }
}

/// How far a run is, as it is stored.
#[derive(Debug)]
pub(crate) struct Stored {
    place: i64,
    state: String,
    hash: String,
    /// The last row of its records.
    last: Option<i64>,
    /// The row that was found, or the last that was looked at.
    upto: Option<i64>,
    /// The row that was found.
    records: Option<String>,
}

impl Question for Progress {
    type Answer = Stored;

    async fn ask(
        questions: &[Self],
        connection: &mut PgConnection,
    ) -> Result<Vec<(i64, Stored)>, sqlx::Error> {
        let organizations: Vec<_> = questions.iter().map(|asked| asked.organization.0).collect();
        let runs: Vec<_> = questions.iter().map(|asked| asked.run.0).collect();
        let seen: Vec<_> = questions.iter().map(|asked| asked.seen).collect();
        let sought = (1_i64..).zip(questions);
        let (of, texts): (Vec<_>, Vec<_>) = sought
            .flat_map(|(place, asked)| asked.sought.iter().map(move |text| (place, text.as_str())))
            .unzip();
        let rows = sqlx::query_as!(
            Stored,
            r#"with asked as materialized (
                   select place, run.run_id, state, run.hash, seen
                   from unnest($1::uuid[], $2::uuid[], $3::bigint[]) with ordinality
                        as asked (organization_id, run_id, seen, place)
                   join run on run.run_id = asked.run_id
                        and run.organization_id = asked.organization_id
                   join document on document.organization_id = run.organization_id
                        and document.hash = run.hash
               ), next as materialized (
                   -- How long a text is stands beside it: it is not read for that.
                   select place, seq, records, sum(octet_length(records))
                        over (order by place, seq) - octet_length(records) as bytes_before
                   from asked cross join lateral (
                       select seq, records from run_record
                       where run_record.run_id = asked.run_id and seq > asked.seen
                            and asked.place = any($4)
                       order by seq limit $6
                   ) as following
               ), looked as (
                   select place, max(seq) as upto, min(seq) filter (where exists (
                       select from unnest($4::bigint[], $5::text[]) as sought (of, named)
                       where sought.of = next.place and strpos(next.records, named) > 0
                   )) as named
                   from next where bytes_before < $7 group by place
               )
               select place as "place!", state as "state!", hash as "hash!",
                    (
                        select seq from run_record where run_record.run_id = asked.run_id
                        order by seq desc limit 1
                    ) as "last?",
                    coalesce(named, upto) as "upto?",
                    (
                        select records from run_record
                        where run_record.run_id = asked.run_id and seq = named
                    ) as "records?"
               from asked left join looked using (place)"#,
            &organizations,
            &runs,
            &seen,
            &of,
            &texts as &[&str],
            LOOKED_AT,
            LOOKED_AT_BYTES,
        )
        .fetch_all(connection)
        .await?;
        Ok(rows.into_iter().map(|row| (row.place, row)).collect())
    }
}
