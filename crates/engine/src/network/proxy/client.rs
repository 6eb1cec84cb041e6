//! Web requests through the proxy: a connection is dialed as one to a mail server is, so that the
//! same guard judges it, and the proxy is given the address.

use std::error::Error;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use http::header::{HeaderValue, USER_AGENT};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use reqwest::{Body, Request, Response};
use tower::Service;

use crate::network::dial::dial;
use crate::network::{Form, Guard, tls};
use crate::step::http::client::IDLE;
use crate::step::server::Way;

/// Why a request was not answered.
#[derive(Debug)]
pub(crate) enum SendError {
    /// On the way without a proxy, or while reading.
    Direct(reqwest::Error),
    /// On the way through one.
    Proxied(ClientError),
}

impl SendError {
    /// Returns the error with its causes.
    pub(crate) fn cause(&self) -> &(dyn Error + 'static) {
        match self {
            SendError::Direct(error) => error,
            SendError::Proxied(error) => error,
        }
    }

    /// Returns whether a name was not found.
    pub(crate) fn is_dns(&self) -> bool {
        matches!(self, SendError::Direct(error) if error.is_dns())
    }

    /// Returns whether there was no connection, so that nothing was sent.
    pub(crate) fn is_connect(&self) -> bool {
        match self {
            SendError::Direct(error) => error.is_connect(),
            SendError::Proxied(error) => error.is_connect(),
        }
    }
}

/// Sends web requests through the proxy of a guard.
#[derive(Debug)]
pub(crate) struct Proxied(Client<Connector, Body>);

impl Proxied {
    pub(crate) fn new(guard: Arc<Guard>) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(IDLE)
            .build(Connector(guard));
        Self(client)
    }

    /// Sends a request, without following redirects.
    pub(crate) async fn execute(
        &self,
        mut request: Request,
        agent: &'static str,
    ) -> Result<Response, SendError> {
        let agent = HeaderValue::from_static(agent);
        request.headers_mut().entry(USER_AGENT).or_insert(agent);
        let request = http::Request::<Body>::try_from(request).map_err(SendError::Direct)?;
        let answer = self.0.request(request).await.map_err(SendError::Proxied)?;
        Ok(answer.map(Body::wrap).into())
    }
}

#[derive(Clone, Debug)]
struct Connector(Arc<Guard>);

impl Service<Uri> for Connector {
    type Response = Carried;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Carried, Self::Error>> + Send>>;

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
                Form::Encrypted => Box::new(tls::encrypt(tcp, host, "").await?),
            };
            Ok(Carried(TokioIo::new(way)))
        })
    }
}

/// A way that was opened.
struct Carried(TokioIo<Box<dyn Way>>);

impl Connection for Carried {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Carried {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, into)
    }
}

impl Write for Carried {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, from)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
