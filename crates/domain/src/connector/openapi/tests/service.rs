//! The service as a whole: version, server, who sends, keys, report.

use super::*;

#[test]
fn only_a_description_with_operations_is_taken() {
    let table = [
        (json!({}), Refusal::NotOne),
        (json!([]), Refusal::NotOne),
        (
            json!({ "openapi": "4.0.0" }),
            Refusal::Version("4.0.0".to_owned()),
        ),
        (
            json!({ "swagger": "1.2" }),
            Refusal::Version("1.2".to_owned()),
        ),
        (
            json!({ "openapi": "3.1.0", "paths": {} }),
            Refusal::NoOperations,
        ),
        (
            document(|document| document["paths"] = json!({ "/a": { "options": {} } })),
            Refusal::NothingLeft("OPTIONS /a: Sluice sends no OPTIONS.".to_owned()),
        ),
    ];
    for (document, expected) in table {
        assert_eq!(
            import(&document, None).map(|_| ()),
            Err(expected),
            "{document}"
        );
    }
}

#[test]
fn the_base_is_where_most_operations_are_sent() {
    let table = [
        (
            json!([{ "url": "https://a.example/v1/" }]),
            None,
            "https://a.example/v1",
        ),
        (
            json!([{ "url": "http://a.example" }]),
            None,
            "https://a.example",
        ),
        (
            json!([{ "url": "http://127.0.0.1:80/x" }]),
            None,
            "http://127.0.0.1:80/x",
        ),
        (
            json!([{ "url": "http://a.example" }, { "url": "https://b.example" }]),
            None,
            "https://a.example",
        ),
        (
            json!([{ "url": "/v2" }]),
            Some("https://docs.example/openapi.json"),
            "https://docs.example/v2",
        ),
        (json!([{ "url": "/v2" }]), None, "https://{host}/v2"),
        (json!([]), None, "https://{host}"),
        (
            json!([{ "url": "https://{site}.example/{v}", "variables": { "site": { "default": "demo" }, "v": { "default": "v1" } } }]),
            None,
            "https://{site}.example/v1",
        ),
        (
            json!([{ "url": "{scheme}://a.example", "variables": { "scheme": { "default": "https" } } }]),
            None,
            "https://a.example",
        ),
        (json!([{ "url": "//a.example" }]), None, "https://a.example"),
    ];
    for (servers, source, expected) in table {
        let document = document(|document| document["servers"] = servers.clone());
        let (connector, _) = import(&document, source).expect("it can be imported");
        assert_eq!(connector.base, expected, "{servers}");
        assert_eq!(connector.check(), Ok(()));
    }
}

#[test]
fn an_operation_of_another_server_has_a_base_of_its_own() {
    let document = document(|document| {
        document["paths"]["/b"] = json!({ "get": {} });
        document["paths"]["/up"] =
            json!({ "servers": [{ "url": "https://upload.example/v9" }], "put": {} });
    });
    let (connector, report) = import(&document, None).expect("it can be imported");
    let upload = connector.action("PUT /up").expect("it is there");
    assert_eq!(
        Declared::of(&connector, upload).line(),
        "PUT https://upload.example/v9/up"
    );
    assert_eq!(
        report.notes[0].text,
        "It is sent to https://upload.example. A connection for it needs this origin, too."
    );
}

