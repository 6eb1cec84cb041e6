//! Gives a letter to a mail server (RFC 5321), one command after the other: so it is known how far
//! a letter came when something goes wrong. What the server says is bounded.

use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use domain::connection::{Kind, Tls};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::network::Guard;
use crate::step::http::{Credentials, Failure, Retry};
use crate::step::server::{Way, encrypt, reach};

/// Longest line of an answer, in bytes (RFC 5321 says 512, some say more).
const LINE: usize = 2_048;
/// Most lines of one answer.
const LINES: usize = 100;
/// Most that a server says in all, in bytes.
const SAID: usize = 128 * 1024;
/// Most that is shown of an answer, in characters.
const SHOWN: usize = 300;

/// A message, and what the server is told about it.
pub(super) struct Letter {
    pub(super) sender: String,
    pub(super) recipients: Vec<String>,
    pub(super) message: Vec<u8>,
    pub(super) message_id: String,
}

/// An answer: its code, and its text without it.
struct Answer {
    code: u16,
    lines: Vec<String>,
}

impl Answer {
    /// Returns the answer as it may be shown. Secrets are hidden before it is cut: half of one would
    /// not be found any more.
    fn shown(&self, credentials: &Credentials) -> String {
        let text = credentials.hide(&self.lines.join(" "));
        let text: String = text.chars().take(SHOWN).collect();
        format!("{} {}", self.code, text.replace(char::is_control, " "))
    }

    /// Returns what stands behind a keyword of the answer to EHLO.
    fn offer(&self, keyword: &str) -> Option<&str> {
        self.lines.iter().find_map(|line| {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            word.eq_ignore_ascii_case(keyword).then_some(rest)
        })
    }
}

/// A conversation with a server.
pub(super) struct Talk<'c, W> {
    credentials: &'c Credentials,
    host: &'c str,
    way: W,
    /// What came and is not read yet.
    unread: Vec<u8>,
    /// How much came in all.
    came: usize,
    offers: Answer,
}

impl<'c> Talk<'c, Box<dyn Way>> {
    /// Connects, encrypts, and logs in, as a connection says.
    pub(super) async fn begin(
        guard: &Guard,
        credentials: &'c Credentials,
    ) -> Result<Self, Failure> {
        let login = credentials.login(Kind::Smtp).map_err(Failure::never)?;
        let server = &login.server;
        let tcp = reach(guard, server).await?;
        let hello = server.sender.rsplit('@').next().unwrap_or("localhost");
        let mut talk = match server.tls {
            Tls::Off => {
                let way: Box<dyn Way> = Box::new(tcp);
                Talk::new(credentials, &server.host, way)
                    .greeted(hello)
                    .await?
            }
            Tls::Direct => {
                let way = encrypt(tcp, server).await?;
                Talk::new(credentials, &server.host, way)
                    .greeted(hello)
                    .await?
            }
            Tls::Upgraded => {
                let mut plain = Talk::new(credentials, &server.host, tcp)
                    .greeted(hello)
                    .await?;
                if plain.offers.offer("STARTTLS").is_none() {
                    return Err(Failure::never(format!(
                        "`{}` offers no encryption (STARTTLS) there, so nothing was sent. An Admin chooses another port or encryption in the connection.",
                        server.host
                    )));
                }
                plain.ask("STARTTLS", "does not encrypt").await?;
                // What somebody put behind the answer would be taken for the server's word, once
                // the way is encrypted.
                if !plain.unread.is_empty() {
                    return Err(plain.odd("it went on speaking before the encryption"));
                }
                let way = encrypt(plain.way, server).await?;
                let mut talk = Talk::new(credentials, &server.host, way);
                talk.hello(hello).await?;
                talk
            }
        };
        if let Some((user, password)) = &login.user {
            talk.log_in(user, password).await?;
        }
        Ok(talk)
    }

    async fn log_in(&mut self, user: &str, password: &str) -> Result<(), Failure> {
        let offered = self.offers.offer("AUTH").unwrap_or_default().to_owned();
        let has = |name: &str| {
            let mut words = offered.split_whitespace();
            words.any(|word| word.eq_ignore_ascii_case(name))
        };
        const NOT_IN: &str = "does not accept the user name and password";
        if has("PLAIN") {
            let pair = BASE64_STANDARD.encode(format!("\0{user}\0{password}"));
            self.prove(&format!("AUTH PLAIN {pair}"), 2, NOT_IN).await?;
        } else if has("LOGIN") {
            self.prove("AUTH LOGIN", 3, NOT_IN).await?;
            self.prove(&BASE64_STANDARD.encode(user), 3, NOT_IN).await?;
            self.prove(&BASE64_STANDARD.encode(password), 2, NOT_IN)
                .await?;
        } else {
            return Err(Failure::never(format!(
                "`{}` offers no way to log in that is known here (PLAIN, LOGIN). An Admin checks port and encryption, or keeps the connection without a user.",
                self.host
            )));
        }
        Ok(())
    }

