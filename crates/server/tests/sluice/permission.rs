//! Who may do what, asked of every route and every server function there is. The lists come from
//! the router itself: what is new and not written down here fails.

mod connector;
mod known;
mod tally;

use domain::account::Role;
use domain::policy;
use serde_json::{Value, json};
use server::api::{self, Access};
use server::router::{self, ROUTES};
use uuid::Uuid;

use crate::app::{PASSWORD, TestApp, text};
use crate::client::Client;
use crate::document::{document, wire};
use tally::Tally;

/// What is acted on: made anew for each function, so that calls do not meet.
pub(crate) struct Things {
    integration: Value,
    draft: Value,
    run: Value,
    member: Value,
    invitation: Value,
    invitation_token: Value,
    /// An open review of the draft, by the Collaborator; null where no function needs it.
    review: Value,
    /// A thread in it, by the Reader, and its only comment, which suggests something.
    thread: Value,
    comment: Value,
    /// Another draft of the integration; null where no function needs it.
    other_draft: Value,
    /// A signing secret of the integration; null where no function needs it.
    secret: Value,
    /// A connection; null where no function needs it.
    connection: Value,
    /// The key of a connector; null where no function needs it.
    connector: Value,
}

pub(crate) async fn things(app: &TestApp, function: &str) -> Things {
    let admin = &app.admin;
    let steps = [("log", "Note", json!({ "message": "ran" }))];
    let (integration, _) = app.publish(&wire(&document("manual", &steps))).await;
    let draft = admin
        .must(
            "start_draft",
            json!({ "integration": integration, "title": "Next" }),
        )
        .await;
    // Nobody executes it here, so it can be canceled.
    let run = admin
        .must("start_manual", json!({ "id": integration, "payload": {} }))
        .await;
    let invitation_token = admin.must("invite", json!({ "role": "reader" })).await;
    let member = match function {
        "set_role" | "remove_member" => spare_member(app).await,
        _ => Value::Null,
    };
    let invitations = admin.must("invitations", json!({})).await;
    if matches!(
        function,
        "bring_up_to_date" | "roll_back" | "roll_back_draft"
    ) {
        second_version(app, &integration).await;
    }
    let [review, thread, comment] = match function {
        "create_review" => {
            change(app, &draft).await;
            Default::default()
        }
        name if about_review(name) => review(app, &draft).await,
        _ => Default::default(),
    };
    Things {
        review,
        thread,
        comment,
        other_draft: match function {
            "bring_in" => another_draft(app, &integration).await,
            _ => Value::Null,
        },
        secret: match function {
            "remove_signing_secret" => signing_secret(app, &integration).await,
            _ => Value::Null,
        },
        connection: match function {
            "change_connection" | "delete_connection" | "try_connection" => {
                let fields = json!({ "form": connection_form() });
                admin.must("create_connection", fields).await
            }
            "connect_connection" => {
                let fields = json!({ "form": oauth_form() });
                admin.must("create_connection", fields).await
            }
            _ => Value::Null,
        },
        connector: match function {
            "read_connector" | "delete_connector" => connector::imported(app).await,
            _ => Value::Null,
        },
        integration: integration.into(),
        draft,
        run,
        member,
        invitation: invitations[0]["id"].clone(),
        invitation_token,
    }
}

/// Whether a function is about a review that is open.
fn about_review(function: &str) -> bool {
    function.contains("review") && function != "draft_reviews"
        || function.contains("thread")
        || function.contains("comment")
        || ["reply", "apply_suggestion", "set_viewed"].contains(&function)
}

/// Changes a draft, so that there is something to review.
async fn change(app: &TestApp, draft: &Value) -> Value {
    let read = app.admin.must("read_draft", json!({ "id": draft })).await;
    let step = read["document"]["flow"][0].clone();
    let edit = json!({ "set_notes": { "step": step, "notes": "Changed." } });
    let save = json!({ "id": Uuid::now_v7(), "expected": 1, "edits": [edit] });
    let fields = json!({ "id": draft, "save": save });
    app.admin.must("save_draft", fields).await;
    step
}

async fn another_draft(app: &TestApp, integration: &str) -> Value {
    let fields = json!({ "integration": integration, "title": "Other" });
    app.admin.must("start_draft", fields).await
}

