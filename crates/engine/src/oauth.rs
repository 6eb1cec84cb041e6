//! Gets tokens from a provider of OAuth 2, through the same guard as every other request.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use domain::connection::{ClientAuth, NoToken, OAuth, Tokens};
use http::Method;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::Value;
use sha2::{Digest, Sha256};
use url::Url;

use crate::network::hosts::Turn;
use crate::network::web::{self, Answer, Begun, WebClient, WebError};
use crate::network::{Network, Told};
use crate::port::{Clock, SystemClock};
use crate::step::http::Retry;
use crate::step::http::client::Clients;
use crate::step::http::hidden::Hidden;
use crate::step::http::request::host_of;
use crate::step::http::send::explain;

/// How long a provider may take, from connecting to the last byte.
const TIME: Duration = Duration::from_secs(20);
/// Largest answer of a provider, in bytes.
const ANSWER: usize = 64 * 1024;

/// A consent that someone is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Consent<'a> {
    /// The provider.
    pub provider: &'a OAuth,
    /// The id of the client there.
    pub client_id: &'a str,
    /// Where the provider sends people back to.
    pub redirect_uri: &'a str,
    /// By which the answer is known again.
    pub state: &'a str,
    /// Whose hash goes with the question (RFC 7636, S256), and itself with the code.
    pub verifier: &'a str,
}

impl Consent<'_> {
    /// Returns the address at which someone consents; `None` when the provider's is none.
    pub fn address(&self) -> Option<String> {
        let mut url = Url::parse(&self.provider.authorization_url).ok()?;
        let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier));
        let ours = [
            ("response_type", "code"),
            ("client_id", self.client_id),
            ("redirect_uri", self.redirect_uri),
            ("state", self.state),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        // What the address itself brings along must not stand beside ours.
        let others: Vec<(String, String)> = url
            .query_pairs()
            .filter(|(name, _)| name != "scope" && ours.iter().all(|(own, _)| name != own))
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        let mut pairs = url.query_pairs_mut();
        pairs.clear().extend_pairs(others).extend_pairs(ours);
        if !self.provider.scopes.is_empty() {
            pairs.append_pair("scope", &self.provider.scopes);
        }
        pairs.extend_pairs(&self.provider.extra);
        drop(pairs);
        Some(url.into())
    }
}

/// What a token is asked for.
#[derive(Clone, Copy)]
pub enum Grant<'a> {
    /// The code that came back with someone's consent.
    Code {
        /// The code.
        code: &'a str,
        /// The verifier of [`Consent`].
        verifier: &'a str,
        /// The address of [`Consent`].
        redirect_uri: &'a str,
    },
    /// A refresh token.
    Refresh(&'a str),
    /// The client itself.
    Client,
}

/// A request for a token. It is never logged: it is full of secrets.
#[derive(Clone, Copy)]
pub struct TokenRequest<'a> {
    /// The provider.
    pub provider: &'a OAuth,
    /// The id of the client there.
    pub client_id: &'a str,
    /// The client's secret.
    pub secret: &'a str,
    /// What the token is asked for.
    pub grant: Grant<'a>,
}

