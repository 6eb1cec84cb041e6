//! One HTTP client per network, kept with its open connections.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::Timestamp;
use domain::connection::Kind;
use reqwest::Client;
use reqwest::redirect::Policy;
use serde_json::{Value, json};

use super::{Call, Credentials, Failure};
use crate::network::resolve::GuardedResolver;
use crate::network::{Guard, Network};
use crate::port::Outside;
use crate::step::request::Request;
use crate::step::{email, postgres};

/// Most networks whose clients are kept; the one used longest ago goes.
const MOST: usize = 64;

/// A client that can reach only what its guard lets through.
#[derive(Debug)]
pub(crate) struct GuardedClient {
    pub(crate) client: Client,
    pub(crate) guard: Arc<Guard>,
}

/// Sends requests from this machine, guarded by each run's network. Keeps the clients in use, the
/// latest last.
#[derive(Debug, Default)]
pub struct Clients {
    kept: Mutex<Vec<(Network, Arc<GuardedClient>)>>,
}

impl Outside for Clients {
    async fn send(
        &self,
        network: &Network,
        request: &Request,
        now: Timestamp,
    ) -> Result<Value, Failure> {
        let client = self.of(network).map_err(Failure::never)?;
        let result = match request {
            Request::Http(call) => call.send(&client, now).await,
            Request::Email(email) => email.send(&client.guard, now).await,
            Request::Query(query) => query.send(&client.guard).await,
        };
        match request.credentials() {
            Some(credentials) => credentials.hide_result(result),
            None => result,
        }
    }
}

/// Tries a connection out, with the same guard as a step's request. One for web requests is sent
/// with a `GET`, to its origins only, and the status of the answer is returned, whatever it is; one
/// for a server logs in there, and `None` says that this works.
///
/// # Errors
/// A sentence, when the address is none, no answer came, or the server does not let it in.
pub async fn try_out(
    network: &Network,
    credentials: Credentials,
    url: &str,
    now: Timestamp,
) -> Result<Option<u16>, String> {
    if let Some(kind) = credentials.server_kind() {
        let guard = Guard::new(network);
        let tried = match kind {
            Kind::Smtp => email::try_out(&guard, &credentials).await,
            _ => postgres::try_out(&guard, credentials).await,
        };
        return tried.map(|()| None);
    }
    let config = json!({ "url": url, "expected_status": "200-599", "timeout_seconds": 20 });
    let config = config.as_object().expect("it is written so");
    let mut call = Call::build(config, "")?;
    call.authorize(credentials);
    // With redirects expected, they are not followed.
    let request = Request::Http(call);
    let answer = Clients::default().send(network, &request, now).await;
    let output = answer.map_err(|failure| failure.message)?;
    let status = output.get("status").and_then(Value::as_u64);
    Ok(status.and_then(|status| u16::try_from(status).ok()))
}

/// Asks an address for a text, with the same guard as a step's request and nothing that proves who
/// asks.
///
/// # Errors
/// A sentence, when the address is none, nothing can be reached, or what comes is not 2xx.
pub async fn fetch(network: &Network, url: &str, now: Timestamp) -> Result<String, String> {
    let config = json!({ "url": url, "timeout_seconds": 30 });
    let config = config.as_object().expect("it is written so");
    let request = Request::http(config, "")?;
    let answer = Clients::default().send(network, &request, now).await;
    let mut output = answer.map_err(|failure| failure.message)?;
    Ok(match output["body"].take() {
        Value::String(text) => text,
        json => json.to_string(),
    })
}

impl Clients {
    /// Returns the client of a network, made when there is none yet.
    pub(crate) fn of(&self, network: &Network) -> Result<Arc<GuardedClient>, String> {
        if let Some(client) = self.find(network) {
            return Ok(client);
        }
        let made = Arc::new(GuardedClient::new(network)?);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST {
            kept.remove(0);
        }
        kept.push((network.clone(), Arc::clone(&made)));
        Ok(made)
    }

    fn find(&self, network: &Network) -> Option<Arc<GuardedClient>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|(of, _)| of == network)?;
        if at + 1 < kept.len() {
            let used = kept.remove(at);
            kept.push(used);
        }
        kept.last().map(|(_, client)| Arc::clone(client))
    }
}

impl GuardedClient {
    fn new(network: &Network) -> Result<Self, String> {
        let guard = Arc::new(Guard::new(network));
        // Redirects are followed by hand, so that each hop passes the guard before a connection
        // is opened. Compression stays off: a small answer must not unpack into a large one.
        let builder = || {
            Client::builder()
                .dns_resolver(GuardedResolver::new(Arc::clone(&guard)))
                .redirect(Policy::none())
                .retry(reqwest::retry::never())
                .no_proxy()
                .referer(false)
                .user_agent(concat!("Sluice/", env!("CARGO_PKG_VERSION")))
                .pool_idle_timeout(Duration::from_secs(30))
                .pool_max_idle_per_host(32)
        };
        let built = builder().build().or_else(|error| {
            // A machine without root certificates can still call http addresses.
            tracing::warn!(%error, "no root certificates: https requests will fail");
            builder().tls_certs_only([]).build()
        });
        let client = built.map_err(|error| {
            tracing::error!(%error, "cannot build the HTTP client");
            "This server cannot make HTTP requests. Whoever runs it finds the cause in its log."
                .to_owned()
        })?;
        Ok(Self { client, guard })
    }
}
