use domain::network::Encryption;
use futures::future::join_all;
use uuid::Uuid;

use super::super::host::FAILURES;
use super::*;

const NOW: Timestamp = Timestamp(1_445_412_470_000);

fn organization(number: u128) -> Option<OrganizationId> {
    Some(OrganizationId::new(Uuid::from_u128(number)))
}

fn rules(at_once: Option<u32>, per_second: Option<u32>) -> Rules {
    Rules {
        at_once,
        per_second,
        encryption: Encryption::Free,
    }
}

fn way(owner: u128, rules: &Rules) -> Way<'_> {
    Way {
        owner: organization(owner),
        rules,
        host: "api.example.com",
        port: 443,
    }
}

/// Waits until so many stand in line at the host of organization 1.
async fn until_waiting(hosts: &Hosts, count: usize) {
    let kept = hosts.kept(way(1, &Rules::default()), moment(NOW));
    while kept.locked().waiting() != count {
        tokio::task::yield_now().await;
    }
}

async fn fail(hosts: &Hosts, way: Way<'_>, times: u32) {
    for _ in 0..times {
        let turn = hosts
            .turn(way, Timestamp(0), NOW)
            .await
            .expect("it is its turn");
        turn.tell(Told::Silent);
    }
}

#[tokio::test]
async fn what_is_over_the_limit_waits_in_order_and_is_let_through() {
    let hosts = Hosts::default();
    let rules = rules(Some(1), None);
    let order = Mutex::new(Vec::new());
    let held = hosts.turn(way(1, &rules), Timestamp(0), NOW).await;
    let request = |since| {
        let (hosts, rules, order) = (&hosts, &rules, &order);
        async move {
            let turn = hosts.turn(way(1, rules), Timestamp(since), NOW).await;
            let turn = turn.expect("all have their turn within a second");
            locked(order).push(since);
            drop(turn);
        }
    };
    let let_go = async {
        until_waiting(&hosts, 5).await;
        drop(held);
    };
    tokio::join!(join_all([7, 3, 9, 1, 5].map(request)), let_go);
    assert_eq!(*locked(&order), [1, 3, 5, 7, 9]);
}

#[tokio::test]
async fn a_turn_that_does_not_come_within_a_second_is_waited_for_elsewhere() {
    let hosts = Hosts::default();
    let rules = rules(Some(1), None);
    let held = hosts.turn(way(1, &rules), Timestamp(0), NOW).await;
    let Err(NotNow::Later { wait, .. }) = hosts.turn(way(1, &rules), Timestamp(1), NOW).await
    else {
        panic!("there is no room");
    };
    assert!(wait > PATIENCE);
    drop(held);
    // Who went away left no place behind that others would wait for.
    assert!(hosts.turn(way(1, &rules), Timestamp(2), NOW).await.is_ok());
}

#[tokio::test]
async fn a_wait_that_is_given_up_holds_nobody_back() {
    let hosts = Hosts::default();
    let rules = rules(Some(1), None);
    let held = hosts.turn(way(1, &rules), Timestamp(0), NOW).await;
    let first = hosts.turn(way(1, &rules), Timestamp(1), NOW);
    tokio::select! {
        _ = first => panic!("there is no room"),
        () = until_waiting(&hosts, 1) => {}
    }
    let next = hosts.turn(way(1, &rules), Timestamp(2), NOW);
    let let_go = async {
        until_waiting(&hosts, 1).await;
        drop(held);
    };
    let (next, ()) = tokio::join!(next, let_go);
    assert!(next.is_ok());
}

#[tokio::test]
async fn what_one_organization_meets_is_not_held_against_another_nor_against_another_port() {
    let hosts = Hosts::default();
    let none = Rules::default();
    fail(&hosts, way(1, &none), FAILURES).await;
    let refused = hosts.turn(way(1, &none), Timestamp(0), NOW).await;
    let Err(NotNow::Down(failure)) = refused else {
        panic!("it is down");
    };
    assert!(
        failure.message.contains("failed 10 times"),
        "{}",
        failure.message
    );
    assert!(matches!(failure.retry, Retry::After(_)));
    assert!(hosts.turn(way(2, &none), Timestamp(0), NOW).await.is_ok());
    let elsewhere = Way {
        port: 8443,
        ..way(1, &none)
    };
    assert!(hosts.turn(elsewhere, Timestamp(0), NOW).await.is_ok());
}

#[tokio::test]
async fn whoever_keeps_hosts_hears_that_one_is_down_and_that_it_is_up() {
    let hosts = Hosts::default();
    let none = Rules::default();
    let early = hosts.turn(way(1, &none), Timestamp(0), NOW).await;
    fail(&hosts, way(1, &none), FAILURES).await;
    let changes = hosts.changes().await;
    let [(owner, HostChange::Down(down))] = changes.as_slice() else {
        panic!("it is down: {changes:?}");
    };
    assert_eq!(Some(*owner), organization(1));
    assert_eq!((&*down.host, down.port), ("api.example.com", 443));
    assert_eq!((down.failures, &*down.why), (FAILURES, "did not answer"));
    assert!(down.until > down.since);
    early.expect("it left before").tell(Told::Up);
    let up = HostChange::Up {
        host: "api.example.com".to_owned(),
        port: 443,
    };
    assert_eq!(hosts.changes().await, [(*owner, up)]);
}

#[tokio::test]
async fn what_another_process_found_is_heard_and_forgotten_when_it_is_over() {
    let (there, here) = (Hosts::default(), Hosts::default());
    let none = Rules::default();
    fail(&there, way(1, &none), FAILURES).await;
    let down: Vec<_> = there
        .changes()
        .await
        .into_iter()
        .map(|(owner, change)| match change {
            HostChange::Down(down) => (owner, down),
            HostChange::Up { .. } => panic!("it is down"),
        })
        .collect();
    here.hear(&down, NOW);
    let refused = here.turn(way(1, &none), Timestamp(0), NOW).await;
    assert!(matches!(refused, Err(NotNow::Down(_))), "{refused:?}");
    assert!(here.turn(way(2, &none), Timestamp(0), NOW).await.is_ok());
    here.hear(&[], NOW);
    assert!(here.turn(way(1, &none), Timestamp(0), NOW).await.is_ok());
    // What was found out here and is not kept yet is not forgotten by that.
    there.hear(&[], NOW);
    let refused = there.turn(way(1, &none), Timestamp(0), NOW).await;
    assert!(matches!(refused, Err(NotNow::Down(_))), "{refused:?}");
}

#[tokio::test]
async fn hosts_and_organizations_are_forgotten_before_there_are_too_many() {
    let hosts = Hosts::default();
    let none = Rules::default();
    fail(&hosts, way(1, &none), FAILURES).await;
    for number in 0..3 * HOSTS {
        let host = format!("{number}.example.com");
        let way = Way {
            host: &host,
            ..way(1, &none)
        };
        assert!(hosts.turn(way, Timestamp(0), NOW).await.is_ok());
    }
    assert!(hosts.of(organization(1), 0).read().len() <= HOSTS);
    // One that is known to be down is kept longer than those of which nothing is known.
    let refused = hosts.turn(way(1, &none), Timestamp(0), NOW).await;
    assert!(matches!(refused, Err(NotNow::Down(_))), "{refused:?}");
    for owner in 0..2 * ORGANIZATIONS as u128 {
        let turn = hosts.turn(way(owner, &none), Timestamp(0), NOW).await;
        drop(turn);
    }
    assert!(hosts.read().len() <= ORGANIZATIONS);
}
