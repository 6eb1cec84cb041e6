//! Speaks to a PostgreSQL server (its protocol, version 3.0): messages of bounded size, values as
//! texts in both directions, so that what the database writes is what is read.

use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::BytesMut;
use domain::connection::{Kind, Tls};
use domain::limit;
use fallible_iterator::FallibleIterator;
use postgres_protocol::IsNull;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::message::backend::{
    DataRowBody, ErrorResponseBody, Header, Message, RowDescriptionBody,
};
use postgres_protocol::message::frontend;
use serde_json::{Map, Value};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Query, value};
use crate::network::Guard;
use crate::step::http::{Credentials, Failure, Retry};
use crate::step::server::{Way, encrypt, reach};

/// Most bytes of one message.
const MESSAGE: usize = limit::RESPONSE_BYTES + 64 * 1024;
/// Most bytes that a server says in all.
const SAID: usize = 4 * limit::RESPONSE_BYTES;
/// Most that is shown of what a server says, in characters.
const SHOWN: usize = 500;
/// Fewest and most rounds of SCRAM that a server may ask for: with few the password could be guessed
/// from what is sent (RFC 7677, 4), and each costs time here.
const ROUNDS: (u32, u32) = (4_096, 100_000);
/// Most columns of a result: PostgreSQL has no more.
const COLUMNS: usize = 1_664;

/// A connection to a server, logged in.
pub(super) struct Wire<'c> {
    credentials: &'c Credentials,
    host: &'c str,
    way: Box<dyn Way>,
    incoming: BytesMut,
    outgoing: BytesMut,
    came: usize,
}

/// Why there is no next message.
enum Broke {
    /// The connection ended.
    Off(io::Error),
    /// The server says what it must not.
    Odd(String),
    /// It says too much.
    TooMuch,
}

/// A column of the result.
struct Column {
    name: String,
    oid: u32,
}

impl<'c> Wire<'c> {
    /// Connects, encrypts, and logs in, as a connection says.
    pub(super) async fn begin(
        guard: &Guard,
        credentials: &'c Credentials,
    ) -> Result<Self, Failure> {
        let login = credentials.login(Kind::Postgres).map_err(Failure::never)?;
        let server = &login.server;
        let mut tcp = reach(guard, server).await?;
        let off = |error: io::Error| off(&server.host, &error);
        let is_encrypted = server.tls != Tls::Off;
        let way: Box<dyn Way> = if is_encrypted {
            let mut ask = BytesMut::new();
            frontend::ssl_request(&mut ask);
            tcp.write_all(&ask).await.map_err(off)?;
            // Nothing but this byte is read before the encryption: what follows it is no word of
            // the server.
            if tcp.read_u8().await.map_err(off)? != b'S' {
                return Err(Failure::never(format!(
                    "`{}` offers no encryption, so nothing was sent. An Admin checks host, port and encryption of the connection.",
                    server.host
                )));
            }
            encrypt(tcp, server).await?
        } else {
            Box::new(tcp)
        };
        let mut wire = Self {
            credentials,
            host: &server.host,
            way,
            incoming: BytesMut::new(),
            outgoing: BytesMut::new(),
            came: 0,
        };
        let user = login.user.as_ref();
        let (user, password) = user.map_or(("", ""), |(user, password)| (user, password));
        let settings = [
            ("user", user),
            ("database", &server.database),
            ("client_encoding", "UTF8"),
            ("application_name", "Sluice"),
        ];
        frontend::startup_message(settings, &mut wire.outgoing).map_err(|_| wire.unsendable())?;
        wire.flush().await?;
        wire.log_in(user, password, is_encrypted).await?;
        Ok(wire)
    }

