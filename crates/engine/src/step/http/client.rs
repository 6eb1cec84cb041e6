//! One HTTP client per network, kept with its open connections.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use domain::connection::Kind;
use domain::network::{Down, Encryption};
use domain::{OrganizationId, Timestamp};
use serde_json::{Value, json};

use super::send::Ways;
use super::{Call, Credentials, Failure, Retry};
use crate::network::hosts::{HostChange, Hosts, NotNow, Turn, Way};
use crate::network::web::WebClient;
use crate::network::{Guard, Network, Proxy, Told};
use crate::port::Outside;
use crate::step::request::Request;
use crate::step::{email, postgres};

/// Most networks whose clients are kept; the one used longest ago goes.
const MOST: usize = 64;

/// What of a network decides what its client can reach. It is the same for many organizations.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Within {
    allowed: Vec<String>,
    encryption: Encryption,
}

/// Sends requests from this machine, guarded by each run's network. Keeps the clients in use, the
/// latest last, and what it knows of hosts. A process has one.
#[derive(Debug, Default)]
pub struct Clients {
    kept: Mutex<Vec<(Within, Arc<WebClient>)>>,
    pub(crate) hosts: Hosts,
    proxy: OnceLock<Arc<Proxy>>,
}

impl Outside for Clients {
    async fn turn(
        &self,
        network: &Network,
        request: &Request,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<Turn, NotNow> {
        match request.host() {
            Some(at) => self.turn_at(network, at, since, now).await,
            None => Ok(Turn::free()),
        }
    }

    async fn send(
        &self,
        network: &Network,
        request: &Request,
        mut turn: Turn,
        now: Timestamp,
    ) -> Result<Value, Failure> {
        let client = self.of(network);
        let result = match request {
            Request::Http(call) => {
                let ways = Ways {
                    client: &client,
                    clients: self,
                    network,
                };
                call.send(ways, &mut turn, now).await
            }
            Request::Email(email) => email.send(client.guard(), now).await,
            Request::Query(query) => query.send(client.guard()).await,
        };
        if let Some(told) = told(&result) {
            turn.tell(told);
        }
        drop(turn);
        match request.credentials() {
            Some(credentials) => credentials.hide_result(result),
            None => result,
        }
    }
}

impl Outside for Arc<Clients> {
    async fn turn(
        &self,
        network: &Network,
        request: &Request,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<Turn, NotNow> {
        self.as_ref().turn(network, request, since, now).await
    }

    async fn send(
        &self,
        network: &Network,
        request: &Request,
        turn: Turn,
        now: Timestamp,
    ) -> Result<Value, Failure> {
        self.as_ref().send(network, request, turn, now).await
    }
}

/// Returns what a result says of the host; `None` when it says nothing, as nothing was sent to it.
fn told(result: &Result<Value, Failure>) -> Option<Told> {
    let (answer, failure) = match result {
        Ok(output) => (output, None),
        Err(failure) => (&failure.answer, Some(failure)),
    };
    let status = answer.get("status").and_then(Value::as_u64);
    Some(match (status, failure) {
        (
            Some(429 | 503),
            Some(Failure {
                retry: Retry::After(asked),
                ..
            }),
        ) => Told::Rest(*asked),
        (Some(status @ 500..=599), _) => Told::Failed(u16::try_from(status).unwrap_or(500)),
        (Some(_), _) | (_, None) => Told::Up,
        (None, Some(failure)) if !failure.answer.is_null() => Told::Up,
        (None, Some(failure)) if failure.is_before_host => return None,
        (None, Some(failure)) if failure.retry == Retry::Never => return None,
        (None, Some(failure)) if failure.is_open => Told::Silent,
        (None, Some(_)) => Told::Unreachable,
    })
}

/// Sends a request that is no step's, once it is its turn.
///
/// # Errors
/// As [`Outside::send`], and when its turn does not come within a second.
pub(crate) async fn send_in_turn(
    outside: &impl Outside,
    network: &Network,
    request: &Request,
    now: Timestamp,
) -> Result<Value, Failure> {
    match outside.turn(network, request, now, now).await {
        Ok(turn) => outside.send(network, request, turn, now).await,
        Err(not_now) => Err(not_now.failure()),
    }
}

/// Tries a connection out, with the same guard as a step's request. One for web requests is sent
/// with a `GET`, to its origins only, and the status of the answer is returned, whatever it is; one
/// for a server logs in there, and `None` says that this works.
///
/// # Errors
/// A sentence, when the address is none, no answer came, or the server does not let it in.
pub async fn try_out(
    clients: &Clients,
    network: &Network,
    credentials: Credentials,
    url: &str,
    now: Timestamp,
) -> Result<Option<u16>, String> {
    if let Some(kind) = credentials.server_kind() {
        let client = clients.of(network);
        let at = credentials.server_host().ok_or("It has no server.")?;
        let turn = clients.turn_at(network, at, now, now).await;
        let turn = turn.map_err(|not_now| not_now.failure().message)?;
        let tried = match kind {
            Kind::Smtp => email::try_out(client.guard(), &credentials).await,
            _ => postgres::try_out(client.guard(), credentials).await,
        };
        if tried.is_ok() {
            turn.tell(Told::Up);
        }
        return tried.map(|()| None);
    }
    let config = json!({ "url": url, "expected_status": "200-599", "timeout_seconds": 20 });
    let config = config.as_object().expect("it is written so");
    let mut call = Call::build(config, "")?;
    call.authorize(credentials);
    // With redirects expected, they are not followed.
    let request = Request::Http(call);
    let answer = send_in_turn(clients, network, &request, now).await;
    let output = answer.map_err(|failure| failure.message)?;
    let status = output.get("status").and_then(Value::as_u64);
    Ok(status.and_then(|status| u16::try_from(status).ok()))
}

/// Asks an address for a text, with the same guard as a step's request and nothing that proves who
/// asks.
///
/// # Errors
/// A sentence, when the address is none, nothing can be reached, or what comes is not 2xx.
pub async fn fetch(
    clients: &Clients,
    network: &Network,
    url: &str,
    now: Timestamp,
) -> Result<String, String> {
    let config = json!({ "url": url, "timeout_seconds": 30 });
    let config = config.as_object().expect("it is written so");
    let request = Request::http(config, "")?;
    let answer = send_in_turn(clients, network, &request, now).await;
    let mut output = answer.map_err(|failure| failure.message)?;
    Ok(match output["body"].take() {
        Value::String(text) => text,
        json => json.to_string(),
    })
}

impl Clients {
    /// Sends everything through a proxy, but for what goes to this machine. Only the first proxy
    /// counts, and only for what was not sent yet: say it before anything else.
    pub fn go_through(&self, proxy: Proxy) {
        let _ = self.proxy.set(Arc::new(proxy));
    }

