//! What requests of an organization keep to, and which hosts are down.

use domain::account::Role;
use domain::network::{Down, Encryption, Rules};
use engine::port::HostChange;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::world::{World, refusal};

fn rules() -> Rules {
    Rules {
        encryption: Encryption::Public,
        at_once: Some(4),
        per_second: Some(20),
    }
}

#[sqlx::test]
async fn outgoing_rules_are_set_by_admins_and_leave_what_is_allowed_alone(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let network = || async { store.network(admin).await.expect("anyone may") };
    assert_eq!(network().await.rules, Rules::default());
    let allowed = vec!["10.0.0.0/8".to_owned()];
    let set = store.set_network(admin, allowed.clone()).await;
    set.expect("an Admin may");
    let set = store.set_outgoing(admin, rules()).await;
    set.expect("an Admin may");
    let kept = network().await;
    assert_eq!((&kept.rules, &kept.allowed), (&rules(), &allowed));
    assert_eq!(kept.owner, Some(admin.organization));
    store
        .set_network(admin, Vec::new())
        .await
        .expect("an Admin may");
    assert_eq!(network().await.rules, rules());
    let none = Rules {
        at_once: Some(0),
        ..rules()
    };
    let refused = refusal(store.set_outgoing(admin, none).await);
    assert_eq!((refused.code(), refused.status()), ("network/at-once", 422));
    for role in [Role::Collaborator, Role::Reader] {
        let member = world.member(role).await;
        let refused = refusal(store.set_outgoing(&member, Rules::default()).await);
        assert_eq!(refused.code(), "policy/denied");
    }
    assert_eq!(network().await.rules, rules());
    world.end().await;
}

#[sqlx::test]
async fn a_host_that_is_down_is_shown_to_its_organization_until_it_is_up(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let now = store.now().await.expect("it answers");
    let down = |since: i64, failures| Down {
        host: "api.example.com".to_owned(),
        port: 443,
        since: domain::Timestamp(now.0 + since),
        until: domain::Timestamp(now.0 + since + 5_000),
        failures,
        why: "did not answer".to_owned(),
    };
    let keep = |change| async {
        let kept = store.keep_hosts(vec![(admin.organization, change)]).await;
        kept.expect("it answers");
    };
    keep(HostChange::Down(down(0, 10))).await;
    // Another process finds out later, and the first one's probe fails.
    keep(HostChange::Down(down(1_000, 11))).await;
    let shown = store.hosts_down(admin).await.expect("anyone may");
    let expected = Down {
        since: down(0, 11).since,
        ..down(1_000, 11)
    };
    assert_eq!(shown, [expected]);
    let other = world.outsider().await;
    assert_eq!(store.hosts_down(&other).await.expect("anyone may"), []);
    // Every process hears of it.
    store.hear_of_hosts().await.expect("it answers");
    keep(HostChange::Up {
        host: "api.example.com".to_owned(),
        port: 443,
    })
    .await;
    assert_eq!(store.hosts_down(admin).await.expect("anyone may"), []);
    store.hear_of_hosts().await.expect("it answers");
    // What is kept of an organization that is gone is nothing.
    let gone = domain::OrganizationId::new(uuid::Uuid::nil());
    let kept = store.keep_hosts(vec![(gone, HostChange::Down(down(0, 10)))]);
    kept.await.expect("it answers");
    world.end().await;
}

#[sqlx::test]
async fn so_many_hosts_of_an_organization_are_kept_and_the_oldest_go_first(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let other = world.outsider().await;
    let now = store.now().await.expect("it answers");
    let down = |organization, number: i64| {
        let down = Down {
            host: format!("{number}.example.com"),
            port: 443,
            since: domain::Timestamp(now.0 + number),
            until: domain::Timestamp(now.0 + number + 5_000),
            failures: 10,
            why: "did not answer".to_owned(),
        };
        (organization, HostChange::Down(down))
    };
    let first = vec![down(other.organization, 0)];
    store.keep_hosts(first).await.expect("it answers");
    for from in [0, 200] {
        let some = (from..from + 200).map(|number| down(admin.organization, number));
        store.keep_hosts(some.collect()).await.expect("it answers");
    }
    let of_both = world.count("select count(*) from host_down").await;
    assert_eq!(of_both, 256 + 1);
    let oldest =
        "select count(*) from host_down where host in ('1.example.com', '143.example.com')";
    assert_eq!(world.count(oldest).await, 0);
    let shown = store.hosts_down(admin).await.expect("anyone may");
    assert_eq!(shown[0].host, "399.example.com");
    // Nobody loses theirs for another's.
    assert_eq!(store.hosts_down(&other).await.expect("anyone may").len(), 1);
}
