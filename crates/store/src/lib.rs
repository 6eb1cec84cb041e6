//! Keeps everything in Postgres: one public verb is one transaction.
//!
//! A verb takes who asks ([`Me`]), locks what it changes, lets `domain` decide, writes, notes
//! who did it, and commits. Rules are not made here. The machinery that serves all organizations
//! (sign-in, intake, queue, journal, schedules, letters) works on a pool of its own; all other
//! verbs see one organization only, by their queries and by row-level security.

mod account;
mod alert;
mod audit;
mod call;
mod connection;
mod connector;
mod document;
mod draft;
mod error;
mod gathered;
mod intake;
mod integration;
mod invitation;
mod journal;
mod live;
mod measure;
mod member;
mod network;
mod organization;
mod outbox;
mod own_connection;
mod password;
mod poll;
mod presence;
mod queue;
mod retention;
mod review;
mod run;
mod schedule;
mod timestamp;
mod token;
mod vault;
mod version;
mod writers;

use std::str::FromStr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use domain::Timestamp;
use domain::account::{Me, Role};
use domain::policy::{self, Act};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{Connection, PgPool, Row};
use tokio::time::timeout;

pub use alert::ClaimedAlert;
pub use connector::read_connector;
pub use document::StoredDocument;
pub use error::{Error, Refusal};
pub use intake::{Accepted, Computed, HookRoute, Incoming, SigningKey};
pub use journal::PgJournal;
pub use live::Changed;
pub use measure::{Backlog, COUNTED_INTEGRATIONS, Done, Histogram};
pub use organization::NewOrganization;
pub use outbox::{Claimed, LETTER_LEASE};
pub use poll::{ClaimedPoll, POLL_LEASE, Taken};
pub use queue::{ClaimedRun, ClaimedRuns, LEASE, Lookout, Room, Suspected, Takes, WorkerId};
pub use retention::{Deleted, Place};
pub use review::letter::ClaimedLetter;
pub use run::{Awaited, Reply, RunFilter};
pub use token::SessionToken;
pub use vault::{MasterKey, MasterKeys, Resealed};

/// How long a turn may take, in times that a connection is waited for, and a lock within it.
const TURN: u32 = 3;
const LOCKING: u32 = 2;

type Tx = sqlx::Transaction<'static, sqlx::Postgres>;
/// A part of a transaction, which goes on when this is given up.
type Savepoint<'tx> = sqlx::Transaction<'tx, sqlx::Postgres>;
type Result<T, E = Error> = std::result::Result<T, E>;

/// The migrations of this version of Sluice.
static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// The database of one process. Cheap to clone; clones share everything.
#[derive(Clone, Debug)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// For the verbs of members: sees the organization of its transaction.
    members: PgPool,
    /// For the machinery: sees all organizations.
    system: PgPool,
    passwords: password::Passwords,
    vault: vault::Vault,
    /// By which everything outside is asked.
    clients: Arc<engine::port::Clients>,
    renewals: connection::token::Renewals,
    live: live::Live,
    /// By which documents are read.
    documents: gathered::Gathered<document::Pinned>,
    /// By which is asked what webhooks start.
    addresses: gathered::Gathered<intake::Address>,
    /// By which is asked how far runs are for whose answers callers wait.
    replies: gathered::Gathered<run::Progress>,
    responders: run::Responders,
    routes: intake::Routes,
    intake: intake::Intake,
    journal: journal::PgJournal,
    lines: queue::Lines,
    counters: Arc<measure::Counters>,
    /// Looks at components before they are imported.
    inspector: OnceLock<Arc<dyn engine::port::Inspector>>,
}

impl Store {
    /// Connects with a `postgres://` address and starts the tasks that write for the process.
    /// At most `max_connections` (but up to 25 at least) are open at a time. Must be called within a
    /// Tokio runtime.
    ///
    /// The role must not be a superuser: row-level security does not bind those.
    ///
    /// # Errors
    /// When the address is none, or the database does not answer.
    pub async fn connect(url: &str, max_connections: u32) -> Result<Self> {
        Self::connect_with(PgConnectOptions::from_str(url)?, max_connections).await
    }

