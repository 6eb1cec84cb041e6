//! How workers end: they crash, or are asked to.

use engine::Signal;

use super::World;
use crate::simulation::kept::LEASE_MS;
use crate::simulation::outside::Op;

impl World {
    /// Ends a process: what it was writing may have become durable all the same.
    pub(super) fn crash(&mut self, worker: usize) {
        self.note(format!("worker {worker} crashes"));
        self.awake[worker] = true;
        for id in self.of_worker(worker) {
            self.seen.note("crash");
            // The end of another one may have ended it.
            let Some(execution) = self.executions.remove(&id) else {
                continue;
            };
            let writing: Vec<_> = self
                .ports
                .open_ids(id)
                .into_iter()
                .filter_map(|op| match self.ports.take(op) {
                    Op::Append(lease, records) => Some((lease, records)),
                    _ => None,
                })
                .collect();
            let is_durable = self.chance.percent(50);
            if !writing.is_empty() {
                self.seen.note(if is_durable {
                    "write durable without an answer"
                } else {
                    "write lost with its worker"
                });
            }
            for (lease, records) in writing.into_iter().filter(|_| is_durable) {
                let _ = self.write(lease, records);
            }
            if let Some(outcome) = execution.outcome.clone().filter(|_| is_durable) {
                self.finish(&execution, outcome);
            }
        }
    }

    /// Lets a worker end each time that it gets a run, before that does anything.
    pub(super) fn poison(&mut self, worker: usize) {
        for _ in 0..4 {
            self.awake[worker] = true;
            self.crash(worker);
            self.claim(worker);
            for id in self.of_worker(worker) {
                self.drop_execution(id);
            }
            self.pass(LEASE_MS);
        }
    }

    /// Shuts a worker down: it stops where it stands, and its runs are free at once.
    pub(super) fn hand_back(&mut self, worker: usize) {
        self.awake[worker] = true;
        for id in self.of_worker(worker) {
            self.seen.note("handed back");
            let lease = self.executions[&id].lease;
            self.drop_execution(id);
            if let Some(at) = self.place_of(lease) {
                let held = self.runs[at].kept.hand_back(lease.fence, self.ports.now());
                held.expect("it is held");
            }
        }
    }

    /// Asks a worker to end: what it has under way comes to its end, and nothing more is begun. What
    /// takes too long is cut.
    pub(super) fn stop(&mut self, worker: usize) {
        self.awake[worker] = true;
        let is_cut = self.chance.percent(30);
        for id in self.of_worker(worker) {
            // What went before may have ended it.
            let Some(execution) = self.executions.get(&id) else {
                continue;
            };
            let mut is_asked = false;
            execution.signal.send_if_modified(|signal| {
                is_asked = *signal == Signal::GoOn;
                if is_asked {
                    *signal = Signal::HandBack;
                }
                is_asked
            });
            if !is_asked || execution.outcome.is_some() {
                continue;
            }
            self.seen.note(match self.ports.sends(id) {
                0 => "stopped between requests",
                1 => "stopped with a request under way",
                _ => "stopped with requests under way",
            });
            self.ports.begin_no_more(id);
            self.go(id);
            let Some(execution) = self.executions.get(&id).filter(|_| is_cut) else {
                continue;
            };
            if execution.outcome.is_none() {
                self.seen.note("cut when it stopped");
                execution.signal.send_replace(Signal::HandBackNow);
                self.go(id);
                assert_eq!(self.ports.sends(id), 0, "nothing is under way any more");
            }
        }
    }
}
