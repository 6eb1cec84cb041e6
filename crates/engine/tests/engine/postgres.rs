//! The step that asks a database, against servers that are none, or mean harm. How it speaks to a
//! real one is tested where there is one, in `store` and `server`.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::ConnectionId;
use domain::connection::{Kind, Server, Tls};
use domain::run::RunState;
use engine::Engine;
use engine::port::{Clients, Network, try_out};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::email::{Only, PRIVATE};
use crate::mail_server::{AUTHORITY, acceptor};
use crate::stage::{End, START, Stage};

const PASSWORD: &str = "p+ss/word of the \"database\"";
const ID: ConnectionId = ConnectionId(Uuid::from_u128(77));

/// A server that says these in turn, each time something was sent to it; a notice without end.
async fn start(says: Vec<Vec<u8>>) -> (u16, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    let heard: Arc<Mutex<Vec<u8>>> = Arc::default();
    let hearing = Arc::clone(&heard);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (says, hearing) = (says.clone(), Arc::clone(&hearing));
            tokio::spawn(async move {
                let mut chunk = [0; 4096];
                let mut turn = 0;
                while let Ok(count @ 1..) = stream.read(&mut chunk).await {
                    hearing
                        .lock()
                        .expect("no panic holds it")
                        .extend(&chunk[..count]);
                    let Some(said) = says.get(turn) else { return };
                    turn += 1;
                    if stream.write_all(said).await.is_err() {
                        return;
                    }
                    while said.starts_with(b"N\0") {
                        if stream.write_all(said).await.is_err() {
                            return;
                        }
                    }
                }
            });
        }
    });
    (port, heard)
}

/// Returns a message of the server.
fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).expect("it is short");
    [&[tag], &length.to_be_bytes()[..], body].concat()
}

fn login(kind: u32, rest: &[u8]) -> Vec<u8> {
    message(b'R', &[&kind.to_be_bytes()[..], rest].concat())
}

fn stage(port: u16, tls: Tls, more: Value) -> Stage {
    let vault = Only {
        kind: Kind::Postgres,
        server: Server {
            host: "127.0.0.1".to_owned(),
            port,
            tls,
            database: "shop".to_owned(),
            certificates: match tls {
                Tls::Off => String::new(),
                _ => AUTHORITY.to_owned(),
            },
            ..Server::default()
        },
        user: Some(("me", PASSWORD)),
        uses: Mutex::default(),
    };
    let mut step = json!({ "slug": "ask", "kind": "postgres.query", "connection": ID,
        "sql": "select 1", "access": "write" });
    for (name, value) in more.as_object().into_iter().flatten() {
        step[name] = value.clone();
    }
    let mut stage = Stage::new(json!([step]));
    stage.engine = Engine::new(stage.clock.clone()).with_vault(Arc::new(vault));
    stage
}

async fn ask(says: Vec<Vec<u8>>, tls: Tls) -> (End, Vec<u8>) {
    let (port, heard) = start(says).await;
    let end = stage(port, tls, json!({})).run().await;
    let heard = heard.lock().expect("no panic holds it").clone();
    (end, heard)
}

/// Asks a server that is known by its certificate, lets anybody in, and says these after that.
async fn ask_known(says: &[Vec<u8>]) -> End {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    let login = [login(0, b""), message(b'Z', b"I")].concat();
    let says = [&[login], says].concat();
    let serving = tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.expect("somebody comes");
        let mut asked = [0; 8];
        tcp.read_exact(&mut asked).await.expect("it is asked");
        tcp.write_all(b"S").await.expect("it is heard");
        let stream = acceptor().accept(tcp).await;
        let mut stream = stream.expect("it is encrypted");
        let mut chunk = [0; 65_536];
        for said in says {
            if !matches!(stream.read(&mut chunk).await, Ok(1..)) {
                return;
            }
            let _ = stream.write_all(&said).await;
            let _ = stream.flush().await;
        }
    });
    let end = stage(port, Tls::Upgraded, json!({})).run().await;
    serving.abort();
    end
}

