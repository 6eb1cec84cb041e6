//! Calls: what can be called, and which runs called which.

use domain::account::Me;
use domain::call::{self, Called, Caller, Choice, Facts, Linked};
use domain::policy::Act;
use domain::{Document, DocumentHash, DraftId, IntegrationId, RunId, limit};
use engine::port::{Callee, Directory, Finding, Reading, Uncallable, Unread};
use serde_json::Value;

use crate::{Error, Result, Store, Tx, integration, number, run};

impl Directory for Store {
    fn callee(&self, run: RunId, called: IntegrationId, waits: bool) -> Finding<'_> {
        Box::pin(async move {
            let found = self.find_callee(run, called, waits);
            match self.turn(found).await {
                Ok(found) => found.map_err(|refusal| Uncallable::Refused(refusal.to_string())),
                Err(error) => {
                    tracing::warn!(?error, "what a run calls cannot be looked up");
                    Err(Uncallable::Unavailable)
                }
            }
        })
    }

    fn result(&self, run: RunId, called: RunId) -> Reading<'_> {
        Box::pin(async move {
            let read = sqlx::query_scalar!(
                "select result from run where run_id = $2 and caller_id = $1",
                run.0,
                called.0,
            )
            .fetch_optional(&self.inner.system);
            match self.turn(async { Ok(read.await?) }).await {
                Ok(Some(result)) => Ok(result),
                Ok(None) => Err(Unread),
                Err(error) => {
                    tracing::warn!(?error, "what a called run gave cannot be read");
                    Err(Unread)
                }
            }
        })
    }
}

impl Store {
    async fn find_callee(
        &self,
        run: RunId,
        called: IntegrationId,
        waits: bool,
    ) -> Result<Result<Callee, call::Refusal>> {
        // In the run's organization, and in no other.
        let row = sqlx::query!(
            r#"select run.integration_id as own_id, own.name as own_name, run.callers,
                    called.name as "name?", called.enabled as "enabled?", number as "number?",
                    hash as "hash?", trigger as "trigger?",
                    exists (
                        select from throttle
                        where throttle.integration_id = $2 and at_once is not null
                    ) as "is_limited!"
               from (
                   select organization_id, integration_id, callers from run where run_id = $1
               ) as run
               join integration as own on own.integration_id = run.integration_id
               left join integration as called on called.integration_id = $2
                    and called.organization_id = run.organization_id
               left join version on version_id = called.live_version_id"#,
            run.0,
            called.0,
        )
        .fetch_optional(&self.inner.system)
        .await?
        .ok_or(Error::NotFound)?;
        let (Some(name), Some(enabled)) = (row.name, row.enabled) else {
            return Ok(Err(call::Refusal::Unknown));
        };
        let before = row.callers.unwrap_or_default().into_iter();
        let callers: Vec<IntegrationId> = before.chain([row.own_id]).map(IntegrationId).collect();
        let facts = Facts {
            called,
            name: &name,
            trigger: row.trigger.as_deref(),
            is_enabled: enabled,
            is_limited: row.is_limited,
            callers: &callers,
            waits,
        };
        if let Err(refusal) = call::allow(&facts) {
            return Ok(Err(refusal));
        }
        let (Some(version), Some(hash)) = (row.number, row.hash) else {
            return Ok(Err(call::Refusal::NotPublished(name)));
        };
        Ok(Ok(Callee {
            integration: called,
            name,
            version: number(version)?,
            hash: DocumentHash(hash),
            callers,
            caller: row.own_name,
        }))
    }

    /// Returns all integrations with whether they can be called now, by name.
    ///
    /// # Errors
    /// When the session ended.
    pub async fn callable(&self, me: &Me) -> Result<Vec<Choice>> {
        let mut tx = self.begin(me, Act::See).await?;
        let rows = sqlx::query!(
            r#"select integration.integration_id, name, enabled, trigger as "trigger?",
                    case when trigger = 'call' then body #> '{trigger,config,expects}'
                        end as expects
               from integration
               left join version on version_id = live_version_id
               left join document on document.organization_id = $1
                    and document.hash = version.hash and trigger = 'call'
               where integration.organization_id = $1
               order by lower(name), integration.integration_id"#,
            me.organization.0,
        )
        .fetch_all(&mut *tx)
        .await?;
        let choices = rows.into_iter().map(|row| Choice {
            id: IntegrationId(row.integration_id),
            closed: call::is_open(&row.name, row.trigger.as_deref(), row.enabled)
                .err()
                .map(|refusal| refusal.to_string()),
            name: row.name,
            expects: match row.expects {
                Some(Value::String(expects)) => expects,
                _ => String::new(),
            },
        });
        Ok(choices.collect())
    }
}

