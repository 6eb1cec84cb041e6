//! How a service wants to know who sends, as kinds of connection.

use serde_json::{Map, Value};

use crate::connection::{Kind, OAuth};
use crate::connector::Auth;

use super::reference::Resolver;
use super::words;

/// Most scopes that are proposed: whoever adds the connection chooses among them.
const SCOPES: usize = 40;

/// What the description says of proving who sends.
pub(super) struct Security<'a> {
    schemes: Vec<(&'a str, Scheme)>,
    /// What holds where an operation says nothing of its own.
    general: Option<&'a Value>,
}

/// One named way.
enum Scheme {
    Kinds(Vec<Auth>),
    /// A sentence part: why Sluice has no such connection.
    Unknown(String),
}

/// What an operation asks for.
#[derive(Debug, PartialEq)]
pub(super) struct Asked {
    /// It answers whoever asks.
    pub(super) anonymous: bool,
    /// The ways of which one is enough, as positions in the connector's list.
    pub(super) auth: Vec<Auth>,
    /// Why none of its ways can be had, when none can.
    pub(super) missing: Option<String>,
}

impl<'a> Security<'a> {
    pub(super) fn of(document: &'a Value, resolver: Resolver<'a>) -> Self {
        let schemes = document.pointer("/components/securitySchemes");
        let schemes = schemes.and_then(Value::as_object).into_iter().flatten();
        let schemes = schemes.filter_map(|(name, scheme)| {
            let scheme = resolver.follow(scheme).ok()?;
            Some((name.as_str(), read(scheme)))
        });
        Self {
            schemes: schemes.collect(),
            general: document.get("security"),
        }
    }

    /// Returns what an operation asks for; it may say so itself.
    pub(super) fn asked(&self, own: Option<&Value>) -> Asked {
        let ways = own.or(self.general).and_then(Value::as_array);
        let ways: Vec<&Map<String, Value>> = ways
            .into_iter()
            .flatten()
            .filter_map(Value::as_object)
            .collect();
        let mut asked = Asked {
            anonymous: ways.is_empty() || ways.iter().any(|way| way.is_empty()),
            auth: Vec::new(),
            missing: None,
        };
        for way in ways.iter().filter(|way| !way.is_empty()) {
            match self.way(way) {
                Ok(auth) => asked.auth.extend(auth),
                Err(why) => asked.missing = asked.missing.or(Some(why)),
            }
        }
        if asked.anonymous || !asked.auth.is_empty() {
            asked.missing = None;
        }
        asked
    }

    /// Returns the kinds of connection for one way, all of whose parts are asked for together.
    fn way(&self, way: &Map<String, Value>) -> Result<Vec<Auth>, String> {
        let mut parts = Vec::new();
        for (name, scopes) in way {
            let scheme = self.schemes.iter().find(|(known, _)| known == name);
            match scheme {
                Some((_, Scheme::Kinds(kinds))) => parts.push((kinds, scopes)),
                Some((_, Scheme::Unknown(why))) => return Err(why.clone()),
                None => {
                    return Err(format!(
                        "the security scheme “{}” is not described",
                        words::plain(name, 60)
                    ));
                }
            }
        }
        if let [(kinds, scopes)] = &parts[..] {
            let mut kinds = (*kinds).clone();
            // What this operation needs is among what is proposed for all of them.
            for kind in &mut kinds {
                if let Some(oauth) = &mut kind.oauth {
                    add_scopes(oauth, scopes);
                }
            }
            return Ok(kinds);
        }
        // Several at once: as headers they can go together.
        let names: Option<Vec<String>> = parts
            .iter()
            .map(|(kinds, _)| match &kinds[..] {
                [
                    Auth {
                        kind: Kind::HeaderKey,
                        names,
                        ..
                    },
                ] => names.first().cloned(),
                [
                    Auth {
                        kind: Kind::Bearer, ..
                    },
                ] => Some("Authorization".to_owned()),
                _ => None,
            })
            .collect();
        match names {
            Some(mut names) => {
                names.dedup_by(|one, other| one.eq_ignore_ascii_case(other));
                Ok(vec![auth(Kind::Headers, names)])
            }
            None => Err("it asks for several proofs at once, which are not all headers".to_owned()),
        }
    }
}

fn add_scopes(oauth: &mut OAuth, scopes: &Value) {
    let mut all: Vec<&str> = oauth.scopes.split_whitespace().collect();
    for scope in scopes
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        if !all.contains(&scope) && all.len() < SCOPES {
            all.push(scope);
        }
    }
    oauth.scopes = all.join(" ");
}

