//! A connection that one task keeps to itself.
//!
//! A pool asks the server whether a connection is alive each time one is taken or given back:
//! two round trips for each statement of a task that writes hundreds of them a second.
//!
//! A server that vanishes without a word, with the machine or behind a firewall, leaves a
//! statement waiting for good. So each has a bound here, and Postgres is told of it as well.

use std::io;
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection, PgPool};
use time::OffsetDateTime;
use tokio::time::timeout;

use crate::error::is_of_statement;

/// A connection that was not used for so long is asked whether it is alive: Postgres may have been
/// started anew meanwhile.
const QUIET: Duration = Duration::from_secs(1);

/// How statements are planned: once, and by the indexes. Planned anew for each batch they cost
/// more than what they do, and a plan made while the tables were small would read them whole.
const PLANS: [(&str, &str); 5] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("jit", "off"),
];

/// A connection outside the pool, made as the pool's are but for [`PLANS`], when it is first
/// needed. It waits for the database as long as the pool does, and twice as long for the answer to a
/// statement.
#[derive(Debug)]
pub(crate) struct OwnConnection {
    pool: PgPool,
    patience: Duration,
    open: Option<Open>,
    /// That of a connection that was given up with a statement under way.
    lost: Option<Backend>,
}

#[derive(Debug)]
struct Open {
    connection: PgConnection,
    backend: Backend,
    used: Instant,
}

/// A process of Postgres: no other has both.
#[derive(Clone, Copy, Debug)]
struct Backend {
    pid: i32,
    since: OffsetDateTime,
}

/// How long a statement may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound(Duration);

impl Bound {
    /// Waits for a statement. One that was not answered in time may have been written, or may be
    /// yet, as where an answer was lost: give its connection to [`OwnConnection::failed`].
    ///
    /// # Errors
    /// Those of the statement, and when it is not answered in time.
    pub(crate) async fn of<T>(
        self,
        statement: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, sqlx::Error> {
        let answered = timeout(self.0, statement).await;
        answered.unwrap_or_else(|_| Err(silent("the database does not answer a statement")))
    }
}

impl OwnConnection {
    pub(crate) fn new(pool: PgPool) -> Self {
        Self {
            patience: pool.options().get_acquire_timeout(),
            pool,
            open: None,
            lost: None,
        }
    }

    /// Returns the connection, made anew where it was lost, and the bound of what is asked on it.
    ///
    /// # Errors
    /// When the database does not answer or takes no writes, or the pool was closed.
    pub(crate) async fn get(&mut self) -> Result<(&mut PgConnection, Bound), sqlx::Error> {
        if self.pool.is_closed() {
            self.open = None;
            return Err(sqlx::Error::PoolClosed);
        }
        let alive = match self.open.take() {
            Some(open) if open.used.elapsed() < QUIET => Some(open),
            Some(mut open) => {
                let answer = timeout(self.patience, open.connection.ping()).await;
                let is_alive = matches!(answer, Ok(Ok(())));
                if !is_alive {
                    self.lost = Some(open.backend);
                }
                is_alive.then_some(open)
            }
            None => None,
        };
        let mut open = match alive {
            Some(open) => open,
            None => {
                let connect = timeout(self.patience, self.connect());
                let open = connect.await.map_err(|_| sqlx::Error::PoolTimedOut)??;
                self.lost = None;
                open
            }
        };
        open.used = Instant::now();
        let open = self.open.insert(open);
        Ok((&mut open.connection, Bound(self.patience * 2)))
    }

    /// Connects, and ends first what the last connection may have left behind: a statement that was
    /// held up on the way, or waits there, would be written after what follows it, as if it were
    /// the newer.
    ///
    /// A server that takes no writes is none for us. After a failover it is the one that was left,
    /// as long as its name still leads there; and one whose disk is full, or that is being moved,
    /// says so to each new connection for good.
    async fn connect(&self) -> Result<Open, sqlx::Error> {
        let options = PgConnectOptions::clone(&self.pool.connect_options());
        // Postgres gives up first, so that what is only slow is surely not written when it is
        // tried again, and waits in nobody's way.
        let most = (self.patience * 3 / 2).as_millis().to_string();
        let options = options
            .options(PLANS)
            .options([("statement_timeout", most)]);
        let mut connection = PgConnection::connect_with(&options).await?;
        let lost = self.lost.as_ref();
        let half = i64::try_from(self.patience.as_millis() / 2).unwrap_or(i64::MAX);
        let server = sqlx::query!(
            r#"select pid as "pid!", backend_start as "since!",
                    current_setting('transaction_read_only')::boolean as "takes_no_writes!",
                    coalesce((
                        select pg_terminate_backend(lost.pid, $3) from pg_stat_activity as lost
                        where lost.pid = $1 and lost.backend_start = $2
                    ), true) as "is_over!"
               from pg_stat_activity where pid = pg_backend_pid()"#,
            lost.map(|lost| lost.pid),
            lost.map(|lost| lost.since),
            half,
        )
        .fetch_one(&mut connection)
        .await?;
        if server.takes_no_writes {
            return Err(takes_no_writes());
        }
        if !server.is_over {
            return Err(silent("a statement whose connection was lost does not end"));
        }
        Ok(Open {
            connection,
            backend: Backend {
                pid: server.pid,
                since: server.since,
            },
            used: Instant::now(),
        })
    }

    /// Gives up the connection after an error, unless that says something of the statement alone;
    /// returns whether it did. Else it would stay with a server that became another's copy, or with
    /// what a pooler or a migration changed under it.
    pub(crate) fn failed(&mut self, error: &sqlx::Error) -> bool {
        if is_of_statement(error) {
            return false;
        }
        if let Some(open) = self.open.take()
            && error.as_database_error().is_none()
        {
            self.lost = Some(open.backend);
        }
        true
    }

    /// Gives up the connection like [`OwnConnection::failed`]; returns the error, and whether it did.
    pub(crate) fn lost_with(&mut self, error: sqlx::Error) -> (sqlx::Error, bool) {
        let is_lost = self.failed(&error);
        (error, is_lost)
    }

    /// Closes the connection, if it is open.
    pub(crate) async fn close(&mut self) {
        if let Some(open) = self.open.take() {
            // It is gone either way.
            let _ = timeout(self.patience, open.connection.close()).await;
        }
    }
}

/// Returns the error of a server that is a copy of another, or was told to take no writes.
pub(crate) fn takes_no_writes() -> sqlx::Error {
    sqlx::Error::Io(io::Error::other("the database takes no writes just now"))
}

/// Returns the error of a server that says nothing.
pub(crate) fn silent(what: &str) -> sqlx::Error {
    sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, what))
}
