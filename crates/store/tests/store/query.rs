//! Steps that ask a PostgreSQL database, through a connection that the store keeps: the database is
//! the tests' own, reached over loopback as any other.

use std::sync::{Arc, Mutex};

use domain::account::Me;
use domain::connection::{Form, Kind, Secrets, Server, Tls};
use domain::document::{ErrorPolicy, OnError, Step};
use domain::run::{RunState, StepRecord, StepState, TestScope};
use domain::{ConnectionId, Document, RunId};
use engine::port::{Clients, Clock, Journal, Lease, Lost, Network, SystemClock, try_out};
use engine::{Engine, Outcome, Program, Signal, Task};
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;

use store::Refusal;

use crate::world::{World, clean, log_step, refusal};

const PASSWORD: &str = "planted-password-of-the-database";

/// A way over loopback to the server of the tests. It can cut the way when a word passes.
struct Way {
    port: u16,
    cut: Arc<Mutex<Option<&'static str>>>,
}

impl Way {
    async fn to(options: &PgConnectOptions) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let cut: Arc<Mutex<Option<&'static str>>> = Arc::default();
        let (options, cutting) = (options.clone(), Arc::clone(&cut));
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let (options, cutting) = (options.clone(), Arc::clone(&cutting));
                tokio::spawn(async move {
                    match options.get_socket() {
                        Some(folder) => {
                            let name = format!(".s.PGSQL.{}", options.get_port());
                            let far = UnixStream::connect(folder.join(name)).await;
                            pass(&mut near, &mut far.expect("it is there"), &cutting).await;
                        }
                        None => {
                            let far = (options.get_host(), options.get_port());
                            let far = TcpStream::connect(far).await;
                            pass(&mut near, &mut far.expect("it is there"), &cutting).await;
                        }
                    }
                });
            }
        });
        Self { port, cut }
    }

    /// Cuts the way behind the next message that holds a word.
    fn cut_behind(&self, word: &'static str) {
        *self.cut.lock().expect("no panic holds it") = Some(word);
    }
}

/// Passes on what both sides say, until they hang up or the way is cut.
async fn pass<S: AsyncRead + AsyncWrite + Unpin>(
    near: &mut TcpStream,
    far: &mut S,
    cut: &Mutex<Option<&'static str>>,
) -> Option<()> {
    let (mut said, mut answered) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    loop {
        tokio::select! {
            count = near.read(&mut said) => {
                let said = &said[..count.ok().filter(|count| *count > 0)?];
                far.write_all(said).await.ok()?;
                let mut cut = cut.lock().expect("no panic holds it");
                let is_here = |word: &&str| {
                    said.windows(word.len()).any(|part| part == word.as_bytes())
                };
                if cut.as_ref().is_some_and(is_here) {
                    cut.take();
                    return None;
                }
            }
            count = far.read(&mut answered) => {
                let answered = &answered[..count.ok().filter(|count| *count > 0)?];
                near.write_all(answered).await.ok()?;
            }
        }
    }
}

/// A journal in memory.
#[derive(Default)]
struct Kept(Mutex<Vec<StepRecord>>);

impl Journal for Kept {
    async fn append(&self, _: Lease, records: Vec<StepRecord>) -> Result<(), Lost> {
        self.0.lock().expect("no panic holds it").extend(records);
        Ok(())
    }
}

/// What is needed to ask.
struct Desk {
    world: World,
    way: Way,
    connection: ConnectionId,
    run: RunId,
}

fn form(options: &PgConnectOptions, port: u16, tls: Tls) -> Form {
    Form {
        name: "The database".to_owned(),
        kind: Kind::Postgres,
        names: vec![options.get_username().to_owned()],
        origins: Vec::new(),
        live: Secrets::Set(vec![PASSWORD.to_owned()]),
        test: Secrets::Keep,
        oauth: None,
        server: Some(Server {
            host: "127.0.0.1".to_owned(),
            port,
            tls,
            database: options.get_database().expect("it has one").to_owned(),
            ..Server::default()
        }),
    }
}