async fn review(app: &TestApp, draft: &Value) -> [Value; 3] {
    let step = change(app, draft).await;
    let fields = json!({ "draft": draft, "title": "Look", "description": "", "reviewers": [] });
    let review = app.collaborator.must("create_review", fields).await;
    let anchor = json!({ "target": { "step": step }, "field": "config.message", "range": null });
    let fields = json!({
        "id": review, "anchor": anchor, "on_base": false, "revision": 2, "body": "Better:",
        "suggestion": "It ran.", "pending": false,
    });
    let thread = app.reader.must("start_thread", fields).await;
    let page = app
        .reader
        .must("read_review", json!({ "id": review }))
        .await;
    let comment = page["threads"][0]["comments"][0]["id"].clone();
    [review, thread, comment]
}

async fn signing_secret(app: &TestApp, integration: &str) -> Value {
    let fields = json!({ "id": integration, "given": null });
    app.admin.must("keep_signing_secret", fields).await;
    let kept = app
        .admin
        .must("signing_secrets", json!({ "id": integration }))
        .await;
    kept[0]["id"].clone()
}

/// A new connection, to an address that nobody answers at.
fn connection_form() -> Value {
    json!({
        "name": format!("Shop {}", Uuid::now_v7()), "kind": "bearer", "names": [],
        "origins": ["http://127.0.0.1:1"], "live": { "set": ["planted-secret"] }, "test": "keep",
    })
}

/// The same of one that someone consents to.
fn oauth_form() -> Value {
    let mut form = connection_form();
    form["kind"] = json!("oauth");
    form["names"] = json!(["client"]);
    form["oauth"] = json!({
        "authorization_url": "http://127.0.0.1:1/authorize", "token_url": "http://127.0.0.1:1/token",
    });
    form
}

async fn second_version(app: &TestApp, integration: &str) {
    let fields = json!({ "integration": integration, "title": "Second" });
    let draft = app.admin.must("start_draft", fields).await;
    let fields = json!({ "id": draft, "revision": 1, "note": "", "reason": null });
    app.admin.must("publish", fields).await;
}

async fn spare_member(app: &TestApp) -> Value {
    let token = app.admin.must("invite", json!({ "role": "reader" })).await;
    let email = format!("{}@ours.example", Uuid::now_v7().simple());
    let fields = json!({ "token": token, "name": "Spare", "email": email, "password": PASSWORD });
    app.anonymous.must("accept_invitation", fields).await;
    let members = app.admin.must("members", json!({})).await;
    let spare = members
        .as_array()
        .into_iter()
        .flatten()
        .find(|member| member["email"] == email);
    spare
        .map(|member| member["account"].clone())
        .expect("the spare member joined")
}

