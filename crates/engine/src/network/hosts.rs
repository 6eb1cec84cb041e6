//! The hosts that requests of this process go to, for each organization by itself, and the turns
//! that requests take at them.
//!
//! Requests share the locks by which a host is found; asking it takes its own, for a moment. Nothing
//! asks the database. What is kept is bounded: the hosts used longest ago are forgotten first, those
//! with something under way never.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use domain::network::{Down, Rules};
use domain::{OrganizationId, Timestamp};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use super::host::{Changed, Host, Moment, PATIENCE, Share, Ticket, Told, Turned};
use crate::step::http::{Failure, Retry};

/// Most organizations whose hosts are kept.
const ORGANIZATIONS: usize = 1_024;
/// Most hosts of one organization.
const HOSTS: usize = 256;
/// Most changes that wait to be taken; of more, the hosts that come last by name are left out.
const CHANGES: usize = 1_024;
/// Longest name of a host that is kept.
const NAME_BYTES: usize = 300;

/// A host by name and port.
type Name = (String, u16);

/// What became of a host, for whoever keeps it for all processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostChange {
    /// It is down.
    Down(Down),
    /// It is up again.
    Up {
        /// Its name or address.
        host: String,
        /// Its port.
        port: u16,
    },
}

impl HostChange {
    fn name(&self) -> Name {
        match self {
            HostChange::Down(down) => (down.host.clone(), down.port),
            HostChange::Up { host, port } => (host.clone(), *port),
        }
    }
}

/// Why a request does not leave now. It was not sent.
#[derive(Clone, Debug, PartialEq)]
pub enum NotNow {
    /// It is not its turn for more than a moment: it may ask again after a time, which is no
    /// attempt.
    Later {
        /// What to say.
        message: String,
        /// How long it waits.
        wait: Duration,
    },
    /// Its host is down: an attempt that failed.
    Down(Failure),
}

impl NotNow {
    /// Returns the failure of a request that cannot wait.
    pub fn failure(self) -> Failure {
        match self {
            NotNow::Later { message, wait } => Failure {
                retry: Retry::After(wait),
                ..Failure::transient(message)
            },
            NotNow::Down(failure) => failure,
        }
    }
}

#[derive(Debug)]
struct Kept {
    name: Name,
    host: Mutex<Host>,
    /// Since when it is down, and why.
    down: Mutex<Option<(Timestamp, String)>>,
    /// Whether it was heard of from those who keep it for all processes.
    is_heard: Mutex<bool>,
    used: AtomicU64,
}

impl Kept {
    fn locked(&self) -> MutexGuard<'_, Host> {
        locked(&self.host)
    }
}

/// The time that a request was told, and what has passed since.
#[derive(Clone, Copy, Debug)]
struct Watch {
    told: Timestamp,
    at: Instant,
}

impl Watch {
    fn begin(told: Timestamp) -> Self {
        Self {
            told,
            at: Instant::now(),
        }
    }

    fn now(&self) -> Moment {
        moment(self.told) + self.at.elapsed()
    }
}

fn moment(at: Timestamp) -> Moment {
    Duration::from_millis(u64::try_from(at.0).unwrap_or(0))
}

fn timestamp(at: Moment) -> Timestamp {
    Timestamp(i64::try_from(at.as_millis()).unwrap_or(i64::MAX))
}

/// The hosts of one organization.
#[derive(Debug, Default)]
struct Own {
    hosts: RwLock<HashMap<Name, Arc<Kept>>>,
    used: AtomicU64,
}

impl Own {
    fn read(&self) -> RwLockReadGuard<'_, HashMap<Name, Arc<Kept>>> {
        self.hosts.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The hosts of all organizations.
#[derive(Debug, Default)]
pub(crate) struct Hosts {
    organizations: RwLock<HashMap<Option<OrganizationId>, Arc<Own>>>,
    /// How many processes divide limits; 0 for one.
    processes: AtomicU32,
    /// Counts uses and tickets.
    counted: AtomicU64,
    changes: Arc<Changes>,
}

/// What changed and was not taken yet.
#[derive(Debug, Default)]
struct Changes {
    kept: Mutex<BTreeMap<(OrganizationId, Name), HostChange>>,
    wake: Notify,
}

/// Where a request goes, for whom, and by which rules.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way<'a> {
    pub(crate) owner: Option<OrganizationId>,
    pub(crate) rules: &'a Rules,
    pub(crate) host: &'a str,
    pub(crate) port: u16,
}

/// A request's turn at its host. Whoever has it sends, says how it went, and drops it.
#[derive(Debug, Default)]
pub struct Turn(Option<Place>);

