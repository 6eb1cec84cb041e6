//! The command line: which command, with which flags.

use std::path::PathBuf;

use thiserror::Error;

use crate::{code, component};

/// What `sluice --help` prints.
pub const HELP: &str = "\
Sluice: integrations go live through review.

Usage: sluice COMMAND [FLAGS]

Commands:
  serve      Serve the page, take webhooks and run integrations (the default)
  migrate    Bring the database to this version's schema, then end
  postgres   Run only the private Postgres, print its DATABASE_URL, until stopped
  rotate-key Seal all secrets anew under a new master key, while Sluice runs, then end
  connector check FILE…
             Check connectors and run their recorded examples, without a server
  connector new FOLDER
             Write the crate of a connector with logic, to begin with

Flags:
  --listen ADDRESS   Where to listen [SLUICE_LISTEN; 127.0.0.1:8080]; port 0 takes a free one
  --data-dir FOLDER  Where the private Postgres keeps its data [SLUICE_DATA_DIR; data]
  --site FOLDER      The built page [SLUICE_SITE; target/site]
  --role ROLE        What this process does: web, worker or all [SLUICE_ROLE; all]; web takes
                     webhooks and executes at once what only computes, worker all other runs
  --metrics-listen ADDRESS
                     Where metrics are served, at /metrics [SLUICE_METRICS_LISTEN; nowhere]
  --demo             Add the demo organization and its services
  --version          Print the version
  --help             Print this

Environment:
  DATABASE_URL       A Postgres 15 or newer; without it, a private one is started
  SLUICE_PUBLIC_URL  The address that people use, such as https://sluice.example.com
  SLUICE_SMTP_URL    The SMTP server for notifications: smtps://user:password@smtp.example.com,
                     or smtp://user:password@smtp.example.com?tls=required
  SLUICE_MAIL_FROM   Who they come from, such as Sluice <sluice@example.com>
  SLUICE_MASTER_KEY_FILE
                     A file with 64 hexadecimal digits: the key that secrets are sealed under
                     [master.key in --data-dir, with the private Postgres only]; or the digits
                     themselves in SLUICE_MASTER_KEY. While keys are rotated: the new one on the
                     first line, the one before it on the next
  SLUICE_PROXY       What requests of integrations are sent through:
                     http://[user:password@]host:port
  SLUICE_TRUST_PROXY 1 when a proxy in front sets X-Forwarded-For
  SLUICE_CONCURRENCY How many runs are worked on at once [256]
  OTEL_EXPORTER_OTLP_ENDPOINT
                     Where traces of runs are sent over OTLP, such as http://127.0.0.1:4318; the
                     other settings of OpenTelemetry for traces hold, too [nowhere]
  SLUICE_LOG         json for one JSON object a line
  RUST_LOG           What is logged [info]
";

/// What the process is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Serve.
    Serve,
    /// Migrate the database, then end.
    Migrate,
    /// Run only the private Postgres.
    Postgres,
    /// Seal all secrets anew.
    RotateKey,
    /// Check connectors, then end.
    CheckConnectors,
    /// Write the crate of a connector with logic, then end.
    NewConnector,
    /// Run one piece of code, confined, for a server that started this process; see
    /// [`crate::code`]. Not for people, so the help does not name it.
    RunCode,
    /// Try to compile one module, confined, for a server that started this process; see
    /// [`crate::component`]. Not for people either.
    TryComponent,
    /// Print the version.
    Version,
    /// Print the help.
    Help,
}

/// The command line, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arguments {
    /// What to do.
    pub command: Command,
    /// `--listen`.
    pub listen: Option<String>,
    /// `--metrics-listen`.
    pub metrics_listen: Option<String>,
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
    /// `--site`.
    pub site: Option<PathBuf>,
    /// `--role`.
    pub role: Option<String>,
    /// `--demo`.
    pub demo: bool,
    /// The files of [`Command::CheckConnectors`].
    pub files: Vec<PathBuf>,
}

/// Why a command line is not understood.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// A word that is neither a command nor a flag.
    #[error("`{0}` is not known. `sluice --help` lists what is.")]
    Unknown(String),
    /// A flag without its value.
    #[error("{0} needs a value after it.")]
    NoValue(&'static str),
}

