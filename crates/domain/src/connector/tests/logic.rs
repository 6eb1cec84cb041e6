//! Connectors with logic: what they say of their component, and what becomes of it.

use super::*;

/// A connector with one action that a component runs, and one that is a request.
fn with_logic() -> Value {
    json!({
        "form": 1, "key": "store", "title": "Store", "base": "https://store.example.com",
        "auth": [{ "kind": "key_pair" }],
        "component": { "hosts": ["https://store.example.com"] },
        "actions": [
            {
                "key": "list", "title": "List", "run": "list", "effect": "read",
                "input": { "type": "object", "required": ["bucket"], "properties": {
                    "bucket": { "type": "string" }, "count": { "type": "integer" } } },
                "output": { "type": "object", "properties": {
                    "items": { "type": "array", "items": { "type": "string" } } } },
            },
            { "key": "put", "title": "Put", "run": "put" },
            { "key": "plain", "title": "Plain", "method": "GET", "path": "/" },
        ],
        "tests": [{
            "name": "Two", "action": "list", "input": { "bucket": "b" },
            "at": "2026-01-31T12:00:00Z", "signs_with": { "id": "key", "secret": "made up" },
            "exchanges": [{
                "request": { "method": "GET", "url": "https://store.example.com/b" },
                "answer": { "status": 200, "body": "x" },
            }],
            "output": { "items": ["x"] },
        }],
    })
}

fn changed(pointer: &str, value: Value) -> Value {
    let mut connector = with_logic();
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    match connector.pointer_mut(parent).expect("it is there") {
        Value::Array(items) => items[name.parse::<usize>().expect("a number")] = value,
        parent => parent[name] = value,
    }
    connector
}

#[test]
fn an_action_with_logic_carries_its_component_and_others_do_not() {
    let connector = read(&with_logic()).expect("it is whole");
    assert_eq!(
        connector.broken_examples(),
        [],
        "a component has to run these"
    );
    let text = serde_json::to_string(&connector).expect("it is JSON");
    assert_eq!(Connector::read(&text).as_ref(), Ok(&connector));
    let connector = connector.with_module("b".repeat(64));
    let declared = |key: &str| {
        let operation = connector.action(key).expect("it is there");
        Declared::of(&connector, operation)
    };
    assert_eq!(declared("plain").component(), None);
    let list = declared("list");
    assert_eq!(list.check(), Ok(()));
    let component = list.component().expect("it has one");
    assert_eq!(component.hosts, ["https://store.example.com"]);
    let stored = crate::canonical::of(&list).expect("it is JSON");
    let again: Declared = serde_json::from_str(&stored).expect("it is a declaration");
    assert_eq!((again.json(), again == list), (list.json(), true));
    // What a component does is a write, unless it says otherwise; the engine holds it to that.
    let effect = |key: &str| declared(key).action().effect(&Map::new());
    assert_eq!(
        (effect("list"), effect("put")),
        (Effect::Read, Effect::Write)
    );
    let asks = |method: &str| Asked {
        method: method.to_owned(),
        url: String::new(),
        headers: Vec::new(),
        body: None,
        repeats: true,
    };
    assert!(list.may_send(&asks("GET")) && !list.may_send(&asks("POST")));
    assert!(declared("put").may_send(&asks("POST")));
    // Later steps see its output as it is declared, and no status.
    let fields: Vec<&str> = list
        .action()
        .output
        .fields
        .iter()
        .map(|f| f.name.as_str())
        .collect();
    assert_eq!(fields, ["items"]);
    let input = list.input(&map(json!({ "bucket": "b", "count": "7", "other": 1 })));
    assert_eq!(input, Ok(map(json!({ "bucket": "b", "count": 7 }))));
    assert_eq!(
        list.input(&Map::new()),
        Err("Bucket is missing. Fill it in.".to_owned())
    );
}

