//! The private Postgres, as the command `sluice postgres` starts it; and how a connection of an
//! integration logs in to a Postgres that asks for it. These tests start their own databases and use
//! no DATABASE_URL.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::Timestamp;
use domain::connection::{Kind, Server, Tls};
use engine::port::{Clients, Credentials, Network, try_out};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, UnixStream};
use tokio::time::interval;
use tokio_rustls::TlsAcceptor;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("sluice-test-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("the temporary folder can be written");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

struct Running {
    child: Child,
    url: String,
}

fn command(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
    command
        .args(["postgres", "--data-dir"])
        .arg(data)
        .env_remove("DATABASE_URL");
    command
}

fn start(data: &Path) -> Running {
    let mut child = command(data)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary is built");
    let output = BufReader::new(child.stdout.take().expect("it was piped"));
    let url = output
        .lines()
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("DATABASE_URL=").map(str::to_owned))
        .expect("Postgres starts and its address is printed");
    Running { child, url }
}

fn end(mut running: Running, signal: &str) {
    let process = running.child.id().to_string();
    let sent = Command::new("kill")
        .args(["-s", signal, &process])
        .status()
        .expect("kill is there");
    assert!(sent.success());
    let status = running.child.wait().expect("it is our child");
    assert_eq!(status.success(), signal != "KILL");
}

async fn numbers(url: &str, then: Option<i32>) -> Vec<i32> {
    let mut connection = PgConnection::connect(url)
        .await
        .expect("it accepts connections");
    let run = |sql: &'static str| sqlx::raw_sql(sql);
    run("create table if not exists numbers (number int)")
        .execute(&mut connection)
        .await
        .expect("our role may");
    if let Some(number) = then {
        let insert = sqlx::query("insert into numbers values ($1)").bind(number);
        insert.execute(&mut connection).await.expect("our role may");
    }
    sqlx::query_scalar("select number from numbers order by 1")
        .fetch_all(&mut connection)
        .await
        .expect("our role may")
}

#[tokio::test]
async fn data_is_kept_after_a_stop_and_after_a_kill() {
    let folder = Folder::new("kept");
    let first = start(&folder.0);
    assert_eq!(numbers(&first.url, Some(1)).await, [1]);
    end(first, "TERM");
    assert!(
        !folder.0.join("postgres/postmaster.pid").exists(),
        "a clean stop leaves no server"
    );

    let second = start(&folder.0);
    assert_eq!(numbers(&second.url, Some(2)).await, [1, 2]);
    end(second, "KILL");

    // The server of the killed one still runs; the next start takes its place.
    let third = start(&folder.0);
    assert_eq!(numbers(&third.url, Some(3)).await, [1, 2, 3]);
    end(third, "INT");
}

#[tokio::test]
async fn a_server_that_does_not_start_again_is_started_until_it_does() {
    let folder = Folder::new("again");
    let running = start(&folder.0);
    assert_eq!(numbers(&running.url, Some(1)).await, [1]);
    let cluster = folder.0.join("postgres");
    let needed = cluster.join("global/pg_control");
    let aside = cluster.join("global/pg_control.aside");
    std::fs::rename(&needed, &aside).expect("the folder is ours");
    let kill = || {
        let process = std::fs::read_to_string(cluster.join("postmaster.pid")).expect("it runs");
        let process = process.lines().next().expect("its number stands first");
        let killed = Command::new("kill").args(["-s", "KILL", process]).status();
        assert!(killed.is_ok_and(|status| status.success()));
    };
    kill();

    let log = folder.0.join("postgres.log");
    let failures = || {
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        text.matches("could not find the database system").count()
    };
    until("it failed twice", async || failures() >= 2).await;
    std::fs::rename(&aside, &needed).expect("the folder is ours");
    let answers = async || PgConnection::connect(&running.url).await.is_ok();
    until("it answers again", answers).await;
    assert_eq!(numbers(&running.url, Some(2)).await, [1, 2]);

    // While it waits before it tries again, it can be stopped at once.
    std::fs::rename(&needed, &aside).expect("the folder is ours");
    kill();
    let before = failures();
    until("it failed twice more", async || failures() >= before + 2).await;
    end(running, "TERM");
}

