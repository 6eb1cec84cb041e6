//! `sluice rotate-key` beside a process that serves.

use std::path::Path;
use std::process::Output;

use axum::Router;
use axum::routing::post;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::app::text;
use crate::connection::{Planted, calling, ended, report};

async fn rotate(database_url: &str, key: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
    command
        .arg("rotate-key")
        .env("DATABASE_URL", database_url)
        .env("SLUICE_MASTER_KEY_FILE", key);
    command.output().await.expect("the binary is built")
}

/// Secrets of each connection of [`many_secrets_are_sealed_anew_while_runs_use_them`].
const EACH: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn many_secrets_are_sealed_anew_while_runs_use_them() {
    let wanted = std::env::var("SLUICE_SECRETS_ROTATED").ok();
    let wanted = wanted.and_then(|wanted| wanted.parse().ok()).unwrap_or(400);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let origin = format!("http://{}", listener.local_addr().expect("it is bound"));
    let router = Router::new().route("/ok", post(|| async { "well" }));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let Planted {
        admin,
        process,
        database,
        folder,
        ..
    } = Planted::start().await;
    let names: Vec<String> = (0..EACH / 2)
        .map(|number| format!("X-Key-{number}"))
        .collect();
    let mut connection = json!(null);
    for number in 0..wanted / EACH {
        let secrets: Vec<String> = (0..EACH / 2)
            .map(|place| format!("planted-secret-{number}-{place}"))
            .collect();
        let form = json!({
            "name": format!("Number {number}"), "kind": "headers", "names": names,
            "origins": [origin], "live": { "set": secrets }, "test": { "set": secrets },
        });
        connection = admin
            .must("create_connection", json!({ "form": form }))
            .await;
    }
    let (integration, _) = calling(&admin, &connection, &format!("{origin}/ok")).await;
    let key = folder.join("key");
    let old = std::fs::read_to_string(&key).expect("it is there");
    std::fs::write(&key, format!("{}\n{old}\n", "77".repeat(32))).expect("it is ours");
    let url = database.url.clone();
    let rotating = rotate(&url, &key);
    tokio::pin!(rotating);
    let (mut runs, mut failed) = (0, Vec::new());
    let done = loop {
        let run = async {
            let run = json!({ "id": integration, "payload": {} });
            let run = admin.must("start_manual", run).await;
            ended(&admin, &run).await
        };
        tokio::select! {
            done = &mut rotating => break done,
            run = run => {
                runs += 1;
                if !run.contains("\"succeeded\"") {
                    failed.push(run);
                }
            }
        }
    };
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let told = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(
        told.contains(&format!("Sealed {wanted} secrets anew")),
        "{told}"
    );
    // With the old key gone, everything opens.
    std::fs::write(&key, "77".repeat(32)).expect("it is ours");
    let run = json!({ "id": integration, "payload": {} });
    let last = ended(&admin, &admin.must("start_manual", run).await).await;
    if !last.contains("\"succeeded\"") {
        failed.push(last);
    }
    report(&format!(
        "rotated={wanted} runs={} failed={}",
        runs + 1,
        failed.len()
    ));
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    let (_, well) = process.end("TERM").await;
    assert!(well, "it ends well");
    let _ = std::fs::remove_dir_all(folder);
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_sealed_under_a_new_key_while_a_process_that_began_with_the_old_one_serves() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let origin = format!("http://{}", listener.local_addr().expect("it is bound"));
    let router = Router::new().route("/ok", post(|| async { "well" }));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let Planted {
        admin,
        process,
        database,
        folder,
        ..
    } = Planted::start().await;
    let key = folder.join("key");
    let form = json!({
        "name": "The shop", "kind": "bearer", "names": [], "origins": [origin],
        "live": { "set": ["planted-secret"] }, "test": "keep",
    });
    let connection = admin
        .must("create_connection", json!({ "form": form }))
        .await;
    let (integration, _) = calling(&admin, &connection, &format!("{origin}/ok")).await;
    let run = async || {
        let run = json!({ "id": integration, "payload": {} });
        let run = admin.must("start_manual", run).await;
        ended(&admin, &run).await
    };
    assert!(run().await.contains("\"succeeded\""));

    let refused = rotate(&database.url, &key).await;
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && told.contains("holds one key"),
        "{told}"
    );
    let old = std::fs::read_to_string(&key).expect("it is there");
    assert!(!told.contains(old.trim()), "{told}");

    let both = format!("{}\n{old}\n", "77".repeat(32));
    std::fs::write(&key, both).expect("it is ours");
    let done = rotate(&database.url, &key).await;
    let told = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    assert!(
        told.contains("Sealed 1 secrets anew, for 1 organizations. Remove all lines but the first"),
        "{told}"
    );
    // The process that serves was told nothing, and finds the new key by itself.
    let after = run().await;
    assert!(after.contains("\"succeeded\""), "{after}");
    std::fs::write(&key, "77".repeat(32)).expect("it is ours");
    assert!(run().await.contains("\"succeeded\""));
    let again = rotate(&database.url, &key).await;
    assert!(!again.status.success(), "there is nothing to rotate to");
    let connections = admin.must("connections", json!({})).await;
    assert_eq!(text(&connections[0]["name"]), "The shop");
    let (_, well) = process.end("TERM").await;
    assert!(well, "it ends well");
    let _ = std::fs::remove_dir_all(folder);
    database.drop().await;
}
