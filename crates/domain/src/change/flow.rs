//! What each step of a document sends, and to whom.
//!
//! Values are followed to where they come from: through steps that only give them another name,
//! and through loops. So a value is found also when it goes a long way round.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Receiver;
use super::between::is_hidden;
use super::tree::Tree;
use crate::catalog::Effect;
use crate::code;
use crate::document::Step;
use crate::schema::FieldKind;
use crate::template::{self, Found};

/// Most places that are looked at to find out what one request sends.
const LOOKED_AT: usize = 2_000;
/// Most steps that a value is followed through.
const FOLLOWED: usize = 16;
/// What stands for the method of a call of an integration.
const CALL: &str = "call";
/// What stands for the method of an e-mail.
pub(super) const MAIL: &str = "e-mail";
/// What stand for the methods of a query that may write, and of one that the database keeps from it.
const WRITING: &str = "query that may write";
const READING: &str = "query that only reads";
/// What stand for the methods of a component that may write, and of one that the engine keeps from it.
pub(super) const WRITER: &str = "component that may write";
pub(super) const READER: &str = "component that only reads";
/// The items of a list, in the path of a value.
const ITEMS: &str = "[]";

/// A step that sends something.
pub(super) struct Call {
    /// The step's number.
    pub(super) step: usize,
    /// Whom it sends to.
    pub(super) receiver: Receiver,
    /// Its method, such as `POST`; what it says when that is an expression.
    pub(super) method: String,
    /// It may change something there.
    pub(super) is_write: bool,
    /// What it sends.
    pub(super) values: Values,
}

/// Values by their path, with what the path is called in the document. In the path a step goes by
/// its id, so that one value has one path in two documents.
pub(super) type Values = BTreeMap<Vec<String>, String>;

/// A document and the steps that send something.
pub(super) struct Flow<'a> {
    pub(super) tree: &'a Tree<'a>,
    /// Steps by slug.
    pub(super) slugs: BTreeMap<&'a str, usize>,
    pub(super) calls: Vec<Call>,
}

impl<'a> Flow<'a> {
    pub(super) fn new(tree: &'a Tree<'a>) -> Self {
        let there = (0..tree.count()).filter(|step| tree.spot(*step).is_some());
        let slugs = there
            .clone()
            .map(|step| (tree.step(step).slug.as_str(), step))
            .collect();
        let mut flow = Self {
            tree,
            slugs,
            calls: Vec::new(),
        };
        flow.calls = there.filter_map(|step| flow.call(step)).collect();
        flow
    }

    /// Returns the call of a step.
    pub(super) fn of(&self, step: usize) -> Option<&Call> {
        let at = self.calls.binary_search_by_key(&step, |call| call.step);
        at.ok().map(|at| &self.calls[at])
    }

    fn call(&self, number: usize) -> Option<Call> {
        let step = self.tree.step(number);
        let action = step.action()?;
        let effect = action.effect(&step.config);
        let receiver = Receiver::of_step(step, effect)?;
        let mut traced = Traced {
            left: LOOKED_AT,
            ..Traced::default()
        };
        for field in &action.input.fields {
            if let Some(value) = step.config.get(&field.name)
                && !is_hidden(&action.input, field, &step.config)
            {
                let is_condition = field.kind == FieldKind::Condition;
                self.look_into(number, value, is_condition, &[], &mut traced);
            }
        }
        Some(Call {
            step: number,
            method: method(step, &receiver, effect).to_owned(),
            receiver,
            // What a declaration says of the effect of a request is not taken for granted. The
            // engine holds a component to it.
            is_write: effect == Effect::Write
                || step.declared().is_some_and(|declared| {
                    declared.component().is_none() && !declared.operation().method.is_safe()
                }),
            values: traced.values,
        })
    }

