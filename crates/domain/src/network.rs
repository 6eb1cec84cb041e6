//! What requests of an organization keep to, wherever they go, and which hosts are down.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::Timestamp;
use crate::limit::{HOST_AT_ONCE, HOST_PER_SECOND};

/// What the requests of an organization keep to. Default: nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// Which requests have to be encrypted.
    #[serde(default)]
    pub encryption: Encryption,
    /// Most requests at once to one host (name and port); `None` for any number. Of what is set,
    /// each process that runs integrations has its part, but at least one.
    #[serde(default)]
    pub at_once: Option<u32>,
    /// Most requests in a second to one host; `None` for any number. Processes divide it, too.
    #[serde(default)]
    pub per_second: Option<u32>,
}

/// Which requests have to be encrypted; also what mail servers and databases are asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encryption {
    /// None.
    #[default]
    Free,
    /// All but those to addresses and names that an Admin allowed.
    Public,
    /// All.
    All,
}

/// Why rules cannot be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Not a number of requests at once.
    #[error("Write how many requests at once, from 1 to {HOST_AT_ONCE}, or nothing for no limit.")]
    AtOnce,
    /// Not a number of requests a second.
    #[error(
        "Write how many requests a second, from 1 to {HOST_PER_SECOND}, or nothing for no limit."
    )]
    PerSecond,
}

impl Rules {
    /// Checks rules before they are set.
    ///
    /// # Errors
    /// When a limit is 0 or beyond its bound.
    pub fn check(self) -> Result<Self, Refusal> {
        let fits = |limit: Option<u32>, most| limit.is_none_or(|limit| (1..=most).contains(&limit));
        if !fits(self.at_once, HOST_AT_ONCE) {
            return Err(Refusal::AtOnce);
        }
        if !fits(self.per_second, HOST_PER_SECOND) {
            return Err(Refusal::PerSecond);
        }
        Ok(self)
    }
}

/// A host that failed so often in a row that requests to it are refused, until one that is sent to
/// see whether it is up again (a probe) succeeds. Known for one organization alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Down {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Since when requests are refused.
    pub since: Timestamp,
    /// When the next probe may go.
    pub until: Timestamp,
    /// How many requests in a row failed.
    pub failures: u32,
    /// How the last one failed, such as `answered 503`; never what the host said.
    pub why: String,
}

impl Down {
    /// Returns whether an origin of a connection, such as `https://api.example.com` or
    /// `smtp://mail.example.com:587`, is this host.
    pub fn is_at(&self, origin: &str) -> bool {
        let Some((scheme, rest)) = origin.split_once("://") else {
            return false;
        };
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        let named = |name: &str| {
            let name = name.trim_start_matches('[').trim_end_matches(']');
            name.eq_ignore_ascii_case(host)
        };
        let well_known = match scheme {
            "http" => Some(80),
            "https" => Some(443),
            _ => None,
        };
        let with_port = rest
            .rsplit_once(':')
            .and_then(|(name, port)| Some((name, port.parse::<u16>().ok()?)))
            // The last group of an address of version 6 is no port.
            .filter(|(name, _)| !name.contains(':') || name.ends_with(']'));
        match with_port {
            Some((name, port)) => named(name) && port == self.port,
            None => named(rest) && well_known == Some(self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_numbers_within_bounds_or_none() {
        let rules = |at_once, per_second| Rules {
            at_once,
            per_second,
            ..Rules::default()
        };
        for fits in [
            rules(None, None),
            rules(Some(1), Some(1)),
            rules(Some(HOST_AT_ONCE), Some(HOST_PER_SECOND)),
        ] {
            assert_eq!(fits.check(), Ok(fits));
        }
        for wrong in [0, HOST_AT_ONCE + 1, u32::MAX] {
            assert_eq!(rules(Some(wrong), None).check(), Err(Refusal::AtOnce));
        }
        for wrong in [0, HOST_PER_SECOND + 1] {
            assert_eq!(rules(None, Some(wrong)).check(), Err(Refusal::PerSecond));
        }
    }

    #[test]
    fn rules_that_were_kept_before_there_were_any_are_none() {
        let read: Rules = serde_json::from_str("{}").expect("nothing is needed");
        assert_eq!(read, Rules::default());
    }

    #[test]
    fn a_host_is_found_among_origins_by_name_and_port() {
        let down = |host: &str, port| Down {
            host: host.to_owned(),
            port,
            since: Timestamp(0),
            until: Timestamp(0),
            failures: 10,
            why: String::new(),
        };
        for (host, port, origin, is_at) in [
            ("api.example.com", 443, "https://api.example.com", true),
            ("api.example.com", 443, "https://API.example.com:443", true),
            ("api.example.com", 80, "https://api.example.com", false),
            ("api.example.com", 80, "http://api.example.com", true),
            ("api.example.com", 443, "https://example.com", false),
            ("mail.example.com", 587, "smtp://mail.example.com:587", true),
            ("mail.example.com", 25, "smtp://mail.example.com:587", false),
            ("::1", 8080, "http://[::1]:8080", true),
            ("[::1]", 80, "http://[::1]", true),
            ("api.example.com", 443, "api.example.com", false),
        ] {
            assert_eq!(down(host, port).is_at(origin), is_at, "{host} {origin}");
        }
    }
}
