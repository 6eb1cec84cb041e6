//! Runs that call each other, and canceling and resuming them together, as the queue does it.

use std::collections::BTreeMap;

use domain::RunId;
use domain::Timestamp;
use domain::call;
use domain::run::{RunState, StepRecord, StepState, ended_at};
use engine::Signal;
use engine::port::{Calling, Lease, Returned, Unread};
use serde_json::Value;

use super::{Caller, Run, World};
use crate::simulation::flow;
use crate::stage::latest;

/// When a run is due that waits for nothing but others.
const NEVER: i64 = i64::MAX;

impl World {
    /// What came so far of the calls that are under way in a run.
    pub(super) fn returned(&self, at: usize) -> Vec<Returned> {
        if self.runs[at].kept.place.is_none() {
            return Vec::new();
        }
        let records = latest(self.runs[at].kept.journal.clone());
        let under_way = records.iter().filter(|record| call::is_under_way(record));
        let returned = under_way.map(|record| {
            let path = record.path.to_string();
            let called = self.last_called(at, &path);
            let called = &self.runs[called.expect("what is under way was started")];
            let end = called.kept.end.clone();
            let (state, error) = end.unwrap_or((RunState::Running, None));
            Returned {
                path,
                run: called.id,
                name: "Another".to_owned(),
                state,
                error,
                // The others are too large.
                result: called.result.clone().filter(|_| is_small(called.id)),
            }
        });
        returned.collect()
    }

    /// What a run gave that is over, unless it cannot be read at this moment.
    pub(super) fn read_result(&mut self, called: RunId) -> Result<Option<Value>, Unread> {
        if !self.is_calm && self.chance.percent(10) {
            self.seen.note("a result could not be read");
            return Err(Unread);
        }
        self.seen.note("a result was read when it was asked for");
        let mut runs = self.runs.iter();
        let run = runs.find(|run| run.id == called).expect("it was called");
        Ok(run.result.clone())
    }

    /// Starts what a run calls, and lets it wait. What is written twice is refused.
    pub(super) fn begin_calls(
        &mut self,
        at: usize,
        starts: &[Calling],
        until: Option<Timestamp>,
        records: &[StepRecord],
    ) {
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
            let is_held = self.runs[at].kept.held(fence).is_ok();
            assert_eq!(is_held, time == 0, "a call is written once");
            if is_held {
                self.write_calls(at, fence, (starts, until), records);
            }
        }
    }

    fn write_calls(
        &mut self,
        at: usize,
        fence: i64,
        (starts, until): (&[Calling], Option<Timestamp>),
        records: &[StepRecord],
    ) {
        self.keep(at, records.to_vec());
        let now = self.ports.now();
        let mut due = until.map_or(NEVER, |until| until.0);
        for calling in starts {
            let called = self.start_called(at, calling);
            if !calling.waits || self.runs[called].kept.place.is_none() {
                due = now;
            }
        }
        if self.awaited(at).len() > 1 {
            self.seen.note("calls beside each other");
            if until.is_some() {
                self.seen.note("a time and calls are waited for");
            }
        }
        if self.runs[at]
            .kept
            .place
            .is_some_and(|place| place.has_returned)
        {
            self.seen.note("a call was over before it was waited for");
            due = now;
        }
        let run = &mut self.runs[at];
        let waits = run.kept.call(fence, due);
        waits.expect("it is held");
        let (run, fence) = (run.id, fence + 1);
        self.ports.set_fence(Lease { run, fence });
    }

    /// Starts a run, unless the one is there that matters; returns which.
    fn start_called(&mut self, at: usize, calling: &Calling) -> usize {
        let last = self.last_called(at, &calling.path);
        let known = last.filter(|last| {
            let end = self.runs[*last].kept.end.as_ref();
            end.is_none_or(|(end, _)| !end.can_resume())
        });
        if let Some(known) = known {
            self.seen.note("waited for what was under way");
            if let Some(caller) = &mut self.runs[known].caller {
                caller.waits |= calling.waits;
            }
            return known;
        }
        self.seen.note(if last.is_some() {
            "called again"
        } else {
            "called"
        });
        let called = self.runs.len();
        let document = flow::any(&mut self.chance, "call");
        let caller = Caller {
            run: at,
            path: calling.path.clone(),
            waits: calling.waits,
        };
        self.start(document, calling.payload.clone(), Some(caller));
        self.note(format!("run {at} calls run {called}"));
        called
    }

    /// The runs that a run called and waits for.
    fn awaited(&self, at: usize) -> Vec<usize> {
        let runs = self.runs.iter().enumerate();
        let awaited = runs.filter(|(_, run)| {
            let caller = run.caller.as_ref();
            run.kept.place.is_some()
                && caller.is_some_and(|caller| caller.run == at && caller.waits)
        });
        awaited.map(|(called, _)| called).collect()
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
        let now = self.ports.now();
        if let Some(caller) = caller.map(|caller| caller.run) {
            self.runs[caller].kept.wake(now);
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

    /// Cancels a run with those that it waits for.
    pub(super) fn cancel(&mut self) {
        if self.runs.is_empty() {
            return;
        }
        let at = self.chance.below(self.runs.len());
        if self.runs[at].kept.place.is_none() {
            return;
        }
        let mut all = vec![at];
        let mut seen = 0;
        while let Some(at) = all.get(seen) {
            let below = self.awaited(*at);
            if below.len() > 1 {
                self.seen.note("several canceled with their caller");
            }
            all.extend(below);
            seen += 1;
        }
        // The innermost first.
        for at in all.into_iter().rev() {
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
            self.executions[&id].signal.send_replace(Signal::Cancel);
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

    /// Resumes a run with those that it called.
    fn resume_one(&mut self, at: usize) {
        let now = self.ports.now();
        let run = &self.runs[at];
        let records = latest(run.kept.journal.clone());
        let ended = ended_at(&records, &run.document);
        let awaited = call::awaited(&records, &run.document);
        let steps = ended.iter().copied().chain(awaited);
        let last = steps.filter_map(|record| {
            let path = record.path.to_string();
            Some((self.last_called(at, &path)?, path))
        });
        let called: BTreeMap<usize, String> = last
            .filter(|(called, _)| {
                let run = &self.runs[*called];
                let end = run.kept.end.as_ref();
                run.caller.as_ref().is_some_and(|caller| caller.waits)
                    && end.is_some_and(|(end, _)| end.can_resume())
            })
            .collect();
        let again = ended.into_iter().map(|record| {
            let path = record.path.to_string();
            if called.values().any(|called| *called == path) {
                call::again(record, Timestamp(now))
            } else {
                record.again(Timestamp(now))
            }
        });
        let again: Vec<StepRecord> = again.collect();
        let run = &mut self.runs[at];
        run.resumes += 1;
        run.kept.resume(now, i64::from(run.resumes) << 20);
        self.seen.note("resumed");
        self.note(format!("run {at} is resumed"));
        self.keep(at, again);
        if called.len() > 1 {
            self.seen.note("several resumed with their caller");
        }
        for called in called.into_keys() {
            self.seen.note("resumed with its caller");
            self.resume_one(called);
        }
    }
}

/// Whether what a run gave is read with the claim of the one that called it.
fn is_small(run: RunId) -> bool {
    run.0.as_u128().is_multiple_of(2)
}