    /// Asks the server to do nothing.
    pub(super) async fn nothing(&mut self) -> Result<(), Failure> {
        self.ask("NOOP", "does not work").await?;
        self.part().await;
        Ok(())
    }

    /// Gives a letter; returns what the server said. `is_given` is set when the letter may be
    /// taken, whether or not an answer comes.
    pub(super) async fn give(
        &mut self,
        letter: &Letter,
        is_given: &AtomicBool,
    ) -> Result<String, Failure> {
        let most = self.offers.offer("SIZE").and_then(|most| most.parse().ok());
        if most.is_some_and(|most: usize| most > 0 && letter.message.len() > most) {
            return Err(Failure::never(format!(
                "`{}` takes e-mails of at most {} bytes, and this one has {}. Send less, or a link.",
                self.host,
                most.unwrap_or_default(),
                letter.message.len()
            )));
        }
        let from = format!("MAIL FROM:<{}>", letter.sender);
        self.ask(&from, "does not take e-mails from the connection's sender")
            .await?;
        for recipient in &letter.recipients {
            let to = format!("RCPT TO:<{recipient}>");
            let refusal = format!("does not take e-mails for `{recipient}`, so nobody got it");
            self.ask(&to, &refusal).await?;
        }
        let ready = self.say("DATA").await?;
        if ready.code / 100 != 3 {
            return Err(self.refused("does not take the e-mail", &ready));
        }
        let broke = |error: std::io::Error| Failure::transient(broken(self.host, &error));
        let body = stuffed(&letter.message);
        self.way.write_all(&body).await.map_err(broke)?;
        self.way.flush().await.map_err(broke)?;
        is_given.store(true, Ordering::Relaxed);
        let ended = async {
            self.way.write_all(b".\r\n").await?;
            self.way.flush().await
        };
        if let Err(error) = ended.await {
            return Err(Failure::open(broken(self.host, &error)));
        }
        let answer = match self.answer().await {
            Ok(answer) => answer,
            Err(failure) => return Err(Failure::open(failure.message)),
        };
        if answer.code / 100 != 2 {
            return Err(self.refused("did not take the e-mail", &answer));
        }
        self.part().await;
        Ok(answer.shown(self.credentials))
    }
}

impl<'c, W: Way> Talk<'c, W> {
    fn new(credentials: &'c Credentials, host: &'c str, way: W) -> Self {
        Self {
            credentials,
            host,
            way,
            unread: Vec::new(),
            came: 0,
            offers: Answer {
                code: 0,
                lines: Vec::new(),
            },
        }
    }

    /// Waits for the greeting, and says hello.
    async fn greeted(mut self, hello: &str) -> Result<Self, Failure> {
        let greeting = self.answer().await?;
        if greeting.code / 100 != 2 {
            return Err(self.refused("does not take e-mails now", &greeting));
        }
        self.hello(hello).await?;
        Ok(self)
    }

    async fn hello(&mut self, hello: &str) -> Result<(), Failure> {
        self.offers = self
            .ask(&format!("EHLO {hello}"), "does not say hello")
            .await?;
        Ok(())
    }

    /// Says goodbye. Whether it is heard changes nothing.
    async fn part(&mut self) {
        let _ = self.way.write_all(b"QUIT\r\n").await;
        let _ = self.way.flush().await;
    }

    /// Sends a command, and returns the answer when it says that this was done.
    async fn ask(&mut self, command: &str, refusal: &str) -> Result<Answer, Failure> {
        let answer = self.say(command).await?;
        match answer.code / 100 {
            2 => Ok(answer),
            _ => Err(self.refused(refusal, &answer)),
        }
    }

    /// Sends a part of a login, to which an answer of a class belongs. What the server says to it is
    /// not shown: it may repeat what it heard.
    async fn prove(&mut self, command: &str, class: u16, refusal: &str) -> Result<(), Failure> {
        let code = self.say(command).await?.code;
        let lines = Vec::new();
        match code / 100 {
            good if good == class => Ok(()),
            _ => Err(self.refused(refusal, &Answer { code, lines })),
        }
    }

