use socket2::Socket;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::*;

fn guard(allowed: &[&str]) -> Guard {
    let allowed = allowed.iter().map(|text| (*text).to_owned()).collect();
    Guard::new(&Network {
        allowed,
        ..Network::default()
    })
}

fn may_reach(guard: &Guard, ip: &str) -> bool {
    guard.may_reach(ip.parse().expect("an address"), Form::Encrypted)
}

#[test]
fn only_public_addresses_are_reached_by_default() {
    let guard = guard(&[]);
    for ip in [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "10.255.255.255",
        "100.64.0.1",
        "100.127.255.255",
        "100.100.100.200",
        "127.0.0.1",
        "127.255.255.254",
        "168.63.129.16",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.7",
        "203.0.113.9",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "::127.0.0.1",
        "::8.8.8.8",
        "64:ff9b::7f00:1",
        "64:ff9b::808:808",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:0:4136:e378::1",
        "2001:2::1",
        "2001:10::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "2002:808:808::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "4000::1",
    ] {
        assert!(!may_reach(&guard, ip), "{ip}");
    }
    for ip in [
        "1.1.1.1",
        "8.8.8.8",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.1",
        "169.253.0.1",
        "172.15.0.1",
        "172.32.0.0",
        "192.167.0.1",
        "192.169.0.1",
        "198.17.0.1",
        "198.20.0.1",
        "223.255.255.255",
        "2600::1",
        "2001:4860:4860::8888",
        "2a00:1450::1",
        "3ffe::1",
    ] {
        assert!(may_reach(&guard, ip), "{ip}");
    }
}

#[test]
fn an_admin_can_allow_ranges_addresses_and_names() {
    let guard = guard(&[
        "10.1.0.0/16",
        "::1",
        "[fd00::]/8",
        "Crm.Internal",
        "nonsense/99",
    ]);
    assert!(may_reach(&guard, "10.1.2.3"));
    assert!(may_reach(&guard, "::ffff:10.1.2.3"));
    assert!(!may_reach(&guard, "10.2.0.1"));
    assert!(may_reach(&guard, "::1"));
    assert!(may_reach(&guard, "fd00::7"));
    assert!(!may_reach(&guard, "127.0.0.1"));
    assert!(guard.allows_name("crm.internal."));
    assert!(!guard.allows_name("evil.crm.internal"));
}

#[test]
fn entries_that_are_no_range_and_no_name_are_refused() {
    for text in [
        "10.1.0.0/16",
        "10.1.2.3",
        "::1",
        "fd00::/8",
        "0.0.0.0/0",
        "crm.example.com",
        "localhost",
    ] {
        assert_eq!(Network::check(text), Ok(()), "{text}");
    }
    for text in [
        "",
        " ",
        "10.0.0.0/33",
        "10.0.0.0/",
        "10.0.0.0/+8",
        "::/129",
        "http://a.example",
        "a b",
        "*.example.com",
        "user@host",
        "host:80",
        "10.0.0",
        "0x7f.1",
        ".",
    ] {
        assert!(Network::check(text).is_err(), "{text}");
    }
}

#[test]
fn of_mixed_answers_only_the_public_ones_are_kept() {
    let found =
        ["10.0.0.1:0", "8.8.8.8:0", "[::1]:0"].map(|text| text.parse().expect("an address"));
    let kept = resolve::filter(
        &guard(&[]),
        "mixed.example",
        found.to_vec(),
        Form::Encrypted,
    );
    assert_eq!(kept, Ok(vec!["8.8.8.8:0".parse().expect("an address")]));
    let all = resolve::filter(
        &guard(&["mixed.example"]),
        "mixed.example",
        found.to_vec(),
        Form::Encrypted,
    );
    assert_eq!(all.map(|found| found.len()), Ok(3));
    let none = resolve::filter(
        &guard(&[]),
        "mixed.example",
        found[..1].to_vec(),
        Form::Encrypted,
    );
    assert_eq!(none, Err(Refusal::Private("mixed.example".to_owned())));
}