#[test]
fn whoever_reviews_a_step_sees_what_runs_and_what_it_reaches() {
    let connector = read(&with_logic())
        .expect("it is whole")
        .with_module("b".repeat(64));
    let told = |connector: &Connector| {
        let operation = connector.action("put").expect("it is there");
        Declared::of(connector, operation).told()
    };
    let before = told(&connector);
    for line in [
        "Runs put of a component".to_owned(),
        format!("Component (SHA-256): {}", "b".repeat(64)),
        "Effect: may write".to_owned(),
        "Reaches https://store.example.com".to_owned(),
    ] {
        assert!(before.lines().any(|own| own == line), "{before}");
    }
    let other = connector.clone().with_module("c".repeat(64));
    assert_ne!(told(&other), before);
    let mut wider = connector.clone();
    let component = wider.component.as_mut().expect("it has one");
    component.hosts = vec!["https://elsewhere.example.com".to_owned()];
    let told = compare(&connector, &wider).connector;
    assert_eq!(
        told,
        [
            "Its logic may reach https://elsewhere.example.com now.",
            "Its logic does not reach https://store.example.com any more.",
        ]
    );
    let told = compare(&connector, &other).connector.remove(0);
    assert!(
        told.starts_with("Its logic is another: component bbbb"),
        "{told}"
    );
}

#[test]
fn what_is_wrong_with_logic_is_said_with_its_place() {
    let example = |change: fn(&mut Value)| {
        let mut connector = with_logic();
        change(&mut connector["tests"][0]);
        connector
    };
    for (connector, told) in [
        (
            changed("/component", json!(null)),
            "component: An action is run by a component",
        ),
        (
            changed(
                "/actions",
                json!([{ "key": "a", "title": "A", "path": "/" }]),
            ),
            "component: No action is run",
        ),
        (
            changed("/component/sha256", json!("abc")),
            "component, sha256: Write",
        ),
        (
            changed("/component/hosts", json!(["https://a.example.com/"])),
            "component, hosts: Write each",
        ),
        (
            changed("/component/hosts", json!(["*"])),
            "component, hosts: Write each",
        ),
        (changed("/component/more", json!(1)), "unknown field `more`"),
        (changed("/actions/1/run", json!("a/b")), "run: Use 1 to 60"),
        (
            changed("/actions/1/path", json!("/a")),
            "run: The component makes",
        ),
        (
            changed("/actions/1/method", json!("POST")),
            "run: The component makes",
        ),
        (
            changed("/actions/1/body", json!("json")),
            "run: The component makes",
        ),
        (
            example(|test| test["exchanges"] = Value::from(vec![test["exchanges"][0].clone(); 33])),
            "exchanges: A step sends at most 32",
        ),
        (
            example(|test| test["request"] = test["exchanges"][0]["request"].clone()),
            "request: A component asks",
        ),
        (
            example(|test| test["action"] = json!("plain")),
            "request: An action without logic",
        ),
    ] {
        let faults = match read(&connector) {
            Ok(_) => panic!("{told}"),
            Err(faults) => faults,
        };
        let is_told = faults.iter().any(|fault| fault.to_string().contains(told));
        assert!(is_told, "{told}: {faults:?}");
    }
}

#[test]
fn what_a_component_asks_for_is_known_by_method_address_and_body() {
    let asked = Asked {
        method: "PUT".to_owned(),
        url: "https://store.example.com/b".to_owned(),
        headers: vec![("Authorization".to_owned(), "one".to_owned())],
        body: Some("text".to_owned()),
        repeats: false,
    };
    let with = |change: &dyn Fn(&mut Asked)| {
        let mut other = asked.clone();
        change(&mut other);
        other.digest() == asked.digest()
    };
    assert!(with(&|other| other.headers[0].1 = "two".to_owned()));
    assert!(!with(&|other| other.method = "POST".to_owned()));
    assert!(!with(&|other| other.url.push('/')));
    assert!(!with(&|other| other.body = None));
}