impl TokenRequest<'_> {
    /// Asks once. Redirects are not followed: the secrets were given for this address.
    ///
    /// # Errors
    /// When there is no token; the sentence holds none of the secrets.
    pub async fn send(&self, clients: &Clients, network: &Network) -> Result<Tokens, NoToken> {
        let hidden = self.hidden();
        self.ask(clients, network).await.map_err(|error| {
            let shown = |text: String| hidden.text(&text);
            match error {
                NoToken::Refused(why) => NoToken::Refused(shown(why)),
                NoToken::Later(why) => NoToken::Later(shown(why)),
            }
        })
    }

    async fn ask(&self, clients: &Clients, network: &Network) -> Result<Tokens, NoToken> {
        let client = clients.of(network);
        let broken = |_| NoToken::Later("The token URL is none.".to_owned());
        let url = Url::parse(&self.provider.token_url).map_err(broken)?;
        let turn = match host_of(&url) {
            Some(at) => {
                let now = SystemClock.now();
                let turn = clients.turn_at(network, at, now, now).await;
                turn.map_err(|not_now| NoToken::Later(not_now.failure().message))?
            }
            None => Turn::free(),
        };
        let (answer, told) = match tokio::time::timeout(TIME, self.exchange(&client, url)).await {
            Ok(answer) => answer,
            Err(_) => (
                Err(NoToken::Later(format!(
                    "The provider did not answer within {} seconds.",
                    TIME.as_secs()
                ))),
                Some(Told::Silent),
            ),
        };
        if let Some(told) = told {
            turn.tell(told);
        }
        answer
    }

    /// Returns the tokens, and what the exchange says of the provider's host.
    async fn exchange(
        &self,
        client: &WebClient,
        url: Url,
    ) -> (Result<Tokens, NoToken>, Option<Told>) {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(CONTENT_TYPE, form);
        if let ClientAuth::Basic = self.provider.client_auth {
            let pair = BASE64_STANDARD.encode(self.pair());
            let mut value = HeaderValue::from_str(&format!("Basic {pair}"))
                .expect("base64 can stand in a header");
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let body = Some(self.body().into());
        let answer = match client
            .send(Method::POST, &url, headers, body, &Begun::default())
            .await
        {
            Ok(answer) => answer,
            Err(error) => {
                let failure = explain(&url, &error);
                let is_of_host = failure.retry != Retry::Never && !failure.is_before_host;
                let told = is_of_host.then_some(match failure.is_open {
                    true => Told::Silent,
                    false => Told::Unreachable,
                });
                return (Err(NoToken::Later(failure.message)), told);
            }
        };
        let status = answer.status();
        let told = match status.as_u16() {
            failed @ 500.. => Told::Failed(failed),
            _ => Told::Up,
        };
        let tokens = match read(answer).await {
            Err(why) => Err(NoToken::Later(why)),
            Ok(body) if status.is_success() => {
                Tokens::read(&body).map_err(|why| NoToken::Later(why.to_owned()))
            }
            Ok(body) => Err(NoToken::read(status.as_u16(), &body)),
        };
        (tokens, Some(told))
    }

    /// Returns id and secret as they stand in a header: form-encoded first (RFC 6749, 2.3.1).
    fn pair(&self) -> String {
        let encode = |text: &str| -> String {
            url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
        };
        format!("{}:{}", encode(self.client_id), encode(self.secret))
    }

    fn body(&self) -> String {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        match self.grant {
            Grant::Code {
                code,
                verifier,
                redirect_uri,
            } => {
                form.append_pair("grant_type", "authorization_code")
                    .append_pair("code", code)
                    .append_pair("code_verifier", verifier)
                    .append_pair("redirect_uri", redirect_uri);
            }
            Grant::Refresh(token) => {
                form.append_pair("grant_type", "refresh_token")
                    .append_pair("refresh_token", token);
            }
            Grant::Client => {
                form.append_pair("grant_type", "client_credentials");
                if !self.provider.scopes.is_empty() {
                    form.append_pair("scope", &self.provider.scopes);
                }
                form.extend_pairs(&self.provider.extra);
            }
        }
        if let ClientAuth::Body = self.provider.client_auth {
            form.append_pair("client_id", self.client_id)
                .append_pair("client_secret", self.secret);
        }
        form.finish()
    }

    fn hidden(&self) -> Hidden {
        let mut secrets = vec![self.secret.to_owned(), self.pair()];
        match self.grant {
            Grant::Code { code, verifier, .. } => {
                secrets.extend([code.to_owned(), verifier.to_owned()]);
            }
            Grant::Refresh(token) => secrets.push(token.to_owned()),
            Grant::Client => {}
        }
        Hidden::new(&secrets)
    }
}

/// Reads an answer within its bounds; what is no JSON is null.
async fn read(answer: Answer) -> Result<Value, String> {
    let body = web::read(answer.into_body(), ANSWER).await;
    let body = body.map_err(|error| match error {
        WebError::TooLong => "The provider's answer is too long.",
        _ => "The provider's answer broke off.",
    })?;
    Ok(serde_json::from_slice(&body).unwrap_or(Value::Null))
}
