//! Calls this server from outside, through its own port: to know that it answers, and for the
//! demo's first runs.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use axum::body::Body;
use http::{Method, Request, header};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// Gets a path and returns the status of the answer.
///
/// # Errors
/// When there is no answer in time.
pub(crate) async fn get(server: SocketAddr, path: &str, within: Duration) -> io::Result<u16> {
    send(server, Method::GET, path, Body::empty(), within).await
}

/// Posts JSON to a path and returns the status of the answer.
///
/// # Errors
/// When there is no answer in time.
pub(crate) async fn post_json(
    server: SocketAddr,
    path: &str,
    payload: &Value,
    within: Duration,
) -> io::Result<u16> {
    send(
        server,
        Method::POST,
        path,
        Body::from(payload.to_string()),
        within,
    )
    .await
}

async fn send(
    server: SocketAddr,
    method: Method,
    path: &str,
    body: Body,
    within: Duration,
) -> io::Result<u16> {
    let answered = async {
        let stream = TcpStream::connect(reachable(server)).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        let connection = tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, server.to_string())
            .header(header::CONTENT_TYPE, "application/json")
            .body(body)
            .map_err(io::Error::other)?;
        let response = sender.send_request(request).await.map_err(io::Error::other);
        connection.abort();
        Ok(response?.status().as_u16())
    };
    tokio::time::timeout(within, answered)
        .await
        .unwrap_or_else(|late| Err(late.into()))
}

/// Returns the address to call where one listens at all addresses of the machine.
fn reachable(server: SocketAddr) -> SocketAddr {
    let ip = match server.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, server.port())
}
