//! Connections: credentials for one outside system, and where they may be sent.
//!
//! What is secret of one is not here: it is sealed when it is given, and opened only to be sent.

mod form;
mod oauth;
mod origin;
mod server;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use form::{Form, Kept, Secrets, check};
pub use oauth::{
    Answer, Authorization, CONSENT, ClientAuth, NoToken, OAuth, Standing, TOKEN, Tokens, said,
};
pub use origin::origin;
pub use server::{Server, Tls};

use crate::catalog;
use crate::connector;
use crate::document::{Document, Step};
use crate::poll::Poll;
use crate::schema::FieldKind;
use crate::{ConnectionId, DraftId, IntegrationId, Timestamp};

/// Most connections of an organization.
pub const CONNECTIONS: usize = 500;
/// Most origins that one connection may be sent to.
pub const ORIGINS: usize = 20;
/// Most headers that one connection sends.
pub const HEADERS: usize = 10;
/// Fewest characters of a secret. A shorter one could not be hidden in what a run records without
/// hiding ordinary words with it, and would be guessed.
pub const SHORTEST: usize = 8;
/// Most characters of a secret.
pub const LONGEST: usize = 4096;
/// Most characters of what names a connection, a header or a user.
pub const NAME: usize = 100;

/// How a connection proves who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A key in a header, such as `X-Api-Key`.
    HeaderKey,
    /// A key in a query parameter.
    QueryKey,
    /// A user name and a password (RFC 7617).
    Basic,
    /// A token in the header `Authorization` (RFC 6750).
    Bearer,
    /// Several headers, each with a secret of its own.
    Headers,
    /// A token of OAuth 2 that someone consents to (RFC 6749, 4.1, with PKCE).
    #[serde(rename = "oauth")]
    OAuth,
    /// A token of OAuth 2 that the client gets for itself (RFC 6749, 4.4).
    #[serde(rename = "oauth_client")]
    OAuthClient,
    /// A key that requests are signed with (HMAC-SHA256), and what it is known by: the secret is
    /// sent nowhere, and only the component of a connector asks for a signature.
    KeyPair,
    /// A server that e-mails are given to (RFC 5321), with a user name and a password or without.
    Smtp,
    /// A PostgreSQL server, with a user name and a password.
    Postgres,
}

impl Kind {
    /// All kinds, in the order in which they are offered.
    pub const ALL: [Kind; 10] = [
        Kind::OAuth,
        Kind::OAuthClient,
        Kind::Bearer,
        Kind::HeaderKey,
        Kind::QueryKey,
        Kind::Basic,
        Kind::Headers,
        Kind::KeyPair,
        Kind::Smtp,
        Kind::Postgres,
    ];

    /// Returns the word that is stored and sent.
    pub const fn key(self) -> &'static str {
        match self {
            Kind::HeaderKey => "header_key",
            Kind::QueryKey => "query_key",
            Kind::Basic => "basic",
            Kind::Bearer => "bearer",
            Kind::Headers => "headers",
            Kind::OAuth => "oauth",
            Kind::OAuthClient => "oauth_client",
            Kind::KeyPair => "key_pair",
            Kind::Smtp => "smtp",
            Kind::Postgres => "postgres",
        }
    }

    /// Returns the kind with that key.
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.key() == key)
    }

    /// Returns the name on screen.
    pub const fn title(self) -> &'static str {
        match self {
            Kind::HeaderKey => "API key in a header",
            Kind::QueryKey => "API key in the query",
            Kind::Basic => "User name and password",
            Kind::Bearer => "Bearer token",
            Kind::Headers => "Custom headers",
            Kind::OAuth => "OAuth 2, someone consents",
            Kind::OAuthClient => "OAuth 2, client credentials",
            Kind::KeyPair => "Key that signs requests",
            Kind::Smtp => "E-mail server (SMTP)",
            Kind::Postgres => "PostgreSQL database",
        }
    }

    /// Returns what the name is of that belongs to its secret, and what the secret is called.
    /// Custom headers have several of both.
    pub const fn labels(self) -> (Option<&'static str>, &'static str) {
        match self {
            Kind::HeaderKey => (Some("Header"), "Key"),
            Kind::QueryKey => (Some("Parameter"), "Key"),
            Kind::Basic | Kind::Smtp | Kind::Postgres => (Some("User name"), "Password"),
            Kind::Bearer => (None, "Token"),
            Kind::Headers => (Some("Header"), "Value"),
            Kind::OAuth | Kind::OAuthClient => (Some("Client ID"), "Client secret"),
            Kind::KeyPair => (Some("Key ID"), "Secret key"),
        }
    }

    /// Returns whether its tokens come from a provider of OAuth 2.
    pub const fn has_tokens(self) -> bool {
        matches!(self, Kind::OAuth | Kind::OAuthClient)
    }

    /// Returns whether it logs in to a server of its own, and goes with no web request.
    pub const fn has_server(self) -> bool {
        matches!(self, Kind::Smtp | Kind::Postgres)
    }

    /// Returns whether steps of a kind can use it: each kind of server has a step of its own, and a
    /// key that signs goes with the steps of connectors.
    pub fn fits(self, step: &str) -> bool {
        match step {
            catalog::EMAIL => self == Kind::Smtp,
            catalog::QUERY => self == Kind::Postgres,
            // It proves nothing by itself: a component has to sign with it.
            _ if self == Kind::KeyPair => step == connector::STEP,
            _ => !self.has_server(),
        }
    }

    /// Returns what its secrets are kept as, one for each: a secret opens under its own field only.
    pub fn fields(self, names: &[String]) -> Vec<String> {
        match self {
            // Without a user there is no password.
            Kind::Smtp if names.is_empty() => Vec::new(),
            Kind::Headers => names.iter().map(|name| name.to_ascii_lowercase()).collect(),
            _ => vec!["secret".to_owned()],
        }
    }
}