#[derive(Debug)]
struct Place {
    owner: Option<OrganizationId>,
    kept: Arc<Kept>,
    changes: Arc<Changes>,
    is_probe: bool,
    watch: Watch,
}

impl Turn {
    /// Returns the turn of a request that keeps to nothing.
    pub fn free() -> Self {
        Self(None)
    }

    /// Returns whether it is a turn at this host.
    pub(crate) fn is_at(&self, (host, port): (&str, u16)) -> bool {
        let Some(place) = &self.0 else { return false };
        place.kept.name.0 == host && place.kept.name.1 == port
    }

    /// Says how the request went.
    pub(crate) fn tell(&self, told: Told) {
        let Some(place) = &self.0 else { return };
        let now = place.watch.now();
        let mut host = place.kept.locked();
        let Some(changed) = host.tell(told, place.is_probe, now) else {
            return;
        };
        let down = host.down();
        drop(host);
        let (name, port) = place.kept.name.clone();
        let change = match (changed, down) {
            (Changed::Down, Some((until, failures))) => {
                let why = told.failure().unwrap_or_default();
                let mut known = locked(&place.kept.down);
                let since = known
                    .as_ref()
                    .map_or_else(|| timestamp(now), |(since, _)| *since);
                *known = Some((since, why.clone()));
                HostChange::Down(Down {
                    host: name,
                    port,
                    since,
                    until: timestamp(until),
                    failures,
                    why,
                })
            }
            _ => {
                *locked(&place.kept.down) = None;
                HostChange::Up { host: name, port }
            }
        };
        *locked(&place.kept.is_heard) = false;
        if let Some(owner) = place.owner {
            place.changes.note(owner, change);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let took = self.watch.at.elapsed();
        self.kept.locked().leave(self.is_probe, took);
    }
}

impl Changes {
    fn note(&self, owner: OrganizationId, change: HostChange) {
        // No host has a longer name, and one that cannot be kept must not take others with it.
        if change.name().0.len() > NAME_BYTES {
            return;
        }
        let mut kept = locked(&self.kept);
        kept.insert((owner, change.name()), change);
        while kept.len() > CHANGES {
            kept.pop_last();
        }
        drop(kept);
        self.wake.notify_one();
    }
}

/// A place in line, which is given up however the wait ends.
struct Waiting<'h> {
    kept: &'h Kept,
    ticket: Ticket,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.kept.locked().step_out(self.ticket);
    }
}

impl Hosts {
    /// Says how many processes divide the limits.
    pub(crate) fn set_processes(&self, processes: u32) {
        self.processes.store(processes, Ordering::Relaxed);
    }

    /// Waits for a request's turn, at most a second. `since` is when its step began: who began
    /// first goes first.
    ///
    /// # Errors
    /// When it takes longer, or the host is down.
    pub(crate) async fn turn(
        &self,
        way: Way<'_>,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<Turn, NotNow> {
        let watch = Watch::begin(now);
        let kept = self.kept(way, watch.now());
        let ticket = (since, self.counted.fetch_add(1, Ordering::Relaxed));
        let share = Share::of(way.rules, self.processes.load(Ordering::Relaxed));
        let last = watch.now() + PATIENCE;
        let called = Arc::new(Notify::new());
        let mut waiting = None;
        loop {
            let now = watch.now();
            let turned = {
                let mut host = kept.locked();
                match host.ask(ticket, share, now) {
                    Turned::Wait(_) if now >= last => {
                        Turned::Later(host.come_back(PATIENCE, share, now))
                    }
                    Turned::Wait(at) => {
                        if waiting.is_none() {
                            host.line_up(ticket, Arc::clone(&called));
                        }
                        Turned::Wait(at)
                    }
                    turned => turned,
                }
            };
            let at = match turned {
                Turned::Go { is_probe } => {
                    drop(waiting);
                    return Ok(Turn(Some(Place {
                        owner: way.owner,
                        changes: Arc::clone(&self.changes),
                        is_probe,
                        watch: Watch {
                            told: timestamp(now),
                            at: Instant::now(),
                        },
                        kept,
                    })));
                }
                Turned::Later(wait) => return Err(later_at(way.host, wait)),
                Turned::Down(left) => return Err(NotNow::Down(down(&kept, way.host, left))),
                Turned::Wait(at) => at,
            };
            waiting.get_or_insert(Waiting {
                kept: &kept,
                ticket,
            });
            let most = at.unwrap_or(last).min(last).saturating_sub(watch.now());
            // Called, or it is time: whichever it was, it asks again.
            let _ = timeout(most, called.notified()).await;
        }
    }

