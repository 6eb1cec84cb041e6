//! OAuth 2 (RFC 6749) with PKCE (RFC 7636): where a connection gets its tokens, and what a provider
//! may answer. The tokens themselves are nobody's to see.

use std::fmt;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Kept, Kind, NAME, Refusal, origin};
use crate::Timestamp;

/// Longest address of a provider, in bytes.
const ADDRESS: usize = 2_000;
/// Longest text with scopes, in bytes.
const SCOPES: usize = 2_000;
/// Most parameters that are added.
const EXTRA: usize = 20;
/// Longest id of a client, in characters.
pub(super) const CLIENT_ID: usize = 300;
/// Longest token, in bytes: it travels in a header.
pub const TOKEN: usize = 8 * 1024;
/// Longest that is shown of what a provider says went wrong, in characters.
const SAID: usize = 300;
/// For how many seconds a consent may be asked before it has to be asked anew.
pub const CONSENT: u32 = 600;
/// A token is exchanged for a new one so many seconds before it ends: clocks differ, and a request
/// takes its time.
const MARGIN: u32 = 60;
/// Longest life of a token that is believed, in seconds: a year.
const LIFE: u32 = 365 * 24 * 3600;

/// Parameters that are Sluice's own to set.
const OURS: [&str; 17] = [
    "client_assertion",
    "client_assertion_type",
    "client_id",
    "client_secret",
    "code",
    "code_challenge",
    "code_challenge_method",
    "code_verifier",
    "grant_type",
    "redirect_uri",
    "refresh_token",
    "request",
    "request_uri",
    "response_mode",
    "response_type",
    "scope",
    "state",
];

/// How a client proves to the provider that it is the one (RFC 6749, 2.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuth {
    /// Its id and secret in the header `Authorization`, which each provider has to take.
    #[default]
    Basic,
    /// Both in the body.
    Body,
}

/// Where the tokens of a connection come from. Nothing of it is secret: the client's id is among
/// the connection's names, its secret among the secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OAuth {
    /// Where someone consents; empty for [`Kind::OAuthClient`], which nobody consents to.
    pub authorization_url: String,
    /// Where tokens are given.
    pub token_url: String,
    /// What the provider calls itself in `iss` (RFC 9207); empty when it does not say so.
    pub issuer: String,
    /// What is asked for, separated by spaces.
    pub scopes: String,
    /// How the client proves that it is the one.
    pub client_auth: ClientAuth,
    /// What is added to the address where someone consents, or to the request for a token when
    /// nobody does.
    pub extra: Vec<(String, String)>,
    /// The id of the client that tests use; empty for the same one.
    pub test_client_id: String,
}

/// Where the consent of one variant of a connection stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Nobody has consented yet, or what was consented to has changed since.
    Missing,
    /// There is a token, or it can be had.
    Given {
        /// Since when; `None` where nobody has to consent.
        at: Option<Timestamp>,
    },
    /// The provider takes it no more: someone has to connect again.
    Refused {
        /// What the provider said.
        why: String,
    },
}

/// What is to be known of the tokens of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authorization {
    /// Where they come from.
    pub settings: OAuth,
    /// How it stands with those of live runs.
    pub live: Standing,
    /// And of tests, where these have a secret of their own.
    pub test: Option<Standing>,
}

impl Authorization {
    /// Returns whether someone has to connect before runs can use it.
    pub fn is_open(&self) -> bool {
        [Some(&self.live), self.test.as_ref()]
            .into_iter()
            .flatten()
            .any(|standing| !matches!(standing, Standing::Given { .. }))
    }
}

impl OAuth {
    /// Returns the id of the client for one variant.
    pub fn client_id<'a>(&'a self, names: &'a [String], is_test: bool) -> &'a str {
        if is_test && !self.test_client_id.is_empty() {
            return &self.test_client_id;
        }
        names.first().map_or("", String::as_str)
    }

    /// Returns whether an answer may come from this provider (RFC 9207). One that was told its
    /// issuer must say it; any other may say nothing, or something of the same origin as the
    /// address where someone consented.
    pub fn is_issued_by(&self, iss: Option<&str>) -> bool {
        match (self.issuer.as_str(), iss) {
            ("", None) => true,
            ("", Some(iss)) => {
                let from = address_origin(iss);
                from.is_some() && from == address_origin(&self.authorization_url)
            }
            (known, iss) => iss == Some(known),
        }
    }

