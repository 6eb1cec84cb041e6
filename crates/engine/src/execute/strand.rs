//! Rounds that run beside each other.
//!
//! Each round is a strand of the run: it has its own place in the tree and its own scope, and
//! shares records, journal and time limit with the others. What is durable of a strand says alone
//! how it goes on, whatever the others do, so that a replay leads each one to where it was.
//!
//! A strand that has to wait keeps its place among those that run at once. When all that run wait,
//! the run does: for the first call that one of them made, else for the earliest time. So of calls
//! that wait for their result, one is under way at a time.
//!
//! When one fails, the others end before their next step: what they have sent by then gets its
//! answer and its record. Which one failed first is a matter of time, and a lane that rescues may
//! act on it, so it is recorded of the loop: a replay throws the same. A person who resumes the run
//! opens both again, the failed step and the loop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use domain::Timestamp;
use domain::run::{StepRecord, StepState};
use domain::template::Scope;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use serde_json::Value;

use super::End;
use super::catching::Thrown;
use super::frame::{Frame, Looping};
use super::run::Run;
use super::watch::Watch;
use crate::port::{Calling, Clock, Journal, Outside};

/// A loop whose rounds run beside each other.
pub(super) struct Strands<'p> {
    pub(super) list: &'p [usize],
    pub(super) looping: Looping<'p>,
    /// So many at a time.
    pub(super) at_once: usize,
}

/// What makes a strand a part of something.
pub(super) struct Strand {
    halt: Arc<Halt>,
    /// A try around it catches what fails in it.
    pub(super) is_caught: bool,
    /// Its last output, once it is known.
    pub(super) result: Value,
}

impl Strand {
    /// Returns whether it has to end before its next step.
    pub(super) fn is_halted(&self) -> bool {
        self.halt.is_given()
    }
}

/// Ends strands: those that belong together, and all that come from them.
struct Halt {
    given: AtomicBool,
    around: Option<Arc<Halt>>,
}

impl Halt {
    fn is_given(&self) -> bool {
        let around = self.around.as_ref();
        self.given.load(Ordering::Relaxed) || around.is_some_and(|around| around.is_given())
    }
}

/// How a strand ended.
struct Ended {
    round: usize,
    end: Result<Value, End>,
    watch: Watch,
}

/// Why strands did not come to their end, taken together.
#[derive(Default)]
struct Ends {
    /// What ends the execution, whatever else happened; a doubt before anything else.
    of_run: Option<End>,
    /// The first failure that a try may catch.
    thrown: Option<Thrown>,
    is_halted: bool,
    /// The call of the earliest round.
    calling: Option<(usize, Box<Calling>)>,
    /// The earliest time for which one waits.
    until: Option<Timestamp>,
}

impl Ends {
    /// Notes one; returns whether the others have to end, too.
    fn note(&mut self, round: usize, end: End) -> bool {
        match end {
            End::Waiting(until) => {
                self.until = Some(self.until.map_or(until, |known| known.min(until)));
                return false;
            }
            End::Calling(calling) => {
                if self
                    .calling
                    .as_ref()
                    .is_none_or(|(first, _)| round < *first)
                {
                    self.calling = Some((round, calling));
                }
                return false;
            }
            End::Thrown(thrown) => {
                self.thrown.get_or_insert(thrown);
            }
            End::Halted => self.is_halted = true,
            end @ End::InDoubt(_) => self.of_run = Some(end),
            end => {
                self.of_run.get_or_insert(end);
            }
        }
        true
    }
}

