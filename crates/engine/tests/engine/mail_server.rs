//! A mail server on this machine that behaves as a test wants it to, well or not.

use std::sync::{Arc, Mutex};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// The authority that signed the certificate of [`acceptor`], for `localhost` and `127.0.0.1`.
pub(crate) const AUTHORITY: &str = include_str!("tls/authority.pem");

/// Returns what encrypts on a server's side.
pub(crate) fn acceptor() -> TlsAcceptor {
    let chain = CertificateDer::pem_slice_iter(include_bytes!("tls/server.pem"));
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("tls/server.key")).expect("it is one");
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain.map(|one| one.expect("it is one")).collect(), key)
        .expect("they belong together");
    TlsAcceptor::from(Arc::new(config))
}

/// How a server behaves.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Manner {
    /// Encrypts from the start.
    pub(crate) is_direct: bool,
    /// Offers STARTTLS.
    pub(crate) upgrades: bool,
    /// Says more behind its answer to STARTTLS, before anything is encrypted.
    pub(crate) speaks_on: bool,
    /// Says what it says instead of its greeting, again and again.
    pub(crate) greets_for_ever: Option<&'static str>,
    /// Accepts and says nothing.
    pub(crate) is_silent: bool,
    /// Answers to commands that begin with the first as the second says, the first so many times.
    pub(crate) answers: Option<(&'static str, &'static str, usize)>,
    /// Hangs up after that command, or `.` for a whole message, so many times.
    pub(crate) hangs_up_after: Option<(&'static str, usize)>,
}

/// The server: what it was told, and the messages that it took.
#[derive(Clone, Debug)]
pub(crate) struct MailServer {
    pub(crate) port: u16,
    manner: Manner,
    said: Arc<Mutex<Vec<String>>>,
    taken: Arc<Mutex<Vec<String>>>,
    times: Arc<Mutex<usize>>,
}

impl MailServer {
    pub(crate) async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let server = Self {
            port: listener.local_addr().expect("it is bound").port(),
            manner,
            said: Arc::default(),
            taken: Arc::default(),
            times: Arc::default(),
        };
        let serving = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = serving.clone();
                // Whoever hangs up is not waited for.
                tokio::spawn(async move { server.serve(stream).await });
            }
        });
        server
    }

    /// Returns every line that it was told, `connected` for each connection.
    pub(crate) fn said(&self) -> Vec<String> {
        self.said.lock().expect("no panic holds it").clone()
    }

    /// Returns the messages that it took, without doubled dots.
    pub(crate) fn taken(&self) -> Vec<String> {
        self.taken.lock().expect("no panic holds it").clone()
    }

    fn is_time(&self, most: usize) -> bool {
        let mut times = self.times.lock().expect("no panic holds it");
        *times += 1;
        *times <= most
    }

    async fn serve(&self, stream: TcpStream) -> Option<()> {
        self.note("connected");
        if self.manner.is_direct {
            let stream = acceptor().accept(stream).await.ok()?;
            return self.talk(BufReader::new(stream), true).await.map(drop);
        }
        let plain = self.talk(BufReader::new(stream), true).await?;
        let stream = acceptor().accept(plain.into_inner()).await.ok()?;
        self.talk(BufReader::new(stream), false).await.map(drop)
    }

    fn note(&self, line: &str) {
        let mut said = self.said.lock().expect("no panic holds it");
        said.push(line.to_owned());
    }

    /// Talks until the other side hangs up, or wants to be encrypted.
    async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        mut stream: BufReader<S>,
        greets: bool,
    ) -> Option<BufReader<S>> {
        if self.manner.is_silent {
            line(&mut stream).await?;
            return None;
        }
        while let Some(text) = self.manner.greets_for_ever {
            stream.write_all(text.as_bytes()).await.ok()?;
        }
        if greets {
            stream.write_all(b"220 office.example\r\n").await.ok()?;
        }
        loop {
            let said = line(&mut stream).await?;
            self.note(&said);
            let is = |begin: &str| said.starts_with(begin);
            let mut answer = match said.split([' ', ':']).next().unwrap_or_default() {
                "EHLO" if self.manner.upgrades => {
                    "250-office.example\r\n250-STARTTLS\r\n250-SIZE 1000000\r\n250 AUTH LOGIN PLAIN"
                }
                "EHLO" => "250-office.example\r\n250-SIZE 1000000\r\n250 AUTH LOGIN PLAIN",
                "AUTH" => "235 welcome",
                "STARTTLS" if self.manner.speaks_on => "220 go on\r\n235 you are in already",
                "STARTTLS" => "220 go on",
                "DATA" => "354 go on",
                "QUIT" => return None,
                _ => "250 fine",
            };
            if let Some((begin, instead, most)) = self.manner.answers
                && is(begin)
                && self.is_time(most)
            {
                answer = instead;
            }
            if let Some((begin, most)) = self.manner.hangs_up_after
                && is(begin)
                && self.is_time(most)
            {
                return None;
            }
            stream
                .write_all(format!("{answer}\r\n").as_bytes())
                .await
                .ok()?;
            if is("STARTTLS") && answer.starts_with("220") {
                return Some(stream);
            }
            if is("DATA") && answer.starts_with("354") {
                let mut message = Vec::new();
                loop {
                    match line(&mut stream).await? {
                        end if end == "." => break,
                        line => message.push(line.strip_prefix('.').unwrap_or(&line).to_owned()),
                    }
                }
                self.taken
                    .lock()
                    .expect("no panic holds it")
                    .push(message.join("\n"));
                if let Some((".", most)) = self.manner.hangs_up_after
                    && self.is_time(most)
                {
                    return None;
                }
                let answer = match self.manner.answers {
                    Some((".", answer, most)) if self.is_time(most) => answer,
                    _ => "250 2.0.0 queued as 7",
                };
                stream
                    .write_all(format!("{answer}\r\n").as_bytes())
                    .await
                    .ok()?;
            }
        }
    }
}

async fn line<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> Option<String> {
    let mut line = String::new();
    match stream.read_line(&mut line).await {
        Ok(1..) => Some(line.trim_end_matches(['\r', '\n']).to_owned()),
        _ => None,
    }
}
