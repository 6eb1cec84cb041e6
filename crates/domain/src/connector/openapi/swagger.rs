//! Rewrites a description of version 2.0 into what the reader of 3.x reads.
//!
//! Only what is read is rewritten: paths, servers and security. Definitions stay where they are, so
//! that references to them lead where they led.

use serde_json::{Map, Value, json};

use super::reference::Resolver;

/// What 2.0 says of a parameter itself and 3.x says of its schema.
const OF_SCHEMA: [&str; 16] = [
    "type",
    "format",
    "items",
    "enum",
    "default",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "pattern",
    "x-nullable",
    "x-example",
];

/// Returns the document as one of 3.0.
pub(super) fn upgraded(document: &Value) -> Value {
    let resolver = Resolver::new(document);
    let mut upgraded = document.clone();
    let Value::Object(root) = &mut upgraded else {
        return upgraded;
    };
    root.insert("servers".into(), servers(document));
    let consumes = texts(document.get("consumes"));
    let produces = texts(document.get("produces"));
    let mut paths = Map::new();
    let given = document.get("paths").and_then(Value::as_object);
    for (path, item) in given.into_iter().flatten() {
        let Ok(Value::Object(item)) = resolver.follow(item) else {
            paths.insert(path.clone(), item.clone());
            continue;
        };
        let shared: Vec<&Value> = parameters(&resolver, item.get("parameters"));
        let mut path_item = Map::new();
        for (key, value) in item {
            let operation = match value {
                Value::Object(operation) if key != "parameters" => {
                    operation_of(&resolver, operation, &shared, &consumes, &produces)
                }
                _ if key == "parameters" => continue,
                other => other.clone(),
            };
            path_item.insert(key.clone(), operation);
        }
        paths.insert(path.clone(), Value::Object(path_item));
    }
    root.insert("paths".into(), Value::Object(paths));
    let schemes = document
        .get("securityDefinitions")
        .and_then(Value::as_object);
    let schemes: Map<String, Value> = schemes
        .into_iter()
        .flatten()
        .map(|(name, scheme)| (name.clone(), security(scheme)))
        .collect();
    root.insert("components".into(), json!({ "securitySchemes": schemes }));
    upgraded
}

fn texts(list: Option<&Value>) -> Vec<String> {
    let list = list.and_then(Value::as_array).into_iter().flatten();
    list.filter_map(|text| text.as_str().map(str::to_owned))
        .collect()
}

