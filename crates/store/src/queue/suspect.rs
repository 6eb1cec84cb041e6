//! Runs that may be what ended their workers, and which of them is set aside for it.
//!
//! A run that is taken over for the second time in a row is suspect. Whoever was beside it each time
//! is, too; so nobody is set aside but who was alone among these when its worker ended. One is alone
//! if no other waits with it. Who was beside others the third time is executed once more, alone.

use engine::port::Lease;

use super::ClaimedRow;
use crate::{Result, Store};

/// So often in a row a run was taken over that is suspect. Runs that were in one process that ended
/// say nothing yet. The claim's statement has both numbers, too.
const SUSPECT: i32 = 2;
/// So often was one that is executed with no other beside it, however long that takes.
const STRICTLY_ALONE: i32 = 3;

/// What room a process has for a suspect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// It takes none.
    None,
    /// It takes one beside those that it has.
    Beside,
    /// It takes any one, and has none. None may join one that is alone then.
    All,
}

/// How a suspect is executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suspected {
    /// Others may be beside it.
    Beside,
    /// With no other, until it got further, or [`Store::let_join`] says otherwise.
    Alone,
    /// With no other until it got further: it was beside others when its worker ended.
    StrictlyAlone,
}

impl Store {
    /// Lets others join a suspect that was executed alone: what ends its worker from now on may be
    /// one of them.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn let_join(&self, lease: Lease) -> Result<()> {
        let joined = sqlx::query!(
            "update run_queue set is_alone = false where run_id = $1 and fence = $2",
            lease.run.0,
            lease.fence,
        )
        .execute(&self.inner.system);
        self.turn(async { Ok(joined.await?) }).await?;
        Ok(())
    }
}

impl ClaimedRow {
    /// Returns whether it was alone when its worker ended.
    pub(super) fn is_set_aside(&self) -> bool {
        self.was_alone
    }

    /// Returns whether it has to wait until a worker has no other suspect.
    pub(super) fn must_wait(&self) -> bool {
        self.takeovers >= STRICTLY_ALONE && !self.is_alone
    }

    pub(super) fn suspected(&self) -> Option<Suspected> {
        let suspected = if !self.is_alone {
            Suspected::Beside
        } else if self.takeovers < STRICTLY_ALONE {
            Suspected::Alone
        } else {
            Suspected::StrictlyAlone
        };
        (self.takeovers >= SUSPECT).then_some(suspected)
    }
}