/// Waits for something that happens by itself.
async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    let mut looks = interval(Duration::from_millis(20));
    while !is_so().await {
        assert!(begun.elapsed().as_secs() < 60, "waited until {what}");
        looks.tick().await;
    }
}

#[tokio::test]
async fn our_role_is_no_superuser_but_may_create_databases() {
    let folder = Folder::new("role");
    let running = start(&folder.0);
    let mut connection = PgConnection::connect(&running.url)
        .await
        .expect("it accepts connections");
    let rights: (bool, bool, bool) = sqlx::query_as(
        "select rolsuper, rolcreatedb, rolbypassrls from pg_roles where rolname = current_user",
    )
    .fetch_one(&mut connection)
    .await
    .expect("everyone may ask");
    assert_eq!(rights, (false, true, false));
    let durable: Vec<String> = sqlx::query_scalar(
        "select setting from pg_settings where name in ('fsync', 'synchronous_commit', 'data_checksums')",
    )
    .fetch_all(&mut connection)
    .await
    .expect("everyone may ask");
    assert_eq!(durable, ["on", "on", "on"]);
    end(running, "TERM");
}

#[tokio::test]
async fn whole_pages_in_the_log_are_compressed_in_the_fastest_way_that_this_postgres_has() {
    let folder = Folder::new("log");
    let running = start(&folder.0);
    let mut connection = PgConnection::connect(&running.url)
        .await
        .expect("it accepts connections");
    let (set, is_built_with): (String, bool) = sqlx::query_as(
        "select setting, 'lz4' = any(enumvals) from pg_settings where name = 'wal_compression'",
    )
    .fetch_one(&mut connection)
    .await
    .expect("everyone may ask");
    assert_eq!(set, if is_built_with { "lz4" } else { "pglz" });
    end(running, "TERM");
}

#[test]
fn a_second_start_on_the_same_folder_says_who_has_it() {
    let folder = Folder::new("second");
    let running = start(&folder.0);
    let second = command(&folder.0).output().expect("the binary is built");
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(!second.status.success());
    assert!(
        said.contains("already runs") && said.contains(&running.child.id().to_string()),
        "{said}"
    );
    end(running, "TERM");
}

#[test]
fn a_stale_process_file_and_a_long_path_do_not_stop_a_start() {
    let folder = Folder::new("long");
    let long = folder
        .0
        .join("a-folder-with-a-long-name".repeat(4))
        .join("data");
    end(start(&long), "TERM");
    // The number of a process that runs and is no Postgres.
    let stale = format!("{}\n/elsewhere\n", std::process::id());
    std::fs::write(long.join("postgres/postmaster.pid"), stale).expect("the folder is ours");
    end(start(&long), "TERM");
}

#[test]
fn the_socket_is_in_a_private_folder() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new("socket");
    let running = start(&folder.0);
    let mode = std::fs::metadata(folder.0.join("socket"))
        .expect("the path is short")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
    end(running, "TERM");
}

/// The authority that signed the certificate of [`way`].
const AUTHORITY: &str = include_str!("../../engine/tests/engine/tls/authority.pem");

/// Returns the port of a way to a server's socket that is encrypted first, when that is asked for.
async fn way(socket: PathBuf) -> u16 {
    let chain =
        CertificateDer::pem_slice_iter(include_bytes!("../../engine/tests/engine/tls/server.pem"));
    let key = include_bytes!("../../engine/tests/engine/tls/server.key");
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(
            chain.map(|one| one.expect("it is one")).collect(),
            PrivateKeyDer::from_pem_slice(key).expect("it is one"),
        )
        .expect("they belong together");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let (acceptor, socket) = (acceptor.clone(), socket.clone());
            tokio::spawn(async move {
                let mut far = UnixStream::connect(socket).await.expect("it is there");
                let mut first = [0; 8];
                near.read_exact(&mut first)
                    .await
                    .expect("it says something");
                // SSLRequest.
                if first == [0, 0, 0, 8, 4, 210, 22, 47] {
                    near.write_all(b"S").await.expect("it waits");
                    let Ok(mut near) = acceptor.accept(near).await else {
                        return;
                    };
                    let _ = copy_bidirectional(&mut near, &mut far).await;
                } else {
                    far.write_all(&first).await.expect("it waits");
                    let _ = copy_bidirectional(&mut near, &mut far).await;
                }
            });
        }
    });
    port
}

