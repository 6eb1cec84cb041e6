//! Connectors with logic through the whole server: imported with their module, used in a step,
//! published and run.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use domain::canonical::sha256;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::net::TcpListener;

use crate::app::TestApp;
use crate::document::document;
use crate::guest::{good, with};
use crate::guest_crate::module_of;

const KEY: &str = "AKIDEXAMPLE";
const SECRET: &str = "planted-secret-of-the-storage";

/// Returns a connector with one action, run by a component that may reach these origins.
pub(crate) fn connector(key: &str, hosts: &Value) -> Value {
    json!({
        "form": 1, "key": key, "title": "Logic", "base": "https://logic.example.com",
        "component": { "hosts": hosts },
        "actions": [{
            "key": "do", "title": "Do it", "run": "do", "effect": "read",
            "input": { "type": "object", "properties": { "url": { "type": "string" } } },
        }],
    })
}

/// Returns one that asks for what its only field, `url`, says, and gives the body of the answer.
pub(crate) fn asks_for_its_input() -> Vec<u8> {
    // The input is {"url":"…"}.
    with(
        "(data (i32.const 1024) \"GET\")",
        "(call $send (i32.const 1024) (i32.const 3)
           (i32.add (local.get 2) (i32.const 8)) (i32.sub (local.get 3) (i32.const 10))
           (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
           (i32.const 512))
         (call $gives (i32.const 1) (i32.load (i32.const 524)) (i32.load (i32.const 528)))",
    )
}

/// What an import is called with.
pub(crate) fn source(connector: &Value, module: Option<&[u8]>) -> Value {
    let module = module.map(|module| BASE64_STANDARD.encode(module));
    json!({ "text": { "text": connector.to_string(), "name": "logic.json", "module": module } })
}

/// Imports a connector with its module.
pub(crate) async fn import(app: &TestApp, connector: &Value, module: &[u8]) {
    let mut fields = json!({ "source": source(connector, Some(module)), "base": null });
    let preview = app.admin.must("preview_connector", fields.clone()).await;
    assert_eq!(preview["component"]["sha256"], sha256(module));
    fields["digest"] = preview["digest"].clone();
    app.admin.must("import_connector", fields).await;
}

/// Returns what the connector declares of an action.
pub(crate) async fn declared(app: &TestApp, connector: &str, action: &str) -> Value {
    let wanted = json!({ "wanted": [[connector, action]] });
    let mut all = app.admin.must("declarations", wanted).await;
    all[0].take()
}

/// Makes the steps of a document whose names begin with `Do` steps of a connector.
pub(crate) fn as_connector_steps(mut document: Value, declared: &Value) -> Value {
    for step in document["steps"]
        .as_object_mut()
        .expect("steps")
        .values_mut()
    {
        let name = step["name"].as_str().unwrap_or_default();
        if name == "Try" || name.starts_with("Do") {
            step["kind"] = json!("connector");
            step["action"] = declared.clone();
            let fields = &declared["operation"]["input"]["properties"];
            let config = step["config"].as_object_mut().expect("fields");
            config.retain(|name, _| fields.get(name).is_some());
        }
    }
    document
}

