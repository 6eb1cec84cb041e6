//! The credentials of a connection: what they add to a request, where they may go, and how they
//! are kept out of everything that is told of it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use domain::connection::{Kind, Server};
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use url::Url;

use super::Failure;
use super::hidden::Hidden;
use crate::step::key::SigningKey;

/// An opened connection, for one request. It is never logged: its secrets have no `Debug`.
pub struct Credentials {
    name: String,
    origins: Vec<String>,
    headers: HeaderMap,
    query: Option<(String, String)>,
    /// What must be found again, as it is.
    secrets: Vec<String>,
    hidden: Hidden,
    issue: Option<i64>,
    login: Option<Login>,
    /// What a component may have signatures of.
    key: Option<SigningKey>,
}

/// How to log in to a server of its own. It is never logged, either.
pub(crate) struct Login {
    kind: Kind,
    /// Where the server is.
    pub(crate) server: Server,
    /// The user and the password; none where the server asks for neither.
    pub(crate) user: Option<(String, String)>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Credentials({})", self.name)
    }
}

impl Credentials {
    /// Makes credentials of an opened connection: `names` and `origins` as they are kept, and the
    /// secrets in the order of [`Kind::fields`].
    ///
    /// # Errors
    /// When the connection is not whole, or a part of it cannot be sent; the sentence holds none
    /// of its secrets.
    pub fn new(
        name: &str,
        kind: Kind,
        names: &[String],
        origins: Vec<String>,
        secrets: &[impl AsRef<str>],
    ) -> Result<Self, String> {
        let broken = || format!("The connection “{name}” cannot be sent. An Admin keeps it again.");
        if secrets.len() != kind.fields(names).len() {
            return Err(broken());
        }
        let mut hidden: Vec<String> = secrets.iter().map(|s| s.as_ref().to_owned()).collect();
        let mut headers = HeaderMap::new();
        let (mut query, mut key) = (None, None);
        let mut send = |header: HeaderName, value: &str| {
            let mut value = HeaderValue::from_str(value).map_err(|_| broken())?;
            value.set_sensitive(true);
            headers.insert(header, value);
            Ok::<(), String>(())
        };
        match (kind, names, secrets) {
            (Kind::Bearer, _, [token]) => {
                send(AUTHORIZATION, &format!("Bearer {}", token.as_ref()))?;
            }
            (Kind::Basic, [user], [password]) => {
                let pair = format!("{user}:{}", password.as_ref());
                send(
                    AUTHORIZATION,
                    &format!("Basic {}", BASE64_STANDARD.encode(&pair)),
                )?;
                hidden.push(pair);
            }
            (Kind::QueryKey, [parameter], [secret]) => {
                query = Some((parameter.clone(), secret.as_ref().to_owned()));
            }
            // It goes with no request.
            (Kind::KeyPair, [id], [secret]) => key = Some(SigningKey::new(id, secret.as_ref())),
            (Kind::HeaderKey | Kind::Headers, names, secrets) if names.len() == secrets.len() => {
                for (header, secret) in names.iter().zip(secrets) {
                    let header = HeaderName::from_bytes(header.as_bytes()).map_err(|_| broken())?;
                    send(header, secret.as_ref())?;
                }
            }
            // A token of OAuth 2 is none of its secrets: [`Self::with_token`].
            _ => return Err(broken()),
        }
        Ok(Self {
            name: name.to_owned(),
            origins,
            headers,
            query,
            hidden: Hidden::new(&hidden),
            secrets: hidden,
            issue: None,
            login: None,
            key,
        })
    }

    /// Makes credentials that log in to a server; they go with no web request.
    ///
    /// # Errors
    /// When the connection is not whole; the sentence holds none of its secrets.
    pub fn for_server(
        name: &str,
        kind: Kind,
        server: Server,
        names: &[String],
        secrets: &[impl AsRef<str>],
    ) -> Result<Self, String> {
        let user = match (names, secrets) {
            ([user], [password]) => Some((user.clone(), password.as_ref().to_owned())),
            ([], []) if kind == Kind::Smtp => None,
            _ => {
                return Err(format!(
                    "The connection “{name}” cannot be used. An Admin keeps it again."
                ));
            }
        };
        let secrets: Vec<String> = user.iter().map(|(_, password)| password.clone()).collect();
        Ok(Self {
            name: name.to_owned(),
            origins: vec![server.origin(kind)],
            headers: HeaderMap::new(),
            query: None,
            hidden: Hidden::new(&secrets),
            secrets,
            issue: None,
            login: Some(Login { kind, server, user }),
            key: None,
        })
    }

