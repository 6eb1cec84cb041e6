//! The shell page, the files of the site, and the stream of changes.

use std::time::Duration;

use futures::StreamExt;
use serde_json::{Value, json};

use crate::app::{PUBLIC_URL, TestApp};
use crate::client::Client;
use crate::document::{document, wire};

fn boot(page: &str) -> Value {
    let json = page.split("id=\"boot\"").nth(1).and_then(|rest| {
        let from = rest.find('>')? + 1;
        rest.get(from..from + rest[from..].find('<')?)
    });
    serde_json::from_str(json.expect("the page has boot data")).expect("they are JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_brings_its_first_data_along() {
    let app = TestApp::with_role("web").await;
    let document = wire(&document("webhook", &[]));
    let name = "</script><script>alert(1)</script>";
    app.admin
        .must(
            "create_integration",
            json!({ "name": name, "document": document }),
        )
        .await;

    let page = app.admin.get("/").await;
    assert_eq!(
        (page.status, page.header("content-type")),
        (200, "text/html; charset=utf-8")
    );
    let data = boot(&page.text);
    assert_eq!(data["me"]["role"], "admin");
    assert_eq!(data["integrations"][0]["name"], name);
    assert!(!page.text.contains("<script>alert"));

    let stranger = boot(&app.anonymous.get("/runs/anything").await.text);
    assert_eq!(
        stranger,
        json!({
            "is_set_up": true, "me": null, "public_url": PUBLIC_URL, "demo_service": null,
            "integrations": null,
        })
    );
    app.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_runs_only_what_it_names() {
    let app = TestApp::with_role("web").await;
    let (one, two) = (app.anonymous.get("/").await, app.anonymous.get("/").await);
    let policy = one.header("content-security-policy");
    let nonce = policy
        .split("'nonce-")
        .nth(1)
        .and_then(|rest| rest.split('\'').next())
        .expect("it has a nonce");
    assert!(
        policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
        "{policy}"
    );
    assert_ne!(
        policy,
        two.header("content-security-policy"),
        "a nonce is used once"
    );
    for script in one.text.split("<script").skip(1) {
        assert!(script.contains(&format!("nonce=\"{nonce}\"")), "{script}");
    }
    assert!(!one.text.contains("style=\"") && !one.text.contains(" onclick"));
    assert_eq!(one.header("x-content-type-options"), "nosniff");
    assert_eq!(one.header("cache-control"), "no-store");
    assert!(
        one.text.contains("href=\"/pkg/sluice-1.js\"")
            && one
                .text
                .contains("href=\"/pkg/sluice-1_bg.wasm\" as=\"fetch\"")
    );
    app.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_sent_compressed_and_kept_for_ever() {
    let app = TestApp::with_role("web").await;
    let get = |path: &str, accepted: &str| {
        let request = app
            .anonymous
            .request("GET", path)
            .header("accept-encoding", accepted);
        app.anonymous.send(request)
    };
    for (accepted, encoding, content) in [
        ("gzip, br", "br", "brotli script"),
        ("gzip", "gzip", "gzip script"),
        ("identity", "", "plain script"),
    ] {
        let file = get("/pkg/sluice-1.js", accepted).await;
        assert_eq!(
            (file.header("content-encoding"), file.text.as_str()),
            (encoding, content)
        );
        assert_eq!(
            file.header("cache-control"),
            "public, max-age=31536000, immutable"
        );
        assert_eq!(
            file.header("content-type"),
            "text/javascript; charset=utf-8"
        );
        assert_eq!(file.header("vary"), "accept-encoding");
    }
    assert_eq!(get("/robots.txt", "br").await.text, "plain text");
    for absent in [
        "/pkg/other.js",
        "/favicon.png",
        "/pkg/../../Cargo.toml",
        "/.env",
        "/pkg/%2e%2e%2frobots.txt",
    ] {
        let answer = get(absent, "br").await;
        assert_eq!(answer.status, 404, "{absent}: {}", answer.text);
    }
    app.end().await;
}

async fn listen(client: &Client) -> impl futures::Stream<Item = String> + Unpin + use<> {
    let response = client
        .request("GET", "/live")
        .send()
        .await
        .expect("it answers");
    assert_eq!(response.status(), 200);
    let pieces = response.bytes_stream();
    pieces.map(|piece| String::from_utf8_lossy(&piece.expect("it is whole")).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_page_hears_of_changes_in_its_own_organization_only() {
    let app = TestApp::with_role("web").await;
    let (mut ours, mut theirs) = (listen(&app.reader).await, listen(&app.outsider).await);
    assert!(
        ours.next()
            .await
            .is_some_and(|piece| piece.contains("event: ready"))
    );
    assert!(
        theirs
            .next()
            .await
            .is_some_and(|piece| piece.contains("event: ready"))
    );
    let document = wire(&document("webhook", &[]));
    let create = json!({ "name": "One", "document": document });
    app.admin.must("create_integration", create.clone()).await;
    let heard = ours.next().await.expect("it goes on");
    let data = heard
        .lines()
        .find_map(|line| line.strip_prefix("data: "))
        .expect("it has data");
    let changed: domain::live::Changed = serde_json::from_str(data).expect("the page knows it");
    assert!(matches!(
        changed,
        domain::live::Changed::Integration(_) | domain::live::Changed::Draft(..)
    ));

    // The first that the others hear is of their own.
    let id = app.outsider.must("create_integration", create).await;
    let draft = app.outsider.must("read_draft", json!({ "id": id })).await;
    let heard = theirs.next().await.expect("it goes on");
    let own = [draft["integration"].as_str(), id.as_str()];
    assert!(
        own.into_iter().flatten().any(|id| heard.contains(id)),
        "{heard}"
    );
    drop((ours, theirs));
    app.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_its_session() {
    let app = TestApp::with_role("web").await;
    let mut stream = listen(&app.reader).await;
    assert!(stream.next().await.is_some());
    let members = app.admin.must("members", json!({})).await;
    let reader = members
        .as_array()
        .into_iter()
        .flatten()
        .find(|member| member["role"] == "reader");
    let account = reader.expect("there is one")["account"].clone();
    app.admin
        .must("remove_member", json!({ "account": account }))
        .await;
    // Sooner than the stream looks at its session again by itself.
    let end = async { while stream.next().await.is_some() {} };
    let ended = tokio::time::timeout(Duration::from_secs(10), end).await;
    ended.expect("the stream ends");
    app.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_gets_a_message_hears_of_it() {
    let app = TestApp::with_role("web").await;
    let document = wire(&document(
        "webhook",
        &[("log", "Note", json!({ "message": "Hi." }))],
    ));
    let create = json!({ "name": "One", "document": document });
    let draft = app.admin.must("create_integration", create).await;
    let (mut asked, mut other) = (listen(&app.reader).await, listen(&app.collaborator).await);
    assert!(asked.next().await.is_some() && other.next().await.is_some());
    let reader = app.reader.must("who_am_i", json!({})).await["account"].clone();
    let fields = json!({
        "draft": draft, "title": "Look", "description": "", "reviewers": [reader.clone()],
    });
    let review = app.admin.must("create_review", fields).await;
    let notified = format!("{{\"notified\":{reader}}}");
    let mut heard = String::new();
    while !heard.contains(&notified) {
        heard += &asked.next().await.expect("it goes on");
    }
    assert!(heard.contains(review.as_str().expect("it is an id")));
    // What comes later is heard by both: then the other has heard all before it.
    let again = json!({ "id": draft, "title": "Again" });
    app.admin.must("rename_draft", again).await;
    let mut heard = String::new();
    while heard.matches("\"integration\"").count() < 2 {
        heard += &other.next().await.expect("it goes on");
    }
    assert!(
        heard.contains(review.as_str().expect("it is an id")),
        "{heard}"
    );
    assert!(!heard.contains("notified"), "{heard}");
    drop((asked, other));
    app.end().await;
}
