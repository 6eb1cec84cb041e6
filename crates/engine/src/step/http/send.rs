//! Sends a request, follows redirects, and says in a sentence what went wrong.

use std::error::Error;
use std::sync::Arc;

use bytes::Bytes;
use domain::secret::is_secret;
use domain::{Timestamp, limit};
use http::header::{
    CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION,
};
use http::{Method, StatusCode};
use serde_json::Value;
use url::Url;

use super::beside::beside;
use super::client::Clients;
use super::request::host_of;
use super::response::{self, Read};
use super::{Call, Credentials, Failure, Retry};
use crate::network::dial::Unreached;
use crate::network::hosts::Turn;
use crate::network::web::{Answer, Begun, WebClient, WebError};
use crate::network::{Network, Refusal, Told};

/// Most redirects that are followed.
const HOPS: usize = 5;

/// The ways that a request and its redirects may take.
#[derive(Clone, Copy)]
pub(super) struct Ways<'a> {
    pub(super) client: &'a Arc<WebClient>,
    pub(super) clients: &'a Clients,
    pub(super) network: &'a Network,
}

/// A request on its way through redirects.
struct Hop<'c> {
    /// What proves who sends; none any more once it was redirected to an origin that must not
    /// see it.
    credentials: Option<&'c Credentials>,
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Option<Bytes>,
    /// A redirect said that what the step asked for was done, and named its result.
    is_done: bool,
}

/// What came back.
enum Came {
    /// An answer, whole.
    Answer(Result<Read, WebError>),
    /// One that names another address, and is not read yet.
    Redirect(Answer),
}

impl Call {
    /// Sends the request once and returns the output of the step: `{status, headers, body}`. What
    /// came of it is told of the host that it had the last turn at.
    pub(super) async fn send(
        &self,
        ways: Ways<'_>,
        turn: &mut Turn,
        now: Timestamp,
    ) -> Result<Value, Failure> {
        let begun = Begun::default();
        let exchange = self.exchange(ways, &begun, turn, now);
        if let Ok(result) = tokio::time::timeout(self.timeout, exchange).await {
            return result;
        }
        let (host, seconds) = (host(&self.url), self.timeout.as_secs_f64());
        Err(match begun.is_so() {
            true => Failure::open(format!(
                "`{host}` did not answer within {seconds} s. Check the service, or raise the time-out."
            )),
            false => Failure::transient(format!(
                "`{host}` could not be reached within {seconds} s. Check that the service is up and the URL is right, or raise the time-out."
            )),
        })
    }

    async fn exchange(
        &self,
        ways: Ways<'_>,
        begun: &Begun,
        turn: &mut Turn,
        now: Timestamp,
    ) -> Result<Value, Failure> {
        let credentials = self.credentials.as_ref();
        if let Some(credentials) = credentials {
            credentials.check(&self.url).map_err(Failure::never)?;
        }
        let mut hop = Hop {
            credentials,
            method: self.method.clone(),
            url: self.url.clone(),
            headers: self.headers.clone(),
            body: self.body.clone(),
            is_done: false,
        };
        let result = self.follow(&mut hop, ways, begun, turn, now).await;
        result.map_err(|failure| match hop.is_done {
            false => failure,
            // That its result cannot be had must not send it again.
            true => Failure {
                message: format!(
                    "`{}` redirected to the result of the request, which was not to be had. {}",
                    host(&self.url),
                    failure.message
                ),
                is_open: true,
                ..failure
            },
        })
    }

