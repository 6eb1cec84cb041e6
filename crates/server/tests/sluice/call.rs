//! What every call is held to, whoever makes it: where it comes from, how large it is, how often.

use domain::limit;
use serde_json::json;

use crate::app::{TestApp, text};

#[tokio::test(flavor = "multi_thread")]
async fn another_sites_page_can_change_nothing_here() {
    let app = TestApp::with_role("web").await;
    let call = |name: &'static str, value: &str| {
        let request = app
            .admin
            .request("POST", "/api/invite")
            .header("content-type", "application/json");
        app.admin
            .send(request.header(name, value).body("{\"role\": \"admin\"}"))
    };
    assert_eq!(call("sec-fetch-site", "cross-site").await.status, 403);
    assert_eq!(call("sec-fetch-site", "same-site").await.status, 403);
    assert_eq!(call("origin", "http://evil.example").await.status, 403);
    assert_eq!(call("sec-fetch-site", "same-origin").await.status, 200);
    let listening = app
        .admin
        .request("GET", "/live")
        .header("sec-fetch-site", "cross-site");
    assert_eq!(app.admin.send(listening).await.status, 403);
    let form = app
        .admin
        .request("POST", "/api/invite")
        .header("content-type", "text/plain");
    assert_eq!(
        app.admin
            .send(form.body("{\"role\": \"admin\"}"))
            .await
            .status,
        415
    );
    // Other systems are no pages of ours.
    let hook = app
        .anonymous
        .request("POST", &format!("/hooks/{}", "0".repeat(48)));
    assert_eq!(
        app.anonymous
            .send(hook.header("sec-fetch-site", "cross-site"))
            .await
            .status,
        404
    );
    app.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_too_large_or_too_deep_gets_a_sentence() {
    let app = TestApp::with_role("web").await;
    let post = |body: Vec<u8>| {
        let request = app
            .admin
            .request("POST", "/api/members")
            .header("content-type", "application/json");
        app.admin.send(request.body(body))
    };
    let large = post(vec![b' '; 9 * 1024 * 1024]).await;
    assert_eq!(large.status, 413, "{}", large.text);
    let padding = limit::DOCUMENT_BYTES + 1024;
    let fits = post([b"{}".to_vec(), vec![b' '; padding]].concat()).await;
    assert_eq!(fits.status, 200, "{}", fits.text);
    let deep = post([b"[".repeat(10_000), b"]".repeat(10_000)].concat()).await;
    assert_eq!(deep.status, 422);
    assert!(
        text(&deep.json()["refused"]["message"]).contains("nested deeper"),
        "{}",
        deep.text
    );
    let broken = post(b"{\"id\": 1".to_vec()).await;
    assert!(
        (400..500).contains(&broken.status),
        "{} {}",
        broken.status,
        broken.text
    );
    app.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_cannot_be_guessed_for_long() {
    let app = TestApp::with_role("web").await;
    let wrong = json!({ "token": "0".repeat(64) });
    let mut last = 0;
    for _ in 0..25 {
        last = app
            .anonymous
            .call("read_invitation", wrong.clone())
            .await
            .status;
    }
    assert_eq!(last, 429);
    app.end().await;
}
