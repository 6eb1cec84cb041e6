//! A service made of its description: it takes what the description allows and nothing else, and
//! answers what it promises.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::parse;
use crate::raw::{Raw, array};
use crate::route::{Piece, Route, pieces, servers};
use crate::wire::{Reply, Request};

/// The header by which a caller tells which host it would have called.
pub(crate) const HOST: &str = "x-bench-host";
/// The header by which the mock tells which operations it took the request for.
pub(crate) const TAKEN: &str = "x-bench-operation";

const METHODS: [&str; 8] = [
    "get", "put", "post", "delete", "options", "head", "patch", "trace",
];

pub(crate) struct Mock {
    pub(crate) raw: Raw,
    routes: Vec<Route>,
}

impl Mock {
    pub(crate) fn new(root: Value) -> Self {
        let raw = Raw::new(root);
        let mut routes = Vec::new();
        for (path, item) in raw
            .root
            .get("paths")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            if path.starts_with("x-") {
                continue;
            }
            let item = raw.at(item);
            for method in METHODS {
                let Some(operation) = item.get(method).filter(|operation| operation.is_object())
                else {
                    continue;
                };
                let pure = path.split(['?', '#']).next().unwrap_or_default();
                let segments: Vec<Vec<Piece>> =
                    pure.trim_matches('/').split('/').map(pieces).collect();
                let literals = segments
                    .iter()
                    .flatten()
                    .filter(|piece| matches!(piece, Piece::Literal(_)))
                    .count();
                let literals = literals + path.matches('=').count();
                routes.push(Route {
                    method: method.to_uppercase(),
                    path: path.clone(),
                    segments,
                    literals,
                    servers: servers(&raw, item, operation),
                });
            }
        }
        routes.sort_by_key(|route| std::cmp::Reverse(route.literals));
        Self { raw, routes }
    }

    /// Returns how many operations there are.
    pub(crate) fn operations(&self) -> usize {
        self.routes.len()
    }

    pub(crate) fn answer(&self, request: &Request) -> Reply {
        if request.path == "/__landed" {
            return reply(200, &json!({ "landed": true }), "");
        }
        let mut best: Option<(String, u16)> = None;
        let mut taken = Vec::new();
        let mut operation = None;
        for route in self
            .routes
            .iter()
            .filter(|route| route.method == request.method)
        {
            let Some(values) = route.matches(request) else {
                continue;
            };
            match self.check(route, request, &values) {
                Ok(()) => {
                    taken.push(format!("{} {}", route.method, route.path));
                    operation = operation.or(Some(route));
                }
                Err((status, message)) => {
                    best = best.or(Some((
                        format!("{} {}: {message}", route.method, route.path),
                        status,
                    )));
                }
            }
        }
        let Some(route) = operation else {
            let (message, status) = best.unwrap_or_else(|| {
                (
                    format!("nothing at {} {}", request.method, request.path),
                    404,
                )
            });
            return reply(status, &json!({ "error": message }), "");
        };
        self.promised(route, &taken.join("; "))
    }

    fn operation<'a>(&'a self, route: &Route) -> (&'a Value, &'a Value) {
        let item = self.raw.at(&self.raw.root["paths"][&route.path]);
        (item, &item[route.method.to_lowercase()])
    }

    fn check(
        &self,
        route: &Route,
        request: &Request,
        path: &BTreeMap<String, String>,
    ) -> Result<(), (u16, String)> {
        let (item, operation) = self.operation(route);
        let mut known: Vec<&str> = Vec::new();
        let keys = self
            .secure(operation, request)
            .map_err(|message| (401, message))?;
        let bad = |message: String| (400, message);
        let literal = crate::wire::pairs(route.path.split_once('?').map_or("", |(_, query)| query));
        for (name, value) in &literal {
            if !request.query.contains(&(name.clone(), value.clone())) {
                return Err(bad(format!("the query lacks {name}={value}")));
            }
        }
        let mut takes_all = false;
        let parameters = self.parameters(item, operation);
        for parameter in &parameters {
            let text = |key: &str| {
                parameter
                    .get(key)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
            };
            let (name, place) = (text("name"), text("in"));
            let is_required = parameter.get("required") == Some(&Value::Bool(true));
            let schema = match parameter.pointer("/schema").or_else(|| {
                let content = parameter.get("content")?.as_object()?;
                content.values().next()?.get("schema")
            }) {
                Some(schema) => schema,
                // In 2.0 the parameter is its own schema.
                None => parameter,
            };
            let given = match place {
                "path" => path
                    .get(name)
                    .map(|value| parse::of_text(&self.raw, parameter, schema, value)),
                "query" => {
                    known.push(name);
                    let (value, all) =
                        parse::of_query(&self.raw, parameter, schema, &request.query);
                    takes_all |= all;
                    value
                }
                "header" => {
                    let lower = name.to_ascii_lowercase();
                    if ["accept", "content-type", "authorization"].contains(&lower.as_str()) {
                        continue;
                    }
                    let value = request.headers.get(&lower);
                    value.map(|value| parse::of_text(&self.raw, parameter, schema, value))
                }
                "cookie" if is_required => {
                    return Err(bad(format!("the cookie `{name}` is missing")));
                }
                _ => continue,
            };
            let Some(given) = given else {
                if is_required || place == "path" {
                    return Err(bad(format!("the {place} parameter `{name}` is missing")));
                }
                continue;
            };
            if let Some(message) = self.raw.misfit(schema, &given, true, 0) {
                return Err(bad(format!("the {place} parameter `{name}`: {message}")));
            }
        }
        for (name, _) in &request.query {
            let is_known = known.iter().any(|known| {
                known == name
                    || name
                        .strip_prefix(known)
                        .is_some_and(|rest| rest.starts_with('['))
            });
            let is_ours = literal.iter().any(|(known, _)| known == name) || keys.contains(name);
            if !is_known && !is_ours && !takes_all {
                return Err(bad(format!("the query parameter `{name}` is unknown")));
            }
        }
        self.check_body(operation, request, &parameters)
            .map_err(bad)
    }

    fn parameters<'a>(&'a self, item: &'a Value, operation: &'a Value) -> Vec<&'a Value> {
        let mut all: Vec<&Value> = Vec::new();
        for holder in [operation, item] {
            let Some(holder) = holder.as_object() else {
                continue;
            };
            for parameter in array(holder, "parameters") {
                let parameter = self.raw.at(parameter);
                let same = |other: &&Value| {
                    other["name"] == parameter["name"] && other["in"] == parameter["in"]
                };
                if !all.iter().any(same) {
                    all.push(parameter);
                }
            }
        }
        all
    }

    fn check_body(
        &self,
        operation: &Value,
        request: &Request,
        parameters: &[&Value],
    ) -> Result<(), String> {
        let given = request
            .headers
            .get("content-type")
            .map(String::as_str)
            .unwrap_or_default();
        let (content, is_required) = if self.raw.is_two {
            (
                self.content_of_two(operation, parameters),
                parameters
                    .iter()
                    .any(|p| p["in"] == "body" && p["required"] == true),
            )
        } else {
            let Some(body) = operation.get("requestBody") else {
                return Ok(());
            };
            let body = self.raw.at(body);
            let content = body.get("content").and_then(Value::as_object).cloned();
            (content.unwrap_or_default(), body["required"] == true)
        };
        if content.is_empty() {
            return Ok(());
        }
        if request.body.is_empty() && given.is_empty() {
            return if is_required {
                Err("the body is missing".to_owned())
            } else {
                Ok(())
            };
        }
        let essence = |name: &str| {
            name.split(';')
                .next()
                .unwrap_or_default()
                .trim()
                .to_ascii_lowercase()
        };
        let sent = essence(given);
        let takes = |name: &str| {
            let name = essence(name);
            name == sent
                || name == "*/*"
                || name
                    .strip_suffix("/*")
                    .is_some_and(|kind| sent.starts_with(kind))
        };
        let Some((_, media)) = content.iter().find(|(name, _)| takes(name)) else {
            return Err(format!(
                "the content type `{given}` is none of those described"
            ));
        };
        let Some(schema) = media.get("schema") else {
            return Ok(());
        };
        let (value, is_text) = if sent.contains("json")
            || content.keys().any(|name| name.contains("json")) && sent == "application/json"
        {
            let value = serde_json::from_str(&request.body)
                .map_err(|error| format!("the body is no JSON: {error}"))?;
            (value, false)
        } else if sent == "application/x-www-form-urlencoded" {
            let fields = crate::wire::pairs(&request.body);
            (parse::of_form(&self.raw, schema, media, &fields), true)
        } else if sent == "multipart/form-data" {
            let fields = parse::of_parts(given, &request.body)?;
            (parse::of_form(&self.raw, schema, media, &fields), true)
        } else {
            return if request.body.is_empty() && is_required {
                Err("the body is empty".to_owned())
            } else {
                Ok(())
            };
        };
        match self.raw.misfit(schema, &value, is_text, 0) {
            Some(message) => Err(format!("the body: {message}")),
            None => Ok(()),
        }
    }

    /// Returns what a 2.0 operation takes, written as in 3.0.
    fn content_of_two(&self, operation: &Value, parameters: &[&Value]) -> Map<String, Value> {
        let list = |value: &Value| -> Vec<String> {
            value
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|v| v.as_str().map(str::to_owned))
                .collect()
        };
        let mut types = list(&operation["consumes"]);
        if types.is_empty() {
            types = list(&self.raw.root["consumes"]);
        }
        if let Some(body) = parameters.iter().find(|p| p["in"] == "body") {
            if types.is_empty() {
                types.push("application/json".to_owned());
            }
            return types
                .into_iter()
                .map(|name| (name, json!({ "schema": body["schema"] })))
                .collect();
        }
        let fields: Vec<&&Value> = parameters
            .iter()
            .filter(|p| p["in"] == "formData")
            .collect();
        if fields.is_empty() {
            return Map::new();
        }
        let named: Map<String, Value> = fields
            .iter()
            .filter_map(|p| {
                let mut schema = (**p).clone();
                // A file is a text here.
                if schema["type"] == "file" {
                    schema["type"] = json!("string");
                }
                schema.as_object_mut()?.remove("required");
                Some((p["name"].as_str()?.to_owned(), schema))
            })
            .collect();
        let required: Vec<&Value> = fields
            .iter()
            .filter(|p| p["required"] == true)
            .map(|p| &p["name"])
            .collect();
        let schema = json!({ "type": "object", "properties": named, "required": required });
        types.retain(|name| name.contains("form"));
        if types.is_empty() {
            types.push("application/x-www-form-urlencoded".to_owned());
            types.push("multipart/form-data".to_owned());
        }
        let media = json!({ "schema": schema, "x-two": true });
        types
            .into_iter()
            .map(|name| (name, media.clone()))
            .collect()
    }

    /// Checks who sends; returns the names of keys in the query.
    fn secure(&self, operation: &Value, request: &Request) -> Result<Vec<String>, String> {
        let ways = operation
            .get("security")
            .or_else(|| self.raw.root.get("security"));
        let ways: Vec<&Value> = ways
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .collect();
        if ways.is_empty() {
            return Ok(Vec::new());
        }
        let mut keys = Vec::new();
        let mut first = None;
        let mut is_known = false;
        for way in ways {
            let Some(way) = way.as_object() else { continue };
            let missing = way.keys().find_map(|name| {
                let schemes = if self.raw.is_two {
                    "/securityDefinitions"
                } else {
                    "/components/securitySchemes"
                };
                let schemes = self.raw.root.pointer(schemes)?;
                let scheme = self.raw.at(schemes.get(name)?);
                if scheme["in"] == "query" {
                    keys.extend(scheme["name"].as_str().map(str::to_owned));
                }
                self.missing(scheme, request)
                    .map(|message| format!("{name}: {message}"))
            });
            match missing {
                None => is_known = true,
                Some(message) => first = first.or(Some(message)),
            }
        }
        match first {
            Some(message) if !is_known => Err(message),
            _ => Ok(keys),
        }
    }

    fn missing(&self, scheme: &Value, request: &Request) -> Option<String> {
        let text = |key: &str| scheme.get(key).and_then(Value::as_str).unwrap_or_default();
        let authorization = request
            .headers
            .get("authorization")
            .map(String::as_str)
            .unwrap_or_default();
        let starts = |word: &str| {
            (!authorization.to_lowercase().starts_with(word))
                .then(|| format!("no {word} credentials"))
        };
        match (
            text("type"),
            text("in"),
            text("scheme").to_lowercase().as_str(),
        ) {
            ("apiKey", "header", _) => {
                let has = request.headers.contains_key(&text("name").to_lowercase());
                (!has).then(|| format!("no header {}", text("name")))
            }
            ("apiKey", "query", _) => {
                let has = request.query.iter().any(|(name, _)| name == text("name"));
                (!has).then(|| format!("no query key {}", text("name")))
            }
            ("basic", ..) | ("http", _, "basic") => starts("basic "),
            ("http", _, "bearer") | ("oauth2" | "openIdConnect", ..) => starts("bearer "),
            (kind, place, scheme) => Some(format!("cannot be sent: {kind} {place} {scheme}")),
        }
    }

    /// Returns what the description promises.
    fn promised(&self, route: &Route, taken: &str) -> Reply {
        let (_, operation) = self.operation(route);
        let responses = operation.get("responses").and_then(Value::as_object);
        let mut statuses: Vec<(&String, &Value)> = responses.into_iter().flatten().collect();
        statuses.sort_by(|one, other| one.0.cmp(other.0));
        let found = statuses.iter().find(|(status, _)| status.starts_with('2'));
        let moved = statuses
            .iter()
            .find(|(status, _)| ["301", "302", "303", "307", "308"].contains(&status.as_str()));
        let default = statuses.iter().find(|(status, _)| *status == "default");
        if found.is_none()
            && let Some((status, _)) = moved
        {
            let mut reply = reply(status.parse().unwrap_or(302), &Value::Null, taken);
            reply
                .headers
                .push(("location".to_owned(), "/__landed".to_owned()));
            return reply;
        }
        let Some((status, response)) = found.or(default) else {
            return reply(200, &Value::Null, taken);
        };
        let status = status.parse().unwrap_or(200);
        let response = self.raw.at(response);
        let schema = if self.raw.is_two {
            response.get("schema")
        } else {
            let content = response.get("content").and_then(Value::as_object);
            let json = content.and_then(|content| {
                content
                    .iter()
                    .find(|(name, _)| name.contains("json") || name.contains('*'))
            });
            json.and_then(|(_, media)| media.get("schema"))
        };
        match schema {
            Some(schema) if status != 204 => reply(status, &self.raw.sample(schema, 0), taken),
            _ => reply(status, &Value::Null, taken),
        }
    }
}

fn reply(status: u16, body: &Value, taken: &str) -> Reply {
    let mut headers = Vec::new();
    headers.push((TAKEN.to_owned(), visible(taken)));
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    if !body.is_empty() {
        headers.push(("content-type".to_owned(), "application/json".to_owned()));
    }
    Reply {
        status,
        headers,
        body,
    }
}

/// Returns what of a text may stand in a header.
pub(crate) fn visible(text: &str) -> String {
    let is_visible = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ';
    text.bytes().filter(is_visible).map(char::from).collect()
}
