//! A database that went away without a word, or takes no writes: nothing waits for it for good, and
//! nothing that it did not refuse is given up.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use domain::run::RunState;
use engine::Outcome;
use engine::port::{Journal, Lost};
use futures::future::join_all;
use serde_json::json;
use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use store::{ClaimedRun, Incoming, Store, WorkerId};
use tokio::time::timeout;

use crate::journal::record;
use crate::way::Way;
use crate::world::{World, clean};

/// How long the stores wait here for a connection, and twice as long for an answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// What would otherwise take for ever.
const AT_MOST: Duration = Duration::from_secs(60);

const WAITING: &str = "select count(*) from pg_stat_activity
    where wait_event_type = 'Lock' and datname = current_database()";

async fn handed(world: &World, store: &Store) -> ClaimedRun {
    let (_, route) = world.hook().await;
    let incoming = Incoming {
        route,
        payload: json!({}).into(),
        delivery: None,
        hand_to: Some(WorkerId::random()),
    };
    let accepted = store.accept(incoming).await.expect("there is room");
    accepted.claimed.expect("it was handed")
}

#[sqlx::test]
async fn a_server_that_vanishes_without_a_word_holds_nothing_up_for_good(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let mut way = Way::to(&world.options());
    let store = way.store(PATIENCE).await;
    let run = handed(&world, &store).await;
    let (_, route) = world.hook().await;
    let incoming = || Incoming {
        route: route.clone(),
        payload: json!({}).into(),
        delivery: None,
        hand_to: None,
    };
    let worker = WorkerId::random();
    let journal = store.journal();
    let leases = [run.lease];
    let mut held = world.sql.begin().await.expect("it answers");
    sqlx::query("lock table run_queue, event, document in access exclusive mode")
        .execute(&mut *held)
        .await
        .expect("nobody has them");
    let all = async {
        tokio::join!(
            journal.append(run.lease, vec![record(1, "kept")]),
            store.accept(incoming()),
            store.claim(worker, 5),
            store.document(run.organization, &run.hash),
            store.renew(&leases),
        )
    };
    let goes_silent = async {
        while world.count(WAITING).await < 5 {
            tokio::task::yield_now().await;
        }
        way.silence();
        // Postgres does what it was asked, and its answers come to nobody.
        held.rollback().await.expect("it answers");
    };
    let both = async { tokio::join!(all, goes_silent) };
    let (answers, ()) = timeout(AT_MOST, both).await.expect("nothing waits on");
    let (appended, _, claimed, document, _) = answers;
    assert_eq!(appended, Ok(()));
    claimed.expect("it is asked again");
    let stored = document.expect("it is asked again");
    assert_eq!(stored.document.hash(), run.hash);
    let goes_on = async {
        store.accept(incoming()).await.expect("there is room");
        while store.renew(&leases).await.ok() != Some(leases.to_vec()) {}
        while store.ping().await.is_err() {}
    };
    timeout(AT_MOST, goes_on).await.expect("it goes on");
    let detail = world.store.run(&world.admin, run.lease.run).await;
    assert_eq!(
        detail.expect("it is there").records,
        [record(1, "kept")],
        "once, though it may be written twice"
    );
    let closed = timeout(AT_MOST, store.close()).await;
    closed.expect("nothing waits on");
    world.end().await;
}

#[sqlx::test]
async fn turns_on_connections_that_went_silent_are_given_up_and_leave_the_pool_whole(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let mut way = Way::to(&world.options());
    let store = way.store(Duration::from_secs(1)).await;
    let now = world.store.now().await.expect("it answers");
    let mut held = world.sql.begin().await.expect("it answers");
    sqlx::query("lock table schedule in access exclusive mode")
        .execute(&mut *held)
        .await
        .expect("nobody has it");
    // As many as the pool has connections.
    let turns = join_all((0..5).map(|_| store.turn(store.due(now))));
    let goes_silent = async {
        while world.count(WAITING).await < 5 {
            tokio::task::yield_now().await;
        }
        way.silence();
        held.rollback().await.expect("it answers");
    };
    let both = async { tokio::join!(turns, goes_silent).0 };
    let turns = timeout(AT_MOST, both).await.expect("none waits on");
    assert!(turns.iter().all(Result::is_err), "{turns:?}");
    let next = async { while store.turn(store.due(now)).await.is_err() {} };
    timeout(AT_MOST, next).await.expect("there are connections");
    store.close().await;
    world.end().await;
}

