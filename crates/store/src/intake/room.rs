//! The room that events have in a process until they are written, and whose they are.
//!
//! An organization may have three times what is left free beyond a reserve, when it is let in; so one
//! that sends alone has two thirds of the room. Of the reserve it may have a little, as long as most of
//! that is left, and its first event need only leave as much as it takes: however many send as much as
//! they can, there is room for one that has nothing yet.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::OrganizationId;

/// Events that may wait in a process, those that are being written among them.
pub(super) const EVENTS: usize = 8 * 1_024;
/// KiB of their payloads and records.
const KIB: usize = 64 * 1_024;
/// How often what is left free beyond the reserve an organization may have.
const SHARE: usize = 3;
/// Which part of the room is the reserve.
const RESERVE: usize = 8;
/// Which part of the room is little: more than the largest event needs.
const LITTLE: usize = 16;
/// Which part of the room is left to first events: three times what the largest needs.
const FIRST: usize = 10;

/// The room of a process.
#[derive(Debug, Default)]
pub(super) struct Room(Mutex<Taken>);

/// What is taken of it.
#[derive(Debug, Default)]
struct Taken {
    all: Amount,
    /// No organization that has nothing is in it, so it never has more than [`EVENTS`].
    by_organization: HashMap<OrganizationId, Amount>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Amount {
    events: usize,
    kib: usize,
}

impl Amount {
    const fn plus(self, kib: usize) -> Self {
        Self {
            events: self.events + 1,
            kib: self.kib + kib,
        }
    }

    const fn minus(self, kib: usize) -> Self {
        Self {
            events: self.events - 1,
            kib: self.kib - kib,
        }
    }
}

/// The place of one event, given back when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    room: Arc<Room>,
    organization: OrganizationId,
    kib: usize,
}

impl Room {
    /// Takes a place for an event of an organization; `None` when there is no room for it, or too
    /// little were left for others.
    pub(super) fn take(
        self: &Arc<Self>,
        organization: OrganizationId,
        bytes: usize,
    ) -> Option<Place> {
        let kib = bytes.div_ceil(1_024);
        let mut taken = self.locked();
        let all = taken.all.plus(kib);
        let entry = taken.by_organization.entry(organization);
        let has = match &entry {
            Entry::Occupied(has) => Some(*has.get()),
            Entry::Vacant(_) => None,
        };
        let is_first = has.is_none();
        let has = has.unwrap_or_default().plus(kib);
        let may_have = may_have(is_first, (has.events, all.events), EVENTS)
            && may_have(is_first, (has.kib, all.kib), KIB);
        if !may_have {
            return None;
        }
        entry.insert_entry(has);
        taken.all = all;
        drop(taken);
        Some(Place {
            room: Arc::clone(self),
            organization,
            kib,
        })
    }

    /// Returns whether at least half of it is free.
    pub(super) fn is_half_free(&self) -> bool {
        let Amount { events, kib } = self.locked().all;
        events < EVENTS / 2 && kib < KIB / 2
    }

    fn locked(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns whether an organization, with its first event or with more, may have so much of a room of
/// which all have so much with it.
const fn may_have(is_first: bool, (has, all): (usize, usize), room: usize) -> bool {
    let free = room.saturating_sub(all);
    let leaves_enough = free >= room / FIRST || is_first && has <= free;
    has <= room / LITTLE && leaves_enough || has <= SHARE * free.saturating_sub(room / RESERVE)
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.room.locked();
        taken.all = taken.all.minus(self.kib);
        if let Entry::Occupied(mut entry) = taken.by_organization.entry(self.organization) {
            let left = entry.get().minus(self.kib);
            if left.events == 0 {
                entry.remove();
            } else {
                entry.insert(left);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use domain::OrganizationId;
    use domain::limit::PAYLOAD_BYTES;
    use uuid::Uuid;

    use super::{Amount, EVENTS, KIB, Place, Room};

    fn organization(number: u128) -> OrganizationId {
        OrganizationId(Uuid::from_u128(number))
    }

    /// Takes places for events of this size until no more are given.
    fn fill(room: &Arc<Room>, number: u128, bytes: usize) -> Vec<Place> {
        std::iter::from_fn(|| room.take(organization(number), bytes)).collect()
    }

    #[test]
    fn who_is_alone_has_two_thirds_of_the_room() {
        let room = Arc::new(Room::default());
        let large = fill(&room, 1, PAYLOAD_BYTES);
        assert_eq!(large.len() * PAYLOAD_BYTES, KIB * 1_024 * 21 / 32);
        drop(large);
        assert_eq!(fill(&room, 1, 10).len(), EVENTS * 21 / 32);
    }

    #[test]
    fn however_many_fill_their_share_there_is_room_for_whoever_has_nothing_yet() {
        for bytes in [10, 300_000, PAYLOAD_BYTES] {
            let room = Arc::new(Room::default());
            let mut held = fill(&room, 0, bytes);
            held.extend(fill(&room, 1, bytes));
            for number in [0, 1] {
                assert!(room.take(organization(number), bytes).is_none());
            }
            let largest = room.take(organization(2), PAYLOAD_BYTES);
            assert!(largest.is_some(), "nothing is left of {bytes} bytes");
            drop(largest);
            for number in 2..8 {
                held.extend(fill(&room, number, bytes));
            }
            let small = room.take(organization(8), 10_000);
            assert!(small.is_some(), "of {bytes} bytes, nor for a small one");
        }
    }

    #[test]
    fn a_hundred_that_fill_their_share_leave_room_for_the_largest_first_event() {
        for bytes in [10, 10_000] {
            let room = Arc::new(Room::default());
            let held: Vec<_> = (0..100)
                .flat_map(|number| fill(&room, number, bytes))
                .collect();
            assert!(room.take(organization(0), bytes).is_none());
            let largest = room.take(organization(100), PAYLOAD_BYTES);
            assert!(largest.is_some(), "nothing is left of {bytes} bytes");
            drop(held);
        }
    }

    #[test]
    fn what_is_written_gives_its_room_back() {
        let room = Arc::new(Room::default());
        let mut filled = fill(&room, 1, PAYLOAD_BYTES);
        assert!(!room.is_half_free());
        filled.pop();
        filled.push(room.take(organization(1), PAYLOAD_BYTES).expect("one left"));
        assert!(room.take(organization(1), PAYLOAD_BYTES).is_none());
        drop(filled);
        assert!(room.is_half_free());
        let taken = room.locked();
        assert_eq!(taken.all, Amount::default());
        assert!(taken.by_organization.is_empty());
    }
}