/// A connection as a member sees it: never with its secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// Identity: what a step names.
    pub id: ConnectionId,
    /// What people call it.
    pub name: String,
    /// The rest, for those who may use it.
    pub details: Option<Details>,
}

/// What is to be known of a connection by those who use it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// How it proves who sends.
    pub kind: Kind,
    /// Names of headers, of the parameter, or of the user, as [`Kind::labels`] says.
    pub names: Vec<String>,
    /// Where it may be sent to, as [`origin`] writes them.
    pub origins: Vec<String>,
    /// It has secrets of their own for tests.
    pub has_test: bool,
    /// When it was sent the last time, to the half minute.
    pub used_at: Option<Timestamp>,
    /// What went wrong with the latest request that used it; `None` when nothing did.
    pub error: Option<String>,
    /// When it was made or changed.
    pub changed_at: Timestamp,
    /// Where its tokens come from and how they stand, of a kind that has some.
    #[serde(default)]
    pub authorization: Option<Authorization>,
    /// Which server it logs in to, of a kind that does.
    #[serde(default)]
    pub server: Option<Server>,
}

/// Something that names a connection: what is live of an integration, or an open draft.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Use {
    /// The connection.
    pub connection: ConnectionId,
    /// The integration.
    pub integration: IntegrationId,
    /// Its name.
    pub name: String,
    /// The draft and its title; `None` for what is live.
    pub draft: Option<(DraftId, String)>,
}

impl std::fmt::Display for Use {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.draft {
            None => write!(out, "“{}” (live)", self.name),
            Some((_, title)) => write!(out, "“{}” (draft “{title}”)", self.name),
        }
    }
}

