//! What is sent for which fields.

use super::*;

/// Returns an action with one optional field `x` at a place.
fn one(place: Value, body: &str, property: Value) -> Declared {
    let connector = json!({
        "form": 1, "key": "a", "title": "A", "base": "https://a.example",
        "actions": [{
            "key": "do", "title": "Do", "method": "POST", "path": "/do", "body": body,
            "input": { "type": "object", "properties": { "x": property } },
            "places": { "x": place },
        }],
    });
    declared(&connector, "do")
}

#[test]
fn each_field_goes_to_its_place_and_what_is_not_given_is_left_out() {
    let declared = declared(&whole(), "create order");
    let config = json!({
        "connection": "0190", "timeout_seconds": 5, "site": "acme", "account": "a/b?c",
        "email": "a@example.com", "urgent": "true", "priority": "2", "city": "Köln", "lines": null,
    });
    let built = declared.request(&map(config)).expect("it is complete");
    assert_eq!(
        Value::Object(built),
        json!({
            "method": "POST",
            "url": "https://acme.example.com/v1/a%2Fb%3Fc/orders?notify=1",
            "headers": { "accept": "application/vnd.example+json" },
            "body_type": "json",
            "json": {
                "customer": { "e-mail": "a@example.com", "address": { "city": "Köln" } },
                "urgent": true,
                "priority": 2,
            },
            "connection": "0190",
            "timeout_seconds": 5,
            "expected_status": "201",
        })
    );
}

#[test]
fn a_required_field_that_is_missing_is_named() {
    let declared = declared(&whole(), "list orders");
    for (config, expected) in [
        (json!({}), "Site is missing. Fill it in."),
        (
            json!({ "site": null, "account": 1 }),
            "Site is missing. Fill it in.",
        ),
        (json!({ "site": "a" }), "Account is missing. Fill it in."),
        (
            json!({ "site": "a", "account": "" }),
            "Account: it is empty, but stands in the path. Fill it in.",
        ),
        (
            json!({ "site": "a", "account": { "a": 1 } }),
            "Account: a list or an object cannot stand there. Give a text or a number.",
        ),
    ] {
        assert_eq!(declared.request(&map(config)), Err(expected.to_owned()));
    }
}

#[test]
fn a_value_in_the_path_is_one_segment_whatever_it_holds() {
    let declared = declared(&whole(), "list orders");
    for (value, segment) in [
        (json!("plain-1_2.3~"), "plain-1_2.3~"),
        (json!(12), "12"),
        (json!(true), "true"),
        (json!("a/b"), "a%2Fb"),
        (json!("a\\b"), "a%5Cb"),
        (json!("../etc"), "..%2Fetc"),
        (json!("%2e%2e"), "%252e%252e"),
        (json!("..."), "..."),
        (json!("a?b#c"), "a%3Fb%23c"),
        (json!("a b&c=d;e"), "a%20b%26c%3Dd%3Be"),
        (json!("ü\r\n\0"), "%C3%BC%0D%0A%00"),
        (json!("{site}"), "%7Bsite%7D"),
        (
            json!("https://evil.example/"),
            "https%3A%2F%2Fevil.example%2F",
        ),
        (json!(["a", "b/c"]), "a,b%2Fc"),
    ] {
        let config = map(json!({ "site": "acme", "account": value }));
        let built = declared.request(&config).expect("it is complete");
        let url = format!("https://acme.example.com/v1/{segment}/orders");
        assert_eq!(built["url"], url, "{value}");
    }
    for value in [json!("."), json!("..")] {
        let config = map(json!({ "site": "acme", "account": value }));
        let refused = declared
            .request(&config)
            .expect_err("it would lead elsewhere");
        assert!(refused.contains("leads elsewhere"), "{refused}");
    }
}

