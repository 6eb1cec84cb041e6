//! The step that sends e-mails, against servers that behave well, and against such as do not.

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use domain::connection::{Kind, Server, Tls};
use domain::run::{RunState, StepState};
use domain::{ConnectionId, RunId};
use engine::Engine;
use engine::port::{Clients, Credentials, Network, Opening, Vault, try_out};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::mail_server::{AUTHORITY, MailServer, Manner};
use crate::stage::{End, START, Stage};

const PASSWORD: &str = "p+ss/word of the \"office\"";
const ID: ConnectionId = ConnectionId(Uuid::from_u128(77));

/// One connection, opened for every run.
#[derive(Debug)]
pub(crate) struct Only {
    pub(crate) kind: Kind,
    pub(crate) server: Server,
    pub(crate) user: Option<(&'static str, &'static str)>,
    pub(crate) uses: Mutex<Vec<Option<String>>>,
}

impl Only {
    pub(crate) fn credentials(&self) -> Credentials {
        let names: Vec<String> = self
            .user
            .iter()
            .map(|(user, _)| (*user).to_owned())
            .collect();
        let secrets: Vec<&str> = self.user.iter().map(|(_, secret)| *secret).collect();
        Credentials::for_server(
            "The office",
            self.kind,
            self.server.clone(),
            &names,
            &secrets,
        )
        .expect("it is whole")
    }
}

impl Vault for Only {
    fn open(&self, _: RunId, _: ConnectionId, _: bool, _: Option<i64>) -> Opening<'_> {
        Box::pin(async move { Ok(self.credentials()) })
    }

    fn used(&self, _: RunId, _: ConnectionId, error: Option<String>) {
        self.uses.lock().expect("no panic holds it").push(error);
    }
}

fn server(port: u16, tls: Tls) -> Server {
    Server {
        host: "127.0.0.1".to_owned(),
        port,
        tls,
        sender: "shop@example.com".to_owned(),
        certificates: match tls {
            Tls::Off => String::new(),
            _ => AUTHORITY.to_owned(),
        },
        ..Server::default()
    }
}

fn vault(server: Server) -> Arc<Only> {
    Arc::new(Only {
        kind: Kind::Smtp,
        server,
        user: Some(("me", PASSWORD)),
        uses: Mutex::default(),
    })
}

/// Returns a stage whose only step sends an e-mail.
fn stage(vault: Arc<Only>, more: Value) -> Stage {
    let mut step = json!({ "slug": "mail", "kind": "email.send", "connection": ID,
        "to": "ada@example.com", "subject": "Your order", "text": "Thank you.",
        "on_error": { "retries": 2, "then": "stop" } });
    for (name, value) in more.as_object().into_iter().flatten() {
        step[name] = value.clone();
    }
    let mut stage = Stage::new(json!([step]));
    stage.engine = Engine::new(stage.clock.clone()).with_vault(vault);
    stage
}

async fn run(manner: Manner, more: Value) -> (MailServer, End) {
    let mail = MailServer::start(manner).await;
    let end = stage(vault(server(mail.port, Tls::Off)), more).run().await;
    (mail, end)
}

/// Returns how often it was connected to.
fn visits(mail: &MailServer) -> usize {
    mail.said()
        .iter()
        .filter(|line| *line == "connected")
        .count()
}

#[tokio::test]
async fn an_email_is_composed_of_its_fields_and_goes_to_all_of_its_addresses() {
    let fields = json!({
        "from_name": "Der L\u{e4}den",
        "to": "{{ ['Ada <ada@example.com>', 'bob@example.com'] }}",
        "cc": "\"Doe, Jo\" <jo@example.com>",
        "bcc": "hidden@example.com",
        "reply_to": "help@example.com",
        "subject": "Gr\u{fc}\u{df}e",
        "text": "one\n.\ntwo",
        "html": "<p>one</p>",
    });
    let (mail, end) = run(Manner::default(), fields).await;
    let end = end.succeeded();
    let output = end.output("mail");
    assert_eq!(output["answer"], "250 2.0.0 queued as 7");
    let all = [
        "ada@example.com",
        "bob@example.com",
        "jo@example.com",
        "hidden@example.com",
    ];
    assert_eq!(output["recipients"], json!(all));
    let said = mail.said();
    assert!(said.contains(&"MAIL FROM:<shop@example.com>".to_owned()));
    for to in all {
        assert!(said.contains(&format!("RCPT TO:<{to}>")), "{to}");
    }
    let message = mail.taken().remove(0);
    for part in [
        "To: Ada <ada@example.com>, bob@example.com",
        "Cc: =?utf-8?b?RG9lLCBKbw==?= <jo@example.com>",
        "Reply-To: help@example.com",
        "<shop@example.com>",
        "multipart/alternative",
        "one\n.\ntwo",
        "<p>one</p>",
        &format!(
            "Message-ID: {}",
            output["message_id"].as_str().expect("it has one")
        ),
    ] {
        assert!(message.contains(part), "{part} is not in {message}");
    }
    assert!(!message.contains("hidden@"), "{message}");
    assert!(message.contains("Subject: =?utf-8?"), "{message}");
    assert!(message.is_ascii(), "{message}");
}