fn network() -> Network {
    Network {
        allowed: vec!["127.0.0.1".to_owned()],
        ..Network::default()
    }
}

impl Desk {
    async fn new(options: PgConnectOptions) -> Self {
        // Another test may have done so.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let way = Way::to(&options).await;
        let form = form(&options, way.port, Tls::Off);
        let world = World::new(options).await;
        let me: &Me = &world.admin;
        let connection = world.store.create_connection(me, &form).await;
        let integration = world.publish(clean("manual")).await;
        let run = world.store.start_manual(me, integration, json!({})).await;
        world
            .execute("create table thing (id bigint primary key, name text not null, data jsonb)")
            .await;
        Self {
            connection: connection.expect("an Admin may"),
            run: run.expect("it is live"),
            world,
            way,
        }
    }

    /// Runs a step with these fields; returns how the run ended, and the step's last record.
    async fn ask(&self, fields: Value) -> (RunState, StepRecord) {
        self.ask_in(fields, network()).await
    }

    async fn ask_in(&self, fields: Value, network: Network) -> (RunState, StepRecord) {
        let mut document = Document::new("manual");
        let mut step = Step {
            kind: "postgres.query".to_owned(),
            on_error: ErrorPolicy {
                retries: 1,
                then: OnError::Stop,
            },
            ..log_step("Ask", "ask")
        };
        step.config = fields.as_object().expect("they are fields").clone();
        step.config
            .insert("connection".to_owned(), json!(self.connection));
        document.flow.push(step.id);
        document.steps.insert(step.id, step);
        let store = Arc::new(self.world.store.clone());
        let task = Task {
            trace: None,
            within: None,
            lease: Lease {
                run: self.run,
                fence: 1,
            },
            program: Arc::new(Program::compile(&document).expect("it compiles")),
            payload: json!({}).into(),
            created_at: SystemClock.now(),
            resumed_at: None,
            is_test: false,
            is_taken_over: false,
            scope: TestScope::Whole,
            history: Vec::new(),
            returned: Vec::new(),
            network,
        };
        let (journal, (_keep, cancel)) = (Kept::default(), watch::channel(Signal::GoOn));
        let engine = Engine::new(SystemClock).with_vault(store);
        let outcome = engine.execute(task, &journal, None, cancel).await;
        let (state, mut records) = match outcome {
            Outcome::Finished { state, records, .. } => (state, records),
            // A retry waits; that it does is all that matters here.
            Outcome::Waiting { records, .. } => (RunState::Waiting, records),
            other => panic!("{other:?}"),
        };
        let mut all = journal.0.into_inner().expect("no panic holds it");
        all.append(&mut records);
        (state, all.pop().expect("the step is recorded"))
    }

    /// Returns the output of a step that succeeds.
    async fn answer(&self, fields: Value) -> Value {
        let (state, record) = self.ask(fields).await;
        assert_eq!(state, RunState::Succeeded, "{record:?}");
        record.output
    }

    /// Returns why a step fails.
    async fn refusal(&self, fields: Value) -> String {
        let (state, record) = self.ask(fields).await;
        assert_eq!(
            (state, record.state),
            (RunState::Failed, StepState::Failed),
            "{record:?}"
        );
        record.error.expect("it says why")
    }

    async fn things(&self) -> i64 {
        self.world.count("select count(*) from thing").await
    }
}