    async fn log_in(
        &mut self,
        user: &str,
        password: &str,
        is_encrypted: bool,
    ) -> Result<(), Failure> {
        let (mut scram, mut is_proved) = (None, false);
        loop {
            match self.next().await? {
                // Who asked for a proof gives one, too.
                Message::AuthenticationOk if is_proved || scram.is_none() => break,
                Message::AuthenticationOk => return Err(self.another()),
                Message::AuthenticationCleartextPassword if is_encrypted => {
                    frontend::password_message(password.as_bytes(), &mut self.outgoing)
                        .map_err(|_| self.unsendable())?;
                }
                Message::AuthenticationMd5Password(body) if is_encrypted => {
                    let hash = md5_hash(user.as_bytes(), password.as_bytes(), body.salt());
                    frontend::password_message(hash.as_bytes(), &mut self.outgoing)
                        .map_err(|_| self.unsendable())?;
                }
                Message::AuthenticationSasl(body) if scram.is_none() => {
                    let mut offered = body.mechanisms();
                    let has_scram = offered.any(|name| Ok(name == SCRAM_SHA_256));
                    if !has_scram.map_err(|error| self.odd(&error.to_string()))? {
                        return Err(self.unknown_login());
                    }
                    let begun =
                        ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
                    frontend::sasl_initial_response(
                        SCRAM_SHA_256,
                        begun.message(),
                        &mut self.outgoing,
                    )
                    .map_err(|_| self.unsendable())?;
                    scram = Some(begun);
                }
                Message::AuthenticationSaslContinue(body) => {
                    let Some(scram) = &mut scram else {
                        return Err(self.odd("it goes on with a login that was not begun"));
                    };
                    if !(ROUNDS.0..=ROUNDS.1).contains(&rounds(body.data())) {
                        return Err(Failure::never(format!(
                            "`{}` does not ask for {} to {} rounds of SCRAM: fewer are not safe, and more take too long.",
                            self.host, ROUNDS.0, ROUNDS.1
                        )));
                    }
                    let answered = scram.update(body.data());
                    answered.map_err(|error| odd(self.host, &error.to_string()))?;
                    frontend::sasl_response(scram.message(), &mut self.outgoing)
                        .map_err(|_| odd(self.host, "its login cannot be answered"))?;
                }
                Message::AuthenticationSaslFinal(body) => {
                    let proved = scram.as_mut().map(|scram| scram.finish(body.data()));
                    is_proved = matches!(proved, Some(Ok(())));
                    if !is_proved {
                        return Err(self.another());
                    }
                }
                Message::ErrorResponse(body) => return Err(self.refused(&body)),
                Message::NoticeResponse(_) | Message::ParameterStatus(_) => {}
                _ => return Err(self.unknown_login()),
            }
            self.flush().await?;
        }
        self.until_ready().await.map(drop)
    }

    /// Runs a statement in a transaction of its own; returns the output of the step. `is_kept` is
    /// set when the database may keep what it did, whether or not an answer comes.
    pub(super) async fn ask(
        &mut self,
        query: &Query,
        is_kept: &AtomicBool,
    ) -> Result<Value, Failure> {
        let access = if query.is_read {
            "read only"
        } else {
            "read write"
        };
        // All of it is constant. What a statement does to these settings ends with the transaction.
        let begin = format!(
            "begin {access}; set local statement_timeout = {}; set local datestyle = 'ISO, YMD'; \
             set local intervalstyle = 'iso_8601'; set local timezone = 'UTC'; \
             set local bytea_output = 'hex'; set local extra_float_digits = 1",
            query.timeout.as_millis().max(1)
        );
        self.simple(&begin).await?;
        let (parameters, columns) = self.prepare(&query.sql).await?;
        if parameters.len() != query.parameters.len() {
            return Err(Failure::never(format!(
                "The statement has {}, but {} given. Correct the list.",
                counted(parameters.len(), "parameter"),
                match query.parameters.len() {
                    1 => "1 is".to_owned(),
                    given => format!("{given} are"),
                }
            )));
        }
        let mut values = Vec::with_capacity(parameters.len());
        for (place, (given, oid)) in query.parameters.iter().zip(&parameters).enumerate() {
            let written = value::write(given, *oid);
            values.push(
                written.map_err(|error| {
                    Failure::never(format!("Parameter ${}: {error}", place + 1))
                })?,
            );
        }
        let (output, state) = self.run(query, &columns, values).await?;
        // A statement that ended the transaction itself has nothing left to keep.
        if !query.is_read && state != b'I' {
            is_kept.store(true, Ordering::Relaxed);
            match self.simple("commit").await {
                Ok(tag) if tag == "COMMIT" => {}
                Ok(_) => {
                    return Err(Failure::never(
                        "The database kept nothing of what the statement did, as it ended the transaction itself.",
                    ));
                }
                Err(failure) if kept_nothing(&failure) => return Err(failure),
                Err(failure) => return Err(Failure::open(failure.message)),
            }
        }
        Ok(output)
    }

