//! Encrypts connections to servers that are no web services.

use std::sync::{Arc, OnceLock};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

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
    let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
    let config = if certificates.is_empty() {
        of_machine()?
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
    let connector = TlsConnector::from(config);
    let encrypted = connector.connect(name, stream).await;
    encrypted.map_err(|error| error.to_string())
}

/// Returns what trusts the authorities of this machine. They are read from its disk once.
fn of_machine() -> Result<Arc<ClientConfig>, String> {
    static KEPT: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if let Some(kept) = KEPT.get() {
        return Ok(Arc::clone(kept));
    }
    let verified = ClientConfig::builder().with_platform_verifier();
    let config = verified
        .map_err(|error| error.to_string())?
        .with_no_client_auth();
    Ok(Arc::clone(KEPT.get_or_init(|| Arc::new(config))))
}
