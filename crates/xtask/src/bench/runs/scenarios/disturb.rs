//! What breaks, and what presses.

use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::{BREAKING, Bed, LEAD};
use crate::bench::server::Server;
use crate::command::{Context, Failure, Outcome, Running, progress};
use crate::launch;

/// How often the backends are ended.
const BACKENDS: Duration = Duration::from_millis(300);
/// How often a server is killed in a row, and how long it works before.
const KILLS: (usize, Duration) = (5, Duration::from_millis(500));
/// Sessions that read.
const READERS: u32 = 4;
/// Connections that are left for those who come and go while most are taken, and how long taking them
/// may take.
const SPARE: u32 = 4;
const TAKING: Duration = Duration::from_secs(1);
/// How long other programs may take to do what they are started for.
const PATIENCE: Duration = Duration::from_secs(6);

/// Takes a connection, and keeps it.
const HOLD: &str = "select 1;\n\\sleep 600 s\n";
/// Reads the newest runs and keeps the snapshot for a while.
const READ: &str = "begin isolation level repeatable read;
select count(*), max(error) from (select error from run order by run_id desc limit 100) as newest;
\\sleep 500 ms
commit;
";

/// Stops Postgres and starts it again.
pub(super) fn restart_postgres(bed: &mut Bed<'_>) -> Outcome<SystemTime> {
    thread::sleep(LEAD);
    bed.postgres = None;
    let data = bed.folder.join("data");
    bed.postgres = Some(launch::Postgres::start(&bed.bench.program, &data)?);
    Ok(SystemTime::now())
}

/// Ends all connections of Sluice to the database, again and again. Those of Postgres itself, such as
/// its vacuum's, are not ours to end.
pub(super) fn kill_backends(bed: &mut Bed<'_>) -> Outcome<SystemTime> {
    thread::sleep(LEAD);
    let begun = Instant::now();
    let mut ended = 0.0;
    while begun.elapsed() < BREAKING {
        ended += bed.database.number(
            "select count(*) filter (where pg_terminate_backend(pid)) from pg_stat_activity
             where datname = current_database() and usename = current_user
                and pid <> pg_backend_pid()",
        )?;
        thread::sleep(BACKENDS);
    }
    if ended == 0.0 {
        return Err(Failure::new("There was no connection to end."));
    }
    progress(format_args!("{ended} connections were ended"));
    Ok(SystemTime::now())
}

/// Takes all connections that Postgres has left, and keeps them for a flood's length.
pub(super) fn exhaust_connections(bed: &mut Bed<'_>) -> Outcome<SystemTime> {
    thread::sleep(LEAD);
    let script = bed.folder.join("hold.sql");
    std::fs::write(&script, HOLD).context(|| format!("writing {}", script.display()))?;
    let mut holders: Vec<Running> = Vec::new();
    let begun = Instant::now();
    while let Some(left) = connections_left(bed) {
        if begun.elapsed() > PATIENCE {
            return Err(Failure::new("Not all connections could be taken."));
        }
        // One that gets less than it wants takes none: the last are taken one by one.
        let wanted = left.saturating_sub(SPARE).max(1);
        let mut pgbench = bed.database.pgbench(wanted);
        pgbench.arg("--file").arg(&script);
        pgbench.stdout(Stdio::null()).stderr(Stdio::null());
        let mut holder = Running::start(&mut pgbench)?;
        let (started, enough) = (Instant::now(), left - wanted.min(left));
        while started.elapsed() < TAKING
            && !holder.has_ended()
            && bed
                .database
                .connections_left()
                .is_some_and(|left| left > enough)
        {
            thread::sleep(Duration::from_millis(20));
        }
        holders.push(holder);
    }
    thread::sleep(BREAKING);
    if connections_left(bed).is_some() {
        return Err(Failure::new("The connections were not kept."));
    }
    drop(holders);
    Ok(SystemTime::now())
}

/// Returns how many connections are left: none when whoever asks is refused one, more than once, as
/// others come and go.
fn connections_left(bed: &Bed<'_>) -> Option<u32> {
    (0..3).find_map(|_| {
        thread::sleep(Duration::from_millis(50));
        bed.database.connections_left()
    })
}

/// Kills the server and starts it again.
pub(super) fn kill_once(bed: &mut Bed<'_>) -> Outcome<SystemTime> {
    thread::sleep(LEAD);
    kill(bed)
}

/// Kills the server each time that it works again.
pub(super) fn kill_repeatedly(bed: &mut Bed<'_>) -> Outcome<SystemTime> {
    let (kills, works) = KILLS;
    thread::sleep(LEAD);
    let mut killed = kill(bed)?;
    for _ in 1..kills {
        thread::sleep(works);
        killed = kill(bed)?;
    }
    Ok(killed)
}

/// Kills the server, starts another at its address and waits until that answers; returns when the
/// former was killed.
fn kill(bed: &mut Bed<'_>) -> Outcome<SystemTime> {
    let (Some(server), Some(postgres)) = (bed.server.take(), &bed.postgres) else {
        return Err(Failure::new("There is no server to kill."));
    };
    let address = server.address;
    let killed = SystemTime::now();
    server.kill();
    bed.server = Some(Server::start_to_suffer(
        bed.bench,
        &postgres.url,
        Some(address),
    )?);
    Ok(killed)
}

/// Keeps a snapshot in a transaction in which nothing happens.
pub(super) fn hold_snapshot(bed: &Bed<'_>) -> Outcome<Running> {
    let mut psql = bed.database.psql();
    psql.args(["--command", "set idle_in_transaction_session_timeout = 0"])
        .args(["--command", "begin isolation level repeatable read"])
        .args(["--command", "select count(*) from run_queue"])
        // Sends nothing: the transaction stays open as long as this takes.
        .args(["--command", "\\! sleep 600"])
        .stdout(Stdio::null());
    let holding = Running::start(&mut psql)?;
    bed.database
        .await_sessions("idle in transaction", 1.0, PATIENCE)?;
    Ok(holding)
}

/// Reads the newest runs in several sessions that keep their snapshots for a while.
pub(super) fn read(bed: &Bed<'_>) -> Outcome<Running> {
    let script = bed.folder.join("read.sql");
    std::fs::write(&script, READ).context(|| format!("writing {}", script.display()))?;
    let mut pgbench = bed.database.pgbench(READERS);
    pgbench
        .args(["--time", "600", "--file"])
        .arg(&script)
        .stdout(Stdio::null());
    let reading = Running::start(&mut pgbench)?;
    let sessions = f64::from(READERS);
    bed.database
        .await_sessions("idle in transaction", sessions, PATIENCE)?;
    Ok(reading)
}