    /// Lets the server know a statement; returns the types of its parameters, and its columns.
    async fn prepare(&mut self, sql: &str) -> Result<(Vec<u32>, Vec<Column>), Failure> {
        frontend::parse("", sql, None, &mut self.outgoing).map_err(|_| self.unsendable())?;
        frontend::describe(b'S', "", &mut self.outgoing).map_err(|_| self.unsendable())?;
        frontend::sync(&mut self.outgoing);
        self.flush().await?;
        let (mut parameters, mut columns) = (Vec::new(), Vec::new());
        loop {
            match self.next().await? {
                Message::ParameterDescription(body) => {
                    let read = body.parameters().collect();
                    parameters = read.map_err(|error: io::Error| self.odd(&error.to_string()))?;
                }
                Message::RowDescription(body) if columns.is_empty() => {
                    columns = read_columns(&body).map_err(|error| self.odd(&error.to_string()))?;
                }
                Message::ErrorResponse(body) => return Err(self.refused(&body)),
                Message::ReadyForQuery(_) => return Ok((parameters, columns)),
                Message::ParseComplete
                | Message::NoData
                | Message::NoticeResponse(_)
                | Message::NotificationResponse(_)
                | Message::ParameterStatus(_) => {}
                _ => return Err(self.odd("it answers something else than was asked")),
            }
        }
    }

    /// Runs the prepared statement; returns the output of the step, and where the transaction
    /// stands.
    async fn run(
        &mut self,
        query: &Query,
        columns: &[Column],
        values: Vec<Option<String>>,
    ) -> Result<(Value, u8), Failure> {
        let serialize = |value: Option<String>, out: &mut BytesMut| match value {
            Some(text) => {
                out.extend_from_slice(text.as_bytes());
                Ok(IsNull::No)
            }
            None => Ok(IsNull::Yes),
        };
        // No formats: all values are texts.
        let bound = frontend::bind("", "", None, values, serialize, None, &mut self.outgoing);
        bound.map_err(|_| self.unsendable())?;
        // One more than is wanted tells whether there are more. What writes runs to its end, whatever
        // is wanted of its rows.
        let most = match query.is_read {
            true => i32::try_from(query.most_rows).unwrap_or(i32::MAX - 1) + 1,
            false => 0,
        };
        frontend::execute("", most, &mut self.outgoing).map_err(|_| self.unsendable())?;
        frontend::sync(&mut self.outgoing);
        self.flush().await?;
        let most = query.most_rows as usize;
        let (mut rows, mut size) = (Vec::new(), 0);
        let (mut has_more, mut affected) = (false, Value::Null);
        loop {
            match self.next().await? {
                Message::DataRow(_) if rows.len() >= most => has_more = true,
                Message::DataRow(body) => {
                    size += body.buffer().len();
                    size += columns
                        .iter()
                        .map(|column| column.name.len() + 8)
                        .sum::<usize>();
                    if size > limit::RESPONSE_BYTES {
                        return Err(Failure::never(format!(
                            "The rows are larger than {} MB. Ask for fewer rows or columns, for example page by page.",
                            limit::RESPONSE_BYTES / (1024 * 1024)
                        )));
                    }
                    let row = read_row(&body, columns);
                    rows.push(row.map_err(|error| self.odd(&error.to_string()))?);
                }
                Message::PortalSuspended => has_more = true,
                Message::CommandComplete(body) => {
                    let tag = body.tag().unwrap_or_default();
                    let count = tag.rsplit(' ').next().and_then(|count| count.parse().ok());
                    affected = count.map_or(Value::Null, |count: u64| count.into());
                }
                Message::ErrorResponse(body) => return Err(self.refused(&body)),
                Message::ReadyForQuery(body) => {
                    let output = Value::from_iter([
                        ("row_count", rows.len().into()),
                        ("rows", rows.into()),
                        ("has_more", has_more.into()),
                        ("affected", affected),
                    ]);
                    return Ok((output, body.status()));
                }
                Message::CopyInResponse(_) | Message::CopyOutResponse(_) => {
                    return Err(Failure::never(
                        "The statement copies a file, which a step cannot. Use select or insert.",
                    ));
                }
                Message::BindComplete
                | Message::EmptyQueryResponse
                | Message::NoticeResponse(_)
                | Message::NotificationResponse(_)
                | Message::ParameterStatus(_) => {}
                _ => return Err(self.odd("it answers something else than was asked")),
            }
        }
    }

