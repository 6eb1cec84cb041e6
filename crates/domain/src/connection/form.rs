//! What an Admin fills in to keep or change a connection, and whether it can be kept so.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::oauth::CLIENT_ID;
use super::{HEADERS, Kind, LONGEST, NAME, OAuth, ORIGINS, Refusal, SHORTEST, Server, origin};

/// Headers that describe the connection or the framing: nobody's credentials.
const OURS: [&str; 14] = [
    "connection",
    "content-length",
    "content-type",
    "expect",
    "host",
    "http2-settings",
    "idempotency-key",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// A connection as it is to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Form {
    /// What people call it.
    pub name: String,
    /// How it proves who sends.
    pub kind: Kind,
    /// Names of headers, of the parameter, or of the user.
    pub names: Vec<String>,
    /// Where it may be sent to.
    pub origins: Vec<String>,
    /// Its secrets.
    pub live: Secrets,
    /// Secrets that tests use in place of them.
    pub test: Secrets,
    /// Where its tokens come from, of a kind that has some.
    #[serde(default)]
    pub oauth: Option<OAuth>,
    /// Which server it logs in to, of a kind that does; its origin follows from this.
    #[serde(default)]
    pub server: Option<Server>,
}

/// What becomes of the secrets of a connection. They are given all at once: one for each name of
/// custom headers, one for every other kind.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Secrets {
    /// They stay as they are; of a new connection: there are none.
    #[default]
    Keep,
    /// They are removed.
    Remove,
    /// These take their place.
    Set(Vec<String>),
}

impl fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Secrets::Keep => "Keep",
            Secrets::Remove => "Remove",
            Secrets::Set(_) => "Set(…)",
        })
    }
}

/// What a connection is before it is changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its kind.
    pub kind: Kind,
    /// Its names.
    pub names: Vec<String>,
    /// Its origins.
    pub origins: Vec<String>,
    /// It has secrets for tests.
    pub has_test: bool,
    /// Where its tokens come from.
    pub oauth: Option<OAuth>,
    /// Which server it logs in to.
    pub server: Option<Server>,
}

/// Checks a form and returns it as it is kept: without white space around anything, its origins in
/// the one form that they are compared in. `before` is what it changes.
///
/// Secrets stay with what they were given for: who adds an origin, or exchanges custom headers,
/// has to give them again. Otherwise a secret could be sent to an origin by someone who cannot
/// have it.
///
/// # Errors
/// The first thing that is wrong.
pub fn check(form: &Form, before: Option<&Kept>) -> Result<Form, Refusal> {
    if before.is_some_and(|before| before.kind != form.kind) {
        return Err(Refusal::Kind);
    }
    let name = form.name.trim().to_owned();
    if !(1..=NAME).contains(&name.chars().count()) || name.chars().any(char::is_control) {
        return Err(Refusal::Name);
    }
    let names = names(form.kind, &form.names)?;
    let server = match form.kind.has_server() {
        true => {
            let given = form.server.clone().unwrap_or_default();
            Some(given.check(form.kind, !names.is_empty())?)
        }
        false => None,
    };
    let mut origins: Vec<String> = Vec::with_capacity(form.origins.len());
    origins.extend(server.as_ref().map(|server| server.origin(form.kind)));
    let typed = form.origins.iter().filter(|text| !text.trim().is_empty());
    for text in typed.filter(|_| server.is_none()) {
        let origin = origin(text)?;
        if !origins.contains(&origin) {
            origins.push(origin);
        }
    }
    if !(1..=ORIGINS).contains(&origins.len()) {
        return Err(Refusal::Origins);
    }
    let oauth = match (form.kind.has_tokens(), &form.oauth) {
        (true, given) => Some(given.clone().unwrap_or_default().check(form.kind)?),
        (false, _) => None,
    };
    let count = form.kind.fields(&names).len();
    let live = secrets(form.kind, &form.live, count)?;
    let test = secrets(form.kind, &form.test, count)?;
    match before {
        None if !matches!(live, Secrets::Set(_)) => return Err(Refusal::SecretMissing),
        Some(_) if live == Secrets::Remove => return Err(Refusal::SecretMissing),
        Some(before) => {
            let is_wider = origins.iter().any(|to| !before.origins.contains(to));
            let is_other = form.kind.fields(&before.names) != form.kind.fields(&names);
            let gives_to = |oauth: &Option<OAuth>| {
                let oauth = oauth.as_ref();
                oauth.map(|oauth| oauth.token_url.clone())
            };
            let is_elsewhere = gives_to(&before.oauth) != gives_to(&oauth);
            let goes_otherwise = match (&before.server, &server) {
                (Some(before), Some(now)) => !now.is_same_way(before),
                (before, now) => before != now,
            };
            let keeps = live == Secrets::Keep || before.has_test && test == Secrets::Keep;
            if (is_wider || is_other || is_elsewhere || goes_otherwise) && keeps {
                return Err(Refusal::SecretsAgain);
            }
        }
        None => {}
    }
    Ok(Form {
        name,
        kind: form.kind,
        names,
        origins,
        live,
        test,
        oauth,
        server,
    })
}