    /// Sends the request, and those that redirects ask for.
    async fn follow(
        &self,
        hop: &mut Hop<'_>,
        ways: Ways<'_>,
        begun: &Begun,
        turn: &mut Turn,
        now: Timestamp,
    ) -> Result<Value, Failure> {
        for _ in 0..=HOPS {
            let response = match hop.send(ways.client, begun, now, self.is_raw).await? {
                Came::Answer(read) => return self.judge(&hop.url, read),
                Came::Redirect(response) => response,
            };
            hop.is_done |= hop.is_done_by(response.status());
            let Some(next) = self.redirect(&hop.url, &response)? else {
                let read = response::read(response, now, self.is_raw).await;
                return self.judge(&hop.url, read);
            };
            hop.follow(next, response.status())?;
            if let Some(at) = host_of(&hop.url)
                && !turn.is_at(at)
            {
                turn.tell(Told::Up);
                // The place at one host is not kept while another is waited for.
                *turn = Turn::free();
                let next = ways.clients.turn_at(ways.network, at, now, now).await;
                *turn = next.map_err(|not_now| not_now.failure())?;
            }
        }
        Err(Failure::never(format!(
            "`{}` redirected more than {HOPS} times. Put the final address into the URL.",
            host(&self.url)
        )))
    }

    /// Returns where a redirect leads, unless its status is one that the step expects.
    fn redirect(&self, from: &Url, response: &Answer) -> Result<Option<Url>, Failure> {
        let status = response.status();
        if self.expected.contains(status.as_u16()) {
            return Ok(None);
        }
        let Some(location) = location(response) else {
            return Ok(None);
        };
        let next = std::str::from_utf8(location.as_bytes())
            .ok()
            .and_then(|text| from.join(text).ok());
        let Some(next) = next else {
            return Err(Failure::never(format!(
                "`{}` redirected to something that is not a web address. Put the final address into the URL.",
                host(from)
            )));
        };
        if from.scheme() == "https" && next.scheme() == "http" {
            return Err(Failure::never(format!(
                "`{}` redirected from https to http, which would send the request unencrypted. Put the final address into the URL.",
                host(from)
            )));
        }
        Ok(Some(next))
    }

    fn judge(&self, url: &Url, read: Result<Read, WebError>) -> Result<Value, Failure> {
        let read = match read {
            Ok(read) => read,
            Err(WebError::TooLong) => {
                return Err(Failure::never(format!(
                    "The answer of `{}` is larger than {} MB. Ask for less at a time, for example page by page.",
                    host(url),
                    limit::RESPONSE_BYTES / (1024 * 1024)
                )));
            }
            Err(error) => return Err(explain(url, &error)),
        };
        if self.expected.contains(read.status.as_u16()) {
            return Ok(read.output);
        }
        Err(Failure {
            message: format!(
                "`{}` answered {}, but {} is expected. {}",
                host(url),
                read.status,
                self.expected_text,
                advice(read.status)
            ),
            answer: read.output,
            is_open: false,
            is_before_host: false,
            retry: match read.status.as_u16() {
                408 | 425 | 429 | 500..=599 => {
                    read.retry_after.map_or(Retry::Backoff, Retry::After)
                }
                _ => Retry::Never,
            },
        })
    }
}

