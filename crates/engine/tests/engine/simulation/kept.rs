//! A run as queue and journal keep it, in memory: what Postgres does, as plain data.
//!
//! The simulation runs on it, and `store`'s tests hold Postgres against it by random sequences of
//! the same operations (`model.rs` there includes this file). Times are milliseconds.

use domain::run::{RunState, StepRecord};
use engine::port::Lost;

/// As long as a real one.
pub(crate) const LEASE_MS: i64 = 15_000;
/// So many claims in a row that ended in silence make a run suspect: if no other is, it is alone.
const SUSPECT: u32 = 2;
/// So many let it be alone, whatever others are.
const STRICTLY_ALONE: u32 = 3;

/// A run's place in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) due: i64,
    pub(crate) lease_until: Option<i64>,
    pub(crate) fence: i64,
    pub(crate) silenced: u32,
    /// It is executed beside no other suspect.
    pub(crate) is_alone: bool,
    /// A run that it called was over since it was claimed.
    pub(crate) has_returned: bool,
}

impl Place {
    pub(crate) fn new(due: i64, fence: i64) -> Self {
        Self {
            due,
            lease_until: None,
            fence,
            silenced: 0,
            is_alone: false,
            has_returned: false,
        }
    }
}

/// What came of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// It is had under this fence.
    Had(i64),
    /// It silenced its worker while it was alone: it is to end.
    SetAside,
}

/// A run.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    /// `None` once it is over.
    pub(crate) place: Option<Place>,
    /// All that was ever written, oldest first.
    pub(crate) journal: Vec<StepRecord>,
    /// How it ended.
    pub(crate) end: Option<(RunState, Option<String>)>,
}

impl Kept {
    /// Returns a run that was accepted.
    pub(crate) fn new(now: i64) -> Self {
        Self {
            place: Some(Place::new(now, 0)),
            journal: Vec::new(),
            end: None,
        }
    }

    /// Returns since when it wants a worker; `None` when it does not, or one has it.
    pub(crate) fn due(&self, now: i64) -> Option<i64> {
        let place = self.place?;
        let is_free = place.lease_until.is_none_or(|until| until <= now);
        (place.due <= now && is_free).then_some(place.due)
    }

    /// Gives it to a worker that has no suspect. It is due, and the only suspect that is, or not.
    pub(crate) fn claim(&mut self, now: i64, is_only: bool) -> Claim {
        let place = self.place.as_mut().expect("it is due");
        place.silenced += u32::from(place.lease_until.is_some());
        place.fence += 1;
        place.has_returned = false;
        place.lease_until = Some(now + LEASE_MS);
        if place.is_alone {
            return Claim::SetAside;
        }
        let enough = if is_only { SUSPECT } else { STRICTLY_ALONE };
        place.is_alone = place.silenced >= enough;
        Claim::Had(place.fence)
    }

    /// Returns its place, unless it was claimed anew since, or is over.
    pub(crate) fn held(&mut self, fence: i64) -> Result<&mut Place, Lost> {
        let place = self.place.as_mut();
        place.filter(|place| place.fence == fence).ok_or(Lost)
    }

    /// Notes that its worker wrote: it is not silent.
    pub(crate) fn written(&mut self, fence: i64) -> Result<(), Lost> {
        let place = self.held(fence)?;
        place.silenced = 0;
        place.is_alone = false;
        Ok(())
    }

    /// Lets it wait.
    pub(crate) fn wait(&mut self, fence: i64, until: i64) -> Result<(), Lost> {
        let place = self.held(fence)?;
        place.due = until;
        place.lease_until = None;
        place.silenced = 0;
        place.is_alone = false;
        Ok(())
    }

    /// Lets it wait for runs that it called, and for a time at most. What was written of it under
    /// the same fence once more is refused.
    pub(crate) fn call(&mut self, fence: i64, until: i64) -> Result<(), Lost> {
        self.wait(fence, until)?;
        self.held(fence)?.fence += 1;
        Ok(())
    }

    /// Lets it go on, if it waits: a run that it called is over.
    pub(crate) fn wake(&mut self, now: i64) {
        if let Some(place) = &mut self.place {
            place.due = place.due.min(now);
            place.has_returned = true;
        }
    }

    /// Makes its lease last as long as a new one.
    pub(crate) fn renew(&mut self, fence: i64, now: i64) -> Result<(), Lost> {
        let place = self.held(fence)?;
        // Nobody has it that waits, or was handed back.
        let lease = place.lease_until.as_mut().ok_or(Lost)?;
        *lease = now + LEASE_MS;
        Ok(())
    }

    /// Takes it back from a worker that shuts down.
    pub(crate) fn hand_back(&mut self, fence: i64, now: i64) -> Result<(), Lost> {
        let place = self.held(fence)?;
        place.lease_until = None;
        place.is_alone = false;
        place.due = now;
        Ok(())
    }

    /// Ends it.
    pub(crate) fn end(&mut self, state: RunState, error: Option<String>) {
        self.place = None;
        self.end = Some((state, error));
    }

    /// Lets it go on that was over, under a fence that is newer than all before.
    pub(crate) fn resume(&mut self, now: i64, fence: i64) {
        self.end = None;
        self.place = Some(Place::new(now, fence));
    }
}
