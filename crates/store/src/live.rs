//! Tells screens and workers of all processes what changed, without their asking.
//!
//! Within the process through channels, between processes through NOTIFY. Ids only: whoever
//! hears of a change reads it with its own rights. NOTIFY takes a lock on the whole database
//! when it commits, so what runs do, and who has what open, is gathered and sent at most ten times
//! a second.

use std::collections::HashSet;
use std::convert::Infallible;
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub(crate) use domain::live::Changed as What;
use domain::{OrganizationId, RunId};
use serde::{Deserialize, Serialize};
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{Acquire, Connection, PgPool};
use tokio::sync::{Notify, broadcast};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use crate::own_connection::{OwnConnection, silent};
use crate::{Result, Store, Tx};

/// Something that the members of an organization may have on their screens changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Changed {
    /// Whose it is; nobody else may hear of it.
    pub organization: OrganizationId,
    /// What it is.
    pub what: What,
}

/// The channel on which processes tell each other what changed.
const CHANGED: &str = "changed";
/// The channel that says that a run waits for any worker.
const RUN_QUEUED: &str = "run_queued";
/// Changes in one NOTIFY, whose text may have 8,000 bytes; the longest has 270.
const AT_ONCE: usize = 25;
/// Changes waiting to be told to other processes; more are dropped, screens read again anyway.
const WAITING: usize = 2_000;

/// After so long without a word the database is asked whether it is still there.
const QUIET: Duration = Duration::from_secs(1);
/// How long it may take to say so.
const ALIVE: Duration = Duration::from_secs(3);

#[derive(Debug, Serialize, Deserialize)]
struct Notice {
    /// The process that sends it, which has told itself already.
    from: Uuid,
    changes: Vec<Changed>,
    #[serde(default)]
    canceled: Vec<RunId>,
    /// Whether a run that waits for a worker may begin now.
    #[serde(default)]
    work: bool,
}

/// The tasks that listen and tell; they end with the value.
#[derive(Debug)]
pub(crate) struct Live {
    teller: Teller,
    tasks: [AbortHandle; 3],
}

impl Drop for Live {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

/// Tells changes; each task that makes some has one.
#[derive(Clone, Debug)]
pub(crate) struct Teller {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    process: Uuid,
    changes: broadcast::Sender<Changed>,
    cancellations: broadcast::Sender<RunId>,
    /// Rings when a run may wait for a worker.
    work: Notify,
    waiting: Mutex<Waiting>,
    /// Rings when something was put into `waiting`.
    told: Notify,
    /// Rings when a run came that any worker may take.
    bell: Notify,
    /// Grows when what is remembered of webhooks' routes must be forgotten.
    routes_epoch: AtomicU64,
    is_listening: AtomicBool,
    /// By which it listens.
    listening: Mutex<Option<PgPool>>,
}

/// What other processes are to be told of, in the order in which it happened.
#[derive(Debug, Default)]
struct Waiting {
    changes: Vec<Changed>,
    /// What needs to be told once only.
    known: HashSet<Changed>,
    /// Whether a run that waits for a worker may begin now.
    work: bool,
}

impl Waiting {
    fn add(&mut self, change: Changed) {
        // Where someone is depends on what was told last; all else is read again anyway.
        let is_state = matches!(change.what, What::Here { .. });
        if self.changes.len() < WAITING && (is_state || self.known.insert(change)) {
            self.changes.push(change);
        }
    }
}

impl Live {
    /// Begins to listen, then returns: nothing that is told from then on is missed.
    pub(crate) async fn start(system: PgPool) -> Result<Self> {
        let shared = Arc::new(Shared {
            process: Uuid::now_v7(),
            changes: broadcast::channel(1_024).0,
            cancellations: broadcast::channel(1_024).0,
            work: Notify::new(),
            waiting: Mutex::default(),
            told: Notify::new(),
            bell: Notify::new(),
            routes_epoch: AtomicU64::new(0),
            is_listening: AtomicBool::new(false),
            listening: Mutex::default(),
        });
        let listener = subscribe(&system, &shared).await?;
        let tasks = [
            tokio::spawn(listen(listener, system.clone(), Arc::clone(&shared))).abort_handle(),
            tokio::spawn(pass_on(system.clone(), Arc::clone(&shared))).abort_handle(),
            tokio::spawn(ring(system, Arc::clone(&shared))).abort_handle(),
        ];
        Ok(Self {
            teller: Teller { shared },
            tasks,
        })
    }

