//! Whether a connector can be taken: everything in it is bounded, and each action can be built.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::component::check as logic;
use super::fault::Faults;
use super::request::{check_header_name, dots, is_numbered, split_host};
use super::{
    ACTION_KEY, ACTIONS, Auth, BodyType, CONNECTOR_BYTES, Connector, DECLARED_BYTES, Declared,
    EXAMPLES, FIELDS, FORM, Fault, HEADERS, KEY, Method, Operation, PATH, Paging, Place, RESERVED,
    SCHEMA_DEPTH, template_holes,
};
use crate::canonical;
use crate::catalog::Effect;
use crate::connection::{self, Form, Kind, Secrets};
use crate::delivery::is_pointer;
use crate::limit;
use crate::payload::StatusSet;
use crate::schema::{FieldKind, Schema};
use crate::template::short;

/// Kinds of connection that prove who sends an HTTP request.
const KINDS: [Kind; 8] = [
    Kind::OAuth,
    Kind::OAuthClient,
    Kind::Bearer,
    Kind::HeaderKey,
    Kind::QueryKey,
    Kind::Basic,
    Kind::Headers,
    Kind::KeyPair,
];

/// Ways of editing that a connector may ask for; the others belong to Sluice's own steps.
const WIDGETS: [&str; 4] = ["multiline", "map", "list", "json"];

impl Connector {
    /// Checks all of it but the recorded examples' outcome, which
    /// [`Connector::broken_examples`] does.
    ///
    /// # Errors
    /// What is wrong, and where; at most [`Fault::MOST`].
    pub fn check(&self) -> Result<(), Vec<Fault>> {
        let mut faults = Faults::default();
        faults.expect(
            self.form == FORM,
            "form",
            format!("This version of Sluice reads form {FORM}."),
        );
        check_key(&mut faults, "key", &self.key);
        check_text(&mut faults, "title", &self.title, limit::NAME, true);
        check_text(&mut faults, "description", &self.description, 1_000, false);
        check_text(&mut faults, "version", &self.version, 60, false);
        check_icon(&mut faults, &self.icon);
        let docs = self.docs.chars().nth(limit::TEXT).is_none();
        faults.expect(
            docs,
            "docs",
            format!("It is longer than {} characters.", limit::TEXT),
        );
        check_base(&mut faults, &self.base);
        check_headers(&mut faults, &self.headers);
        faults.expect(
            self.auth.len() <= 10,
            "auth",
            "At most 10 ways can be listed.",
        );
        for auth in self.auth.iter().take(10) {
            faults.within(format!("auth “{}”", auth.kind.key()), |faults| {
                check_auth(faults, auth)
            });
        }
        logic::check_component(&mut faults, self);
        let count = self.actions.len();
        faults.expect(
            (1..=ACTIONS).contains(&count),
            "actions",
            format!("There are {count}, but 1 to {ACTIONS} are needed."),
        );
        let mut keys = BTreeSet::new();
        for operation in self.actions.iter().take(ACTIONS) {
            faults.within(
                format!("actions “{}”", short(&operation.key)),
                |faults| {
                    faults.expect(
                        keys.insert(&operation.key),
                        "key",
                        "Another action has it already.",
                    );
                    check_operation(faults, operation, operation.base(&self.base));
                    check_size(faults, &Declared::of(self, operation));
                },
            );
        }
        faults.expect(
            self.tests.len() <= EXAMPLES,
            "tests",
            format!("At most {EXAMPLES} can be kept."),
        );
        for example in self.tests.iter().take(EXAMPLES) {
            faults.within(format!("tests “{}”", short(&example.name)), |faults| {
                check_text(faults, "name", &example.name, 200, true);
                let is_known = keys.contains(&example.action);
                faults.expect(is_known, "action", "There is no such action.");
                if let Some(operation) = self.action(&example.action) {
                    logic::check_example(faults, operation, example);
                }
            });
        }
        let bytes = canonical::of(self).map_or(usize::MAX, |json| json.len());
        if bytes > CONNECTOR_BYTES {
            faults.say(format!(
                "It has more than {} MiB.",
                CONNECTOR_BYTES / (1024 * 1024)
            ));
        }
        end(faults)
    }
}