#[tokio::test]
async fn a_connection_proves_that_it_knows_the_password_in_each_way_that_is_safe() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = Folder::new("login");
    let running = start(&folder.0);
    let rules = folder.0.join("postgres/pg_hba.conf");
    let before = std::fs::read_to_string(&rules).expect("the folder is ours");
    let superuser = running.url.replacen("sluice@", "postgres@", 1);
    let mut postgres = PgConnection::connect(&superuser)
        .await
        .expect("it lets us in");
    let secret = "p\u{e4}ss 'word' of the shop";
    let quoted = secret.replace('\'', "''");
    for (user, encryption) in [
        ("scram", "scram-sha-256"),
        ("md5", "md5"),
        ("plain", "scram-sha-256"),
    ] {
        let sql = format!(
            "set password_encryption = '{encryption}'; create role \"{user}\" login password '{quoted}'"
        );
        let made = sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut postgres)
            .await;
        made.expect("a superuser may");
    }
    let own = "local all scram scram-sha-256\nlocal all md5 md5\nlocal all plain password\n";
    std::fs::write(&rules, format!("{own}{before}")).expect("the folder is ours");
    let reload = sqlx::raw_sql("select pg_reload_conf()")
        .execute(&mut postgres)
        .await;
    reload.expect("a superuser may");
    // The rules are read a moment later.
    let refuses = running.url.replacen("sluice@", "scram@", 1);
    while PgConnection::connect(&refuses).await.is_ok() {}

    let port = way(folder.0.join("socket/.s.PGSQL.5432")).await;
    let network = Network {
        allowed: vec!["127.0.0.1".to_owned()],
        ..Network::default()
    };
    let tried = |user: &str, password: &str, tls: Tls, certificates: &str| {
        let server = Server {
            host: "127.0.0.1".to_owned(),
            port,
            tls,
            database: "sluice".to_owned(),
            certificates: certificates.to_owned(),
            ..Server::default()
        };
        let names = [user.to_owned()];
        let made = Credentials::for_server("It", Kind::Postgres, server, &names, &[password]);
        let network = network.clone();
        async move {
            try_out(
                &Clients::default(),
                &network,
                made.expect("it is whole"),
                "",
                Timestamp(0),
            )
            .await
        }
    };
    for (user, tls, is_let_in) in [
        ("scram", Tls::Upgraded, true),
        ("scram", Tls::Off, true),
        ("md5", Tls::Upgraded, true),
        ("plain", Tls::Upgraded, true),
        // Whoever listens would have what lets them in.
        ("md5", Tls::Off, false),
        ("plain", Tls::Off, false),
    ] {
        let tried = tried(user, secret, tls, AUTHORITY).await;
        assert_eq!(tried.is_ok(), is_let_in, "{user} {tls:?}: {tried:?}");
    }
    for user in ["scram", "md5", "plain"] {
        let tried = tried(user, "another password", Tls::Upgraded, AUTHORITY).await;
        let told = tried.expect_err("it is another one");
        assert!(told.contains("password authentication failed"), "{told}");
        assert!(told.contains("An Admin checks the connection"), "{told}");
    }
    let told = tried("scram", secret, Tls::Upgraded, "").await;
    assert!(
        told.expect_err("nobody knows it")
            .contains("No encrypted connection")
    );
    drop(postgres);
    end(running, "TERM");
}
