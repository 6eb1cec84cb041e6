//! Gathers what is found while one step, or the trigger, is looked at.

use serde_json::Value;

use super::{At, Beyond, Problem};
use crate::template::{self, CallKind, FILTERS, FUNCTIONS, Found, Read, TESTS, TemplateError};
use crate::{LaneId, StepId};

/// Collects what is found while looking at one step or trigger; used again for the next one.
#[derive(Default)]
pub(super) struct Collector<'a> {
    pub(super) place: Place<'a>,
    pub(super) problems: Vec<Problem>,
    found: Found<'a>,
    /// Where expressions stand, each with how many references there are up to its end.
    pub(super) expressions: Vec<(usize, Place<'a>)>,
    /// The names that decide what the references mean, as numbers; gathered by the check of scopes.
    pub(super) mentions: Vec<u64>,
    /// The values of the fields of a schema, in its order.
    pub(super) values: Vec<Option<&'a Value>>,
    pub(super) beyond: Beyond,
}

/// An [`At`] without copies, made into one when there is something to say.
#[derive(Clone, Copy, Default)]
pub(super) struct Place<'a> {
    pub(super) step: Option<StepId>,
    pub(super) lane: Option<LaneId>,
    pub(super) prefix: &'static str,
    pub(super) field: Option<&'a str>,
    pub(super) entry: Option<&'a str>,
}

impl Place<'_> {
    fn at(&self) -> At {
        At {
            step: self.step,
            lane: self.lane,
            field: self.field.map(|field| format!("{}{field}", self.prefix)),
            entry: self.entry.map(str::to_owned),
        }
    }
}

impl<'a> Collector<'a> {
    /// Returns an empty one that knows this beyond the document.
    pub(super) fn of(beyond: Beyond) -> Self {
        Self {
            beyond,
            ..Self::default()
        }
    }

    /// Starts anew.
    pub(super) fn clear(&mut self) {
        self.place = Place::default();
        self.problems.clear();
        self.found.clear();
        self.expressions.clear();
    }

    /// Returns what the expressions use, with the place of each.
    pub(super) fn uses(&self) -> impl Iterator<Item = (&[&'a str], impl Fn() -> At)> {
        let mut expression = 0;
        self.found
            .references()
            .enumerate()
            .map(move |(index, (names, _))| {
                while self
                    .expressions
                    .get(expression)
                    .is_some_and(|(end, _)| *end <= index)
                {
                    expression += 1;
                }
                let place = self.expressions.get(expression).map(|(_, place)| *place);
                (names, move || place.unwrap_or_default().at())
            })
    }

    pub(super) fn say(&mut self, message: impl Into<String>, mend: impl Into<String>) {
        let (at, message, mend) = (self.place.at(), message.into(), mend.into());
        self.problems.push(Problem { at, message, mend });
    }

    /// Notes what reading some expressions gave. A text that could not be read counts as one, of
    /// which nothing else is told.
    fn read(&mut self, read: impl FnOnce(&mut Found<'a>) -> Result<Read, TemplateError>) -> Read {
        let (references, calls) = (self.found.count(), self.found.calls.len());
        let read = match read(&mut self.found) {
            Ok(read) => {
                self.check_calls(calls);
                read
            }
            Err(error) => {
                self.found.cut(references, calls);
                self.say(error.message, "Mend the expression between {{ and }}.");
                Read {
                    count: 1,
                    whole: true,
                }
            }
        };
        if read.count > 0 {
            self.expressions.push((self.found.count(), self.place));
        }
        read
    }

    pub(super) fn text(&mut self, text: &'a str) -> Read {
        self.read(|found| template::read(text, found))
    }

    pub(super) fn condition(&mut self, text: &'a str) {
        let one = |()| Read {
            count: 1,
            whole: true,
        };
        self.read(|found| template::read_condition(text, found).map(one));
    }

    fn check_calls(&mut self, from: usize) {
        for index in from..self.found.calls.len() {
            let call = &self.found.calls[index];
            let (known, what, such): (&[&str], _, _) = match call.kind {
                CallKind::Filter => (&FILTERS, "filter", "`lower`, `default` or `length`"),
                CallKind::Function => (&FUNCTIONS, "function", "`range`"),
                CallKind::Test => (&TESTS, "test", "`defined`, `none` or `number`"),
            };
            if !is_among(known, call.name) {
                let message = format!("There is no {what} called `{}`.", call.name);
                self.say(message, format!("Use another {what}, such as {such}."));
            }
        }
    }
}

/// Returns whether a list has a name. A glance at length and first byte saves most comparisons,
/// which cost more in the browser than on the server.
fn is_among(list: &[&str], name: &str) -> bool {
    let first = name.as_bytes().first();
    list.iter()
        .any(|one| one.len() == name.len() && one.as_bytes().first() == first && *one == name)
}
