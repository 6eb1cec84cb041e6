//! Opens connections to servers, to addresses that may be reached only.

use std::collections::VecDeque;
use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use socket2::{SockRef, TcpKeepalive};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::sleep;
use url::Host;

use super::proxy::{NoWay, connect};
use super::{Form, Guard, Refusal, resolve};

/// Most addresses of one name that are tried.
const ADDRESSES: usize = 8;

/// How long one address is waited for.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// How long an address is waited for before the next is tried beside it (RFC 8305, 5): where a
/// network drops what goes to addresses of one family, each connection would wait in vain first.
pub(super) const HEAD_START: Duration = Duration::from_millis(250);

/// How long a connection may be silent before it is asked whether the other side is there: less than
/// what forgets silent connections on the way, as a service may think for minutes.
const SILENCE: Duration = Duration::from_secs(15);

/// How long what was sent may go unacknowledged: the other side vanished.
const UNHEARD: Duration = Duration::from_secs(30);

/// Why a server was not reached.
#[derive(Debug, Error)]
pub(crate) enum Unreached {
    /// It may not be.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Nothing is called so.
    #[error("The name `{0}` was not found. An Admin checks the host of the connection.")]
    Unknown(String),
    /// It does not answer.
    #[error(
        "Could not connect to `{host}` on port {port}: {why}. Check that the server is up, and let an Admin check the connection."
    )]
    Down {
        /// What it is called.
        host: String,
        /// Where it was looked for.
        port: u16,
        /// What the system said.
        why: String,
    },
    /// The proxy does not let it through: that says nothing of the server.
    #[error(
        "The proxy that this server sends everything through did not let it through to `{host}` on port {port}: {why}. Nothing was sent there; whoever runs this server checks the proxy."
    )]
    Proxy {
        /// What was to be reached.
        host: String,
        /// And where.
        port: u16,
        /// What the proxy or the system said.
        why: String,
    },
}

/// Connects to a server, to send in this form. The name is resolved here, once, and what it resolved
/// to is judged: what the name means a moment later changes nothing.
///
/// # Errors
/// When it may not be reached, or does not answer. The caller bounds the time.
pub(crate) async fn dial(
    guard: &Guard,
    host: &str,
    port: u16,
    form: Form,
) -> Result<TcpStream, Unreached> {
    let unknown = || Unreached::Unknown(host.to_owned());
    let bracketed = match host.contains(':') {
        true => format!("[{host}]"),
        false => host.to_owned(),
    };
    // As a URL parser reads it: octal, hexadecimal and shortened numbers are addresses, too.
    let addresses = match Host::parse(&bracketed).map_err(|_| unknown())? {
        Host::Domain(name) => resolve::reachable(guard, &name, form)
            .await
            .map_err(|error| refusal(&*error).map_or_else(unknown, Unreached::Refused))?,
        Host::Ipv4(ip) => {
            guard.check_literal(ip.into(), form)?;
            vec![SocketAddr::new(ip.into(), 0)]
        }
        Host::Ipv6(ip) => {
            guard.check_literal(ip.into(), form)?;
            vec![SocketAddr::new(ip.into(), 0)]
        }
    };
    let host = host.to_owned();
    match first(guard, in_turn(addresses), port).await {
        Ok(stream) => {
            set_up(&stream);
            Ok(stream)
        }
        Err(NoWay::There(why)) => Err(Unreached::Down { host, port, why }),
        Err(NoWay::Unreached(why) | NoWay::Refused(why)) => {
            Err(Unreached::Proxy { host, port, why })
        }
    }
}

/// Sets what a connection should have. One that cannot be set up so is as good, but for that.
fn set_up(stream: &TcpStream) {
    // Short questions and answers: none waits to be joined with the next.
    let _ = stream.set_nodelay(true);
    let socket = SockRef::from(stream);
    let alive = TcpKeepalive::new()
        .with_time(SILENCE)
        .with_interval(SILENCE)
        .with_retries(3);
    let _ = socket.set_tcp_keepalive(&alive);
    // Nobody is asked for that while something is unacknowledged.
    #[cfg(target_os = "linux")]
    let _ = socket.set_tcp_user_timeout(Some(UNHEARD));
}

/// Puts addresses of the two families in turn, beginning with the first (RFC 8305, 4).
pub(super) fn in_turn(addresses: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    let begins = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (one, other): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == begins);
    let mut other = other.into_iter();
    let mut turns = VecDeque::new();
    for address in one {
        turns.push_back(address);
        turns.extend(other.next());
    }
    turns.extend(other);
    turns.truncate(ADDRESSES);
    turns
}

/// Connects to whichever address answers first. A proxy is asked for one after the other, as all of
/// them are reached over it.
async fn first(
    guard: &Guard,
    mut addresses: VecDeque<SocketAddr>,
    port: u16,
) -> Result<TcpStream, NoWay> {
    let proxy = guard.proxy.as_deref();
    let mut trying = FuturesUnordered::new();
    let mut last = NoWay::There("it has no address".to_owned());
    loop {
        if let Some(address) = addresses.pop_front() {
            trying.push(connect(
                proxy,
                SocketAddr::new(address.ip(), port),
                PATIENCE,
            ));
        }
        tokio::select! {
            biased;
            came = trying.next() => match came {
                None => return Err(last),
                Some(Ok(stream)) => return Ok(stream),
                // There is no other way to the other addresses.
                Some(Err(NoWay::Unreached(why))) => return Err(NoWay::Unreached(why)),
                Some(Err(no_way)) => last = no_way,
            },
            () = sleep(HEAD_START), if proxy.is_none() && !addresses.is_empty() => {}
        }
    }
}

fn refusal(error: &(dyn Error + 'static)) -> Option<Refusal> {
    error.downcast_ref().cloned()
}
