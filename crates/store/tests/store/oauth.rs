//! The tokens of connections: exchanged once, whoever needs them, and never lost.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use domain::account::Me;
use domain::connection::{Answer, Authorization, Form, Kind, OAuth, Secrets, Standing};
use domain::{ConnectionId, RunId};
use engine::port::{Closed, Vault};
use futures::future::join_all;
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::{MasterKey, SessionToken, Store};

use crate::provider::Provider;
use crate::world::{PASSWORD, World, assert_not_found, clean, refusal};

pub(crate) const SECRET: &str = "planted-secret-of-the-client";
pub(crate) const BACK: &str = "https://sluice.example.com/oauth/callback";

/// An organization with a provider, and the Admin's session.
pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) provider: Provider,
    pub(crate) session: SessionToken,
    pub(crate) run: RunId,
}

impl Stage {
    pub(crate) async fn new(options: PgConnectOptions) -> Self {
        // Chosen once for all tests of the process; whoever comes later chooses the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let world = World::new(options).await;
        let loopback = vec!["127.0.0.1".to_owned()];
        let set = world.store.set_network(&world.admin, loopback).await;
        set.expect("an Admin may");
        let integration = world.publish(clean("manual")).await;
        let started = world
            .store
            .start_manual(&world.admin, integration, json!({}));
        Self {
            run: started.await.expect("it is live"),
            session: sign_in(&world.store, "admin@example.com").await,
            provider: Provider::start().await,
            world,
        }
    }

    pub(crate) fn form(&self, kind: Kind) -> Form {
        form(&self.provider.url, kind)
    }

    pub(crate) async fn create(&self, kind: Kind) -> ConnectionId {
        let form = self.form(kind);
        let store = &self.world.store;
        let created = store.create_connection(&self.world.admin, &form).await;
        created.expect("an Admin may")
    }

    /// Asks for a consent; returns the answer that the provider would send with it.
    pub(crate) async fn ask(&self, id: ConnectionId, is_test: bool) -> Answer {
        let store = &self.world.store;
        let asked = store
            .connect_connection(&self.world.admin, &self.session, id, is_test, BACK)
            .await;
        let address = asked.expect("an Admin may").expect("someone consents");
        let of = |name: &str| -> String {
            let mut pairs = address
                .split(['?', '&'])
                .filter_map(|pair| pair.split_once('='));
            let found = pairs.find(|(other, _)| *other == name);
            found.expect("it is there").1.to_owned()
        };
        assert_eq!(of("code_challenge_method"), "S256");
        let hash = BASE64_URL_SAFE_NO_PAD.decode(of("code_challenge"));
        let hash = hash.expect("it is base64");
        self.provider
            .set(|known| known.challenge = hash.iter().map(|byte| format!("{byte:02x}")).collect());
        Answer {
            code: Some(format!("code-{}", &of("state")[..8])),
            state: of("state"),
            ..Answer::default()
        }
    }

    pub(crate) async fn finish(&self, answer: &Answer) -> Result<String, store::Error> {
        let store = &self.world.store;
        store
            .finish_consent(&self.world.admin, &self.session, answer)
            .await
    }

    /// Makes a connection to which someone has consented.
    pub(crate) async fn connected(&self) -> ConnectionId {
        let id = self.create(Kind::OAuth).await;
        let answer = self.ask(id, false).await;
        let name = self.finish(&answer).await.expect("the provider gives");
        assert_eq!(name, "The shop");
        id
    }

    pub(crate) async fn open(&self, id: ConnectionId, refused: Option<i64>) -> Result<i64, Closed> {
        open(&self.world.store, self.run, id, refused).await
    }

    pub(crate) async fn standing(&self, id: ConnectionId) -> Authorization {
        let all = self.world.store.connections(&self.world.admin).await;
        let all = all.expect("every member may look");
        let found = all.into_iter().find(|connection| connection.id == id);
        let details = found.and_then(|found| found.details);
        details
            .and_then(|details| details.authorization)
            .expect("it has one")
    }

    /// Lets the token be due, or over.
    pub(crate) async fn age(&self, is_over: bool) {
        let sql = if is_over {
            "update connection_token set renew_at = now() - interval '1 hour',
                expires_at = now() - interval '1 minute'"
        } else {
            "update connection_token set renew_at = now() - interval '1 minute',
                expires_at = now() + interval '1 hour'"
        };
        assert_eq!(self.world.execute(sql).await, 1);
    }
}

