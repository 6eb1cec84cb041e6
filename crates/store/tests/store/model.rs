//! The queue and the journal in Postgres do what the simulation of `engine` takes them to do.
//!
//! That simulation runs on [`kept::Kept`], which is plain data. Here random sequences of the same
//! operations go to both, and after each operation all runs are compared. `SLUICE_SEEDS=1000` runs
//! more sequences than the tests do, `SLUICE_SEED=7` only that one.

#[path = "../../../engine/tests/engine/simulation/chance.rs"]
mod chance;
#[path = "../../../engine/tests/engine/simulation/kept.rs"]
mod kept;

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::run::{ResumeOn, RunState};
use domain::{RunId, Timestamp};
use engine::Outcome;
use engine::port::{Callee, Calling, Journal, Lease, Lost};
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::{Error, HookRoute, Incoming, Refusal, WorkerId};
use uuid::Uuid;

use self::chance::Chance;
use self::kept::{Claim, Kept, LEASE_MS, Place};
use crate::journal::record;
use crate::world::World;

const SEEDS: u64 = 8;
const OPERATIONS: usize = 60;
/// How far the database's clock may have gone on since the last comparison, in milliseconds.
const DRIFT_MS: i64 = 10_000;

/// A run as it should be.
struct Run {
    kept: Kept,
    state: RunState,
    worker: Option<usize>,
    /// The run that called it and waits.
    caller: Option<RunId>,
}

/// When a run is due that waits for nothing but others.
const NEVER: i64 = i64::MAX;

/// A run as the database has it: id, state, fence, takeovers, whether it is alone, how far off its
/// time and the end of its lease are, in milliseconds, and whether a run that it called is over.
type Row = (
    Uuid,
    String,
    Option<i64>,
    Option<i32>,
    Option<bool>,
    Option<i64>,
    Option<i64>,
    Option<bool>,
);

/// A sequence under way.
struct Pair<'w> {
    world: &'w World,
    route: Arc<HookRoute>,
    chance: Chance,
    workers: [WorkerId; 3],
    now: i64,
    runs: BTreeMap<RunId, Run>,
    /// Every lease that was ever given, with its worker: most are stale.
    leases: Vec<Lease>,
    written: u128,
    log: Vec<String>,
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[sqlx::test]
async fn queue_and_journal_do_what_their_model_does_whatever_is_asked(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (_, route) = world.hook().await;
    let seeds = match number("SLUICE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SLUICE_SEEDS").unwrap_or(SEEDS),
    };
    for seed in seeds {
        let mut pair = Pair {
            world: &world,
            route: Arc::clone(&route),
            chance: Chance::new(seed),
            workers: std::array::from_fn(|_| WorkerId::random()),
            now: 0,
            runs: BTreeMap::new(),
            leases: Vec::new(),
            written: 0,
            log: vec![format!("seed {seed}")],
        };
        for _ in 0..OPERATIONS {
            pair.step().await;
            pair.compare().await;
        }
        pair.compare_journals().await;
        // The next sequence begins with an empty queue.
        for id in pair.runs.keys() {
            let _ = world.store.cancel_run(&world.admin, *id).await;
        }
    }
    world.end().await;
}

