//! A server on a database of its own, with one caller of each kind.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use server::answer_desk::AnswerDesk;
use server::arguments::Arguments;
use server::code::Processes;
use server::component::Machines;
use server::computer::Computer;
use server::config::Config;
use server::signal::Stop;
use server::web::Web;
use server::worker::Worker;
use server::{listen, router};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, PgPool};
use store::{MasterKey, NewOrganization, Store};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::client::Client;

pub(crate) const PASSWORD: &str = "a long enough password";
/// What the server is told of the address that people use.
pub(crate) const PUBLIC_URL: &str = "http://sluice.example";

/// A database for one test, dropped by [`Database::drop`].
pub(crate) struct Database {
    name: String,
    server: String,
    pub(crate) url: String,
}

impl Database {
    pub(crate) async fn new() -> Self {
        let server = std::env::var("DATABASE_URL").expect(
            "these tests need DATABASE_URL: run `sluice postgres --data-dir FOLDER` and set what it prints",
        );
        let name = format!("sluice_server_test_{}", Uuid::now_v7().simple());
        execute(&server, &format!("create database {name}")).await;
        let (before, after) =
            server.split_at(server.rfind('/').expect("it is a postgres:// address") + 1);
        let options = after.find('?').map(|at| &after[at..]).unwrap_or_default();
        // The socket's folder, if any, is percent-encoded, so the last `/` is before the name.
        let url = format!("{before}{name}{options}");
        Self { name, server, url }
    }

    pub(crate) async fn drop(self) {
        let sql = format!("drop database {} with (force)", self.name);
        // Postgres cleans up in it by itself now and then, and nobody may end that.
        let dropped = async || try_to(&self.server, &sql).await.ok();
        eventually("the database is dropped", Duration::from_secs(20), dropped).await;
    }
}

async fn execute(url: &str, sql: &str) {
    let executed = try_to(url, sql).await;
    executed.expect("the role of DATABASE_URL may create databases");
}

async fn try_to(url: &str, sql: &str) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect(url).await?;
    let executed = sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()));
    executed.execute(&mut connection).await.map(drop)
}

/// A server with an organization that has one member of each role, and a second organization.
pub(crate) struct TestApp {
    pub(crate) store: Store,
    pub(crate) database: Database,
    pub(crate) anonymous: Client,
    pub(crate) reader: Client,
    pub(crate) collaborator: Client,
    pub(crate) admin: Client,
    /// Admin of the other organization.
    pub(crate) outsider: Client,
    site: PathBuf,
    stop: Stop,
    tasks: Vec<JoinHandle<()>>,
}

impl TestApp {
    /// Starts a server that also executes runs.
    pub(crate) async fn start() -> Self {
        Self::with_role("all").await
    }

    /// Starts a server with a role: `web` leaves runs to other processes, but for those that only
    /// compute.
    pub(crate) async fn with_role(role: &str) -> Self {
        let database = Database::new().await;
        let store = Store::connect(&database.url, 10)
            .await
            .expect("the database was made");
        let key = MasterKey::read(&MasterKey::generate()).expect("it was made so");
        store.unlock(key);
        store
            .migrate()
            .await
            .expect("the migrations fit an empty database");
        let site = built_site();
        let config = config(role, &site);
        let (stop, answers) = (Stop::new(), Arc::new(AnswerDesk::default()));
        let machines = Machines::new(
            env!("CARGO_BIN_EXE_sluice").into(),
            2,
            Duration::from_secs(5),
        );
        store.inspect_by(Arc::new(machines.clone()));
        let computer = Arc::new(Computer::new(store.clone(), None, 0));
        let worker = config.role.is_worker().then(|| {
            Worker::new(
                &computer,
                answers.clone(),
                stop.clone(),
                config.concurrency,
                Arc::new(Processes::new(env!("CARGO_BIN_EXE_sluice").into(), 2)),
                Arc::new(machines.of(store.clone())),
            )
        });
        let mut tasks: Vec<_> = worker
            .clone()
            .map(|worker| tokio::spawn(worker.work()))
            .into_iter()
            .collect();
        let listener = TcpListener::bind(config.listen)
            .await
            .expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let web = Web::new(&config, stop.clone(), computer, worker, answers);
        tasks.push(tokio::spawn(listen::serve(
            listener,
            router::router(Arc::new(web)),
            stop.clone(),
        )));
        let base = format!("http://{address}");
        let client = |number: u8| Client::new(&base, &format!("10.0.0.{number}"));
        let admin = client(1).enter("set_up", json!({
            "organization": "Ours", "name": "An Admin", "email": "admin@ours.example", "password": PASSWORD,
        })).await;
        // Tests that are about something else publish without a review.
        let free = json!({ "approvals": 0 });
        admin
            .must("set_policy", json!({ "integration": null, "policy": free }))
            .await;
        let (collaborator, reader) = (client(2), client(3));
        Self {
            collaborator: join(&admin, collaborator, "collaborator").await,
            reader: join(&admin, reader, "reader").await,
            outsider: outsider(&store, client(4)).await,
            anonymous: client(5),
            admin,
            store,
            database,
            site,
            stop,
            tasks,
        }
    }

