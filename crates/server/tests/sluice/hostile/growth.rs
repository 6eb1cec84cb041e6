//! What nobody in particular can make the database keep.

use std::collections::BTreeMap;

use serde_json::json;
use server::api;
use server::router::ROUTES;
use sqlx::{AssertSqlSafe, PgPool, Row};
use uuid::Uuid;

use super::Tally;
use crate::app::TestApp;

/// How often everything is called by somebody new.
const ROUNDS: u16 = 40;
/// Addresses without an account whose failed attempts to sign in are remembered, for 15 minutes.
const STRANGERS: i32 = 50_000;

/// Counts the rows of all tables.
async fn rows(sql: &PgPool) -> BTreeMap<String, i64> {
    let names = sqlx::query(
        "select table_name::text from information_schema.tables
         where table_schema = 'public' and table_type = 'BASE TABLE'",
    );
    let names = names.fetch_all(sql).await.expect("it may look");
    let mut rows = BTreeMap::new();
    for name in names {
        let name: String = name.get(0);
        let count = AssertSqlSafe(format!("select count(*) from \"{name}\""));
        let count = sqlx::query(count).fetch_one(sql).await;
        rows.insert(name, count.expect("it may look").get(0));
    }
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_no_session_cannot_make_the_database_grow() {
    let mut tally = Tally::new("growth");
    let app = TestApp::with_role("web").await;
    let sql = app.sql();
    // The one table that somebody without a session adds to at all is full.
    let strangers = sqlx::query(
        "insert into sign_in_failure (email_hash)
         select encode(sha256(number::text::bytea), 'hex') from generate_series(1, $1) as number",
    );
    let strangers = strangers.bind(STRANGERS).execute(&sql).await;
    strangers.expect("it is made for that");
    let before = rows(&sql).await;
    let mut calls = 0;
    for round in 0..ROUNDS {
        let [a, b] = round.to_be_bytes();
        let someone = app.anonymous.from(&format!("10.200.{a}.{b}"));
        for route in ROUTES {
            let path = route
                .path
                .replace("{token}", &format!("{:048x}", Uuid::now_v7().as_u128()))
                .replace("{*file}", &format!("{round}.js"))
                .replace("{*function}", &format!("function_{round}"));
            for method in ["GET", "POST", "PUT", "DELETE"] {
                let body = json!({ "round": round }).to_string();
                let request = someone.request(method, &path);
                let request = request.header("content-type", "application/json");
                someone.send(request.body(body)).await;
                calls += 1;
            }
        }
        for function in api::functions() {
            let fields = json!({
                "email": format!("{round}@example.com"), "password": "wrong but long enough",
                "token": "0".repeat(64), "name": "A", "organization": "A", "id": Uuid::now_v7(),
                "answer": { "state": "0".repeat(64), "code": "x" },
            });
            someone.post_json(function.path, &fields).await;
            calls += 1;
        }
    }
    let mut grown = Vec::new();
    for (table, count) in rows(&sql).await {
        let more = count - before.get(&table).copied().unwrap_or_default();
        if more > 0 {
            grown.push(format!("{table} by {more}"));
        }
    }
    for _ in 0..calls {
        tally.input(true, String::new);
    }
    tally.input(grown.is_empty(), || grown.join(", "));
    app.end().await;
    tally.end(4_000);
}
