//! How this process is set up: flags first, then the environment, then defaults.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use engine::port::Proxy;
use thiserror::Error;

use crate::arguments::Arguments;
use crate::mail::Mail;
use store::MasterKeys;

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Serves the page and takes webhooks; executes at once what only computes.
    Web,
    /// Executes all other runs.
    Worker,
    /// Both.
    All,
}

impl Role {
    /// Returns whether it serves the page and takes webhooks.
    pub const fn is_web(self) -> bool {
        matches!(self, Role::Web | Role::All)
    }

    /// Returns whether it executes runs of every kind.
    pub const fn is_worker(self) -> bool {
        matches!(self, Role::Worker | Role::All)
    }
}

/// How this process is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where metrics are served, never where people are; `None` for nowhere. Port 0 takes a free one.
    pub metrics_listen: Option<SocketAddr>,
    /// Where the private Postgres keeps its data.
    pub data_dir: PathBuf,
    /// The built page.
    pub site: PathBuf,
    /// What this process does.
    pub role: Role,
    /// Whether there is a demo organization with its services.
    pub demo: bool,
    /// The database; `None` for the private one.
    pub database_url: Option<String>,
    /// The scheme and host that people use, such as `https://sluice.example.com`, without `/` at the end.
    pub public_url: Option<String>,
    /// Whether a proxy in front of us sets `X-Forwarded-For`.
    pub trust_proxy: bool,
    /// How many runs are worked on at once.
    pub concurrency: usize,
    /// How members are told of reviews by e-mail; `None` when they are not.
    pub mail: Option<Mail>,
    /// Where the key that secrets are sealed under comes from.
    pub master_key: KeySource,
    /// What the requests of integrations are sent through; `None` for nothing.
    pub proxy: Option<Proxy>,
}

/// Where the master key comes from.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// It was given in the environment, with older ones behind it.
    Given(MasterKeys),
    /// A file holds it.
    File(PathBuf),
    /// A file beside the private Postgres; made when it is not there.
    Own(PathBuf),
    /// There is none: secrets can neither be kept nor used.
    Missing,
}

impl KeySource {
    fn read(
        variable: impl Fn(&str) -> Option<String>,
        data_dir: &Path,
        is_private: bool,
    ) -> Result<Self, Refusal> {
        let given = variable("SLUICE_MASTER_KEY");
        let file = variable("SLUICE_MASTER_KEY_FILE");
        match (given, file) {
            (Some(_), Some(_)) => Err(Refusal::TwoMasterKeys),
            (Some(text), None) => MasterKeys::read(&text)
                .map(KeySource::Given)
                .ok_or(Refusal::MasterKey),
            (None, Some(path)) => Ok(KeySource::File(path.into())),
            (None, None) if is_private => Ok(KeySource::Own(data_dir.join("master.key"))),
            (None, None) => Ok(KeySource::Missing),
        }
    }
}

/// Why a setting cannot be used.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Not an address to listen at.
    #[error("`{0}` is not an address to listen at. Write it like 127.0.0.1:8080.")]
    Listen(String),
    /// Metrics are not for everyone who reaches the page.
    #[error(
        "Metrics cannot be served at `{0}`, where people are served. Choose another address for --metrics-listen."
    )]
    MetricsListen(SocketAddr),
    /// Not a role.
    #[error("`{0}` is not a role. Choose web, worker or all.")]
    Role(String),
    /// Not the address of a site.
    #[error(
        "SLUICE_PUBLIC_URL is `{0}`. Write it like https://sluice.example.com, without a path."
    )]
    PublicUrl(String),
    /// Not a number of runs.
    #[error("SLUICE_CONCURRENCY is `{0}`. Write a number from 1 to 10000.")]
    Concurrency(String),
    /// Not an SMTP server. The setting may hold a password, so it is not repeated.
    #[error(
        "SLUICE_SMTP_URL cannot be used: {0}. Write it like smtps://user:password@smtp.example.com, with %40 for an @ in the password."
    )]
    SmtpUrl(String),
    /// Not a proxy. The setting may hold a password, so it is not repeated.
    #[error(
        "SLUICE_PROXY cannot be used. Write it like http://user:password@proxy.example.com:3128, with %40 for an @ in the password."
    )]
    Proxy,
    /// Not a sender.
    #[error("SLUICE_MAIL_FROM is `{0}`. Write it like Sluice <sluice@example.com>.")]
    MailFrom(String),
    /// Letters need a sender, and links in them.
    #[error("SLUICE_SMTP_URL is set, so {0} is needed as well. Set it.")]
    MailNeeds(&'static str),
    /// Not a key. It is a secret, so it is not repeated.
    #[error(
        "SLUICE_MASTER_KEY is not 64 hexadecimal digits, or several such keys with spaces between them."
    )]
    MasterKey,
    /// Which of them is meant?
    #[error("SLUICE_MASTER_KEY and SLUICE_MASTER_KEY_FILE are both set. Set one.")]
    TwoMasterKeys,
}