#[tokio::test]
async fn the_message_id_is_the_same_for_each_sending_and_another_in_another_run() {
    let manner = Manner {
        hangs_up_after: Some((".", 1)),
        ..Manner::default()
    };
    let mail = MailServer::start(manner).await;
    let stage = stage(
        vault(server(mail.port, Tls::Off)),
        json!({ "no_answer": "repeat" }),
    );
    let mut ids = Vec::new();
    let end = stage.run().await.succeeded();
    assert_eq!(end.of("mail").attempts, 2);
    for message in mail.taken() {
        let id = message.lines().find(|line| line.starts_with("Message-ID"));
        ids.push(id.expect("it has one").to_owned());
    }
    assert_eq!(ids.len(), 2);
    assert_eq!(ids[0], ids[1]);
    assert!(ids[0].ends_with("@example.com>"), "{}", ids[0]);
    let other = Stage {
        run: RunId::new(Uuid::from_u128(8)),
        ..stage
    };
    other.run().await.succeeded();
    assert!(!mail.taken()[2].contains(&ids[0]));
}

#[tokio::test]
async fn a_password_goes_over_an_encrypted_way_only() {
    for tls in [Tls::Upgraded, Tls::Direct] {
        let manner = Manner {
            is_direct: tls == Tls::Direct,
            upgrades: tls == Tls::Upgraded,
            ..Manner::default()
        };
        let mail = MailServer::start(manner).await;
        stage(vault(server(mail.port, tls)), json!({}))
            .run()
            .await
            .succeeded();
        let pair = BASE64_STANDARD.encode(format!("\0me\0{PASSWORD}"));
        assert!(
            mail.said().contains(&format!("AUTH PLAIN {pair}")),
            "{tls:?}"
        );
        let order = mail.said().iter().position(|line| line == "STARTTLS");
        assert_eq!(order.is_some(), tls == Tls::Upgraded);

        // Whoever is not known, is not trusted.
        let unknown = Server {
            certificates: String::new(),
            ..server(mail.port, tls)
        };
        let end = stage(vault(unknown), json!({})).run().await;
        assert!(
            end.failure("mail")
                .contains("No encrypted connection to `127.0.0.1` came about")
        );
        assert_eq!(mail.taken().len(), 1, "{tls:?}");
        let other = Server {
            host: "localhost.".to_owned(),
            ..server(mail.port, tls)
        };
        let mut named = stage(vault(other), json!({}));
        named.network.allowed.push("localhost.".to_owned());
        assert_eq!(
            named.run().await.state,
            RunState::Failed,
            "the name is not the certificate's"
        );
    }
    // No STARTTLS: whoever stands in between may have taken it out.
    let mail = MailServer::start(Manner::default()).await;
    let end = stage(vault(server(mail.port, Tls::Upgraded)), json!({}))
        .run()
        .await;
    assert!(
        end.failure("mail")
            .contains("offers no encryption (STARTTLS)")
    );
    // Words put before the encryption are not taken for the server's.
    let manner = Manner {
        upgrades: true,
        speaks_on: true,
        ..Manner::default()
    };
    let speaking = MailServer::start(manner).await;
    let end = stage(vault(server(speaking.port, Tls::Upgraded)), json!({}))
        .run()
        .await;
    assert!(
        end.failure("mail")
            .contains("it went on speaking before the encryption")
    );
    for line in mail.said().iter().chain(&speaking.said()) {
        assert!(!line.starts_with("AUTH"), "{line}");
    }
}

#[tokio::test]
async fn no_field_can_add_a_header_an_address_or_a_command() {
    let evil = "a\r\nBcc: evil@example.com\r\n\r\nRCPT TO:<evil@example.com>";
    for field in ["subject", "from_name", "text", "html"] {
        let (mail, end) = run(Manner::default(), json!({ field: evil })).await;
        end.succeeded();
        let message = mail.taken().remove(0);
        let head = message.split("\n\n").next().expect("it has one");
        assert!(
            !head.lines().any(|line| line.starts_with("Bcc")),
            "{field}: {head}"
        );
        let recipients = mail
            .said()
            .iter()
            .filter(|line| line.starts_with("RCPT"))
            .count();
        assert_eq!(recipients, 1, "{field}");
    }
    for field in ["to", "cc", "bcc", "reply_to"] {
        for evil in [
            "a@example.com\r\nDATA",
            "a@example.com>\r\nRCPT TO:<evil@example.com",
            "<a@example.com> SIZE=1",
            "a b@example.com",
            "\u{e4}@example.com",
            "nobody",
            "a@exa\0mple.com",
        ] {
            let (mail, end) = run(Manner::default(), json!({ field: evil })).await;
            assert!(
                end.failure("mail").contains("is no e-mail address"),
                "{field}: {evil:?}"
            );
            assert_eq!(visits(&mail), 0, "{field}: {evil:?}");
        }
    }
}