/// Puts rows into the tables of tokens and consents.
pub(crate) async fn fill(world: &World) {
    let form = form("http://127.0.0.1:9", Kind::OAuth);
    let form = Form {
        name: "By consent".to_owned(),
        ..form
    };
    let created = world.store.create_connection(&world.admin, &form).await;
    let session = sign_in(&world.store, "admin@example.com").await;
    let id = created.expect("an Admin may");
    let asked = world
        .store
        .connect_connection(&world.admin, &session, id, false, BACK);
    asked.await.expect("an Admin may");
}

fn form(provider: &str, kind: Kind) -> Form {
    Form {
        name: "The shop".to_owned(),
        kind,
        names: vec!["client".to_owned()],
        origins: vec!["https://api.example.com".to_owned()],
        live: Secrets::Set(vec![SECRET.to_owned()]),
        test: Secrets::Keep,
        oauth: Some(OAuth {
            authorization_url: format!("{provider}/authorize"),
            token_url: format!("{provider}/token"),
            ..OAuth::default()
        }),
        server: None,
    }
}

pub(crate) async fn sign_in(store: &Store, email: &str) -> SessionToken {
    let session = store.sign_in(email, PASSWORD).await;
    session.expect("the password is right")
}

/// Returns the issue of the token that a run would send.
async fn open(
    store: &Store,
    run: RunId,
    id: ConnectionId,
    refused: Option<i64>,
) -> Result<i64, Closed> {
    let opened = Vault::open(store, run, id, false, refused).await?;
    Ok(opened.issue().expect("it carries a token"))
}

#[sqlx::test]
async fn many_runs_of_two_processes_exchange_a_token_once(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let stage = Stage::new(options).await;
    let id = stage.connected().await;
    let other = stage.world.process().await;
    for round in 1..=5 {
        stage.age(true).await;
        let both = [&stage.world.store, &other];
        let opens = (0..40).map(|number| open(both[number % 2], stage.run, id, None));
        for opened in join_all(opens).await {
            assert_eq!(opened, Ok(round + 1));
        }
        assert_eq!(
            stage.provider.asked(),
            1 + usize::try_from(round).expect("it is small")
        );
    }
    assert_eq!(stage.provider.reused(), 0);
    other.close().await;
    stage.world.end().await;
}

#[sqlx::test]
async fn a_token_that_a_service_refused_is_exchanged_and_one_that_was_already_is_not(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let stage = Stage::new(options).await;
    let id = stage.connected().await;
    assert_eq!(stage.open(id, Some(1)).await, Ok(2));
    assert_eq!(stage.open(id, Some(1)).await, Ok(2), "it was exchanged");
    assert_eq!(stage.open(id, None).await, Ok(2));
    assert_eq!((stage.provider.asked(), stage.provider.reused()), (2, 0));
    // A token whose life is over when it comes is sent, once it is new.
    stage.provider.set(|known| known.lifetime = Some(0));
    assert_eq!(stage.open(id, Some(2)).await, Ok(3));
    assert_eq!(stage.open(id, None).await, Ok(4));
    stage.world.end().await;
}

#[sqlx::test]
async fn a_provider_that_is_down_costs_nothing_while_the_token_lives_and_a_retry_after_it(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let stage = Stage::new(options).await;
    let id = stage.connected().await;
    stage
        .provider
        .set(|known| known.refuses = Some((503, json!({}))));
    stage.age(false).await;
    assert_eq!(stage.open(id, None).await, Ok(1), "it has not ended yet");
    assert_eq!(stage.provider.asked(), 2);
    stage.age(true).await;
    let closed = stage.open(id, None).await;
    assert!(
        matches!(&closed, Err(Closed::Later(told)) if told.contains("answered 503")),
        "{closed:?}"
    );
    assert!(matches!(
        stage.standing(id).await.live,
        Standing::Given { .. }
    ));
    stage.provider.set(|known| known.refuses = None);
    assert_eq!(stage.open(id, None).await, Ok(2));
    stage.world.end().await;
}

