//! An SMTP server on this machine: it takes or refuses letters as a test says, and keeps them.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A letter that was accepted.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) to: String,
    /// Headers and body as they came, long header lines put together again.
    pub(crate) message: String,
}

impl Received {
    /// Returns a header's value; what is encoded in it stays so.
    pub(crate) fn header(&self, name: &str) -> &str {
        let (head, _) = self.message.split_once("\n\n").unwrap_or_default();
        let prefix = format!("{name}: ");
        let mut found = head.lines().filter_map(|line| line.strip_prefix(&prefix));
        found.next().unwrap_or_default()
    }
}

/// The server. It asks for a password, as most do.
#[derive(Clone)]
pub(crate) struct PostOffice {
    pub(crate) address: SocketAddr,
    /// Answers to RCPT, by the address; 250 to others.
    answers: Arc<Mutex<HashMap<String, String>>>,
    letters: Arc<Mutex<Vec<Received>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl PostOffice {
    pub(crate) async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port is free");
        let office = Self {
            address: listener.local_addr().expect("it is bound"),
            answers: Arc::default(),
            letters: Arc::default(),
            asked: Arc::default(),
        };
        let serving = office.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let office = serving.clone();
                // Whoever hangs up is not waited for.
                tokio::spawn(async move { office.serve(stream).await });
            }
        });
        office
    }

    /// Sets what is answered to letters for an address from now on.
    pub(crate) fn answer(&self, to: &str, answer: &str) {
        let mut answers = self.answers.lock().expect("nobody panicked");
        answers.insert(to.to_owned(), answer.to_owned());
    }

    /// Returns the letters that were accepted for an address.
    pub(crate) fn letters(&self, to: &str) -> Vec<Received> {
        let letters = self.letters.lock().expect("nobody panicked");
        letters.iter().filter(|one| one.to == to).cloned().collect()
    }

    /// Returns how often letters for an address were offered.
    pub(crate) fn offers(&self, to: &str) -> usize {
        let asked = self.asked.lock().expect("nobody panicked");
        asked.iter().filter(|one| *one == to).count()
    }

    async fn serve(&self, stream: TcpStream) -> Option<()> {
        let mut stream = BufReader::new(stream);
        stream
            .write_all(b"220 office.example ESMTP\r\n")
            .await
            .ok()?;
        let mut to = String::new();
        loop {
            let line = line(&mut stream).await?;
            let word = line.split([' ', ':']).next().unwrap_or_default();
            let answer = match word.to_ascii_uppercase().as_str() {
                "EHLO" => "250-office.example\r\n250 AUTH PLAIN".to_owned(),
                "AUTH" => "235 welcome".to_owned(),
                "RCPT" => {
                    let inner = line.split(['<', '>']).nth(1);
                    to = inner.unwrap_or_default().to_owned();
                    self.asked.lock().expect("nobody panicked").push(to.clone());
                    let answers = self.answers.lock().expect("nobody panicked");
                    answers
                        .get(&to)
                        .map_or("250 fine", String::as_str)
                        .to_owned()
                }
                "DATA" => {
                    stream.write_all(b"354 go on\r\n").await.ok()?;
                    let message = message(&mut stream).await?;
                    let mut letters = self.letters.lock().expect("nobody panicked");
                    letters.push(Received {
                        to: to.clone(),
                        message,
                    });
                    "250 taken".to_owned()
                }
                "QUIT" => {
                    let _ = stream.write_all(b"221 bye\r\n").await;
                    return Some(());
                }
                "MAIL" | "NOOP" | "RSET" => "250 fine".to_owned(),
                _ => "502 what?".to_owned(),
            };
            let answer = format!("{answer}\r\n");
            stream.write_all(answer.as_bytes()).await.ok()?;
        }
    }
}

async fn line(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    match stream.read_line(&mut line).await {
        Ok(1..) => Some(line.trim_end_matches(['\r', '\n']).to_owned()),
        _ => None,
    }
}

async fn message(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut lines = Vec::new();
    loop {
        match line(stream).await? {
            end if end == "." => break,
            line => lines.push(line.strip_prefix('.').unwrap_or(&line).to_owned()),
        }
    }
    let whole = lines.join("\n");
    let (head, body) = whole.split_once("\n\n").unwrap_or_default();
    Some(format!("{}\n\n{body}", head.replace("\n ", " ")))
}