    /// Stops to listen, once the pool is closed.
    pub(crate) async fn close(&self) {
        let listening = self.teller.shared.lock_listening().take();
        if let Some(listening) = listening {
            // One that went silent does not say that it ends.
            let _ = timeout(ALIVE, listening.close()).await;
        }
    }

    pub(crate) fn teller(&self) -> &Teller {
        &self.teller
    }
}

impl Teller {
    /// Tells the other processes when the transaction commits. Call [`Teller::tell`] then.
    pub(crate) async fn notify(&self, tx: &mut Tx, changes: &[Changed]) -> Result<()> {
        for changes in changes.chunks(AT_ONCE) {
            self.notice(tx, changes.to_vec(), Vec::new()).await?;
        }
        Ok(())
    }

    /// Tells this process.
    pub(crate) fn tell(&self, changes: &[Changed]) {
        if routes_changed(changes) {
            self.shared.forget_routes();
        }
        for change in changes {
            // Nobody listens: then nobody needs to know.
            let _ = self.shared.changes.send(*change);
        }
    }

    /// Tells this process now, and the others soon.
    pub(crate) fn tell_all(&self, changes: impl IntoIterator<Item = Changed>) {
        let mut waiting = self
            .shared
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for change in changes {
            let _ = self.shared.changes.send(change);
            waiting.add(change);
        }
        drop(waiting);
        self.shared.told.notify_one();
    }

    /// Tells all workers, when the transaction commits, that runs were canceled. Call
    /// [`Teller::tell_canceled`] then.
    pub(crate) async fn notify_canceled(&self, tx: &mut Tx, runs: &[RunId]) -> Result<()> {
        for runs in runs.chunks(AT_ONCE) {
            self.notice(tx, Vec::new(), runs.to_vec()).await?;
        }
        Ok(())
    }

    /// Tells the workers of this process that a run was canceled.
    pub(crate) fn tell_canceled(&self, run: RunId) {
        let _ = self.shared.cancellations.send(run);
    }

    /// Returns what a remembered route must have been read in to be good; `None` while other
    /// processes cannot say that it is not.
    pub(crate) fn routes_epoch(&self) -> Option<u64> {
        let epoch = self.shared.routes_epoch.load(Ordering::SeqCst);
        self.shared
            .is_listening
            .load(Ordering::SeqCst)
            .then_some(epoch)
    }

    /// Wakes the workers of all processes when the transaction commits. Call
    /// [`Teller::wake_workers`] then.
    pub(crate) async fn notify_workers(&self, tx: &mut Tx) -> Result<()> {
        sqlx::query!("select pg_notify($1, '')", RUN_QUEUED)
            .execute(&mut **tx)
            .await?;
        Ok(())
    }

    /// Wakes the workers of this process now, and those of the others soon: what kept a run from
    /// beginning is gone.
    pub(crate) fn wake_all_workers(&self) {
        self.wake_workers();
        let mut waiting = self
            .shared
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        waiting.work = true;
        drop(waiting);
        self.shared.told.notify_one();
    }

    /// Wakes the workers of all processes at once: a run came. Not in the statement that writes it:
    /// NOTIFY would make such statements wait for each other until they are on the disk.
    pub(crate) fn ring(&self) {
        self.wake_workers();
        self.shared.bell.notify_one();
    }

