//! What is wrong with a connector is told with its place.

use super::*;

/// Returns what is told of a connector of which one part is replaced.
fn told(pointer: &str, value: Value) -> Vec<String> {
    let mut connector = whole();
    let (parent, name) = pointer.rsplit_once('/').expect("it is a pointer");
    let parent = connector.pointer_mut(parent).expect("it is there");
    match parent {
        Value::Array(items) => items[name.parse::<usize>().expect("a number")] = value,
        parent => parent[name] = value,
    }
    match read(&connector) {
        Ok(_) => Vec::new(),
        Err(faults) => faults.iter().map(Fault::to_string).collect(),
    }
}

#[test]
fn each_fault_names_its_place() {
    let long = "x".repeat(2_500);
    let at = "actions “list orders”";
    for (pointer, value, expected) in [
        ("/form", json!(2), "form: This version".to_owned()),
        ("/key", json!("Big Key"), "key: Use 1 to".to_owned()),
        ("/title", json!(" "), "title: It is empty".to_owned()),
        ("/icon", json!("../x"), "icon: Use the name".to_owned()),
        ("/actions", json!([]), "actions: There are 0".to_owned()),
        (
            "/headers",
            json!({ "Host": "x" }),
            "headers, Host: the header `Host` is not".to_owned(),
        ),
        (
            "/headers",
            json!({ "Authorization": "x" }),
            "headers, Authorization: ".to_owned(),
        ),
        (
            "/headers",
            json!({ "a b": "x" }),
            "headers, a b: `a b` is not a header".to_owned(),
        ),
        (
            "/headers",
            json!({ "X-A": "a\nb" }),
            "headers, X-A: It holds a line".to_owned(),
        ),
        (
            "/auth/1/names",
            json!([]),
            "auth “header_key”: The name must".to_owned(),
        ),
        (
            "/auth/0/names",
            json!(["X-A"]),
            "auth “bearer”, names: ".to_owned(),
        ),
        (
            "/auth/2/oauth",
            json!({}),
            "auth “oauth”: `` cannot be an address".to_owned(),
        ),
        (
            "/actions/1/key",
            json!("list orders"),
            format!("{at}, key: Another action"),
        ),
        (
            "/actions/0/description",
            json!(long),
            format!("{at}, description: It is longer"),
        ),
        (
            "/actions/0/path",
            json!("orders"),
            format!("{at}, path: It begins with"),
        ),
        (
            "/actions/0/path",
            json!("/a/../b"),
            format!("{at}, path: It holds a segment"),
        ),
        (
            "/actions/0/path",
            json!("/a/%2E%2e/b"),
            format!("{at}, path: It holds a segment"),
        ),
        (
            "/actions/0/path",
            json!("/a#b"),
            format!("{at}, path: Use what may stand"),
        ),
        (
            "/actions/0/path",
            json!("/{a"),
            format!("{at}, path: Use what may stand"),
        ),
        (
            "/actions/0/path",
            json!("/a b"),
            format!("{at}, path: Use what may stand"),
        ),
        (
            "/actions/0/path",
            json!("/a?b={c}"),
            format!("{at}, path: Use what may stand"),
        ),
        (
            "/actions/0/path",
            json!("/{other}"),
            format!("{at}, path: No field is filled in for `{{other}}`"),
        ),
        (
            "/actions/0/expected_status",
            json!("ok"),
            format!("{at}, expected_status: "),
        ),
        (
            "/actions/0/effect",
            json!("pure"),
            format!("{at}, effect: "),
        ),
        (
            "/actions/0/output",
            json!([1]),
            format!("{at}, output: It is no JSON Schema"),
        ),
        (
            "/actions/0/output",
            json!({ "$ref": "#/a" }),
            format!("{at}, output: It holds `$ref`"),
        ),
        (
            "/actions/0/paging/field",
            json!("nope"),
            format!("{at}, paging: It names"),
        ),
        ("/actions/0/rate/seconds", json!(0), format!("{at}, rate: ")),
        (
            "/actions/0/input/required",
            json!(["account"]),
            format!("{at}, places, site: What stands"),
        ),
        (
            "/actions/0/input/properties/timeout_seconds",
            json!({}),
            format!("{at}, input, timeout_seconds: "),
        ),
        (
            "/actions/0/input/properties/a.b",
            json!({}),
            format!("{at}, input, a.b: Call a field"),
        ),
        (
            "/actions/0/input/properties/status",
            json!(1),
            format!("{at}, input, status: It is no JSON"),
        ),
        (
            "/actions/0/input/properties/status/x-widget",
            json!("connection"),
            format!("{at}, input, status, x-widget: "),
        ),
        (
            "/actions/0/input/properties/status/x-show-when",
            json!({ "site": ["a"] }),
            format!("{at}, input, status, x-show-when: "),
        ),
        (
            "/actions/0/places/nope",
            json!({ "in": "whole_body" }),
            format!("{at}, places, nope: "),
        ),
        (
            "/actions/0/places/ids",
            json!({ "in": "body", "name": "ids" }),
            format!("{at}, places, ids: The action has no body"),
        ),
        (
            "/actions/0/places/ids",
            json!({ "in": "query", "name": "status" }),
            format!("{at}, places, ids: Another field"),
        ),
        (
            "/actions/0/places/trace",
            json!({ "in": "header", "name": "Cookie" }),
            format!("{at}, places, trace: the header `Cookie`"),
        ),
        (
            "/actions/0/places/ids",
            json!({ "in": "path", "name": "ids" }),
            format!("{at}, places, ids: `{{ids}}` does not stand"),
        ),
        (
            "/tests/0/action",
            json!("nope"),
            "tests “One page”, action: ".to_owned(),
        ),
        (
            "/surprise",
            json!(1),
            "This is no connector: unknown field `surprise`".to_owned(),
        ),
        (
            "/actions/0/method",
            json!("TRACE"),
            "This is no connector: unknown variant".to_owned(),
        ),
    ] {
        let told = told(pointer, value.clone());
        assert!(
            told.iter().any(|told| told.starts_with(&expected)),
            "{pointer} {value} gives {told:?}, not {expected}"
        );
    }
    let within = json!({ "in": "body", "name": "/customer" });
    let told = told("/actions/1/places/urgent", within);
    assert!(
        told.iter()
            .any(|told| told.contains("lies within `/customer`")),
        "{told:?}"
    );
}

