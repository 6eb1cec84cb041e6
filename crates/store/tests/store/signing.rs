//! Signing secrets: sealed at rest, opened for their integration only.

use domain::account::{Me, Role};
use domain::signing::{Refusal as Signing, Signature};
use domain::{Document, IntegrationId};
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::{Error, MasterKey, Refusal, Store};

use crate::world::{World, assert_denied, assert_not_found, clean, refusal};

const SECRET: &str = "whsec_c2VjcmV0LW9mLXRoZS1zaG9w";

fn signed(signature: Signature) -> Document {
    let mut document = clean("webhook");
    let config = &mut document.trigger.config;
    config.insert("signature".to_owned(), json!(signature.key()));
    document
}

/// Returns the secrets that calls of an integration may be signed with.
async fn keys(world: &World, integration: IntegrationId) -> Vec<String> {
    let route = world.route(integration).await;
    let keys = route.keys.iter();
    keys.map(|key| String::from_utf8_lossy(&key.0).into_owned())
        .collect()
}

async fn keep(
    store: &Store,
    me: &Me,
    id: IntegrationId,
    given: Option<&str>,
) -> Result<Option<String>, Error> {
    let kept = store.keep_signing_secret(me, id, given).await?;
    Ok(kept.map(|made| made.as_str().to_owned()))
}

#[sqlx::test]
async fn a_secret_is_opened_for_its_webhook_and_shown_to_nobody(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let integration = world.publish(signed(Signature::Github)).await;
    assert_eq!(world.route(integration).await.signature, Signature::Github);
    assert_eq!(keys(&world, integration).await, [""; 0]);

    let given = keep(store, admin, integration, Some(SECRET)).await;
    assert_eq!(given.expect("an Admin may"), None, "its giver has it");
    let made = keep(store, admin, integration, None).await;
    let made = made.expect("an Admin may").expect("it is new");
    assert!(
        made.starts_with("whsec_") && made.len() == 50,
        "{}",
        made.len()
    );
    assert_eq!(keys(&world, integration).await, [made.as_str(), SECRET]);
    assert!(!format!("{:?}", world.route(integration).await).contains(SECRET));

    // Neither stands anywhere in the database.
    let rows = "select signing_secret::text from signing_secret
        union all select data_key::text from data_key
        union all select audit::text from audit";
    let rows: Vec<String> = sqlx::query_scalar(rows)
        .fetch_all(&world.sql)
        .await
        .expect("it answers");
    for text in [SECRET, &made] {
        let (plain, hidden) = (text.to_owned(), hex(text.as_bytes()));
        let found = rows
            .iter()
            .any(|row| row.contains(&plain) || row.contains(&hidden));
        assert!(!found, "it is there");
    }

    let lines = store.signing_secrets(admin, integration).await;
    let lines = lines.expect("it is there");
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0].created_by, admin.name);
    let removed = store.remove_signing_secret(admin, integration, lines[1].id);
    removed.await.expect("it is there");
    assert_eq!(keys(&world, integration).await, [made.as_str()]);
    let again = store.remove_signing_secret(admin, integration, lines[1].id);
    assert_not_found(again.await);
    let acts = world.audit().await;
    let noted = acts.iter().filter(|act| act.starts_with("signing_secret."));
    assert_eq!(noted.count(), 3, "{acts:?}");
    world.end().await;
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[sqlx::test]
async fn only_admins_keep_secrets_and_only_a_few(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let integration = world.publish(signed(Signature::Standard)).await;
    for role in [Role::Collaborator, Role::Reader] {
        let me = world.member(role).await;
        assert_denied(store.keep_signing_secret(&me, integration, None).await);
        let seen = store.signing_secrets(&me, integration).await;
        assert_eq!(seen.expect("every member may look"), []);
    }
    let outsider = world.outsider().await;
    assert_not_found(
        store
            .keep_signing_secret(&outsider, integration, None)
            .await,
    );
    assert_not_found(store.signing_secrets(&outsider, integration).await);
    let short = keep(store, admin, integration, Some("short")).await;
    assert_eq!(refusal(short), Refusal::Signing(Signing::Malformed));

    keep(store, admin, integration, None)
        .await
        .expect("there is room");
    keep(store, admin, integration, None)
        .await
        .expect("there is room");
    // Two at once for the last place.
    let (one, two) = tokio::join!(
        keep(store, admin, integration, None),
        keep(store, admin, integration, None),
    );
    let refused: Vec<_> = [one, two].into_iter().filter_map(Result::err).collect();
    let [Error::Refused(Refusal::Signing(Signing::TooMany))] = refused[..] else {
        panic!("one of two was to be refused: {refused:?}");
    };
    assert_eq!(keys(&world, integration).await.len(), 3);
    world.end().await;
}

#[sqlx::test]
async fn what_is_sealed_opens_in_no_other_place(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let ours = world.publish(signed(Signature::Stripe)).await;
    let other = world.publish(signed(Signature::Stripe)).await;
    for (integration, secret) in [(ours, SECRET), (other, "whsec_another-secret")] {
        let kept = keep(store, admin, integration, Some(secret)).await;
        kept.expect("an Admin may");
    }
    let swap = "update signing_secret as one set sealed = two.sealed
        from signing_secret as two
        where one.signing_secret_id <> two.signing_secret_id";
    assert_eq!(world.execute(swap).await, 2);
    // As another process sees it, which remembers nothing.
    let fresh = world.other_process().await;
    for integration in [ours, other] {
        let token = world.hook_token(integration).await;
        let route = fresh.hook_route(&token).await;
        assert!(matches!(route, Err(Error::Unavailable(_))), "{route:?}");
    }
    assert_eq!(world.execute(swap).await, 2);
    // One flipped bit is enough.
    let flip = "update signing_secret
        set sealed = set_bit(sealed, 8 * octet_length(sealed) - 1,
            1 - get_bit(sealed, 8 * octet_length(sealed) - 1))";
    let token = world.hook_token(ours).await;
    let route = fresh.hook_route(&token).await.expect("it opens again");
    assert_eq!(route.map(|route| route.keys.len()), Some(1));
    let late = world.other_process().await;
    assert_eq!(world.execute(flip).await, 2);
    assert!(late.hook_route(&token).await.is_err(), "it was changed");
    fresh.close().await;
    late.close().await;
    world.end().await;
}

#[sqlx::test]
async fn without_the_master_key_nothing_is_kept_or_opened(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let integration = world.publish(signed(Signature::Standard)).await;
    let kept = keep(&world.store, &world.admin, integration, Some(SECRET)).await;
    kept.expect("an Admin may");
    let token = world.hook_token(integration).await;

    let without = Store::connect_with(world.options(), 10).await;
    let without = without.expect("the database answers");
    let kept = keep(&without, &world.admin, integration, Some(SECRET)).await;
    assert_eq!(refusal(kept), Refusal::Signing(Signing::NoMasterKey));
    assert!(
        without.hook_route(&token).await.is_err(),
        "it does not open"
    );

    let other = Store::connect_with(world.options(), 10).await;
    let other = other.expect("the database answers");
    other.unlock(MasterKey::read(&"77".repeat(32)).expect("it is a key"));
    let route = other.hook_route(&token).await;
    let Err(Error::Unavailable(cause)) = route else {
        panic!("another key opened it: {route:?}");
    };
    assert!(cause.to_string().contains("another master key"), "{cause}");
    let kept = keep(&other, &world.admin, integration, Some(SECRET)).await;
    assert!(
        matches!(kept, Err(Error::Unavailable(_))),
        "it would be lost"
    );
    without.close().await;
    other.close().await;
    world.end().await;
}
