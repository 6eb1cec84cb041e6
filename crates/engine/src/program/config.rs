//! The fields of a step, parsed as the catalog says.

use domain::catalog;
use domain::schema::{Field, FieldKind};
use domain::template::{JsonText, Scope, Template, ValueTemplate};
use serde_json::{Map, Value};

/// The fields that apply, in the catalog's order; evaluated together for each visit.
#[derive(Debug)]
pub(crate) struct Config {
    fields: Box<[Compiled]>,
}

#[derive(Debug)]
struct Compiled {
    name: String,
    /// What the field is called on screen.
    title: String,
    value: Parsed,
}

#[derive(Debug)]
enum Parsed {
    Value(ValueTemplate),
    Condition(Template),
    Json(JsonText),
}

impl Config {
    pub(super) fn compile(
        action: &catalog::Action,
        config: &Map<String, Value>,
    ) -> Result<Self, String> {
        let mut fields = Vec::new();
        for field in action
            .input
            .fields
            .iter()
            .filter(|field| may_apply(field, config))
        {
            let value = config.get(&field.name).filter(|value| !is_blank(value));
            match value {
                None if field.required && field.default.is_none() => {
                    return Err(format!("{} is missing. Fill it in.", field.title));
                }
                None => {}
                Some(value) => {
                    let parsed =
                        parse(field, value).map_err(|error| format!("{}: {error}", field.title))?;
                    fields.push(Compiled {
                        name: field.name.clone(),
                        title: field.title.clone(),
                        value: parsed,
                    });
                }
            }
        }
        Ok(Self {
            fields: fields.into(),
        })
    }

    /// Returns the fields with every expression evaluated.
    ///
    /// # Errors
    /// A sentence that names the field.
    pub(crate) fn evaluate(&self, scope: &Scope) -> Result<Map<String, Value>, String> {
        let mut config = Map::new();
        for field in &*self.fields {
            let value = match &field.value {
                Parsed::Value(template) => template.evaluate(scope).map_err(|e| e.message),
                Parsed::Condition(template) => template.evaluate(scope).map_err(|e| e.message),
                Parsed::Json(text) => text.evaluate(scope).map_err(|e| e.message),
            };
            let value = value.map_err(|message| format!("{}: {message}", field.title))?;
            config.insert(field.name.clone(), value);
        }
        Ok(config)
    }
}

/// Returns whether a field can matter: it applies, or an expression decides whether it does.
fn may_apply(field: &Field, config: &Map<String, Value>) -> bool {
    field.applies(config)
        || field.show_when.as_ref().is_some_and(|(other, _)| {
            config
                .get(other)
                .and_then(Value::as_str)
                .is_some_and(|value| value.contains("{{"))
        })
}

/// An optional field that was emptied counts as not given.
fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        _ => false,
    }
}

fn parse(field: &Field, value: &Value) -> Result<Parsed, String> {
    match (&field.kind, value) {
        (FieldKind::Condition, Value::String(text)) => Template::parse_condition(text)
            .map(Parsed::Condition)
            .map_err(|error| error.message),
        (FieldKind::Json, Value::String(text)) if text.contains("{{") => JsonText::parse(text)
            .map(Parsed::Json)
            .map_err(|error| error.message),
        (FieldKind::Json, Value::String(text)) => serde_json::from_str(text)
            .map(|json| Parsed::Value(ValueTemplate::Literal(json)))
            .map_err(|error| format!("this is not JSON: {error}.")),
        (FieldKind::Code(_), Value::String(_)) => {
            Ok(Parsed::Value(ValueTemplate::Literal(value.clone())))
        }
        // White space around one whole expression must not turn its value into a text.
        (
            FieldKind::Number { .. } | FieldKind::List | FieldKind::Choice(_),
            Value::String(text),
        ) => ValueTemplate::parse(&Value::from(text.trim()))
            .map(Parsed::Value)
            .map_err(|error| error.message),
        _ => ValueTemplate::parse(value)
            .map(Parsed::Value)
            .map_err(|error| error.message),
    }
}
