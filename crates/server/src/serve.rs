//! The life of a serving process: what is started in which order, and how it ends.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use store::Store;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::answer_desk::AnswerDesk;
use crate::code::Processes;
use crate::component::Machines;
use crate::computer::Computer;
use crate::config::{Config, KeySource};
use crate::mail::{Mailer, Pace};
use crate::postgres::{Postgres, Stopping};
use crate::signal::{self, Stop};
use crate::trace::{Sending, Tracer};
use crate::web::Web;
use crate::worker::Worker;
use crate::{demo, listen, master_key, memory, metrics, own_call, router};

/// Why a process cannot serve.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Connections to the database, at most. A Postgres takes 100 unless it is told otherwise, three of
/// them for superusers: so three processes fit, and six where it is the private one.
const CONNECTIONS: u32 = 32;
/// How long a database that is starting is waited for.
const DATABASE: Duration = Duration::from_secs(20);
/// How long we wait for our own first answer.
const READY: Duration = Duration::from_secs(20);
/// How long the demo's first runs may take together.
const FIRST_RUNS: Duration = Duration::from_secs(15);
/// When all must have come to an end that is under way when the process is asked to end: requests,
/// runs, a letter. All of these times count from then, so that none comes on top of another.
const WORKED: Duration = Duration::from_millis(7_500);
/// When the last spans of traces must be sent.
const TOLD: Duration = Duration::from_secs(8);
/// When the connections to the database must be closed.
const CLOSED: Duration = Duration::from_millis(8_800);
/// When the private Postgres must have stopped. Later, it goes on stopping without us.
const STOPPED: Duration = Duration::from_millis(9_700);
/// How long a token that a provider is just giving may take at the end: a little longer than we wait
/// for any. All else ends within 10 seconds, and so does this when nothing is being given. But the
/// provider may take the old token no more once it has sent the new one: a process that leaves
/// before it is kept leaves a connection that someone has to connect again.
const LAST_TOKEN: Duration = Duration::from_secs(25);
/// How long closing the connections may take in any case, and stopping the private Postgres.
const LEAST: Duration = Duration::from_millis(500);

/// Serves until asked to end.
///
/// # Errors
/// When something that is needed cannot be had; the message says what to do.
pub async fn run(config: Config) -> Result<(), Failure> {
    let mut end = Box::pin(signal::asked_to_end()?);
    // First, so that a taken port is known before anything else is started.
    let listener = match config.role.is_web() {
        true => Some(bind(config.listen).await?),
        false => None,
    };
    let measuring = match config.metrics_listen {
        Some(address) => Some(bind(address).await?),
        None => None,
    };
    let stop = Stop::new();
    let mut reaching = Box::pin(Database::reach(&config, &stop));
    let database = tokio::select! {
        reached = reaching.as_mut() => reached?,
        () = end.as_mut() => {
            stop.give();
            // It may have got there meanwhile.
            if let Ok(Ok(database)) = timeout_at(stop.after(STOPPED), reaching).await {
                database.close(&stop).await;
            }
            return Ok(());
        }
    };
    tokio::select! {
        prepared = database.prepare(&config) => prepared?,
        // Another process may be migrating for long; what we migrate is rolled back.
        () = end.as_mut() => {
            stop.give();
            database.close(&stop).await;
            return Ok(());
        }
    }
    let store = database.store.clone();
    let served = serve(&config, listener, measuring, store, (end, &stop)).await;
    database.close(&stop).await;
    served
}

/// Brings the database to this version's schema.
///
/// # Errors
/// When it cannot be reached or a migration fails.
pub async fn migrate(config: Config) -> Result<(), Failure> {
    Database::open(&config).await?.close(&Stop::new()).await;
    Ok(())
}

async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        format!("Sluice cannot listen at {address}: {error}. Choose another --listen.").into()
    })
}

/// The database, and the private Postgres when it is ours.
pub(crate) struct Database {
    pub(crate) store: Store,
    private: Option<Postgres>,
}

impl Database {
    pub(crate) async fn open(config: &Config) -> Result<Self, Failure> {
        let reached = Self::reach(config, &Stop::new()).await?;
        reached.prepare(config).await?;
        Ok(reached)
    }

