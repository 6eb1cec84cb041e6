//! What one organization's requests to one host keep to: the line in which they wait for their
//! turn, the rest that the host asked for, and the breaker that leaves it alone while it is down.
//!
//! Nothing here waits or looks at a clock: it is told the time, and says when to ask again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::Timestamp;
use domain::network::Rules;
use tokio::sync::Notify;

/// Failures in a row after which a host is taken for down.
pub(crate) const FAILURES: u32 = 10;
/// How long a host is left alone before the first probe. Twice as long after each
/// probe that fails.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// The longest pause between probes.
const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);
/// Longest rest that a host is given when it asks for one.
const LONGEST_REST: Duration = Duration::from_secs(60 * 60);
/// How long a request waits for its turn without giving its worker back.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);
/// Longest time after which one that was sent away asks again.
const LONGEST_AWAY: Duration = Duration::from_secs(10 * 60);
/// Most that wait in line; of more, the latest are sent away at once.
const LINE: usize = 256;
/// How far apart those that were sent away come back, where nothing else says it.
const APART: Duration = Duration::from_millis(20);
/// How far apart they come back at most.
const MOST_APART: Duration = Duration::from_secs(60);

/// A moment, as the time since some beginning that is the same for all calls.
pub(super) type Moment = Duration;

/// A process's part of what an organization's rules allow.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Share {
    /// Most requests at once.
    at_once: Option<u32>,
    /// The least time from one request to the next.
    apart: Option<Duration>,
}

impl Share {
    /// Divides rules among processes.
    pub(crate) fn of(rules: &Rules, processes: u32) -> Self {
        let processes = processes.max(1);
        Self {
            at_once: rules.at_once.map(|most| (most / processes).max(1)),
            apart: rules
                .per_second
                .map(|most| Duration::from_secs(1) * processes / most.max(1)),
        }
    }
}

/// A place in the line: who began first goes first, whenever they came (back).
pub(super) type Ticket = (Timestamp, u64);

/// How a request went, as far as it tells something about its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// It answered.
    Up,
    /// It asks to be left alone for a time.
    Rest(Duration),
    /// It answered with this status of 500 or more.
    Failed(u16),
    /// It could not be connected to.
    Unreachable,
    /// No answer came.
    Silent,
}

impl Told {
    /// Says how a host failed; `None` when it did not.
    pub(super) fn failure(self) -> Option<String> {
        match self {
            Told::Up | Told::Rest(_) => None,
            Told::Failed(status) => Some(format!("answered {status}")),
            Told::Unreachable => Some("could not be reached".to_owned()),
            Told::Silent => Some("did not answer".to_owned()),
        }
    }
}

/// What a request is told that asks for its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turned {
    /// It is its turn.
    Go {
        /// It is sent to see whether the host is up again.
        is_probe: bool,
    },
    /// It waits in line, and asks again when it is called, or at this time.
    Wait(Option<Moment>),
    /// It gives its worker back and asks again after this time.
    Later(Duration),
    /// The host is down, and so for this time at least.
    Down(Duration),
}

/// What changed about a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Changed {
    /// It is taken for down, or still is after a probe.
    Down,
    /// It is up again.
    Up,
}

#[derive(Debug)]
enum Breaker {
    Closed {
        failures: u32,
    },
    Open {
        until: Moment,
        pause: Duration,
        failures: u32,
        is_probed: bool,
    },
}

/// One host, for one organization.
#[derive(Debug)]
pub(super) struct Host {
    under_way: u32,
    /// When the next request may leave, by the rate.
    next: Moment,
    rests_until: Moment,
    /// How long that can be at most.
    rest: Duration,
    breaker: Breaker,
    line: BTreeMap<Ticket, Arc<Notify>>,
    /// When the last of those that were sent away is to come back.
    returns: Moment,
    /// How long requests take, about.
    takes: Duration,
}