/// Checks what a step carries.
pub(super) fn check_declared(declared: &Declared) -> Result<(), Vec<Fault>> {
    let mut faults = Faults::default();
    check_key(&mut faults, "connector", declared.connector());
    check_text(&mut faults, "title", declared.title(), limit::NAME, true);
    check_text(&mut faults, "version", declared.version(), 60, false);
    check_icon(&mut faults, &declared.action().icon);
    check_base(&mut faults, declared.base());
    check_headers(&mut faults, declared.headers());
    let kinds = declared.auth().len() <= 10 && declared.auth().iter().all(|k| KINDS.contains(k));
    faults.expect(
        kinds,
        "auth",
        "These are no kinds of connection for a request.",
    );
    logic::check_carried(&mut faults, declared);
    faults.within("operation", |faults| {
        check_operation(faults, declared.operation(), declared.base());
    });
    check_size(&mut faults, declared);
    end(faults)
}

fn end(faults: Faults) -> Result<(), Vec<Fault>> {
    match faults.found {
        found if found.is_empty() => Ok(()),
        found => Err(found),
    }
}

fn check_size(faults: &mut Faults, declared: &Declared) {
    let bytes = declared.bytes();
    if bytes > DECLARED_BYTES {
        faults.say(format!(
            "It has {bytes} bytes, but a step can carry {DECLARED_BYTES}. Shorten descriptions, or leave out fields and parts of the output."
        ));
    }
}

fn check_key(faults: &mut Faults, part: &str, key: &str) {
    let is_sign = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    let holds = (1..=KEY).contains(&key.len())
        && key.bytes().all(is_sign)
        && key.starts_with(|first: char| first.is_ascii_lowercase());
    faults.expect(
        holds,
        part,
        format!("Use 1 to {KEY} lower-case letters, digits and hyphens, beginning with a letter."),
    );
}

fn check_text(faults: &mut Faults, part: &str, text: &str, most: usize, is_needed: bool) {
    if is_needed && text.trim().is_empty() {
        faults.expect(false, part, "It is empty.");
    } else if text.chars().nth(most).is_some() {
        faults.expect(false, part, format!("It is longer than {most} characters."));
    } else {
        let is_control = |sign: char| sign.is_control() && !matches!(sign, '\n' | '\t');
        let holds = !text.chars().any(is_control);
        faults.expect(holds, part, "It holds a control character.");
    }
}

fn check_icon(faults: &mut Faults, icon: &str) {
    let is_sign = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    let holds = (1..=40).contains(&icon.len()) && icon.bytes().all(is_sign);
    faults.expect(holds, "icon", "Use the name of an icon, such as plug.");
}

/// Checks that a base is the beginning of an address, with or without holes.
fn check_base(faults: &mut Faults, base: &str) {
    let mut say = |message: &str| faults.expect(false, "base", message);
    if base.len() > PATH {
        return say("It is too long.");
    }
    if !is_template(base) || base.contains(['?', '#', '@']) {
        return say(
            "Write it like https://api.example.com/v1, without user, query and fragment; `{name}` where a field is filled in.",
        );
    }
    let (host, path) = split_host(base);
    if !path.split('/').all(|segment| !segment.contains("//")) || path.contains("//") {
        return say("It has an empty segment. Remove the slash.");
    }
    if dots(path).is_some() {
        return say("It holds a segment `.` or `..`. Write the address that it leads to.");
    }
    let mut plain = String::new();
    let mut rest = host;
    while let Some((before, behind)) = rest.split_once('{') {
        plain.push_str(before);
        plain.push('x');
        rest = behind.split_once('}').map_or("", |(_, behind)| behind);
    }
    plain.push_str(rest);
    if connection::origin(&plain).is_err() {
        return say("It has no host. Write it like https://api.example.com/v1.");
    }
    let scheme = host.split_once("://");
    let is_open = scheme.is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("http"));
    if is_open && !scheme.is_some_and(|(_, host)| is_numbered(host)) {
        say("Use https. http is only for localhost and addresses by number.");
    }
}

