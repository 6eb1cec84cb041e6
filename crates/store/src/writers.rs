//! Writes batches over a few connections at once.
//!
//! While one batch waits for the disk, the next is on its way; Postgres brings both to the disk
//! together. Batches are as large as what came meanwhile: a statement costs about as much as
//! twenty of its rows, so a further one is begun only when there is enough for it.

use std::future::Future;

use sqlx::PgPool;
use tokio::task::JoinSet;

use crate::own_connection::OwnConnection;

/// Batches under way at once.
pub(crate) const AT_ONCE: u32 = 3;
/// What has to wait before a batch is begun beside others.
const ENOUGH: usize = 24;

/// Connections, each free or with a batch under way.
#[derive(Debug)]
pub(crate) struct Writers {
    pool: PgPool,
    free: Vec<OwnConnection>,
    busy: JoinSet<OwnConnection>,
}

impl Writers {
    pub(crate) fn new(pool: PgPool) -> Self {
        Self {
            free: (0..AT_ONCE)
                .map(|_| OwnConnection::new(pool.clone()))
                .collect(),
            pool,
            busy: JoinSet::new(),
        }
    }

    /// Returns whether a batch should be begun now, when so much waits.
    pub(crate) fn is_ready(&self, waiting: usize) -> bool {
        waiting > 0 && !self.free.is_empty() && (self.busy.is_empty() || waiting >= ENOUGH)
    }

    /// Begins a batch; `write` gives the connection back when it is written.
    pub(crate) fn begin<F>(&mut self, write: impl FnOnce(OwnConnection) -> F)
    where
        F: Future<Output = OwnConnection> + Send + 'static,
    {
        let connection = self.free.pop();
        let connection = connection.unwrap_or_else(|| OwnConnection::new(self.pool.clone()));
        self.busy.spawn(write(connection));
    }

    /// Waits until a batch is written; returns at once and `false` when none is under way.
    pub(crate) async fn end_of_one(&mut self) -> bool {
        match self.busy.join_next().await {
            None => return false,
            Some(Ok(connection)) => self.free.push(connection),
            // It panicked: what waited for it has been told by the drop of its senders.
            Some(Err(_)) => self.free.push(OwnConnection::new(self.pool.clone())),
        }
        true
    }
}