    /// Wakes the workers of this process.
    pub(crate) fn wake_workers(&self) {
        self.shared.work.notify_one();
    }

    async fn notice(&self, tx: &mut Tx, changes: Vec<Changed>, canceled: Vec<RunId>) -> Result<()> {
        let text = self.shared.notice(changes, canceled, false);
        sqlx::query!("select pg_notify($1, $2)", CHANGED, text)
            .execute(&mut **tx)
            .await?;
        Ok(())
    }
}

impl Shared {
    fn notice(&self, changes: Vec<Changed>, canceled: Vec<RunId>, work: bool) -> String {
        let notice = Notice {
            from: self.process,
            changes,
            canceled,
            work,
        };
        serde_json::to_string(&notice).expect("ids are JSON")
    }

    fn hear(&self, text: &str) {
        let notice: Notice = match serde_json::from_str(text) {
            Ok(notice) => notice,
            Err(error) => {
                tracing::warn!(%error, "another process tells something unknown; is it newer?");
                return;
            }
        };
        if notice.from == self.process {
            return;
        }
        if routes_changed(&notice.changes) {
            self.forget_routes();
        }
        for change in notice.changes {
            let _ = self.changes.send(change);
        }
        for run in notice.canceled {
            let _ = self.cancellations.send(run);
        }
        if notice.work {
            self.work.notify_one();
        }
    }

    fn lock_listening(&self) -> MutexGuard<'_, Option<PgPool>> {
        self.listening
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn forget_routes(&self) {
        self.routes_epoch.fetch_add(1, Ordering::SeqCst);
    }

