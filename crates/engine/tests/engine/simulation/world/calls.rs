//! Runs that call each other, and canceling and resuming them together, as the queue does it.

use domain::Timestamp;
use domain::call::{self, UNDER_WAY};
use domain::run::{RunState, StepRecord, StepState, ended_at};
use engine::port::{Calling, Lease, Returned};

use super::{Caller, Run, World};
use crate::simulation::flow;
use crate::simulation::kept::Place;
use crate::stage::latest;

/// When a run is due that waits for another one.
const NEVER: i64 = i64::MAX;

impl World {
    /// What came of the call that a run waited for.
    pub(super) fn returned(&self, at: usize) -> Option<Returned> {
        let called = &self.runs[self.runs[at].kept.place?.awaits?];
        let end = called.kept.end.clone();
        let (state, error) = end.unwrap_or((RunState::Running, None));
        Some(Returned {
            path: called.caller.as_ref()?.path.clone(),
            run: called.id,
            name: "Another".to_owned(),
            state,
            error,
            result: called.result.clone(),
        })
    }

    /// Starts what a run calls, and lets it wait. What is written twice is refused.
    pub(super) fn begin_call(&mut self, at: usize, calling: &Calling, records: &[StepRecord]) {
        let Some(fence) = self.runs[at].kept.place.map(|place| place.fence) else {
            return;
        };
        let times = if self.chance.percent(20) { 2 } else { 1 };
        for time in 0..times {
            if time > 0 {
                self.seen.note("call written twice");
                if self.chance.percent(50) {
                    // The called run may be over by then.
                    self.claim(0);
                    self.go_on();
                }
            }
            let is_held = self.runs[at]
                .kept
                .place
                .is_some_and(|place| place.fence == fence);
            assert_eq!(is_held, time == 0, "a call is written once");
            if is_held {
                self.write_call(at, calling, records);
            }
        }
    }

    fn write_call(&mut self, at: usize, calling: &Calling, records: &[StepRecord]) {
        self.keep(at, records.to_vec());
        let last = self.last_called(at, &calling.path);
        let known = last.filter(|last| {
            let called = &self.runs[*last];
            let is_over = called
                .kept
                .end
                .as_ref()
                .is_some_and(|(end, _)| end.can_resume());
            calling.known == Some(called.id) || !is_over
        });
        let called = known.unwrap_or(self.runs.len());
        if known.is_none() {
            self.seen.note(if last.is_some() {
                "called again"
            } else {
                "called"
            });
            let document = flow::any(&mut self.chance, "call");
            let caller = Caller {
                run: at,
                path: calling.path.clone(),
                waits: calling.waits,
            };
            self.start(document, calling.payload.clone(), Some(caller));
            self.note(format!("run {at} calls run {called}"));
        } else {
            self.seen.note("waited for what was under way");
            if let Some(caller) = &mut self.runs[called].caller {
                caller.waits |= calling.waits;
            }
        }
        let is_under_way = self.runs[called].kept.place.is_some();
        let due = if calling.waits && is_under_way {
            NEVER
        } else {
            self.ports.now()
        };
        let id = self.runs[at].id;
        if let Some(place) = &mut self.runs[at].kept.place {
            *place = Place {
                awaits: Some(called),
                ..Place::new(due, place.fence + 1)
            };
            let (run, fence) = (id, place.fence);
            self.ports.set_fence(Lease { run, fence });
        }
    }

    fn last_called(&self, at: usize, path: &str) -> Option<usize> {
        self.runs.iter().rposition(|run| {
            let caller = run.caller.as_ref();
            caller.is_some_and(|caller| caller.run == at && caller.path == path)
        })
    }

    /// Lets the run go on that waits for one that is over.
    pub(super) fn wake_caller(&mut self, at: usize) {
        let caller = self.runs[at].caller.as_ref().filter(|caller| caller.waits);
        let Some(caller) = caller.map(|caller| caller.run) else {
            return;
        };
        let now = self.ports.now();
        if let Some(place) = &mut self.runs[caller].kept.place
            && place.awaits == Some(at)
            && place.due == NEVER
        {
            place.due = now;
        }
    }

