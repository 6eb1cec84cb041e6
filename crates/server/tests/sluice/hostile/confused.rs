//! Values of every kind, in every field of every server function: what they are called with is
//! taken from the permission matrix, which knows all of them.

use serde_json::{Value, json};
use server::api;

use super::Tally;
use crate::app::TestApp;
use crate::permission::{fields, things};

/// Deepest values that are replaced: a field of a step in an edit of a save is at 5.
const DEPTH: usize = 6;
/// Most fields of one function; the first of a long list stand for the others.
const FIELDS: usize = 40;

/// One value of each kind, and texts that mean something to what may stand behind a field.
fn odd() -> Vec<Value> {
    let texts = [
        "",
        "\u{0}",
        "\u{202e}\u{feff}",
        "' or 1=1; drop table account; --",
        "$(touch /tmp/x) `id` | cat < /etc/passwd && rm -rf /",
        "../../../../etc/passwd%00",
        "{{ 7 * 7 }}${7*7}<%= 7 %>",
        "<script>alert(1)</script>",
        "%s%n%x\r\nSet-Cookie: a=b",
        "00000000-0000-0000-0000-000000000000",
        "9999999999-99-99T99:99:99Z",
    ];
    let mut odd: Vec<Value> = texts.map(Value::from).to_vec();
    odd.push(json!("x".repeat(100_000)));
    odd.extend([
        json!(null),
        json!(true),
        json!(-1),
        json!(0.5),
        json!(1e308),
        json!(u64::MAX),
        json!([]),
        json!([[], {}, null]),
        json!({}),
        json!({ "__proto__": { "a": 1 }, "constructor": null }),
    ]);
    let deep = (0..90).fold(json!(1), |inner, _| json!([inner]));
    odd.push(deep);
    odd
}

/// Returns the pointers to all fields of a value, the value itself first.
fn pointers(value: &Value) -> Vec<String> {
    let mut found = vec![String::new()];
    let mut at = 0;
    while at < found.len() && found.len() < FIELDS {
        let pointer = found[at].clone();
        at += 1;
        if pointer.split('/').count() > DEPTH {
            continue;
        }
        match value.pointer(&pointer) {
            Some(Value::Object(fields)) => found.extend(fields.keys().map(|name| {
                let name = name.replace('~', "~0").replace('/', "~1");
                format!("{pointer}/{name}")
            })),
            Some(Value::Array(items)) if !items.is_empty() => found.push(format!("{pointer}/0")),
            _ => {}
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn no_value_in_any_field_of_any_function_makes_the_server_fail() {
    let mut tally = Tally::new("confused");
    let app = TestApp::with_role("web").await;
    let functions = api::functions().iter();
    let mut calls = Vec::new();
    // First all that is needed: what is sent later may change rules that this keeps to.
    for function in functions {
        let name = function.path.trim_start_matches("/api/");
        if name != "sign_out" {
            let (fields, _) = fields(name, &things(&app, name).await);
            calls.push((name, fields));
        }
    }
    let odd = odd();
    let mut address = 0_u32;
    for (name, fields) in calls {
        for pointer in pointers(&fields) {
            for value in &odd {
                let mut sent = fields.clone();
                if let Some(field) = sent.pointer_mut(&pointer) {
                    *field = value.clone();
                }
                // Limits count by address.
                address += 1;
                let [_, a, b, c] = address.to_be_bytes();
                let admin = app.admin.from(&format!("10.{}.{b}.{c}", 100 + a));
                let answer = admin.call(name, sent).await;
                // 503 says that there is no room, or no provider, and means it.
                let is_stopped = answer.status < 500 || answer.status == 503;
                tally.input(is_stopped, || {
                    let shown: String = value.to_string().chars().take(60).collect();
                    format!(
                        "{name}{pointer} = {shown}: {} {}",
                        answer.status, answer.text
                    )
                });
            }
        }
    }
    let health = app.anonymous.get("/health/ready").await;
    tally.input(health.status == 200, || {
        format!("it is not ready: {}", health.text)
    });
    app.end().await;
    tally.end(5_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_body_under_any_content_type_makes_the_server_fail_or_is_taken_for_another() {
    let mut tally = Tally::new("confused-body");
    let app = TestApp::with_role("web").await;
    let types = [
        "",
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain",
        "application/cbor",
        "application/octet-stream",
        "application/xml",
        "*/*",
        "application/json; charset=utf-16",
    ];
    let bodies: [&[u8]; 7] = [
        b"",
        b"{",
        b"null",
        b"--x\r\ncontent-disposition: form-data; name=\"id\"; filename=\"/etc/passwd\"\r\n\r\n1\r\n--x--",
        b"id=1&name=2",
        b"\xff\xfe\x00\x00",
        b"\xa1\x62id\x01",
    ];
    for function in api::functions() {
        for content_type in types {
            for body in bodies {
                let mut request = app.anonymous.request("POST", function.path);
                if !content_type.is_empty() {
                    request = request.header("content-type", content_type);
                }
                let answer = app.anonymous.send(request.body(body)).await;
                tally.input(answer.status < 500, || {
                    format!("{} {content_type}: {}", function.path, answer.status)
                });
            }
        }
    }
    app.end().await;
    tally.end(5_000);
}
