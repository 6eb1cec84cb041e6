//! Who looks at the end whether anything was lost or done twice: from the database and from what
//! the target noted, not from what Sluice says of itself.

use std::collections::{HashMap, HashSet};
use std::time::{SystemTime, UNIX_EPOCH};

use domain::canonical::sha256;
use domain::run::{StepPath, StepRecord, StepState};
use serde_json::Value;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, PgPool, Row};
use uuid::Uuid;

use super::target::Target;

/// Notes what a stale worker would do, and when runs change hands.
const WATCH: &str = "
    create table fault_stale (run_id uuid, was text, became text);
    create table fault_takeover (worker uuid, at timestamptz);
    create function note_stale() returns trigger language plpgsql as $$
    begin
        insert into fault_stale values (old.run_id, old.state, new.state);
        return null;
    end $$;
    create trigger note_stale after update on run for each row
        when (old.finished_at is not null and new.state <> 'queued')
        execute function note_stale();
    create function note_takeover() returns trigger language plpgsql as $$
    begin
        insert into fault_takeover values (old.worker, clock_timestamp());
        return null;
    end $$;
    create trigger note_takeover after update on run_queue for each row
        when (old.worker is not null and new.fence > old.fence)
        execute function note_takeover();
";

pub(super) struct Judge {
    sql: PgPool,
}

/// What was found; the words say of which runs.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    pub(super) lost: usize,
    pub(super) repeated: usize,
    pub(super) stuck: usize,
    pub(super) stale: usize,
    pub(super) recovery_p99_ms: u128,
    pub(super) words: Vec<String>,
}

impl Judge {
    pub(super) async fn new(url: &str) -> Self {
        let options: PgConnectOptions = url.parse().expect("it is an address");
        let options = options
            .application_name("judge")
            .options([("sluice.scope", "system")]);
        let sql = PgPoolOptions::new()
            .max_connections(2)
            .connect_lazy_with(options);
        sqlx::raw_sql(WATCH)
            .execute(&sql)
            .await
            .expect("it answers");
        Self { sql }
    }

    /// Cuts half of all connections of Sluice; returns how many.
    pub(super) async fn cut_connections(&self) -> u64 {
        let cut = sqlx::query(
            "select pg_terminate_backend(pid) from pg_stat_activity
             where datname = current_database() and application_name = 'sluice' and random() < 0.5",
        );
        let cut = cut.fetch_all(&self.sql).await;
        cut.map_or(0, |rows| rows.len() as u64)
    }

    /// Returns whether no run wants anything more.
    pub(super) async fn rests(&self) -> bool {
        let left = sqlx::query_scalar::<_, i64>("select count(*) from run_queue");
        left.fetch_one(&self.sql).await.is_ok_and(|left| left == 0)
    }

    pub(super) async fn verdict(
        &self,
        accepted: &HashSet<Uuid>,
        target: &Target,
        deaths: &[(Uuid, SystemTime)],
    ) -> Verdict {
        let mut verdict = Verdict::default();
        let ends = self.ends().await;
        for run in accepted {
            let end = ends.get(run);
            let counter = match end.map(|(state, error)| (state.as_str(), error)) {
                Some(("succeeded", _)) => continue,
                None | Some(("failed", _)) => &mut verdict.lost,
                Some(_) => &mut verdict.stuck,
            };
            *counter += 1;
            verdict.words.push(format!("{run}: {end:?}"));
        }
        // Each accepted run calls in both rounds, once, and goes on when what it called succeeded.
        let calls = self.rows(
            "select caller.run_id, 'it called ' || count(called.run_id) || ' runs of '
                || count(distinct called.caller_path) || ' rounds, of which '
                || count(*) filter (where called.state = 'succeeded') || ' succeeded'
             from run as caller
             left join run as called on called.caller_id = caller.run_id
             where caller.caller_id is null
             group by caller.run_id
             having count(called.run_id) <> 2 or count(distinct called.caller_path) <> 2
                or count(*) filter (where called.state = 'succeeded') <> 2",
        );
        for (run, words) in calls.await {
            if accepted.contains(&run) {
                verdict.repeated += 1;
                verdict.words.push(format!("{run}: {words}"));
            }
        }
        self.repeats(target, &mut verdict).await;
        let stale = self.rows("select run_id, was || ' became ' || became from fault_stale");
        for (run, words) in stale.await {
            verdict.stale += 1;
            verdict.words.push(format!("{run}: {words}"));
        }
        verdict.recovery_p99_ms = self.recovery(deaths).await;
        verdict
    }