#[test]
fn what_is_not_encrypted_goes_nowhere_or_only_where_an_admin_allowed_it() {
    let guard = |encryption| {
        let rules = Rules {
            encryption,
            ..Rules::default()
        };
        Guard::new(&Network {
            rules,
            ..Network::allowing(["10.1.0.0/16", "crm.example.com"])
        })
    };
    let (free, public, all) = (
        guard(Encryption::Free),
        guard(Encryption::Public),
        guard(Encryption::All),
    );
    for (url, at) in [
        ("http://10.1.2.3/", [true, true, false]),
        ("http://1.1.1.1/", [true, false, false]),
        ("https://1.1.1.1/", [true, true, true]),
        ("http://crm.example.com/", [true, true, false]),
        ("https://crm.example.com/", [true, true, true]),
        // Judged when it is resolved.
        ("http://api.example.com/", [true, true, false]),
        ("https://10.2.0.0/", [false, false, false]),
    ] {
        let parsed = Url::parse(url).expect("a URL");
        let allowed = [&free, &public, &all].map(|guard| guard.check_url(&parsed).is_ok());
        assert_eq!(allowed, at, "{url}");
    }
    let found = ["1.1.1.1:0", "10.1.2.3:0"].map(|at| at.parse().expect("an address"));
    let kept = |guard, form| resolve::filter(guard, "api.example.com", found.to_vec(), form);
    assert_eq!(kept(&public, Form::Plain), Ok(found[1..].to_vec()));
    assert_eq!(kept(&public, Form::Encrypted), Ok(found.to_vec()));
    let none = resolve::filter(&public, "api.example.com", found[..1].to_vec(), Form::Plain);
    assert_eq!(none, Err(Refusal::Plain("api.example.com".to_owned())));
    assert!(kept(&all, Form::Plain).is_err());
    let private = resolve::filter(
        &public,
        "api.example.com",
        vec!["192.168.0.1:0".parse().expect("an address")],
        Form::Plain,
    );
    assert_eq!(private, Err(Refusal::Private("api.example.com".to_owned())));
}

#[tokio::test]
async fn a_server_is_reached_in_the_form_that_its_connection_says_or_not_at_all() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a port is free");
    let port = listener.local_addr().expect("it has one").port();
    let guard = |encryption, allowed: &str| {
        let rules = Rules {
            encryption,
            ..Rules::default()
        };
        Guard::new(&Network {
            rules,
            ..Network::allowing([allowed])
        })
    };
    for (encryption, allowed, form, reached) in [
        (Encryption::Free, "127.0.0.1", Form::Plain, true),
        (Encryption::Public, "127.0.0.1", Form::Plain, true),
        (Encryption::Public, "localhost", Form::Plain, true),
        (Encryption::All, "127.0.0.1", Form::Plain, false),
        (Encryption::All, "localhost", Form::Plain, false),
        (Encryption::All, "127.0.0.1", Form::Encrypted, true),
        (Encryption::Public, "10.0.0.0/8", Form::Encrypted, false),
    ] {
        let guard = guard(encryption, allowed);
        for host in ["127.0.0.1", "localhost"] {
            if host != allowed && allowed == "localhost" {
                continue;
            }
            let dialed = dial::dial(&guard, host, port, form).await;
            assert_eq!(dialed.is_ok(), reached, "{host} {encryption:?} {form:?}");
        }
    }
}

/// The first of the two addresses takes no more connections, as nobody takes them off its queue:
/// what comes is dropped without a word.
#[tokio::test]
async fn an_address_that_never_answers_does_not_keep_the_next_one_waiting_for_long() {
    const ADDRESSES: [[u8; 4]; 2] = [[127, 0, 0, 2], [127, 0, 0, 1]];
    let [full, there] = ADDRESSES.map(IpAddr::from);
    let listener = TcpListener::bind((there, 0)).await;
    let listener = listener.expect("a port is free");
    let port = listener.local_addr().expect("it has one").port();
    let socket = Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
    let socket = socket.expect("there is room for one");
    let bound = socket.bind(&SocketAddr::new(full, port).into());
    bound.expect("the port is free there, too");
    socket.listen(0).expect("it listens");
    let mut queue = Vec::new();
    let connect = || timeout(dial::HEAD_START, TcpStream::connect((full, port)));
    while let Ok(connected) = connect().await {
        queue.push(connected.expect("it is not refused"));
    }
    let mut guard = guard(&["127.0.0.0/8"]);
    guard.names = Some(|_| ADDRESSES.map(|ip| SocketAddr::from((ip, 0))).to_vec());
    let dialed = dial::dial(&guard, "both.example", port, Form::Plain);
    // One after the other, the second would not be tried before.
    let dialed = timeout(dial::PATIENCE, dialed).await.expect("in time");
    let peer = dialed.expect("one answers").peer_addr();
    assert_eq!(peer.expect("it is connected").ip(), there);
}

#[test]
fn addresses_of_two_families_are_tried_in_turn() {
    let turns = |addresses: &[&str]| -> Vec<String> {
        let addresses = addresses
            .iter()
            .map(|ip| SocketAddr::new(ip.parse().expect("an address"), 0));
        let turns = dial::in_turn(addresses.collect()).into_iter();
        turns.map(|address| address.ip().to_string()).collect()
    };
    let given = ["2001:db8::1", "2001:db8::2", "2001:db8::3", "192.0.2.1"];
    let turn = ["2001:db8::1", "192.0.2.1", "2001:db8::2", "2001:db8::3"];
    assert_eq!(turns(&given), turn);
    let given = ["192.0.2.1", "2001:db8::1", "2001:db8::2"];
    assert_eq!(turns(&given), given);
    assert!(turns(&[]).is_empty());
    assert_eq!(turns(&["192.0.2.1"; 20]).len(), 8);
}