fn names(kind: Kind, given: &[String]) -> Result<Vec<String>, Refusal> {
    let names: Vec<String> = given.iter().map(|name| name.trim().to_owned()).collect();
    match kind {
        Kind::Bearer => return Ok(Vec::new()),
        // Some servers take e-mails from whoever reaches them.
        Kind::Smtp if names.iter().all(String::is_empty) => return Ok(Vec::new()),
        Kind::Headers => {
            let distinct: BTreeSet<_> = kind.fields(&names).into_iter().collect();
            if !(1..=HEADERS).contains(&names.len()) || distinct.len() != names.len() {
                return Err(Refusal::Headers);
            }
        }
        _ if names.len() != 1 => return Err(Refusal::Label),
        _ => {}
    }
    for name in &names {
        match kind {
            Kind::HeaderKey | Kind::Headers if !is_header(name) => {
                return Err(Refusal::Header(crate::template::short(name).to_string()));
            }
            Kind::QueryKey | Kind::Basic | Kind::KeyPair | Kind::Smtp | Kind::Postgres
                if !is_label(name, NAME) =>
            {
                return Err(Refusal::Label);
            }
            Kind::OAuth | Kind::OAuthClient if !is_label(name, CLIENT_ID) => {
                return Err(Refusal::Label);
            }
            Kind::Basic if name.contains(':') => return Err(Refusal::Label),
            _ => {}
        }
    }
    Ok(names)
}

fn is_label(name: &str, most: usize) -> bool {
    (1..=most).contains(&name.chars().count()) && !name.chars().any(char::is_control)
}

/// Returns whether a text is a header name (RFC 9110, 5.1) that may carry a credential.
fn is_header(name: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    (1..=NAME).contains(&name.len())
        && name.bytes().all(is_token)
        && !OURS.contains(&name.to_ascii_lowercase().as_str())
}

fn secrets(kind: Kind, given: &Secrets, count: usize) -> Result<Secrets, Refusal> {
    let Secrets::Set(all) = given else {
        return Ok(given.clone());
    };
    let all: Vec<String> = all.iter().map(|secret| secret.trim().to_owned()).collect();
    if all.len() != count || all.iter().any(String::is_empty) {
        return Err(Refusal::SecretMissing);
    }
    let is_in_header = matches!(kind, Kind::HeaderKey | Kind::Bearer | Kind::Headers);
    let fits = |secret: &String| {
        (SHORTEST..=LONGEST).contains(&secret.chars().count())
            && !secret.chars().any(char::is_control)
            && (!is_in_header || secret.is_ascii())
    };
    if all.iter().all(fits) {
        Ok(Secrets::Set(all))
    } else {
        Err(Refusal::Secret)
    }
}
