//! Starting runs by hand: tests of drafts, and integrations with a manual trigger.

use domain::account::Me;
use domain::draft;
use domain::policy::Act;
use domain::run::{RunState, TestScope};
use domain::{DocumentHash, DraftId, IntegrationId, RunId};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::live::{Changed, What};
use crate::run::check;
use crate::{Error, Refusal, Result, Store, Tx, audit, document, stored};

impl Store {
    /// Runs a draft as a test, or a part of it, with what is pinned in it. `payload` is what
    /// expressions see as `trigger`. Live data is not touched.
    ///
    /// # Errors
    /// When the role does not allow it, there is no such draft, it is closed or at another
    /// revision than the one that was looked at, or the payload is too large.
    pub async fn start_test(
        &self,
        me: &Me,
        draft: DraftId,
        revision: u32,
        payload: Value,
        scope: TestScope,
    ) -> Result<RunId> {
        let mut tx = self.begin(me, Act::Test).await?;
        let payload = check::payload(&payload)?;
        let locked = crate::draft::lock(&mut tx, me, draft).await?;
        if !locked.state.is_open() {
            return Err(draft::Refusal::Closed(locked.state).into());
        }
        if locked.revision != revision {
            return Err(draft::Refusal::Moved {
                current: locked.revision,
            }
            .into());
        }
        let pins = crate::draft::pin::of(&mut tx, draft, &locked.document).await?;
        let scope = match scope {
            TestScope::Whole | TestScope::Part { until: None, .. } if pins.is_empty() => {
                TestScope::Whole
            }
            TestScope::Whole => TestScope::Part { until: None, pins },
            TestScope::Part { until, .. } => TestScope::Part { until, pins },
            step @ TestScope::Step { .. } => step,
        };
        let scope = serde_json::to_value(&scope).map_err(sqlx::Error::decode)?;
        let scope = check::payload(&scope)?;
        let new = NewRun {
            integration: locked.integration,
            kind: "test",
            payload,
            hash: document::keep(&mut tx, me.organization, &locked.document).await?,
            version: None,
            test: Some((draft, revision, scope)),
        };
        let run = insert(&mut tx, me, new).await?;
        let detail = json!({ "draft": draft, "revision": revision });
        audit::note(&mut tx, me, "run.test", run.0, detail).await?;
        self.commit_start(tx, me, locked.integration, run).await
    }

    /// Starts the live version of an integration that is started by hand. Its trigger's `body`
    /// is `payload`.
    ///
    /// # Errors
    /// When the role does not allow it, there is no such integration, nothing of it is live, it
    /// is disabled, has another trigger, or the payload is too large.
    pub async fn start_manual(
        &self,
        me: &Me,
        integration: IntegrationId,
        payload: Value,
    ) -> Result<RunId> {
        let mut tx = self.begin(me, Act::Operate).await?;
        let payload = check::payload(&json!({ "body": payload }))?;
        let live = sqlx::query!(
            r#"select enabled, number as "number?", hash as "hash?", trigger as "trigger?"
               from integration left join version on version_id = live_version_id
               where integration.organization_id = $1 and integration.integration_id = $2"#,
            me.organization.0,
            integration.0,
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(Error::NotFound)?;
        let (Some(number), Some(hash), Some(trigger)) = (live.number, live.hash, live.trigger)
        else {
            return Err(Refusal::NotPublished.into());
        };
        if trigger != "manual" {
            return Err(Refusal::NotManual.into());
        }
        if !live.enabled {
            return Err(Refusal::Disabled.into());
        }
        let new = NewRun {
            integration,
            kind: "manual",
            payload,
            hash: DocumentHash(hash),
            version: Some(number),
            test: None,
        };
        let run = insert(&mut tx, me, new).await?;
        let detail = json!({ "integration": integration, "number": number });
        audit::note(&mut tx, me, "run.start", run.0, detail).await?;
        self.commit_start(tx, me, integration, run).await
    }

    async fn commit_start(
        &self,
        mut tx: Tx,
        me: &Me,
        integration: IntegrationId,
        run: RunId,
    ) -> Result<RunId> {
        self.live().notify_workers(&mut tx).await?;
        let changed = Changed {
            organization: me.organization,
            what: What::Run(run, integration),
        };
        self.commit(tx, vec![changed]).await?;
        self.live().wake_workers();
        Ok(run)
    }
}

/// A run that no worker has yet.
struct NewRun {
    integration: IntegrationId,
    /// How its event came in.
    kind: &'static str,
    payload: String,
    hash: DocumentHash,
    /// The number of the live version that is executed.
    version: Option<i32>,
    /// The draft, its revision, and what of it is executed.
    test: Option<(DraftId, u32, String)>,
}

/// Inserts a run with its event, and queues it.
async fn insert(tx: &mut Tx, me: &Me, new: NewRun) -> Result<RunId> {
    let event = Uuid::now_v7();
    sqlx::query!(
        "insert into event (event_id, organization_id, integration_id, kind, payload)
         values ($1, $2, $3, $4, $5::text::json)",
        event,
        me.organization.0,
        new.integration.0,
        new.kind,
        new.payload,
    )
    .execute(&mut **tx)
    .await?;
    let run = RunId(Uuid::now_v7());
    let (draft, revision, scope) = match new.test {
        Some((draft, revision, scope)) => (Some(draft.0), Some(stored(revision)?), Some(scope)),
        None => (None, None, None),
    };
    sqlx::query!(
        "insert into run (run_id, organization_id, integration_id, event_id, hash, is_test,
                version_number, draft_id, draft_revision, scope, state)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::text::json, $11)",
        run.0,
        me.organization.0,
        new.integration.0,
        event,
        new.hash.0,
        draft.is_some(),
        new.version,
        draft,
        revision,
        scope,
        RunState::Queued.key(),
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "insert into run_queue (run_id, line_id) values ($1, $2)",
        run.0,
        draft.unwrap_or(new.integration.0),
    )
    .execute(&mut **tx)
    .await?;
    Ok(run)
}