    /// Runs constant statements; returns what the last one is said to have done.
    async fn simple(&mut self, sql: &str) -> Result<String, Failure> {
        frontend::query(sql, &mut self.outgoing).map_err(|_| self.unsendable())?;
        self.flush().await?;
        self.until_ready().await
    }

    async fn until_ready(&mut self) -> Result<String, Failure> {
        let mut done = String::new();
        loop {
            let next = match self.next().await {
                // It is done, whatever becomes of the connection.
                Err(_) | Ok(Message::ErrorResponse(_)) if done == "COMMIT" => return Ok(done),
                next => next?,
            };
            match next {
                Message::ReadyForQuery(_) => return Ok(done),
                Message::CommandComplete(body) => {
                    body.tag().unwrap_or_default().clone_into(&mut done);
                }
                Message::ErrorResponse(body) => return Err(self.refused(&body)),
                Message::ParameterStatus(_)
                | Message::BackendKeyData(_)
                | Message::NoticeResponse(_)
                | Message::NotificationResponse(_) => {}
                _ => return Err(self.odd("it answers something else than was asked")),
            }
        }
    }

    /// Says goodbye. Whether it is heard changes nothing.
    pub(super) async fn part(&mut self) {
        frontend::terminate(&mut self.outgoing);
        let _ = self.way.write_all(&self.outgoing).await;
        let _ = self.way.flush().await;
    }

    async fn flush(&mut self) -> Result<(), Failure> {
        let out = self.outgoing.split();
        let sent = async {
            self.way.write_all(&out).await?;
            self.way.flush().await
        };
        let sent = sent.await;
        sent.map_err(|error| off(self.host, &error))
    }

    async fn next(&mut self) -> Result<Message, Failure> {
        match self.message().await {
            Ok(message) => Ok(message),
            Err(Broke::Off(error)) => Err(off(self.host, &error)),
            Err(Broke::Odd(what)) => Err(self.odd(&what)),
            Err(Broke::TooMuch) => Err(Failure::never(format!(
                "The answer of `{}` is larger than {} MB. Ask for fewer rows or columns, for example page by page.",
                self.host,
                limit::RESPONSE_BYTES / (1024 * 1024)
            ))),
        }
    }

    async fn message(&mut self) -> Result<Message, Broke> {
        let odd = |error: io::Error| Broke::Odd(error.to_string());
        loop {
            // Before anything is set aside for it.
            let header = Header::parse(&self.incoming).map_err(odd)?;
            let length = header.map_or(0, |header| header.len());
            if usize::try_from(length).unwrap_or(usize::MAX) > MESSAGE || self.came > SAID {
                return Err(Broke::TooMuch);
            }
            if let Some(message) = Message::parse(&mut self.incoming).map_err(odd)? {
                return Ok(message);
            }
            let read = self.way.read_buf(&mut self.incoming).await;
            match read.map_err(Broke::Off)? {
                0 => return Err(Broke::Off(io::ErrorKind::UnexpectedEof.into())),
                count => self.came += count,
            }
        }
    }

