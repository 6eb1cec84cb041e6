//! What members are told by e-mail, with an SMTP server that takes, delays and refuses.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use server::mail::{Mail, Mailer, Pace};
use server::signal::Stop;
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::task::JoinHandle;

use crate::app::{TestApp, eventually, text};
use crate::document::{document, webhook, wire};
use crate::post_office::PostOffice;

const SOON: Duration = Duration::from_secs(20);
const FROM: &str = "Sluice <sluice@ours.example>";
const PUBLIC_URL: &str = "https://sluice.ours.example";
const SECRET: &str = "rather-secret";
/// [`SECRET`] with its user, as AUTH PLAIN sends it.
const SECRET_IN_BASE64: &str = "AG1haWxlcgByYXRoZXItc2VjcmV0";
const ADMIN: &str = "admin@ours.example";
const READER: &str = "reader@ours.example";
const COLLABORATOR: &str = "collaborator@ours.example";

fn smtp_url(office: &PostOffice) -> String {
    format!("smtp://mailer:{SECRET}@{}", office.address)
}

/// Sends letters in this process, without waiting for more to happen.
fn mailer(app: &TestApp, office: &PostOffice, stop: &Stop) -> JoinHandle<()> {
    let mail = Mail::read(&smtp_url(office), Some(FROM), Some(PUBLIC_URL));
    let mail = mail.expect("it can be used");
    let pace = Pace {
        gather: Duration::ZERO,
        poll: Duration::from_millis(20),
        unreachable: Duration::from_millis(20),
    };
    let mailer = Mailer::new(Some(&mail), app.store.clone(), stop.clone(), pace);
    tokio::spawn(mailer.work())
}

/// Asks members for a review, as the Admin; returns the review.
async fn ask(app: &TestApp, title: &str, emails: &[&str]) -> Value {
    let steps = [("log", "Note", json!({ "message": "ran" }))];
    let (integration, _) = app.publish(&wire(&document("manual", &steps))).await;
    let admin = &app.admin;
    let start = json!({ "integration": integration, "title": "Next" });
    let draft = admin.must("start_draft", start).await;
    let read = admin.must("read_draft", json!({ "id": draft })).await;
    let step = read["document"]["flow"][0].clone();
    let edit = json!({ "set_field": { "step": step, "field": "message", "value": "runs" } });
    let save = json!({ "id": uuid::Uuid::now_v7(), "expected": 1, "edits": [edit] });
    admin
        .must("save_draft", json!({ "id": draft, "save": save }))
        .await;
    let members = admin.must("members", json!({})).await;
    let members = members.as_array().into_iter().flatten();
    let reviewers: Vec<_> = members
        .filter(|member| emails.contains(&text(&member["email"]).as_str()))
        .map(|member| member["account"].clone())
        .collect();
    let review = json!({
        "draft": draft, "title": title, "description": "Why: it *ran*.", "reviewers": reviewers,
    });
    admin.must("create_review", review).await
}