#[sqlx::test]
async fn what_a_provider_takes_no_more_is_not_asked_again_until_someone_connects(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let stage = Stage::new(options).await;
    let id = stage.connected().await;
    stage.age(true).await;
    let revoked = json!({ "error": "invalid_grant", "error_description": "It was revoked." });
    stage
        .provider
        .set(|known| known.refuses = Some((400, revoked)));
    for _ in 0..3 {
        let closed = stage.open(id, None).await;
        let Err(Closed::Broken(told)) = closed else {
            panic!("it is refused: {closed:?}");
        };
        assert!(
            told.contains("“The shop” has to be connected again")
                && told.contains("It was revoked."),
            "{told}"
        );
    }
    assert_eq!(stage.provider.asked(), 2);
    let standing = stage.standing(id).await;
    assert!(standing.is_open());
    assert_eq!(
        standing.live,
        Standing::Refused {
            why: "It was revoked. (invalid_grant)".to_owned()
        }
    );
    stage.provider.set(|known| known.refuses = None);
    let answer = stage.ask(id, false).await;
    stage.finish(&answer).await.expect("the provider gives");
    assert!(!stage.standing(id).await.is_open());
    assert_eq!(stage.open(id, None).await, Ok(2));

    stage.world.end().await;
}

#[sqlx::test]
async fn a_token_without_a_refresh_token_is_used_until_it_ends_whatever_a_service_answers(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let stage = Stage::new(options).await;
    stage.provider.set(|known| known.gives_no_refresh = true);
    let id = stage.connected().await;
    for refused in [None, Some(1)] {
        assert_eq!(stage.open(id, refused).await, Ok(1));
    }
    stage.age(false).await;
    for refused in [None, Some(1)] {
        assert_eq!(stage.open(id, refused).await, Ok(1), "it has not ended");
    }
    assert!(!stage.standing(id).await.is_open());
    stage.age(true).await;
    let closed = stage.open(id, None).await;
    assert!(
        matches!(&closed, Err(Closed::Broken(told)) if told.contains("no refresh token")),
        "{closed:?}"
    );
    assert_eq!(stage.provider.asked(), 1);
    stage.world.end().await;
}

#[sqlx::test]
async fn a_new_token_is_kept_though_the_run_that_wanted_it_went_away(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let stage = Stage::new(options).await;
    let id = stage.connected().await;
    stage.age(true).await;
    let gate = stage.provider.gate.clone();
    let held = gate.write().await;
    {
        let mut opening = std::pin::pin!(stage.open(id, None));
        // Until the provider has taken the refresh token, and its answer is on its way.
        while stage.provider.asked() < 2 {
            assert!(futures::poll!(opening.as_mut()).is_pending());
            tokio::task::yield_now().await;
        }
    }
    drop(held);
    stage.world.store.close().await;
    let issue = "select issue from connection_token where access is not null";
    assert_eq!(stage.world.count(issue).await, 2, "closing waited for it");
    let next = stage.world.process().await;
    assert_eq!(open(&next, stage.run, id, None).await, Ok(2));
    assert_eq!(open(&next, stage.run, id, Some(2)).await, Ok(3));
    assert_eq!(stage.provider.reused(), 0);
    next.close().await;
    stage.world.end().await;
}

#[sqlx::test]
async fn an_exchange_that_ended_with_its_process_is_taken_up_by_the_next(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let stage = Stage::new(options).await;
    let id = stage.connected().await;
    stage.age(true).await;
    let ended = "update connection_token set renewing_until = now() - interval '1 second'";
    assert_eq!(stage.world.execute(ended).await, 1);
    assert_eq!(stage.open(id, None).await, Ok(2));
    stage.world.end().await;
}

#[sqlx::test]
async fn a_client_gets_its_own_tokens_and_gives_its_secret_again_when_that_was_wrong(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let stage = Stage::new(options).await;
    let (store, admin) = (&stage.world.store, &stage.world.admin);
    let id = stage.create(Kind::OAuthClient).await;
    assert_eq!(stage.standing(id).await.live, Standing::Given { at: None });
    assert_eq!(stage.open(id, None).await, Ok(1), "nobody has to consent");
    let connect = || store.connect_connection(admin, &stage.session, id, false, BACK);
    assert_eq!(connect().await.expect("the provider gives"), None);
    assert_eq!(stage.open(id, None).await, Ok(2));
    let wrong = json!({ "error": "invalid_client" });
    stage
        .provider
        .set(|known| known.refuses = Some((401, wrong)));
    let told = refusal(connect().await).to_string();
    assert!(told.contains("invalid_client"), "{told}");
    assert!(stage.standing(id).await.is_open());
    stage.provider.set(|known| known.refuses = None);
    let form = stage.form(Kind::OAuthClient);
    let mended = store.change_connection(admin, id, &form).await;
    mended.expect("an Admin may");
    assert_eq!(stage.open(id, Some(2)).await, Ok(3));
    stage.world.end().await;
}