impl<'p, C: Clock, J: Journal, O: Outside> Run<'p, C, J, O> {
    /// Runs all rounds of a loop, some at once.
    pub(super) async fn rounds_at_once(&mut self, strands: Strands<'p>) -> Result<(), End> {
        let Strands {
            list,
            mut looping,
            at_once,
        } = strands;
        let node = looping.node;
        if let Some(ended) = self.records.ended_badly(&self.path(node)) {
            return Err(match ended.state {
                StepState::InDoubt => End::InDoubt(ended.error.unwrap_or_default()),
                _ => End::Thrown(Thrown::again(ended.output)),
            });
        }
        let halt = Arc::new(Halt {
            given: AtomicBool::new(false),
            around: self.strand.as_ref().map(|strand| strand.halt.clone()),
        });
        let (mut ends, mut parked) = (Ends::default(), 0);
        let mut running = FuturesUnordered::new();
        loop {
            while running.len() + parked < at_once
                && !halt.is_given()
                && let Some(item) = looping.items.next()
            {
                let round = looping.begun;
                looping.begun += 1;
                self.records.begin_round();
                let scope = looping.before.round(&node.slug, &item, round);
                running.push(self.strand(list, scope, round, &halt).run_round(round));
            }
            let Some(ended) = running.next().await else {
                break;
            };
            self.watch.join(&ended.watch);
            let end = match ended.end {
                Ok(result) => match looping.keep_result(ended.round, result) {
                    Ok(()) => continue,
                    Err(thrown) => End::Thrown(thrown),
                },
                // Nothing more may be touched.
                Err(End::Lost) => return Err(End::Lost),
                Err(end) => end,
            };
            if ends.note(ended.round, end) {
                halt.given.store(true, Ordering::Relaxed);
            } else {
                parked += 1;
            }
        }
        drop(running);
        if let Some(end) = ends.of_run {
            if let End::InDoubt(error) = &end {
                self.note_end(&looping, StepState::InDoubt, Value::Null, error);
            }
            return Err(end);
        }
        if let Some(thrown) = ends.thrown {
            let error = thrown.error.clone();
            self.note_end(&looping, StepState::Failed, error, "A step in it failed.");
            return Err(End::Thrown(thrown));
        }
        if ends.is_halted || halt.is_given() {
            return Err(End::Halted);
        }
        if let Some((_, calling)) = ends.calling {
            return Err(End::Calling(calling));
        }
        match ends.until {
            Some(until) => Err(End::Waiting(until)),
            None => self.end_loop(looping),
        }
    }

    /// Returns the strand of one round.
    fn strand(
        &self,
        list: &'p [usize],
        scope: Scope,
        round: usize,
        halt: &Arc<Halt>,
    ) -> Run<'p, C, J, O> {
        let mut rounds = self.rounds.clone();
        rounds.push(u32::try_from(round).unwrap_or(u32::MAX));
        Run {
            whole: self.whole,
            watch: self.watch.clone(),
            frames: vec![Frame::new(list, scope)],
            part: self.part.of_strand(),
            rounds,
            steps_taken: 0,
            strand: Some(Strand {
                halt: halt.clone(),
                is_caught: self.is_caught(),
                result: Value::Null,
            }),
        }
    }

    /// Runs this strand until it can go no further. The type is written out, because strands may
    /// have strands of their own.
    fn run_round(mut self, round: usize) -> BoxFuture<'p, Ended> {
        Box::pin(async move {
            let mut end = self.interpret().await;
            // Nobody may come by for long who would append what a write of this strand did.
            if !matches!(end, Err(End::Lost))
                && self.records.has_write()
                && let Err(lost) = self.append().await
            {
                end = Err(lost);
            }
            let result = self.strand.map_or(Value::Null, |strand| strand.result);
            Ended {
                round,
                end: end.map(|()| result),
                watch: self.watch,
            }
        })
    }

    /// Records how the loop ended, which its rounds alone do not say: some have still steps to do.
    fn note_end(&self, looping: &Looping<'p>, state: StepState, output: Value, error: &str) {
        let record = self.record(looping.node, looping.started_at, state);
        self.records.effect(StepRecord {
            input: looping.input.clone(),
            output,
            error: Some(error.to_owned()),
            ..record
        });
    }
}