/// Returns the state of a person's row in the outbox, with the last reason.
async fn outbox(app: &TestApp, email: &str) -> (String, i32, String) {
    let (state, attempts, error): (_, _, Option<String>) = sqlx::query_as(
        "select state, attempts, error from mail join notification using (notification_id)
         join account using (account_id) where email = $1",
    )
    .bind(email)
    .fetch_one(&app.sql())
    .await
    .expect("there is one");
    (state, attempts, error.unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_asked_gets_a_letter_that_leads_to_the_review() {
    let (app, office) = (TestApp::with_role("web").await, PostOffice::open().await);
    let stop = Stop::new();
    let mailer = mailer(&app, &office, &stop);
    let review = text(&ask(&app, "Größer\r\nBcc: all@ours.example", &[READER]).await);
    let arrived = async || office.letters(READER).pop();
    let letter = eventually("the letter arrives", SOON, arrived).await;
    let host = "sluice.ours.example";
    let thread = format!("<review.{review}@{host}>");
    assert_eq!(letter.header("References"), thread, "{}", letter.message);
    assert_eq!(letter.header("In-Reply-To"), thread);
    assert_eq!(letter.header("Auto-Submitted"), "auto-generated");
    assert_eq!(letter.header("From"), "Sluice <sluice@ours.example>");
    assert_eq!(letter.header("Bcc"), "", "{}", letter.message);
    assert!(letter.header("Message-ID").ends_with(&format!("@{host}>")));
    assert!(
        letter
            .header("Subject")
            .starts_with("[Ours] An Admin asks you to review ")
    );
    let text = letter.message.replace("=\n", "").replace("=3D", "=");
    assert!(text.contains("> Why: it *ran*.\n"), "{text}");
    let link = format!("\n{PUBLIC_URL}/reviews/{review}\n");
    assert!(text.contains(&link), "{text}");

    let pending = json!({
        "id": review, "revision": 2, "verdict": "approve", "message": "Fine with me.",
    });
    app.collaborator.must("submit_review", pending).await;
    let arrived = async || office.letters("admin@ours.example").pop();
    let answer = eventually("the author is told", SOON, arrived).await;
    assert_eq!(answer.header("References"), thread);
    assert_ne!(answer.header("Message-ID"), letter.header("Message-ID"));
    assert!(
        answer.message.contains("> Fine with me."),
        "{}",
        answer.message
    );
    let told = async || office.letters(READER).into_iter().nth(1);
    eventually("who was asked is told of the verdict", SOON, told).await;
    stop.give();
    mailer.await.expect("it ends by itself");
    assert_eq!(outbox(&app, READER).await.0, "sent");
    assert_eq!(office.letters(READER).len(), 2, "each is told once");
    app.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_published_is_told_once_that_an_integration_fails_and_once_that_it_works_again() {
    let (app, office) = (TestApp::start().await, PostOffice::open().await);
    // Fails when the caller sends no total.
    let values = json!({ "values": { "total": "{{ trigger.body.total }}" } });
    let steps = webhook(&[("set", "Keep total", values)]);
    let (integration, path) = app.publish(&steps).await;
    let stop = Stop::new();
    let mailer = mailer(&app, &office, &stop);
    let run = async |body: &Value| {
        let answer = app.anonymous.post_json(&path, body).await;
        app.ended(&answer.json()["run"], SOON).await
    };
    let bad = json!({ "other": "not for letters" });
    let good = json!({ "total": 12 });
    let failed = run(&bad).await;
    assert_eq!(failed["summary"]["state"], "failed", "{failed}");
    let detail = app
        .admin
        .must("read_integration", json!({ "id": integration }))
        .await;
    assert_eq!(
        detail["summary"]["failing"]["first"], failed["summary"]["id"],
        "{detail}"
    );
    let arrived = async || office.letters(ADMIN).pop();
    let letter = eventually("the letter arrives", SOON, arrived).await;
    assert!(
        letter.header("Subject").starts_with("[Ours] "),
        "{}",
        letter.message
    );
    let thread = format!("<integration.{integration}@sluice.ours.example>");
    assert_eq!(letter.header("References"), thread);
    let said = letter.message.replace("=\n", "").replace("=3D", "=");
    assert!(said.contains("\nStep: Keep total\n"), "{said}");
    assert!(
        said.contains("\nReason: Step `Keep total` failed: "),
        "{said}"
    );
    let link = format!(
        "\nRun: {PUBLIC_URL}/runs/{}\n",
        text(&failed["summary"]["id"])
    );
    assert!(said.contains(&link), "{said}");
    assert!(!said.contains("not for letters"), "{said}");

    run(&bad).await;
    let mended = run(&good).await;
    assert_eq!(mended["summary"]["state"], "succeeded", "{mended}");
    run(&good).await;
    let told = async || office.letters(ADMIN).into_iter().nth(1);
    let answer = eventually("the recovery is told", SOON, told).await;
    assert_eq!(answer.header("References"), thread);
    let link = format!("/runs/{}\n", text(&mended["summary"]["id"]));
    assert!(
        answer.message.replace("=\n", "").contains(&link),
        "{}",
        answer.message
    );
    stop.give();
    mailer.await.expect("it ends by itself");
    assert_eq!(office.letters(ADMIN).len(), 2, "each is told once");
    app.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_is_refused_for_now_is_tried_again_and_one_for_good_is_not() {
    let (app, office) = (TestApp::with_role("web").await, PostOffice::open().await);
    office.answer(READER, "450 4.2.1 the mailbox is busy");
    office.answer(COLLABORATOR, "550 5.1.1 nobody of this name");
    let stop = Stop::new();
    let mailer = mailer(&app, &office, &stop);
    ask(&app, "Again", &[READER, COLLABORATOR]).await;
    let refused = async || {
        let (state, _, error) = outbox(&app, COLLABORATOR).await;
        (state == "failed").then_some(error)
    };
    let reason = eventually("it is refused", SOON, refused).await;
    assert!(reason.contains("nobody of this name"), "{reason}");
    let delayed = async || {
        let (state, attempts, error) = outbox(&app, READER).await;
        (!error.is_empty()).then_some((state, attempts, error))
    };
    let (state, attempts, reason) = eventually("it is delayed", SOON, delayed).await;
    assert_eq!((state.as_str(), attempts), ("waiting", 1));
    assert!(reason.contains("the mailbox is busy"), "{reason}");

    office.answer(READER, "250 fine");
    let moved = "update mail set next_attempt = now() where state = 'waiting'";
    sqlx::query(moved)
        .execute(&app.sql())
        .await
        .expect("it answers");
    let arrived = async || office.letters(READER).pop();
    eventually("the letter arrives", SOON, arrived).await;
    let sent = async || (outbox(&app, READER).await.0 == "sent").then_some(());
    eventually("it is noted", SOON, sent).await;
    stop.give();
    mailer.await.expect("it ends by itself");
    assert_eq!((office.offers(READER), office.offers(COLLABORATOR)), (2, 1));
    app.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_sends_letters_and_its_log_holds_no_password() {
    let (app, office) = (TestApp::with_role("web").await, PostOffice::open().await);
    office.answer(READER, "550 5.1.1 nobody of this name");
    ask(&app, "Logged", &[READER, COLLABORATOR]).await;
    let moved = "update mail set next_attempt = now() - interval '2 minutes'";
    sqlx::query(moved)
        .execute(&app.sql())
        .await
        .expect("it answers");
    let mut worker = Command::new(env!("CARGO_BIN_EXE_sluice"))
        .args(["serve", "--role", "worker"])
        .env("DATABASE_URL", &app.database.url)
        .env("SLUICE_SMTP_URL", smtp_url(&office))
        .env("SLUICE_MAIL_FROM", FROM)
        .env("SLUICE_PUBLIC_URL", PUBLIC_URL)
        .env("RUST_LOG", "trace")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the binary is built");
    let mut stderr = worker.stderr.take().expect("it was piped");
    let log = tokio::spawn(async move {
        let mut log = Vec::new();
        let _ = stderr.read_to_end(&mut log).await;
        String::from_utf8_lossy(&log).into_owned()
    });
    let arrived = async || office.letters(COLLABORATOR).pop();
    eventually("the letter arrives", SOON, arrived).await;
    let refused = async || (outbox(&app, READER).await.0 == "failed").then_some(());
    eventually("the other is refused", SOON, refused).await;
    worker.start_kill().expect("it runs");
    worker.wait().await.expect("it is our child");
    let log = log.await.expect("it reads to the end");
    assert!(log.contains("a letter was refused for good"), "{log}");
    for secret in [SECRET, SECRET_IN_BASE64] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
    app.end().await;
}
