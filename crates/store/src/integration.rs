//! Integrations: the organization page, the page of one, and its switches.

mod signing;
pub(crate) mod throttle;

use std::collections::HashMap;

use domain::account::{self, Me};
use domain::draft::{self, DraftSummary};
use domain::integration::{Failing, IntegrationDetail, IntegrationSummary, LiveVersion};
use domain::policy::{self, Act};
use domain::run::RunState;
use domain::{Document, DraftId, IntegrationId, RunId, Timestamp, VersionId};
use serde_json::json;
use uuid::Uuid;

use crate::draft::NewDraft;
use crate::live::{Changed, What};
use crate::{Error, Result, Store, Tx, audit, poll, schedule, timestamp, token, version};

/// How many states of past runs a line shows.
const RECENT_RUNS: i64 = 20;
/// How many coming fires of a schedule are shown.
const NEXT_FIRES: usize = 5;

impl Store {
    /// Returns all integrations of the organization, by name.
    ///
    /// # Errors
    /// When the session ended.
    pub async fn integrations(&self, me: &Me) -> Result<Vec<IntegrationSummary>> {
        let mut tx = self.begin(me, Act::See).await?;
        summaries(&mut tx, me, None).await
    }

    /// Returns one integration with its versions.
    ///
    /// # Errors
    /// When there is none with this id in the organization.
    pub async fn integration(&self, me: &Me, id: IntegrationId) -> Result<IntegrationDetail> {
        let (mut tx, role) = self.enter(me).await?;
        policy::allow(role, Act::See)?;
        let summary = summaries(&mut tx, me, Some(id))
            .await?
            .pop()
            .ok_or(Error::NotFound)?;
        let versions = version::summaries(&mut tx, me, id).await?;
        let row = sqlx::query!(
            r#"select webhook_token, schedule.cron as "cron?", schedule.time_zone as "time_zone?",
                    now() as "now!"
               from integration left join schedule using (integration_id)
               where integration.organization_id = $1 and integration_id = $2"#,
            me.organization.0,
            id.0,
        )
        .fetch_one(&mut *tx)
        .await?;
        let is_webhook = summary
            .live
            .as_ref()
            .is_some_and(|live| live.trigger == "webhook");
        let next_fires = match (row.cron, row.time_zone) {
            (Some(cron), Some(zone)) => {
                engine::schedule::next_fires(&cron, &zone, timestamp::read(row.now), NEXT_FIRES)
            }
            _ => Vec::new(),
        };
        Ok(IntegrationDetail {
            summary,
            versions,
            webhook_path: is_webhook.then(|| format!("/hooks/{}", row.webhook_token)),
            next_fires,
            polling: poll::read(&mut tx, me, role, id).await?,
            throttle: throttle::read(&mut tx, me, id).await?,
        })
    }

    /// Creates an integration with a first draft; returns the draft.
    ///
    /// # Errors
    /// When the role does not allow it, a name cannot be taken, or the document is too large.
    pub async fn create_integration(
        &self,
        me: &Me,
        name: &str,
        title: &str,
        document: Document,
    ) -> Result<DraftId> {
        let mut tx = self.begin(me, Act::CreateIntegration).await?;
        let name = account::check_name(name)?;
        let title = account::check_name(title)?;
        let document = draft::edited(&document, &[])?;
        let id = IntegrationId(Uuid::now_v7());
        sqlx::query!(
            "insert into integration
                (integration_id, organization_id, name, webhook_token, created_by)
             values ($1, $2, $3, $4, $5)",
            id.0,
            me.organization.0,
            name,
            token::address(),
            me.account.0,
        )
        .execute(&mut *tx)
        .await?;
        audit::note(
            &mut tx,
            me,
            "integration.create",
            id.0,
            json!({ "name": name }),
        )
        .await?;
        let new = NewDraft {
            integration: id,
            title,
            base: None,
            document,
        };
        let draft = crate::draft::insert(&mut tx, me, new).await?;
        self.commit(tx, vec![changed(me, id)]).await?;
        Ok(draft)
    }

    /// Gives an integration another name.
    ///
    /// # Errors
    /// When the role does not allow it, the name cannot be taken, or there is no such integration.
    pub async fn rename_integration(&self, me: &Me, id: IntegrationId, name: &str) -> Result<()> {
        let mut tx = self.begin(me, Act::EditDraft).await?;
        let name = account::check_name(name)?;
        let renamed = sqlx::query!(
            "update integration set name = $3 where organization_id = $1 and integration_id = $2",
            me.organization.0,
            id.0,
            name,
        )
        .execute(&mut *tx)
        .await?;
        if renamed.rows_affected() == 0 {
            return Err(Error::NotFound);
        }
        audit::note(
            &mut tx,
            me,
            "integration.rename",
            id.0,
            json!({ "name": name }),
        )
        .await?;
        self.commit(tx, vec![changed(me, id)]).await
    }