#[test]
fn schemes_become_kinds_of_connection() {
    let with = |schemes: Value, security: Value| {
        let document = document(|document| {
            document["components"]["securitySchemes"] = schemes;
            document["security"] = security;
        });
        let (connector, report) = import(&document, None).expect("it can be imported");
        assert_eq!(connector.check(), Ok(()));
        let auth: Vec<(Kind, Vec<String>)> = connector
            .auth
            .iter()
            .map(|auth| (auth.kind, auth.names.clone()))
            .collect();
        (auth, connector, report)
    };
    let names = |names: &[&str]| {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<Vec<_>>()
    };
    let table = [
        (
            json!({ "type": "apiKey", "in": "header", "name": "X-Key" }),
            Kind::HeaderKey,
            names(&["X-Key"]),
        ),
        (
            json!({ "type": "apiKey", "in": "query", "name": "key" }),
            Kind::QueryKey,
            names(&["key"]),
        ),
        (
            json!({ "type": "http", "scheme": "Basic" }),
            Kind::Basic,
            names(&[]),
        ),
        (
            json!({ "type": "http", "scheme": "bearer" }),
            Kind::Bearer,
            names(&[]),
        ),
        (
            json!({ "type": "openIdConnect", "openIdConnectUrl": "https://a.example/x" }),
            Kind::Bearer,
            names(&[]),
        ),
        (
            json!({ "type": "oauth2", "flows": { "implicit": {} } }),
            Kind::Bearer,
            names(&[]),
        ),
    ];
    for (scheme, kind, names) in table {
        let (auth, ..) = with(json!({ "one": scheme }), json!([{ "one": [] }]));
        assert_eq!(auth, [(kind, names)], "{scheme}");
    }
    let flows = json!({
        "authorizationCode": { "authorizationUrl": "/authorize", "tokenUrl": "https://a.example/token", "scopes": { "read": "" } },
        "clientCredentials": { "tokenUrl": "https://a.example/token", "scopes": {} },
    });
    let (_, connector, _) = with(
        json!({ "one": { "type": "oauth2", "flows": flows } }),
        json!([{ "one": ["read"] }]),
    );
    let oauth = connector.auth[0].oauth.clone().expect("it has addresses");
    assert_eq!(oauth.authorization_url, "https://shop.example/authorize");
    assert_eq!(oauth.scopes, "read");
    assert_eq!(connector.auth[1].kind, Kind::OAuthClient);
    let two = json!({
        "one": { "type": "apiKey", "in": "header", "name": "X-Key" },
        "two": { "type": "apiKey", "in": "header", "name": "X-App" },
        "tls": { "type": "mutualTLS" },
    });
    let (auth, ..) = with(two.clone(), json!([{ "one": [], "two": [] }]));
    assert_eq!(auth, [(Kind::Headers, names(&["X-Key", "X-App"]))]);
    let (auth, connector, _) = with(two.clone(), json!([{ "one": [] }, {}]));
    assert_eq!((auth.len(), connector.actions[0].anonymous), (1, true));
    let (auth, _, report) = with(two, json!([{ "tls": [] }]));
    assert_eq!(auth, []);
    assert!(
        report.notes[0]
            .text
            .contains("it asks for a client certificate"),
        "{report:?}"
    );
}

#[test]
fn a_key_is_method_and_path_whatever_a_generator_calls_it() {
    let (one, _) = operation(json!({ "operationId": "A_1", "summary": "Do it." }));
    let (other, _) = operation(json!({ "operationId": "B_2" }));
    assert_eq!(
        (one.key.as_str(), one.key == other.key),
        ("POST /a/{id}", true)
    );
    assert_eq!((one.title.as_str(), other.title.as_str()), ("Do it", "B 2"));
    let long = format!("/{}", "x".repeat(600));
    let key = key_of("GET", &long);
    assert_eq!(key.len(), ACTION_KEY);
    assert_ne!(key, key_of("GET", &format!("{long}y")));
}