/// Why a connection is not kept, changed, removed or sent.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// It has no name, or a long one.
    #[error("A connection needs a name of at most {NAME} characters.")]
    Name,
    /// Another one is called so.
    #[error("There is a connection with this name already. Choose another name.")]
    NameTaken,
    /// [`CONNECTIONS`] are there.
    #[error("There are {CONNECTIONS} connections already. Delete one that nothing uses.")]
    TooMany,
    /// Not a header name, or one that Sluice sets itself.
    #[error(
        "`{0}` cannot be the name of a header here. Use letters, digits and hyphens, such as X-Api-Key, and none that describes the connection, such as Host."
    )]
    Header(String),
    /// Not as many headers as there may be, or one of them twice.
    #[error("Give 1 to {HEADERS} headers, each with a name of its own.")]
    Headers,
    /// The name of a parameter or user is missing, long, or holds what it cannot.
    #[error("The name must have 1 to {NAME} visible characters, a user name no colon.")]
    Label,
    /// Not where something can be sent to.
    #[error(
        "`{0}` is not an origin. Write scheme and host, and the port if it has one of its own, such as https://api.example.com, without a path."
    )]
    Origin(String),
    /// None, or too many.
    #[error("Name 1 to {ORIGINS} origins that this connection may be sent to.")]
    Origins,
    /// A secret is missing.
    #[error("A secret is missing. Type all of them.")]
    SecretMissing,
    /// A secret is too short, too long, or holds what cannot be sent.
    #[error(
        "A secret has {SHORTEST} to {LONGEST} characters, without line breaks; in a header they are letters, digits and signs of ASCII. Copy it again from where it was made."
    )]
    Secret,
    /// It would go where it was not given for.
    #[error(
        "Type the secrets again: they were given for other origins or headers, and whoever changes these must have them."
    )]
    SecretsAgain,
    /// A connection stays of the kind that it was made as.
    #[error("The kind of a connection cannot be changed. Create another connection.")]
    Kind,
    /// Something names it.
    #[error("It is in use, so it cannot be deleted: {0}. Choose another connection there first.")]
    InUse(String),
    /// A step names one that is not there.
    #[error(
        "The connection of step “{0}” does not exist any more. Choose another one in that step."
    )]
    Gone(String),
    /// A step names one of another kind than it can use.
    #[error(
        "The connection of step “{0}” is of a kind that it cannot use. Choose another one in that step."
    )]
    Misfit(String),
    /// Not an address of a provider.
    #[error(
        "`{0}` cannot be an address of the provider. Write it like https://login.example.com/oauth/token, without #; http only to an IP address or localhost."
    )]
    Address(String),
    /// Not scopes.
    #[error("Scopes are words separated by spaces, as the provider's documentation lists them.")]
    Scopes,
    /// A parameter is none, or Sluice sets it.
    #[error(
        "`{0}` cannot be added as a parameter. Give each once, one per line as name=value, and none that Sluice sets itself, such as state or scope."
    )]
    Parameter(String),
    /// Not the host of a server.
    #[error(
        "`{0}` is not a host. Write its name or address, such as mail.example.com, without a port, path or //."
    )]
    Host(String),
    /// No port.
    #[error("Give the port of the server: a number from 1 to 65535.")]
    Port,
    /// Not how such a server is reached, or a password would be sent for all to read.
    #[error(
        "Choose an encryption that this kind of server has. Without one, a password is sent to an IP address or localhost only."
    )]
    Tls,
    /// Not certificates.
    #[error(
        "The certificates must be PEM: from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----, 32 KiB at most, and no private key."
    )]
    Certificates,
    /// Not the address of a sender.
    #[error("Give the one address that e-mails come from, such as shop@example.com, in ASCII.")]
    Sender,
    /// Not the name of a database.
    #[error("Give the name of the database: 1 to 63 bytes.")]
    Database,
    /// Nobody consents to a connection of this kind.
    #[error("A connection of this kind is not connected: its secrets are typed.")]
    NoConsent,
    /// What comes back belongs to no consent that was asked for in this session.
    #[error(
        "This answer does not belong to a connection that you are connecting: it is old, was used before, or was asked for in another session. Nothing was changed. Open Connections and press Connect again."
    )]
    StrayConsent,
    /// The answer names another provider.
    #[error(
        "The answer comes from another provider than the one that was asked, so it was not used. Check the issuer and the authorization URL of the connection."
    )]
    OtherIssuer,
    /// Nobody has consented yet.
    #[error("Nobody has connected “{0}” yet. An Admin opens Connections and presses Connect.")]
    Unconnected(String),
    /// The provider takes the consent no more.
    #[error(
        "“{name}” has to be connected again: the provider does not accept it any more. An Admin opens Connections and presses Connect again. The provider said: {why}"
    )]
    ConsentEnded {
        /// The connection.
        name: String,
        /// What the provider said.
        why: String,
    },
    /// There is no token, but there may be one later.
    #[error("There is no token for “{name}” just now. {why}")]
    TokenLater {
        /// The connection.
        name: String,
        /// What went wrong.
        why: String,
    },
    /// The provider refused.
    #[error("The provider did not connect “{name}”: {why}")]
    NotConnected {
        /// The connection.
        name: String,
        /// What the provider said.
        why: String,
    },
    /// A test was asked for somewhere else.
    #[error("Choose one of the connection's origins, and a path that begins with a slash.")]
    TestAddress,
}