/// Returns whether a text is one of visible ASCII that may stand in an address, with named holes.
fn is_template(text: &str) -> bool {
    let mut rest = text;
    let is_plain = |text: &str| {
        let is_sign = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte);
        text.bytes().all(is_sign)
    };
    while let Some((before, behind)) = rest.split_once('{') {
        let Some((name, behind)) = behind.split_once('}') else {
            return false;
        };
        let is_sign = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}/".contains(&byte);
        let is_name = (1..=100).contains(&name.len()) && name.bytes().all(is_sign);
        if !is_plain(before) || !is_name {
            return false;
        }
        rest = behind;
    }
    is_plain(rest)
}

fn check_headers(faults: &mut Faults, headers: &BTreeMap<String, String>) {
    faults.within("headers", |faults| {
        if headers.len() > HEADERS {
            faults.say(format!("At most {HEADERS} can be set."));
        }
        for (name, value) in headers.iter().take(HEADERS) {
            if let Err(message) = check_header_name(name) {
                faults.expect(false, &short(name), message);
            }
            check_text(faults, &short(name), value, 500, false);
            let is_line = !value.contains(['\n', '\t']);
            faults.expect(is_line, &short(name), "It holds a line break.");
        }
    });
}

fn check_auth(faults: &mut Faults, auth: &Auth) {
    check_text(faults, "help", &auth.help, 1_000, false);
    if !KINDS.contains(&auth.kind) {
        faults.expect(
            false,
            "kind",
            "A connection of this kind sends no requests.",
        );
        return;
    }
    let is_named = matches!(auth.kind, Kind::HeaderKey | Kind::QueryKey | Kind::Headers);
    if !is_named && !auth.names.is_empty() {
        faults.expect(false, "names", "A connection of this kind has none.");
        return;
    }
    // What an Admin would fill in, so that the form of a connection judges it.
    let names = match auth.kind {
        Kind::Bearer => Vec::new(),
        _ if is_named => auth.names.clone(),
        _ => vec!["name".to_owned()],
    };
    let secrets = vec!["a secret".to_owned(); auth.kind.fields(&names).len()];
    let form = Form {
        name: "Connection".to_owned(),
        kind: auth.kind,
        names,
        origins: vec!["https://example.com".to_owned()],
        live: Secrets::Set(secrets),
        test: Secrets::Keep,
        oauth: auth.oauth.clone(),
        server: None,
    };
    if let Err(refusal) = connection::check(&form, None) {
        faults.say(refusal.to_string());
    }
    let is_needless = auth.oauth.is_some() && !auth.kind.has_tokens();
    faults.expect(
        !is_needless,
        "oauth",
        "A connection of this kind has no tokens.",
    );
}

fn check_operation(faults: &mut Faults, operation: &Operation, base: &str) {
    let key = &operation.key;
    let is_key = (1..=ACTION_KEY).contains(&key.len()) && !key.chars().any(char::is_control);
    faults.expect(
        is_key,
        "key",
        format!("Use 1 to {ACTION_KEY} visible characters."),
    );
    check_text(faults, "title", &operation.title, limit::NAME, true);
    check_text(faults, "description", &operation.description, 2_000, false);
    check_text(faults, "group", &operation.group, limit::NAME, false);
    faults.expect(
        operation.keywords.len() <= 30,
        "keywords",
        "At most 30 can be given.",
    );
    for keyword in operation.keywords.iter().take(30) {
        check_text(faults, "keywords", keyword, 60, true);
    }
    if !operation.base.is_empty() {
        check_base(faults, &operation.base);
    }
    check_path(faults, &operation.path);
    logic::check_run(faults, operation);
    check_headers(faults, &operation.headers);
    let status = StatusSet::parse(&operation.expected_status);
    faults.expect(
        status.is_some() && operation.expected_status.len() <= 100,
        "expected_status",
        "Write numbers, ranges or classes, such as 2xx, 404.",
    );
    let may_read = matches!(operation.method, Method::Get | Method::Head | Method::Post);
    faults.expect(
        match operation.effect {
            None | Some(Effect::Write) => true,
            Some(Effect::Read) => may_read,
            Some(Effect::Pure) => false,
        },
        "effect",
        "A request reads or writes, and one that puts, patches or deletes writes.",
    );
    check_input(faults, &operation.input);
    if !operation.has_logic() {
        check_places(faults, operation, base);
    }
    faults.within("output", |faults| {
        let is_schema = matches!(
            operation.output,
            Value::Null | Value::Bool(_) | Value::Object(_)
        );
        if !is_schema {
            faults.say("It is no JSON Schema.");
        }
        check_schema(faults, &operation.output);
    });
    let field = match &operation.paging {
        Some(Paging::Page { field } | Paging::Offset { field }) => Some(field),
        Some(Paging::Cursor { field, next }) => {
            let is_pointer = next.is_empty() || next.len() <= 200 && is_pointer(next);
            faults.expect(
                is_pointer,
                "paging",
                "`next` is a JSON Pointer, such as /next_cursor.",
            );
            Some(field)
        }
        Some(Paging::Link) | None => None,
    };
    let is_field = field.is_none_or(|field| operation.input.field(field).is_some());
    faults.expect(is_field, "paging", "It names a field that is not there.");
    let is_rate = operation
        .rate
        .is_none_or(|rate| rate.requests > 0 && rate.seconds > 0);
    faults.expect(is_rate, "rate", "Both numbers are at least 1.");
}