#[test]
fn two_values_beside_each_other_do_not_lead_out_of_their_path_either() {
    let connector = json!({
        "form": 1, "key": "a", "title": "A", "base": "https://a.example",
        "actions": [{
            "key": "do", "title": "Do", "method": "GET", "path": "/a/{x}{y}/%2E{x}/c",
            "input": { "type": "object", "required": ["x", "y"],
                "properties": { "x": { "type": "string" }, "y": { "type": "string" } } },
        }],
    });
    let declared = declared(&connector, "do");
    for (x, y) in [(".", "."), (".", "a")] {
        let config = map(json!({ "x": x, "y": y }));
        assert!(declared.request(&config).is_err(), "{x} {y}");
    }
    let built = declared
        .request(&map(json!({ "x": "a", "y": "." })))
        .expect("it stays");
    assert_eq!(built["url"], "https://a.example/a/a./%2Ea/c");
}

#[test]
fn a_value_in_the_host_is_nothing_but_labels() {
    let declared = declared(&whole(), "list orders");
    for site in ["acme", "a.b", "A-1", "xn--mller-kva"] {
        let config = map(json!({ "site": site, "account": "1" }));
        let built = declared.request(&config).expect("it is a host");
        assert_eq!(
            built["url"],
            format!("https://{site}.example.com/v1/1/orders")
        );
    }
    for site in [
        "",
        ".",
        "a.",
        ".a",
        "a..b",
        "evil.example/",
        "evil.example/a",
        "evil.example#",
        "a:80",
        "evil.example?",
        "user@evil.example",
        "a b",
        "a\\b",
        "é",
        "a%2F",
        "[::1]",
        "a\n",
        "a\0",
    ] {
        let config = map(json!({ "site": site, "account": "1" }));
        assert!(declared.request(&config).is_err(), "{site:?}");
    }
}