impl Config {
    /// Reads the settings; `environment` looks up a variable.
    ///
    /// # Errors
    /// At the first setting that cannot be used.
    pub fn read(
        arguments: &Arguments,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Refusal> {
        let variable = |name: &str| environment(name).filter(|value| !value.is_empty());
        let listen = arguments
            .listen
            .clone()
            .or_else(|| variable("SLUICE_LISTEN"));
        let listen = listen.unwrap_or_else(|| "127.0.0.1:8080".to_owned());
        let role = arguments.role.clone().or_else(|| variable("SLUICE_ROLE"));
        let listen: SocketAddr = listen.parse().map_err(|_| Refusal::Listen(listen))?;
        let metrics_listen: Option<SocketAddr> = arguments
            .metrics_listen
            .clone()
            .or_else(|| variable("SLUICE_METRICS_LISTEN"))
            .map(|text| text.parse().map_err(|_| Refusal::Listen(text)))
            .transpose()?;
        if let Some(address) = metrics_listen
            && address == listen
            && address.port() != 0
        {
            return Err(Refusal::MetricsListen(address));
        }
        let folder = |flag: &Option<PathBuf>, name: &str, default: &str| {
            flag.clone()
                .or_else(|| variable(name).map(PathBuf::from))
                .unwrap_or_else(|| default.into())
        };
        let public_url = variable("SLUICE_PUBLIC_URL").map(public_url).transpose()?;
        let smtp_url = variable("SLUICE_SMTP_URL");
        let mail_from = variable("SLUICE_MAIL_FROM");
        let data_dir = folder(&arguments.data_dir, "SLUICE_DATA_DIR", "data");
        let database_url = variable("DATABASE_URL");
        Ok(Self {
            master_key: KeySource::read(variable, &data_dir, database_url.is_none())?,
            listen,
            metrics_listen,
            data_dir,
            site: folder(&arguments.site, "SLUICE_SITE", "target/site"),
            role: match role.as_deref() {
                None | Some("all") => Role::All,
                Some("web") => Role::Web,
                Some("worker") => Role::Worker,
                Some(other) => return Err(Refusal::Role(other.to_owned())),
            },
            demo: arguments.demo,
            database_url,
            mail: smtp_url
                .map(|url| Mail::read(&url, mail_from.as_deref(), public_url.as_deref()))
                .transpose()?,
            proxy: variable("SLUICE_PROXY")
                .map(|text| Proxy::read(&text).ok_or(Refusal::Proxy))
                .transpose()?,
            public_url,
            trust_proxy: variable("SLUICE_TRUST_PROXY").is_some_and(|value| value == "1"),
            concurrency: match variable("SLUICE_CONCURRENCY") {
                None => 256,
                Some(text) => match text.parse() {
                    Ok(count @ 1..=10_000) => count,
                    _ => return Err(Refusal::Concurrency(text)),
                },
            },
        })
    }

    /// Returns whether people reach us over https only.
    pub fn is_secure(&self) -> bool {
        self.public_url
            .as_deref()
            .is_some_and(|url| url.starts_with("https://"))
    }
}

fn public_url(text: String) -> Result<String, Refusal> {
    let url = text.trim_end_matches('/');
    let parsed: Option<http::Uri> = url.parse().ok();
    let fits = parsed.is_some_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.authority().is_some()
            && uri.path() == "/"
            && uri.query().is_none()
    });
    if fits {
        Ok(url.to_owned())
    } else {
        Err(Refusal::PublicUrl(text))
    }
}

#[cfg(test)]
mod tests {
    use super::{Config, KeySource, Refusal, Role};
    use crate::arguments::Arguments;

    fn read(line: &str, environment: &[(&str, &str)]) -> Result<Config, Refusal> {
        let arguments = Arguments::read(line.split_whitespace().map(str::to_owned))
            .expect("the words are known");
        Config::read(&arguments, |name| {
            let (_, value) = environment.iter().find(|(known, _)| *known == name)?;
            Some((*value).to_owned())
        })
    }

    #[test]
    fn flags_go_before_the_environment() {
        let environment = [("SLUICE_LISTEN", "127.0.0.1:1"), ("SLUICE_ROLE", "worker")];
        let config = read("serve --listen 127.0.0.1:2", &environment).expect("both can be used");
        assert_eq!((config.listen.port(), config.role), (2, Role::Worker));
    }