fn check_path(faults: &mut Faults, path: &str) {
    let mut say = |message: &str| faults.expect(false, "path", message);
    let (before, query) = path.split_once('?').unwrap_or((path, ""));
    if path.len() > PATH {
        say("It is too long.");
    } else if !path.is_empty() && !path.starts_with('/') {
        say("It begins with a slash.");
    } else if !is_template(path) || path.contains('#') || query.contains(['{', '?']) {
        say(
            "Use what may stand in an address, percent-encode the rest, and put a name in each pair of braces; none behind `?`.",
        );
    } else if dots(before).is_some() {
        say("It holds a segment `.` or `..`. Write the path that it leads to.");
    }
}

fn check_input(faults: &mut Faults, input: &Schema) {
    faults.within("input", |faults| {
        check_schema(faults, input.json());
        if input.fields.len() > FIELDS {
            faults.say(format!("It has more than {FIELDS} fields."));
        }
        for name in input.required_names() {
            let is_there = input.field(name).is_some();
            faults.expect(is_there, &short(name), "It is required, but not there.");
        }
        for field in input.fields.iter().take(FIELDS) {
            faults.within(short(&field.name).into_owned(), |faults| {
                let name = field.name.as_str();
                let is_sign = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
                let is_name = (1..=80).contains(&name.len())
                    && name.bytes().all(is_sign)
                    && name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
                if !is_name {
                    faults.say("Call a field by letters, digits, `_` and `-`; its place says what it is called in the request.");
                }
                if RESERVED.contains(&name) {
                    faults.say("Each step has a field of this name. Call it otherwise; its place says what it is called in the request.");
                }
                let property = input.property(name).and_then(Value::as_object);
                let Some(property) = property else {
                    faults.say("It is no JSON Schema.");
                    return;
                };
                check_text(faults, "title", &field.title, limit::NAME, true);
                let widget = property.get("x-widget");
                let is_known = widget
                    .is_none_or(|widget| widget.as_str().is_some_and(|w| WIDGETS.contains(&w)));
                faults.expect(is_known, "x-widget", format!("Use one of {}.", WIDGETS.join(", ")));
                if let Some((other, values)) = &field.show_when {
                    let choices = input.field(other).map(|field| &field.kind);
                    let is_choice = matches!(choices, Some(FieldKind::Choice(options))
                        if values.iter().all(|value| options.iter().any(|(option, _)| option == value)));
                    faults.expect(
                        is_choice && !values.is_empty(),
                        "x-show-when",
                        "Name a field with an `enum` of texts, and some of its values.",
                    );
                }
            });
        }
    });
}

/// Checks that a schema is whole by itself and not nested without end.
fn check_schema(faults: &mut Faults, schema: &Value) {
    if is_deeper(schema, SCHEMA_DEPTH) {
        faults.say(format!("It is nested deeper than {SCHEMA_DEPTH} levels."));
    } else if has_reference(schema) {
        faults.say("It holds `$ref`. Put what it refers to in its place.");
    }
}