impl Host {
    pub(super) fn new(now: Moment) -> Self {
        Self {
            under_way: 0,
            next: now,
            rests_until: now,
            rest: Duration::ZERO,
            breaker: Breaker::Closed { failures: 0 },
            line: BTreeMap::new(),
            returns: now,
            takes: Duration::from_millis(100),
        }
    }

    /// Returns whether nothing would be lost by forgetting it.
    pub(super) fn is_idle(&self, now: Moment) -> bool {
        self.under_way == 0
            && self.line.is_empty()
            && self.rests_until <= now
            && self.next <= now
            && matches!(self.breaker, Breaker::Closed { failures: 0 })
    }

    /// Lets a request go, if it has not to wait for anything or anyone.
    pub(super) fn ask(&mut self, ticket: Ticket, share: Share, now: Moment) -> Turned {
        self.keep_to(share, now);
        if let Breaker::Open {
            until, is_probed, ..
        } = &mut self.breaker
        {
            if *until > now || *is_probed {
                // Waits are counted in whole milliseconds; none ends before the pause does.
                let left = until.saturating_sub(now).max(PATIENCE);
                return Turned::Down(left + Duration::from_millis(1));
            }
            *is_probed = true;
            self.go(share, now);
            return Turned::Go { is_probe: true };
        }
        let resting = self.rests_until.saturating_sub(now);
        if resting > PATIENCE {
            return Turned::Later(self.come_back(resting, share, now));
        }
        let before = self.line.range(..ticket).count();
        if before == 0 {
            let at = self.rests_until.max(match share.apart {
                Some(_) => self.next,
                None => now,
            });
            let is_full = share.at_once.is_some_and(|most| self.under_way >= most);
            if at <= now && !is_full {
                self.go(share, now);
                return Turned::Go { is_probe: false };
            }
            if at > now + PATIENCE {
                return Turned::Later(self.come_back(at - now, share, now));
            }
            return Turned::Wait((at > now).then_some(at));
        }
        // Whose turn does not come within the patience of a worker does not wait for it to run out.
        let turns = share.apart.map_or(Duration::ZERO, |apart| {
            apart.saturating_mul(u32::try_from(before).unwrap_or(u32::MAX))
        });
        if before >= LINE || turns > PATIENCE {
            return Turned::Later(self.come_back(PATIENCE, share, now));
        }
        Turned::Wait(None)
    }

    /// Lets nothing be further away than it ever is: the clock may have been set back meanwhile.
    fn keep_to(&mut self, share: Share, now: Moment) {
        if let Breaker::Open { until, pause, .. } = &mut self.breaker {
            *until = (*until).min(now + *pause);
        }
        self.rests_until = self.rests_until.min(now + self.rest);
        if self.rests_until <= now {
            self.rest = Duration::ZERO;
        }
        if self.returns > now + LONGEST_REST {
            self.returns = now;
        }
        if let Some(apart) = share.apart {
            self.next = self.next.min(now + apart);
        }
    }

    fn go(&mut self, share: Share, now: Moment) {
        self.under_way += 1;
        if let Some(apart) = share.apart {
            self.next = self.next.max(now) + apart;
        }
    }

    /// Says after how long one that is sent away comes back: after all that were before, and so far
    /// apart as they are going to be let through.
    pub(super) fn come_back(&mut self, least: Duration, share: Share, now: Moment) -> Duration {
        let by_number = share.at_once.map(|most| self.takes / most.max(1));
        let apart = share.apart.max(by_number).unwrap_or(APART);
        let least = least.max(PATIENCE + APART);
        let latest = now + least.max(LONGEST_AWAY);
        let at = self.returns.max(now + least) + apart.clamp(APART / 20, MOST_APART);
        self.returns = at.min(latest);
        self.returns.saturating_sub(now)
    }

    /// Takes a place in line; it is called with `called`.
    pub(super) fn line_up(&mut self, ticket: Ticket, called: Arc<Notify>) {
        self.line.insert(ticket, called);
    }