/// Returns what a function is called with, and whether that names something of our organization.
pub(crate) fn fields(function: &str, things: &Things) -> (Value, bool) {
    let Things {
        integration,
        draft,
        run,
        member,
        invitation,
        invitation_token,
        review,
        thread,
        comment,
        other_draft,
        secret,
        connection,
        connector,
    } = things;
    let anchor = json!({ "target": null, "field": null, "range": null });
    let empty = wire(&domain::Document::new("manual"));
    let save = json!({ "id": Uuid::now_v7(), "expected": 1, "edits": [] });
    let nobody = json!({ "token": "0".repeat(64), "name": "A", "email": "a@b.example", "password": PASSWORD });
    let (ours, own) = (true, false);
    match function {
        "set_up" => (
            json!({ "organization": "A", "name": "A", "email": "a@b.example", "password": PASSWORD }),
            own,
        ),
        "sign_in" => (
            json!({ "email": "reader@ours.example", "password": PASSWORD }),
            own,
        ),
        "sign_out"
        | "who_am_i"
        | "integrations"
        | "members"
        | "invitations"
        | "read_network"
        | "read_outgoing"
        | "hosts_down"
        | "callable"
        | "wants_alerts"
        | "read_retention"
        | "connections"
        | "connection_uses"
        | "connectors"
        | "our_connectors"
        | "connector_actions"
        | "inbox"
        | "unread_notifications"
        | "policy_settings" => (json!({}), own),
        "read_invitation" => (json!({ "token": invitation_token }), own),
        "accept_invitation" => (nobody, own),
        "read_draft" | "discard_draft" | "caught_events" | "latest_test" | "tests" | "pins"
        | "publish_plan" => (json!({ "id": draft }), ours),
        "merge_basis" => (json!({ "id": draft, "from": null }), ours),
        "bring_in" => (
            json!({
                "id": draft, "expected": 1, "from": other_draft, "from_revision": 1, "choices": [],
            }),
            ours,
        ),
        "pin" => (
            json!({ "id": draft, "step": Uuid::nil(), "output": null }),
            ours,
        ),
        "here" => (
            json!({
                "place": { "draft": draft }, "step": null, "field": null, "tab": 7, "leaving": false,
            }),
            ours,
        ),
        "start_draft" => (
            json!({ "integration": integration, "title": "Another" }),
            ours,
        ),
        "save_draft" => (json!({ "id": draft, "save": save }), ours),
        "rename_draft" => (json!({ "id": draft, "title": "Renamed" }), ours),
        "start_test" => (
            json!({ "id": draft, "revision": 1, "payload": {}, "scope": "whole" }),
            ours,
        ),
        "publish" => (
            json!({ "id": draft, "revision": 1, "note": "", "reason": null }),
            ours,
        ),
        "bring_up_to_date" => (
            json!({ "id": draft, "expected": 1, "live": 2, "choices": [] }),
            ours,
        ),
        "create_review" => (
            json!({ "draft": draft, "title": "Look", "description": "", "reviewers": [] }),
            ours,
        ),
        "draft_reviews" => (json!({ "draft": draft }), ours),
        "read_review" | "withdraw_review" => (json!({ "id": review }), ours),
        "review_document" | "looked_at_review" => (json!({ "id": review, "revision": 1 }), ours),
        "describe_review" => (
            json!({ "id": review, "title": "Look", "description": "" }),
            ours,
        ),
        "ask_reviewers" => (json!({ "id": review, "reviewers": [] }), ours),
        "start_thread" => (
            json!({
                "id": review, "anchor": anchor, "on_base": false, "revision": 1, "body": "Why?",
                "suggestion": null, "pending": false,
            }),
            ours,
        ),
        "reply" => (
            json!({ "thread": thread, "body": "So.", "suggestion": null, "pending": false }),
            ours,
        ),
        "edit_comment" => (
            json!({ "id": comment, "body": "Other.", "suggestion": null }),
            ours,
        ),
        "delete_comment" => (json!({ "id": comment }), ours),
        "resolve_thread" => (json!({ "thread": thread, "resolved": true }), ours),
        "submit_review" => (
            json!({ "id": review, "revision": 2, "verdict": "comment", "message": "Fine." }),
            ours,
        ),
        "apply_suggestion" => (json!({ "comment": comment, "expected": 2 }), ours),
        "set_viewed" => (
            json!({ "id": review, "target": "trigger", "digest": "x" }),
            ours,
        ),
        "read_notifications" => (json!({ "ids": [] }), own),
        "set_policy" => (
            json!({ "integration": integration, "policy": { "approvals": 0 } }),
            ours,
        ),
        "set_owners" => (
            json!({ "scope": { "integration": integration }, "owners": [] }),
            ours,
        ),
        "roll_back_draft" => (json!({ "integration": integration, "number": 1 }), ours),
        "roll_back" => (
            json!({ "integration": integration, "number": 1, "live": 2, "reason": "Now." }),
            ours,
        ),
        "read_integration" => (json!({ "id": integration }), ours),
        "create_integration" => (
            json!({ "name": format!("New {}", Uuid::now_v7()), "document": empty }),
            own,
        ),
        "rename_integration" => (
            json!({ "id": integration, "name": format!("Renamed {}", Uuid::now_v7()) }),
            ours,
        ),
        "set_enabled" => (json!({ "id": integration, "enabled": true }), ours),
        "set_at_once" => (json!({ "id": integration, "at_once": null }), ours),
        "set_paused" => (json!({ "id": integration, "paused": false }), ours),
        "signing_secrets" | "callers" => (json!({ "id": integration }), ours),
        "keep_signing_secret" => (json!({ "id": integration, "given": null }), ours),
        "remove_signing_secret" => (json!({ "id": integration, "secret": secret }), ours),
        "start_manual" => (json!({ "id": integration, "payload": {} }), ours),
        "next_fires" => (json!({ "cron": "0 6 * * *", "time_zone": "UTC" }), own),
        "set_role" => (json!({ "account": member, "role": "reader" }), ours),
        "remove_member" => (json!({ "account": member }), ours),
        "invite" => (json!({ "role": "reader" }), own),
        "withdraw_invitation" => (json!({ "invitation": invitation }), ours),
        "create_connection" => (json!({ "form": connection_form() }), own),
        "change_connection" => (json!({ "id": connection, "form": connection_form() }), ours),
        "delete_connection" => (json!({ "id": connection }), ours),
        "try_connection" => (
            json!({ "id": connection, "is_test": false, "origin": "http://127.0.0.1:1", "path": "/" }),
            ours,
        ),
        "read_connector" | "delete_connector" => (json!({ "key": connector }), ours),
        "connector_uses" => (json!({ "key": "shop" }), own),
        "lacking_components" => (json!({ "hashes": ["0".repeat(64)] }), own),
        "declarations" => (json!({ "wanted": [["shop", "do"]] }), own),
        "preview_connector" => (json!({ "source": connector::file(), "base": null }), own),
        "import_connector" => (
            json!({ "source": connector::file(), "base": null, "digest": connector::digest() }),
            own,
        ),
        "restart_poll" => (json!({ "id": integration, "from": "now" }), ours),
        "poll_once" => (json!({ "id": draft }), ours),
        "connect_connection" => (json!({ "id": connection, "is_test": false }), ours),
        "finish_consent" => (
            json!({ "answer": { "state": "0".repeat(64), "code": "x" } }),
            own,
        ),
        "set_wants_alerts" => (json!({ "wants": true }), own),
        "set_retention" => (json!({ "days": 30 }), own),
        "set_network" => (json!({ "allowed": [] }), own),
        "set_outgoing" => (json!({ "rules": { "at_once": 4 } }), own),
        "runs" => (
            json!({ "integration": null, "state": null, "before": null }),
            own,
        ),
        "read_run" | "cancel_run" => (json!({ "id": run }), ours),
        "resume_run" => (json!({ "id": run, "on": "ran" }), ours),
        "resume_runs" => (
            json!({ "integration": null, "state": null, "after": null, "on": "live" }),
            own,
        ),
        "read_version" => (json!({ "integration": integration, "number": 1 }), ours),
        new => panic!("the server function `{new}` is new: write here what it is called with"),
    }
}