    /// Connects like [`Store::connect`], with options made elsewhere.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn connect_with(options: PgConnectOptions, max_connections: u32) -> Result<Self> {
        Self::connect_patiently(options, max_connections, PATIENCE).await
    }

    /// Connects like [`Store::connect_with`], waiting otherwise long for the database: `patience`
    /// for a connection, and twice that for the answer to what is written by the process.
    ///
    /// # Errors
    /// When the database does not answer, or takes no writes.
    pub async fn connect_patiently(
        options: PgConnectOptions,
        max_connections: u32,
        patience: Duration,
    ) -> Result<Self> {
        let lock_timeout = (patience * LOCKING).as_millis().to_string();
        // A transaction that idles holds back the clean-up of dead rows for everyone.
        let options = options.application_name("sluice").options([
            ("idle_in_transaction_session_timeout", "30s"),
            // A process that went away without a word keeps its locks no longer than this.
            ("tcp_keepalives_idle", "5"),
            ("tcp_keepalives_interval", "2"),
            ("tcp_keepalives_count", "3"),
        ]);
        let machinery = options.clone().options([
            ("sluice.scope", "system"),
            // The queue's statistics are always old: whatever they say, the oldest runs of a line
            // are read in the order of the index, not all of them sorted.
            ("enable_bitmapscan", "off"),
            // Whoever waits for a lock does not hear that its connection is gone: it would wait on
            // beside those that take its place. So it ends before a turn is given up.
            ("lock_timeout", lock_timeout.as_str()),
        ]);
        let half = max_connections.saturating_sub(OWN).max(10) / 2;
        // Lists have optional filters: planned anew, each takes the index of its filter.
        let options = options.options([
            ("plan_cache_mode", "force_custom_plan"),
            // A person does not wait longer; the machinery may, and migrations as long as it takes.
            ("lock_timeout", "10s"),
        ]);
        let members = pool(half, patience).connect_with(options).await?;
        // While nothing can be written there is no machinery. Pages can be read then, on connections
        // that are looked at anew each time, too: those that begin so stay so.
        let writing = pool(half, patience)
            .after_connect(|connection, _| Box::pin(must_take_writes(connection)))
            .after_release(move |connection, _| Box::pin(is_free(connection, patience)));
        let system = writing.connect_with(machinery).await?;
        let live = live::Live::start(system.clone()).await?;
        let counters = Arc::new(measure::Counters::default());
        let intake =
            intake::Intake::start(system.clone(), live.teller().clone(), Arc::clone(&counters));
        let journal =
            journal::PgJournal::start(system.clone(), live.teller().clone(), Arc::clone(&counters));
        let documents = gathered::Gathered::start(system.clone());
        let addresses = gathered::Gathered::start(system.clone());
        let replies = gathered::Gathered::start(system.clone());
        let lines = queue::Lines::new(system.clone());
        Ok(Self {
            inner: Arc::new(Inner {
                members,
                system,
                passwords: password::Passwords::new(),
                vault: vault::Vault::default(),
                clients: Arc::default(),
                renewals: connection::token::Renewals::default(),
                live,
                documents,
                addresses,
                replies,
                responders: run::Responders::default(),
                routes: intake::Routes::default(),
                intake,
                journal,
                lines,
                counters,
                inspector: OnceLock::new(),
            }),
        })
    }

    /// Brings the tables up to this version; does nothing when they are. Processes that start
    /// together wait for each other.
    ///
    /// # Errors
    /// When a migration fails or was changed after it was applied, or the database does not answer.
    pub async fn migrate(&self) -> Result<()> {
        let options = PgConnectOptions::clone(&self.inner.system.connect_options());
        let options = options.options([("lock_timeout", "0")]);
        let connected = self.turn(async {
            let mut connection = PgConnection::connect_with(&options).await?;
            must_take_writes(&mut connection).await?;
            Ok(connection)
        });
        let mut connection = connected.await?;
        let migrated = MIGRATIONS.run(&mut connection).await;
        migrated.map_err(|error| Error::Unavailable(error.into()))?;
        Ok(connection.close().await?)
    }

    /// Gives this process the keys that secrets are sealed under. Without one, secrets can neither
    /// be kept nor used.
    pub fn unlock(&self, masters: impl Into<MasterKeys>) {
        self.inner.vault.unlock(masters.into());
    }

    /// Says how these keys are read again, should a secret be sealed under one that is not known:
    /// at most once a second. Only the first way counts. It blocks as long as reading a small file.
    pub fn unlock_again(&self, again: impl Fn() -> Option<MasterKeys> + Send + Sync + 'static) {
        self.inner.vault.unlock_again(Box::new(again));
    }

    /// Asks the database for an answer, for health checks.
    ///
    /// # Errors
    /// When it does not give one, or takes no writes.
    pub async fn ping(&self) -> Result<()> {
        sqlx::query!("select 1 as one")
            .fetch_one(&self.inner.system)
            .await?;
        Ok(())
    }

    /// Waits for one turn of a task that does the same again and again, as long as for three
    /// connections: a server that vanished without a word would hold the task for good. What is
    /// under way then is rolled back, unless it was just being committed.
    ///
    /// # Errors
    /// Those of the turn, and when it takes longer.
    pub async fn turn<T>(&self, turn: impl Future<Output = Result<T>>) -> Result<T> {
        self.bounded(TURN, turn).await
    }

    /// Waits for a turn that may have much to do, twenty times as long as [`Store::turn`].
    ///
    /// # Errors
    /// Those of the turn, and when it takes longer.
    pub async fn long_turn<T>(&self, turn: impl Future<Output = Result<T>>) -> Result<T> {
        self.bounded(20 * TURN, turn).await
    }

    async fn bounded<T>(&self, times: u32, turn: impl Future<Output = Result<T>>) -> Result<T> {
        let patience = self.inner.system.options().get_acquire_timeout();
        let done = timeout(patience * times, turn).await;
        done.unwrap_or_else(|_| Err(own_connection::silent("the database does not answer").into()))
    }

    /// Returns what time the database has.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn now(&self) -> Result<Timestamp> {
        let now = sqlx::query_scalar!(r#"select now() as "now!""#);
        Ok(timestamp::read(now.fetch_one(&self.inner.system).await?))
    }

    /// Waits for the tokens that providers are just giving, each up to 20 seconds, and for their
    /// being kept: they may be the only ones that are good from then on.
    pub async fn settled(&self) {
        self.inner.renewals.settled().await;
    }

    /// Closes all connections, after [`Store::settled`] and [`PgJournal::written`]. What is not
    /// written by then stays so, whoever waits for it.
    pub async fn close(&self) {
        self.settled().await;
        self.inner.journal.written().await;
        self.inner.members.close().await;
        self.inner.system.close().await;
        self.inner.lines.close().await;
        self.inner.live.close().await;
    }

    /// Begins the transaction of a verb: in `me`'s organization, and only when its role there
    /// now, as the database has it, may do this.
    async fn begin(&self, me: &Me, act: Act) -> Result<Tx> {
        let (tx, role) = self.enter(me).await?;
        policy::allow(role, act)?;
        Ok(tx)
    }

    /// Begins a transaction in `me`'s organization and returns its role there now.
    async fn enter(&self, me: &Me) -> Result<(Tx, Role)> {
        let mut tx = self.inner.members.begin().await?;
        let role = sqlx::query_scalar!("select enter($1, $2)", me.organization.0, me.account.0)
            .fetch_one(&mut *tx)
            .await?;
        let role = role
            .as_deref()
            .and_then(Role::from_key)
            .ok_or(Refusal::SessionEnded)?;
        Ok((tx, role))
    }

    fn live(&self) -> &live::Teller {
        self.inner.live.teller()
    }

    /// Commits, and tells all processes what changed.
    async fn commit(&self, mut tx: Tx, changes: Vec<Changed>) -> Result<()> {
        self.live().notify(&mut tx, &changes).await?;
        tx.commit().await?;
        self.live().tell(&changes);
        Ok(())
    }
}