fn is_deeper(value: &Value, left: usize) -> bool {
    match value {
        Value::Array(items) => left == 0 || items.iter().any(|item| is_deeper(item, left - 1)),
        Value::Object(map) => left == 0 || map.values().any(|item| is_deeper(item, left - 1)),
        _ => false,
    }
}

fn has_reference(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(has_reference),
        Value::Object(map) => {
            map.get("$ref").is_some_and(Value::is_string) || map.values().any(has_reference)
        }
        _ => false,
    }
}

fn check_places(faults: &mut Faults, operation: &Operation, base: &str) {
    let (host, behind) = split_host(base);
    let in_host: BTreeSet<&str> = template_holes(host).collect();
    let in_path: BTreeSet<&str> = template_holes(behind)
        .chain(template_holes(&operation.path))
        .collect();
    let mut filled: BTreeSet<(&str, String)> = BTreeSet::new();
    for name in operation.places.keys().take(FIELDS) {
        if operation.input.field(name).is_none() {
            faults.within("places", |faults| {
                faults.expect(false, &short(name), "There is no such field in `input`.");
            });
        }
    }
    for field in operation.input.fields.iter().take(FIELDS) {
        let place = operation.place(&field.name, base);
        let mut say = |message: String| {
            faults.within("places", |faults| {
                faults.expect(false, &short(&field.name), message)
            });
        };
        let (part, name) = match &place {
            Place::Host { name } => ("host", name.as_str()),
            Place::Path { name } => ("path", name.as_str()),
            Place::Query { name, .. } => ("query", name.as_str()),
            Place::Header { name } => ("header", name.as_str()),
            Place::Body { name, .. } => ("body", name.as_str()),
            Place::WholeBody => ("whole body", ""),
        };
        let long = name.len() > 200 || name.chars().any(char::is_control);
        if long || name.is_empty() && place != Place::WholeBody {
            say("Its name is empty, too long, or holds a control character.".to_owned());
            continue;
        }
        match &place {
            Place::Host { name } if !in_host.contains(name.as_str()) => {
                say(format!(
                    "`{{{name}}}` does not stand in the host of the base."
                ));
            }
            Place::Path { name } if !in_path.contains(name.as_str()) => {
                say(format!("`{{{name}}}` does not stand in the path."));
            }
            Place::Host { .. } | Place::Path { .. } if !field.required => {
                say("What stands in the address is required.".to_owned());
            }
            Place::Header { name } => {
                if let Err(message) = check_header_name(name) {
                    say(message);
                }
            }
            Place::Body { .. } | Place::WholeBody if operation.body == BodyType::None => {
                say("The action has no body. Set `body`.".to_owned());
            }
            Place::Body { .. } if operation.body == BodyType::Text => {
                say("A body of text is given as a whole.".to_owned());
            }
            Place::Body { name, .. } if name.starts_with('/') && !is_pointer(name) => {
                say(format!("`{}` is not a JSON Pointer.", short(name)));
            }
            _ => {}
        }
        let name = match part {
            "header" => name.to_ascii_lowercase(),
            _ => name.to_owned(),
        };
        if !filled.insert((part, name)) && field.show_when.is_none() {
            say("Another field goes there already.".to_owned());
        }
    }
    let pointers = filled
        .iter()
        .filter(|(part, name)| *part == "body" && name.starts_with('/'));
    let pointers: Vec<&String> = pointers.map(|(_, name)| name).collect();
    for (pointer, next) in pointers.iter().zip(pointers.iter().skip(1)) {
        if next
            .strip_prefix(pointer.as_str())
            .is_some_and(|rest| rest.starts_with('/'))
        {
            faults.expect(
                false,
                "places",
                format!("`{next}` lies within `{pointer}`."),
            );
        }
    }
    for (part, holes) in [("host", in_host), ("path", in_path)] {
        for hole in holes {
            if !filled.contains(&(part, hole.to_owned())) {
                let message = format!("No field is filled in for `{{{hole}}}`.");
                faults.expect(false, part, message);
            }
        }
    }
}