/// Returns what a server says until it is asked to commit.
fn until_commit() -> Vec<Vec<u8>> {
    let in_transaction = || message(b'Z', b"T");
    vec![
        [message(b'C', b"SET\0"), in_transaction()].concat(),
        [
            message(b'1', b""),
            message(b't', b"\0\0"),
            message(b'n', b""),
            in_transaction(),
        ]
        .concat(),
        [
            message(b'2', b""),
            message(b'C', b"INSERT 0 1\0"),
            in_transaction(),
        ]
        .concat(),
    ]
}

fn error(state: &str) -> Vec<u8> {
    let fields = format!("SERROR\0C{state}\0Mno\0\0");
    message(b'E', fields.as_bytes())
}

#[tokio::test]
async fn a_commit_is_in_doubt_unless_the_database_itself_says_what_became_of_it() {
    let done = message(b'C', b"COMMIT\0");
    let idle = message(b'Z', b"I");
    for (said, state) in [
        (
            Some([done.clone(), idle.clone()].concat()),
            RunState::Succeeded,
        ),
        // It was done before something went wrong.
        (
            Some([done.clone(), error("57P01")].concat()),
            RunState::Succeeded,
        ),
        (Some(done), RunState::Succeeded),
        // Somebody in between lost the database.
        (Some(error("08P01")), RunState::InDoubt),
        (Some(error("08007")), RunState::InDoubt),
        (Some(error("40003")), RunState::InDoubt),
        (Some(error("57P01")), RunState::InDoubt),
        (Some(error("XX000")), RunState::InDoubt),
        (None, RunState::InDoubt),
        // The database kept nothing.
        (
            Some([error("23505"), idle.clone()].concat()),
            RunState::Failed,
        ),
        (Some([error("40001"), idle].concat()), RunState::Failed),
    ] {
        let mut says = until_commit();
        says.extend(said.clone());
        let end = ask_known(&says).await;
        assert_eq!(end.state, state, "{said:?}: {:?}", end.error);
    }
}

#[tokio::test]
async fn a_result_with_more_columns_than_there_can_be_is_refused() {
    let mut columns = 60_000_u16.to_be_bytes().to_vec();
    for _ in 0..60_000 {
        columns.extend([0; 19]);
    }
    let says = [
        until_commit().remove(0),
        [
            message(b'1', b""),
            message(b't', b"\0\0"),
            message(b'T', &columns),
        ]
        .concat(),
    ];
    let end = ask_known(&says).await;
    assert!(
        end.failure("ask").contains("too many columns"),
        "{:?}",
        end.error
    );
}

#[tokio::test]
async fn a_server_that_asks_for_a_proof_and_gives_none_gets_no_statement() {
    let ok = [login(0, b""), message(b'Z', b"I")].concat();
    let scram = login(10, b"SCRAM-SHA-256\0\0");
    let (end, heard) = ask(vec![scram, ok], Tls::Off).await;
    let told = end.failure("ask");
    assert!(told.contains("may be another server"), "{told}");
    assert!(!String::from_utf8_lossy(&heard).contains("select 1"));
}

#[tokio::test]
async fn a_hostile_server_is_left_with_a_sentence_and_costs_little() {
    let huge = [b'R', 0x7f, 0xff, 0xff, 0xff].to_vec();
    let negative = [b'R', 0xff, 0xff, 0xff, 0xff].to_vec();
    let notice = message(b'N', format!("M{}\0\0", "x".repeat(900)).as_bytes());
    let scram = login(10, b"SCRAM-SHA-256\0\0");
    let other = login(10, b"SCRAM-SHA-1\0\0");
    let rounds = login(11, b"r=x,s=QSXCR+Q6sek8bf92,i=4000000000");
    let few = login(11, b"r=x,s=QSXCR+Q6sek8bf92,i=1");
    for (says, why) in [
        (vec![huge.clone()], "larger than 5 MB"),
        (vec![negative], "does not speak as PostgreSQL does"),
        (
            vec![b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()],
            "larger than 5 MB",
        ),
        (vec![message(b'?', b"what")], "unknown message tag"),
        (vec![login(99, b"")], "unknown authentication tag"),
        (vec![notice], "larger than 5 MB"),
        (vec![login(7, b"")], "a kind of login that is not known"),
        (vec![other], "a kind of login that is not known"),
        (vec![scram.clone(), rounds], "rounds of SCRAM"),
        (
            vec![login(11, b"r=x,s=x,i=1")],
            "goes on with a login that was not begun",
        ),
        (vec![login(12, b"v=x")], "does not know the password either"),
        (vec![scram.clone(), few], "rounds of SCRAM"),
        (
            vec![scram.clone(), scram],
            "a kind of login that is not known",
        ),
    ] {
        let (end, _) = ask(says.clone(), Tls::Off).await;
        assert!(
            end.failure("ask").contains(why),
            "{says:?}: {:?}",
            end.error
        );
    }
    for (said, why) in [
        (huge, "larger than 5 MB"),
        (
            message(b'D', b"\0\x01"),
            "answers something else than was asked",
        ),
    ] {
        let end = ask_known(std::slice::from_ref(&said)).await;
        assert!(
            end.failure("ask").contains(why),
            "{said:?}: {:?}",
            end.error
        );
    }
}