    /// Returns how to log in to a server of a kind.
    ///
    /// # Errors
    /// A sentence, when the connection is of another kind.
    pub(crate) fn login(&self, kind: Kind) -> Result<&Login, String> {
        let login = self.login.as_ref().filter(|login| login.kind == kind);
        login.ok_or_else(|| {
            format!(
                "The connection “{}” is none of the kind “{}”. Choose another one in the step.",
                self.name,
                kind.title()
            )
        })
    }

    /// Returns the kind of server that it logs in to, if it does.
    pub(crate) fn server_kind(&self) -> Option<Kind> {
        self.login.as_ref().map(|login| login.kind)
    }

    /// Returns the key that a component may have signatures of, of a connection that is one.
    pub(crate) fn key(&self) -> Option<&SigningKey> {
        self.key.as_ref()
    }

    /// Returns host and port of the server that it logs in to, if it does.
    pub(crate) fn server_host(&self) -> Option<(&str, u16)> {
        let server = &self.login.as_ref()?.server;
        Some((&server.host, server.port))
    }

    /// Makes credentials of a token. `issue` counts the tokens of the connection; `secrets` are
    /// others that a service may know and tell: those that the token was had for.
    ///
    /// # Errors
    /// When the token cannot be sent.
    pub fn with_token(
        name: &str,
        origins: Vec<String>,
        token: &str,
        issue: i64,
        secrets: &[impl AsRef<str>],
    ) -> Result<Self, String> {
        let mut made = Self::new(name, Kind::Bearer, &[], origins, &[token])?;
        made.issue = Some(issue);
        let others: Vec<String> = secrets.iter().map(|s| s.as_ref().to_owned()).collect();
        made.hide_also(&others);
        Ok(made)
    }

    /// Returns which of its connection's tokens it carries; `None` when it carries none.
    pub fn issue(&self) -> Option<i64> {
        self.issue
    }

    /// Returns the secrets that it hides.
    pub(crate) fn secrets(&self) -> &[String] {
        &self.secrets
    }

    /// Hides other secrets as well: what a service was sent earlier, it may still tell.
    pub(crate) fn hide_also(&mut self, others: &[String]) {
        let before = self.secrets.len();
        for other in others {
            if !self.secrets.contains(other) {
                self.secrets.push(other.clone());
            }
        }
        if self.secrets.len() > before {
            self.hidden = Hidden::new(&self.secrets);
        }
    }

    /// Returns what the connection is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns whether the connection may be sent to the origin of an address.
    pub(crate) fn may_go_to(&self, url: &Url) -> bool {
        let origin = url.origin().ascii_serialization();
        self.origins.contains(&origin)
    }

    /// Checks where a request goes at first.
    pub(super) fn check(&self, url: &Url) -> Result<(), String> {
        if self.may_go_to(url) {
            return Ok(());
        }
        if let Some(kind) = self.server_kind() {
            return Err(format!(
                "The connection “{}” is of the kind “{}” and goes with no web request. Choose another one in the step.",
                self.name,
                kind.title()
            ));
        }
        Err(format!(
            "The connection “{}” may not be sent to `{}`. Correct the URL, or let an Admin add the origin to the connection.",
            self.name,
            self.hidden.text(&url.origin().ascii_serialization())
        ))
    }

    /// Adds what proves who sends; whatever the step itself says under these names gives way.
    pub(super) fn add(&self, url: &mut Url, headers: &mut HeaderMap) {
        for (name, value) in &self.headers {
            headers.insert(name.clone(), value.clone());
        }
        if let Some((name, key)) = &self.query {
            let others: Vec<(String, String)> = url
                .query_pairs()
                .filter(|(other, _)| other != name)
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect();
            let mut pairs = url.query_pairs_mut();
            pairs.clear().extend_pairs(others).append_pair(name, key);
        }
    }

    /// Returns whether a text holds a secret, in any form in which [`Hidden`] knows it.
    pub(super) fn is_in(&self, text: &str) -> bool {
        self.hidden.is_in(text)
    }

    /// Replaces the secrets in a text.
    pub(crate) fn hide(&self, text: &str) -> String {
        self.hidden.text(text)
    }

    /// Replaces the secrets in what came of a request, before anyone else sees it: later steps,
    /// records and the run's error.
    pub(crate) fn hide_result(&self, result: Result<Value, Failure>) -> Result<Value, Failure> {
        match result {
            Ok(output) => Ok(self.hide_in(output)),
            Err(failure) => Err(Failure {
                message: self.hide(&failure.message),
                answer: self.hide_in(failure.answer),
                ..failure
            }),
        }
    }

    /// Replaces the secrets in all texts of a value, in its names too.
    pub(crate) fn hide_in(&self, value: Value) -> Value {
        self.hidden.value(value)
    }
}
