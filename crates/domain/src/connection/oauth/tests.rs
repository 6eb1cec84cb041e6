use serde_json::json;

use super::super::{Form, Secrets, check};
use super::*;

fn form(kind: Kind) -> Form {
    Form {
        name: "The shop".to_owned(),
        kind,
        names: vec!["client".to_owned()],
        origins: vec!["https://api.example.com".to_owned()],
        live: Secrets::Set(vec!["s3cret-of-the-shop".to_owned()]),
        test: Secrets::Keep,
        oauth: Some(OAuth {
            authorization_url: "https://login.example.com/authorize?tenant=1".to_owned(),
            token_url: "https://login.example.com/token".to_owned(),
            scopes: " read   write ".to_owned(),
            extra: vec![("access_type".to_owned(), "offline".to_owned())],
            ..OAuth::default()
        }),
        server: None,
    }
}

fn kept(form: &Form) -> Kept {
    Kept {
        kind: form.kind,
        names: form.names.clone(),
        origins: form.origins.clone(),
        has_test: false,
        oauth: form.oauth.clone(),
        server: None,
    }
}

#[test]
fn a_provider_is_kept_in_one_form_and_asks_nobody_where_nobody_consents() {
    let checked = check(&form(Kind::OAuth), None).expect("it is whole");
    let oauth = checked.oauth.expect("it has one");
    assert_eq!(oauth.scopes, "read write");
    assert_eq!(
        oauth.authorization_url,
        "https://login.example.com/authorize?tenant=1"
    );
    let alone = check(&form(Kind::OAuthClient), None).expect("it is whole");
    let oauth = alone.oauth.expect("it has one");
    assert_eq!(oauth.authorization_url, "");
    let mut bearer = form(Kind::Bearer);
    bearer.names.clear();
    assert_eq!(check(&bearer, None).expect("it is whole").oauth, None);
}

#[test]
fn a_secret_goes_to_no_address_in_plain_text_and_to_none_that_is_no_address() {
    for (text, fits) in [
        ("https://login.example.com/token", true),
        ("https://login.example.com:8443/a/b?c=d", true),
        ("http://127.0.0.1:9000/token", true),
        ("http://[::1]:9000/token", true),
        ("http://localhost:9000/token", true),
        ("http://localhost.evil.example/token", false),
        ("http://127.0.0.1.evil.example/token", false),
        ("http://login.example.com/token", false),
        ("https://login.example.com/token#here", false),
        ("https://user:pass@login.example.com/token", false),
        ("https://login.example.com/to ken", false),
        ("javascript:alert(1)//://x.example", false),
        ("javascript://login.example.com/%0aalert(1)", false),
        ("login.example.com/token", false),
        ("", false),
    ] {
        for is_token in [true, false] {
            let mut form = form(Kind::OAuth);
            let oauth = form.oauth.as_mut().expect("it has one");
            if is_token {
                oauth.token_url = text.to_owned();
            } else {
                oauth.authorization_url = text.to_owned();
            }
            let told = check(&form, None);
            assert_eq!(told.is_ok(), fits, "{text}");
            assert!(fits || matches!(told, Err(Refusal::Address(_))), "{told:?}");
        }
    }
}

#[test]
fn what_sluice_sets_itself_cannot_be_set_by_a_parameter() {
    for name in OURS.iter().chain(&["", "STATE", "with space", "\u{e4}"]) {
        let mut form = form(Kind::OAuth);
        let oauth = form.oauth.as_mut().expect("it has one");
        oauth.extra = vec![((*name).to_owned(), "x".to_owned())];
        assert!(
            matches!(check(&form, None), Err(Refusal::Parameter(_))),
            "{name}"
        );
    }
    let mut twice = form(Kind::OAuth);
    let oauth = twice.oauth.as_mut().expect("it has one");
    oauth.extra.push(oauth.extra[0].clone());
    assert!(matches!(check(&twice, None), Err(Refusal::Parameter(_))));
}