    /// Reaches the database, starting the private Postgres where there is no other; gives up once
    /// `stop` is given.
    async fn reach(config: &Config, stop: &Stop) -> Result<Self, Failure> {
        let (url, private) = match &config.database_url {
            Some(url) => (url.clone(), None),
            None => {
                let (data_dir, stopping) = (config.data_dir.clone(), Arc::<Stopping>::default());
                let until = stopping.clone();
                let mut starting =
                    tokio::task::spawn_blocking(move || Postgres::start_until(&data_dir, until));
                let started = tokio::select! {
                    started = &mut starting => started,
                    () = stop.given() => {
                        stopping.give();
                        starting.await
                    }
                };
                let postgres = started??;
                (postgres.url().to_owned(), Some(postgres))
            }
        };
        let store = tokio::select! {
            store = connect(&url) => store?,
            () = stop.given() => {
                if let Some(postgres) = private {
                    tokio::task::spawn_blocking(move || postgres.stop()).await?;
                }
                return Err("Sluice was asked to end before it reached the database.".into());
            }
        };
        Ok(Self { store, private })
    }

    /// Makes a database ready that was reached.
    async fn prepare(&self, config: &Config) -> Result<(), Failure> {
        let store = &self.store;
        if let Some(proxy) = &config.proxy {
            store.clients().go_through(proxy.clone());
        }
        if let Some(keys) = master_key::read(&config.master_key).await? {
            store.unlock(keys);
        }
        if let KeySource::File(path) | KeySource::Own(path) = &config.master_key {
            let path = path.clone();
            store.unlock_again(move || {
                let read = master_key::from_file(&path);
                read.inspect_err(
                    |error| tracing::error!(%error, "the master key is not read again"),
                )
                .ok()
            });
        }
        let migrated = store.migrate().await;
        migrated.map_err(|error| because("The database could not be migrated", &error))
    }

    /// Closes the connections and stops the private Postgres, in what is left of the time since
    /// `stop` was given.
    pub(crate) async fn close(self, stop: &Stop) {
        let mut settled = std::pin::pin!(self.store.settled());
        let is_settled = tokio::select! {
            biased;
            () = settled.as_mut() => true,
            () = std::future::ready(()) => false,
        };
        if !is_settled {
            tracing::info!("a provider is just giving a token; the end waits for it");
            if tokio::time::timeout(LAST_TOKEN, settled).await.is_err() {
                tracing::warn!("a token that a provider was asked for is not kept");
            }
        }
        let by = |time| stop.after(time).max(Instant::now() + LEAST);
        let closed = timeout_at(by(CLOSED), self.store.close()).await;
        if closed.is_err() {
            tracing::warn!("some connections to the database were still in use at the end");
        }
        if let Some(postgres) = self.private {
            let stopping = tokio::task::spawn_blocking(move || postgres.stop());
            if timeout_at(by(STOPPED), stopping).await.is_err() {
                tracing::warn!("the private Postgres is still stopping");
            }
        }
    }
}