#[test]
fn what_is_left_out_says_why_and_the_rest_is_imported() {
    let document = document(|document| {
        document["paths"]["/cookie"] = json!({ "get": { "parameters": [{ "name": "sid", "in": "cookie", "required": true }] } });
        document["paths"]["/gone"] = json!({ "get": { "parameters": [{ "$ref": "#/nowhere" }] } });
        document["paths"]["/elsewhere"] = json!({ "$ref": "paths.yaml#/x" });
        document["paths"]["/old"] = json!({ "get": { "deprecated": true } });
        document["webhooks"] = json!({ "made": {} });
    });
    let (_, report) = import(&document, None).expect("it can be imported");
    let told: Vec<String> = report.left_out.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "/elsewhere: The operations of this path are not known: it refers to another document (`paths.yaml#/x`). Bundle the description into one file.",
            "GET /cookie: It needs the cookie `sid`. Sluice sends none.",
            "GET /gone: A parameter: it refers to `#/nowhere`, which is not there.",
        ]
    );
    assert_eq!((report.operations, report.imported), (5, 2));
    let notes: Vec<String> = report.notes.iter().map(ToString::to_string).collect();
    assert_eq!(notes[0], "GET /old: The service calls it deprecated.");
    assert!(notes[1].starts_with("It describes 1 webhooks"), "{notes:?}");
}

#[test]
fn version_2_is_read_like_3() {
    let document = json!({
        "swagger": "2.0",
        "info": { "title": "Old", "version": "1" },
        "host": "old.example", "basePath": "/v1", "schemes": ["http", "https"],
        "consumes": ["application/json"],
        "securityDefinitions": { "b": { "type": "basic" } },
        "security": [{ "b": [] }],
        "definitions": { "Thing": { "type": "object", "required": ["name"], "properties": { "name": { "type": "string" } } } },
        "paths": {
            "/things/{id}": {
                "parameters": [{ "name": "id", "in": "path", "required": true, "type": "integer" }],
                "put": {
                    "parameters": [
                        { "name": "tags", "in": "query", "type": "array", "items": { "type": "string" }, "collectionFormat": "multi" },
                        { "name": "ids", "in": "query", "type": "array", "items": { "type": "integer" } },
                        { "name": "thing", "in": "body", "required": true, "schema": { "$ref": "#/definitions/Thing" } },
                    ],
                    "responses": { "200": { "schema": { "$ref": "#/definitions/Thing" } } },
                },
            },
        },
    });
    let (made, _) = imported(&document);
    assert_eq!(made.output["properties"]["name"]["type"], "string");
    let request = built(
        &document,
        json!({ "id": 1, "tags": ["a", "b"], "ids": [1, 2], "name": "x" }),
    );
    assert_eq!(request["url"], "https://old.example/v1/things/1");
    assert_eq!(
        request["query"],
        json!({ "tags": ["a", "b"], "ids": "1,2" })
    );
    assert_eq!(request["json"], json!({ "name": "x" }));
    let form = |kind: &str| {
        json!({ "swagger": "2.0", "host": "old.example", "paths": { "/f": { "post": {
        "parameters": [{ "name": "file", "in": "formData", "type": kind, "required": true }] } } } })
    };
    assert_eq!(
        imported(&form("string")).0.body,
        crate::connector::BodyType::Form
    );
    assert_eq!(
        imported(&form("file")).0.body,
        crate::connector::BodyType::Multipart
    );
}

#[cfg(feature = "yaml")]
#[test]
fn a_text_is_read_as_json_or_yaml_within_limits() {
    let yaml = "\u{feff}openapi: 3.1.0\npaths:\n  /a:\n    get: &get\n      tags: [no, 007]\n    post: *get\n";
    let read_value = read(yaml).expect("it is YAML");
    assert_eq!(
        read_value["paths"]["/a"]["post"]["tags"],
        json!(["no", "007"])
    );
    assert_eq!(
        read(" {\"openapi\": \"3.0.0\"}").expect("it is JSON"),
        json!({ "openapi": "3.0.0" })
    );
    assert!(matches!(read("a: [b"), Err(Unreadable::Broken(_))));
    assert_eq!(read(&"[".repeat(5_000)), Err(Unreadable::Deep));
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let before = format!("*a{}", level - 1);
        bomb.push_str(&format!(
            "a{level}: &a{level} [{}]\n",
            [before.as_str(); 9].join(", ")
        ));
    }
    assert!(matches!(read(&bomb), Err(Unreadable::Broken(_))));
}