/// Returns a document that answers a call with what a step of a connector gives.
fn answering(declared: &Value, fields: &Value) -> Value {
    let made = document(
        "webhook",
        &[
            (
                "http.request",
                "Do",
                json!({ "url": "https://a.example.com" }),
            ),
            (
                "respond",
                "Answer",
                json!({ "body_type": "json", "json": "{{ steps.do | tojson }}" }),
            ),
        ],
    );
    let mut made = as_connector_steps(crate::document::wire(&made), declared);
    for step in made["steps"].as_object_mut().expect("steps").values_mut() {
        if step["name"] == "Do" {
            step["config"] = fields.clone();
        }
    }
    made
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connector_with_logic_is_imported_with_its_module_and_run() {
    let app = TestApp::start().await;
    let connector = connector("logic", &json!([]));
    // Without its module, with another one, or with one that it has no use for, it is not taken.
    let mut named = connector.clone();
    named["component"]["sha256"] = json!("a".repeat(64));
    let mut plain = connector.clone();
    plain["component"] = Value::Null;
    plain["actions"] = json!([{ "key": "do", "title": "Do it", "path": "/" }]);
    for (source, part) in [
        (source(&connector, None), "Give its module"),
        (source(&named, Some(&good())), "names the module"),
        (source(&plain, Some(&good())), "Leave the module out"),
        (source(&connector, Some(b"hello")), "no WebAssembly"),
        (
            json!({ "text": { "text": connector.to_string(), "name": "", "module": "%" } }),
            "base64",
        ),
    ] {
        let refused = app
            .admin
            .call(
                "preview_connector",
                json!({ "source": source, "base": null }),
            )
            .await;
        assert!(
            refused.status == 422 && refused.text.contains(part),
            "{part}: {}",
            refused.text
        );
    }
    import(&app, &connector, &good()).await;
    let page = app
        .reader
        .must("read_connector", json!({ "key": "logic" }))
        .await;
    assert_eq!(page["component"]["sha256"], sha256(&good()));
    // Once it is there, the connector that names it can be imported without it.
    named["component"]["sha256"] = json!(sha256(&good()));
    let again = json!({ "source": source(&named, None), "base": null });
    app.admin.must("preview_connector", again).await;
    let declared = declared(&app, "logic", "do").await;
    let (_, path) = app.publish(&answering(&declared, &json!({}))).await;
    // It stays when its connector goes: a version runs as it was published.
    app.admin
        .must("delete_connector", json!({ "key": "logic" }))
        .await;
    let answer = app.anonymous.post_json(&path, &json!({})).await;
    assert_eq!(answer.json(), json!({ "a": 1 }), "{}", answer.text);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_whose_component_is_not_there_is_not_published_and_says_so_in_a_test() {
    let app = TestApp::start().await;
    import(&app, &connector("logic", &json!([])), &good()).await;
    let mut declared = declared(&app, "logic", "do").await;
    declared["component"]["sha256"] = json!(sha256(&asks_for_its_input()));
    let document = answering(&declared, &json!({}));
    let draft = json!({ "name": "Forged", "document": document });
    let draft = app.admin.must("create_integration", draft).await;
    let read = app.admin.must("read_draft", json!({ "id": draft })).await;
    let revision = read["summary"]["revision"].clone();
    let publish = json!({ "id": draft, "revision": revision, "note": "", "reason": null });
    let refused = app.admin.call("publish", publish.clone()).await;
    assert!(
        refused.status == 409 && refused.text.contains("problem"),
        "{}",
        refused.text
    );
    let hash = sha256(&asks_for_its_input());
    let other = sha256(&good());
    let asked = json!({ "hashes": [other, hash] });
    let lacking = app
        .collaborator
        .must("lacking_components", asked.clone())
        .await;
    assert_eq!(lacking, json!([hash]));
    let test = json!({ "id": draft, "revision": revision, "payload": {}, "scope": "whole" });
    let run = app.admin.must("start_test", test).await;
    let ended = app.ended(&run, std::time::Duration::from_secs(20)).await;
    let error = ended["summary"]["error"].as_str().unwrap_or_default();
    assert!(
        error.contains("The component of this step is not there"),
        "{error}"
    );
    // Once the module is there, with whichever connector it came, so is the way to publish.
    let other = connector("further", &json!([]));
    import(&app, &other, &asks_for_its_input()).await;
    let lacking = app.reader.must("lacking_components", asked).await;
    assert_eq!(lacking, json!([]));
    app.admin.must("publish", publish).await;
    app.end().await;
}

/// A storage that checks each signature by itself, and gives lists in pages of two.
#[derive(Clone, Default)]
struct Storage {
    objects: Arc<Mutex<BTreeMap<String, (String, String)>>>,
    refused: Arc<Mutex<Vec<String>>>,
}

impl Storage {
    async fn start() -> (Self, String) {
        let storage = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let origin = format!("http://{}", listener.local_addr().expect("it is bound"));
        let own = storage.clone();
        let router = Router::new().fallback(move |request: Request<Body>| {
            let own = own.clone();
            async move { own.answer(request).await }
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        (storage, origin)
    }

    async fn answer(&self, request: Request<Body>) -> Response {
        let (head, body) = request.into_parts();
        let body = axum::body::to_bytes(body, 1_000_000)
            .await
            .expect("it is small");
        let body = String::from_utf8(body.to_vec()).expect("it is text");
        let header = |name: &str| {
            let value = head.headers.get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let (path, query) = (head.uri.path(), head.uri.query().unwrap_or_default());
        let expected = signature(head.method.as_str(), path, query, &body, &header);
        if !header("authorization").ends_with(&format!("Signature={expected}")) {
            self.refused
                .lock()
                .expect("no panic holds it")
                .push(format!("{} {path}?{query}", head.method));
            return (
                http::StatusCode::FORBIDDEN,
                "<Error><Code>SignatureDoesNotMatch</Code></Error>",
            )
                .into_response();
        }
        let mut objects = self.objects.lock().expect("no panic holds it");
        let key = path
            .strip_prefix("/reports/")
            .unwrap_or_default()
            .to_owned();
        match (head.method.as_str(), key.as_str()) {
            ("PUT", _) => {
                objects.insert(key, (body, header("content-type")));
                ([("etag", "\"e\"")], "").into_response()
            }
            (_, "") => {
                let from: usize = query
                    .split("continuation-token=")
                    .nth(1)
                    .and_then(|rest| rest.split('&').next()?.parse().ok())
                    .unwrap_or(0);
                let page: String = objects
                    .keys()
                    .skip(from)
                    .take(2)
                    .map(|key| format!("<Contents><Key>{key}</Key><Size>1</Size></Contents>"))
                    .collect();
                let more = from + 2 < objects.len();
                let next = format!(
                    "<IsTruncated>{more}</IsTruncated><NextContinuationToken>{}</NextContinuationToken>",
                    from + 2
                );
                (
                    [("content-type", "application/xml")],
                    format!("<ListBucketResult>{next}{page}</ListBucketResult>"),
                )
                    .into_response()
            }
            _ => match objects.get(&key) {
                Some((text, content_type)) => {
                    ([("content-type", content_type.clone())], text.clone()).into_response()
                }
                None => (
                    http::StatusCode::NOT_FOUND,
                    "<Error><Code>NoSuchKey</Code><Message>Gone.</Message></Error>",
                )
                    .into_response(),
            },
        }
    }
}

/// Returns the signature that a request must have, made of what came over the wire.
fn signature(
    method: &str,
    path: &str,
    query: &str,
    body: &str,
    header: &dyn Fn(&str) -> String,
) -> String {
    let given = header("authorization");
    let part = |name: &str| {
        let rest = given.split(&format!("{name}=")).nth(1).unwrap_or_default();
        rest.split(',').next().unwrap_or_default().to_owned()
    };
    let scope = part("Credential").replacen(&format!("{KEY}/"), "", 1);
    let names = part("SignedHeaders");
    let headers: String = names
        .split(';')
        .map(|name| format!("{name}:{}\n", header(name)))
        .collect();
    assert!(
        ["host", "x-amz-date", "x-amz-content-sha256"]
            .iter()
            .all(|name| names.contains(name)),
        "{names}"
    );
    let canonical = format!(
        "{method}\n{path}\n{query}\n{headers}\n{names}\n{}",
        sha256(body.as_bytes())
    );
    let text = format!(
        "AWS4-HMAC-SHA256\n{}\n{scope}\n{}",
        header("x-amz-date"),
        sha256(canonical.as_bytes())
    );
    let mut key = format!("AWS4{SECRET}").into_bytes();
    for part in scope.split('/').chain([text.as_str()]) {
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("any key can sign");
        mac.update(part.as_bytes());
        key = mac.finalize().into_bytes().to_vec();
    }
    hex::encode(key)
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_written_listed_page_by_page_and_read_with_requests_that_are_signed() {
    let app = TestApp::start().await;
    app.allow_loopback().await;
    let (storage, origin) = Storage::start().await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/connectors/object-storage");
    let text = std::fs::read_to_string(folder.join("connector.json")).expect("it is there");
    let file: Value = serde_json::from_str(&text).expect("it is JSON");
    let module = tokio::task::spawn_blocking(move || module_of(&folder));
    import(&app, &file, &module.await.expect("it can be built")).await;
    let form = json!({ "name": "Storage", "kind": "key_pair", "names": [KEY], "origins": [origin],
        "live": { "set": [SECRET] }, "test": "keep" });
    let connection = app
        .admin
        .must("create_connection", json!({ "form": form }))
        .await;
    let fields = |more: Value| {
        let mut fields = json!({ "connection": connection, "endpoint": origin, "region": "eu-central-1",
            "bucket": "reports", "style": "path" });
        let all = fields.as_object_mut().expect("it is one");
        all.extend(more.as_object().expect("it is one").clone());
        fields
    };
    let put = declared(&app, "object-storage", "put").await;
    let written = fields(
        json!({ "key": "{{ trigger.body.key }}", "text": "{{ trigger.body.text }}",
        "metadata": { "From": "sluice" } }),
    );
    let (_, path) = app.publish(&answering(&put, &written)).await;
    for (key, text) in [
        ("a.txt", "one"),
        ("b \u{e4}+&.txt", "Gr\u{fc}ezi"),
        ("c/d.txt", ""),
        ("e", "{\"a\":  1}"),
        ("f", "six"),
    ] {
        let answer = app
            .anonymous
            .post_json(&path, &json!({ "key": key, "text": text }))
            .await;
        assert_eq!(answer.json()["etag"], "\"e\"", "{key}: {}", answer.text);
    }
    let list = declared(&app, "object-storage", "list").await;
    let (_, path) = app
        .publish(&answering(&list, &fields(json!({ "prefix": "" }))))
        .await;
    let listed = app.anonymous.post_json(&path, &json!({})).await.json();
    assert_eq!(
        (&listed["count"], &listed["has_more"]),
        (&json!(5), &json!(false)),
        "{listed}"
    );
    let get = declared(&app, "object-storage", "get").await;
    let read = fields(json!({ "key": "{{ trigger.body }}", "missing": "fail" }));
    let (integration, path) = app.publish(&answering(&get, &read)).await;
    let read = app
        .anonymous
        .post_json(&path, &json!("b \u{e4}+&.txt"))
        .await
        .json();
    assert_eq!(
        (&read["text"], &read["found"]),
        (&json!("Gr\u{fc}ezi"), &json!(true)),
        "{read}"
    );
    let missing = app.anonymous.post_json(&path, &json!("nothing")).await;
    assert_eq!(missing.status, 500, "{}", missing.text);
    let refused = storage.refused.lock().expect("no panic holds it").clone();
    assert_eq!(refused, Vec::<String>::new());
    // The secret is in nothing that was recorded.
    let runs = app
        .admin
        .must(
            "runs",
            json!({ "integration": integration, "state": null, "before": null }),
        )
        .await;
    for run in runs.as_array().expect("a list") {
        let run = app.admin.must("read_run", json!({ "id": run["id"] })).await;
        let said = run.to_string();
        assert!(
            said.contains("AWS4-HMAC-SHA256") || said.contains("[hidden]"),
            "{said}"
        );
        assert!(!said.contains(SECRET), "{said}");
    }
    app.end().await;
}
