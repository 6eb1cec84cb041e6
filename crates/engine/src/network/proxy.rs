//! The proxy that a process sends everything through, where it has one.
//!
//! Names are resolved and judged here first, as without it; then the proxy is asked to connect to
//! the judged address, by number (CONNECT, RFC 9110, 9.3.6), whatever is sent then. So it cannot be
//! made to look a name up again, and what it carries is encrypted from here to the service where
//! that is encrypted at all. Addresses of this machine are reached without it.

pub(crate) mod client;

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::{Host, Url};

/// Most that a proxy says before what it carries, in bytes.
const HEAD: usize = 8 * 1024;

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
    async fn way(&self, to: SocketAddr) -> io::Result<TcpStream> {
        let reached = TcpStream::connect((self.host.as_str(), self.port)).await;
        let mut stream =
            reached.map_err(|error| io::Error::new(error.kind(), format!("the proxy: {error}")))?;
        let authorization = self
            .authorization
            .as_ref()
            .map_or_else(String::new, |value| {
                format!("Proxy-Authorization: {value}\r\n")
            });
        let ask = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n{authorization}\r\n");
        stream.write_all(ask.as_bytes()).await?;
        let mut head = Vec::new();
        // Byte by byte: what stands behind the head is what the service says.
        while !head.ends_with(b"\r\n\r\n") {
            if head.len() >= HEAD {
                return Err(io::Error::other("the proxy says too much"));
            }
            head.push(stream.read_u8().await.map_err(|error| {
                io::Error::new(error.kind(), "the proxy closed the connection")
            })?);
        }
        let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line);
        let mut words = line.split(' ');
        let is_http = words.next().is_some_and(|word| word.starts_with("HTTP/1."));
        match words.next().and_then(|word| word.parse::<u16>().ok()) {
            Some(200..=299) if is_http => Ok(stream),
            Some(407) => Err(io::Error::other(
                "the proxy asks who we are, or does not take what it was told (407)",
            )),
            Some(status) => Err(io::Error::other(format!("the proxy answered {status}"))),
            None => Err(io::Error::other("the proxy does not speak HTTP")),
        }
    }
}

/// Connects to an address that was judged, through the proxy where there is one.
pub(super) async fn connect(proxy: Option<&Proxy>, to: SocketAddr) -> io::Result<TcpStream> {
    match proxy.filter(|_| !is_own(to.ip())) {
        Some(proxy) => proxy.way(to).await,
        None => TcpStream::connect(to).await,
    }
}

fn is_own(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests;