/// Most connections outside the pools: those that write events and records, three that read what is
/// gathered, and one each for the claims, the bell, what other processes tell, the clearing of the
/// queue, the lock by which a worker is known to live, and the look for those that do not.
const OWN: u32 = 2 * writers::AT_ONCE + 9;

/// How long to wait for a connection to the database. One that went away without a word would be
/// waited for a quarter of an hour.
const PATIENCE: Duration = Duration::from_secs(10);

fn pool(connections: u32, patience: Duration) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(patience)
        // Asking this says as well that the connection is alive.
        .test_before_acquire(false)
        .before_acquire(|connection, _| Box::pin(takes_writes(connection)))
}

/// Returns whether a server takes writes: not one that became the copy of another, or that was told
/// to take none. What a connection began with it stays with, though the server may be another by
/// then.
async fn takes_writes(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select not current_setting('transaction_read_only')::boolean as "takes_writes!""#
    )
    .fetch_one(connection)
    .await
}

/// Refuses a server that takes no writes.
async fn must_take_writes(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    match takes_writes(connection).await? {
        true => Ok(()),
        false => Err(own_connection::takes_no_writes()),
    }
}

/// Returns whether a connection that is given back can be another's. Whoever gave up a turn gave it
/// back with a statement under way: that is waited for no longer than for a connection, and the pool
/// opens another. Nor is one taken again on which a transaction was given up while it began, as sqlx
/// does not end that: a statement of whoever is next would never be committed.
async fn is_free(connection: &mut PgConnection, patience: Duration) -> Result<bool, sqlx::Error> {
    // As one message, a statement begins with its transaction, or later within one.
    let asked = sqlx::raw_sql("select now() = statement_timestamp()").fetch_one(connection);
    let answered = timeout(patience, asked).await;
    let silent = || own_connection::silent("a connection that was given back does not answer");
    answered.unwrap_or_else(|_| Err(silent()))?.try_get(0)
}

/// Reads a count, which is stored as `integer` and never negative.
fn number(stored: i32) -> Result<u32> {
    u32::try_from(stored).map_err(|error| sqlx::Error::decode(error).into())
}

/// Returns a count as it is stored.
fn stored(number: u32) -> Result<i32> {
    i32::try_from(number).map_err(|error| sqlx::Error::Encode(error.into()).into())
}