/// Connects to a database, which may be starting.
async fn connect(url: &str) -> Result<Store, Failure> {
    let begun = Instant::now();
    loop {
        match Store::connect(url, CONNECTIONS).await {
            Ok(store) => return Ok(store),
            Err(error) if begun.elapsed() > DATABASE => {
                return Err(because("The database cannot be reached", &error));
            }
            Err(error) => {
                tracing::warn!(error = %because("connecting", &error), "the database does not answer yet");
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        }
    }
}

/// Says what failed with all its causes: a store's error keeps them to itself.
pub(crate) fn because(what: &str, error: &dyn std::error::Error) -> Failure {
    let mut text = format!("{what}: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text.into()
}

async fn serve(
    config: &Config,
    listener: Option<TcpListener>,
    measuring: Option<TcpListener>,
    store: Store,
    (end, stop): (impl Future<Output = ()> + Send + 'static, &Stop),
) -> Result<(), Failure> {
    let answers = Arc::new(AnswerDesk::default());
    let tracing = Tracer::from_environment(|name| std::env::var(name).ok())?;
    let (tracer, sending) = tracing.unzip();
    let (over, all_told) = oneshot::channel();
    let sending = sending.map(|sending: Sending| tokio::spawn(sending.work(all_told)));
    let machines = Machines::of_this_binary();
    store.inspect_by(Arc::new(machines.clone()));
    let computer = Arc::new(Computer::new(
        store.clone(),
        tracer.clone(),
        memory::bytes(),
    ));
    let worker = config.role.is_worker().then(|| {
        Worker::new(
            &computer,
            answers.clone(),
            stop.clone(),
            config.concurrency,
            Arc::new(Processes::of_this_binary()),
            Arc::new(machines.of(store.clone())),
        )
    });
    let working = worker.clone().map(|worker| tokio::spawn(worker.work()));
    let mailing = config.role.is_worker().then(|| {
        let mailer = Mailer::new(
            config.mail.as_ref(),
            store.clone(),
            stop.clone(),
            Pace::default(),
        );
        tokio::spawn(mailer.work())
    });
    if let Some(listener) = measuring {
        let address = listener.local_addr()?;
        tracing::info!("metrics are served at http://{address}/metrics");
        tokio::spawn(metrics::serve(
            listener,
            store.clone(),
            tracer,
            stop.clone(),
        ));
    }
    let (page, serving) = match listener {
        None => (None, None),
        Some(listener) => {
            let address = listener.local_addr()?;
            let web = Web::new(config, stop.clone(), computer, worker, answers);
            let web = Arc::new(web);
            let serving = listen::serve(listener, router::router(web.clone()), stop.clone());
            (Some((address, web)), Some(tokio::spawn(serving)))
        }
    };
    let mut end = std::pin::pin!(end);
    let started = tokio::select! {
        started = start(config, &store, page, stop) => Some(started),
        () = end.as_mut() => None,
    };
    let result = match started {
        Some(Ok(())) => {
            end.await;
            Ok(())
        }
        Some(Err(failure)) => Err(failure),
        None => Ok(()),
    };
    stop.give();
    let under_way = [serving, working, mailing].into_iter().flatten();
    if timeout_at(stop.after(WORKED), join_all(under_way))
        .await
        .is_err()
    {
        tracing::warn!("some things were still under way at the end");
    }
    if let Some(sending) = sending {
        let _ = over.send(());
        let _ = timeout_at(stop.after(TOLD), sending).await;
    }
    result
}

/// Makes the demo where it is wanted, and says that we are ready once we have answered ourselves.
async fn start(
    config: &Config,
    store: &Store,
    page: Option<(SocketAddr, Arc<Web>)>,
    stop: &Stop,
) -> Result<(), Failure> {
    let mut said = String::new();
    let mut calls = Vec::new();
    if config.demo {
        let service = demo::start_service(&config.data_dir, stop.clone()).await?;
        if let Some((_, web)) = &page {
            // Set once: a process starts them once.
            let _ = web.demo_service.set(format!("http://{service}"));
        }
        let made = demo::make(store, service).await;
        calls = made.map_err(|error| because("The demo could not be made", &error))?;
        said = demo::greeting();
        if !config.listen.ip().is_loopback() {
            tracing::warn!("the demo's password is public, and we listen beyond this machine");
        }
    }
    let Some((address, _)) = page else {
        return say(&format!("{said}Sluice is ready to run integrations\n"));
    };
    let begun = Instant::now();
    loop {
        match own_call::get(address, "/health/ready", Duration::from_secs(5)).await {
            Ok(200) => break,
            answered if begun.elapsed() > READY => {
                return Err(format!("Sluice does not answer itself: {answered:?}.").into());
            }
            _ => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
    if tokio::time::timeout(FIRST_RUNS, demo::call(address, calls))
        .await
        .is_err()
    {
        tracing::warn!("the demo's first runs took too long; some were not begun");
    }
    said.push_str(&match &config.public_url {
        Some(url) => format!("People use it at {url}\n"),
        None => String::new(),
    });
    say(&format!("{said}Sluice is ready at http://{address}\n"))
}

pub(crate) fn say(lines: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    out.write_all(lines.as_bytes())?;
    out.flush()?;
    Ok(())
}
