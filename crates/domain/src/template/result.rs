//! From what MiniJinja computes to JSON, within bounds, and from its errors to sentences.

use minijinja::value::{Value as Computed, ValueKind};
use minijinja::{Error, ErrorKind};
use serde_json::{Map, Number, Value};

use super::Compiled;
use super::fault::short;
use super::grammar::{self, Found};
use super::scope::Scope;
use crate::limit;

/// Deepest nesting of a result; deeper than any JSON that came in from outside.
const DEPTH: usize = 250;

/// What results may still take up. Fuel bounds the work but not what one value used many times
/// becomes when it is written out.
pub(super) struct Budget(usize);

impl Default for Budget {
    fn default() -> Self {
        Self(limit::RESULT_BYTES)
    }
}

impl Budget {
    fn spend(&mut self, bytes: usize) -> Result<(), Failure> {
        self.0 = self.0.checked_sub(bytes).ok_or(Failure::TooLarge)?;
        Ok(())
    }

    /// Takes what a value needs that is passed on as it is.
    pub(super) fn take(&mut self, value: &Value) -> Result<(), Failure> {
        self.take_at(value, 0)
    }

    fn take_at(&mut self, value: &Value, depth: usize) -> Result<(), Failure> {
        self.spend(2)?;
        if depth > DEPTH {
            return Err(Failure::TooLarge);
        }
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
            Value::String(text) => self.spend(text.len()),
            Value::Array(items) => {
                let mut items = items.iter();
                items.try_for_each(|item| self.take_at(item, depth + 1))
            }
            Value::Object(map) => map.iter().try_for_each(|(name, item)| {
                self.spend(name.len())?;
                self.take_at(item, depth + 1)
            }),
        }
    }
}

/// Why an expression has no result.
pub(super) enum Failure {
    /// MiniJinja says so.
    Computing(Error),
    /// It is a value that is not there.
    Undefined,
    /// It holds something that JSON cannot say.
    NotJson(&'static str),
    /// It is too large.
    TooLarge,
}

/// Returns the JSON value of an expression.
pub(super) fn evaluated(
    compiled: &Compiled,
    scope: &Scope,
    budget: &mut Budget,
) -> Result<Value, Failure> {
    let computed = compiled.eval(scope.root()).map_err(Failure::Computing)?;
    export(&computed, budget, 0)
}

fn export(computed: &Computed, budget: &mut Budget, depth: usize) -> Result<Value, Failure> {
    budget.spend(2)?;
    if depth > DEPTH {
        return Err(Failure::TooLarge);
    }
    match computed.kind() {
        ValueKind::Undefined => Err(Failure::Undefined),
        ValueKind::None => Ok(Value::Null),
        ValueKind::Bool => Ok(Value::Bool(computed.is_true())),
        ValueKind::Number => number(computed).map(Value::Number),
        ValueKind::String => {
            let text = computed.as_str().unwrap_or_default();
            budget.spend(text.len())?;
            Ok(Value::String(text.to_owned()))
        }
        ValueKind::Seq | ValueKind::Iterable => {
            let items = computed.try_iter().map_err(Failure::Computing)?;
            let items = items.map(|item| export(&item, budget, depth + 1));
            items.collect::<Result<_, _>>().map(Value::Array)
        }
        ValueKind::Map => {
            let mut map = Map::new();
            for key in computed.try_iter().map_err(Failure::Computing)? {
                let item = computed.get_item(&key).map_err(Failure::Computing)?;
                let name = match key.as_str() {
                    Some(name) => name.to_owned(),
                    None if key.is_number() => key.to_string(),
                    None if key.kind() == ValueKind::Bool => key.is_true().to_string(),
                    None => return Err(Failure::NotJson("a name that is not a text")),
                };
                budget.spend(name.len())?;
                map.insert(name, export(&item, budget, depth + 1)?);
            }
            Ok(Value::Object(map))
        }
        ValueKind::Invalid => match computed.try_iter() {
            Err(error) => Err(Failure::Computing(error)),
            Ok(_) => Err(Failure::NotJson("a value that could not be computed")),
        },
        ValueKind::Bytes => Err(Failure::NotJson("bytes")),
        _ => Err(Failure::NotJson("a function")),
    }
}

fn number(computed: &Computed) -> Result<Number, Failure> {
    if !computed.is_integer() {
        let number = f64::try_from(computed.clone())
            .ok()
            .and_then(Number::from_f64);
        return number.ok_or(Failure::NotJson(
            "a number without end, such as one divided by 0",
        ));
    }
    if let Ok(number) = i64::try_from(computed.clone()) {
        return Ok(number.into());
    }
    match u64::try_from(computed.clone()) {
        Ok(number) => Ok(number.into()),
        Err(_) => Err(Failure::NotJson("a number beyond 64 bits")),
    }
}

impl Failure {
    /// Says why, in a sentence. Repeats names that the expression has, never data of the run.
    pub(super) fn explain(&self, source: &str, scope: &Scope) -> String {
        let shown = short(source);
        match self {
            Failure::Undefined => missing(source, scope).unwrap_or_else(|| {
                format!("`{shown}` has no value here. Give it one, or use `| default(…)`.")
            }),
            Failure::NotJson(what) => format!("`{shown}` gives {what}, which cannot be passed on."),
            Failure::TooLarge => format!(
                "`{shown}` gives more than {} MB. Pass on less of it.",
                limit::RESULT_BYTES / 1024 / 1024
            ),
            Failure::Computing(error) if error.kind() == ErrorKind::UndefinedError => missing(
                source, scope,
            )
            .unwrap_or_else(|| {
                format!(
                    "`{shown}` uses a value that is not there. Give it one, or use `| default(…)`."
                )
            }),
            Failure::Computing(error) => refusal(error, source),
        }
    }
}

/// Says which name of an expression is the first that is not there.
fn missing(source: &str, scope: &Scope) -> Option<String> {
    let mut found = Found::default();
    grammar::read(source, 0, &mut found).ok()?;
    found.references().find_map(|(names, _)| {
        let mut value = scope.root();
        for (index, name) in names.iter().enumerate() {
            let next = value.get_attr(name).unwrap_or_default();
            if next.is_undefined() {
                return Some(no_such(&names[..index], name, &value));
            }
            value = next;
        }
        None
    })
}

fn no_such(path: &[&str], name: &str, holder: &Computed) -> String {
    let path = path.join(".");
    match (path.as_str(), holder.kind()) {
        ("", _) if name == "item" || name == "index" => {
            format!("`{name}` has no value here: it is only there inside a loop.")
        }
        ("", _) => format!("There is no value called `{name}`."),
        ("steps", _) => format!("`steps.{name}` has no value here: that step has not run."),
        (_, ValueKind::Map) => {
            format!("`{path}` has no `{name}`. Where it may be missing, use `| default(…)`.")
        }
        (_, kind) => format!("`{path}` is {}, so it has no `{name}`.", noun(kind)),
    }
}

fn noun(kind: ValueKind) -> &'static str {
    match kind {
        ValueKind::None | ValueKind::Undefined => "null",
        ValueKind::Bool => "true or false",
        ValueKind::Number => "a number",
        ValueKind::String => "a text",
        ValueKind::Seq | ValueKind::Iterable => "a list",
        _ => "no object",
    }
}

