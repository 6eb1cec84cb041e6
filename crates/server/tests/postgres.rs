//! The private Postgres, as the command `sluice postgres` starts it. These tests start their
//! own databases and use no DATABASE_URL.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use sqlx::{Connection, PgConnection};

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