    /// Returns how each run ended.
    async fn ends(&self) -> HashMap<Uuid, (String, Option<String>)> {
        let rows = sqlx::query("select run_id, state, error from run")
            .fetch_all(&self.sql)
            .await
            .expect("it answers");
        let ends = rows
            .iter()
            .map(|row| (row.get(0), (row.get(1), row.get(2))));
        ends.collect()
    }

    async fn rows(&self, query: &str) -> Vec<(Uuid, String)> {
        let rows = sqlx::query(AssertSqlSafe(query.to_owned()))
            .fetch_all(&self.sql)
            .await
            .expect("it answers");
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    /// Counts requests that came after their result had been recorded: whatever was durable first
    /// counts, unless a person opened the step again.
    async fn repeats(&self, target: &Target, verdict: &mut Verdict) {
        let rows = self.rows("select run_id, records::text from run_record order by run_id, seq");
        let mut recorded: HashMap<String, SystemTime> = HashMap::new();
        let mut results: HashMap<(Uuid, StepPath), StepRecord> = HashMap::new();
        for (run, records) in rows.await {
            let records: Vec<StepRecord> = serde_json::from_str(&records).expect("records");
            for record in records {
                let path = (run, record.path.clone());
                let key = sha256(format!("{run} {}", record.path).as_bytes());
                if record.state == StepState::Waiting {
                    recorded.remove(&key);
                    results.remove(&path);
                }
                if record.state != StepState::Succeeded || record.output["status"] == Value::Null {
                    continue;
                }
                let at = record.finished_at.map_or(0, |at| at.0);
                let at = UNIX_EPOCH + std::time::Duration::from_millis(at.unsigned_abs() + 1);
                // The same record twice is a write whose answer was lost.
                if let Some(first) = results.get(&path)
                    && *first != record
                {
                    verdict.repeated += 1;
                    verdict
                        .words
                        .push(format!("{run}: {first:?}, then {record:?}"));
                }
                recorded.entry(key).or_insert(at);
                results.entry(path).or_insert(record);
            }
        }
        for (key, at) in target.arrivals() {
            if recorded.get(&key).is_some_and(|recorded| at > *recorded) {
                verdict.repeated += 1;
                verdict.words.push(format!("{key} came at {at:?}"));
            }
        }
    }

    /// Returns how long the runs of killed processes stood still, at the 99th percentile.
    async fn recovery(&self, deaths: &[(Uuid, SystemTime)]) -> u128 {
        let rows = sqlx::query(
            "select worker, (extract(epoch from at) * 1000)::bigint from fault_takeover",
        );
        let rows = rows.fetch_all(&self.sql).await.expect("it answers");
        let died: HashMap<Uuid, SystemTime> = deaths.iter().copied().collect();
        let mut took: Vec<u128> = rows
            .iter()
            .filter_map(|row| {
                let at: i64 = row.get(1);
                let at = UNIX_EPOCH + std::time::Duration::from_millis(at.unsigned_abs());
                let died = died.get(&row.get::<Uuid, _>(0))?;
                at.duration_since(*died).ok().map(|took| took.as_millis())
            })
            .collect();
        took.sort_unstable();
        let last = took.len().saturating_sub(1);
        took.get(last * 99 / 100).copied().unwrap_or_default()
    }

    pub(super) async fn close(self) {
        self.sql.close().await;
    }
}
