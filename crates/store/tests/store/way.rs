//! A way to Postgres that can go silent, as through a firewall that forgot what is open: nothing
//! passes any more, and nobody is told.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use store::{MasterKey, Store};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, copy, sink, split};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use uuid::Uuid;

/// A socket before that of Postgres.
pub(crate) struct Way {
    folder: PathBuf,
    options: PgConnectOptions,
    open: Arc<Mutex<Open>>,
    silent: Vec<Open>,
    listening: JoinHandle<()>,
}

/// Connections that go silent together.
struct Open {
    passes: watch::Sender<bool>,
    connections: JoinSet<()>,
}

impl Open {
    fn new() -> Self {
        Self {
            passes: watch::channel(true).0,
            connections: JoinSet::new(),
        }
    }
}

impl Way {
    pub(crate) fn to(options: &PgConnectOptions) -> Self {
        let folder = std::env::temp_dir().join(format!("way-{}", Uuid::now_v7().simple()));
        std::fs::create_dir(&folder).expect("it is new");
        let socket = folder.join(format!(".s.PGSQL.{}", options.get_port()));
        let listener = UnixListener::bind(socket).expect("it is new");
        let open = Arc::new(Mutex::new(Open::new()));
        let listening = {
            let (options, open) = (options.clone(), Arc::clone(&open));
            tokio::spawn(async move {
                while let Ok((near, _)) = listener.accept().await {
                    let far = dial(&options).await;
                    let mut open = open.lock().expect("nobody panicked");
                    let passes = open.passes.subscribe();
                    open.connections.spawn(carry(near, far, passes));
                }
            })
        };
        let options = options.clone().socket(&folder);
        Self {
            folder,
            options,
            open,
            silent: Vec::new(),
            listening,
        }
    }

    /// Returns a store whose connections take this way, and which waits so long.
    pub(crate) async fn store(&self, patience: Duration) -> Store {
        let store = Store::connect_patiently(self.options.clone(), 10, patience).await;
        let store = store.expect("the database answers");
        store.unlock(MasterKey::read(&"5a".repeat(32)).expect("it is a key"));
        store
    }

    /// Lets nothing pass any more on what is open now. What is opened from now on works.
    pub(crate) fn silence(&mut self) {
        let mut open = self.open.lock().expect("nobody panicked");
        open.passes.send_replace(false);
        let silent = std::mem::replace(&mut *open, Open::new());
        drop(open);
        self.silent.push(silent);
    }

    /// Lets pass what was held up since, and waits until Postgres ended the last of these connections.
    pub(crate) async fn let_go(&mut self) {
        for silent in &mut self.silent {
            silent.passes.send_replace(true);
            while silent.connections.join_next().await.is_some() {}
        }
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        self.listening.abort();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

async fn dial(options: &PgConnectOptions) -> Box<dyn Stream> {
    let port = options.get_port();
    let host = Path::new(options.get_host());
    let folder = options.get_socket().map(PathBuf::as_path);
    match folder.or(host.is_absolute().then_some(host)) {
        Some(folder) => {
            let socket = folder.join(format!(".s.PGSQL.{port}"));
            Box::new(UnixStream::connect(socket).await.expect("it is there"))
        }
        None => {
            let far = TcpStream::connect((options.get_host(), port)).await;
            Box::new(far.expect("it is there"))
        }
    }
}

async fn carry(near: UnixStream, far: Box<dyn Stream>, mut passes: watch::Receiver<bool>) {
    let (mut from_near, mut to_near) = split(near);
    let (mut from_far, mut to_far) = split(far);
    loop {
        let there = async {
            let _ = copy(&mut from_near, &mut to_far).await;
            let _ = to_far.shutdown().await;
        };
        // Postgres ends a connection after all that it was asked, though nobody hears it.
        let back = async {
            if copy(&mut from_far, &mut to_near).await.is_err() {
                let _ = copy(&mut from_far, &mut sink()).await;
            }
            let _ = to_near.shutdown().await;
        };
        tokio::select! {
            biased;
            _ = passes.wait_for(|passes| !passes) => {}
            _ = async { tokio::join!(there, back) } => return,
        }
        let goes_on = passes.wait_for(|passes| *passes).await;
        if goes_on.is_err() {
            return;
        }
    }
}