fn servers(document: &Value) -> Value {
    let text = |key: &str| {
        document
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let schemes = texts(document.get("schemes"));
    let scheme = match schemes.first() {
        Some(first) if !schemes.iter().any(|scheme| scheme == "https") => first.as_str(),
        _ => "https",
    };
    match text("host") {
        "" => json!([{ "url": text("basePath") }]),
        host => json!([{ "url": format!("{scheme}://{host}{}", text("basePath")) }]),
    }
}

fn parameters<'a>(resolver: &Resolver<'a>, list: Option<&'a Value>) -> Vec<&'a Value> {
    let list = list.and_then(Value::as_array).into_iter().flatten();
    // One that cannot be followed stays: the reader tells of it.
    list.map(|parameter| resolver.follow(parameter).unwrap_or(parameter))
        .collect()
}

fn operation_of<'a>(
    resolver: &Resolver<'a>,
    operation: &'a Map<String, Value>,
    shared: &[&'a Value],
    consumes: &[String],
    produces: &[String],
) -> Value {
    let mut upgraded = operation.clone();
    let own = parameters(resolver, operation.get("parameters"));
    let is_same = |one: &Value, other: &Value| {
        one.get("name") == other.get("name") && one.get("in") == other.get("in")
    };
    let inherited = shared
        .iter()
        .filter(|shared| !own.iter().any(|own| is_same(own, shared)));
    let all: Vec<&Value> = inherited.chain(&own).copied().collect();
    let place =
        |parameter: &Value, place: &str| parameter.get("in").and_then(Value::as_str) == Some(place);
    let plain = all
        .iter()
        .filter(|p| !place(p, "body") && !place(p, "formData"));
    let plain: Vec<Value> = plain.map(|parameter| parameter_of(parameter)).collect();
    upgraded.insert("parameters".into(), plain.into());
    let own_consumes = texts(operation.get("consumes"));
    let consumes = if own_consumes.is_empty() {
        consumes
    } else {
        &own_consumes
    };
    let fields: Vec<&Value> = all
        .iter()
        .filter(|p| place(p, "formData"))
        .copied()
        .collect();
    let body = all.iter().find(|parameter| place(parameter, "body"));
    if let Some(body) = body {
        let types = if consumes.is_empty() {
            &["application/json".to_owned()]
        } else {
            consumes
        };
        let schema = body.get("schema").cloned().unwrap_or(Value::Bool(true));
        let content = types
            .iter()
            .map(|name| (name.clone(), json!({ "schema": schema })));
        upgraded.insert(
            "requestBody".into(),
            json!({
                "required": body.get("required") == Some(&Value::Bool(true)),
                "description": body.get("description").cloned().unwrap_or_default(),
                "content": content.collect::<Map<_, _>>(),
            }),
        );
    } else if !fields.is_empty() {
        upgraded.insert("requestBody".into(), form_of(&fields, consumes));
    }
    let own_produces = texts(operation.get("produces"));
    let produces = if own_produces.is_empty() {
        produces
    } else {
        &own_produces
    };
    if let Some(Value::Object(responses)) = operation.get("responses") {
        let responses = responses.iter().map(|(status, response)| {
            (
                status.clone(),
                response_of(resolver.follow(response).unwrap_or(response), produces),
            )
        });
        upgraded.insert("responses".into(), Value::Object(responses.collect()));
    }
    Value::Object(upgraded)
}

fn schema_of(parameter: &Value) -> Value {
    let mut schema = Map::new();
    for key in OF_SCHEMA {
        if let Some(value) = parameter.get(key) {
            schema.insert(key.to_owned(), value.clone());
        }
    }
    if schema.get("type").is_some_and(|name| name == "file") {
        schema.insert("type".into(), "string".into());
        schema.insert("format".into(), "binary".into());
    }
    Value::Object(schema)
}

fn parameter_of(parameter: &Value) -> Value {
    let Value::Object(given) = parameter else {
        return parameter.clone();
    };
    if given.contains_key("$ref") {
        return parameter.clone();
    }
    let mut upgraded: Map<String, Value> = given
        .iter()
        .filter(|(key, _)| !OF_SCHEMA.contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let is_query = given.get("in").is_some_and(|place| place == "query");
    let (style, is_exploded) = match given.get("collectionFormat").and_then(Value::as_str) {
        Some("multi") => ("form", true),
        Some("ssv" | "tsv") => ("spaceDelimited", false),
        Some("pipes") => ("pipeDelimited", false),
        _ if is_query => ("form", false),
        _ => ("simple", false),
    };
    upgraded.insert("style".into(), style.into());
    upgraded.insert("explode".into(), is_exploded.into());
    upgraded.insert("schema".into(), schema_of(parameter));
    Value::Object(upgraded)
}

fn form_of(fields: &[&Value], consumes: &[String]) -> Value {
    let mut properties = Map::new();
    let mut encoding = Map::new();
    let mut required = Vec::new();
    for field in fields {
        let Some(name) = field.get("name").and_then(Value::as_str) else {
            continue;
        };
        let mut schema = schema_of(field);
        if let (Some(said), Value::Object(schema)) = (field.get("description"), &mut schema) {
            schema.insert("description".into(), said.clone());
        }
        properties.insert(name.to_owned(), schema);
        if field
            .get("collectionFormat")
            .is_none_or(|format| format != "multi")
        {
            encoding.insert(
                name.to_owned(),
                json!({ "style": "form", "explode": false }),
            );
        }
        if field.get("required") == Some(&Value::Bool(true)) {
            required.push(name);
        }
    }
    let is_file = |field: &&&Value| field.get("type").is_some_and(|name| name == "file");
    let form = "application/x-www-form-urlencoded";
    let name = if fields.iter().any(|field| is_file(&field)) {
        "multipart/form-data"
    } else {
        consumes
            .iter()
            .map(String::as_str)
            .find(|name| name.starts_with("multipart/") || *name == form)
            .unwrap_or(form)
    };
    json!({
        "required": !required.is_empty(),
        "content": { name: {
            "schema": { "type": "object", "properties": properties, "required": required },
            "encoding": encoding,
        } },
    })
}

fn response_of(response: &Value, produces: &[String]) -> Value {
    let mut upgraded = response.clone();
    if let (Some(schema), Value::Object(object)) = (response.get("schema"), &mut upgraded) {
        let types = if produces.is_empty() {
            &["application/json".to_owned()]
        } else {
            produces
        };
        let content = types
            .iter()
            .map(|name| (name.clone(), json!({ "schema": schema })));
        object.insert("content".into(), Value::Object(content.collect()));
        object.remove("schema");
    }
    upgraded
}

fn security(scheme: &Value) -> Value {
    let text = |key: &str| scheme.get(key).and_then(Value::as_str).unwrap_or_default();
    match text("type") {
        "basic" => json!({ "type": "http", "scheme": "basic" }),
        "oauth2" => {
            let flow = match text("flow") {
                "accessCode" => "authorizationCode",
                "application" => "clientCredentials",
                other => other,
            };
            json!({ "type": "oauth2", "description": text("description"), "flows": { flow: {
                "authorizationUrl": text("authorizationUrl"),
                "tokenUrl": text("tokenUrl"),
                "scopes": scheme.get("scopes").cloned().unwrap_or_default(),
            } } })
        }
        _ => scheme.clone(),
    }
}
