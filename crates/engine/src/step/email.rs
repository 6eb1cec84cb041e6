//! The step that sends an e-mail: composes it of its fields, and gives it to the mail server of a
//! connection.
//!
//! The connection says whom it comes from, so that a step cannot speak for someone else. The
//! Message-ID is made of the step's key: however often it is sent, it is the same e-mail.

mod compose;
mod smtp;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use domain::connection::Kind;
use domain::{ConnectionId, Timestamp};
use lettre::message::Mailbox;
use serde_json::{Map, Value, json};

use self::compose::composed;
use self::smtp::{Letter, Talk};
use super::http::request::{named, seconds};
use super::http::{Credentials, Failure};
use super::text;
use crate::network::Guard;

/// An e-mail that can be sent, several times if need be.
#[derive(Debug)]
pub struct Email {
    from_name: String,
    to: Vec<Mailbox>,
    cc: Vec<Mailbox>,
    bcc: Vec<Mailbox>,
    reply_to: Option<Mailbox>,
    subject: String,
    text: Option<String>,
    html: Option<String>,
    key: String,
    timeout: Duration,
    /// The step says that sending it twice does no harm.
    repeats: bool,
    connection: String,
    credentials: Option<Credentials>,
}

impl Email {
    /// Builds the e-mail of a step's evaluated fields. `key` is hexadecimal.
    ///
    /// # Errors
    /// A sentence that names the field.
    pub(crate) fn build(config: &Map<String, Value>, key: &str) -> Result<Self, String> {
        let fields = compose::read(config)?;
        Ok(Self {
            timeout: seconds(config, 60)?,
            repeats: text(config.get("no_answer")) == "repeat",
            connection: text(config.get("connection")).trim().to_owned(),
            credentials: None,
            key: key.to_owned(),
            ..fields
        })
    }

    pub(crate) fn connection(&self) -> Option<Result<ConnectionId, String>> {
        named(&self.connection)
    }

    pub(crate) fn authorize(&mut self, credentials: Credentials) {
        self.credentials = Some(credentials);
    }

    pub(crate) fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }

    pub(crate) fn is_idempotent(&self) -> bool {
        self.repeats
    }

    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// Sends it once; returns the output of the step.
    pub(crate) async fn send(&self, guard: &Guard, now: Timestamp) -> Result<Value, Failure> {
        let Some(credentials) = &self.credentials else {
            return Err(Failure::never(
                "The connection is missing. Choose an e-mail server in the step.",
            ));
        };
        let login = credentials.login(Kind::Smtp).map_err(Failure::never)?;
        let letter = composed(self, &login.server.sender, now).map_err(Failure::never)?;
        // Until the last line has left, the server takes nothing (RFC 5321, 4.1.1.4).
        let is_given = AtomicBool::new(false);
        let giving = async {
            let mut talk = Talk::begin(guard, credentials).await?;
            talk.give(&letter, &is_given).await
        };
        let answer = match tokio::time::timeout(self.timeout, giving).await {
            Ok(result) => result?,
            Err(_) => {
                let message = format!(
                    "`{}` did not answer within {} s. Check the server, or raise the time-out.",
                    login.server.host,
                    self.timeout.as_secs_f64()
                );
                return Err(match is_given.load(Ordering::Relaxed) {
                    true => Failure::open(message),
                    false => Failure::transient(message),
                });
            }
        };
        let Letter {
            message_id,
            recipients,
            ..
        } = letter;
        Ok(json!({ "message_id": message_id, "recipients": recipients, "answer": answer }))
    }
}

/// How long a server may take when a connection is tried out.
const TRYING: Duration = Duration::from_secs(20);

/// Logs in to the mail server of a connection, and says that there is nothing to do.
///
/// # Errors
/// A sentence, when it does not let in.
pub(crate) async fn try_out(guard: &Guard, credentials: &Credentials) -> Result<(), String> {
    let login = credentials.login(Kind::Smtp)?;
    let trying = async {
        let mut talk = Talk::begin(guard, credentials).await?;
        talk.nothing().await
    };
    match tokio::time::timeout(TRYING, trying).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(failure)) => Err(credentials.hide(&failure.message)),
        Err(_) => Err(format!(
            "`{}` did not answer within {} s.",
            login.server.host,
            TRYING.as_secs()
        )),
    }
}