    fn kept(&self, way: Way<'_>, now: Moment) -> Arc<Kept> {
        let used = self.counted.fetch_add(1, Ordering::Relaxed);
        let own = self.of(way.owner, used);
        let name = (way.host.to_owned(), way.port);
        if let Some(kept) = own.read().get(&name) {
            kept.used.store(used, Ordering::Relaxed);
            return Arc::clone(kept);
        }
        let mut hosts = own.hosts.write().unwrap_or_else(PoisonError::into_inner);
        if hosts.len() >= HOSTS && !hosts.contains_key(&name) {
            let oldest = hosts
                .values()
                .filter(|kept| Arc::strong_count(kept) == 1)
                .min_by_key(|kept| {
                    (
                        !kept.locked().is_idle(now),
                        kept.used.load(Ordering::Relaxed),
                    )
                })
                .map(|kept| kept.name.clone());
            if let Some(oldest) = oldest {
                hosts.remove(&oldest);
            }
        }
        let kept = hosts.entry(name.clone()).or_insert_with(|| {
            Arc::new(Kept {
                name,
                // Nothing that it waits for: so it is idle, whatever clock it is asked by.
                host: Mutex::new(Host::new(Moment::ZERO)),
                down: Mutex::default(),
                is_heard: Mutex::default(),
                used: AtomicU64::new(used),
            })
        });
        Arc::clone(kept)
    }

    fn of(&self, owner: Option<OrganizationId>, used: u64) -> Arc<Own> {
        if let Some(own) = self.read().get(&owner) {
            own.used.store(used, Ordering::Relaxed);
            return Arc::clone(own);
        }
        let mut all = self
            .organizations
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if all.len() >= ORGANIZATIONS && !all.contains_key(&owner) {
            let is_free = |own: &Arc<Own>| {
                Arc::strong_count(own) == 1
                    && own.read().values().all(|kept| Arc::strong_count(kept) == 1)
            };
            let oldest = all
                .iter()
                .filter(|(_, own)| is_free(own))
                .min_by_key(|(_, own)| own.used.load(Ordering::Relaxed))
                .map(|(owner, _)| *owner);
            if let Some(oldest) = oldest {
                all.remove(&oldest);
            }
        }
        let own = all.entry(owner).or_default();
        own.used.store(used, Ordering::Relaxed);
        Arc::clone(own)
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<Option<OrganizationId>, Arc<Own>>> {
        self.organizations
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until hosts went down or came up again, and returns them, each in its last state.
    pub(crate) async fn changes(&self) -> Vec<(OrganizationId, HostChange)> {
        loop {
            let taken = std::mem::take(&mut *locked(&self.changes.kept));
            if !taken.is_empty() {
                let owned = taken.into_iter();
                return owned.map(|((owner, _), change)| (owner, change)).collect();
            }
            self.changes.wake.notified().await;
        }
    }

    /// Hears which hosts are down in any process. One that was among them before, and is not any
    /// more, is up again.
    pub(crate) fn hear(&self, all: &[(OrganizationId, Down)], now: Timestamp) {
        for (owner, down) in all {
            let way = Way {
                owner: Some(*owner),
                rules: &Rules::default(),
                host: &down.host,
                port: down.port,
            };
            let kept = self.kept(way, moment(now));
            let (until, now) = (moment(down.until), moment(now));
            kept.locked().learn_down(until, down.failures, now);
            *locked(&kept.down) = Some((down.since, down.why.clone()));
            *locked(&kept.is_heard) = true;
        }
        let of_all: Vec<_> = self
            .read()
            .iter()
            .filter_map(|(owner, own)| Some(((*owner)?, Arc::clone(own))))
            .collect();
        for (owner, own) in of_all {
            for kept in own.read().values() {
                let (host, port) = &kept.name;
                let is_down = all
                    .iter()
                    .any(|(of, down)| *of == owner && down.host == *host && down.port == *port);
                if !is_down && std::mem::take(&mut *locked(&kept.is_heard)) {
                    kept.locked().learn_up();
                    *locked(&kept.down) = None;
                }
            }
        }
    }
}

fn later_at(host: &str, wait: Duration) -> NotNow {
    NotNow::Later {
        message: format!(
            "`{host}` takes no more requests now: it asked to be left alone for a time, or a limit in the network settings holds them back. The request waits for its turn."
        ),
        wait,
    }
}

fn down(kept: &Kept, host: &str, left: Duration) -> Failure {
    let why = locked(&kept.down)
        .as_ref()
        .map_or_else(String::new, |(_, why)| format!("; the last time, it {why}"));
    let failures = kept.locked().down().map_or(0, |(_, failures)| failures);
    Failure {
        retry: Retry::After(left),
        ..Failure::transient(format!(
            "`{host}` failed {failures} times in a row{why}. It is left alone for now, and the request was not sent. The network settings say since when; let the step retry."
        ))
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
