//! HTTP/1.1 on loopback, as little of it as a mock needs.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// Largest body that is read.
const BODY: usize = 1024 * 1024;

/// A request as it came.
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path without the query, still percent-encoded.
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

/// An answer.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

/// Serves until the task is dropped.
pub(crate) async fn serve(
    listener: TcpListener,
    answer: Arc<dyn Fn(&Request) -> Reply + Send + Sync>,
) -> std::io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let answer = Arc::clone(&answer);
        tokio::spawn(async move {
            // Whoever closes in the middle is done.
            let _ = one(stream, answer).await;
        });
    }
}

/// Opens a free port.
pub(crate) async fn open() -> std::io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

async fn one(
    stream: TcpStream,
    answer: Arc<dyn Fn(&Request) -> Reply + Send + Sync>,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let mut words = line.split_whitespace();
        let (method, target) = (
            words.next().unwrap_or_default(),
            words.next().unwrap_or_default(),
        );
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut request = Request {
            method: method.to_owned(),
            path: path.to_owned(),
            query: pairs(query),
            headers: BTreeMap::new(),
            body: String::new(),
        };
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).await?;
            let Some((name, value)) = line.trim_end().split_once(':') else {
                break;
            };
            request
                .headers
                .insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        let length = request
            .headers
            .get("content-length")
            .and_then(|length| length.parse().ok());
        let mut body = vec![0; length.unwrap_or(0).min(BODY)];
        reader.read_exact(&mut body).await?;
        request.body = String::from_utf8_lossy(&body).into_owned();
        let reply = answer(&request);
        let is_head = request.method == "HEAD";
        let mut head = format!("HTTP/1.1 {} Mock\r\n", reply.status);
        for (name, value) in &reply.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if reply.status != 204 {
            head.push_str(&format!("content-length: {}\r\n", reply.body.len()));
        }
        head.push_str("\r\n");
        writer.write_all(head.as_bytes()).await?;
        if !is_head && reply.status != 204 {
            writer.write_all(reply.body.as_bytes()).await?;
        }
    }
}

/// Reads `a=1&b=2`.
pub(crate) fn pairs(text: &str) -> Vec<(String, String)> {
    url::form_urlencoded::parse(text.as_bytes())
        .into_owned()
        .collect()
}

/// Decodes `%41`.
pub(crate) fn decoded(text: &str) -> String {
    // A plus is a plus in a path.
    let pairs = text
        .replace('+', "%2B")
        .replace('&', "%26")
        .replace('=', "%3D");
    let mut parsed = url::form_urlencoded::parse(pairs.as_bytes());
    parsed
        .next()
        .map_or_else(String::new, |(text, _)| text.into_owned())
}