    /// Publishes a document as a new integration; returns its id and the path of its webhook.
    pub(crate) async fn publish(&self, document: &Value) -> (String, String) {
        let name = format!("Integration {}", Uuid::now_v7());
        let admin = &self.admin;
        let draft = admin
            .must(
                "create_integration",
                json!({ "name": name, "document": document }),
            )
            .await;
        let read = admin.must("read_draft", json!({ "id": draft })).await;
        admin
            .must(
                "publish",
                json!({
                    "id": draft, "revision": read["summary"]["revision"], "note": "", "reason": null,
                }),
            )
            .await;
        let id = read["integration"].clone();
        let detail = admin.must("read_integration", json!({ "id": id })).await;
        (text(&id), text(&detail["webhook_path"]))
    }

    /// Allows integrations to reach this machine, where the tests' own services are.
    pub(crate) async fn allow_loopback(&self) {
        self.admin
            .must("set_network", json!({ "allowed": ["127.0.0.0/8"] }))
            .await;
    }

    /// Waits until a run is over and returns it.
    pub(crate) async fn ended(&self, run: &Value, within: Duration) -> Value {
        eventually("the run ends", within, async || {
            let run = self.admin.must("read_run", json!({ "id": run })).await;
            let state = text(&run["summary"]["state"]);
            ["succeeded", "failed", "in_doubt", "quarantined", "canceled"]
                .contains(&state.as_str())
                .then_some(run)
        })
        .await
    }

    /// Returns a way past the store, which sees all organizations: to move clocks and look at rows.
    pub(crate) fn sql(&self) -> PgPool {
        let options: PgConnectOptions = self.database.url.parse().expect("it was used before");
        let system = options.options([("sluice.scope", "system")]);
        PgPool::connect_lazy_with(system)
    }

    /// Ends the server as a signal would, but for its database.
    pub(crate) async fn stop(&mut self) {
        self.stop.give();
        for task in self.tasks.drain(..) {
            task.await.expect("nothing panicked outside a request");
        }
    }

    /// Ends the server as a signal would, and drops its database.
    pub(crate) async fn end(mut self) {
        self.stop().await;
        self.store.close().await;
        let _ = std::fs::remove_dir_all(self.site);
        self.database.drop().await;
    }
}

/// Asks again and again until there is something.
pub(crate) async fn eventually<T>(
    what: &str,
    within: Duration,
    ask: impl AsyncFn() -> Option<T>,
) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(begun.elapsed() < within, "waited {within:?} until {what}");
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn config(role: &str, site: &std::path::Path) -> Config {
    let words = ["serve", "--listen", "127.0.0.1:0", "--role", role].map(str::to_owned);
    let arguments = Arguments::read(words).expect("they are known");
    let mut config = Config::read(&arguments, |_| None).expect("they can be used");
    config.site = site.to_owned();
    config.public_url = Some(PUBLIC_URL.to_owned());
    // Each caller has an address of its own.
    config.trust_proxy = true;
    config
}

/// Makes a folder as the build makes it, with stand-ins for the built files.
fn built_site() -> PathBuf {
    let site = std::env::temp_dir().join(format!("sluice-site-{}", Uuid::now_v7().simple()));
    let pkg = site.join("pkg");
    std::fs::create_dir_all(&pkg).expect("the temporary folder can be written");
    let manifest = r#"{"script": "/pkg/sluice-1.js", "module": "/pkg/sluice-1_bg.wasm", "style": "/pkg/sluice-1.css"}"#;
    let files = [
        ("pkg/manifest.json", manifest),
        ("pkg/sluice-1.js", "plain script"),
        ("pkg/sluice-1.js.br", "brotli script"),
        ("pkg/sluice-1.js.gz", "gzip script"),
        ("pkg/sluice-1.css", "plain style"),
        ("robots.txt", "plain text"),
    ];
    for (name, content) in files {
        std::fs::write(site.join(name), content).expect("the folder was made");
    }
    site
}

async fn join(admin: &Client, client: Client, role: &str) -> Client {
    let token = admin.must("invite", json!({ "role": role })).await;
    client.enter("accept_invitation", json!({
        "token": token, "name": format!("A {role}"), "email": format!("{role}@ours.example"), "password": PASSWORD,
    })).await
}

async fn outsider(store: &Store, client: Client) -> Client {
    let other = NewOrganization {
        name: "Theirs".to_owned(),
        is_demo: false,
        admin_name: "Another Admin".to_owned(),
        email: "admin@theirs.example".to_owned(),
        password: PASSWORD.to_owned(),
    };
    store
        .create_organization(other)
        .await
        .expect("the texts can be taken");
    client
        .enter(
            "sign_in",
            json!({ "email": "admin@theirs.example", "password": PASSWORD }),
        )
        .await
}