#[tokio::test]
async fn a_password_is_said_to_nobody_who_asks_for_it_in_the_open() {
    for says in [login(3, b""), login(5, b"salt")] {
        let (end, heard) = ask(vec![says], Tls::Off).await;
        assert!(
            end.failure("ask")
                .contains("over a way that is not encrypted")
        );
        let heard = String::from_utf8_lossy(&heard).into_owned();
        assert!(heard.contains("shop") && !heard.contains("p+ss"), "{heard}");
        assert!(!heard.contains("md5"), "{heard}");
    }
    // A server without encryption, and one that pretends to have it.
    for (says, why) in [
        (b"N".to_vec(), "offers no encryption, so nothing was sent"),
        (
            b"Ewhat".to_vec(),
            "offers no encryption, so nothing was sent",
        ),
        (b"S".to_vec(), "did not answer"),
        (b"Sno TLS at all".to_vec(), "No encrypted connection"),
    ] {
        let (port, heard) = start(vec![says.clone()]).await;
        let stage = stage(port, Tls::Upgraded, json!({ "timeout_seconds": 0.1 }));
        let end = stage.run().await;
        let told = end.error.clone().unwrap_or_default();
        assert!(
            told.contains(why) || told.contains("No encrypted connection"),
            "{told}"
        );
        let heard = heard.lock().expect("no panic holds it").clone();
        let heard = String::from_utf8_lossy(&heard).into_owned();
        assert!(!heard.contains("shop"), "{says:?}: {heard}");
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = silent.local_addr().expect("it is bound").port();
    let mut stage = stage(port, Tls::Off, json!({ "timeout_seconds": 0.1 }));
    stage.network = Network {
        allowed: vec!["127.0.0.1".to_owned()],
        ..Network::default()
    };
    let end = stage.run().await;
    assert!(end.failure("ask").contains("did not answer within 0.2 s"));
    assert_eq!(
        end.state,
        RunState::Failed,
        "nothing was done, so nothing is in doubt"
    );
}

#[tokio::test]
async fn no_form_of_a_private_address_is_connected_to() {
    let canary = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = canary.local_addr().expect("it is bound").port();
    for host in PRIVATE {
        let vault = Only {
            kind: Kind::Postgres,
            server: Server {
                host: host.to_owned(),
                port,
                tls: Tls::Off,
                ..Server::default()
            },
            user: Some(("me", PASSWORD)),
            uses: Mutex::default(),
        };
        let tried = try_out(
            &Clients::default(),
            &Network::default(),
            vault.credentials(),
            "",
            START,
        )
        .await;
        assert!(
            tried
                .expect_err("it is refused")
                .contains("private or local address"),
            "{host}"
        );
    }
    let nobody = tokio::time::timeout(Duration::ZERO, canary.accept()).await;
    assert!(nobody.is_err(), "somebody connected");
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_before_anyone_is_asked() {
    for (fields, why) in [
        (
            json!({ "parameters": "{\"a\": 1}" }),
            "Parameters must be a JSON list",
        ),
        (
            json!({ "access": "{{ 'all' }}" }),
            "It may either read or write",
        ),
        (
            json!({ "max_rows": "{{ 0 }}" }),
            "Most rows must be a number",
        ),
        (
            json!({ "timeout_seconds": "{{ 999 }}" }),
            "time-out must be a number",
        ),
    ] {
        let end = stage(9, Tls::Off, fields).run().await;
        assert!(end.failure("ask").contains(why), "{:?}", end.error);
    }
}
