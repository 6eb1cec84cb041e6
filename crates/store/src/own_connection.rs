//! A connection that one task keeps to itself.
//!
//! A pool asks the server whether a connection is alive each time one is taken or given back:
//! two round trips for each statement of a task that writes hundreds of them a second.

use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection, PgPool};
use tokio::time::timeout;

/// A connection that was not used for so long is asked whether it is alive: Postgres may have been
/// started anew meanwhile.
const QUIET: Duration = Duration::from_secs(1);

/// How long to wait for the database when a connection is made or asked whether it is alive: as long
/// as a pool waits. One that went away without a word would be waited for a quarter of an hour.
const PATIENCE: Duration = Duration::from_secs(10);

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
/// needed.
#[derive(Debug)]
pub(crate) struct OwnConnection {
    pool: PgPool,
    open: Option<(PgConnection, Instant)>,
}

impl OwnConnection {
    pub(crate) fn new(pool: PgPool) -> Self {
        Self { pool, open: None }
    }

    /// Returns the connection, made anew where it was lost.
    ///
    /// # Errors
    /// When the database does not answer, or the pool was closed.
    pub(crate) async fn get(&mut self) -> Result<&mut PgConnection, sqlx::Error> {
        if self.pool.is_closed() {
            self.open = None;
            return Err(sqlx::Error::PoolClosed);
        }
        let alive = match self.open.take() {
            Some((connection, used)) if used.elapsed() < QUIET => Some(connection),
            Some((mut connection, _)) => {
                let answer = timeout(PATIENCE, connection.ping()).await;
                matches!(answer, Ok(Ok(()))).then_some(connection)
            }
            None => None,
        };
        let connection = match alive {
            Some(connection) => connection,
            None => {
                let options = PgConnectOptions::clone(&self.pool.connect_options());
                let options = options.options(PLANS);
                let connect = timeout(PATIENCE, PgConnection::connect_with(&options));
                connect.await.map_err(|_| sqlx::Error::PoolTimedOut)??
            }
        };
        let (connection, _) = self.open.insert((connection, Instant::now()));
        Ok(connection)
    }

    /// Gives up the connection after an error, unless it was the database that refused; returns
    /// whether it did.
    pub(crate) fn failed(&mut self, error: &sqlx::Error) -> bool {
        let refused = error.as_database_error();
        // Class 57: Postgres says that it ends the connection.
        let is_lost = refused.is_none_or(|refused| {
            let code = refused.code();
            code.is_some_and(|code| code.starts_with("57P"))
        });
        if is_lost {
            self.open = None;
        }
        is_lost
    }

    /// Closes the connection, if it is open.
    pub(crate) async fn close(&mut self) {
        if let Some((connection, _)) = self.open.take() {
            // It is gone either way.
            let _ = connection.close().await;
        }
    }
}
