use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::StepId;
use crate::edit::new_step;
use crate::schema::FieldKind;
use crate::validate::Checked;

fn form(kind: Kind, names: &[&str]) -> Form {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let secrets = kind
        .fields(&names)
        .into_iter()
        .map(|_| "s3cret-of-the-shop".to_owned());
    Form {
        name: " The shop ".to_owned(),
        kind,
        live: Secrets::Set(secrets.collect()),
        test: Secrets::Keep,
        names,
        origins: vec!["https://api.example.com/".to_owned()],
        oauth: kind.has_tokens().then(|| OAuth {
            authorization_url: "https://login.example.com/authorize".to_owned(),
            token_url: "https://login.example.com/token".to_owned(),
            ..OAuth::default()
        }),
        server: kind.has_server().then(|| server(kind)),
    }
}

fn server(kind: Kind) -> Server {
    Server {
        host: " Mail.Example.COM ".to_owned(),
        port: 587,
        database: match kind {
            Kind::Postgres => "shop".to_owned(),
            _ => String::new(),
        },
        sender: match kind {
            Kind::Smtp => "Shop@example.com".to_owned(),
            _ => String::new(),
        },
        ..Server::default()
    }
}

fn kept(form: &Form) -> Kept {
    Kept {
        kind: form.kind,
        names: form.names.clone(),
        origins: form.origins.clone(),
        has_test: false,
        oauth: form.oauth.clone(),
        server: form.server.clone(),
    }
}

#[test]
fn an_origin_has_one_form_and_nothing_behind_it() {
    for (text, expected) in [
        ("https://api.example.com", Some("https://api.example.com")),
        (
            " HTTPS://API.Example.com:443/ ",
            Some("https://api.example.com"),
        ),
        (
            "https://api.example.com:8443",
            Some("https://api.example.com:8443"),
        ),
        ("http://localhost:80", Some("http://localhost")),
        (
            "https://api.example.com:80",
            Some("https://api.example.com:80"),
        ),
        ("http://[::1]:9000", Some("http://[::1]:9000")),
        ("http://127.0.0.1:1", Some("http://127.0.0.1:1")),
        ("api.example.com", None),
        ("ftp://api.example.com", None),
        ("https://", None),
        ("https://*.example.com", None),
        ("https://api.example.com/v1", None),
        ("https://api.example.com?x", None),
        ("https://api.example.com#x", None),
        ("https://good.example@evil.example", None),
        ("https://api.example.com\\@evil.example", None),
        ("https://api.example.com:", None),
        ("https://api.example.com:99999", None),
        ("https://api.example.com:+80", None),
        ("https://api..example.com", None),
        ("https://m\u{fc}nchen.example", None),
        ("https://{{ trigger.host }}", None),
    ] {
        assert_eq!(origin(text).ok().as_deref(), expected, "{text}");
    }
}

#[test]
fn each_kind_is_kept_with_the_names_and_secrets_that_it_has() {
    for (kind, names) in [
        (Kind::Bearer, vec![]),
        (Kind::HeaderKey, vec!["X-Api-Key"]),
        (Kind::QueryKey, vec!["api_key"]),
        (Kind::Basic, vec!["shop"]),
        (Kind::Headers, vec!["X-Id", "X-Secret"]),
        (Kind::OAuth, vec!["client: one"]),
        (Kind::OAuthClient, vec!["client"]),
    ] {
        let checked = check(&form(kind, &names), None).expect("it is whole");
        assert_eq!(checked.name, "The shop");
        assert_eq!(checked.names, names);
        assert_eq!(checked.origins, ["https://api.example.com"]);
        assert_eq!(Kind::from_key(kind.key()), Some(kind));
        assert_eq!(json!(kind), json!(kind.key()));
    }
}

#[test]
fn a_server_is_kept_with_the_one_origin_that_it_has() {
    for (kind, names, origin) in [
        (Kind::Smtp, vec!["shop"], "smtp://mail.example.com:587"),
        (Kind::Smtp, vec![], "smtp://mail.example.com:587"),
        (Kind::Smtp, vec![""], "smtp://mail.example.com:587"),
        (
            Kind::Postgres,
            vec!["shop"],
            "postgres://mail.example.com:587",
        ),
    ] {
        let mut given = form(kind, &names);
        given.live = match names.iter().any(|name| !name.is_empty()) {
            true => given.live,
            false => Secrets::Set(Vec::new()),
        };
        let checked = check(&given, None).expect("it is whole");
        assert_eq!(checked.origins, [origin], "whatever was typed as an origin");
        assert_eq!(
            checked.names.len(),
            kind.fields(&checked.names).len(),
            "a user has a password"
        );
        assert_eq!(Kind::from_key(kind.key()), Some(kind));
        assert_eq!(json!(kind), json!(kind.key()));
    }
    let mut v6 = form(Kind::Postgres, &["shop"]);
    v6.server.as_mut().expect("it has one").host = "[::1]".to_owned();
    let checked = check(&v6, None).expect("it is whole");
    assert_eq!(checked.origins, ["postgres://[::1]:587"]);
}