#[sqlx::test]
async fn tests_have_a_consent_of_their_own_where_they_have_a_secret(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let stage = Stage::new(options).await;
    let (store, admin) = (&stage.world.store, &stage.world.admin);
    let id = stage.connected().await;
    assert_not_found(
        store
            .connect_connection(admin, &stage.session, id, true, BACK)
            .await,
    );
    let for_test = async || Vault::open(store, stage.run, id, true, None).await;
    assert_eq!(
        for_test().await.expect("with the live one").issue(),
        Some(1)
    );
    let with_test = Form {
        live: Secrets::Keep,
        test: Secrets::Set(vec![format!("{SECRET}-test")]),
        ..stage.form(Kind::OAuth)
    };
    let changed = store.change_connection(admin, id, &with_test).await;
    changed.expect("an Admin may");
    assert!(matches!(for_test().await, Err(Closed::Broken(_))));
    assert_eq!(stage.open(id, None).await, Ok(1), "the live one stays");
    let answer = stage.ask(id, true).await;
    stage.finish(&answer).await.expect("the provider gives");
    assert!(for_test().await.is_ok());
    assert!(!stage.standing(id).await.is_open());

    // Each is sealed for its place: a swapped one opens nothing.
    for swap in [
        "update connection_token as one set access = two.access from connection_token as two
         where one.variant <> two.variant",
        "update connection_token set access = refresh, refresh = access",
    ] {
        assert_eq!(stage.world.execute(swap).await, 2);
        let opened = stage.open(id, None).await;
        assert!(matches!(opened, Err(Closed::Broken(_))), "{opened:?}");
        stage.world.execute(swap).await;
        assert_eq!(stage.open(id, None).await, Ok(1));
    }
    let without = Form {
        live: Secrets::Keep,
        test: Secrets::Remove,
        ..with_test
    };
    let changed = store.change_connection(admin, id, &without).await;
    changed.expect("an Admin may");
    assert_eq!(
        for_test().await.expect("with the live one").issue(),
        Some(1)
    );
    stage.world.end().await;
}

#[sqlx::test]
async fn who_lets_a_connection_go_elsewhere_has_to_connect_it_again(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let stage = Stage::new(options).await;
    let (store, admin): (&Store, &Me) = (&stage.world.store, &stage.world.admin);
    let id = stage.connected().await;
    let narrow = Form {
        name: "Renamed".to_owned(),
        ..stage.form(Kind::OAuth)
    };
    let changed = store.change_connection(admin, id, &narrow).await;
    changed.expect("an Admin may");
    assert_eq!(stage.open(id, None).await, Ok(1));
    let wider = Form {
        origins: vec!["https://evil.example".to_owned()],
        ..narrow
    };
    let changed = store.change_connection(admin, id, &wider).await;
    changed.expect("its secret is typed again");
    let closed = stage.open(id, None).await;
    assert!(
        matches!(&closed, Err(Closed::Broken(told)) if told.contains("Nobody has connected")),
        "{closed:?}"
    );
    let gone = store.delete_connection(admin, id).await;
    gone.expect("nothing names it");
    let rows = "select count(*) from connection_token";
    assert_eq!(stage.world.count(rows).await, 0);
    // Another master key opens none of it.
    let id = stage.connected().await;
    let other = Store::connect_with(stage.world.options(), 10).await;
    let other = other.expect("the database answers");
    other.unlock(MasterKey::read(&"77".repeat(32)).expect("it is a key"));
    let opened = open(&other, stage.run, id, None).await;
    assert!(matches!(opened, Err(Closed::Broken(_))), "{opened:?}");
    other.close().await;
    stage.world.end().await;
}