#[test]
fn a_base_is_an_address_and_nothing_else() {
    for (base, fits) in [
        ("https://api.example.com", true),
        ("https://api.example.com/v1/x", true),
        ("https://api.example.com:8443/v1", true),
        ("https://{site}.example.com", true),
        ("https://{host}/api/v4", true),
        ("http://127.0.0.1:8080", true),
        ("http://[::1]:8080/a", true),
        ("http://localhost:1", true),
        ("http://example.com", false),
        ("http://127.0.0.1.example.com", false),
        ("ftp://example.com", false),
        ("example.com", false),
        ("https://", false),
        ("https:///a", false),
        ("https://user@example.com", false),
        ("https://example.com?a=b", false),
        ("https://example.com#a", false),
        ("https://example.com/../a", false),
        ("https://example.com//a", false),
        ("https://exa mple.com", false),
        ("https://{a", false),
        ("https://{}.example.com", false),
        ("https://éxample.com", false),
        ("", false),
    ] {
        let connector = json!({
            "form": 1, "key": "a", "title": "A", "base": base,
            "actions": [{ "key": "do", "title": "Do", "method": "GET", "path": "/do",
                "input": { "type": "object", "required": ["site", "host"], "properties": {} } }],
        });
        let faults = read(&connector).expect_err("fields are missing");
        let is_told = faults.iter().any(|fault| fault.at == "base");
        assert_eq!(!is_told, fits, "{base}: {faults:?}");
    }
}

#[test]
fn every_size_is_bounded() {
    let many = |count: usize| -> Value {
        let names = (0..count).map(|number| (format!("f{number}"), json!({ "type": "string" })));
        Value::Object(names.collect())
    };
    let properties = "/actions/0/input/properties";
    let told = |pointer: &str, value: Value| told(pointer, value).join("\n");
    assert!(told(properties, many(FIELDS + 1)).contains("more than 300 fields"));
    let text = json!({ "type": "string", "description": "x".repeat(DECLARED_BYTES) });
    assert!(told(&format!("{properties}/status"), text).contains("a step can carry 32768"));
    let deep = (0..SCHEMA_DEPTH).fold(json!({}), |inner, _| json!({ "items": inner }));
    assert!(told("/actions/0/output", deep).contains("nested deeper than 40"));
    let bottomless = (0..200).fold(json!({}), |inner, _| json!({ "items": inner }));
    assert!(told("/actions/0/output", bottomless).contains("nested deeper than 100"));
    let action = whole()["actions"][0].clone();
    let faults = told("/actions", Value::Array(vec![action; 300]));
    assert_eq!(faults.lines().count(), Fault::MOST);
}
