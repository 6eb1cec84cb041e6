//! Opens connections to servers that are no web services, to addresses that may be reached only.

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use thiserror::Error;
use tokio::net::TcpStream;
use url::Host;

use super::proxy::{NoWay, connect};
use super::{Form, Guard, Refusal, resolve};

/// Most addresses of one name that are tried.
const ADDRESSES: usize = 8;

/// How long one address is waited for, so that there is time left for the next.
const PATIENCE: Duration = Duration::from_secs(5);

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

/// Connects to a server, to send in this form. The name is resolved here, once, and what it resolved to is judged: what
/// the name means a moment later changes nothing.
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
    let mut last = NoWay::There("it has no address".to_owned());
    for address in addresses.into_iter().take(ADDRESSES) {
        let address = SocketAddr::new(address.ip(), port);
        match connect(guard.proxy.as_deref(), address, PATIENCE).await {
            Ok(stream) => {
                // Short questions and answers: none waits to be joined with the next.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(no_way) => last = no_way,
        }
        // There is no other way to the other addresses.
        if let NoWay::Unreached(_) = last {
            break;
        }
    }
    let host = host.to_owned();
    Err(match last {
        NoWay::There(why) => Unreached::Down { host, port, why },
        NoWay::Unreached(why) | NoWay::Refused(why) => Unreached::Proxy { host, port, why },
    })
}

fn refusal(error: &(dyn Error + 'static)) -> Option<Refusal> {
    error.downcast_ref().cloned()
}