/// Returns the statuses that are right.
fn expected(function: &api::Function, name: &str, role: Option<Role>) -> &'static [u16] {
    match (name, function.access, role) {
        ("set_up", ..) => &[409],
        ("accept_invitation", ..) => &[410],
        // The comment is the Reader's.
        ("edit_comment" | "delete_comment", _, Some(Role::Admin | Role::Collaborator)) => &[403],
        (_, Access::Anyone, _) => &[200],
        (_, _, None) => &[401],
        (_, Access::Member, Some(_)) => &[200],
        (_, Access::May(act), Some(role)) if policy::allow(role, act).is_err() => &[403],
        // 409: another role has done it already.
        (_, Access::May(_), Some(_)) => &[200, 409],
    }
}

/// Returns the statuses that are right when what is asked for was done already.
fn again(function: &api::Function, name: &str, role: Option<Role>) -> &'static [u16] {
    let once = expected(function, name, role);
    let refused = [401, 403];
    match (function.access, role) {
        (Access::Anyone, _) => once,
        // Whether something is there is not told to whoever may not know.
        _ if once.iter().all(|right| refused.contains(right)) => &[401, 403, 404],
        _ => &[200, 400, 404, 409, 410, 422],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_server_function_does_for_each_caller_what_its_access_says() {
    let app = TestApp::with_role("web").await;
    // Those who may not come first, so that what they try has not been done already.
    let callers: [(&str, &Client, Option<Role>); 4] = [
        ("anonymous", &app.anonymous, None),
        ("reader", &app.reader, Some(Role::Reader)),
        ("collaborator", &app.collaborator, Some(Role::Collaborator)),
        ("admin", &app.admin, Some(Role::Admin)),
    ];
    let mut tally = Tally::default();
    for function in api::functions() {
        let name = function
            .path
            .strip_prefix("/api/")
            .expect("all are under /api");
        if name == "sign_out" {
            continue;
        }
        let things = things(&app, name).await;
        let (_, is_ours) = fields(name, &things);
        tally.routes += 1;
        let mut check = |caller: &str, status: u16, right: &[u16], text: &str| {
            tally.cell(&format!("{name} by {caller}"), status, right, text);
        };
        let (outside, _) = fields(name, &things);
        let answer = app.outsider.call(name, outside).await;
        let right: &[u16] = match (is_ours, name, function.access) {
            (true, ..) => &[404],
            (false, ..) => expected(function, name, Some(Role::Admin)),
        };
        check("outsider", answer.status, right, &answer.text);
        let secret = [
            &things.integration,
            &things.draft,
            &things.run,
            &things.review,
        ]
        .map(text);
        let mut secret = secret.iter().filter(|id| !id.is_empty());
        if secret.any(|id| answer.text.contains(id)) {
            check(
                "outsider, who is told of our things",
                0,
                &[404],
                &answer.text,
            );
        }
        for (caller, client, role) in callers {
            let (fields, _) = fields(name, &things);
            let answer = client.call(name, fields).await;
            check(
                caller,
                answer.status,
                expected(function, name, role),
                &answer.text,
            );
        }
        // Once more, when it has been done: what is gone, over or decided by now is nobody's whom
        // it was not before.
        for (caller, client, role) in callers {
            let (fields, _) = fields(name, &things);
            let answer = client.call(name, fields).await;
            let caller = format!("{caller}, again");
            check(
                &caller,
                answer.status,
                again(function, name, role),
                &answer.text,
            );
        }
    }
    tally.end();
    // Last, as it ends the caller's session.
    for client in [&app.anonymous, &app.reader, &app.outsider] {
        assert_eq!(client.call("sign_out", json!({})).await.status, 200);
        assert_eq!(client.call("who_am_i", json!({})).await.status, 401);
    }
    app.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_does_for_each_caller_what_its_access_says() {
    let app = TestApp::with_role("web").await;
    let callers = [
        &app.anonymous,
        &app.outsider,
        &app.reader,
        &app.collaborator,
        &app.admin,
    ];
    let mut tally = Tally::default();
    for route in ROUTES {
        tally.routes += 1;
        let path = route
            .path
            .replace("{token}", &"0".repeat(48))
            .replace("{*file}", "sluice-1.js")
            .replace("{*function}", "no_such_function");
        for method in ["GET", "POST", "PUT", "DELETE"] {
            for (number, client) in callers.into_iter().enumerate() {
                let status = client
                    .request(method, &path)
                    .send()
                    .await
                    .expect("it answers")
                    .status();
                let right: u16 = match (route.methods.contains(&method), route.access) {
                    (false, _) => 405,
                    (true, router::Access::Anyone) => 200,
                    (true, router::Access::SignedIn) if number == 0 => 401,
                    (true, router::Access::SignedIn) => 200,
                    (true, router::Access::Token | router::Access::PerFunction) => 404,
                };
                let what = format!("{method} {path} by caller {number}");
                tally.cell(&what, status.as_u16(), &[right], "");
            }
        }
    }
    tally.end();
    app.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_saves_what_was_typed_in_another_accounts_page() {
    let app = TestApp::with_role("web").await;
    let draft = things(&app, "save_draft").await.draft;
    let me = app.admin.must("who_am_i", json!({})).await;
    let save = json!({ "id": Uuid::now_v7(), "expected": 1, "edits": [] });
    let fields = json!({ "id": draft, "by": me["account"], "save": save });
    let refused = app.collaborator.call("save_draft", fields.clone()).await;
    assert_eq!((refused.status, refused.json()), (401, json!("signed_out")));
    let saved = app.admin.must("save_draft", fields).await;
    assert_eq!(saved["saved"]["revision"], 2);
    app.end().await;
}
