//! The parameters of an operation: those of its path, and its own, which go before them.

use serde_json::{Map, Value};

use super::reference::Resolver;

/// Where a parameter goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Where {
    Path,
    Query,
    Header,
    Cookie,
}

/// One parameter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parameter<'a> {
    pub(super) name: &'a str,
    pub(super) place: Where,
    pub(super) is_required: bool,
    pub(super) is_deprecated: bool,
    pub(super) description: Option<&'a str>,
    /// How a list or an object is written; `json` when it is as JSON.
    pub(super) style: &'a str,
    pub(super) is_exploded: bool,
    pub(super) schema: &'a Value,
    pub(super) example: Option<&'a Value>,
}

/// Most parameters of one operation.
const MOST: usize = 500;

/// What a parameter without a schema is.
static ANY: Value = Value::Bool(true);

/// Returns the parameters of an operation.
///
/// # Errors
/// A sentence, when one cannot be found that is referred to: without it the request may be wrong.
pub(super) fn all<'a>(
    resolver: Resolver<'a>,
    item: &'a Map<String, Value>,
    operation: &'a Map<String, Value>,
) -> Result<Vec<Parameter<'a>>, String> {
    let mut all: Vec<Parameter<'a>> = Vec::new();
    for object in [item, operation] {
        let given = object.get("parameters").and_then(Value::as_array);
        for parameter in given.into_iter().flatten().take(MOST) {
            let parameter = resolver
                .follow(parameter)
                .map_err(|why| format!("A parameter: {why}."))?;
            let Some(parameter) = read(parameter) else {
                continue;
            };
            let same = |other: &Parameter<'_>| {
                other.place == parameter.place
                    && match parameter.place {
                        Where::Header => other.name.eq_ignore_ascii_case(parameter.name),
                        _ => other.name == parameter.name,
                    }
            };
            match all.iter_mut().find(|other| same(other)) {
                Some(other) => *other = parameter,
                None => all.push(parameter),
            }
        }
    }
    Ok(all)
}

fn read(parameter: &Value) -> Option<Parameter<'_>> {
    let text = |key: &str| parameter.get(key).and_then(Value::as_str);
    let is_true = |key: &str| parameter.get(key) == Some(&Value::Bool(true));
    let name = text("name").filter(|name| !name.is_empty())?;
    let place = match text("in")? {
        "path" => Where::Path,
        "query" => Where::Query,
        "header" => Where::Header,
        "cookie" => Where::Cookie,
        _ => return None,
    };
    let default = if matches!(place, Where::Query | Where::Cookie) {
        "form"
    } else {
        "simple"
    };
    let content = parameter.get("content").and_then(Value::as_object);
    let content = content.and_then(|content| content.values().next());
    let style = match (content, text("style")) {
        (Some(_), _) => "json",
        (None, style) => style.unwrap_or(default),
    };
    let explode = parameter.get("explode").and_then(Value::as_bool);
    let schema = content
        .and_then(|content| content.get("schema"))
        .or_else(|| parameter.get("schema"));
    let examples = parameter.get("examples").and_then(Value::as_object);
    let example = examples
        .and_then(|all| all.values().next())
        .and_then(|one| one.get("value"));
    Some(Parameter {
        name,
        place,
        is_required: place == Where::Path || is_true("required"),
        is_deprecated: is_true("deprecated"),
        description: text("description"),
        style,
        is_exploded: explode.unwrap_or(style == "form"),
        schema: schema.unwrap_or(&ANY),
        example: parameter.get("example").or(example),
    })
}