#[sqlx::test]
async fn rows_have_their_values_as_json_exactly(_: PgPoolOptions, options: PgConnectOptions) {
    let desk = Desk::new(options).await;
    let sql = "select 7 as whole, 9007199254740993 as large, 12.50 as price,
            0.12345678901234567890 as long, 1.5::float8 as float, true as yes, null::text as none,
            'a \"b\"' as text, '{\"a\": [1, null]}'::jsonb as data,
            '2026-11-28T06:30:00.25+02:00'::timestamptz as moment, date '2026-11-28' as day,
            interval '1 day 2 hours' as span, array[1, null, 3] as list,
            array['a,b', '\"'] as texts, '\\x00ff'::bytea as bytes,
            'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid as id, 1 as id";
    let answer = desk.answer(json!({ "sql": sql, "access": "read" })).await;
    assert_eq!(
        answer,
        json!({
            "rows": [{
                "whole": 7, "large": "9007199254740993", "price": 12.5,
                "long": "0.12345678901234567890", "float": 1.5, "yes": true, "none": null,
                "text": "a \"b\"", "data": { "a": [1, null] },
                "moment": "2026-11-28T04:30:00.25Z", "day": "2026-11-28", "span": "P1DT2H",
                "list": [1, null, 3], "texts": ["a,b", "\""], "bytes": "\\x00ff",
                "id": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "id_2": 1,
            }],
            "row_count": 1, "has_more": false, "affected": 1,
        })
    );
}

#[sqlx::test]
async fn values_come_in_as_parameters_and_never_become_sql(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let desk = Desk::new(options).await;
    let evil = "x'); drop table thing; --";
    let insert = json!({
        "sql": "insert into thing values ($1, $2, $3) returning id, name, data",
        "parameters": [7, evil, { "a": evil }], "access": "write",
    });
    let answer = desk.answer(insert.clone()).await;
    assert_eq!(
        answer["rows"],
        json!([{ "id": 7, "name": evil, "data": { "a": evil } }])
    );
    assert_eq!(desk.things().await, 1);
    let found = desk
        .answer(json!({
            "sql": "select name from thing where id = any($1) and $2 and data->>'a' = $3",
            "parameters": "[[7, \"8\"], true, \"x'); drop table thing; --\"]", "access": "read",
        }))
        .await;
    assert_eq!(found["row_count"], 1);
    let twice = desk.ask(insert).await;
    let error = twice.1.error.expect("the key is taken");
    assert!(
        error.contains("duplicate key value") && error.contains("23505"),
        "{error}"
    );
    assert_eq!(twice.1.output["constraint"], "thing_pkey");
    for (parameters, why) in [
        (json!([1]), "The statement has 3 parameters, but 1 is given"),
        (
            json!(["x", "y", {}]),
            "invalid input syntax for type bigint",
        ),
        (
            json!([1, "a\0b", {}]),
            "Parameter $2: it holds the character U+0000",
        ),
        (json!({ "a": 1 }), "Parameters must be a JSON list"),
    ] {
        let sql = "insert into thing values ($1, $2, $3)";
        let fields = json!({ "sql": sql, "parameters": parameters, "access": "write" });
        let told = desk.refusal(fields).await;
        assert!(told.contains(why), "{told}");
    }
    assert_eq!(desk.things().await, 1);
}

#[sqlx::test]
async fn a_step_that_only_reads_cannot_write_by_any_way(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let desk = Desk::new(options).await;
    desk.world
        .execute(
            "create function write_it() returns int language plpgsql as
             $$ begin insert into thing values (9, 'x'); return 1; end $$",
        )
        .await;
    for sql in [
        "insert into thing values (1, 'a')",
        "with made as (insert into thing values (1, 'a') returning id) select * from made",
        "select write_it()",
        "do $$ begin set transaction read write; insert into thing values (1, 'a'); end $$",
        "do $$ begin commit; insert into thing values (1, 'a'); end $$",
        "select set_config('transaction_read_only', 'off', true), write_it()",
        "create table other (id int)",
        "truncate thing",
        "drop table thing",
        "select nextval(pg_get_serial_sequence('thing', 'id')), write_it()",
    ] {
        let told = desk.refusal(json!({ "sql": sql, "access": "read" })).await;
        assert!(told.contains("The database refused"), "{sql}: {told}");
        assert_eq!(desk.things().await, 0, "{sql}");
    }
    let told =
        desk.refusal(json!({ "sql": "insert into thing values (1, 'a')", "access": "read" }));
    assert!(told.await.contains("Let the step read and write"));
    // Nothing runs behind these any more.
    for sql in ["set transaction read write", "commit", "rollback", "begin"] {
        desk.ask(json!({ "sql": sql, "access": "read" })).await;
    }
    assert_eq!(desk.things().await, 0);
}

