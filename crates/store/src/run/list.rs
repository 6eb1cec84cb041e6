//! The list of live runs, a page at a time. It is as quick among ten million as among ten: each
//! question has an index in whose order it is answered, so that a page is about all that is read.

use domain::account::Me;
use domain::policy::Act;
use domain::run::{RunState, RunSummary};

use super::{RunFilter, SummaryRow};
use crate::{Result, Store, Tx};

/// Runs on one page.
const PAGE: i64 = 50;

impl Store {
    /// Returns a page of 50 live runs, newest first.
    ///
    /// # Errors
    /// When the session ended.
    pub async fn runs(&self, me: &Me, filter: RunFilter) -> Result<Vec<RunSummary>> {
        let mut tx = self.begin(me, Act::See).await?;
        let rows = match filter.state {
            None | Some(RunState::Succeeded) => newest(&mut tx, me, filter).await?,
            Some(state) if state.is_finished() => newest_ended_badly(&mut tx, me, filter).await?,
            Some(_) => newest_under_way(&mut tx, me, filter).await?,
        };
        rows.into_iter().map(SummaryRow::read).collect()
    }
}

/// Returns a page of all runs, or of those in the state that most are in.
async fn newest(tx: &mut Tx, me: &Me, filter: RunFilter) -> Result<Vec<SummaryRow>> {
    let rows = sqlx::query_as!(
        SummaryRow,
        "select run_id, run.integration_id, integration.name as integration_name,
                version_number, draft_id, draft_revision, state, run.created_at, started_at,
                finished_at, error
         from run join integration using (integration_id)
         where run.organization_id = $1 and not is_test
            and ($2::uuid is null or run.integration_id = $2)
            and ($3::text is null or state = $3)
            and ($4::uuid is null or run_id < $4)
         order by run_id desc
         limit $5",
        me.organization.0,
        filter.integration.map(|id| id.0),
        filter.state.map(RunState::key),
        filter.before.map(|id| id.0),
        PAGE,
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows)
}

/// Returns a page of the runs in a state of those that ended without success, which have indexes of
/// their own: few are looked for among many.
async fn newest_ended_badly(tx: &mut Tx, me: &Me, filter: RunFilter) -> Result<Vec<SummaryRow>> {
    let rows = sqlx::query_as!(
        SummaryRow,
        "select run_id, run.integration_id, integration.name as integration_name,
                version_number, draft_id, draft_revision, state, run.created_at, started_at,
                finished_at, error
         from run join integration using (integration_id)
         where run.organization_id = $1 and not is_test and ended_badly
            and ($2::uuid is null or run.integration_id = $2)
            and state = $3
            and ($4::uuid is null or run_id < $4)
         order by run_id desc
         limit $5",
        me.organization.0,
        filter.integration.map(|id| id.0),
        filter.state.map(RunState::key),
        filter.before.map(|id| id.0),
        PAGE,
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows)
}

/// Returns a page of the runs in a state of those that are not over: all of them are in the queue,
/// in the line of their integration, and each is looked up from there (the offset keeps the planner
/// from going through all runs).
async fn newest_under_way(tx: &mut Tx, me: &Me, filter: RunFilter) -> Result<Vec<SummaryRow>> {
    let rows = sqlx::query_as!(
        SummaryRow,
        "select run.run_id, run.integration_id, integration.name as integration_name,
                version_number, draft_id, draft_revision, state, run.created_at, started_at,
                finished_at, error
         from run_queue
         cross join lateral (
            select * from run where run.run_id = run_queue.run_id offset 0
         ) as run
         join integration using (integration_id)
         where run.organization_id = $1 and not is_test
            and run_queue.line_id in (
                select integration_id from integration where organization_id = $1
                    and ($2::uuid is null or integration_id = $2)
            )
            and state = $3
            and ($4::uuid is null or run.run_id < $4)
         order by run.run_id desc
         limit $5",
        me.organization.0,
        filter.integration.map(|id| id.0),
        filter.state.map(RunState::key),
        filter.before.map(|id| id.0),
        PAGE,
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows)
}
