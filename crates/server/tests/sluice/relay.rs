//! A way to Postgres on which nothing passes for a while, as through a network that is away: nobody
//! is told, and what was held up arrives when it is back.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A port before Postgres.
pub(crate) struct Relay {
    /// The address of the database by this way.
    pub(crate) url: String,
    passes: watch::Sender<bool>,
    listening: JoinHandle<()>,
}

impl Relay {
    pub(crate) async fn to(url: &str) -> Self {
        let options = PgConnectOptions::from_str(url).expect("it is an address");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let near = listener.local_addr().expect("it is bound");
        let address = url.split('?').next().unwrap_or(url);
        let (who, rest) = address.rsplit_once('@').expect("it names a role");
        let (_, database) = rest.split_once('/').expect("it names a database");
        let (passes, passing) = watch::channel(true);
        let listening = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(carry(near, options.clone(), passing.clone()));
            }
        });
        Self {
            url: format!("{who}@{near}/{database}?sslmode=disable"),
            passes,
            listening,
        }
    }

    /// Lets nothing pass, or lets all pass again.
    pub(crate) fn let_pass(&self, passes: bool) {
        self.passes.send_replace(passes);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn carry(near: TcpStream, options: PgConnectOptions, passes: watch::Receiver<bool>) {
    let port = options.get_port();
    let host = Path::new(options.get_host());
    let folder = options.get_socket().map(PathBuf::as_path);
    match folder.or(host.is_absolute().then_some(host)) {
        Some(folder) => {
            let far = UnixStream::connect(folder.join(format!(".s.PGSQL.{port}"))).await;
            both(near, far.expect("it is there"), passes).await;
        }
        None => {
            let far = TcpStream::connect((options.get_host(), port)).await;
            both(near, far.expect("it is there"), passes).await;
        }
    }
}

async fn both(near: TcpStream, far: impl AsyncRead + AsyncWrite, passes: watch::Receiver<bool>) {
    let (from_near, to_near) = split(near);
    let (from_far, to_far) = split(far);
    tokio::join!(
        pass(from_near, to_far, passes.clone()),
        pass(from_far, to_near, passes),
    );
}

async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut passes: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = from.read(&mut buffer).await.unwrap_or(0);
        let is_over = passes.wait_for(|passes| *passes).await.is_err();
        if is_over || read == 0 || to.write_all(&buffer[..read]).await.is_err() {
            let _ = to.shutdown().await;
            return;
        }
    }
}
