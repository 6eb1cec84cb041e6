//! Tokens: how they are asked for, and that nothing of it is told.

use domain::connection::{ClientAuth, NoToken, OAuth, Tokens};
use engine::port::{Clients, Consent, Grant, Network, TokenRequest};
use serde_json::json;
use url::Url;

use crate::server::{Reply, Server, json as answer, text, with};
use crate::stage::Stage;

const SECRET: &str = "client/+secret";
const REFRESH: &str = "refresh-token-of-the-shop";

fn provider(token_url: &str, client_auth: ClientAuth) -> OAuth {
    OAuth {
        authorization_url: "https://login.example.com/authorize?tenant=1&state=mine".to_owned(),
        token_url: token_url.to_owned(),
        scopes: "read write".to_owned(),
        extra: vec![("audience".to_owned(), "a & b".to_owned())],
        client_auth,
        ..OAuth::default()
    }
}

async fn ask(provider: &OAuth, grant: Grant<'_>, network: &Network) -> Result<Tokens, NoToken> {
    // Installs what TLS needs.
    let _ = Stage::new(json!([]));
    let request = TokenRequest {
        provider,
        client_id: "the client",
        secret: SECRET,
        grant,
    };
    request.send(&Clients::default(), network).await
}

fn loopback() -> Network {
    Network {
        allowed: vec!["127.0.0.1".to_owned()],
        ..Network::default()
    }
}

fn given() -> Reply {
    answer(&json!({ "access_token": "an-access-token", "token_type": "Bearer", "expires_in": 60 }))
}

#[test]
fn the_question_carries_the_hash_of_the_verifier_and_nothing_of_ours_twice() {
    let provider = provider("https://login.example.com/token", ClientAuth::Basic);
    // The example of RFC 7636, appendix B.
    let consent = Consent {
        provider: &provider,
        client_id: "the client",
        redirect_uri: "https://sluice.example.com/oauth/callback",
        state: "a-state",
        verifier: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    };
    let url = Url::parse(&consent.address().expect("it is one")).expect("it is one");
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let of = |name: &str| -> Vec<&str> {
        let all = pairs.iter().filter(|(other, _)| other == name);
        all.map(|(_, value)| value.as_str()).collect()
    };
    assert_eq!(of("tenant"), ["1"]);
    assert_eq!(of("state"), ["a-state"]);
    assert_eq!(of("scope"), ["read write"]);
    assert_eq!(of("audience"), ["a & b"]);
    assert_eq!(of("code_challenge_method"), ["S256"]);
    assert_eq!(
        of("code_challenge"),
        ["E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"]
    );
    assert!(!url.as_str().contains(consent.verifier));
}

#[tokio::test]
async fn a_client_proves_itself_in_the_header_or_in_the_body_and_never_in_both() {
    for (auth, in_header) in [(ClientAuth::Basic, true), (ClientAuth::Body, false)] {
        let server = Server::start(|_, _| given()).await;
        let provider = provider(&server.url("/token"), auth);
        let grant = Grant::Code {
            code: "a code",
            verifier: "a-verifier",
            redirect_uri: "https://sluice.example.com/oauth/callback",
        };
        let tokens = ask(&provider, grant, &loopback()).await.expect("it gives");
        assert_eq!(tokens.access, "an-access-token");
        let sent = &server.requests()[0];
        let body = &sent.body;
        assert!(
            body.contains("grant_type=authorization_code&code=a+code&code_verifier=a-verifier")
        );
        // Encoded before it is put together (RFC 6749, 2.3.1).
        let basic = "Basic dGhlK2NsaWVudDpjbGllbnQlMkYlMkJzZWNyZXQ=";
        let header = sent.headers.get("authorization");
        assert_eq!(header.map(String::as_str), in_header.then_some(basic));
        assert_eq!(
            body.contains("client_secret=client%2F%2Bsecret"),
            !in_header
        );
    }
    let server = Server::start(|_, _| given()).await;
    let provider = provider(&server.url("/token"), ClientAuth::Basic);
    let given = ask(&provider, Grant::Client, &loopback()).await;
    given.expect("it gives");
    let body = server.requests()[0].body.clone();
    assert_eq!(
        body,
        "grant_type=client_credentials&scope=read+write&audience=a+%26+b"
    );
}

#[tokio::test]
async fn secrets_go_to_the_token_url_only_and_through_the_guard() {
    let other = Server::start(|_, _| given()).await;
    let there = other.url("/there");
    let server = Server::start(move |_, _| with(307, "Location", &there)).await;
    let provider = provider(&server.url("/token"), ClientAuth::Body);
    let told = ask(&provider, Grant::Refresh(REFRESH), &loopback()).await;
    assert_eq!(
        told,
        Err(NoToken::Later("The provider answered 307.".to_owned()))
    );
    assert_eq!(other.requests().len(), 0);
    let told = ask(&provider, Grant::Refresh(REFRESH), &Network::default()).await;
    assert!(
        matches!(&told, Err(NoToken::Later(why)) if why.contains("private or local address")),
        "{told:?}"
    );
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn what_a_provider_tells_of_the_secrets_is_hidden() {
    let server = Server::start(|request, before| {
        let sent = &request.body;
        let told = json!({
            "error": if before == 0 { "invalid_grant" } else { "server_error" },
            "error_description": format!("{REFRESH} {SECRET} {sent}"),
        });
        text(400, &told.to_string())
    })
    .await;
    let provider = provider(&server.url("/token"), ClientAuth::Body);
    for is_refused in [true, false] {
        let told = ask(&provider, Grant::Refresh(REFRESH), &loopback()).await;
        let why = match told {
            Err(NoToken::Refused(why)) if is_refused => why,
            Err(NoToken::Later(why)) if !is_refused => why,
            other => panic!("{other:?}"),
        };
        for secret in [REFRESH, SECRET, "client%2F%2Bsecret"] {
            assert!(!why.contains(secret), "{why}");
        }
        assert!(why.contains("[hidden]"), "{why}");
    }
}

#[tokio::test]
async fn an_answer_that_is_too_long_or_no_json_gives_no_token() {
    let server = Server::start(|_, before| match before {
        0 => text(200, &"x".repeat(100_000)),
        _ => text(200, "<html>Sign in</html>"),
    })
    .await;
    let provider = provider(&server.url("/token"), ClientAuth::Basic);
    for expected in ["too long", "gave no token"] {
        let told = ask(&provider, Grant::Refresh(REFRESH), &loopback()).await;
        assert!(
            matches!(&told, Err(NoToken::Later(why)) if why.contains(expected)),
            "{told:?}"
        );
    }
}