    /// Asserts that no step has more than one called run that succeeded, and that each has the
    /// result of the run that it names.
    pub(super) fn check_calls(&self, at: usize) {
        for record in latest(self.runs[at].kept.journal.clone()) {
            let path = record.path.to_string();
            let calls = self.runs.iter().filter(|run| {
                let caller = run.caller.as_ref();
                caller.is_some_and(|caller| caller.run == at && caller.path == path && caller.waits)
            });
            let well = calls.filter(|run| matches!(run.kept.end, Some((RunState::Succeeded, _))));
            let well: Vec<_> = well.collect();
            // One that failed, was called again for, and then resumed by itself, may succeed, too.
            let at_once = well.iter().filter(|run| run.resumes == 0).count();
            assert!(at_once <= 1, "{path} of run {at} is called once");
            let of_record = |run: &&&Run| record.output["run"] == serde_json::json!(run.id);
            if let (StepState::Succeeded, Some(called)) =
                (record.state, well.iter().find(of_record))
            {
                let mut output = called.result.clone().expect("it gives a result");
                output["run"] = serde_json::json!(called.id);
                assert_eq!(record.output, output, "{path} of run {at} has its result");
            }
        }
    }

    /// Cancels a run with the one that it waits for.
    pub(super) fn cancel(&mut self) {
        if self.runs.is_empty() {
            return;
        }
        let at = self.chance.below(self.runs.len());
        let waits = |world: &Self, at: usize| {
            let place = world.runs[at]
                .kept
                .place
                .filter(|place| place.due == NEVER)?;
            place.awaits
        };
        let mut chain = vec![at];
        chain.extend(std::iter::successors(waits(self, at), |at| {
            waits(self, *at)
        }));
        if self.runs[at].kept.place.is_none() {
            return;
        }
        for at in chain.into_iter().rev() {
            if self.runs[at].kept.place.is_some() {
                self.seen.note("canceled with its caller");
                self.cancel_one(at);
            }
        }
    }

    fn cancel_one(&mut self, at: usize) {
        self.seen.note("canceled");
        self.end(at, RunState::Canceled, None);
        let told = self.executions.iter().filter(|(_, e)| e.run == at);
        let told: Vec<usize> = told.map(|(id, _)| *id).collect();
        for id in told {
            self.executions[&id].cancel.send_replace(true);
            if self.awake[self.executions[&id].worker] && self.executions[&id].outcome.is_none() {
                self.go(id);
            }
        }
    }

    /// Resumes the first run that did not succeed.
    pub(super) fn resume(&mut self) {
        let at = self.runs.iter().position(|run| {
            let end = run.kept.end.as_ref();
            end.is_some_and(|(end, _)| end.can_resume())
        });
        if let Some(at) = at {
            self.resume_one(at);
        }
    }

    /// Resumes a run with the one that it called.
    fn resume_one(&mut self, at: usize) {
        let now = self.ports.now();
        let run = &self.runs[at];
        let records = latest(run.kept.journal.clone());
        let ended = ended_at(&records, &run.document);
        let waiting = records.iter().filter(|record| {
            record.state == StepState::Waiting && record.output.get(UNDER_WAY).is_some()
        });
        let paths = ended.iter().copied().chain(waiting);
        let last = paths.filter_map(|record| self.last_called(at, &record.path.to_string()));
        let called = last.max().filter(|called| {
            let run = &self.runs[*called];
            let waits = run.caller.as_ref().is_some_and(|caller| caller.waits);
            waits
                && run
                    .kept
                    .end
                    .as_ref()
                    .is_some_and(|(end, _)| end.can_resume())
        });
        let path = called.and_then(|called| self.runs[called].caller.as_ref());
        let path = path.map(|caller| caller.path.clone());
        let again = ended.into_iter().map(|record| {
            if path == Some(record.path.to_string()) {
                call::again(record, Timestamp(now))
            } else {
                record.again(Timestamp(now))
            }
        });
        let again: Vec<StepRecord> = again.collect();
        let run = &mut self.runs[at];
        run.resumes += 1;
        run.kept.resume(now, i64::from(run.resumes) << 20, called);
        self.seen.note("resumed");
        self.note(format!("run {at} is resumed"));
        self.keep(at, again);
        if let Some(called) = called {
            self.seen.note("resumed with its caller");
            self.resume_one(called);
        }
    }
}