    /// Says whether triggers start an integration. Runs that have begun go on. A schedule goes on
    /// from now: what it missed meanwhile is not made up for. Polling goes on where it was.
    ///
    /// # Errors
    /// When the role does not allow it, or there is no such integration.
    pub async fn set_enabled(&self, me: &Me, id: IntegrationId, enabled: bool) -> Result<()> {
        let mut tx = self.begin(me, Act::Operate).await?;
        let found = sqlx::query!(
            "update integration set enabled = $3 where organization_id = $1 and integration_id = $2",
            me.organization.0,
            id.0,
            enabled,
        )
        .execute(&mut *tx)
        .await?;
        if found.rows_affected() == 0 {
            return Err(Error::NotFound);
        }
        schedule::set(&mut tx, me.organization, id).await?;
        poll::set(&mut tx, me.organization, id).await?;
        let act = if enabled {
            "integration.enable"
        } else {
            "integration.disable"
        };
        audit::note(&mut tx, me, act, id.0, json!({})).await?;
        self.commit(tx, vec![changed(me, id)]).await
    }
}

/// Finds an integration of the organization.
///
/// # Errors
/// When there is none with this id.
pub(crate) async fn exists(tx: &mut Tx, me: &Me, integration: IntegrationId) -> Result<()> {
    let found = sqlx::query_scalar!(
        r#"select exists (
               select from integration where organization_id = $1 and integration_id = $2
           ) as "found!""#,
        me.organization.0,
        integration.0,
    )
    .fetch_one(&mut **tx)
    .await?;
    if found { Ok(()) } else { Err(Error::NotFound) }
}

/// Says that an integration changed.
pub(crate) fn changed(me: &Me, id: IntegrationId) -> Changed {
    Changed {
        organization: me.organization,
        what: What::Integration(id),
    }
}

async fn summaries(
    tx: &mut Tx,
    me: &Me,
    only: Option<IntegrationId>,
) -> Result<Vec<IntegrationSummary>> {
    let only = only.map(|id| id.0);
    let rows = sqlx::query!(
        r#"select integration.integration_id, integration.name, enabled,
                version_id as "version_id?", number as "number?", trigger as "trigger?",
                published_at as "published_at?",
                paused_at is not null as "paused!",
                failing.since as "failing_since?", failing.run_id as "failing_run?",
                failing_polls.since as "polls_failing?"
           from integration
           left join version on version_id = live_version_id
           left join throttle on throttle.integration_id = integration.integration_id
           left join failing on failing.integration_id = integration.integration_id
                and failing.cause = 'runs'
           left join failing as failing_polls
                on failing_polls.integration_id = integration.integration_id
                and failing_polls.cause = 'polls'
           where integration.organization_id = $1
                and ($2::uuid is null or integration.integration_id = $2)
           order by lower(integration.name), integration.integration_id"#,
        me.organization.0,
        only,
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut drafts = crate::draft::open(tx, me, only).await?;
    let mut runs = recent_runs(tx, me, only).await?;
    rows.into_iter()
        .map(|row| {
            let id = IntegrationId(row.integration_id);
            let drafts: Vec<DraftSummary> = drafts.remove(&id).unwrap_or_default();
            let (recent_runs, last_run_at) = runs.remove(&id).unwrap_or_default();
            let live = match (row.version_id, row.number, row.trigger, row.published_at) {
                (Some(version), Some(number), Some(trigger), Some(at)) => Some(LiveVersion {
                    id: VersionId(version),
                    number: crate::number(number)?,
                    trigger,
                    published_at: timestamp::read(at),
                }),
                _ => None,
            };
            let failing = row.failing_since.zip(row.failing_run);
            let failing = failing.map(|(since, first)| Failing {
                since: timestamp::read(since),
                first: RunId(first),
            });
            Ok(IntegrationSummary {
                id,
                name: row.name,
                live,
                enabled: row.enabled,
                paused: row.paused,
                failing,
                polls_failing: row.polls_failing.map(timestamp::read),
                drafts,
                recent_runs,
                last_run_at,
            })
        })
        .collect()
}

type Recent = HashMap<IntegrationId, (Vec<RunState>, Option<Timestamp>)>;

async fn recent_runs(tx: &mut Tx, me: &Me, only: Option<Uuid>) -> Result<Recent> {
    let rows = sqlx::query!(
        r#"select integration.integration_id, recent.state as "state!",
                recent.created_at as "created_at!"
           from integration cross join lateral (
                select run_id, state, created_at from run
                where run.integration_id = integration.integration_id
                    and run.organization_id = $1 and not is_test
                order by run_id desc limit $3
           ) as recent
           where integration.organization_id = $1
                and ($2::uuid is null or integration.integration_id = $2)
           order by recent.run_id desc"#,
        me.organization.0,
        only,
        RECENT_RUNS,
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut recent = Recent::new();
    for row in rows {
        let (states, last) = recent.entry(IntegrationId(row.integration_id)).or_default();
        states.push(crate::run::state(&row.state)?);
        last.get_or_insert(timestamp::read(row.created_at));
    }
    Ok(recent)
}
