//! Rounds of a loop, and lanes of a parallel step, that run beside each other.
//!
//! Each is a strand of the run: it has its own place in the tree and its own scope, and shares
//! records, journal and time limit with the others. What is durable of a strand says alone how it
//! goes on, whatever the others do, so that a replay leads each one to where it was.
//!
//! A strand that has to wait keeps its place among those that run at once. When all that run wait,
//! the run does: for the earliest time, and for whichever of the runs that they called is over
//! first. What they call is started in one write, and goes on beside each other.
//!
//! When one fails, the others end before their next step: what they have sent by then gets its
//! answer and its record, and a run that they called comes to its end by itself. Which one failed
//! first is a matter of time, and a lane that rescues may act on it, so it is recorded of the
//! container: a replay throws the same. A person who resumes the run opens both again, the failed
//! step and the container.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use domain::Timestamp;
use domain::run::{StepRecord, StepState};
use domain::template::Scope;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use serde_json::Value;

use super::End;
use super::calling::Calls;
use super::catching::Thrown;
use super::frame::{Frame, Looping};
use super::part::Part;
use super::run::{Run, TURN, Whole};
use super::watch::Watch;
use crate::port::{Clock, Journal, Outside};
use crate::program::{Arm, Node};

/// What the record of a container that failed has of the answer that was given until then.
const RESPONDED: &str = "responded";

/// What runs beside each other.
pub(super) enum Strands<'p> {
    Rounds(Box<Rounds<'p>>),
    Lanes(Lanes<'p>),
}

/// A loop whose rounds do.
pub(super) struct Rounds<'p> {
    pub(super) list: &'p [usize],
    pub(super) looping: Looping<'p>,
    /// So many at a time.
    pub(super) at_once: usize,
}

/// A parallel step, whose lanes do.
pub(super) struct Lanes<'p> {
    pub(super) node: &'p Node,
    pub(super) started_at: Timestamp,
    /// Its beginning was recorded, so its end must be, too.
    pub(super) is_recorded: bool,
    /// What the steps before it gave: each lane starts from it.
    pub(super) before: Option<Scope>,
    pub(super) arms: &'p [Arm],
    pub(super) begun: usize,
    /// The last output of each lane.
    pub(super) results: Vec<Value>,
}

/// A strand that is to begin.
struct Begins<'p> {
    list: &'p [usize],
    scope: Scope,
    /// Of a loop.
    round: Option<usize>,
    /// Whether anybody asks for what it gives.
    keeps_result: bool,
}

impl<'p> Strands<'p> {
    fn node(&self) -> &'p Node {
        match self {
            Strands::Rounds(rounds) => rounds.looping.node,
            Strands::Lanes(lanes) => lanes.node,
        }
    }

    /// Returns how many run at a time.
    fn at_once(&self) -> usize {
        match self {
            Strands::Rounds(rounds) => rounds.at_once,
            Strands::Lanes(lanes) => lanes.arms.len(),
        }
    }

    /// Returns the next one, with its number.
    fn next(&mut self) -> Option<(usize, Begins<'p>)> {
        match self {
            Strands::Rounds(rounds) => {
                let Rounds { list, looping, .. } = rounds.as_mut();
                let round = looping.begun;
                let begins = Begins {
                    list,
                    scope: looping.next_round()?,
                    round: Some(round),
                    keeps_result: looping.keeps_results(),
                };
                Some((round, begins))
            }
            Strands::Lanes(lanes) => {
                let number = lanes.begun;
                let arm = lanes.arms.get(number)?;
                lanes.begun += 1;
                let begins = Begins {
                    list: &arm.list,
                    scope: lanes.before.clone()?,
                    round: None,
                    keeps_result: true,
                };
                Some((number, begins))
            }
        }
    }

    /// Keeps what one gave that came to its end.
    fn keep(&mut self, number: usize, result: Value) -> Result<(), Thrown> {
        match self {
            Strands::Rounds(rounds) => rounds.looping.keep_result(number, result),
            Strands::Lanes(lanes) => {
                if let Some(of_lane) = lanes.results.get_mut(number) {
                    *of_lane = result;
                }
                Ok(())
            }
        }
    }
}