#[test]
fn a_server_that_cannot_be_reached_safely_is_not_kept() {
    let told = |kind: Kind, change: &dyn Fn(&mut Server)| {
        let mut form = form(kind, &["shop"]);
        change(form.server.as_mut().expect("it has one"));
        check(&form, None).map(drop)
    };
    for host in [
        "",
        "mail.example.com:25",
        "smtp://mail.example.com",
        "a b",
        "mail.example.com/x",
        "user@mail.example.com",
        "mail\r\nRCPT TO:<x@example.com>",
        "{{ trigger.body.host }}",
    ] {
        let refused = told(Kind::Smtp, &|server| server.host = host.to_owned());
        assert!(matches!(refused, Err(Refusal::Host(_))), "{host}");
    }
    let refused =
        |kind, change: &dyn Fn(&mut Server)| told(kind, change).expect_err("it is refused");
    assert_eq!(refused(Kind::Smtp, &|s| s.port = 0), Refusal::Port);
    assert_eq!(refused(Kind::Smtp, &|s| s.tls = Tls::Off), Refusal::Tls);
    assert_eq!(
        refused(Kind::Postgres, &|s| s.tls = Tls::Direct),
        Refusal::Tls
    );
    assert!(told(Kind::Postgres, &|s| s.tls = Tls::Off).is_ok());
    let local = |s: &mut Server| (s.tls, s.host) = (Tls::Off, "127.0.0.1".to_owned());
    assert!(told(Kind::Smtp, &local).is_ok());
    for sender in [
        "",
        "no address",
        "a@b@c",
        "<a@example.com>",
        "a@example.com,b@example.com",
        "\u{e4}@example.com",
    ] {
        let refused = refused(Kind::Smtp, &|s| s.sender = sender.to_owned());
        assert_eq!(refused, Refusal::Sender, "{sender}");
    }
    for database in ["", "a\0b", &"x".repeat(64)] {
        let refused = refused(Kind::Postgres, &|s| s.database = database.to_owned());
        assert_eq!(refused, Refusal::Database, "{database}");
    }
    let key = "-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----";
    for certificates in ["no PEM", key] {
        let refused = refused(Kind::Smtp, &|s| s.certificates = certificates.to_owned());
        assert_eq!(refused, Refusal::Certificates, "{certificates}");
    }
}

#[test]
fn a_password_stays_with_the_server_and_the_encryption_that_it_was_given_for() {
    let first = check(&form(Kind::Smtp, &["shop"]), None).expect("it is whole");
    let kept = kept(&first);
    let mut next = first.clone();
    next.live = Secrets::Keep;
    assert!(check(&next, Some(&kept)).is_ok());
    let own = next.server.clone().expect("it has one");
    next.server = Some(Server {
        sender: "other@example.com".to_owned(),
        ..own.clone()
    });
    assert!(check(&next, Some(&kept)).is_ok(), "whom it says it is from");
    let changed: [fn(&mut Server); 4] = [
        |s| s.host = "mail.evil.example".to_owned(),
        |s| s.port = 25,
        |s| s.tls = Tls::Direct,
        |s| s.certificates = "-----BEGIN CERTIFICATE-----".to_owned(),
    ];
    for change in changed {
        let mut server = own.clone();
        change(&mut server);
        next.server = Some(server.clone());
        assert_eq!(
            check(&next, Some(&kept)),
            Err(Refusal::SecretsAgain),
            "{server:?}"
        );
    }
    next.server = Some(own);
    next.names.clear();
    assert_eq!(check(&next, Some(&kept)), Err(Refusal::SecretsAgain));
}

#[test]
fn each_kind_of_server_fits_its_own_step_only_and_a_key_that_signs_those_of_connectors() {
    for kind in Kind::ALL {
        for step in [catalog::EMAIL, catalog::QUERY, "http.request", "connector"] {
            let expected = match kind {
                Kind::Smtp => step == catalog::EMAIL,
                Kind::Postgres => step == catalog::QUERY,
                Kind::KeyPair => step == "connector",
                _ => matches!(step, "http.request" | "connector"),
            };
            assert_eq!(kind.fits(step), expected, "{kind:?} {step}");
        }
    }
}

