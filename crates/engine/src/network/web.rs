//! Web requests. Their connections are dialed as those to a mail server or a database are, so that
//! one guard judges all of them, with and without a proxy.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_LENGTH, HeaderMap, HeaderValue, USER_AGENT};
use http::uri::InvalidUri;
use http::{Method, Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper_util::client::legacy::connect::{
    CaptureConnection, Connected, Connection, capture_connection,
};
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use thiserror::Error;
use tower::Service;
use url::Url;

use super::dial::dial;
use super::{Form, Guard, Refusal, tls};
use crate::step::server::Way;

/// Most connections to one host that stay open while nobody uses them: enough for the rounds of a
/// loop that run at once, so that none opens a new one for each request.
const IDLE: usize = 64;
/// How long one that nobody uses stays open: less than the 5 s after which many services close it. A
/// write that is sent while its connection is being closed has no answer, and is in doubt.
const IDLE_TIME: Duration = Duration::from_secs(4);

/// Room that is set aside for an answer before it comes, in bytes.
const AT_FIRST: usize = 64 * 1024;

/// What requests say of themselves.
const AGENT: HeaderValue = HeaderValue::from_static(concat!("Sluice/", env!("CARGO_PKG_VERSION")));
const ANYTHING: HeaderValue = HeaderValue::from_static("*/*");

/// An answer, of which the body is still to be read.
pub(crate) type Answer = Response<Incoming>;

/// Why there is no whole answer.
#[derive(Debug, Error)]
pub(crate) enum WebError {
    /// What may not be reached. Nothing was sent.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The URL cannot stand in a request. Nothing was sent.
    #[error(transparent)]
    Url(#[from] InvalidUri),
    /// No answer came.
    #[error(transparent)]
    Unanswered(#[from] ClientError),
    /// An answer came, and broke off.
    #[error(transparent)]
    BrokenOff(#[from] hyper::Error),
    /// An answer came, and is longer than it may be.
    #[error("the answer is too long")]
    TooLong,
}

impl WebError {
    /// Returns whether nothing was sent: there was no connection, or it was gone before.
    pub(crate) fn is_unsent(&self) -> bool {
        let WebError::Unanswered(error) = self else {
            return false;
        };
        // Of requests over HTTP/1, the library says so only of those that it did not begin to write.
        let unbegun = |error: &hyper::Error| error.is_canceled() || error.is_closed();
        let cause = error.source().and_then(|cause| cause.downcast_ref());
        error.is_connect() || cause.is_some_and(unbegun)
    }
}

/// Whether a request was begun to be sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Begun(Arc<OnceLock<CaptureConnection>>);

impl Begun {
    /// Watches a request. Of several, the first counts: those that follow come after its answer.
    fn watch<B>(&self, request: &mut Request<B>) {
        self.0.get_or_init(|| capture_connection(request));
    }

    /// Returns whether it was given to a connection.
    pub(crate) fn is_so(&self) -> bool {
        let captured = self.0.get();
        captured.is_some_and(|captured| captured.connection_metadata().is_some())
    }
}

/// Sends web requests to what its guard lets through, and keeps connections for the next ones.
#[derive(Debug)]
pub(crate) struct WebClient {
    client: Client<Connector, Full<Bytes>>,
    guard: Arc<Guard>,
}

impl WebClient {
    pub(crate) fn new(guard: Guard) -> Self {
        let guard = Arc::new(guard);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIME)
            .pool_max_idle_per_host(IDLE)
            .build(Connector(Arc::clone(&guard)));
        Self { client, guard }
    }

    /// Returns what decides what it can reach.
    pub(crate) fn guard(&self) -> &Arc<Guard> {
        &self.guard
    }

    /// Sends a request. Redirects are not followed, so that each passes the guard; what comes is
    /// not unpacked, so that a small answer does not become a large one. `begun` tells whether it
    /// was sent, also when this is not waited for any more.
    ///
    /// # Errors
    /// When it may not be sent, or no answer came. The caller bounds the time.
    pub(crate) async fn send(
        &self,
        method: Method,
        url: &Url,
        mut headers: HeaderMap,
        body: Option<Bytes>,
        begun: &Begun,
    ) -> Result<Answer, WebError> {
        self.guard.check_url(url)?;
        headers.entry(USER_AGENT).or_insert(AGENT);
        headers.entry(ACCEPT).or_insert(ANYTHING);
        let body = body.unwrap_or_default();
        // Of a method that says something with its body, an empty one is told, too (RFC 9110, 8.6):
        // there are services that answer 411 otherwise.
        if body.is_empty() && matches!(method, Method::POST | Method::PUT | Method::PATCH) {
            headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = Uri::try_from(url.as_str())?;
        *request.headers_mut() = headers;
        begun.watch(&mut request);
        Ok(self.client.request(request).await?)
    }
}

/// Reads a body of so many bytes at most.
///
/// # Errors
/// When it breaks off or is longer.
pub(crate) async fn read(mut body: Incoming, most: usize) -> Result<Vec<u8>, WebError> {
    let told = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if told > most {
        return Err(WebError::TooLong);
    }
    // What is told is not sent yet.
    let mut read = Vec::with_capacity(told.min(AT_FIRST));
    while let Some(frame) = body.frame().await {
        // What is no data are trailers.
        let Ok(chunk) = frame?.into_data() else {
            continue;
        };
        if read.len() + chunk.len() > most {
            return Err(WebError::TooLong);
        }
        read.extend_from_slice(&chunk);
    }
    Ok(read)
}

#[derive(Clone, Debug)]
struct Connector(Arc<Guard>);

impl Service<Uri> for Connector {
    type Response = TokioIo<Box<dyn Way>>;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let guard = Arc::clone(&self.0);
        Box::pin(async move {
            let (form, port) = match uri.scheme_str() {
                Some("https") => (Form::Encrypted, 443),
                _ => (Form::Plain, 80),
            };
            let host = uri.host().unwrap_or_default();
            let host = host.trim_start_matches('[').trim_end_matches(']');
            let port = uri.port_u16().unwrap_or(port);
            let tcp = dial(&guard, host, port, form).await?;
            let way: Box<dyn Way> = match form {
                Form::Plain => Box::new(tcp),
                Form::Encrypted => Box::new(tls::encrypt_web(tcp, host).await?),
            };
            Ok(TokioIo::new(way))
        })
    }
}

impl Connection for Box<dyn Way> {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}