    /// Checks and returns it as it is kept.
    pub(super) fn check(&self, kind: Kind) -> Result<Self, Refusal> {
        let consents = kind == Kind::OAuth;
        let authorization_url = match consents {
            true => address(&self.authorization_url)?,
            false => String::new(),
        };
        let issuer = self.issuer.trim();
        if !issuer.is_empty() {
            address(issuer)?;
        }
        let scopes: Vec<&str> = self.scopes.split_whitespace().collect();
        let scopes = scopes.join(" ");
        // RFC 6749, 3.3.
        let is_scope = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
        if scopes.len() > SCOPES || !scopes.bytes().all(|byte| byte == b' ' || is_scope(byte)) {
            return Err(Refusal::Scopes);
        }
        let mut extra: Vec<(String, String)> = Vec::new();
        for (name, value) in &self.extra {
            let (name, value) = (name.trim().to_owned(), value.trim().to_owned());
            let fits = (1..=NAME).contains(&name.len())
                && name.bytes().all(|byte| byte.is_ascii_graphic())
                && value.len() <= ADDRESS
                && !value.chars().any(char::is_control)
                && !OURS.contains(&name.to_ascii_lowercase().as_str())
                && extra.iter().all(|(other, _)| *other != name);
            if !fits || extra.len() >= EXTRA {
                return Err(Refusal::Parameter(
                    crate::template::short(&name).to_string(),
                ));
            }
            extra.push((name, value));
        }
        let test_client_id = self.test_client_id.trim().to_owned();
        if test_client_id.chars().count() > CLIENT_ID
            || test_client_id.chars().any(char::is_control)
        {
            return Err(Refusal::Label);
        }
        Ok(Self {
            authorization_url,
            token_url: address(&self.token_url)?,
            issuer: issuer.to_owned(),
            scopes,
            client_auth: self.client_auth,
            extra,
            test_client_id,
        })
    }
}

impl Kept {
    /// Returns whether tokens stay with a connection that becomes `form`, which has been checked:
    /// only if neither where they may go nor anything that was consented to changes.
    pub fn keeps_tokens(&self, form: &super::Form) -> bool {
        self.oauth == form.oauth
            && self.names == form.names
            && form.origins.iter().all(|to| self.origins.contains(to))
    }
}

/// Reads an address of a provider. What goes there is a secret, so it is encrypted on the way;
/// only to this machine, or a number that an Admin has to allow in the network, it need not be.
fn address(text: &str) -> Result<String, Refusal> {
    let text = text.trim();
    let refused = || Refusal::Address(crate::template::short(text).to_string());
    let origin = address_origin(text).ok_or_else(refused)?;
    let host = origin.trim_start_matches("http://");
    let is_number = host.starts_with('[')
        || host
            .split(':')
            .next()
            .is_some_and(|host| host.parse::<Ipv4Addr>().is_ok());
    let is_near = is_number || host.split(':').next() == Some("localhost");
    let fits = text.len() <= ADDRESS
        && text.bytes().all(|byte| byte.is_ascii_graphic())
        && !text.contains('#');
    if fits && (origin.starts_with("https://") || is_near) {
        Ok(text.to_owned())
    } else {
        Err(refused())
    }
}

/// Returns the origin of an address.
fn address_origin(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next()?;
    origin(&format!("{scheme}://{host}")).ok()
}

/// What a provider sends someone back with (RFC 6749, 4.1.2; RFC 9207).
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Answer {
    /// What the question was asked with.
    pub state: String,
    /// What tokens are had for.
    pub code: Option<String>,
    /// Who the provider says it is.
    pub iss: Option<String>,
    /// Why there is no code.
    pub error: Option<String>,
    /// The same in words.
    pub error_description: Option<String>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Answer(…)")
    }
}

