//! What stands between a draft and publishing it, read before anyone clicks.

use domain::account::Me;
use domain::draft::PublishPlan;
use domain::policy::Act;
use domain::review::check;
use domain::{DraftId, IntegrationId, call};
use uuid::Uuid;

use crate::review::standing;
use crate::{Result, Store, Tx, version};

/// Most events of one hour that are counted; beyond, the hour is busy in any case.
const HOUR: i64 = 2_000;
/// Days of which the events are counted.
const DAYS: i64 = 28;
/// Most queued runs that are looked through.
const QUEUED: i64 = 20_000;

impl Store {
    /// Returns what must be true before a draft is published, each rule with its state, and what
    /// publishing it would meet.
    ///
    /// # Errors
    /// When there is no such draft in the organization, or it is closed.
    pub async fn publish_plan(&self, me: &Me, id: DraftId) -> Result<PublishPlan> {
        let mut tx = self.begin(me, Act::See).await?;
        let integration = version::integration_of(&mut tx, me, id).await?;
        let runs_under_way = runs_under_way(&mut tx, me, integration).await?;
        let hourly_events = hourly_events(&mut tx, me, integration).await?;
        // The lock is held for the rest only, which is short, and all of it is of one revision.
        let locked = crate::draft::lock(&mut tx, me, id).await?.open()?;
        let seen = standing::seen(&mut tx, me, &locked).await?;
        let facts = &seen.facts;
        let live_document = match facts.live {
            Some(live) => Some(version::document(&mut tx, me, integration, live).await?),
            None => None,
        };
        let is_called = live_document
            .as_ref()
            .is_some_and(|live| live.trigger.kind == call::TRIGGER);
        let callers = match is_called {
            true => crate::call::callers(&mut tx, me, integration).await?,
            false => Vec::new(),
        };
        Ok(PublishPlan {
            callers,
            revision: facts.revision,
            checks: check::checks(facts),
            review: seen.subject.review.map(|review| review.id),
            collaborators_override: facts.policy.collaborators_override,
            live: facts.live,
            live_document,
            runs_under_way,
            hourly_events,
        })
    }
}

/// Returns how many live runs are queued or under way, as far as the queue is looked through.
async fn runs_under_way(tx: &mut Tx, me: &Me, integration: IntegrationId) -> Result<u32> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!"
           from (select run_id from run_queue limit $3) as queued
           join run using (run_id)
           where organization_id = $1 and integration_id = $2 and not is_test"#,
        me.organization.0,
        integration.0,
        QUEUED,
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Returns how many events came in per hour of the day, in UTC, over the last weeks.
///
/// Each became a run, and only runs have an index by integration. Their ids begin with the time,
/// so each hour is a range of it, of which so many entries at most are read.
async fn hourly_events(tx: &mut Tx, me: &Me, integration: IntegrationId) -> Result<[u32; 24]> {
    let now = sqlx::query_scalar!(r#"select now() as "now!""#)
        .fetch_one(&mut **tx)
        .await?;
    let first = now.unix_timestamp().div_euclid(3_600) - DAYS * 24 + 1;
    let hours: Vec<i64> = (first..first + DAYS * 24).collect();
    let from: Vec<Uuid> = hours.iter().map(|hour| first_id(*hour)).collect();
    let to: Vec<Uuid> = hours.iter().map(|hour| first_id(hour + 1)).collect();
    let rows = sqlx::query!(
        r#"select hour as "hour!", events as "events!"
           from unnest($3::bigint[], $4::uuid[], $5::uuid[]) as span (hour, low, high)
           cross join lateral (
                select count(*) as events from (
                    select from run
                    where integration_id = $2 and not is_test and run_id >= low and run_id < high
                        and organization_id = $1
                    limit $6
                ) as counted
           ) as one"#,
        me.organization.0,
        integration.0,
        &hours,
        &from,
        &to,
        HOUR,
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut hourly = [0_u32; 24];
    for row in rows {
        let of_day = usize::try_from(row.hour.rem_euclid(24)).expect("it is below 24");
        let events = u32::try_from(row.events).unwrap_or(u32::MAX);
        hourly[of_day] = hourly[of_day].saturating_add(events);
    }
    Ok(hourly)
}

/// Returns what is below all ids that are made in an hour since 1970.
fn first_id(hour: i64) -> Uuid {
    let millis = u128::try_from(hour * 3_600_000).unwrap_or(0);
    Uuid::from_u128(millis << 80)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_lies_between_the_bounds_of_its_hour() {
        let id = Uuid::now_v7();
        let (seconds, _) = id.get_timestamp().expect("it has a time").to_unix();
        let hour = i64::try_from(seconds / 3_600).expect("it fits");
        assert!(first_id(hour) <= id && id < first_id(hour + 1));
    }
}