#[test]
fn lists_and_objects_are_written_as_the_place_says() {
    let list = json!([1, "b", null, true]);
    let object = json!({ "a": 1, "b": { "c": [2, { "d": 3 }] }, "n": null });
    let flat = json!({ "a": 1, "b": "x", "n": null });
    for (style, value, expected) in [
        ("repeat", json!("t"), json!({ "x": "t" })),
        ("repeat", list.clone(), json!({ "x": ["1", "b", "true"] })),
        ("repeat", flat.clone(), json!({ "a": "1", "b": "x" })),
        ("comma", list.clone(), json!({ "x": "1,b,true" })),
        ("comma", flat, json!({ "x": "a,1,b,x" })),
        ("space", list.clone(), json!({ "x": "1 b true" })),
        ("pipe", list.clone(), json!({ "x": "1|b|true" })),
        (
            "brackets",
            list.clone(),
            json!({ "x[]": ["1", "b", "true"] }),
        ),
        ("brackets", json!(1), json!({ "x": "1" })),
        (
            "deep",
            list.clone(),
            json!({ "x[0]": "1", "x[1]": "b", "x[3]": "true" }),
        ),
        (
            "deep",
            object.clone(),
            json!({ "x[a]": "1", "x[b][c][0]": "2", "x[b][c][1][d]": "3" }),
        ),
        (
            "json",
            object,
            json!({ "x": r#"{"a":1,"b":{"c":[2,{"d":3}]},"n":null}"# }),
        ),
        ("json", json!("t"), json!({ "x": "t" })),
    ] {
        for (place, body, part) in [("query", "none", "query"), ("body", "form", "form")] {
            let place = json!({ "in": place, "name": "x", "style": style });
            let declared = one(place, body, json!({}));
            let built = declared
                .request(&map(json!({ "x": value })))
                .expect("it fits");
            let mut written = built[part].clone();
            for value in written.as_object_mut().expect("it is a map").values_mut() {
                // A list of one is written like the one.
                if let Value::Array(items) = value
                    && items.len() == 1
                {
                    *value = items.remove(0);
                }
            }
            assert_eq!(written, expected, "{style} {value}");
        }
    }
    let declared = one(json!({ "in": "query", "name": "x" }), "none", json!({}));
    assert!(declared.request(&map(json!({ "x": [[1]] }))).is_err());
    let nested = (0..50).fold(json!(1), |inner, _| json!({ "a": inner }));
    let place = json!({ "in": "query", "name": "x", "style": "deep" });
    assert!(
        one(place, "none", json!({}))
            .request(&map(json!({ "x": nested })))
            .is_err()
    );
}

#[test]
fn a_header_takes_one_line_and_a_list_with_commas() {
    let declared = one(json!({ "in": "header", "name": "X-A" }), "none", json!({}));
    for (value, expected) in [
        (json!("a"), Some("a")),
        (json!(["a", 1]), Some("a,1")),
        (json!("a\r\nHost: evil.example"), None),
        (json!("a\nb"), None),
        (json!("a\0"), None),
    ] {
        let built = declared.request(&map(json!({ "x": value })));
        let header = built
            .as_ref()
            .ok()
            .and_then(|built| built["headers"]["X-A"].as_str());
        assert_eq!(header, expected, "{value}");
    }
}

#[test]
fn what_a_form_gives_as_text_is_sent_as_the_schema_says() {
    for (property, given, sent) in [
        (json!({ "type": "boolean" }), json!("true"), json!(true)),
        (json!({ "type": "boolean" }), json!(" false "), json!(false)),
        (json!({ "type": "boolean" }), json!("maybe"), json!("maybe")),
        (json!({ "type": "integer" }), json!("12"), json!(12)),
        (
            json!({ "type": ["number", "null"] }),
            json!("1.5"),
            json!(1.5),
        ),
        (json!({ "type": "integer" }), json!("12a"), json!("12a")),
        (json!({ "type": "string" }), json!(12), json!("12")),
        (json!({ "type": "string" }), json!("012"), json!("012")),
        (
            json!({ "type": ["string", "integer"] }),
            json!(12),
            json!(12),
        ),
        (
            json!({ "type": "integer", "enum": [1, 2] }),
            json!("2"),
            json!(2),
        ),
        (json!({ "enum": ["1", 2] }), json!("1"), json!("1")),
        (json!({ "type": "array" }), json!([1]), json!([1])),
        (json!({}), json!("true"), json!("true")),
    ] {
        let declared = one(
            json!({ "in": "body", "name": "x" }),
            "json",
            property.clone(),
        );
        let built = declared
            .request(&map(json!({ "x": given })))
            .expect("it fits");
        assert_eq!(built["json"]["x"], sent, "{property} {given}");
    }
}

#[test]
fn a_body_can_be_one_field_or_made_of_several() {
    let whole = json!({ "in": "whole_body" });
    let built = |body: &str, value: Value| {
        one(whole.clone(), body, json!({})).request(&map(json!({ "x": value })))
    };
    assert_eq!(
        built("json", json!([1])).expect("it fits")["json"],
        json!([1])
    );
    assert_eq!(
        built("text", json!("a")).expect("it fits")["text"],
        json!("a")
    );
    assert_eq!(
        built("form", json!({ "a": 1 })).expect("it fits")["form"],
        json!({ "a": 1 })
    );
    assert!(built("form", json!([1])).is_err());
    let nothing = one(json!({ "in": "body", "name": "x" }), "json", json!({}));
    assert_eq!(
        nothing.request(&Map::new()).expect("it fits")["json"],
        json!({})
    );
}

#[test]
fn what_may_be_sent_twice_says_so() {
    for (more, expected) in [
        (json!({}), None),
        (json!({ "idempotent": true }), Some("repeat")),
        (json!({ "effect": "read" }), Some("repeat")),
    ] {
        let mut connector = whole();
        let action = connector["actions"][1].as_object_mut().expect("it is one");
        action.extend(map(more));
        let declared = declared(&connector, "create order");
        let mut config = map(json!({ "site": "a", "account": "1", "email": "e" }));
        let built = declared.request(&config).expect("it is complete");
        assert_eq!(built.get("no_answer").and_then(Value::as_str), expected);
        config.insert("no_answer".to_owned(), json!("doubt"));
        let built = declared.request(&config).expect("it is complete");
        assert_eq!(built["no_answer"], "doubt");
    }
}
