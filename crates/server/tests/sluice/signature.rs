//! Signed webhooks, as their senders and others call them.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::app::{TestApp, text};
use crate::client::{Answer, Client};
use crate::document::webhook;

const BODY: &str = "{\"id\": 7}";

fn signed_by_github(secret: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length fits");
    mac.update(body.as_bytes());
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

async fn call(caller: &Client, path: &str, signature: Option<&str>, body: &str) -> Answer {
    let mut request = caller
        .request("POST", path)
        .header("content-type", "application/json");
    if let Some(signature) = signature {
        request = request.header("x-hub-signature-256", signature);
    }
    caller.send(request.body(body.to_owned())).await
}

async fn runs(app: &TestApp) -> usize {
    let all = json!({ "integration": null, "state": null, "before": null });
    let runs = app.admin.must("runs", all).await;
    runs.as_array().map_or(0, Vec::len)
}

/// Publishes an integration whose calls GitHub signs.
async fn published(app: &TestApp) -> (String, String) {
    let mut document = webhook(&[("log", "Note", json!({ "message": "came" }))]);
    document["trigger"]["config"]["signature"] = json!("github");
    app.publish(&document).await
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_the_sender_signed_starts_a_run() {
    let app = TestApp::with_role("web").await;
    let (id, path) = published(&app).await;
    let caller = &app.anonymous;
    let keep = json!({ "id": id, "given": null });

    // Without a secret nothing can be right.
    let early = call(caller, &path, Some(&signed_by_github("", BODY)), BODY).await;
    assert_eq!(early.status, 401, "{}", early.text);

    let secret = text(&app.admin.must("keep_signing_secret", keep.clone()).await);
    let right = signed_by_github(&secret, BODY);
    let taken = call(caller, &path, Some(&right), BODY).await;
    assert_eq!(taken.status, 202, "{}", taken.text);
    assert_eq!(runs(&app).await, 1);

    let other_secret = signed_by_github("whsec_of-somebody-else", BODY);
    for (signature, body) in [
        (None, BODY),
        (Some(""), BODY),
        (Some("sha256="), BODY),
        (Some(&right[..right.len() - 2]), BODY),
        (Some(&right), "{\"id\": 8}"),
        (Some(&right), ""),
        (Some(&other_secret), BODY),
    ] {
        let answer = call(caller, &path, signature, body).await;
        assert_eq!(answer.status, 401, "{signature:?} {body}");
        assert_eq!(answer.json()["code"], "hook/signature");
        assert!(!answer.text.contains(&secret), "the secret is shown");
    }
    assert_eq!(runs(&app).await, 1, "nothing forged started a run");

    // What is not JSON is not looked at before its signature is.
    let answer = call(caller, &path, Some(&right), "{\"id\"").await;
    assert_eq!(answer.status, 401);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_exchanged_without_a_call_being_refused() {
    let app = TestApp::with_role("web").await;
    let (id, path) = published(&app).await;
    let keep = json!({ "id": id, "given": "whsec_the-first-of-two" });
    let given = app.admin.must("keep_signing_secret", keep).await;
    assert_eq!(given, Value::Null, "what was given is not repeated");
    let keep = json!({ "id": id, "given": null });
    let second = text(&app.admin.must("keep_signing_secret", keep).await);

    let caller = &app.anonymous;
    let first = signed_by_github("whsec_the-first-of-two", BODY);
    let second = signed_by_github(&second, BODY);
    for signature in [&first, &second] {
        let taken = call(caller, &path, Some(signature), BODY).await;
        assert_eq!(taken.status, 202, "{}", taken.text);
    }
    let kept = app.admin.must("signing_secrets", json!({ "id": id })).await;
    let remove = json!({ "id": id, "secret": kept[1]["id"] });
    app.admin.must("remove_signing_secret", remove).await;
    assert_eq!(call(caller, &path, Some(&first), BODY).await.status, 401);
    assert_eq!(call(caller, &path, Some(&second), BODY).await.status, 202);
    app.end().await;
}
