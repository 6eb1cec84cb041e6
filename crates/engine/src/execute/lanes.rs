//! Steps that hold lanes: branches, and loops with their rounds. Tries are in [`super::catching`].

use domain::run::{StepRecord, StepState};
use domain::{Timestamp, limit};
use serde_json::{Map, Value, json};

use super::End;
use super::catching::{FAILED, Thrown};
use super::frame::{Frame, Looping, Results};
use super::record::{ROUNDS, measure};
use super::run::Run;
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
    ) -> Result<(), End> {
        let items = match config.remove("items") {
            Some(Value::Array(items)) => items,
            other => {
                let kind = step::kind_of(other.as_ref().unwrap_or(&Value::Null));
                let error = format!(
                    "The list to go through is {kind}. Give one whole expression that is a list."
                );
                return self.fail(node, started_at, Value::Object(config), error);
            }
        };
        if items.len() > limit::LOOP_ITEMS {
            let error = format!(
                "The list has {} items, but a loop goes through at most {}. Take it in parts.",
                items.len(),
                limit::LOOP_ITEMS
            );
            return self.fail(node, started_at, Value::Null, error);
        }
        let count = items.len();
        let bytes: usize = items
            .iter()
            .take(ITEMS_SHOWN)
            .map(|item| measure(item).0)
            .sum();
        let shown = if bytes <= ITEMS_SHOWN && count < ITEMS_SHOWN {
            Value::Array(items.clone())
        } else {
            Value::String(format!("[{count} items, left out of the record]"))
        };
        let input = json!({"items": shown});
        let Some(before) = self.frames.last().map(|frame| frame.scope.clone()) else {
            return Ok(());
        };
        let is_recorded = self.records.is_detailed(self.is_in_loop());
        if is_recorded {
            let begun = self.record(node, started_at, StepState::Started);
            self.records.begin(StepRecord {
                input: input.clone(),
                finished_at: None,
                ..begun
            });
        }
        let mut frame = Frame::new(list, before.clone());
        frame.next = list.len();
        frame.looping = Some(Box::new(Looping {
            node,
            started_at,
            input,
            is_recorded,
            before,
            items: items.into_iter(),
            count,
            begun: 0,
            results: Results::new(),
        }));
        self.frames.push(frame);
        self.rounds.push(0);
        Ok(())
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
        if looping.begun > 0
            && let Err(thrown) = looping.keep_result()
        {
            frame.looping = Some(looping);
            self.frames.push(frame);
            return Err(End::Thrown(thrown));
        }
        let Some(item) = looping.items.next() else {
            return self.end_loop(*looping);
        };
        self.records.begin_round();
        if let Some(round) = self.rounds.last_mut() {
            *round = u32::try_from(looping.begun).unwrap_or(u32::MAX);
        }
        frame.scope = looping
            .before
            .round(&looping.node.slug, &item, looping.begun);
        frame.next = 0;
        looping.begun += 1;
        frame.looping = Some(looping);
        self.frames.push(frame);
        Ok(())
    }

    fn end_loop(&mut self, looping: Looping<'p>) -> Result<(), End> {
        self.rounds.pop();
        let Looping {
            node,
            started_at,
            input,
            is_recorded,
            count,
            results,
            ..
        } = looping;
        let mut output = json!({"count": count, "results": results.values});
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
        self.records.pure(StepRecord {
            input,
            output,
            ..record
        });
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
    }
}

impl Looping<'_> {
    /// Keeps the last output of the round that ended.
    fn keep_result(&mut self) -> Result<(), Thrown> {
        let result = self.results.of_round.take();
        let bytes = self.results.bytes + measure(&result).0;
        if !self.node.is_used && (self.results.are_cut || bytes > RESULTS_SHOWN) {
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
        self.results.values.push(result);
        Ok(())
    }
}