impl Arguments {
    /// Reads the words after the program's name.
    ///
    /// # Errors
    /// At the first word that is not understood.
    pub fn read(words: impl IntoIterator<Item = String>) -> Result<Self, Refusal> {
        let mut words = words.into_iter();
        let mut read = Self {
            command: Command::Serve,
            listen: None,
            metrics_listen: None,
            data_dir: None,
            site: None,
            role: None,
            demo: false,
            files: Vec::new(),
        };
        let mut first = true;
        while let Some(word) = words.next() {
            let (flag, joined) = match word.split_once('=') {
                Some((flag, value)) if flag.starts_with("--") => (flag, Some(value.to_owned())),
                _ => (word.as_str(), None),
            };
            let mut value = |flag| {
                joined
                    .clone()
                    .or_else(|| words.next())
                    .ok_or(Refusal::NoValue(flag))
            };
            match flag {
                "serve" if first => read.command = Command::Serve,
                "migrate" if first => read.command = Command::Migrate,
                "postgres" if first => read.command = Command::Postgres,
                "rotate-key" if first => read.command = Command::RotateKey,
                "connector" if first => {
                    read.command = match words.next() {
                        Some(what) if what == "check" => Command::CheckConnectors,
                        Some(what) if what == "new" => Command::NewConnector,
                        other => return Err(Refusal::Unknown(other.unwrap_or(word))),
                    };
                }
                file if read.takes_files() && !file.starts_with("--") => {
                    read.files.push(word.into());
                }
                code::ARGUMENT if first => read.command = Command::RunCode,
                component::ARGUMENT if first => read.command = Command::TryComponent,
                "--version" | "-V" => read.command = Command::Version,
                "--help" | "-h" | "help" => read.command = Command::Help,
                "--listen" => read.listen = Some(value("--listen")?),
                "--metrics-listen" => read.metrics_listen = Some(value("--metrics-listen")?),
                "--data-dir" => read.data_dir = Some(value("--data-dir")?.into()),
                "--site" => read.site = Some(value("--site")?.into()),
                "--role" => read.role = Some(value("--role")?),
                "--demo" if joined.is_none() => read.demo = true,
                _ => return Err(Refusal::Unknown(word)),
            }
            first = false;
        }
        match (read.command, read.files.len()) {
            (Command::CheckConnectors, 0) => Err(Refusal::NoValue("connector check")),
            (Command::NewConnector, 0) => Err(Refusal::NoValue("connector new")),
            (Command::NewConnector, 2..) => {
                let more = read.files.pop().unwrap_or_default();
                Err(Refusal::Unknown(more.display().to_string()))
            }
            _ => Ok(read),
        }
    }

    fn takes_files(&self) -> bool {
        matches!(
            self.command,
            Command::CheckConnectors | Command::NewConnector
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{Arguments, Command, Refusal};

    fn read(line: &str) -> Result<Arguments, Refusal> {
        Arguments::read(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn a_flag_is_read_in_both_spellings() {
        let read = read("serve --listen 127.0.0.1:0 --data-dir=there --demo").expect("it is right");
        assert_eq!(read.command, Command::Serve);
        assert_eq!(read.listen.as_deref(), Some("127.0.0.1:0"));
        assert_eq!(read.data_dir, Some("there".into()));
        assert!(read.demo);
    }

    #[test]
    fn an_unknown_word_and_a_missing_value_are_refused() {
        assert_eq!(
            read("serve migrate"),
            Err(Refusal::Unknown("migrate".to_owned()))
        );
        assert_eq!(
            read("--colour"),
            Err(Refusal::Unknown("--colour".to_owned()))
        );
        assert_eq!(read("--listen"), Err(Refusal::NoValue("--listen")));
        assert_eq!(
            read("connector check"),
            Err(Refusal::NoValue("connector check"))
        );
        let new = read("connector new there").expect("it is right");
        assert_eq!(new.command, Command::NewConnector);
        assert_eq!(
            read("connector new a b"),
            Err(Refusal::Unknown("b".to_owned()))
        );
        assert_eq!(
            read("connector bake"),
            Err(Refusal::Unknown("bake".to_owned()))
        );
    }

    #[test]
    fn files_of_connectors_are_read_whatever_they_are_called() {
        let read = read("connector check a.json serve ../b.json").expect("it is right");
        assert_eq!(read.command, Command::CheckConnectors);
        let files: Vec<_> = read.files.iter().map(|file| file.to_str()).collect();
        assert_eq!(files, [Some("a.json"), Some("serve"), Some("../b.json")]);
    }
}