/// Waits for something until it was asked so often, and gives it up then.
async fn asked<F: Future>(something: F, mut times: usize) -> Option<F::Output> {
    let mut something = pin!(something);
    poll_fn(|context| match something.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending if times == 0 => Poll::Ready(None),
        Poll::Pending => {
            times -= 1;
            Poll::Pending
        }
    })
    .await
}

#[sqlx::test]
async fn wherever_a_turn_is_given_up_it_leaves_no_transaction_to_whoever_is_next(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let now = world.store.now().await.expect("it answers");
    let open = "select count(*) from pg_stat_activity
        where state like 'idle in transaction%' and datname = current_database()";
    for times in 0.. {
        let done = asked(world.store.due(now), times).await;
        let over = async { while world.count(open).await > 0 {} };
        let over = timeout(Duration::from_secs(10), over).await;
        over.unwrap_or_else(|_| panic!("it was given up after {times} times"));
        if done.is_some() {
            assert!(times > 0, "it was never given up in its middle");
            break;
        }
    }
    world.end().await;
}

#[sqlx::test]
async fn what_was_held_up_on_the_way_is_not_written_after_what_came_later(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let mut way = Way::to(&world.options());
    let store = way.store(Duration::from_secs(1)).await;
    let run = handed(&world, &store).await;
    let journal = store.journal();
    let begun = || vec![record(1, "begun")];
    journal
        .append(run.lease, begun())
        .await
        .expect("it is ours");
    way.silence();
    journal
        .append(run.lease, begun())
        .await
        .expect("it is ours");
    let done = vec![record(1, "done")];
    journal.append(run.lease, done).await.expect("it is ours");
    store.close().await;
    // The tasks that write end with these, and their connections.
    drop((journal, store));
    timeout(AT_MOST, way.let_go()).await.expect("they end");
    let detail = world.store.run(&world.admin, run.lease.run).await;
    assert_eq!(detail.expect("it is there").records, [record(1, "done")]);
    world.end().await;
}

/// Says whether connections that are made from now on may write.
async fn take_writes(world: &World, takes: bool) {
    // Itself it always may.
    let options = world
        .options()
        .options([("default_transaction_read_only", "off")]);
    let past = PgConnection::connect_with(&options).await;
    let mut past = past.expect("the database answers");
    let says = match takes {
        true => {
            "do $$ begin execute format(
                 'alter database %I reset default_transaction_read_only', current_database());
             end $$"
        }
        false => {
            "do $$ begin execute format(
                 'alter database %I set default_transaction_read_only = on', current_database());
             end $$"
        }
    };
    sqlx::query(says)
        .execute(&mut past)
        .await
        .expect("it is ours");
    past.close().await.expect("it answers");
}

/// Ends all connections of the store, as a failover does.
async fn fail_over(world: &World) {
    world
        .execute(
            "select pg_terminate_backend(pid) from pg_stat_activity
             where datname = current_database() and application_name = 'sluice'",
        )
        .await;
}

#[sqlx::test]
async fn a_server_that_takes_no_writes_costs_no_record(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let way = Way::to(&world.options());
    let store = way.store(PATIENCE).await;
    let (one, other) = (handed(&world, &store).await, handed(&world, &store).await);
    let journal = store.journal();
    take_writes(&world, false).await;
    fail_over(&world).await;
    let finished = Outcome::Finished {
        state: RunState::Succeeded,
        error: None,
        records: Vec::new(),
    };
    let both = async {
        tokio::join!(
            journal.append(one.lease, vec![record(1, "kept")]),
            journal.finish(other.lease, finished),
        )
    };
    let writes_again = async {
        let ready = timeout(Duration::from_secs(1), store.ping()).await;
        assert!(!matches!(ready, Ok(Ok(()))), "it is not ready");
        let pages = store.integrations(&world.admin).await;
        assert_eq!(pages.expect("they can be read").len(), 2);
        assert_eq!(world.count("select count(*) from run_record").await, 0);
        take_writes(&world, true).await;
    };
    let written = timeout(AT_MOST, async { tokio::join!(both, writes_again).0 }).await;
    assert_eq!(written.expect("they are tried again"), (Ok(()), Ok(())));
    for lease in [one.lease, other.lease] {
        let detail = world.store.run(&world.admin, lease.run).await;
        let detail = detail.expect("it is there");
        let expected = match lease == one.lease {
            true => (RunState::Running, 1),
            false => (RunState::Succeeded, 0),
        };
        assert_eq!((detail.summary.state, detail.records.len()), expected);
    }
    // What was opened meanwhile writes, too.
    let claimed = timeout(AT_MOST, async {
        while store.claim(WorkerId::random(), 1).await.is_err() {}
        while store.set_wants_alerts(&world.admin, false).await.is_err() {}
        while store.ping().await.is_err() {}
    });
    claimed.await.expect("nothing stays with what it was");
    store.close().await;
    world.end().await;
}

