//! The way to a server: what carries bytes, and how the steps get one that log in to a server.

use domain::connection::{Server, Tls};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::http::Failure;
use crate::network::dial::{Unreached, dial};
use crate::network::tls;
use crate::network::{Form, Guard};

/// The way to a server, encrypted or not.
pub(crate) trait Way: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Way for T {}

/// Connects to the server of a connection, if it may be reached.
///
/// # Errors
/// When it may not, for good; when it is not found or does not answer, another attempt may do
/// better.
pub(crate) async fn reach(guard: &Guard, server: &Server) -> Result<TcpStream, Failure> {
    let form = match server.tls {
        Tls::Off => Form::Plain,
        Tls::Direct | Tls::Upgraded => Form::Encrypted,
    };
    let connected = dial(guard, &server.host, server.port, form).await;
    connected.map_err(|unreached| match unreached {
        Unreached::Refused(_) => Failure::never(unreached.to_string()),
        Unreached::Unknown(_) | Unreached::Down { .. } => Failure::transient(unreached.to_string()),
        Unreached::Proxy { .. } => Failure::at_proxy(unreached.to_string()),
    })
}

/// Encrypts the way to a server, once that has proved who it is.
///
/// # Errors
/// A sentence that says why it did not.
pub(crate) async fn encrypt(tcp: TcpStream, server: &Server) -> Result<Box<dyn Way>, Failure> {
    match tls::encrypt(tcp, &server.host, &server.certificates).await {
        Ok(way) => Ok(Box::new(way)),
        Err(error) => Err(Failure::transient(format!(
            "No encrypted connection to `{}` came about: {error}. An Admin checks host, port, encryption and certificates of the connection.",
            server.host
        ))),
    }
}