#[sqlx::test]
async fn there_is_one_statement_and_it_has_no_expressions(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let desk = Desk::new(options).await;
    let two = json!({ "sql": "select 1; drop table thing", "access": "write" });
    let told = desk.refusal(two).await;
    assert!(
        told.contains("multiple commands") && told.contains("a step for each"),
        "{told}"
    );
    let text = desk
        .answer(json!({ "sql": "select '{{ 1 + 1 }}' as text", "access": "read" }))
        .await;
    assert_eq!(text["rows"][0]["text"], "{{ 1 + 1 }}");
    for (sql, why) in [
        ("copy thing from stdin", "copies a file"),
        ("copy thing to stdout", "copies a file"),
        ("selec 1", "syntax error"),
        ("vacuum", "cannot run inside a transaction block"),
    ] {
        let told = desk.refusal(json!({ "sql": sql, "access": "write" })).await;
        assert!(told.contains(why), "{told}");
    }
}

#[sqlx::test]
async fn rows_bytes_and_time_are_bounded(_: PgPoolOptions, options: PgConnectOptions) {
    let desk = Desk::new(options).await;
    let many = json!({ "sql": "select * from generate_series(1, 1000000) as n",
        "access": "read", "max_rows": 3 });
    let answer = desk.answer(many).await;
    assert_eq!(answer["rows"], json!([{ "n": 1 }, { "n": 2 }, { "n": 3 }]));
    assert_eq!(
        (&answer["has_more"], &answer["row_count"]),
        (&json!(true), &json!(3))
    );
    let exact = json!({ "sql": "select * from generate_series(1, 3) as n", "access": "read",
        "max_rows": 3 });
    assert_eq!(desk.answer(exact).await["has_more"], false);
    let all = json!({ "sql": "insert into thing select n, 'x' from generate_series(1, 9) as n
        returning id", "access": "write", "max_rows": 2 });
    assert_eq!(desk.answer(all).await["has_more"], true);
    assert_eq!(
        desk.things().await,
        9,
        "what is not told is done all the same"
    );
    for sql in [
        "select repeat('x', 6000000) as text",
        "select repeat('x', 60000) as text from generate_series(1, 1000)",
    ] {
        let told = desk.refusal(json!({ "sql": sql, "access": "read" })).await;
        assert!(told.contains("larger than 5 MB"), "{told}");
    }
    let slow = json!({ "sql": "select pg_sleep(60)", "access": "read", "timeout_seconds": 0.2 });
    let (state, record) = desk.ask(slow).await;
    let error = record.error.expect("it says why");
    assert!(error.contains("raise the time-out"), "{state:?} {error}");
}

#[sqlx::test]
async fn a_change_is_in_doubt_only_when_the_database_may_have_kept_it(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let desk = Desk::new(options).await;
    let insert = json!({ "sql": "insert into thing values (1, 'in doubt')", "access": "write" });
    // Before it is told to keep it, nothing is kept: it is tried again.
    desk.way.cut_behind("insert into thing");
    assert_eq!(desk.ask(insert.clone()).await.0, RunState::Succeeded);
    assert_eq!(desk.things().await, 1);
    desk.world.execute("delete from thing").await;
    desk.way.cut_behind("commit");
    let (state, record) = desk.ask(insert).await;
    assert_eq!(
        (state, record.state),
        (RunState::InDoubt, StepState::InDoubt)
    );
    assert!(
        record
            .error
            .expect("it says so")
            .contains("the statement is run again")
    );
    let read = json!({ "sql": "select count(*) from thing", "access": "read" });
    desk.way.cut_behind("select count");
    assert_eq!(
        desk.ask(read).await.0,
        RunState::Succeeded,
        "reading twice does no harm"
    );
}

#[sqlx::test]
async fn a_deferred_rule_that_the_end_breaks_is_told_and_nothing_is_kept(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let desk = Desk::new(options).await;
    desk.world
        .execute("create table part (of bigint references thing deferrable initially deferred)")
        .await;
    let told = desk
        .refusal(json!({ "sql": "insert into part values (5)", "access": "write" }))
        .await;
    assert!(told.contains("violates foreign key"), "{told}");
}

#[sqlx::test]
async fn nothing_is_published_whose_connection_its_step_cannot_use(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let desk = Desk::new(options).await;
    for (kind, is_fine) in [
        ("http.request", false),
        ("postgres.query", true),
        ("email.send", false),
    ] {
        let mut step = Step {
            kind: kind.to_owned(),
            ..log_step("Ask", "ask")
        };
        let config = json!({ "connection": desk.connection, "url": "https://example.com",
            "method": "GET", "sql": "select 1", "access": "read", "to": "a@example.com",
            "subject": "x", "text": "x" });
        let fields = &domain::catalog::action(kind)
            .expect("it is in the catalog")
            .input;
        step.config = config.as_object().expect("it is one").clone();
        step.config.retain(|name, _| fields.field(name).is_some());
        let mut document = Document::new("manual");
        document.flow.push(step.id);
        document.steps.insert(step.id, step);
        let world = &desk.world;
        let (_, draft) = world.draft_of(document).await;
        let published = world
            .store
            .publish(&world.admin, draft, 1, String::new(), None)
            .await;
        match is_fine {
            true => drop(published.expect("it fits")),
            false => assert_eq!(
                refusal(published),
                Refusal::Connection(domain::connection::Refusal::Misfit("Ask".to_owned()))
            ),
        }
    }
}

#[sqlx::test]
async fn a_database_is_reached_as_its_connection_and_the_network_say(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let desk = Desk::new(options.clone()).await;
    let fields = json!({ "sql": "select 1 as one", "access": "read" });
    let (state, record) = desk.ask_in(fields.clone(), Network::default()).await;
    assert_eq!(state, RunState::Failed);
    assert!(
        record
            .error
            .expect("it says why")
            .contains("private or local address")
    );
    let (store, me) = (&desk.world.store, &desk.world.admin);
    let origin = format!("postgres://127.0.0.1:{}", desk.way.port);
    store
        .set_network(me, network().allowed)
        .await
        .expect("an Admin may");
    let opened = store
        .connection_to_test(me, desk.connection, false, (&origin, "/"), None)
        .await;
    let (credentials, network, url) = opened.expect("it is its own");
    let now = store.now().await.expect("it answers");
    assert_eq!(
        try_out(&Clients::default(), &network, credentials, &url, now).await,
        Ok(None)
    );
    // This server encrypts nothing over its socket, so nothing is sent to it.
    let form = Form {
        name: "Encrypted".to_owned(),
        ..form(&options, desk.way.port, Tls::Upgraded)
    };
    store
        .change_connection(me, desk.connection, &form)
        .await
        .expect("an Admin may");
    let told = desk.refusal(fields.clone()).await;
    assert!(
        told.contains("offers no encryption, so nothing was sent"),
        "{told}"
    );
    let all = store.connections(me).await.expect("a member may");
    let details = all[0].details.as_ref().expect("an Admin sees them");
    assert_eq!(details.origins, [origin]);
    assert_eq!(
        details.server.as_ref().map(|server| server.tls),
        Some(Tls::Upgraded)
    );
    store
        .delete_connection(me, desk.connection)
        .await
        .expect("nothing uses it");
    let told = desk.refusal(fields).await;
    assert!(told.contains("does not exist any more"), "{told}");
}
