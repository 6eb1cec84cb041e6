//! What the caller of a webhook gets to know of its run, when another process executes it.

use domain::run::{RunState, StepState};
use domain::{OrganizationId, RunId};
use serde_json::{Map, Value};

use super::{fold, state};
use crate::{Result, Store, document};

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

impl Store {
    /// Returns what a run has for the caller of its webhook, as far as that is durable. For the
    /// machinery: asks for no member's rights.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn reply(&self, organization: OrganizationId, run: RunId) -> Result<Reply> {
        let row = sqlx::query!(
            r#"select state, body,
                    (select json_agg(records::json order by seq) from run_record
                     where run_record.run_id = run.run_id) as records
               from run
               join document on document.organization_id = $1 and document.hash = run.hash
               where run.organization_id = $1 and run_id = $2"#,
            organization.0,
            run.0,
        )
        .fetch_optional(&self.inner.system)
        .await?;
        let Some(row) = row else {
            return Ok(Reply::Gone);
        };
        let document = document::read(row.body)?;
        let rows = match row.records {
            Some(Value::Array(rows)) => rows,
            _ => Vec::new(),
        };
        let responded = fold(rows)?.into_iter().find_map(|record| {
            let step = document.steps.get(&record.path.step)?;
            match record.input {
                Value::Object(fields)
                    if step.kind == "respond" && record.state == StepState::Succeeded =>
                {
                    Some(fields)
                }
                _ => None,
            }
        });
        let state = state(&row.state)?;
        Ok(match responded {
            Some(fields) => Reply::Responded(fields),
            None if state.is_finished() => Reply::Ended(state),
            None => Reply::Pending,
        })
    }
}
