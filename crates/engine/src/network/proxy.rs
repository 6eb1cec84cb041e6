//! The proxy that a process sends everything through, where it has one.
//!
//! Names are resolved and judged here first, as without it; then the proxy is asked to connect to
//! the judged address, by number (CONNECT, RFC 9110, 9.3.6), whatever is sent then. So it cannot be
//! made to look a name up again, and what it carries is encrypted from here to the service where
//! that is encrypted at all. Addresses of this machine are reached without it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use url::{Host, Url};

/// Most that a proxy says before what it carries, in bytes.
const HEAD: usize = 8 * 1024;
/// What is said of who does not answer in time.
const SILENT: &str = "it does not answer";

/// A proxy. What proves to it who asks is in no `Debug`, and so in no log.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    host: String,
    port: u16,
    /// The value of `Proxy-Authorization`.
    authorization: Option<String>,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Proxy({}:{})", self.host, self.port)
    }
}

impl Proxy {
    /// Reads `http://[user:password@]host:port`; `None` when it is something else.
    pub fn read(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        if url.scheme() != "http" || !matches!(url.path(), "" | "/") || url.query().is_some() {
            return None;
        }
        let host = match url.host()? {
            Host::Domain(name) => name.to_owned(),
            Host::Ipv4(ip) => ip.to_string(),
            Host::Ipv6(ip) => ip.to_string(),
        };
        let decoded = |text: &str| -> Option<String> {
            let pair = format!("={}", text.replace('+', "%2B"));
            let (_, decoded) = url::form_urlencoded::parse(pair.as_bytes()).next()?;
            Some(decoded.into_owned())
        };
        let (user, password) = (url.username(), url.password().unwrap_or_default());
        let authorization = match (user, password) {
            ("", "") => None,
            _ => {
                let pair = format!("{}:{}", decoded(user)?, decoded(password)?);
                Some(format!("Basic {}", BASE64_STANDARD.encode(pair)))
            }
        };
        Some(Self {
            host,
            port: url.port_or_known_default()?,
            authorization,
        })
    }

    /// Opens a way to an address.
    ///
    /// # Errors
    /// When the proxy is not reached, or does not connect.
    async fn way(&self, to: SocketAddr, patience: Duration) -> Result<TcpStream, NoWay> {
        let until = Instant::now() + patience;
        let reached = timeout_at(until, TcpStream::connect((self.host.as_str(), self.port))).await;
        let mut stream = match reached {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(NoWay::Unreached(error.to_string())),
            Err(_) => return Err(NoWay::Unreached(SILENT.to_owned())),
        };
        match timeout_at(until, self.ask(&mut stream, to)).await {
            Ok(asked) => asked.map(|()| stream),
            // It tries to connect there, and nothing comes back.
            Err(_) => Err(NoWay::There(SILENT.to_owned())),
        }
    }

    /// Asks the proxy, which was reached, to connect.
    async fn ask(&self, stream: &mut TcpStream, to: SocketAddr) -> Result<(), NoWay> {
        let authorization = self
            .authorization
            .as_ref()
            .map_or_else(String::new, |value| {
                format!("Proxy-Authorization: {value}\r\n")
            });
        let ask = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n{authorization}\r\n");
        let closed = |_| NoWay::Unreached("it closed the connection".to_owned());
        stream.write_all(ask.as_bytes()).await.map_err(closed)?;
        let mut head = Vec::new();
        // Byte by byte: what stands behind the head is what the service says.
        while !head.ends_with(b"\r\n\r\n") {
            if head.len() >= HEAD {
                return Err(NoWay::Unreached("it says too much".to_owned()));
            }
            head.push(stream.read_u8().await.map_err(closed)?);
        }
        let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line);
        let mut words = line.split(' ');
        let is_http = words.next().is_some_and(|word| word.starts_with("HTTP/1."));
        let status = words.next().and_then(|word| word.parse::<u16>().ok());
        Err(match status.filter(|_| is_http) {
            Some(200..=299) => return Ok(()),
            Some(407) => NoWay::Refused(
                "it asks who we are, or does not take what it was told (407)".to_owned(),
            ),
            // Bad Gateway and Gateway Timeout (RFC 9110, 15.6): it is in order, and asked in vain.
            // Squid says so by Service Unavailable.
            Some(status @ 502..=504) => NoWay::There(format!("the proxy answered {status}")),
            Some(status) => NoWay::Refused(format!("it answered {status}")),
            None => NoWay::Unreached("it does not speak HTTP".to_owned()),
        })
    }
}

/// Why there is no connection to an address.
#[derive(Debug)]
pub(super) enum NoWay {
    /// The address does not answer.
    There(String),
    /// The proxy is not there, or is none.
    Unreached(String),
    /// The proxy does not connect to it.
    Refused(String),
}

/// Connects to an address that was judged, through the proxy where there is one.
///
/// # Errors
/// Whose fault it is that there is no connection within this time.
pub(super) async fn connect(
    proxy: Option<&Proxy>,
    to: SocketAddr,
    patience: Duration,
) -> Result<TcpStream, NoWay> {
    if let Some(proxy) = proxy.filter(|_| !is_own(to.ip())) {
        return proxy.way(to, patience).await;
    }
    match timeout(patience, TcpStream::connect(to)).await {
        Ok(connected) => connected.map_err(|error| NoWay::There(error.to_string())),
        Err(_) => Err(NoWay::There(SILENT.to_owned())),
    }
}

fn is_own(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests;