impl Pair<'_> {
    async fn step(&mut self) {
        match self.chance.below(100) {
            0..12 => self.accept().await,
            12..32 => self.claim().await,
            32..55 => self.append().await,
            55..66 => self.finish().await,
            66..70 => self.call().await,
            70..78 => self.renew().await,
            78..82 => self.release().await,
            82..85 => self.cancel().await,
            85..90 => self.resume().await,
            _ => {
                let ms = *self.chance.one_of(&[20_000, 20_000, 90_000]);
                self.pass(ms).await;
            }
        }
    }

    fn note(&mut self, what: String) {
        self.log.push(what);
    }

    async fn accept(&mut self) {
        let handed = self.chance.percent(50).then(|| self.chance.below(3));
        let accepted = self.world.store.accept(Incoming {
            route: Arc::clone(&self.route),
            payload: json!({}).into(),
            delivery: None,
            hand_to: handed.map(|worker| self.workers[worker]),
        });
        let id = accepted.await.expect("there is room").run;
        let mut kept = Kept::new(self.now);
        let mut state = RunState::Queued;
        if handed.is_some() {
            let claim = kept.claim(self.now, true);
            assert_eq!(claim, Claim::Had(1));
            self.leases.push(Lease { run: id, fence: 1 });
            state = RunState::Running;
        }
        self.note(format!("accepted {id}, handed to {handed:?}"));
        let worker = handed;
        let run = Run {
            kept,
            state,
            worker,
            caller: None,
        };
        self.runs.insert(id, run);
    }

    async fn claim(&mut self) {
        let worker = self.chance.below(3);
        let limit = 1 + self.chance.below(3);
        let claimed = self
            .world
            .store
            .claim(self.workers[worker], limit as u32)
            .await;
        let mut given: Vec<Lease> = claimed
            .expect("it answers")
            .into_iter()
            .map(|run| run.lease)
            .collect();
        let mut due: Vec<(i64, RunId)> = self
            .runs
            .iter()
            .filter_map(|(id, run)| Some((run.kept.due(self.now)?, *id)))
            .collect();
        due.sort_unstable();
        due.truncate(limit);
        // Of those that silenced their workers before, a claim takes one.
        let is_suspect = |id: &RunId| {
            let place = self.runs[id].kept.place.expect("it is due");
            place.silenced > 0
        };
        let suspects = due.iter().map(|(_, id)| *id).filter(is_suspect);
        let one = suspects.clone().min();
        let others: Vec<RunId> = suspects.filter(|id| Some(*id) != one).collect();
        let mut expected = Vec::new();
        for (_, id) in due.into_iter().filter(|(_, id)| !others.contains(id)) {
            let run = self.runs.get_mut(&id).expect("it is there");
            match run.kept.claim(self.now, others.is_empty()) {
                Claim::Had(fence) => {
                    run.state = RunState::Running;
                    run.worker = Some(worker);
                    expected.push(Lease { run: id, fence });
                }
                Claim::SetAside => self.end(id, RunState::Quarantined),
            }
        }
        given.sort_unstable_by_key(|lease| lease.run);
        expected.sort_unstable_by_key(|lease| lease.run);
        self.note(format!("worker {worker} claimed {given:?}"));
        assert_eq!(given, expected, "{:#?}", self.log);
        self.leases.extend(expected);
    }

    /// Returns some lease, most likely a stale one, of a run that there is.
    fn any_lease(&mut self) -> Option<Lease> {
        let newest = self.chance.percent(60);
        if newest {
            let held = self.runs.iter().filter_map(|(id, run)| {
                let place = run.kept.place.filter(|place| place.lease_until.is_some())?;
                let fence = place.fence;
                Some(Lease { run: *id, fence })
            });
            let held: Vec<Lease> = held.collect();
            if !held.is_empty() {
                return Some(*self.chance.one_of(&held));
            }
        }
        (!self.leases.is_empty()).then(|| *self.chance.one_of(&self.leases))
    }

    async fn append(&mut self) {
        let Some(lease) = self.any_lease() else {
            return;
        };
        self.written += 1;
        let records = vec![record(self.written, "written")];
        let journal = self.world.store.journal();
        let written = journal.append(lease, records.clone()).await;
        let run = self.runs.get_mut(&lease.run).expect("it is there");
        let expected = run.kept.written(lease.fence);
        if expected.is_ok() {
            run.kept.journal.extend(records);
        }
        self.note(format!("{lease:?} appends: {written:?}"));
        assert_eq!(written, expected, "{:#?}", self.log);
    }

    async fn finish(&mut self) {
        let Some(lease) = self.any_lease() else {
            return;
        };
        self.written += 1;
        let records = vec![record(self.written, "at last")];
        let state = *self.chance.one_of(&[RunState::Succeeded, RunState::Failed]);
        let error = (state == RunState::Failed).then(|| "It broke.".to_owned());
        let waits = self.chance.percent(50);
        let in_ms = *self.chance.one_of(&[0, 60_000]);
        let outcome = if waits {
            Outcome::Waiting {
                until: Timestamp(self.clock().await + in_ms),
                records: records.clone(),
            }
        } else {
            Outcome::Finished {
                state,
                error,
                records: records.clone(),
            }
        };
        self.note(format!("{lease:?} finishes: {outcome:?}"));
        let written = self.world.store.journal().finish(lease, outcome).await;
        let run = self.runs.get_mut(&lease.run).expect("it is there");
        let expected = if waits {
            let waiting = run.kept.wait(lease.fence, self.now + in_ms);
            if waiting.is_ok() {
                run.state = RunState::Waiting;
                run.worker = None;
            }
            waiting
        } else {
            run.kept.held(lease.fence).map(drop)
        };
        if expected.is_ok() {
            run.kept.journal.extend(records);
            if !waits {
                self.end(lease.run, state);
            }
        }
        assert_eq!(written, expected, "{:#?}", self.log);
    }

    /// Lets a run call up to three times at once, and wait for a time, too, or go on at once.
    async fn call(&mut self) {
        let Some(lease) = self.any_lease() else {
            return;
        };
        let starts: Vec<Calling> = (0..self.chance.below(4)).map(|_| self.calling()).collect();
        let in_ms = self.chance.percent(50).then_some(60_000);
        let clock = self.clock().await;
        let outcome = Outcome::Calling {
            starts: starts.clone(),
            until: in_ms.map(|ms| Timestamp(clock + ms)),
            records: Vec::new(),
        };
        let written = self.world.store.journal().finish(lease, outcome).await;
        self.note(format!(
            "{lease:?} calls: {written:?}, {starts:?}, {in_ms:?}"
        ));
        let now = self.now;
        let run = self.runs.get_mut(&lease.run).expect("it is there");
        let has_returned = run.kept.place.is_some_and(|place| place.has_returned);
        let is_due = has_returned || starts.iter().any(|start| !start.waits);
        let due = in_ms.map_or(NEVER, |ms| now + ms);
        let expected = run.kept.call(lease.fence, if is_due { now } else { due });
        assert_eq!(written, expected, "{:#?}", self.log);
        if expected.is_err() {
            return;
        }
        run.state = RunState::Waiting;
        run.worker = None;
        let called: Vec<(Uuid, String)> =
            sqlx::query_as("select run_id, caller_path from run where caller_id = $1")
                .bind(lease.run.0)
                .fetch_all(&self.world.sql)
                .await
                .expect("it answers");
        for (id, path) in called {
            let start = starts.iter().find(|start| start.path == path);
            let Some(start) = start else { continue };
            let run = Run {
                kept: Kept::new(now),
                state: RunState::Queued,
                worker: None,
                caller: start.waits.then_some(lease.run),
            };
            self.runs.insert(RunId(id), run);
        }
    }

    /// A call of the integration that calls, so that all wait in one line.
    fn calling(&mut self) -> Calling {
        self.written += 1;
        Calling {
            path: record(self.written, "").path.to_string(),
            callee: Callee {
                integration: self.route.integration,
                name: "Itself".to_owned(),
                version: 1,
                hash: self.route.hash.clone(),
                callers: vec![self.route.integration],
                caller: "Itself".to_owned(),
            },
            payload: json!({}),
            waits: self.chance.percent(75),
        }
    }

    /// Notes the end of a run, by which the one goes on that waits for it.
    fn end(&mut self, id: RunId, state: RunState) {
        let run = self.runs.get_mut(&id).expect("it is there");
        run.end(state);
        let caller = run.caller.and_then(|caller| self.runs.get_mut(&caller));
        if let Some(caller) = caller {
            caller.kept.wake(self.now);
        }
    }

    async fn renew(&mut self) {
        let count = self.chance.below(4);
        let mut asked: Vec<Lease> = (0..count).filter_map(|_| self.any_lease()).collect();
        asked.sort_unstable_by_key(|lease| (lease.run, lease.fence));
        asked.dedup();
        let kept = self.world.store.renew(&asked).await;
        let mut kept = kept.expect("it answers");
        kept.sort_unstable_by_key(|lease| (lease.run, lease.fence));
        let now = self.now;
        let expected: Vec<Lease> = asked
            .into_iter()
            .filter(|lease| {
                let run = self.runs.get_mut(&lease.run).expect("it is there");
                run.kept.renew(lease.fence, now) != Err(Lost)
            })
            .collect();
        self.note(format!("renewed {kept:?}"));
        assert_eq!(kept, expected, "{:#?}", self.log);
    }

    async fn release(&mut self) {
        let worker = self.chance.below(3);
        let released = self.world.store.release(self.workers[worker]).await;
        released.expect("it answers");
        let of_worker = self
            .runs
            .values_mut()
            .filter(|run| run.worker == Some(worker));
        for run in of_worker {
            let place = run.kept.place.expect("a worker has it");
            let handed_back = run.kept.hand_back(place.fence, self.now);
            handed_back.expect("a worker has it");
            run.state = RunState::Queued;
            run.worker = None;
        }
        self.note(format!("worker {worker} released"));
    }

    fn any_run(&mut self) -> Option<RunId> {
        let ids: Vec<RunId> = self.runs.keys().copied().collect();
        (!ids.is_empty()).then(|| *self.chance.one_of(&ids))
    }

    async fn cancel(&mut self) {
        let Some(id) = self.any_run() else { return };
        let canceled = self.world.store.cancel_run(&self.world.admin, id).await;
        self.note(format!("canceled {id}: {canceled:?}"));
        let run = self.runs.get_mut(&id).expect("it is there");
        match canceled {
            Ok(_) => {
                assert!(run.kept.place.is_some(), "{:#?}", self.log);
                // What it waits for is canceled with it.
                let mut all = vec![id];
                let mut seen = 0;
                while let Some(caller) = all.get(seen).copied() {
                    let called = self
                        .runs
                        .iter()
                        .filter(|(_, run)| run.caller == Some(caller) && run.kept.place.is_some());
                    all.extend(called.map(|(id, _)| *id));
                    seen += 1;
                }
                for id in all.into_iter().rev() {
                    self.end(id, RunState::Canceled);
                }
            }
            Err(Error::Refused(Refusal::RunOver(state))) => {
                assert_eq!(
                    (run.kept.place, run.state),
                    (None, state),
                    "{:#?}",
                    self.log
                );
            }
            Err(error) => panic!("{error}: {:#?}", self.log),
        }
    }

    async fn resume(&mut self) {
        let Some(id) = self.any_run() else { return };
        let resumed = self
            .world
            .store
            .resume_run(&self.world.admin, id, ResumeOn::Ran)
            .await;
        self.note(format!("resumed {id}: {}", resumed.is_ok()));
        let run = self.runs.get_mut(&id).expect("it is there");
        let may = run.kept.place.is_none() && run.state.can_resume();
        assert_eq!(resumed.is_ok(), may, "{:#?}", self.log);
        if !may {
            return;
        }
        let fence: i64 = sqlx::query_scalar("select fence from run_queue where run_id = $1")
            .bind(id.0)
            .fetch_one(&self.world.sql)
            .await
            .expect("it is queued");
        let known = self.leases.iter().filter(|lease| lease.run == id);
        let newest = known.map(|lease| lease.fence).max();
        assert!(newest < Some(fence), "an old lease would hold again");
        run.kept.resume(self.now, fence);
        run.state = RunState::Queued;
    }

    /// Lets time pass: in the database, what was said about times lies further back.
    async fn pass(&mut self, ms: i64) {
        self.now += ms;
        self.note(format!("{ms} ms pass"));
        sqlx::query(
            "update run_queue set due_at = due_at - make_interval(secs => $1),
                lease_until = lease_until - make_interval(secs => $1)",
        )
        .bind(ms as f64 / 1_000.0)
        .execute(&self.world.sql)
        .await
        .expect("it answers");
    }

    /// Returns the database's clock.
    async fn clock(&self) -> i64 {
        let now = "select (extract(epoch from now()) * 1000)::bigint";
        let now = sqlx::query_scalar(now).fetch_one(&self.world.sql).await;
        now.expect("it answers")
    }

    /// Asserts that both have the same runs in the same places, and sets the database's times to
    /// what the model says, so that they do not drift apart while the test takes its time.
    async fn compare(&mut self) {
        let rows: Vec<Row> = sqlx::query_as(
            "select run.run_id, state, fence, takeovers, is_alone,
                    case when due_at < 'infinity' then
                        (extract(epoch from due_at - now()) * 1000)::bigint end,
                    (extract(epoch from lease_until - now()) * 1000)::bigint, has_returned
                 from run left join run_queue using (run_id) where run.run_id = any($1)",
        )
        .bind(self.runs.keys().map(|id| id.0).collect::<Vec<_>>())
        .fetch_all(&self.world.sql)
        .await
        .expect("it answers");
        assert_eq!(rows.len(), self.runs.len());
        for (id, state, fence, silenced, is_alone, due, lease, has_returned) in rows {
            let run = &self.runs[&RunId(id)];
            assert_eq!(state, run.state.key(), "{id}: {:#?}", self.log);
            let place = fence.map(|fence| Place {
                due: due.map_or(NEVER, |due| due + self.now),
                lease_until: lease.map(|lease| lease + self.now),
                fence,
                silenced: silenced.unwrap_or_default() as u32,
                is_alone: is_alone.unwrap_or_default(),
                has_returned: has_returned.unwrap_or_default(),
            });
            let is_same = match (place, run.kept.place) {
                (Some(is), Some(should)) => {
                    let near = |is: i64, should: i64| should.saturating_sub(is).abs() < DRIFT_MS;
                    let lease = match (is.lease_until, should.lease_until) {
                        (Some(is), Some(should)) => near(is, should),
                        (is, should) => is == should,
                    };
                    let times = Place {
                        due: is.due,
                        lease_until: is.lease_until,
                        ..should
                    };
                    lease && near(is.due, should.due) && is == times
                }
                (is, should) => is == should,
            };
            let (log, should) = (&self.log, run.kept.place);
            assert!(is_same, "{id} is {place:?}, should be {should:?}: {log:#?}");
        }
        self.set_times().await;
    }

    async fn set_times(&self) {
        let places = self
            .runs
            .iter()
            .filter_map(|(id, run)| Some((id.0, run.kept.place?)));
        let (ids, places): (Vec<Uuid>, Vec<Place>) = places.unzip();
        let seconds = |at: i64| (at - self.now) as f64 / 1_000.0;
        sqlx::query(
            "update run_queue
             set due_at = coalesce(now() + make_interval(secs => due), 'infinity'),
                lease_until = now() + make_interval(secs => lease)
             from unnest($1::uuid[], $2::float8[], $3::float8[]) as place (id, due, lease)
             where run_id = id",
        )
        .bind(ids)
        .bind(
            places
                .iter()
                .map(|p| (p.due < NEVER).then(|| seconds(p.due)))
                .collect::<Vec<_>>(),
        )
        .bind(
            places
                .iter()
                .map(|p| p.lease_until.map(seconds))
                .collect::<Vec<_>>(),
        )
        .execute(&self.world.sql)
        .await
        .expect("it answers");
    }

    /// Asserts that each run has exactly the records that were taken, in their order.
    async fn compare_journals(&self) {
        for (id, run) in &self.runs {
            let detail = self.world.store.run(&self.world.admin, *id).await;
            let records = detail.expect("it is there").records;
            assert_eq!(records, run.kept.journal, "{id}: {:#?}", self.log);
        }
    }
}

impl Run {
    fn end(&mut self, state: RunState) {
        self.kept.end(state, None);
        self.state = state;
        self.worker = None;
    }
}

const _: () = assert!(LEASE_MS > DRIFT_MS, "a lease is told from none");
