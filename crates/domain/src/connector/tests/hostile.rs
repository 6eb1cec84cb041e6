//! Whatever is read, nothing panics, and what passes the check stays on its host.

use proptest::prelude::*;

use super::*;

/// Returns any JSON.
fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[ -~]{0,12}".prop_map(Value::from),
        "\\PC{0,6}".prop_map(Value::from),
        prop::sample::select(vec![
            "..",
            ".",
            "/",
            "{site}",
            "{",
            "}",
            "a{b}",
            "https://",
            "https://{x}",
            "/../",
            "%2e",
            "string",
            "boolean",
            "integer",
            "array",
            "object",
            "query",
            "path",
            "body",
            "header",
            "whole_body",
            "deep",
            "json",
            "form",
            "GET",
            "POST",
            "read",
            "/a/b",
            "\r\n",
            "é",
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec(("[a-z_$./{}-]{0,8}", inner), 0..6)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

/// Counts the values inside a value.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(map) => map.values().map(count).sum(),
        _ => 0,
    }
}

/// Replaces the value with that number, counted from the outside.
fn replace(value: &mut Value, number: &mut usize, with: &Value) {
    if *number == 0 {
        *value = with.clone();
    }
    *number = number.wrapping_sub(1);
    match value {
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| replace(item, number, with)),
        Value::Object(map) => map
            .values_mut()
            .for_each(|item| replace(item, number, with)),
        _ => {}
    }
}

proptest! {
    #[test]
    fn any_text_and_any_json_is_read_without_panic(text in "\\PC{0,60}", value in json_value()) {
        let _ = Connector::read(&text);
        let _ = Connector::read(&value.to_string());
        let _ = serde_json::from_value::<Declared>(value.clone());
        let _ = fits(&value, &value);
        let _ = example_of(&value);
    }

    #[test]
    fn a_connector_with_something_else_in_it_is_refused_or_stays_on_its_host(
        at in 0..200_usize,
        with in json_value(),
        given in prop::collection::vec(json_value(), 7),
    ) {
        let mut connector = whole();
        let mut number = at % count(&connector);
        replace(&mut connector, &mut number, &with);
        let Ok(connector) = read(&connector) else { return Ok(()) };
        let _ = connector.broken_examples();
        for operation in &connector.actions {
            let declared = Declared::of(&connector, operation);
            prop_assert_eq!(declared.check(), Ok(()));
            let fields = operation.input.fields.iter();
            let mut config: Map<String, Value> =
                fields.zip(&given).map(|(field, value)| (field.name.clone(), value.clone())).collect();
            let _ = declared.request(&config);
            config.insert("site".to_owned(), json!("acme"));
            if let Ok(built) = declared.request(&config) {
                let url = built["url"].as_str().expect("it is a text");
                let (host, path) = super::super::request::split_host(url);
                let (expected, _) = super::super::request::split_host(&connector.base);
                prop_assert_eq!(host, expected.replace("{site}", "acme"));
                prop_assert!(super::super::request::dots(path).is_none(), "{}", path);
                prop_assert!(url.bytes().all(|byte| byte.is_ascii_graphic()), "{}", url);
            }
        }
    }

    #[test]
    fn a_forged_declaration_is_checked_and_used_without_panic(
        at in 0..200_usize,
        with in json_value(),
        given in json_value(),
    ) {
        let connector = read(&whole()).expect("it is whole");
        for operation in &connector.actions {
            let mut forged = serde_json::to_value(Declared::of(&connector, operation)).expect("JSON");
            let mut number = at % count(&forged);
            replace(&mut forged, &mut number, &with);
            let Ok(forged) = serde_json::from_value::<Declared>(forged) else { continue };
            let _ = forged.check();
            let names = ["site", "account", "email", "status", "ids"];
            let config = names.map(|name| (name.to_owned(), given.clone()));
            let _ = forged.request(&config.into_iter().collect());
        }
    }
}