    /// Sends a command, and returns the answer.
    async fn say(&mut self, command: &str) -> Result<Answer, Failure> {
        let line = format!("{command}\r\n");
        let sent = async {
            self.way.write_all(line.as_bytes()).await?;
            self.way.flush().await
        };
        if let Err(error) = sent.await {
            return Err(Failure::transient(broken(self.host, &error)));
        }
        self.answer().await
    }

    /// Says what an answer means: 4yz is for now, 5yz is for good (RFC 5321, 4.2.1).
    fn refused(&self, what: &str, answer: &Answer) -> Failure {
        let advice = match answer.code {
            400..=499 => "Let the step retry.",
            535 | 534 | 538 => "An Admin checks the connection.",
            _ => "Check the addresses and the connection.",
        };
        Failure {
            message: format!(
                "`{}` {what}. It answered: {}. {advice}",
                self.host,
                answer.shown(self.credentials).trim_end_matches('.')
            ),
            answer: json!({ "smtp": answer.code, "said": answer.shown(self.credentials) }),
            retry: match answer.code {
                400..=499 => Retry::Backoff,
                _ => Retry::Never,
            },
            is_open: false,
            is_before_host: false,
        }
    }

    fn odd(&self, what: &str) -> Failure {
        Failure {
            answer: Value::Null,
            ..Failure::never(format!(
                "`{}` does not speak SMTP as it should: {what}. An Admin checks host and port of the connection.",
                self.host
            ))
        }
    }

    /// Reads an answer, of one line or several.
    async fn answer(&mut self) -> Result<Answer, Failure> {
        let mut lines = Vec::new();
        loop {
            let line = self.line().await?;
            let code = line
                .get(..3)
                .filter(|code| code.bytes().all(|b| b.is_ascii_digit()));
            let code: u16 = code.and_then(|code| code.parse().ok()).unwrap_or_default();
            if !(200..600).contains(&code) {
                return Err(self.odd("an answer has no code"));
            }
            let rest = line.get(3..).unwrap_or_default();
            let goes_on = rest.starts_with('-');
            if !goes_on && !rest.is_empty() && !rest.starts_with(' ') {
                return Err(self.odd("an answer has no code"));
            }
            lines.push(rest.get(1..).unwrap_or_default().trim().to_owned());
            if !goes_on {
                return Ok(Answer { code, lines });
            }
            if lines.len() >= LINES {
                return Err(self.odd("an answer does not end"));
            }
        }
    }

    async fn line(&mut self) -> Result<String, Failure> {
        loop {
            if let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            if self.unread.len() > LINE || self.came > SAID {
                return Err(self.odd("it says too much"));
            }
            let mut chunk = [0; 1024];
            let read = self.way.read(&mut chunk).await;
            let read = read.map_err(|error| Failure::transient(broken(self.host, &error)))?;
            if read == 0 {
                return Err(Failure::transient(format!(
                    "`{}` closed the connection. Check the server, or let the step retry.",
                    self.host
                )));
            }
            self.came += read;
            self.unread.extend_from_slice(&chunk[..read]);
        }
    }
}

fn broken(host: &str, error: &std::io::Error) -> String {
    format!("The connection to `{host}` broke: {error}. Check the server, or let the step retry.")
}

/// Returns a message as it is sent (RFC 5321, 4.5.2): every line ends alike, so that none is taken
/// for the end where the next server reads lines otherwise, and a dot in front is doubled.
fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + message.len() / 64 + 2);
    let mut begins = true;
    let mut bytes = message.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\r' | b'\n' => {
                if byte == b'\r' && bytes.peek() == Some(&b'\n') {
                    bytes.next();
                }
                out.extend_from_slice(b"\r\n");
                begins = true;
            }
            byte => {
                if begins && byte == b'.' {
                    out.push(b'.');
                }
                out.push(byte);
                begins = false;
            }
        }
    }
    if !begins {
        out.extend_from_slice(b"\r\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_of_a_message_is_taken_for_its_end() {
        for (message, sent) in [
            ("a", "a\r\n"),
            ("a\r\n.\r\nb\r\n", "a\r\n..\r\nb\r\n"),
            ("a\n.\nb", "a\r\n..\r\nb\r\n"),
            ("a\r.\rb", "a\r\n..\r\nb\r\n"),
            ("a\r\n.\n\r.b", "a\r\n..\r\n\r\n..b\r\n"),
            (".", "..\r\n"),
        ] {
            let stuffed = stuffed(message.as_bytes());
            assert_eq!(String::from_utf8_lossy(&stuffed), sent, "{message:?}");
        }
    }
}