/// What makes a strand a part of something.
pub(super) struct Strand {
    halt: Arc<Halt>,
    /// A try around it catches what fails in it.
    pub(super) is_caught: bool,
    /// Its last output, once it is known.
    pub(super) result: Value,
    /// Whether anybody asks for that: else it is not kept.
    pub(super) keeps_result: bool,
    /// Strands that wait in containers within it.
    parked: usize,
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

/// Strands that a run has at once, of all containers in each other, those that wait included. Each
/// container goes on with one strand at least. So where containers have more strands together, one
/// that was begun and waits may have to wait on for others that go on before it.
const STRANDS: usize = 100;

impl<C, J, O> Whole<'_, C, J, O> {
    /// Returns whether a strand may begin beside others.
    fn has_room(&self) -> bool {
        self.strands.load(Ordering::Relaxed) + self.parked.load(Ordering::Relaxed) < STRANDS
    }
}

/// Counts a strand for as long as there is one.
struct Place<'w>(&'w AtomicUsize);

impl<'w> Place<'w> {
    fn of(strands: &'w AtomicUsize) -> Self {
        strands.fetch_add(1, Ordering::Relaxed);
        Self(strands)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How a strand ended.
struct Ended {
    number: usize,
    end: Result<Value, End>,
    /// Strands that wait within it.
    parked: usize,
    watch: Watch,
    part: Part,
}

/// Why strands did not come to their end, taken together.
#[derive(Default)]
struct Ends {
    /// What ends the execution, whatever else happened; a doubt before anything else, and anything
    /// else before [`End::Unavailable`] and [`End::HandedBack`]: what another end interrupted is
    /// recorded, and the next execution would take that for a failure like others.
    of_run: Option<End>,
    /// The first failure that a try may catch.
    thrown: Option<Thrown>,
    is_halted: bool,
    /// What those wait for that call, with their numbers.
    calls: Vec<(usize, Calls)>,
    /// The earliest time for which one waits.
    until: Option<Timestamp>,
}

impl Ends {
    /// Returns whether none ended but those that wait.
    fn are_waits(&self) -> bool {
        self.of_run.is_none() && self.thrown.is_none() && !self.is_halted
    }

    /// Notes one; returns whether the others have to end, too.
    fn note(&mut self, number: usize, end: End) -> bool {
        match end {
            End::Waiting(until) => {
                self.until = Some(self.until.map_or(until, |known| known.min(until)));
                return false;
            }
            End::Calling(calls) => {
                self.calls.push((number, *calls));
                return false;
            }
            End::Thrown(thrown) => {
                self.thrown.get_or_insert(thrown);
            }
            End::Halted => self.is_halted = true,
            end @ End::InDoubt(_) => self.of_run = Some(end),
            end => {
                if matches!(self.of_run, None | Some(End::Unavailable | End::HandedBack)) {
                    self.of_run = Some(end);
                }
            }
        }
        true
    }
}

impl<'p, C: Clock, J: Journal, O: Outside> Run<'p, C, J, O> {
    /// Runs all strands, some at once.
    pub(super) async fn at_once(&mut self, mut strands: Strands<'p>) -> Result<(), End> {
        if let Some(end) = self.ended_badly(&strands) {
            return Err(end);
        }
        let halt = Arc::new(Halt {
            given: AtomicBool::new(false),
            around: self.strand.as_ref().map(|strand| strand.halt.clone()),
        });
        // A test that ends at some step goes there one after the other.
        let most = if self.part.has_end() {
            1
        } else {
            strands.at_once()
        };
        let (mut ends, mut parked, mut ended_so_far) = (Ends::default(), 0, 0_usize);
        let mut parked_within = 0;
        // A strand goes on with the watch of the one whose place it takes.
        let mut watches: Vec<Watch> = Vec::new();
        let mut running = FuturesUnordered::new();
        loop {
            while running.len() + parked < most
                && (running.len() + parked == 0 || self.whole.has_room())
                && !halt.is_given()
                && let Some((number, begins)) = strands.next()
            {
                let watch = watches.pop().unwrap_or_else(|| self.watch.clone());
                running.push(self.strand(begins, watch, &halt).finished(number));
            }
            let Some(ended) = running.next().await else {
                break;
            };
            watches.push(ended.watch);
            parked_within += ended.parked;
            ended_so_far += 1;
            if ended_so_far.is_multiple_of(TURN) {
                tokio::task::yield_now().await;
            }
            if ended.end.is_ok() && self.part.join(&ended.part) {
                return Ok(());
            }
            let end = match ended.end {
                Ok(result) => match strands.keep(ended.number, result) {
                    Ok(()) => continue,
                    Err(thrown) => End::Thrown(thrown),
                },
                // Nothing more may be touched.
                Err(End::Lost) => return Err(End::Lost),
                Err(end) => end,
            };
            if ends.note(ended.number, end) {
                halt.given.store(true, Ordering::Relaxed);
            } else {
                parked += 1;
                self.parked.fetch_add(1, Ordering::Relaxed);
            }
        }
        drop(running);
        if ends.are_waits() {
            if let Some(strand) = &mut self.strand {
                strand.parked += parked + parked_within;
            }
        } else {
            // Nobody waits for them any more.
            let given_up = parked + parked_within;
            self.parked.fetch_sub(given_up, Ordering::Relaxed);
        }
        watches.iter().for_each(|watch| self.watch.join(watch));
        if let Some(end) = ends.of_run {
            if let End::InDoubt(error) = &end {
                self.note_end(&strands, StepState::InDoubt, Value::Null, error);
            }
            return Err(end);
        }
        if let Some(thrown) = ends.thrown {
            let mut output = thrown.error.clone();
            let given = self.given();
            if given.has_responded {
                output[RESPONDED] = given.result.clone().into();
            }
            drop(given);
            self.note_end(&strands, StepState::Failed, output, "A step in it failed.");
            return Err(End::Thrown(thrown));
        }
        if ends.is_halted || halt.is_given() {
            return Err(End::Halted);
        }
        if !ends.calls.is_empty() {
            let calls = Calls::together(ends.calls, ends.until);
            return Err(End::Calling(Box::new(calls)));
        }
        match (ends.until, strands) {
            (Some(until), _) => Err(End::Waiting(until)),
            (None, Strands::Rounds(rounds)) => self.end_loop(rounds.looping),
            (None, Strands::Lanes(lanes)) => self.end_parallel(lanes),
        }
    }

    /// Returns a strand of this one.
    fn strand(&self, begins: Begins<'p>, watch: Watch, halt: &Arc<Halt>) -> Run<'p, C, J, O> {
        let mut rounds = self.rounds.clone();
        if let Some(round) = begins.round {
            self.records.begin_round();
            rounds.push(u32::try_from(round).unwrap_or(u32::MAX));
        }
        Run {
            whole: self.whole,
            watch,
            frames: vec![Frame::new(begins.list, begins.scope)],
            part: self.part.of_strand(),
            rounds,
            steps_taken: 0,
            strand: Some(Strand {
                halt: halt.clone(),
                is_caught: self.is_caught(),
                result: Value::Null,
                keeps_result: begins.keeps_result,
                parked: 0,
            }),
        }
    }

    /// Runs this strand until it can go no further. The type is written out, because strands may
    /// have strands of their own.
    fn finished(mut self, number: usize) -> BoxFuture<'p, Ended> {
        let place = Place::of(&self.whole.strands);
        Box::pin(async move {
            let _place = place;
            let mut end = self.interpret().await;
            // Nobody may come by for long who would append what a write of this strand did.
            if !matches!(end, Err(End::Lost))
                && self.records.has_write()
                && let Err(lost) = self.append().await
            {
                end = Err(lost);
            }
            let strand = self.strand;
            let (result, parked) =
                strand.map_or((Value::Null, 0), |strand| (strand.result, strand.parked));
            Ended {
                number,
                end: end.map(|()| result),
                parked,
                watch: self.watch,
                part: self.part,
            }
        })
    }

    /// Returns how the container ended before this execution, if that was badly.
    fn ended_badly(&self, strands: &Strands<'p>) -> Option<End> {
        let ended = self.records.known(&self.path(strands.node()))?;
        match (ended.state, ended.output) {
            (StepState::InDoubt, _) => Some(End::InDoubt(ended.error.unwrap_or_default())),
            (StepState::Failed, Value::Object(mut error)) => {
                // What answered in it is not done again.
                if let Some(result) = error.shift_remove(RESPONDED) {
                    let mut given = self.given();
                    given.has_responded = true;
                    given.result = Some(result).filter(|_| self.program.is_called);
                }
                Some(End::Thrown(Thrown::again(error.into())))
            }
            _ => None,
        }
    }

    /// Records how the container ended, which its strands alone do not say: some have still steps
    /// to do.
    fn note_end(&self, strands: &Strands<'p>, state: StepState, output: Value, error: &str) {
        let (started_at, input) = match strands {
            Strands::Rounds(rounds) => (
                rounds.looping.started_at,
                rounds.looping.told.clone().into_input(),
            ),
            Strands::Lanes(lanes) => (lanes.started_at, Value::Null),
        };
        let record = self.record(strands.node(), started_at, state);
        self.records.effect(StepRecord {
            input,
            output,
            error: Some(error.to_owned()),
            ..record
        });
    }
}
