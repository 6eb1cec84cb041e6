//! A small HTTP server on loopback that notes what it is asked and can misbehave.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A request, as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

/// What the server does with a request.
pub(crate) enum Reply {
    /// Answers with a status, headers and a body.
    Send(u16, Vec<(String, String)>, Vec<u8>),
    /// Sends an answer whose body never ends.
    Endless,
    /// Answers well once this holds `true`.
    When(watch::Receiver<bool>),
    /// Never answers.
    Silent,
    /// Closes the connection without an answer.
    Close,
}

pub(crate) fn text(status: u16, body: &str) -> Reply {
    Reply::Send(status, Vec::new(), body.as_bytes().to_vec())
}

pub(crate) fn json(body: &serde_json::Value) -> Reply {
    let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
    Reply::Send(200, headers, body.to_string().into_bytes())
}

pub(crate) fn with(status: u16, name: &str, value: &str) -> Reply {
    Reply::Send(
        status,
        vec![(name.to_owned(), value.to_owned())],
        b"see there".to_vec(),
    )
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    seen: watch::Receiver<usize>,
}

impl Server {
    /// Starts a server; `answer` gets each request and how many came before it.
    pub(crate) async fn start(
        answer: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (count, seen) = watch::channel(0);
        let (log, answer) = (Arc::clone(&requests), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (log, answer, count) = (Arc::clone(&log), Arc::clone(&answer), count.clone());
                tokio::spawn(async move { serve(stream, &log, &count, &*answer).await });
            }
        });
        Self {
            address,
            requests,
            seen,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("no panic holds it").clone()
    }

    /// Waits until so many requests have come.
    pub(crate) async fn until(&self, requests: usize) {
        self.seen
            .clone()
            .wait_for(|seen| *seen >= requests)
            .await
            .expect("the server runs");
    }
}

async fn serve(
    stream: TcpStream,
    log: &Mutex<Vec<Request>>,
    count: &watch::Sender<usize>,
    answer: &(dyn Fn(&Request, usize) -> Reply + Send + Sync),
) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let request = read(&mut stream).await?;
        let before = {
            let mut log = log.lock().expect("no panic holds it");
            log.push(request.clone());
            log.len() - 1
        };
        let reply = answer(&request, before);
        count.send_replace(before + 1);
        match reply {
            Reply::Close => return None,
            Reply::Silent => std::future::pending().await,
            Reply::When(mut may) => {
                may.wait_for(|may| *may).await.ok()?;
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
                stream.write_all(answer).await.ok()?;
            }
            Reply::Endless => {
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok()?;
                loop {
                    stream.write_all(&[b'x'; 65_536]).await.ok()?;
                }
            }
            Reply::Send(status, headers, body) => {
                let headers: String = headers
                    .iter()
                    .map(|(name, value)| format!("{name}: {value}\r\n"))
                    .collect();
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 {status} Some Reason\r\n{headers}Content-Length: {length}\r\n\r\n"
                );
                stream.write_all(head.as_bytes()).await.ok()?;
                if request.method != "HEAD" {
                    stream.write_all(&body).await.ok()?;
                }
            }
        }
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    if stream.read_line(&mut line).await.ok()? == 0 {
        return None;
    }
    let mut words = line.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = headers
        .get("content-length")
        .and_then(|length| length.parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    let body = String::from_utf8(body).ok()?;
    Some(Request {
        method,
        target,
        headers,
        body,
    })
}