impl Hop<'_> {
    /// Sends the request, and reads what comes unless that is a redirect.
    async fn send(
        &self,
        client: &Arc<WebClient>,
        begun: &Begun,
        now: Timestamp,
        is_raw: bool,
    ) -> Result<Came, Failure> {
        let (mut url, mut headers) = (self.url.clone(), self.headers.clone());
        if let Some(credentials) = self.credentials {
            credentials.add(&mut url, &mut headers);
        }
        let (method, body) = (self.method.clone(), self.body.clone());
        let (client, begun) = (Arc::clone(client), begun.clone());
        let exchange = beside(async move {
            let response = client.send(method, &url, headers, body, &begun).await?;
            Ok(if location(&response).is_some() {
                Came::Redirect(response)
            } else {
                Came::Answer(response::read(response, now, is_raw).await)
            })
        });
        exchange
            .await
            .map_err(|error: WebError| explain(&self.url, &error))
    }

    /// Returns whether a redirect by this status says that a write was done: “see the result there”
    /// does, and of a POST “found” may, as that is how pages say so (RFC 9110, 15.4.3 and 15.4.4).
    fn is_done_by(&self, status: StatusCode) -> bool {
        match status.as_u16() {
            303 => !self.method.is_safe(),
            302 => self.method == Method::POST,
            _ => false,
        }
    }

    /// Turns itself into the request that a redirect asks for (RFC 9110, 15.4). What is secret
    /// does not follow to another host: neither what the step calls so, nor its connection where
    /// that may not be sent.
    ///
    /// # Errors
    /// When the redirect itself carries a secret of the connection there, in its address.
    fn follow(&mut self, next: Url, status: StatusCode) -> Result<(), Failure> {
        if let Some(credentials) = self.credentials
            && !credentials.may_go_to(&next)
        {
            if credentials.is_in(next.as_str()) {
                return Err(Failure::never(format!(
                    "`{}` redirected to an address that holds a secret of the connection “{}”, which may not be sent there. Put the final address into the URL.",
                    host(&self.url),
                    credentials.name()
                )));
            }
            self.credentials = None;
        }
        let becomes_get = match status.as_u16() {
            303 => self.method != Method::HEAD,
            301 | 302 => self.method == Method::POST,
            _ => false,
        };
        if becomes_get {
            self.method = Method::GET;
            self.body = None;
            for name in [CONTENT_TYPE, CONTENT_ENCODING, CONTENT_LANGUAGE] {
                self.headers.remove(name);
            }
        }
        if self.url.origin() != next.origin() {
            let names: Vec<_> = self
                .headers
                .keys()
                .filter(|name| is_secret(name.as_str()))
                .cloned()
                .collect();
            for name in names {
                self.headers.remove(name);
            }
        }
        self.url = next;
        Ok(())
    }
}

/// Returns what a redirect names.
fn location(response: &Answer) -> Option<&HeaderValue> {
    matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308)
        .then(|| response.headers().get(LOCATION))?
}

fn host(url: &Url) -> &str {
    url.host_str().unwrap_or("the host")
}

fn advice(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 | 422 => "Check what the step sends; the answer says more.",
        401 | 403 => "Check the credentials that the step sends.",
        404 | 410 => "Check the URL.",
        429 => "Send less often, or let the step retry.",
        500..=599 => "The service has a problem; let the step retry.",
        _ => "Check the request, or change the expected status.",
    }
}

/// Says what went wrong on the way. Without the URL: its parameters may hold secrets.
pub(crate) fn explain(url: &Url, error: &WebError) -> Failure {
    let host = host(url);
    match error {
        WebError::Refused(refusal) => return Failure::never(refusal.to_string()),
        WebError::Url(why) => {
            return Failure::never(format!(
                "The URL that leads to `{host}` cannot be sent: {why}. Where that is its length, put what is long into the body."
            ));
        }
        _ => {}
    }
    let no_connection = |port: u16, why: &str| {
        Failure::transient(format!(
            "Could not connect to `{host}` on port {port}: {why}. Check that the service is up and the URL is right."
        ))
    };
    let mut source: Option<&(dyn Error + 'static)> = Some(error);
    let mut deepest = String::new();
    while let Some(cause) = source {
        if let Some(refusal) = cause.downcast_ref::<Refusal>() {
            return Failure::never(refusal.to_string());
        }
        if let Some(unreached) = cause.downcast_ref::<Unreached>() {
            return match unreached {
                Unreached::Refused(refusal) => Failure::never(refusal.to_string()),
                Unreached::Unknown(_) => {
                    Failure::transient(format!("The name `{host}` was not found. Check the URL."))
                }
                Unreached::Down { port, why, .. } => no_connection(*port, why),
                Unreached::Proxy { .. } => Failure::at_proxy(unreached.to_string()),
            };
        }
        deepest = cause.to_string();
        source = cause.source();
    }
    if error.is_unsent() {
        no_connection(url.port_or_known_default().unwrap_or_default(), &deepest)
    } else {
        Failure::open(format!(
            "The connection to `{host}` broke: {deepest}. Check the service, or let the step retry."
        ))
    }
}
