//! Texts with `{{ expressions }}`: parse once, evaluate often, the same in browser and server.
//!
//! Expressions are MiniJinja's, without statements, macros or loading: no I/O, no recursion,
//! strict about undefined values and bounded by fuel. A text that is one expression keeps the
//! expression's JSON type; in mixed text, texts are put in as they are and all else as JSON.

mod compiled;
mod complete;
mod date;
mod expression;
mod fault;
mod filter;
mod grammar;
mod json_text;
mod marks;
mod preview;
mod result;
mod scan;
mod scope;
mod token;
mod value;
pub mod vocabulary;

use std::ops::Range;
use std::sync::LazyLock;

use minijinja::{Environment, UndefinedBehavior};
use serde_json::Value;
use thiserror::Error;

use crate::limit;
use expression::Expression;
use result::Budget;

pub use complete::{Completion, Suggestion, Suggests, complete, insertion, is_inside};
pub(crate) use fault::short;
pub(crate) use grammar::{CallKind, Found};
pub use json_text::JsonText;
pub(crate) use json_text::check as check_json_text;
pub use marks::{Mark, Marked, marks};
pub use preview::{Preview, Reads, preview};
pub(crate) use scan::{
    Anew, Read, Rename, has_expressions, read, read_condition, renamed_text, rewritten_text,
};
pub use scan::{Call, Reference, Scanned, check, check_condition, rename_step, scan};
pub use scope::{Items, Scope};
pub use value::ValueTemplate;

/// Names that an expression may start with.
pub const ROOTS: [&str; 5] = ["trigger", "steps", "item", "index", "run"];

/// The filters, sorted: what may stand behind `|`.
pub const FILTERS: [&str; 51] = [
    "abs",
    "attr",
    "batch",
    "bool",
    "capitalize",
    "chain",
    "count",
    "d",
    "date_add",
    "date_format",
    "date_offset",
    "date_parse",
    "default",
    "dictsort",
    "first",
    "float",
    "format",
    "groupby",
    "html",
    "indent",
    "int",
    "items",
    "join",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "select",
    "selectattr",
    "slice",
    "slug",
    "sort",
    "split",
    "string",
    "sum",
    "title",
    "tojson",
    "trim",
    "truncate",
    "unique",
    "upper",
    "zip",
];

/// The functions, sorted: what may be called.
pub const FUNCTIONS: [&str; 2] = ["dict", "range"];

/// The tests, sorted: what may stand behind `is`.
pub const TESTS: [&str; 32] = [
    "boolean",
    "defined",
    "divisibleby",
    "endingwith",
    "eq",
    "equalto",
    "even",
    "false",
    "float",
    "ge",
    "greaterthan",
    "gt",
    "in",
    "int",
    "integer",
    "iterable",
    "le",
    "lessthan",
    "lower",
    "lt",
    "mapping",
    "ne",
    "none",
    "number",
    "odd",
    "sameas",
    "sequence",
    "startingwith",
    "string",
    "true",
    "undefined",
    "upper",
];

/// A text that was parsed: literal parts and compiled expressions.
#[derive(Debug)]
pub struct Template {
    parts: Box<[Part]>,
}

#[derive(Debug)]
enum Part {
    Text(String),
    Expression(Expression),
}

/// Why a text could not be parsed or evaluated.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct TemplateError {
    /// What is wrong, in the user's words.
    pub message: String,
    /// Where, as a range of bytes of the text.
    pub at: Range<usize>,
}

/// What MiniJinja makes of an expression.
type Compiled = minijinja::Expression<'static, 'static>;

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(limit::TEMPLATE_FUEL));
    // What is left out is about HTML, or would show the inside of the engine.
    for name in ["e", "escape", "safe", "pprint"] {
        environment.remove_filter(name);
    }
    for name in ["safe", "escaped", "filter", "test"] {
        environment.remove_test(name);
    }
    for name in ["debug", "namespace"] {
        environment.remove_global(name);
    }
    filter::add(&mut environment);
    environment
});

impl Template {
    /// Parses a text.
    ///
    /// # Errors
    /// When `{{` is not closed, an expression is empty or is not one, or the text is longer
    /// than [`limit::TEMPLATE_BYTES`].
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut end_of_last = 0;
        for piece in scan::pieces(text)? {
            let piece = piece?;
            if piece.outer.start > end_of_last {
                parts.push(Part::Text(text[end_of_last..piece.outer.start].to_owned()));
            }
            end_of_last = piece.outer.end;
            parts.push(Part::Expression(Expression::parse(text, piece.inner)?));
        }
        if end_of_last < text.len() {
            parts.push(Part::Text(text[end_of_last..].to_owned()));
        }
        Ok(Self {
            parts: parts.into(),
        })
    }

    /// Parses a condition: one expression, with or without braces around it.
    ///
    /// # Errors
    /// As [`Template::parse`], and when there is text beside the expression.
    pub fn parse_condition(text: &str) -> Result<Self, TemplateError> {
        Self::of_one(text, scan::condition(text)?)
    }

    /// Parses one expression, which stands in this part of a text.
    fn of_one(text: &str, inner: Range<usize>) -> Result<Self, TemplateError> {
        Ok(Self {
            parts: Box::new([Part::Expression(Expression::parse(text, inner)?)]),
        })
    }

    /// Returns whether the text holds no expression at all.
    pub fn is_literal(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Part::Text(_)))
    }

    /// Returns the value: of the expression when it stands alone, else the filled-in text.
    ///
    /// # Errors
    /// When an expression uses something that is not there, cannot be computed, runs out of fuel,
    /// or gives more than [`limit::RESULT_BYTES`].
    pub fn evaluate(&self, scope: &Scope) -> Result<Value, TemplateError> {
        self.evaluate_within(scope, &mut Budget::default())
    }

    fn evaluate_within(&self, scope: &Scope, budget: &mut Budget) -> Result<Value, TemplateError> {
        if let [Part::Expression(expression)] = &*self.parts {
            return expression.evaluate(scope, budget);
        }
        let mut text = String::new();
        for part in &*self.parts {
            match part {
                Part::Text(literal) => text.push_str(literal),
                Part::Expression(expression) => match expression.evaluate(scope, budget)? {
                    Value::String(value) => text.push_str(&value),
                    value => text.push_str(&value.to_string()),
                },
            }
        }
        Ok(Value::String(text))
    }
}

/// Knows the syntax only. Whether filters, tests and functions exist is the scanner's to say, so a
/// page that checks expressions and evaluates none need not load what they do.
static SYNTAX: LazyLock<Environment<'static>> = LazyLock::new(Environment::empty);

fn check_syntax(source: &str, at: Range<usize>) -> Result<(), TemplateError> {
    compile_in(&SYNTAX, source, at).map(drop)
}

fn compile(source: &str, at: Range<usize>) -> Result<Compiled, TemplateError> {
    compile_in(&ENVIRONMENT, source, at)
}

fn compile_in(
    environment: &'static Environment<'static>,
    source: &str,
    at: Range<usize>,
) -> Result<Compiled, TemplateError> {
    let compiled = environment.compile_expression_owned(source.to_owned());
    compiled.map_err(|error| TemplateError {
        message: result::refusal(&error, source),
        at,
    })
}

#[cfg(test)]
mod tests;
