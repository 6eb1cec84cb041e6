//! Steps that hold lanes: branches, and loops with their rounds. Tries are in [`super::catching`].

use domain::run::{StepRecord, StepState};
use domain::template::{Items, Scope};
use domain::{Timestamp, limit};
use serde_json::{Map, Value, json};

use super::End;
use super::catching::{FAILED, Thrown};
use super::frame::{Frame, Looping, Results, Told};
use super::record::{ROUNDS, measure};
use super::run::Run;
use super::strand::{Lanes, Rounds};
use crate::port::{Clock, Journal, Outside};
use crate::program::{Arm, Node};
use crate::step;

/// Results of a loop that are kept when some expression uses them, in bytes of JSON.
const RESULTS_USED: usize = 64 * 1024 * 1024;
/// Results of a loop that are kept for its record only.
const RESULTS_SHOWN: usize = 64 * 1024;
/// Largest list that is recorded whole as a loop's input.
const ITEMS_SHOWN: usize = 16 * 1024;

impl<'p, C: Clock, J: Journal, O: Outside> Run<'p, C, J, O> {
    pub(super) fn branch(
        &mut self,
        node: &'p Node,
        started_at: Timestamp,
        arms: &'p [Arm],
    ) -> Result<(), End> {
        let Some(frame) = self.frames.last() else {
            return Ok(());
        };
        let scope = frame.scope.clone();
        let mut judged = Map::new();
        let mut chosen = None;
        for arm in arms {
            let holds = match &arm.when {
                None => true,
                Some(when) => match when.evaluate(&scope) {
                    Ok(value) => step::holds(&value),
                    Err(error) => {
                        let error = format!("Condition of lane `{}`: {error}", arm.name);
                        return self.fail(node, started_at, Value::Object(judged), error);
                    }
                },
            };
            if arm.when.is_some() {
                judged.insert(arm.name.clone(), holds.into());
            }
            if holds {
                chosen = Some(arm);
                break;
            }
        }
        let lane = chosen.map(|arm| arm.name.as_str());
        self.succeed(
            node,
            started_at,
            Value::Object(judged),
            json!({"lane": lane}),
        )?;
        // What happens in a lane is seen in that lane only; its scope goes with its frame.
        self.frames
            .extend(chosen.map(|arm| Frame::new(&arm.list, scope)));
        Ok(())
    }