impl Refusal {
    /// Returns a code that stays the same when the sentence changes.
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::Name => "connection/name",
            Refusal::NameTaken => "connection/name-taken",
            Refusal::TooMany => "connection/too-many",
            Refusal::Header(_) => "connection/header",
            Refusal::Headers => "connection/headers",
            Refusal::Label => "connection/label",
            Refusal::Origin(_) => "connection/origin",
            Refusal::Origins => "connection/origins",
            Refusal::SecretMissing => "connection/secret-missing",
            Refusal::Secret => "connection/secret",
            Refusal::SecretsAgain => "connection/secrets-again",
            Refusal::Kind => "connection/kind",
            Refusal::InUse(_) => "connection/in-use",
            Refusal::Gone(_) => "connection/gone",
            Refusal::Misfit(_) => "connection/misfit",
            Refusal::TestAddress => "connection/test-address",
            Refusal::Address(_) => "connection/address",
            Refusal::Scopes => "connection/scopes",
            Refusal::Parameter(_) => "connection/parameter",
            Refusal::Host(_) => "connection/host",
            Refusal::Port => "connection/port",
            Refusal::Tls => "connection/tls",
            Refusal::Certificates => "connection/certificates",
            Refusal::Sender => "connection/sender",
            Refusal::Database => "connection/database",
            Refusal::NoConsent => "connection/no-consent",
            Refusal::StrayConsent => "connection/stray-consent",
            Refusal::OtherIssuer => "connection/other-issuer",
            Refusal::NotConnected { .. } => "connection/not-connected",
            Refusal::Unconnected(_) => "connection/unconnected",
            Refusal::ConsentEnded { .. } => "connection/consent-ended",
            Refusal::TokenLater { .. } => "connection/token-later",
        }
    }

    /// Returns the HTTP status that says the same.
    pub fn status(&self) -> u16 {
        match self {
            Refusal::NameTaken
            | Refusal::TooMany
            | Refusal::InUse(_)
            | Refusal::Gone(_)
            | Refusal::Misfit(_)
            | Refusal::Unconnected(_)
            | Refusal::ConsentEnded { .. }
            | Refusal::StrayConsent => 409,
            Refusal::TokenLater { .. } => 503,
            _ => 422,
        }
    }
}

/// Returns the connection that a step names, if it names one.
pub fn of_step(step: &Step) -> Option<ConnectionId> {
    let field = field_of(step)?;
    step.config.get(field)?.as_str()?.trim().parse().ok()
}

/// Returns the field that names the connection of a step, if it can have one.
pub fn field_of(step: &Step) -> Option<&str> {
    let mut fields = step.action()?.input.fields.iter();
    let field = fields.find(|field| field.kind == FieldKind::Connection)?;
    Some(&field.name)
}

/// Returns the connection that the trigger of a document names, if it names one.
pub fn of_trigger(document: &Document) -> Option<ConnectionId> {
    Poll::of(document)?.connection()
}

/// Returns the connections that a document names, each with the name of the first step that does;
/// the trigger goes before the steps.
pub fn named_in(document: &Document) -> BTreeMap<ConnectionId, String> {
    let trigger = of_trigger(document).map(|id| (id, "Trigger".to_owned()));
    let mut named: BTreeMap<_, _> = trigger.into_iter().collect();
    for (_, step) in document.walk() {
        if let Some(id) = of_step(step) {
            named.entry(id).or_insert_with(|| step.name.clone());
        }
    }
    named
}

/// Returns a step of a document whose connection is of a kind that it cannot use; `kind_of` says of
/// which kind one is. The trigger, as all web requests do, uses none that logs in to a server.
pub fn misfit(
    document: &Document,
    kind_of: impl Fn(ConnectionId) -> Option<Kind>,
) -> Option<String> {
    let does_not_fit =
        |id: ConnectionId, step: &str| kind_of(id).is_some_and(|kind| !kind.fits(step));
    if of_trigger(document).is_some_and(|id| does_not_fit(id, "")) {
        return Some("Trigger".to_owned());
    }
    let mut steps = document.walk().into_iter().map(|(_, step)| step);
    let found = steps.find(|step| of_step(step).is_some_and(|id| does_not_fit(id, &step.kind)));
    found.map(|step| step.name.clone())
}

#[cfg(test)]
mod tests;