#[tokio::test]
async fn an_email_that_cannot_be_one_is_refused_before_anyone_is_asked() {
    let many = vec!["a@example.com"; 101].join(", ");
    for (fields, why) in [
        (json!({ "to": " , " }), "is no e-mail address"),
        (json!({ "to": "{{ [] }}" }), "To has no address"),
        (json!({ "to": many }), "more than 100 addresses"),
        (
            json!({ "reply_to": "a@example.com, b@example.com" }),
            "one address",
        ),
        (json!({ "text": "" }), "is empty"),
        (json!({ "subject": "x".repeat(1_001) }), "longer than 1000"),
    ] {
        let (mail, end) = run(Manner::default(), fields).await;
        let told = end.failure("mail");
        assert!(told.contains(why), "{told}");
        assert_eq!(visits(&mail), 0);
    }
}

#[tokio::test]
async fn what_is_refused_for_good_fails_and_what_is_refused_for_now_is_tried_again() {
    for (answers, attempts, code) in [
        (("RCPT", "550 5.1.1 no such user", 9), 1, "550"),
        (("MAIL", "553 not from you", 9), 1, "553"),
        (("DATA", "554 no", 9), 1, "554"),
        ((".", "552 too large", 9), 1, "552"),
        (("AUTH", "535 who are you", 9), 1, "535"),
        // Good answers to something else.
        (("AUTH", "334 go on", 9), 1, "334"),
        (("DATA", "250 fine", 9), 1, "250"),
        (("RCPT", "451 later", 9), 3, "451"),
        (("EHLO", "421 too busy", 9), 3, "421"),
    ] {
        let manner = Manner {
            answers: Some(answers),
            ..Manner::default()
        };
        let (mail, end) = run(manner, json!({})).await;
        assert!(
            end.failure("mail")
                .contains(answers.1.split(' ').next().expect("a code"))
        );
        assert_eq!(end.of("mail").attempts, attempts, "{answers:?}");
        assert_eq!(end.output("mail")["smtp"].to_string(), code);
        assert_eq!(visits(&mail), attempts as usize);
    }
    let manner = Manner {
        answers: Some(("RCPT", "451 later", 1)),
        ..Manner::default()
    };
    let (mail, end) = run(manner, json!({})).await;
    assert_eq!(end.succeeded().of("mail").attempts, 2);
    assert_eq!(mail.taken().len(), 1);
}

#[tokio::test]
async fn an_email_is_in_doubt_only_from_its_last_line_on() {
    for command in ["EHLO", "AUTH", "MAIL", "RCPT", "DATA"] {
        let manner = Manner {
            hangs_up_after: Some((command, 1)),
            ..Manner::default()
        };
        let (mail, end) = run(manner, json!({})).await;
        assert_eq!(end.succeeded().of("mail").attempts, 2, "{command}");
        assert_eq!(mail.taken().len(), 1, "{command}");
    }
    let manner = Manner {
        hangs_up_after: Some((".", 1)),
        ..Manner::default()
    };
    let (mail, end) = run(manner, json!({})).await;
    assert_eq!(end.state, RunState::InDoubt);
    assert_eq!(end.of("mail").state, StepState::InDoubt);
    assert!(
        end.error
            .expect("it says so")
            .contains("with the same Message-ID")
    );
    assert_eq!(mail.taken().len(), 1, "it is not sent twice");
}

#[tokio::test]
async fn a_hostile_server_is_left_with_a_sentence_and_costs_little() {
    let long = Box::leak("2".repeat(4096).into_boxed_str());
    for (text, why) in [
        (&*long, "it says too much"),
        ("250-and so on\r\n", "an answer does not end"),
        ("hello\r\n", "an answer has no code"),
        ("9\u{e4}9 x\r\n", "an answer has no code"),
        ("\r\n", "an answer has no code"),
        ("220x\r\n", "an answer has no code"),
    ] {
        let manner = Manner {
            greets_for_ever: Some(text),
            ..Manner::default()
        };
        let (_, end) = run(manner, json!({})).await;
        assert!(end.failure("mail").contains(why), "{text}: {:?}", end.error);
    }
    let silent = Manner {
        is_silent: true,
        ..Manner::default()
    };
    let (mail, end) = run(silent, json!({ "timeout_seconds": 0.2 })).await;
    assert!(end.failure("mail").contains("did not answer within 0.2 s"));
    assert_eq!(visits(&mail), 3, "a server that says nothing took nothing");
}