#[test]
fn what_cannot_be_sent_is_not_kept() {
    let whole = form(Kind::HeaderKey, &["X-Api-Key"]);
    let with = |change: &dyn Fn(&mut Form)| {
        let mut form = whole.clone();
        change(&mut form);
        check(&form, None).expect_err("it is refused")
    };
    let set = |secret: &str| Secrets::Set(vec![secret.to_owned()]);
    assert_eq!(with(&|f| f.name = "  ".to_owned()), Refusal::Name);
    assert_eq!(with(&|f| f.name = "x".repeat(101)), Refusal::Name);
    assert_eq!(with(&|f| f.origins.clear()), Refusal::Origins);
    assert_eq!(with(&|f| f.names.clear()), Refusal::Label);
    for header in ["", "Host", "content-length", "X Api", "X\r\nEvil", "\u{e4}"] {
        let told = with(&|f| f.names = vec![header.to_owned()]);
        assert!(matches!(told, Refusal::Header(_)), "{header}");
    }
    assert_eq!(with(&|f| f.live = Secrets::Keep), Refusal::SecretMissing);
    assert_eq!(
        with(&|f| f.live = Secrets::Set(vec![])),
        Refusal::SecretMissing
    );
    assert_eq!(with(&|f| f.live = set(" ")), Refusal::SecretMissing);
    for secret in ["short", "with a\r\nline break", "not-\u{e4}scii-here"] {
        assert_eq!(with(&|f| f.live = set(secret)), Refusal::Secret, "{secret}");
        assert_eq!(with(&|f| f.test = set(secret)), Refusal::Secret, "{secret}");
    }
    let twice = form(Kind::Headers, &["X-Id", "x-id"]);
    assert_eq!(check(&twice, None), Err(Refusal::Headers));
    let colon = form(Kind::Basic, &["a:b"]);
    assert_eq!(check(&colon, None), Err(Refusal::Label));
    let mut unicode = form(Kind::Basic, &["shop"]);
    unicode.live = set("p\u{e4}ssw\u{f6}rter");
    assert!(check(&unicode, None).is_ok(), "a password is no header");
}

#[test]
fn secrets_stay_with_the_origins_and_headers_that_they_were_given_for() {
    let first = check(&form(Kind::Bearer, &[]), None).expect("it is whole");
    let mut next = first.clone();
    next.live = Secrets::Keep;
    next.name = "Another name".to_owned();
    assert!(check(&next, Some(&kept(&first))).is_ok());
    next.origins = vec!["https://evil.example".to_owned()];
    assert_eq!(
        check(&next, Some(&kept(&first))),
        Err(Refusal::SecretsAgain)
    );
    next.live = first.live.clone();
    assert!(check(&next, Some(&kept(&first))).is_ok());
    let with_test = Kept {
        has_test: true,
        ..kept(&first)
    };
    assert_eq!(check(&next, Some(&with_test)), Err(Refusal::SecretsAgain));
    next.test = Secrets::Remove;
    assert!(check(&next, Some(&with_test)).is_ok());
    next.live = Secrets::Remove;
    assert_eq!(check(&next, Some(&with_test)), Err(Refusal::SecretMissing));

    let headers = check(&form(Kind::Headers, &["X-Id"]), None).expect("it is whole");
    let mut other = headers.clone();
    other.live = Secrets::Keep;
    other.names = vec!["X-Other".to_owned()];
    assert_eq!(
        check(&other, Some(&kept(&headers))),
        Err(Refusal::SecretsAgain)
    );
    other.kind = Kind::Bearer;
    assert_eq!(check(&other, Some(&kept(&headers))), Err(Refusal::Kind));
}

#[test]
fn a_secret_is_not_in_what_is_logged_of_a_form() {
    let text = format!("{:?}", form(Kind::Bearer, &[]));
    assert!(!text.contains("s3cret"), "{text}");
}

#[test]
fn a_step_names_a_connection_by_its_id_and_never_by_an_expression() {
    let action = crate::catalog::action("http.request").expect("it is in the catalog");
    let field = action.input.field("connection").expect("it has the field");
    assert_eq!(field.kind, FieldKind::Connection);
    let id = ConnectionId::new(Uuid::from_u128(9));
    for (value, problem) in [
        (json!(id), None),
        (json!(""), None),
        (json!("{{ trigger.body.connection }}"), Some("connection")),
        (json!("The shop"), Some("connection")),
        (json!(7), Some("connection")),
    ] {
        let of = StepId::new(Uuid::from_u128(1));
        let mut step = new_step(action, of, "Call", "call".to_owned(), || unreachable!());
        step.config.insert("connection".to_owned(), value.clone());
        let mut document = Document::new("manual");
        document.flow.push(of);
        document.steps.insert(of, step);
        let checked = Checked::of(&document);
        let told = checked.problems().find(|problem| {
            problem.at.step == Some(of) && problem.at.field.as_deref() == Some("connection")
        });
        assert_eq!(told.is_some(), problem.is_some(), "{value}");
        let named = named_in(&document);
        assert_eq!(
            named.get(&id),
            (value == json!(id)).then_some(&"Call".to_owned())
        );
    }
}