#[sqlx::test]
async fn what_is_remembered_of_a_route_is_not_used_when_nobody_could_say_that_it_changed(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (integration, draft) = world.draft_of(clean("webhook")).await;
    world.publish_draft(draft, 1).await;
    let token = world.hook_token(integration).await;
    let mut way = Way::to(&world.options());
    let other = way.store(PATIENCE).await;
    let version = async || {
        let route = other.hook_route(&token).await.ok().flatten();
        route.map(|route| route.version)
    };
    assert_eq!(version().await, Some(1));
    way.silence();
    let next = world
        .store
        .start_draft(&world.admin, integration, "Next")
        .await;
    let next = next.expect("an Admin may");
    world.save(next, 1).await.expect("it fits");
    world.publish_draft(next, 2).await;
    let learns = async {
        while version().await != Some(2) {
            tokio::task::yield_now().await;
        }
    };
    timeout(AT_MOST, learns).await.expect("it asks again");
    // It hears again: what is told before it listens anew is not heard, so it is told again.
    let mut heard = other.listen();
    let hears = async {
        for enabled in [false, true].into_iter().cycle() {
            let set = world.store.set_enabled(&world.admin, integration, enabled);
            set.await.expect("an Admin may");
            let told = timeout(Duration::from_millis(200), heard.recv()).await;
            if told.is_ok() {
                break;
            }
        }
    };
    timeout(AT_MOST, hears).await.expect("it is told");
    other.close().await;
    world.end().await;
}

/// Makes Postgres refuse records that say `bad` with the code in `fault`, and count how often.
const FAULTY: &str = "do $$ begin
        create sequence tries;
        create table fault (code text);
        create function refuse() returns trigger language plpgsql as $refuse$
            declare wrong text;
            begin
                select code into wrong from fault;
                if wrong is not null and new.records like '%bad%' then
                    perform nextval('tries');
                    raise exception using errcode = wrong;
                end if;
                return new;
            end
        $refuse$;
        create trigger refuse before insert on run_record
            for each row execute function refuse();
    end $$";

#[sqlx::test]
async fn only_what_a_record_says_is_refused_for_good(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options).await;
    let (bad, good) = (
        handed(&world, &world.store).await.lease,
        handed(&world, &world.store).await.lease,
    );
    world.execute(FAULTY).await;
    let journal = world.store.journal();
    let passing = [
        "25006", "28P01", "3D000", "0A000", "26000", "42501", "XX000", "57014", "40001",
    ];
    let lasting = ["22P02", "23514", "54001", "XX001"];
    let codes = passing.iter().map(|code| (*code, Ok(())));
    for (code, expected) in codes.chain(lasting.iter().map(|code| (*code, Err(Lost)))) {
        sqlx::query("insert into fault values ($1)")
            .bind(code)
            .execute(&world.sql)
            .await
            .expect("it answers");
        world.execute("alter sequence tries restart").await;
        let passes = async {
            if expected.is_ok() {
                while world.count("select last_value from tries").await < 2 {
                    tokio::task::yield_now().await;
                }
                world.execute("delete from fault").await;
            }
        };
        let written = async {
            tokio::join!(
                journal.append(bad, vec![record(1, "bad")]),
                journal.append(good, vec![record(1, code)]),
                passes,
            )
        };
        let (refused, beside, ()) = timeout(AT_MOST, written).await.expect(code);
        assert_eq!((refused, beside), (expected, Ok(())), "{code}");
        world.execute("delete from fault").await;
    }
    world.end().await;
}