/// Says why MiniJinja refuses an expression.
pub(super) fn refusal(error: &Error, source: &str) -> String {
    let shown = short(source.trim());
    let detail = error.detail().unwrap_or_default();
    match error.kind() {
        ErrorKind::OutOfFuel => {
            format!("`{shown}` does too much work. Split it into several steps, or use a loop.")
        }
        ErrorKind::SyntaxError if detail.contains("too large") => {
            format!("`{shown}` holds a number that is too large.")
        }
        ErrorKind::SyntaxError => {
            format!("`{shown}` is not an expression. Look at its numbers and quotes.")
        }
        ErrorKind::BadEscape => {
            format!(
                "`{shown}` holds a `\\` with something unknown behind it. Write `\\\\` for the sign itself."
            )
        }
        ErrorKind::UnknownFilter => {
            format!("`{shown}` uses a filter that does not exist. See the list of filters.")
        }
        ErrorKind::UnknownTest => format!("`{shown}` uses a test that does not exist behind `is`."),
        ErrorKind::UnknownFunction => format!("`{shown}` calls a function that does not exist."),
        ErrorKind::UnknownMethod => {
            format!(
                "`{shown}` calls something that cannot be called. Use a filter, such as `value | length`."
            )
        }
        ErrorKind::TooManyArguments => {
            format!("`{shown}` gives more values in brackets than are taken.")
        }
        ErrorKind::MissingArgument => format!("`{shown}` lacks a value in brackets."),
        kind if detail.is_empty() => format!("`{shown}` cannot be computed: {kind}."),
        _ => match plain(detail) {
            Some(said) => format!("`{shown}` cannot be computed: {said}."),
            None => format!("`{shown}` cannot be computed: {detail}."),
        },
    }
}

/// Says what MiniJinja says about operators, without the values that it repeats.
fn plain(detail: &str) -> Option<String> {
    if detail.starts_with("unable to calculate") {
        return Some("a division by 0, or a number that gets too large".to_owned());
    }
    let (operator, types) = detail
        .strip_prefix("tried to use ")?
        .split_once(" operator on unsupported types ")?;
    let (left, right) = types.split_once(" and ")?;
    let noun = |kind: &str| match kind {
        "undefined" | "none" => "null",
        "bool" => "true or false",
        "number" => "a number",
        "string" => "a text",
        "sequence" | "iterable" => "a list",
        "map" => "an object",
        _ => "something else",
    };
    let mut said = format!(
        "`{operator}` does not go with {} and {}",
        noun(left),
        noun(right)
    );
    if operator == "+" && (left == "string" || right == "string") {
        said.push_str("; to put texts together, use `~`");
    }
    Some(said)
}