impl Store {
    /// Returns what calls an integration: what is live of others, then open drafts, by name; 100
    /// at most.
    ///
    /// # Errors
    /// When there is no such integration in the organization.
    pub async fn callers(&self, me: &Me, called: IntegrationId) -> Result<Vec<Caller>> {
        let mut tx = self.begin(me, Act::See).await?;
        integration::exists(&mut tx, me, called).await?;
        callers(&mut tx, me, called).await
    }
}

/// Returns what calls an integration, as [`Store::callers`] does.
pub(crate) async fn callers(tx: &mut Tx, me: &Me, called: IntegrationId) -> Result<Vec<Caller>> {
    let rows = sqlx::query!(
        r#"select caller.integration_id, name, caller.draft_id, title as "title?"
           from caller
           join integration using (integration_id)
           left join draft on draft.draft_id = caller.draft_id
           where caller.organization_id = $1 and called_id = $2
                and (caller.draft_id is null or state not in ('published', 'discarded'))
           order by caller.draft_id is not null, lower(name), caller.integration_id, lower(title),
                caller.draft_id
           limit $3"#,
        me.organization.0,
        called.0,
        i64::try_from(call::CALLERS).unwrap_or(i64::MAX),
    )
    .fetch_all(&mut **tx)
    .await?;
    let callers = rows.into_iter().map(|row| Caller {
        integration: IntegrationId(row.integration_id),
        name: row.name,
        draft: row.draft_id.map(DraftId).zip(row.title),
    });
    Ok(callers.collect())
}

/// Keeps what an integration calls with what is live of it now, or a draft with its document now,
/// which was another one before.
pub(crate) async fn keep_called(
    tx: &mut Tx,
    me: &Me,
    (integration, draft): (IntegrationId, Option<DraftId>),
    before: Option<&Document>,
    now: &Document,
) -> Result<()> {
    let named = call::named_in(now);
    if before.is_some_and(|before| call::named_in(before).keys().eq(named.keys())) {
        return Ok(());
    }
    let called: Vec<_> = named.keys().map(|id| id.0).collect();
    sqlx::query!(
        "delete from caller
         where integration_id = $1 and draft_id is not distinct from $2 and called_id <> all($3)",
        integration.0,
        draft.map(|draft| draft.0),
        &called,
    )
    .execute(&mut **tx)
    .await?;
    if called.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into caller (called_id, integration_id, draft_id, organization_id)
         select called_id, $1, $2, $3 from unnest($4::uuid[]) as named (called_id)
         on conflict do nothing",
        integration.0,
        draft.map(|draft| draft.0),
        me.organization.0,
        &called,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Returns the run that called a run, if one did.
pub(crate) async fn caller_of(tx: &mut Tx, me: &Me, id: RunId) -> Result<Option<Linked>> {
    let row = sqlx::query!(
        "select caller.run_id, caller.integration_id, name, caller.state
         from run
         join run as caller on caller.run_id = run.caller_id
         join integration on integration.integration_id = caller.integration_id
         where run.organization_id = $1 and run.run_id = $2",
        me.organization.0,
        id.0,
    )
    .fetch_optional(&mut **tx)
    .await?;
    let linked = row.map(|row| {
        Ok(Linked {
            run: RunId(row.run_id),
            integration: IntegrationId(row.integration_id),
            name: row.name,
            state: run::state(&row.state)?,
        })
    });
    linked.transpose()
}

/// Returns the first runs that a run called, as many as are listed, in the order of their starts.
pub(crate) async fn calls_of(tx: &mut Tx, me: &Me, id: RunId) -> Result<Vec<Called>> {
    let rows = sqlx::query!(
        r#"select run_id, run.integration_id, name, state, caller_path as "caller_path!",
                call_number as "call_number!"
           from run join integration using (integration_id)
           where run.organization_id = $1 and caller_id = $2
           order by run_id limit $3"#,
        me.organization.0,
        id.0,
        i64::try_from(limit::CALLS_LISTED).unwrap_or(i64::MAX),
    )
    .fetch_all(&mut **tx)
    .await?;
    let calls = rows.into_iter().map(|row| {
        Ok(Called {
            path: row.caller_path,
            number: number(row.call_number)?,
            to: Linked {
                run: RunId(row.run_id),
                integration: IntegrationId(row.integration_id),
                name: row.name,
                state: run::state(&row.state)?,
            },
        })
    });
    calls.collect()
}
