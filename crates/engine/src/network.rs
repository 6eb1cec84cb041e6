//! What an integration may reach: public addresses, and what an Admin has allowed.
//!
//! Every address is judged at the moment of connecting, after the name was resolved, so that a
//! name that changes its answer gains nothing.

mod address;
pub(crate) mod dial;
mod host;
pub(crate) mod hosts;
pub(crate) mod proxy;
pub(crate) mod resolve;
pub(crate) mod tls;
pub(crate) mod web;

use std::net::IpAddr;
#[cfg(test)]
use std::net::SocketAddr;
use std::sync::Arc;

use domain::OrganizationId;
use domain::network::{Encryption, Rules};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use url::{Host, Url};

use address::Range;
pub(crate) use host::Told;
pub use proxy::Proxy;

/// What the integrations of an organization may reach, and how. Default: public addresses only, in
/// any way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Network {
    /// Whose it is: what is known of hosts is known for it alone.
    #[serde(skip)]
    pub owner: Option<OrganizationId>,
    /// Ranges such as `127.0.0.0/8`, single addresses, or host names, set by an Admin.
    pub allowed: Vec<String>,
    /// What requests keep to, wherever they go.
    #[serde(default)]
    pub rules: Rules,
}

/// Why a text cannot be allowed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "`{0}` is neither a range such as 10.1.0.0/16, nor an address, nor a host name such as crm.example.com."
)]
pub struct RangeError(pub String);

impl Network {
    /// Returns a network in which these are allowed besides public addresses.
    pub fn allowing(allowed: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            allowed: allowed.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }

    /// Checks one text before an Admin allows it.
    ///
    /// # Errors
    /// When it is neither a range, nor an address, nor a host name.
    pub fn check(text: &str) -> Result<(), RangeError> {
        Allowed::parse(text)
            .map(drop)
            .ok_or_else(|| RangeError(text.chars().take(80).collect()))
    }
}

/// One entry of [`Network::allowed`], read.
#[derive(Debug)]
enum Allowed {
    Range(Range),
    Host(String),
}

impl Allowed {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        Range::parse(text)
            .map(Self::Range)
            .or_else(|| host_name(text).map(Self::Host))
    }
}

/// Reads a host name as the URL parser would, so that both are compared in one form.
fn host_name(text: &str) -> Option<String> {
    if text.contains(['/', ':', '@', '?', '#', '%', '*']) || text.is_empty() {
        return None;
    }
    match Host::parse(text) {
        Ok(Host::Domain(name)) => Some(name.trim_end_matches('.').to_owned()),
        _ => None,
    }
    .filter(|name| !name.is_empty() && name.len() <= 253)
}

/// Decides what may be reached; built once per [`Network`].
#[derive(Debug)]
pub(crate) struct Guard {
    allowed: Vec<Allowed>,
    encryption: Encryption,
    /// What everything that it lets through is sent through.
    proxy: Option<Arc<Proxy>>,
    /// What answers for names instead of the system, in tests of names that change their answer.
    #[cfg(test)]
    names: Option<fn(&str) -> Vec<SocketAddr>>,
}

/// Whether what is sent can be read on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// It cannot.
    Encrypted,
    /// It can.
    Plain,
}

impl Form {
    /// Returns in which form a request to an address is sent.
    pub(crate) fn of(url: &Url) -> Self {
        match url.scheme() {
            "https" => Form::Encrypted,
            _ => Form::Plain,
        }
    }
}

/// Why an address is not reached, in a sentence for whoever built the integration.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum Refusal {
    #[error(
        "`{0}` is a private or local address, which integrations may not reach. An Admin can allow it in the network settings."
    )]
    Private(String),
    #[error("The URL begins with `{0}:`. Only http and https addresses can be called.")]
    Scheme(String),
    #[error(
        "The URL holds a user name or password. Remove it and send an Authorization header instead."
    )]
    UserInfo,
    #[error("The URL has no host. Write it as in https://api.example.com/orders.")]
    NoHost,
    #[error(
        "`{0}` would be reached without encryption, which the organization's network settings do not allow. Use https, or encryption in the connection; an Admin can change the setting."
    )]
    Plain(String),
}

impl Guard {
    /// Returns the guard of a network. An entry that cannot be read allows nothing.
    pub(crate) fn new(network: &Network) -> Self {
        let allowed = network
            .allowed
            .iter()
            .filter_map(|text| Allowed::parse(text));
        Self {
            allowed: allowed.collect(),
            encryption: network.rules.encryption,
            proxy: None,
            #[cfg(test)]
            names: None,
        }
    }

    /// Sends what it lets through through a proxy, if there is one.
    pub(crate) fn through(self, proxy: Option<Arc<Proxy>>) -> Self {
        Self { proxy, ..self }
    }

    /// Checks all of a URL that can be judged before its name is resolved. The `url` crate has
    /// already turned octal, hexadecimal, shortened and full-width forms into an address.
    pub(crate) fn check_url(&self, url: &Url) -> Result<(), Refusal> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Refusal::Scheme(url.scheme().to_owned()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refusal::UserInfo);
        }
        let form = Form::of(url);
        match url.host() {
            None => Err(Refusal::NoHost),
            Some(Host::Domain(name)) => self.check_name(name, form),
            Some(Host::Ipv4(ip)) => self.check_literal(ip.into(), form),
            Some(Host::Ipv6(ip)) => self.check_literal(ip.into(), form),
        }
    }

    /// Checks what is known of a name before it is resolved.
    fn check_name(&self, name: &str, form: Form) -> Result<(), Refusal> {
        match (form, self.encryption) {
            (Form::Plain, Encryption::All) => Err(Refusal::Plain(name.to_owned())),
            _ => Ok(()),
        }
    }

    fn check_literal(&self, ip: IpAddr, form: Form) -> Result<(), Refusal> {
        if self.may_reach(ip, form) {
            Ok(())
        } else if self.may_reach(ip, Form::Encrypted) {
            Err(Refusal::Plain(ip.to_string()))
        } else {
            Err(Refusal::Private(ip.to_string()))
        }
    }

    /// Returns whether an address may be reached in a form, whatever its name.
    fn may_reach(&self, ip: IpAddr, form: Form) -> bool {
        let is_allowed = |ip: IpAddr| {
            self.allowed
                .iter()
                .any(|allowed| matches!(allowed, Allowed::Range(range) if range.contains(ip)))
        };
        let is_allowed = is_allowed(ip) || is_allowed(ip.to_canonical());
        match (form, self.encryption) {
            (Form::Encrypted, _) | (Form::Plain, Encryption::Free) => {
                is_allowed || address::is_public(ip)
            }
            (Form::Plain, Encryption::Public) => is_allowed,
            (Form::Plain, Encryption::All) => false,
        }
    }

    /// Returns whether a name was allowed, with whatever addresses it has.
    fn allows_name(&self, name: &str) -> bool {
        let name = name.trim_end_matches('.');
        self.allowed.iter().any(
            |allowed| matches!(allowed, Allowed::Host(host) if host.eq_ignore_ascii_case(name)),
        )
    }
}

#[cfg(test)]
mod rebinding;
#[cfg(test)]
mod tests;