fn auth(kind: Kind, names: Vec<String>) -> Auth {
    Auth {
        kind,
        names,
        help: String::new(),
        oauth: None,
    }
}

fn read(scheme: &Value) -> Scheme {
    let text = |key: &str| scheme.get(key).and_then(Value::as_str).unwrap_or_default();
    let help = words::plain(text("description"), 300);
    let with_help = |mut auth: Auth| {
        auth.help.clone_from(&help);
        auth
    };
    let one = |found: Auth| Scheme::Kinds(vec![with_help(found)]);
    let name = || vec![text("name").to_owned()];
    match (
        text("type"),
        text("in"),
        text("scheme").to_lowercase().as_str(),
    ) {
        ("apiKey", "header", _) if text("name").eq_ignore_ascii_case("authorization") => {
            // Most of these are sent behind a word such as “Bearer”, which the help tells.
            one(auth(Kind::HeaderKey, name()))
        }
        ("apiKey", "header", _) => one(auth(Kind::HeaderKey, name())),
        ("apiKey", "query", _) => one(auth(Kind::QueryKey, name())),
        ("apiKey", place, _) => Scheme::Unknown(format!("its key is sent in a {place}")),
        ("http", _, "basic") => one(auth(Kind::Basic, Vec::new())),
        ("http", _, "bearer") => one(auth(Kind::Bearer, Vec::new())),
        ("http", _, other) => Scheme::Unknown(format!("it uses HTTP's scheme “{other}”")),
        ("oauth2", ..) => oauth(scheme, &help),
        ("openIdConnect", ..) => {
            let mut bearer = auth(Kind::Bearer, Vec::new());
            bearer.help = format!(
                "A token of OpenID Connect; the provider is described at {}",
                words::plain(text("openIdConnectUrl"), 200)
            );
            Scheme::Kinds(vec![bearer])
        }
        ("mutualTLS", ..) => Scheme::Unknown("it asks for a client certificate".to_owned()),
        (other, ..) => Scheme::Unknown(format!(
            "its kind “{}” is not known",
            words::plain(other, 40)
        )),
    }
}

fn oauth(scheme: &Value, help: &str) -> Scheme {
    let flow = |name: &str| scheme.pointer("/flows").and_then(|flows| flows.get(name));
    let mut kinds = Vec::new();
    for (name, kind) in [
        ("authorizationCode", Kind::OAuth),
        ("clientCredentials", Kind::OAuthClient),
    ] {
        let Some(flow) = flow(name) else { continue };
        let text = |key: &str| {
            flow.get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let mut found = auth(kind, Vec::new());
        help.clone_into(&mut found.help);
        found.oauth = Some(OAuth {
            authorization_url: if kind == Kind::OAuth {
                text("authorizationUrl")
            } else {
                String::new()
            },
            token_url: text("tokenUrl"),
            ..OAuth::default()
        });
        kinds.push(found);
    }
    if kinds.is_empty() && (flow("implicit").is_some() || flow("password").is_some()) {
        // A token that was had elsewhere is sent the same way.
        let mut bearer = auth(Kind::Bearer, Vec::new());
        bearer.help = "A token of OAuth 2: the description names only flows (implicit, password) that are not used any more.".to_owned();
        kinds.push(bearer);
    }
    if kinds.is_empty() {
        return Scheme::Unknown("its OAuth 2 names no flow".to_owned());
    }
    Scheme::Kinds(kinds)
}

/// Adds ways to those of the connector: each kind with the same names once, its scopes together.
pub(super) fn add(all: &mut Vec<Auth>, asked: &[Auth]) {
    for auth in asked {
        let same = |other: &&mut Auth| {
            let addresses = |auth: &Auth| {
                auth.oauth
                    .as_ref()
                    .map(|oauth| (oauth.authorization_url.clone(), oauth.token_url.clone()))
            };
            other.kind == auth.kind
                && other.names == auth.names
                && addresses(other) == addresses(auth)
        };
        match (all.iter_mut().find(same), &auth.oauth) {
            (
                Some(Auth {
                    oauth: Some(there), ..
                }),
                Some(oauth),
            ) => {
                let scopes = oauth.scopes.split_whitespace().map(Value::from).collect();
                add_scopes(there, &Value::Array(scopes));
            }
            (Some(_), _) => {}
            (None, _) => all.push(auth.clone()),
        }
    }
}
