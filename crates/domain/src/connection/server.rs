//! Servers that are logged in to over a connection of their own, not by a web address: where they
//! are, and how the way there is protected.

use serde::{Deserialize, Serialize};

use super::origin::host_name;
use super::{Kind, Refusal};
use crate::account::check_email;

/// Most bytes of the certificates that a server is trusted by.
const CERTIFICATES: usize = 32 * 1024;
/// Most characters of the name of a database (PostgreSQL keeps 63 bytes).
const DATABASE: usize = 63;

/// Where a server is, and what is asked of it beside a user and a password.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// A host name, or an address; of version 6 without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the way there is protected.
    pub tls: Tls,
    /// The database, of PostgreSQL; else empty.
    #[serde(default)]
    pub database: String,
    /// The address that e-mails come from, of SMTP; else empty.
    #[serde(default)]
    pub sender: String,
    /// Certificates (PEM) of authorities that alone are trusted for it; empty to trust those that
    /// this machine trusts.
    #[serde(default)]
    pub certificates: String,
}

/// How the way to a server is protected. Whatever is encrypted is checked: the certificate must be
/// the host's, from an authority that is trusted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tls {
    /// Asked for before anything else is said: STARTTLS of SMTP (RFC 3207), SSLRequest of
    /// PostgreSQL. A server that has none is not used.
    #[default]
    Upgraded,
    /// From the first byte on (RFC 8314, 3.3).
    Direct,
    /// Not at all.
    Off,
}

impl Tls {
    /// Returns the ways that a kind of server can be reached, the usual one first.
    pub const fn of(kind: Kind) -> &'static [Tls] {
        match kind {
            Kind::Smtp => &[Tls::Upgraded, Tls::Direct, Tls::Off],
            _ => &[Tls::Upgraded, Tls::Off],
        }
    }

    /// Returns the word that is stored and sent.
    pub const fn key(self) -> &'static str {
        match self {
            Tls::Upgraded => "upgraded",
            Tls::Direct => "direct",
            Tls::Off => "off",
        }
    }

    /// Returns the one with that key.
    pub fn from_key(key: &str) -> Option<Self> {
        let all = [Tls::Upgraded, Tls::Direct, Tls::Off];
        all.into_iter().find(|tls| tls.key() == key)
    }

    /// Returns the name on screen.
    pub const fn title(self, kind: Kind) -> &'static str {
        match (self, kind) {
            (Tls::Upgraded, Kind::Smtp) => "STARTTLS (usually port 587)",
            (Tls::Upgraded, _) => "Encrypted",
            (Tls::Direct, _) => "TLS from the start (usually port 465)",
            (Tls::Off, _) => "Not encrypted",
        }
    }
}

impl Server {
    /// Returns where the connection may be sent, as [`super::origin`] writes it for web addresses.
    pub fn origin(&self, kind: Kind) -> String {
        let scheme = kind.key();
        match self.host.contains(':') {
            true => format!("{scheme}://[{}]:{}", self.host, self.port),
            false => format!("{scheme}://{}:{}", self.host, self.port),
        }
    }

    /// Returns whether a password that was given for `other` would go the same way to this one.
    pub(super) fn is_same_way(&self, other: &Self) -> bool {
        (&self.host, self.port, self.tls, &self.certificates)
            == (&other.host, other.port, other.tls, &other.certificates)
    }

    /// Returns whether it is named by a number, or is this machine: there a password may go as it
    /// is, as a secret may to such an address of a provider.
    fn is_address(&self) -> bool {
        self.host.parse::<std::net::IpAddr>().is_ok() || self.host == "localhost"
    }

    /// Checks what was typed, and returns it as it is kept. `has_login` says whether a password
    /// goes there.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub(super) fn check(&self, kind: Kind, has_login: bool) -> Result<Self, Refusal> {
        let host = self.host.trim().to_ascii_lowercase();
        let inner = host
            .strip_prefix('[')
            .and_then(|inner| inner.strip_suffix(']'))
            .unwrap_or(&host);
        let host = match inner.parse::<std::net::Ipv6Addr>() {
            Ok(address) => address.to_string(),
            Err(_) => host_name(&host)
                .ok_or_else(|| Refusal::Host(crate::template::short(&self.host).to_string()))?,
        };
        if self.port == 0 {
            return Err(Refusal::Port);
        }
        let certificates = self.certificates.trim();
        let is_pem = certificates.is_empty()
            || certificates.contains("-----BEGIN CERTIFICATE-----")
                && !certificates.contains("PRIVATE KEY");
        if !is_pem || certificates.len() > CERTIFICATES || !certificates.is_ascii() {
            return Err(Refusal::Certificates);
        }
        let server = Self {
            host,
            port: self.port,
            tls: self.tls,
            database: self.database.trim().to_owned(),
            sender: self.sender.trim().to_owned(),
            certificates: certificates.to_owned(),
        };
        if !Tls::of(kind).contains(&server.tls) {
            return Err(Refusal::Tls);
        }
        // SMTP sends a password as it is; PostgreSQL proves that it knows it (SCRAM), and what
        // would be sent as it is, is not sent.
        if kind == Kind::Smtp && has_login && server.tls == Tls::Off && !server.is_address() {
            return Err(Refusal::Tls);
        }
        match kind {
            Kind::Smtp => {
                let is_sender = check_email(&server.sender).is_ok() && server.sender.is_ascii();
                if !is_sender || server.sender.contains(['<', '>', '"', ',', ';']) {
                    return Err(Refusal::Sender);
                }
                Ok(Self {
                    database: String::new(),
                    ..server
                })
            }
            _ => {
                let is_name = (1..=DATABASE).contains(&server.database.len());
                if !is_name || server.database.chars().any(char::is_control) {
                    return Err(Refusal::Database);
                }
                Ok(Self {
                    sender: String::new(),
                    ..server
                })
            }
        }
    }
}