    /// Follows everything that a value of a step uses; `rest` leads into the value.
    fn look_into(
        &self,
        step: usize,
        value: &'a Value,
        is_condition: bool,
        rest: &[&'a str],
        traced: &mut Traced<'a>,
    ) {
        match (value, rest) {
            (Value::String(text), _) => {
                for (mut names, is_whole) in references(text, is_condition) {
                    if is_whole {
                        names.extend(rest);
                    }
                    self.trace(step, names, traced);
                }
            }
            (Value::Object(map), [key, rest @ ..]) if map.contains_key(*key) => {
                self.look_into(step, &map[*key], false, rest, traced);
            }
            (Value::Object(map), _) => {
                map.values()
                    .for_each(|value| self.look_into(step, value, false, &[], traced));
            }
            (Value::Array(items), rest) => {
                let rest = rest.split_first().map_or(rest, |(_, rest)| rest);
                items
                    .iter()
                    .for_each(|item| self.look_into(step, item, false, rest, traced));
            }
            _ => {}
        }
    }

    /// Follows one reference of a step to where its value comes from.
    fn trace(&self, step: usize, names: Vec<&'a str>, traced: &mut Traced<'a>) {
        if traced.left == 0 || !traced.seen.insert((step, names.clone())) {
            return;
        }
        traced.left -= 1;
        traced.depth += 1;
        match names.as_slice() {
            ["trigger", ..] => traced.note(
                names.iter().map(|name| (*name).to_owned()).collect(),
                &names,
            ),
            ["item", rest @ ..] => {
                let around = self
                    .around(step)
                    .find(|step| self.tree.step(*step).kind == "loop");
                if let Some(around) = around {
                    self.trace_item(around, rest, traced);
                }
            }
            ["steps", slug, rest @ ..] => {
                if let Some(&other) = self.slugs.get(slug) {
                    self.trace_output(step, other, &names, rest, traced);
                }
            }
            _ => {}
        }
        traced.depth -= 1;
    }

    fn trace_output(
        &self,
        step: usize,
        other: usize,
        names: &[&'a str],
        rest: &[&'a str],
        traced: &mut Traced<'a>,
    ) {
        let source: &Step = self.tree.step(other);
        match (source.kind.as_str(), rest) {
            (
                "set"
                | "log"
                | "loop"
                | "csv.read"
                | "csv.write"
                | "json.read"
                | "json.write"
                | "xml.read"
                | "xml.write"
                | code::STEP,
                _,
            ) if traced.depth > FOLLOWED => traced.output(self, other, rest, names),
            ("set", _) => {
                if let Some(values) = source.config.get("values") {
                    self.look_into(other, values, false, rest, traced);
                }
            }
            ("log", ["message", ..]) => {
                if let Some(message) = source.config.get("message") {
                    self.look_into(other, message, false, &[], traced);
                }
            }
            // All that is in a text, or in rows, goes on with what is made of it.
            ("csv.read" | "json.read" | "xml.read", _) => {
                if let Some(text) = source.config.get("text") {
                    self.look_into(other, text, false, &[], traced);
                }
            }
            ("csv.write", ["text", ..]) => {
                if let Some(rows) = source.config.get("rows") {
                    self.look_into(other, rows, false, &[], traced);
                }
            }
            ("json.write" | "xml.write", ["text", ..]) => {
                if let Some(value) = source.config.get("value") {
                    self.look_into(other, value, false, &[], traced);
                }
            }
            // What the code takes out of it is not told by looking at it.
            (code::STEP, _) => {
                if let Some(input) = source.config.get("input") {
                    self.look_into(other, input, false, &[], traced);
                }
            }
            ("loop", ["item", rest @ ..]) if self.around(step).any(|around| around == other) => {
                self.trace_item(other, rest, traced);
            }
            ("loop", ["index", ..]) => {}
            _ => traced.output(self, other, rest, names),
        }
    }

    fn trace_item(&self, around: usize, rest: &[&'a str], traced: &mut Traced<'a>) {
        if let Some(items) = self.tree.step(around).config.get("items") {
            let rest: Vec<&str> = std::iter::once(ITEMS).chain(rest.iter().copied()).collect();
            self.look_into(around, items, false, &rest, traced);
        }
    }

    /// Returns whether a step stands before another one that runs, so that its output is there and
    /// it may have ended the run.
    pub(super) fn sees(&self, step: usize, other: usize) -> bool {
        let Some(spot) = self.tree.spot(other) else {
            return false;
        };
        let mut way = std::iter::once(step).chain(self.around(step));
        way.any(|at| {
            let is_loop = at != step && at == other && self.tree.step(at).kind == "loop";
            let stands = self.tree.spot(at);
            is_loop || stands.is_some_and(|at| at.list == spot.list && spot.index < at.index)
        })
    }

    /// Returns the containers that a step is in, from the innermost.
    pub(super) fn around(&self, step: usize) -> impl Iterator<Item = usize> {
        let outer = |step: usize| Some(self.tree.owner(self.tree.spot(step)?.list)?.0);
        std::iter::successors(outer(step), move |step| outer(*step))
    }
}

/// Returns the method by which a step sends something, or what stands for it.
fn method<'s>(step: &'s Step, receiver: &Receiver, effect: Effect) -> &'s str {
    match (receiver, step.declared()) {
        (Receiver::Integration(_), _) => CALL,
        (Receiver::Mail(_), _) => MAIL,
        (Receiver::Database(_), _) if effect == Effect::Write => WRITING,
        (Receiver::Database(_), _) => READING,
        (Receiver::Component { .. }, _) if effect == Effect::Write => WRITER,
        (Receiver::Component { .. }, _) => READER,
        (_, Some(declared)) => declared.operation().method.word(),
        (_, None) => {
            let method = step.config.get("method").and_then(Value::as_str);
            method.unwrap_or("request")
        }
    }
}

/// What was found so far of what one step sends.
#[derive(Default)]
struct Traced<'a> {
    values: Values,
    seen: BTreeSet<(usize, Vec<&'a str>)>,
    /// How many places may still be looked at.
    left: usize,
    /// Through how many steps the way goes here.
    depth: usize,
}

impl Traced<'_> {
    /// Notes an output of a step that comes from nowhere else.
    fn output(&mut self, flow: &Flow<'_>, step: usize, rest: &[&str], names: &[&str]) {
        let id = flow.tree.id(step).to_string();
        let rest = rest.iter().map(|name| (*name).to_owned());
        self.note(std::iter::once(id).chain(rest).collect(), names);
    }

    fn note(&mut self, path: Vec<String>, names: &[&str]) {
        self.values
            .insert(path, names.join(".").replace(".[]", ITEMS));
    }
}

/// Returns the slugs of the steps that a value uses.
pub(super) fn slugs(value: &Value, is_condition: bool) -> BTreeSet<&str> {
    let mut slugs = BTreeSet::new();
    let mut open = vec![(value, is_condition)];
    while let Some((value, is_condition)) = open.pop() {
        match value {
            Value::String(text) => slugs.extend(slugs_of(text, is_condition)),
            Value::Array(items) => open.extend(items.iter().map(|item| (item, false))),
            Value::Object(map) => open.extend(map.values().map(|item| (item, false))),
            _ => {}
        }
    }
    slugs
}

/// Returns the slugs of the steps that a text uses.
pub(super) fn slugs_of(text: &str, is_condition: bool) -> impl Iterator<Item = &str> {
    let used = references(text, is_condition).into_iter();
    used.filter_map(|(names, _)| match names.as_slice() {
        ["steps", slug, ..] => Some(*slug),
        _ => None,
    })
}

/// Returns what a text uses, each with whether it is all of the text.
fn references(text: &str, is_condition: bool) -> Vec<(Vec<&str>, bool)> {
    if !is_condition && !template::has_expressions(text) {
        return Vec::new();
    }
    let mut found = Found::default();
    // What cannot be read to its end is no expression yet, but what it begins to use counts.
    let is_whole = if is_condition {
        let _ = template::read_condition(text, &mut found);
        false
    } else {
        template::read(text, &mut found).is_ok_and(|read| read.whole)
    };
    let inside = text
        .get(2..text.len().saturating_sub(2))
        .unwrap_or_default()
        .trim()
        .len();
    let references = found.references().map(|(names, mention)| {
        let is_all = is_whole && mention.at.len() == inside;
        (names.to_vec(), is_all)
    });
    references.collect()
}