    fn refused(&self, body: &ErrorResponseBody) -> Failure {
        let mut fields = body.fields();
        let mut said: Map<String, Value> = Map::new();
        while let Ok(Some(field)) = fields.next() {
            let name = match field.type_() {
                b'C' => "sqlstate",
                b'M' => "message",
                b'D' => "detail",
                b'H' => "hint",
                b'P' => "position",
                b'n' => "constraint",
                _ => continue,
            };
            // Before it is cut: half of a secret would not be found any more.
            let text = self
                .credentials
                .hide(&String::from_utf8_lossy(field.value_bytes()));
            let text: String = text.chars().take(SHOWN).collect();
            said.insert(name.to_owned(), text.into());
        }
        let text = |name: &str| said.get(name).and_then(Value::as_str).unwrap_or_default();
        let (state, message, hint) = (text("sqlstate"), text("message"), text("hint"));
        let advice = match state {
            "28P01" | "28000" | "3D000" => "An Admin checks the connection.",
            "25006" => "Let the step read and write, if it is meant to.",
            "57014" => "Make the statement faster, or raise the time-out.",
            "42601" if message.contains("multiple commands") => "Use a step for each.",
            _ if hint.is_empty() => "Check the statement and its parameters.",
            _ => hint,
        };
        let message = format!(
            "The database refused: {} ({state}). {advice}",
            message.trim_end_matches('.')
        );
        let may_retry = ["08", "40", "53", "55P03", "57P", "57014"];
        let may_retry = may_retry.iter().any(|class| state.starts_with(class));
        let retry = match may_retry && state != "40003" {
            true => Retry::Backoff,
            false => Retry::Never,
        };
        Failure {
            message,
            answer: Value::Object(said),
            retry,
            is_open: false,
            is_before_host: false,
        }
    }

    fn odd(&self, what: &str) -> Failure {
        odd(self.host, what)
    }

    fn unknown_login(&self) -> Failure {
        Failure::never(format!(
            "`{}` asks for a kind of login that is not known here, or for the password over a way that is not encrypted. An Admin checks the connection; SCRAM-SHA-256 always works.",
            self.host
        ))
    }

    fn another(&self) -> Failure {
        Failure::never(format!(
            "`{}` does not know the password either, so it may be another server. An Admin checks the connection.",
            self.host
        ))
    }

    fn unsendable(&self) -> Failure {
        Failure::never(format!(
            "What is to be sent to `{}` holds the character U+0000, or is too large.",
            self.host
        ))
    }
}

/// Returns whether a database that refused to commit surely kept nothing. What says that it went
/// away, or that it does not know, may come from whoever stands between it and us.
fn kept_nothing(failure: &Failure) -> bool {
    let state = failure.answer.get("sqlstate").and_then(Value::as_str);
    state.is_some_and(|state| {
        state.starts_with("23") || matches!(state, "40001" | "40002" | "40P01" | "57014")
    })
}

fn off(host: &str, error: &io::Error) -> Failure {
    Failure::transient(format!(
        "The connection to `{host}` broke: {error}. Check the database, or let the step retry."
    ))
}

fn odd(host: &str, what: &str) -> Failure {
    Failure::never(format!(
        "`{host}` does not speak as PostgreSQL does: {what}. An Admin checks host and port of the connection."
    ))
}

fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}

/// Returns how many rounds of SCRAM a server asks for (RFC 5802, 5.1).
fn rounds(first: &[u8]) -> u32 {
    let text = String::from_utf8_lossy(first);
    let mut parts = text.split(',');
    let rounds = parts.find_map(|part| part.strip_prefix("i="));
    rounds.map_or(0, |rounds| rounds.parse().unwrap_or(u32::MAX))
}

/// Reads the columns; one whose name another has gets a number behind it.
fn read_columns(body: &RowDescriptionBody) -> io::Result<Vec<Column>> {
    let (mut columns, mut names) = (Vec::new(), BTreeSet::new());
    let mut fields = body.fields();
    while let Some(field) = fields.next()? {
        if columns.len() == COLUMNS {
            return Err(io::Error::other("a result has too many columns"));
        }
        let mut name = field.name().to_owned();
        let mut number = 1;
        while !names.insert(name.clone()) {
            number += 1;
            name = format!("{}_{number}", field.name());
        }
        let oid = field.type_oid();
        columns.push(Column { name, oid });
    }
    Ok(columns)
}

fn read_row(body: &DataRowBody, columns: &[Column]) -> io::Result<Value> {
    let mut row = Map::with_capacity(columns.len());
    let mut ranges = body.ranges();
    for column in columns {
        let range = ranges.next()?;
        let range = range.ok_or_else(|| io::Error::other("a row has too few values"))?;
        let value = range.map_or(Value::Null, |range| {
            let text = String::from_utf8_lossy(&body.buffer()[range]);
            value::read(&text, column.oid)
        });
        row.insert(column.name.clone(), value);
    }
    Ok(Value::Object(row))
}