    #[test]
    fn metrics_are_served_nowhere_unless_asked_for_and_never_with_the_page() {
        let none = read("serve", &[]).expect("nothing is needed");
        assert_eq!(none.metrics_listen, None);
        let given = [("SLUICE_METRICS_LISTEN", "127.0.0.1:9")];
        let config = read("serve --listen 127.0.0.1:2", &given).expect("they differ");
        assert_eq!(config.metrics_listen.map(|at| at.port()), Some(9));
        let same = read("serve --listen 127.0.0.1:9", &given).expect_err("they are the same");
        assert!(same.to_string().contains("--metrics-listen"), "{same}");
        assert!(read("serve --metrics-listen here", &[]).is_err());
    }

    #[test]
    fn an_empty_database_url_means_the_private_postgres() {
        let config = read("serve", &[("DATABASE_URL", "")]).expect("it can be used");
        assert_eq!(config.database_url, None);
    }

    #[test]
    fn only_an_https_address_makes_cookies_secure() {
        for (url, secure) in [("https://a.example/", true), ("http://a.example", false)] {
            let config = read("serve", &[("SLUICE_PUBLIC_URL", url)]).expect("it can be used");
            assert_eq!(config.is_secure(), secure);
        }
        let error = read("serve", &[("SLUICE_PUBLIC_URL", "a.example/path")])
            .expect_err("it has no scheme");
        assert!(error.to_string().contains("https://"));
    }

    #[test]
    fn mail_needs_a_sender_and_an_address_to_link_to() {
        let all = [
            ("SLUICE_SMTP_URL", "smtps://user:hidden@smtp.example.com"),
            ("SLUICE_MAIL_FROM", "Sluice <sluice@example.com>"),
            ("SLUICE_PUBLIC_URL", "https://sluice.example.com"),
        ];
        let config = read("serve", &all).expect("they can be used");
        let shown = format!("{config:?}");
        assert!(
            config.mail.is_some() && !shown.contains("hidden"),
            "{shown}"
        );
        assert!(read("serve", &all[1..]).is_ok_and(|config| config.mail.is_none()));
        let without = |name| {
            let rest: Vec<_> = all
                .into_iter()
                .filter(|(known, _)| *known != name)
                .collect();
            read("serve", &rest).expect_err("something is missing")
        };
        for name in ["SLUICE_MAIL_FROM", "SLUICE_PUBLIC_URL"] {
            assert_eq!(without(name), Refusal::MailNeeds(name));
        }
    }

    #[test]
    fn a_master_key_is_given_once_and_never_repeated() {
        let key = "0123456789abcdef".repeat(4);
        let given = read("serve", &[("SLUICE_MASTER_KEY", &key)]).expect("it can be used");
        assert!(matches!(given.master_key, KeySource::Given(_)));
        assert!(!format!("{given:?}").contains(&key[..16]), "{given:?}");
        let wrong = read("serve", &[("SLUICE_MASTER_KEY", "abcd")]).expect_err("it is too short");
        assert_eq!(wrong, Refusal::MasterKey);
        let file = ("SLUICE_MASTER_KEY_FILE", "/etc/sluice/key");
        let both = read("serve", &[("SLUICE_MASTER_KEY", &key), file]);
        assert_eq!(both.expect_err("one is enough"), Refusal::TwoMasterKeys);
        let own = read("serve --data-dir d", &[]).expect("nothing is needed");
        assert!(matches!(own.master_key, KeySource::Own(path) if path.ends_with("d/master.key")));
        let shared = read("serve", &[("DATABASE_URL", "postgres://elsewhere/sluice")]);
        let shared = shared.expect("nothing is needed");
        assert!(matches!(shared.master_key, KeySource::Missing));
    }

    #[test]
    fn a_proxy_is_read_and_its_password_never_repeated() {
        let given = [("SLUICE_PROXY", "http://me:hidden@proxy.example.com:3128")];
        let config = read("serve", &given).expect("it can be used");
        let shown = format!("{config:?}");
        assert!(shown.contains("proxy.example.com:3128"), "{shown}");
        assert!(!shown.contains("hidden"), "{shown}");
        assert!(read("serve", &[]).is_ok_and(|config| config.proxy.is_none()));
        let wrong = [("SLUICE_PROXY", "socks5://me:hidden@proxy.example.com")];
        let error = read("serve", &wrong).expect_err("it cannot be used");
        assert_eq!(error, Refusal::Proxy);
        assert!(!error.to_string().contains("hidden"), "{error}");
    }

    #[test]
    fn a_password_is_not_repeated_when_its_setting_cannot_be_used() {
        for url in ["http://user:hidden@host", "smtp:user:hidden@host", "hidden"] {
            let environment = [
                ("SLUICE_SMTP_URL", url),
                ("SLUICE_MAIL_FROM", "sluice@example.com"),
                ("SLUICE_PUBLIC_URL", "https://sluice.example.com"),
            ];
            let error = read("serve", &environment).expect_err("it cannot be used");
            assert!(matches!(error, Refusal::SmtpUrl(_)), "{error:?}");
            assert!(!error.to_string().contains("hidden"), "{error}");
        }
    }
}
