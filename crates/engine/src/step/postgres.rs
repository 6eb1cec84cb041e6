//! The step that asks a PostgreSQL database: one statement, in a transaction of its own, over a
//! connection of its own.
//!
//! The statement is never put together of parts: it stands in the document as it is, and values
//! reach it as parameters of the extended protocol only, which takes one statement at a time.

mod value;
mod wire;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use domain::ConnectionId;
use domain::connection::Kind;
use serde_json::{Map, Value, json};

use self::wire::Wire;
use super::http::request::{named, seconds};
use super::http::{Credentials, Failure};
use super::{number, text};
use crate::network::Guard;

/// Most rows that a step takes.
const ROWS: u32 = 10_000;
/// Most parameters (the protocol counts them with 16 bits).
const PARAMETERS: usize = 1_000;
/// How long it may take at most, beyond what the statement may, to connect and to hear of it; as
/// long as the statement where that is less.
const BESIDE: Duration = Duration::from_secs(10);

/// A statement that can be run, several times if need be.
#[derive(Debug)]
pub struct Query {
    sql: String,
    parameters: Vec<Value>,
    is_read: bool,
    most_rows: u32,
    /// For the statement.
    timeout: Duration,
    /// The step says that running it twice does no harm.
    repeats: bool,
    key: String,
    connection: String,
    credentials: Option<Credentials>,
}

impl Query {
    /// Builds the statement of a step's evaluated fields.
    ///
    /// # Errors
    /// A sentence that names the field.
    pub(crate) fn build(config: &Map<String, Value>, key: &str) -> Result<Self, String> {
        let sql = text(config.get("sql"));
        if sql.contains('\0') {
            return Err("The SQL holds the character U+0000. Remove it.".to_owned());
        }
        let parameters = match config.get("parameters") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(parameters)) => parameters.clone(),
            Some(_) => {
                return Err(
                    "Parameters must be a JSON list, such as [{{ trigger.body.id }}].".to_owned(),
                );
            }
        };
        if parameters.len() > PARAMETERS {
            return Err(format!(
                "There are more than {PARAMETERS} parameters. Give a list as one parameter, such as = any($1)."
            ));
        }
        let is_read = match text(config.get("access")).as_str() {
            "" | "read" => true,
            "write" => false,
            _ => return Err("It may either read or write. Choose one of them.".to_owned()),
        };
        let most_rows = config.get("max_rows").map_or(Some(1_000.0), number);
        let most_rows = most_rows
            .filter(|rows| (1.0..=f64::from(ROWS)).contains(rows))
            .ok_or_else(|| format!("Most rows must be a number from 1 to {ROWS}."))?;
        Ok(Self {
            sql,
            parameters,
            is_read,
            most_rows: most_rows as u32,
            timeout: seconds(config, 30)?,
            repeats: text(config.get("no_answer")) == "repeat",
            key: key.to_owned(),
            connection: text(config.get("connection")).trim().to_owned(),
            credentials: None,
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
        self.is_read || self.repeats
    }

    pub(crate) fn key(&self) -> Option<&str> {
        (!self.is_read).then_some(&*self.key)
    }

    pub(crate) fn is_safe(&self) -> bool {
        self.is_read
    }

    /// Runs it once; returns the output of the step.
    pub(crate) async fn send(&self, guard: &Guard) -> Result<Value, Failure> {
        let Some(credentials) = &self.credentials else {
            return Err(Failure::never(
                "The connection is missing. Choose a database in the step.",
            ));
        };
        let login = credentials.login(Kind::Postgres).map_err(Failure::never)?;
        // Until it is told to keep what the statement did, the database keeps nothing.
        let is_kept = AtomicBool::new(false);
        let asking = async {
            let mut wire = Wire::begin(guard, credentials).await?;
            let result = wire.ask(self, &is_kept).await?;
            wire.part().await;
            Ok(result)
        };
        let most = self.timeout + self.timeout.min(BESIDE);
        match tokio::time::timeout(most, asking).await {
            Ok(result) => result,
            Err(_) => {
                let message = format!(
                    "`{}` did not answer within {} s. Check the database, or raise the time-out.",
                    login.server.host,
                    most.as_secs_f64()
                );
                Err(match is_kept.load(Ordering::Relaxed) {
                    true => Failure::open(message),
                    false => Failure::transient(message),
                })
            }
        }
    }
}

/// Logs in to the database of a connection, and asks it for 1.
///
/// # Errors
/// A sentence, when it does not let in or does not answer so.
pub(crate) async fn try_out(guard: &Guard, credentials: Credentials) -> Result<(), String> {
    let config = json!({ "sql": "select 1", "access": "read", "timeout_seconds": 10 });
    let config = config.as_object().expect("it is written so");
    let mut query = Query::build(config, "")?;
    query.authorize(credentials);
    let result = query.send(guard).await;
    let hidden = query
        .credentials
        .as_ref()
        .map(|own| own.hide_result(result));
    match hidden {
        Some(Err(failure)) => Err(failure.message),
        _ => Ok(()),
    }
}