impl Answer {
    /// Returns the code.
    ///
    /// # Errors
    /// What to tell when there is none.
    pub fn code(&self) -> Result<&str, String> {
        if let Some(error) = &self.error {
            return Err(said(error, self.error_description.as_deref()));
        }
        let code = self.code.as_deref().unwrap_or_default();
        if (1..=TOKEN).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(code)
        } else {
            Err("It sent no code.".to_owned())
        }
    }
}

/// What a provider gave.
#[derive(Clone, PartialEq, Eq)]
pub struct Tokens {
    /// What proves who sends.
    pub access: String,
    /// What a new one is had for.
    pub refresh: Option<String>,
    /// For how many seconds the token can be used; `None` when the provider does not say.
    pub lifetime: Option<u32>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Tokens(…)")
    }
}

impl Tokens {
    /// Reads the answer of a provider (RFC 6749, 5.1).
    ///
    /// # Errors
    /// A sentence without anything of the answer, when no token in it can be used.
    pub fn read(answer: &Value) -> Result<Self, &'static str> {
        let text = |name: &str| answer.get(name).and_then(Value::as_str).map(str::trim);
        if !text("token_type").is_none_or(|kind| kind.eq_ignore_ascii_case("bearer")) {
            return Err("The provider gave a token that is no bearer token.");
        }
        let access = text("access_token").ok_or("The provider gave no token.")?;
        if !is_token(access) {
            return Err("The provider gave a token that cannot be sent in a header.");
        }
        let refresh = text("refresh_token").filter(|token| !token.is_empty());
        if !refresh.is_none_or(is_token) {
            return Err("The provider gave a refresh token that cannot be kept.");
        }
        // Some providers write the number as a text.
        let seconds = answer.get("expires_in").and_then(|given| match given {
            Value::String(text) => text.trim().parse::<f64>().ok(),
            given => given.as_f64(),
        });
        let lifetime = seconds.map(|seconds| {
            // Whatever is outside of a `u32` becomes its nearest value.
            (seconds as u32).min(LIFE)
        });
        Ok(Self {
            access: access.to_owned(),
            refresh: refresh.map(str::to_owned),
            lifetime,
        })
    }

    /// Returns after how many seconds it is to be exchanged for a new one: a minute before it
    /// ends, of a short-lived one a quarter of its life before.
    pub fn renew_after(&self) -> Option<u32> {
        self.lifetime.map(|life| life - MARGIN.min(life / 4))
    }
}

/// Returns whether a text can be sent as a token, and hidden where it comes back.
fn is_token(text: &str) -> bool {
    (super::SHORTEST..=TOKEN).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Why a provider gave no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoToken {
    /// It will not, whenever it is asked again with the same.
    Refused(String),
    /// It may, later.
    Later(String),
}

impl NoToken {
    /// Reads an answer that is none of success (RFC 6749, 5.2). Only a provider that says in these
    /// words that it refuses does: whatever else stands in its place may be gone in a minute.
    pub fn read(status: u16, answer: &Value) -> Self {
        const FINAL: [&str; 6] = [
            "invalid_client",
            "invalid_grant",
            "invalid_request",
            "invalid_scope",
            "unauthorized_client",
            "unsupported_grant_type",
        ];
        let text = |name: &str| answer.get(name).and_then(Value::as_str);
        match text("error") {
            Some(code) if FINAL.contains(&code) && (400..500).contains(&status) => {
                Self::Refused(said(code, text("error_description")))
            }
            Some(code) => Self::Later(format!(
                "The provider answered {status}: {}",
                said(code, text("error_description"))
            )),
            None => Self::Later(format!("The provider answered {status}.")),
        }
    }
}

/// Returns what a provider says went wrong, short enough to be shown, as one line.
pub fn said(code: &str, description: Option<&str>) -> String {
    let line = |text: &str| -> String {
        let signs = text.chars().map(|sign| match sign {
            sign if sign.is_control() => ' ',
            // Signs that turn what stands around them.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => ' ',
            sign => sign,
        });
        signs.take(SAID).collect()
    };
    match description.map(line).map(|text| text.trim().to_owned()) {
        Some(text) if !text.is_empty() => format!("{} ({})", text, line(code).trim()),
        _ => line(code).trim().to_owned(),
    }
}

#[cfg(test)]
mod tests;