    /// Whatever was told while nobody listened may be missed.
    fn catch_up(&self) {
        self.forget_routes();
        self.work.notify_one();
    }
}

/// Whether a webhook may start something else than it did, or reach other networks.
fn routes_changed(changes: &[Changed]) -> bool {
    changes
        .iter()
        .any(|change| matches!(change.what, What::Integration(_) | What::Organization))
}

async fn subscribe(system: &PgPool, shared: &Shared) -> Result<PgListener, sqlx::Error> {
    // A pool of its own: of a connection that went silent, none that others wait for is occupied
    // until it is known to be lost.
    let options = PgConnectOptions::clone(&system.connect_options());
    let alone = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(system.options().get_acquire_timeout())
        .connect_lazy_with(options);
    let mut listener = PgListener::connect_with(&alone).await?;
    // It is we who begin anew: meanwhile nothing that is remembered is good.
    listener.eager_reconnect(false);
    let listening = timeout(ALIVE, listener.listen_all([CHANGED, RUN_QUEUED]));
    listening
        .await
        .unwrap_or_else(|_| Err(silent("the database does not listen")))?;
    *shared.lock_listening() = Some(alone);
    shared.catch_up();
    shared.is_listening.store(true, Ordering::SeqCst);
    Ok(listener)
}

/// Hears other processes, until the pool is closed.
async fn listen(mut listener: PgListener, system: PgPool, shared: Arc<Shared>) {
    loop {
        let error = match hear(&mut listener, &shared).await {
            Ok(never) => match never {},
            Err(error) => error,
        };
        shared.is_listening.store(false, Ordering::SeqCst);
        if system.is_closed() {
            return;
        }
        tracing::warn!(%error, "what other processes tell is not heard just now");
        listener = loop {
            match subscribe(&system, &shared).await {
                _ if system.is_closed() => return,
                Ok(listener) => break listener,
                Err(_) => sleep(Duration::from_secs(1)).await,
            }
        };
    }
}

/// Hears until the connection is lost. One that only listens would never find out that the other end
/// vanished without a word, and what is remembered of routes would be good for ever: where nothing
/// comes, it is asked.
async fn hear(listener: &mut PgListener, shared: &Shared) -> Result<Infallible, sqlx::Error> {
    loop {
        let Ok(heard) = timeout(QUIET, listener.try_recv()).await else {
            let alive = timeout(ALIVE, async { listener.acquire().await?.ping().await });
            alive
                .await
                .unwrap_or_else(|_| Err(silent("the database says nothing")))?;
            continue;
        };
        match heard? {
            Some(notification) if notification.channel() == RUN_QUEUED => shared.work.notify_one(),
            Some(notification) => shared.hear(notification.payload()),
            None => return Err(silent("the connection was lost")),
        }
    }
}

/// Wakes the workers of all processes when the bell rings: at once, and then not again for a
/// moment, as all of them hear each ring. Nothing is written, so nobody waits for the disk. A ring
/// that is lost costs a moment, too: workers look by themselves.
async fn ring(system: PgPool, shared: Arc<Shared>) {
    let mut connection = OwnConnection::new(system.clone());
    loop {
        tokio::select! {
            () = shared.bell.notified() => {}
            () = system.close_event() => return,
        }
        let rung = match connection.get().await {
            Ok((open, bound)) => {
                let rung = sqlx::query!(
                    "select set_config('synchronous_commit', 'off', true), pg_notify($1, '')",
                    RUN_QUEUED,
                );
                bound.of(rung.fetch_one(open)).await.map(drop)
            }
            Err(error) => Err(error),
        };
        match rung {
            Err(sqlx::Error::PoolClosed) => return,
            Err(error) => {
                connection.failed(&error);
                tracing::warn!(%error, "other processes were not told that a run waits");
            }
            Ok(()) => {}
        }
        sleep(Duration::from_millis(5)).await;
    }
}

/// Passes on to other processes what waits for that, gathered over a tenth of a second.
async fn pass_on(system: PgPool, shared: Arc<Shared>) {
    loop {
        shared.told.notified().await;
        let Waiting { changes, work, .. } = {
            let mut waiting = shared
                .waiting
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            mem::take(&mut *waiting)
        };
        // Each commit of a NOTIFY holds up all others: one statement for all, which does not wait
        // for the disk. What is lost with the database is read again, as all listen anew then.
        let mut notices: Vec<_> = changes
            .chunks(AT_ONCE)
            .map(|changes| shared.notice(changes.to_vec(), Vec::new(), false))
            .collect();
        if work {
            notices.push(shared.notice(Vec::new(), Vec::new(), true));
        }
        let sent = sqlx::query!(
            "select set_config('synchronous_commit', 'off', true), pg_notify($1, notice)
             from unnest($2::text[]) as notice",
            CHANGED,
            &notices,
        );
        let told = async {
            let mut connection = system.acquire().await?;
            let patience = system.options().get_acquire_timeout();
            let told = timeout(patience, sent.fetch_all(&mut *connection)).await;
            told.unwrap_or_else(|_| {
                connection.close_on_drop();
                Err(silent("the database passes nothing on"))
            })
        };
        match told.await {
            Err(sqlx::Error::PoolClosed) => return,
            Err(error) => tracing::warn!(%error, "other processes were not told of some changes"),
            Ok(_) => {}
        }
        sleep(Duration::from_millis(100)).await;
    }
}

impl Store {
    /// Returns a receiver of everything that changes in any organization from now on, in all
    /// processes. Pass on only what belongs to the organization that is served. A receiver that
    /// lags missed some: read again what it shows.
    pub fn listen(&self) -> broadcast::Receiver<Changed> {
        self.inner.live.teller.shared.changes.subscribe()
    }

    /// Returns a receiver of the runs that are canceled from now on, for workers that have one.
    pub fn cancellations(&self) -> broadcast::Receiver<RunId> {
        self.inner.live.teller.shared.cancellations.subscribe()
    }

    /// Waits until a run may want a worker, `at_most` so long. One waiting worker a process.
    pub async fn wait_for_work(&self, at_most: Duration) {
        // Whether it rang or time is up, the worker looks.
        let _ = timeout(at_most, self.inner.live.teller.shared.work.notified()).await;
    }
}
