//! JSON whose texts may hold expressions, parsed once.

use serde_json::{Map, Value};

use super::result::Budget;
use super::{Scope, Template, TemplateError, has_expressions};

/// A JSON value with its templates parsed.
#[derive(Debug)]
pub enum ValueTemplate {
    /// Holds no expression anywhere.
    Literal(Value),
    /// A text with expressions.
    Template(Template),
    /// A list with an expression somewhere in it.
    Array(Vec<ValueTemplate>),
    /// An object with an expression somewhere in its values; keys are literal.
    Object(Vec<(String, ValueTemplate)>),
}

impl ValueTemplate {
    /// Parses every text in a JSON value.
    ///
    /// # Errors
    /// The first text that does not parse.
    pub fn parse(value: &Value) -> Result<Self, TemplateError> {
        Ok(match value {
            Value::String(text) if has_expressions(text) => Self::Template(Template::parse(text)?),
            Value::Array(items) => {
                let items = items
                    .iter()
                    .map(Self::parse)
                    .collect::<Result<Vec<_>, _>>()?;
                if items.iter().all(Self::is_literal) {
                    Self::Literal(value.clone())
                } else {
                    Self::Array(items)
                }
            }
            Value::Object(map) => {
                let entries = map
                    .iter()
                    .map(|(key, item)| Ok((key.clone(), Self::parse(item)?)))
                    .collect::<Result<Vec<_>, _>>()?;
                if entries.iter().all(|(_, item)| item.is_literal()) {
                    Self::Literal(value.clone())
                } else {
                    Self::Object(entries)
                }
            }
            literal => Self::Literal(literal.clone()),
        })
    }

    /// Returns whether the value holds no expression.
    pub fn is_literal(&self) -> bool {
        matches!(self, Self::Literal(_))
    }

    /// Returns the value with every expression evaluated.
    ///
    /// # Errors
    /// The first expression that cannot be evaluated, or that all together give more than
    /// [`crate::limit::RESULT_BYTES`].
    pub fn evaluate(&self, scope: &Scope) -> Result<Value, TemplateError> {
        self.evaluate_within(scope, &mut Budget::default())
    }

    fn evaluate_within(&self, scope: &Scope, budget: &mut Budget) -> Result<Value, TemplateError> {
        match self {
            Self::Literal(value) => Ok(value.clone()),
            Self::Template(template) => template.evaluate_within(scope, budget),
            Self::Array(items) => items
                .iter()
                .map(|item| item.evaluate_within(scope, budget))
                .collect::<Result<_, _>>()
                .map(Value::Array),
            Self::Object(entries) => entries
                .iter()
                .map(|(key, item)| Ok((key.clone(), item.evaluate_within(scope, budget)?)))
                .collect::<Result<Map<_, _>, _>>()
                .map(Value::Object),
        }
    }
}
