//! JSON written as text, with expressions in it: `{"name": "{{ trigger.body.name }}", "lines": {{ trigger.body.lines }}}`.
//!
//! Inside quotes an expression's text is escaped, outside it stands as JSON. So no value can
//! break out of its place and add fields to what is sent. [`check`] tells before the run whether
//! such a text can become JSON at all.

use std::ops::Range;

use serde_json::Value;

use super::result::Budget;
use super::{Scope, Template, TemplateError, scan};
use crate::payload::{self, JsonRefusal};

/// A JSON text, parsed into literal parts and expressions.
#[derive(Debug)]
pub struct JsonText {
    length: usize,
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    Literal(String),
    /// Between quotes: becomes part of a text.
    Quoted(Template),
    /// A value of its own.
    Bare(Template),
    /// Ends in `| tojson`: is JSON already.
    Encoded(Template),
}

impl JsonText {
    /// Parses the expressions of a text.
    ///
    /// # Errors
    /// As [`Template::parse`]. Whether the rest is JSON is seen when they have their values.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut end_of_last = 0;
        for hole in holes(text)? {
            if hole.outer.start > end_of_last {
                let literal = &text[end_of_last..hole.outer.start];
                parts.push(Part::Literal(literal.to_owned()));
            }
            end_of_last = hole.outer.end;
            let inner = hole.outer.start + 2..hole.outer.end - 2;
            let is_encoded = is_encoded(&text[inner.clone()]);
            let template = Template::of_one(text, inner)?;
            parts.push(match hole.quotes {
                Quotes::Closed if is_encoded => Part::Encoded(template),
                Quotes::Closed => Part::Bare(template),
                _ => Part::Quoted(template),
            });
        }
        parts.push(Part::Literal(text[end_of_last..].to_owned()));
        Ok(Self {
            length: text.len(),
            parts,
        })
    }

    /// Returns the JSON with every expression filled in.
    ///
    /// # Errors
    /// When an expression cannot be evaluated, all together give more than
    /// [`crate::limit::RESULT_BYTES`], or the result is not JSON.
    pub fn evaluate(&self, scope: &Scope) -> Result<Value, TemplateError> {
        let mut budget = Budget::default();
        let mut json = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(literal) => json.push_str(literal),
                Part::Bare(template) => {
                    let value = template.evaluate_within(scope, &mut budget)?;
                    json.push_str(&value.to_string());
                }
                Part::Encoded(template) => match template.evaluate_within(scope, &mut budget)? {
                    Value::String(text) if payload::check_json(&text).is_ok() => {
                        json.push_str(&text);
                    }
                    value => json.push_str(&value.to_string()),
                },
                Part::Quoted(template) => {
                    let text = match template.evaluate_within(scope, &mut budget)? {
                        Value::String(text) => text,
                        value => value.to_string(),
                    };
                    let escaped = Value::String(text).to_string();
                    json.push_str(&escaped[1..escaped.len() - 1]);
                }
            }
        }
        serde_json::from_str(&json).map_err(|error| TemplateError {
            message: format!(
                "with its values filled in, this is not JSON: {error}. Check its quotes and commas."
            ),
            at: 0..self.length,
        })
    }
}

fn is_encoded(source: &str) -> bool {
    source
        .rsplit_once('|')
        .is_some_and(|(_, filter)| filter.trim().starts_with("tojson"))
}

/// Checks that a text is JSON, whatever values its expressions get. Says nothing where that
/// depends on the values, nor about the expressions themselves.
///
/// # Errors
/// Why it is not JSON, with the place in the text.
pub(crate) fn check(text: &str) -> Result<(), JsonRefusal> {
    match holes(text) {
        Ok(holes) if holes.is_empty() => payload::check_json(text),
        Ok(holes) => filled(text, &holes).map_or(Ok(()), |json| payload::check_json(&json)),
        Err(_) => Ok(()),
    }
}

/// Returns the text with a plain value in place of each expression, as long as the expression
/// where it can be, so that places stay right. `None` when the values decide what a text says.
fn filled(text: &str, holes: &[Hole]) -> Option<String> {
    let bytes = text.as_bytes();
    let mut json = String::with_capacity(text.len());
    let mut end_of_last = 0;
    for (index, hole) in holes.iter().enumerate() {
        let outer = hole.outer.clone();
        json.push_str(&text[end_of_last..outer.start]);
        end_of_last = outer.end;
        let follows = index > 0 && holes[index - 1].outer.end == outer.start;
        let precedes = holes
            .get(index + 1)
            .is_some_and(|next| next.outer.start == outer.end);
        let before = outer.start.checked_sub(1).map(|at| bytes[at]);
        let beside = [before, bytes.get(outer.end).copied()];
        match hole.quotes {
            Quotes::Open => json.extend(bytes[outer].iter().map(|_| 'x')),
            Quotes::Escaping | Quotes::Digits(_) => return None,
            // Two of them side by side, or one beside digits, can only be parts of one number.
            Quotes::Closed
                if follows || precedes || beside.into_iter().flatten().any(is_of_number) =>
            {
                json.push('1');
            }
            // A text can also stand where a name has to.
            Quotes::Closed => {
                json.push_str("\"\"");
                let rest = bytes[outer].iter().skip(2);
                json.extend(rest.map(|byte| if *byte == b'\n' { '\n' } else { ' ' }));
            }
        }
    }
    json.push_str(&text[end_of_last..]);
    Some(json)
}

const fn is_of_number(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')
}

/// One expression of a JSON text.
struct Hole {
    /// Where it stands, with its braces.
    outer: Range<usize>,
    /// What it stands in.
    quotes: Quotes,
}

/// What a place in a JSON text is inside of.
#[derive(Clone, Copy)]
enum Quotes {
    /// No text.
    Closed,
    /// A text.
    Open,
    /// A text, right behind a `\`.
    Escaping,
    /// A text, inside of `\u` and its four digits, of which so many are missing.
    Digits(u8),
}

impl Quotes {
    fn after(self, literal: &str) -> Self {
        literal
            .bytes()
            .fold(self, |quotes, byte| match (quotes, byte) {
                (Quotes::Closed, b'"') => Quotes::Open,
                (Quotes::Closed, _) => Quotes::Closed,
                (Quotes::Escaping, b'u') => Quotes::Digits(4),
                (Quotes::Escaping, _) => Quotes::Open,
                (Quotes::Digits(more @ 2..), byte) if byte.is_ascii_hexdigit() => {
                    Quotes::Digits(more - 1)
                }
                (_, b'"') => Quotes::Closed,
                (_, b'\\') => Quotes::Escaping,
                _ => Quotes::Open,
            })
    }

    /// What an expression does: it fills up an escape that is under way.
    const fn after_hole(self) -> Self {
        match self {
            Quotes::Closed => Quotes::Closed,
            _ => Quotes::Open,
        }
    }
}

fn holes(text: &str) -> Result<Vec<Hole>, TemplateError> {
    let mut holes = Vec::new();
    let (mut quotes, mut end_of_last) = (Quotes::Closed, 0);
    for piece in scan::pieces(text)? {
        let outer = piece?.outer;
        quotes = quotes.after(&text[end_of_last..outer.start]);
        end_of_last = outer.end;
        holes.push(Hole { outer, quotes });
        quotes = quotes.after_hole();
    }
    Ok(holes)
}