#[test]
fn tokens_stay_only_where_nothing_changes_that_was_consented_to() {
    let first = check(&form(Kind::OAuth), None).expect("it is whole");
    let before = kept(&first);
    let keeps = |change: &dyn Fn(&mut Form)| {
        let mut next = first.clone();
        change(&mut next);
        let next = check(&next, Some(&before)).expect("its secret is typed again");
        before.keeps_tokens(&next)
    };
    fn oauth(form: &mut Form) -> &mut OAuth {
        form.oauth.as_mut().expect("it has one")
    }
    let elsewhere = || "https://login.evil.example/token".to_owned();
    assert!(keeps(&|f| f.name = "Renamed".to_owned()));
    assert!(!keeps(&|f| f.names = vec!["other".to_owned()]));
    assert!(!keeps(&|f| f
        .origins
        .push("https://evil.example".to_owned())));
    assert!(!keeps(&|f| oauth(f).token_url = elsewhere()));
    assert!(!keeps(&|f| oauth(f).authorization_url = elsewhere()));
    assert!(!keeps(&|f| oauth(f).scopes = "read".to_owned()));
    let mut moved = first.clone();
    moved.live = Secrets::Keep;
    oauth(&mut moved).token_url = elsewhere();
    assert_eq!(
        check(&moved, Some(&before)),
        Err(Refusal::SecretsAgain),
        "a secret does not move to another provider"
    );
}

#[test]
fn an_answer_comes_from_the_provider_that_was_asked() {
    let mut oauth = form(Kind::OAuth).oauth.expect("it has one");
    for (iss, fits) in [
        (None, true),
        (Some("https://login.example.com"), true),
        (Some("https://login.example.com/tenant/1"), true),
        (Some("https://login.evil.example"), false),
        (Some("https://login.example.com.evil.example"), false),
        (Some("nothing"), false),
    ] {
        assert_eq!(oauth.is_issued_by(iss), fits, "{iss:?}");
    }
    oauth.issuer = "https://issuer.example.com".to_owned();
    for (iss, fits) in [
        (None, false),
        (Some("https://issuer.example.com"), true),
        (Some("https://issuer.example.com/"), false),
        (Some("https://login.example.com"), false),
    ] {
        assert_eq!(oauth.is_issued_by(iss), fits, "{iss:?}");
    }
}

#[test]
fn a_token_is_read_as_providers_write_it() {
    let read = |answer: &Value| Tokens::read(answer).ok();
    let whole = json!({ "access_token": "an-access-token", "token_type": "bearer",
        "refresh_token": "a-refresh-token", "expires_in": 3600 });
    let tokens = read(&whole).expect("it is whole");
    assert_eq!(tokens.access, "an-access-token");
    assert_eq!(tokens.refresh.as_deref(), Some("a-refresh-token"));
    assert_eq!(format!("{tokens:?}"), "Tokens(…)");
    for (given, lifetime, after) in [
        (json!(3600), Some(3600), Some(3540)),
        (json!("3600"), Some(3600), Some(3540)),
        (json!(3599.9), Some(3599), Some(3539)),
        (json!(40), Some(40), Some(30)),
        (json!(0), Some(0), Some(0)),
        (json!(-5), Some(0), Some(0)),
        (json!(1e300), Some(LIFE), Some(LIFE - 60)),
        (json!("soon"), None, None),
        (json!(null), None, None),
    ] {
        let mut answer = whole.clone();
        answer["expires_in"] = given;
        let tokens = read(&answer).expect("it is whole");
        assert_eq!((tokens.lifetime, tokens.renew_after()), (lifetime, after));
    }
    for (name, value) in [
        ("access_token", json!("with space inside")),
        ("access_token", json!("line\r\nbreak-inside")),
        ("access_token", json!("short")),
        ("access_token", json!("x".repeat(TOKEN + 1))),
        ("access_token", json!(null)),
        ("access_token", json!(["an-access-token"])),
        ("token_type", json!("mac")),
        (
            "refresh_token",
            json!("\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}"),
        ),
    ] {
        let mut answer = whole.clone();
        answer[name] = value.clone();
        assert!(read(&answer).is_none(), "{name}: {value}");
    }
    let bare = json!({ "access_token": "an-access-token", "refresh_token": "" });
    assert_eq!(read(&bare).expect("it is enough").refresh, None);
}

#[test]
fn only_a_provider_that_says_no_is_taken_at_its_word() {
    let no = json!({ "error": "invalid_grant", "error_description": "revoked\u{202e}\r\n<b>" });
    assert_eq!(
        NoToken::read(400, &no),
        NoToken::Refused("revoked   <b> (invalid_grant)".to_owned())
    );
    for (status, answer) in [
        (500, no.clone()),
        (400, json!({ "error": "temporarily_unavailable" })),
        (429, json!({ "error": "slow_down" })),
        (403, json!("<html>A page of a proxy</html>")),
        (400, json!({})),
    ] {
        let told = NoToken::read(status, &answer);
        assert!(matches!(told, NoToken::Later(_)), "{status} {answer}");
    }
    let long = said(&"x".repeat(10_000), Some(&"y".repeat(10_000)));
    assert!(long.len() < 1_000);
}