    /// Says how many processes run integrations, which divide what is allowed at once and in a
    /// second among them.
    pub fn set_processes(&self, processes: u32) {
        self.hosts.set_processes(processes);
    }

    /// Waits until hosts went down or came up again, and returns them, each in its last state.
    pub async fn host_changes(&self) -> Vec<(OrganizationId, HostChange)> {
        self.hosts.changes().await
    }

    /// Hears which hosts are down, as all processes found out: requests to them are refused here,
    /// too. One that was told of before, and is not any more, is up again.
    pub fn hear_of_hosts(&self, down: &[(OrganizationId, Down)], now: Timestamp) {
        self.hosts.hear(down, now);
    }

    /// Waits for a turn at a host.
    pub(crate) async fn turn_at(
        &self,
        network: &Network,
        (host, port): (&str, u16),
        since: Timestamp,
        now: Timestamp,
    ) -> Result<Turn, NotNow> {
        let way = Way {
            owner: network.owner,
            rules: &network.rules,
            host,
            port,
        };
        self.hosts.turn(way, since, now).await
    }

    /// Returns the client of a network, made when there is none yet.
    pub(crate) fn of(&self, network: &Network) -> Arc<WebClient> {
        if let Some(client) = self.find(network) {
            return client;
        }
        let guard = Guard::new(network).through(self.proxy.get().cloned());
        let made = Arc::new(WebClient::new(guard));
        let within = Within {
            allowed: network.allowed.clone(),
            encryption: network.rules.encryption,
        };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST {
            kept.remove(0);
        }
        kept.push((within, Arc::clone(&made)));
        made
    }

    fn find(&self, network: &Network) -> Option<Arc<WebClient>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|(within, _)| {
            within.allowed == network.allowed && within.encryption == network.rules.encryption
        })?;
        if at + 1 < kept.len() {
            let used = kept.remove(at);
            kept.push(used);
        }
        kept.last().map(|(_, client)| Arc::clone(client))
    }
}
