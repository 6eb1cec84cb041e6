//! Encrypts connections.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How long the other side may take to prove who it is: a connection may be opened for a request
/// that is not waited for any more, so nobody else ends this.
const PATIENCE: Duration = Duration::from_secs(10);

/// Encrypts a connection, once the other side has proved that it is `host`: to an authority of
/// `certificates` (PEM), or where there are none, of this machine.
///
/// # Errors
/// What is wrong, without a full stop.
pub(crate) async fn encrypt(
    stream: TcpStream,
    host: &str,
    certificates: &str,
) -> Result<TlsStream<TcpStream>, String> {
    let config = if certificates.is_empty() {
        static KEPT: OnceLock<Arc<ClientConfig>> = OnceLock::new();
        of_machine(&KEPT, &[])?
    } else {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(certificates.as_bytes()) {
            let certificate =
                certificate.map_err(|_| "the connection's certificates are no PEM")?;
            roots
                .add(certificate)
                .map_err(|_| "one of the connection's certificates cannot be read")?;
        }
        let builder = ClientConfig::builder().with_root_certificates(roots);
        Arc::new(builder.with_no_client_auth())
    };
    handshake(config, stream, host).await
}

/// Encrypts a connection to a web service, once that has proved to an authority of this machine that
/// it is `host`, and says that HTTP/1.1 is spoken (RFC 7301).
///
/// # Errors
/// What is wrong, without a full stop.
pub(crate) async fn encrypt_web(
    stream: TcpStream,
    host: &str,
) -> Result<TlsStream<TcpStream>, String> {
    static KEPT: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    handshake(of_machine(&KEPT, &[b"http/1.1"])?, stream, host).await
}

async fn handshake(
    config: Arc<ClientConfig>,
    stream: TcpStream,
    host: &str,
) -> Result<TlsStream<TcpStream>, String> {
    let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
    let encrypted = TlsConnector::from(config).connect(name, stream);
    match timeout(PATIENCE, encrypted).await {
        Ok(encrypted) => encrypted.map_err(|error| error.to_string()),
        Err(_) => Err("it does not say who it is".to_owned()),
    }
}

/// Returns what trusts the authorities of this machine, as it is kept or made anew: they are read
/// from its disk once. `protocols` are those that may be spoken.
fn of_machine(
    kept: &OnceLock<Arc<ClientConfig>>,
    protocols: &[&[u8]],
) -> Result<Arc<ClientConfig>, String> {
    if let Some(kept) = kept.get() {
        return Ok(Arc::clone(kept));
    }
    let verified = ClientConfig::builder().with_platform_verifier();
    let mut config = verified
        .map_err(|error| error.to_string())?
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Ok(Arc::clone(kept.get_or_init(|| Arc::new(config))))
}