    pub(super) fn begin_loop(
        &mut self,
        node: &'p Node,
        started_at: Timestamp,
        mut config: Map<String, Value>,
        list: &'p [usize],
    ) -> Result<Option<Rounds<'p>>, End> {
        let items = match config.remove("items") {
            Some(Value::Array(items)) => items,
            other => {
                let kind = step::kind_of(other.as_ref().unwrap_or(&Value::Null));
                let error = format!(
                    "The list to go through is {kind}. Give one whole expression that is a list."
                );
                return self.fails(node, started_at, Value::Object(config), error);
            }
        };
        let at_once = match at_once(&config) {
            Ok(at_once) => at_once,
            Err(error) => return self.fails(node, started_at, Value::Object(config), error),
        };
        if items.len() > limit::LOOP_ITEMS {
            let error = format!(
                "The list has {} items, but a loop goes through at most {}. Take it in parts.",
                items.len(),
                limit::LOOP_ITEMS
            );
            return self.fails(node, started_at, Value::Null, error);
        }
        let count = items.len();
        let bytes: usize = items
            .iter()
            .take(ITEMS_SHOWN)
            .map(|item| measure(item).0)
            .sum();
        let is_shown = bytes <= ITEMS_SHOWN && count < ITEMS_SHOWN;
        let told = |items: Value| {
            let mut told = Value::from_iter([("items", items)]);
            if at_once > 1 {
                told["at_once"] = at_once.into();
            }
            told
        };
        let too_many = || format!("[{count} items, left out of the record]");
        let told = Told {
            items: Items::of(told(items.into())),
            shown: (!is_shown).then(|| told(too_many().into())),
        };
        let Some(before) = self.frames.last().map(|frame| frame.scope.clone()) else {
            return Ok(None);
        };
        let is_recorded = self.records.is_detailed(self.is_in_loop());
        if is_recorded {
            let begun = StepRecord {
                finished_at: None,
                ..self.record(node, started_at, StepState::Started)
            };
            self.records.begin_loop(begun, &told);
        }
        let looping = Looping {
            node,
            started_at,
            told,
            is_recorded,
            before,
            count,
            begun: 0,
            results: Results::new(),
        };
        // A test that ends at some step shows one way to it.
        if at_once > 1 && !self.part.has_end() {
            return Ok(Some(Rounds {
                list,
                looping,
                at_once,
            }));
        }
        let mut frame = Frame::new(list, looping.before.clone());
        frame.next = list.len();
        frame.looping = Some(Box::new(looping));
        self.frames.push(frame);
        self.rounds.push(0);
        Ok(None)
    }

    /// Begins the lanes of a parallel step.
    pub(super) fn begin_parallel(
        &mut self,
        node: &'p Node,
        started_at: Timestamp,
        arms: &'p [Arm],
    ) -> Lanes<'p> {
        let is_recorded = self.records.is_detailed(self.is_in_loop());
        if is_recorded {
            let begun = self.record(node, started_at, StepState::Started);
            self.records.begin(StepRecord {
                finished_at: None,
                ..begun
            });
        }
        Lanes {
            node,
            started_at,
            is_recorded,
            before: self.frames.last().map(|frame| frame.scope.clone()),
            arms,
            begun: 0,
            results: vec![Value::Null; arms.len()],
        }
    }

    /// Gives and records what the lanes of a parallel step gave.
    pub(super) fn end_parallel(&mut self, lanes: Lanes<'p>) -> Result<(), End> {
        let names = lanes.arms.iter().map(|arm| arm.name.clone());
        let results: Map<String, Value> = names.zip(lanes.results).collect();
        let output = Value::from_iter([("results", results)]);
        self.give(lanes.node, &output);
        if lanes.is_recorded {
            let record = self.record(lanes.node, lanes.started_at, StepState::Succeeded);
            self.records.pure(StepRecord { output, ..record });
        }
        Ok(())
    }

    fn fails(
        &mut self,
        node: &'p Node,
        started_at: Timestamp,
        input: Value,
        error: String,
    ) -> Result<Option<Rounds<'p>>, End> {
        self.fail(node, started_at, input, error).map(|()| None)
    }

    /// Goes on after the last step of a list: to the loop's next round, or out of the list.
    pub(super) fn end_list(&mut self) -> Result<(), End> {
        let Some(mut frame) = self.frames.pop() else {
            return Ok(());
        };
        if let Some(trying) = frame.trying.take() {
            self.end_try(*trying);
            return Ok(());
        }
        let Some(mut looping) = frame.looping.take() else {
            return Ok(());
        };
        if looping.begun > 0 {
            let result = looping.results.of_round.take();
            if let Err(thrown) = looping.keep_result(looping.begun - 1, result) {
                frame.looping = Some(looping);
                self.frames.push(frame);
                return Err(End::Thrown(thrown));
            }
        }
        let round = u32::try_from(looping.begun).unwrap_or(u32::MAX);
        let Some(scope) = looping.next_round() else {
            self.rounds.pop();
            // Its last round shares the items, which are recorded now.
            drop(frame);
            return self.end_loop(*looping);
        };
        self.records.begin_round();
        if let Some(last) = self.rounds.last_mut() {
            *last = round;
        }
        frame.scope = scope;
        frame.next = 0;
        frame.looping = Some(looping);
        self.frames.push(frame);
        Ok(())
    }

    /// Gives and records what the rounds gave.
    pub(super) fn end_loop(&mut self, looping: Looping<'p>) -> Result<(), End> {
        let Looping {
            node,
            started_at,
            told,
            is_recorded,
            count,
            results,
            ..
        } = looping;
        let mut output = Value::from_iter([
            ("count", Value::from(count)),
            ("results", results.values.into()),
        ]);
        self.give(node, &output);
        if !is_recorded {
            return Ok(());
        }
        if results.are_cut {
            output["results"] =
                "[left out of the record: the results are large and no step uses them]".into();
        }
        if count > 0 && !self.records.is_detailed(true) {
            output["note"] = format!("Of one run, the steps of the first {ROUNDS} rounds are recorded. Of later rounds, only requests and failures are.").into();
        }
        let record = self.record(node, started_at, StepState::Succeeded);
        self.records.end_loop(StepRecord { output, ..record }, told);
        Ok(())
    }

    /// Ends the round of the innermost loop, or the run, at a filter that did not pass.
    pub(super) fn end_early(&mut self) {
        while let Some(mut frame) = self.frames.pop() {
            if let Some(trying) = frame.trying.take() {
                self.end_try(*trying);
            }
            if let Some(looping) = &mut frame.looping {
                frame.next = frame.list.len();
                looping.results.of_round = Value::Null;
                self.frames.push(frame);
                return;
            }
        }
        if let Some(strand) = &mut self.strand {
            strand.result = Value::Null;
        }
    }
}

/// Returns how many rounds may run beside each other.
fn at_once(config: &Map<String, Value>) -> Result<usize, String> {
    let most = limit::LOOP_AT_ONCE;
    let value = match config.get("at_once") {
        None | Some(Value::Null) => return Ok(1),
        Some(value) => value,
    };
    let number = step::number(value).filter(|number| number.fract() == 0.0);
    let number = number.filter(|number| (1.0..=f64::from(most)).contains(number));
    let number = number.ok_or_else(|| {
        format!("Rounds at once must be a whole number from 1 to {most}. Give such a number.")
    })?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is small, whole and not negative"
    )]
    let number = number as usize;
    Ok(number)
}

impl Looping<'_> {
    /// Returns whether the outputs of further rounds are kept.
    pub(super) fn keeps_results(&self) -> bool {
        self.node.is_used || !self.results.are_cut
    }

    /// Begins the next round: returns what its steps see.
    pub(super) fn next_round(&mut self) -> Option<Scope> {
        let round = self.begun;
        if round == self.count {
            return None;
        }
        self.begun += 1;
        let (slug, items) = (&self.node.slug, &self.told.items);
        Some(self.before.round_of(slug, items, round))
    }

    /// Keeps the last output of a round that ended.
    pub(super) fn keep_result(&mut self, round: usize, result: Value) -> Result<(), Thrown> {
        if !self.keeps_results() {
            return Ok(());
        }
        let bytes = self.results.bytes + measure(&result).0;
        if !self.node.is_used && bytes > RESULTS_SHOWN {
            self.results.values.clear();
            self.results.are_cut = true;
            return Ok(());
        }
        if bytes > RESULTS_USED {
            let megabytes = RESULTS_USED / (1024 * 1024);
            let message = format!(
                "the outputs of its rounds are larger than {megabytes} MB together. End each round with a step that gives less, such as Set values."
            );
            return Err(Thrown::new(self.node, &message, FAILED));
        }
        self.results.bytes = bytes;
        let values = &mut self.results.values;
        if values.len() <= round {
            values.resize(round + 1, Value::Null);
        }
        values[round] = result;
        Ok(())
    }
}