    /// Gives a place in line up.
    pub(super) fn step_out(&mut self, ticket: Ticket) {
        self.line.remove(&ticket);
        self.call();
    }

    /// Calls whoever is first in line.
    fn call(&self) {
        if let Some(called) = self.line.values().next() {
            called.notify_one();
        }
    }

    fn call_all(&self) {
        self.line.values().for_each(|called| called.notify_one());
    }

    /// A request is over, or was given up; it took so long.
    pub(super) fn leave(&mut self, is_probe: bool, took: Duration) {
        self.under_way = self.under_way.saturating_sub(1);
        self.takes = (self.takes * 7 + took.min(MOST_APART)) / 8;
        if is_probe && let Breaker::Open { is_probed, .. } = &mut self.breaker {
            *is_probed = false;
        }
        self.call();
    }

    /// Hears how a request went.
    pub(super) fn tell(&mut self, told: Told, is_probe: bool, now: Moment) -> Option<Changed> {
        if let Told::Rest(asked) = told {
            let asked = asked.min(LONGEST_REST);
            let until = self.rests_until.min(now + self.rest).max(now + asked);
            (self.rests_until, self.rest) = (until, until - now);
            self.call_all();
        }
        match (&mut self.breaker, told) {
            (Breaker::Closed { failures }, Told::Up | Told::Rest(_)) => {
                *failures = 0;
                None
            }
            (Breaker::Open { .. }, Told::Up | Told::Rest(_)) => {
                self.breaker = Breaker::Closed { failures: 0 };
                self.call_all();
                Some(Changed::Up)
            }
            (Breaker::Closed { failures }, _) => {
                *failures += 1;
                if *failures < FAILURES {
                    return None;
                }
                let failures = *failures;
                self.open(now + FIRST_PAUSE, FIRST_PAUSE, failures);
                Some(Changed::Down)
            }
            // What left before it was known to be down says nothing new.
            (Breaker::Open { .. }, _) if !is_probe => None,
            (
                Breaker::Open {
                    pause, failures, ..
                },
                _,
            ) => {
                let (pause, failures) = ((*pause * 2).min(LONGEST_PAUSE), *failures + 1);
                self.open(now + pause, pause, failures);
                Some(Changed::Down)
            }
        }
    }

    fn open(&mut self, until: Moment, pause: Duration, failures: u32) {
        self.breaker = Breaker::Open {
            until,
            pause,
            failures,
            is_probed: false,
        };
        self.call_all();
    }

    /// Returns until when it is left alone, and after how many failures; `None` when it is not
    /// taken for down.
    pub(super) fn down(&self) -> Option<(Moment, u32)> {
        match self.breaker {
            Breaker::Open {
                until, failures, ..
            } => Some((until, failures)),
            Breaker::Closed { .. } => None,
        }
    }

    /// Returns how many stand in line.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.line.len()
    }

    /// Takes for down what another process does.
    pub(super) fn learn_down(&mut self, until: Moment, failures: u32, now: Moment) {
        // The other one's clock may have been ahead.
        let until = until.min(now + LONGEST_PAUSE);
        let left = until.saturating_sub(now).max(FIRST_PAUSE);
        match &mut self.breaker {
            Breaker::Closed { .. } => self.open(until, left, failures),
            Breaker::Open {
                until: known,
                pause,
                failures: counted,
                ..
            } => {
                *known = (*known).min(now + *pause).max(until);
                *pause = (*pause).max(left);
                *counted = (*counted).max(failures);
            }
        }
    }

    /// Takes for up what another process found to be; the next failure says that it is not.
    pub(super) fn learn_up(&mut self) {
        if let Breaker::Open { .. } = self.breaker {
            self.breaker = Breaker::Closed {
                failures: FAILURES - 1,
            };
            self.call_all();
        }
    }
}

#[cfg(test)]
mod tests;