/// Forms of addresses that no step may reach unless an Admin allows it.
pub(crate) const PRIVATE: [&str; 18] = [
    "127.0.0.1",
    "localhost",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "0",
    "127.0.0.1.",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "::",
    "64:ff9b::7f00:1",
    "10.0.0.1",
    "169.254.169.254",
    "192.168.0.1",
    "fd00::1",
    "fe80::1",
];

#[tokio::test]
async fn no_form_of_a_private_address_is_connected_to() {
    let canary = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = canary.local_addr().expect("it is bound").port();
    for host in PRIVATE {
        let at = Server {
            host: host.to_owned(),
            ..server(port, Tls::Off)
        };
        let mut stage = stage(vault(at.clone()), json!({ "timeout_seconds": 5 }));
        stage.network = Network::default();
        let end = stage.run().await;
        assert!(
            end.failure("mail").contains("private or local address"),
            "{host}: {:?}",
            end.error
        );
        let tried = try_out(
            &Clients::default(),
            &Network::default(),
            vault(at).credentials(),
            "",
            START,
        )
        .await;
        assert!(
            tried
                .expect_err("it is refused")
                .contains("private or local"),
            "{host}"
        );
    }
    let nobody = tokio::time::timeout(std::time::Duration::ZERO, canary.accept()).await;
    assert!(nobody.is_err(), "somebody connected");
}

#[tokio::test]
async fn a_server_that_repeats_the_password_tells_nobody() {
    let pair = BASE64_STANDARD.encode(format!("\0me\0{PASSWORD}"));
    // Where a long answer is cut, too.
    for before in (280..300).chain([0]) {
        let answer = format!("550 {}{PASSWORD} {pair}", "x".repeat(before));
        let manner = Manner {
            answers: Some(("RCPT", Box::leak(answer.into_boxed_str()), 9)),
            ..Manner::default()
        };
        let (_, end) = run(manner, json!({ "subject": PASSWORD })).await;
        let all = serde_json::to_string(&end.records).expect("records are JSON");
        let all = format!("{:?} {all}", end.error);
        assert!(all.contains("[hidden]"), "{all}");
        for part in ["p+s", "word of", &pair[..8]] {
            assert!(!all.contains(part), "{before}: {part} is in {all}");
        }
    }
}

#[tokio::test]
async fn a_connection_of_one_kind_is_used_by_its_own_step_only() {
    let mail = MailServer::start(Manner::default()).await;
    let other = Arc::new(Only {
        kind: Kind::Postgres,
        server: server(mail.port, Tls::Off),
        user: Some(("me", PASSWORD)),
        uses: Mutex::default(),
    });
    let end = stage(other, json!({})).run().await;
    assert!(
        end.failure("mail")
            .contains("is none of the kind “E-mail server (SMTP)”")
    );
    let url = format!("http://127.0.0.1:{}/", mail.port);
    let mut http = Stage::new(
        json!([{ "slug": "call", "kind": "http.request", "method": "GET",
        "url": url, "connection": ID }]),
    );
    let own = vault(server(mail.port, Tls::Off));
    http.engine = Engine::new(http.clock.clone()).with_vault(own);
    assert!(
        http.run()
            .await
            .failure("call")
            .contains("goes with no web request")
    );
    assert_eq!(visits(&mail), 0);
}

#[tokio::test]
async fn a_connection_is_tried_out_without_an_email() {
    let network = Network {
        allowed: vec!["127.0.0.1".to_owned()],
        ..Network::default()
    };
    let mail = MailServer::start(Manner {
        upgrades: true,
        ..Manner::default()
    })
    .await;
    let own = vault(server(mail.port, Tls::Upgraded));
    assert_eq!(
        try_out(&Clients::default(), &network, own.credentials(), "", START).await,
        Ok(None)
    );
    assert!(mail.said().contains(&"NOOP".to_owned()));
    assert!(mail.taken().is_empty());
    let manner = Manner {
        answers: Some(("AUTH", "535 who are you", 9)),
        ..Manner::default()
    };
    let mail = MailServer::start(manner).await;
    let own = vault(server(mail.port, Tls::Off));
    let tried = try_out(&Clients::default(), &network, own.credentials(), "", START).await;
    assert!(
        tried
            .expect_err("it is not let in")
            .contains("does not accept the user name")
    );
}
