//! Writes the query data that sqlx checks against when there is no database.
//!
//! The migrations are applied by `psql` straight from their files, not by the
//! server: a changed query must not keep the data from being written that the
//! server needs to compile.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use crate::command::{Context, Failure, Outcome, find, progress, run};
use crate::launch::{self, Postgres, Profile, Scratch};
use crate::project::Project;
use crate::setup::{self, Toolchain};

/// Writes the data, or with `check` fails if the committed data differs.
pub(crate) fn run_command(project: &Project, check: bool) -> Outcome {
    let toolchain = setup::for_serve(project)?;
    if let Some(url) = std::env::var("DATABASE_URL")
        .ok()
        .filter(|url| !url.is_empty())
    {
        return with_server(project, &toolchain, &url, check);
    }
    // Any earlier build will do: only its private Postgres is wanted.
    let mut program = project
        .target
        .join("debug")
        .join(&project.leptos.output_name);
    if !program.is_file() {
        program = launch::server(project, &toolchain, Profile::Dev)?;
    }
    let scratch = Scratch::new("prepare")?;
    let postgres = Postgres::start(&program, &scratch.path().join("data"))?;
    with_server(project, &toolchain, &postgres.url, check)
}

/// The same on a Postgres that is running, in a database of its own.
pub(crate) fn with_server(
    project: &Project,
    toolchain: &Toolchain,
    url: &str,
    check: bool,
) -> Outcome {
    let database = Database::create(url)?;
    for migration in migrations(project)? {
        database.apply(&migration)?;
    }
    let fresh = project.target.join("xtask/query-data");
    let doing = || format!("writing {}", fresh.display());
    if fresh.exists() {
        fs::remove_dir_all(&fresh).context(doing)?;
    }
    fs::create_dir_all(&fresh).context(doing)?;
    progress("Checking every query against the migrated database");
    touch(&project.root.join("crates/store/src/lib.rs"))?;
    run(toolchain
        .cargo()
        .args(["check", "--quiet", "--package", "store", "--all-targets"])
        .env("SQLX_OFFLINE", "false")
        .env("SQLX_OFFLINE_DIR", &fresh)
        .env("DATABASE_URL", &database.url)
        .current_dir(&project.root))?;
    compare(&fresh, &project.root.join("crates/store/.sqlx"), check)
}

fn compare(fresh: &Path, committed: &Path, check: bool) -> Outcome {
    let wanted = contents(fresh).context(|| format!("reading {}", fresh.display()))?;
    let present = contents(committed).context(|| format!("reading {}", committed.display()))?;
    let differing = wanted
        .iter()
        .filter(|(name, text)| present.get(*name) != Some(text))
        .count()
        + present
            .keys()
            .filter(|name| !wanted.contains_key(*name))
            .count();
    if differing == 0 {
        progress(format_args!(
            "The data of {} queries is up to date",
            wanted.len()
        ));
        return Ok(());
    }
    if check {
        return Err(Failure::new(format!(
            "The query data in {} differs in {differing} files from what the queries need now. \
             Run `cargo xtask prepare` and commit the folder.",
            committed.display()
        )));
    }
    let doing = || format!("writing {}", committed.display());
    fs::create_dir_all(committed).context(doing)?;
    for name in present.keys().filter(|name| !wanted.contains_key(*name)) {
        fs::remove_file(committed.join(name)).context(doing)?;
    }
    for (name, text) in &wanted {
        fs::write(committed.join(name), text).context(doing)?;
    }
    progress(format_args!(
        "Wrote the data of {} queries; {differing} files changed",
        wanted.len()
    ));
    Ok(())
}

/// The query files of a folder by name; none if there is no such folder.
fn contents(folder: &Path) -> io::Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    if folder.is_dir() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if name.starts_with("query-") {
                files.insert(name, fs::read(&path)?);
            }
        }
    }
    Ok(files)
}

/// Makes cargo compile the crate again, which is when the macros look at the queries.
fn touch(file: &Path) -> Outcome {
    fs::OpenOptions::new()
        .append(true)
        .open(file)
        .and_then(|file| file.set_modified(SystemTime::now()))
        .context(|| format!("touching {}", file.display()))
}

fn migrations(project: &Project) -> Outcome<Vec<PathBuf>> {
    let folder = project.root.join("crates/store/migrations");
    let doing = || format!("reading {}", folder.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(&folder).context(doing)? {
        let path = entry.context(doing)?.path();
        let name = path.to_string_lossy();
        if name.ends_with(".sql") && !name.ends_with(".down.sql") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// A database that lives as long as this value.
struct Database {
    url: String,
    server: String,
    name: String,
}

impl Database {
    fn create(server: &str) -> Outcome<Self> {
        let name = format!("sluice_prepare_{}", std::process::id());
        let url = with_database(server, &name).ok_or_else(|| {
            Failure::new("DATABASE_URL is not of the form postgres://…/database.")
        })?;
        run(psql(server)?.arg(format!("--command=create database {name}")))?;
        Ok(Self {
            url,
            server: server.to_owned(),
            name,
        })
    }

    /// Applies one migration as sqlx would: in one transaction unless it says otherwise.
    fn apply(&self, file: &Path) -> Outcome {
        let text = fs::read_to_string(file).context(|| format!("reading {}", file.display()))?;
        let mut psql = psql(&self.url)?;
        if !text.starts_with("-- no-transaction") {
            psql.arg("--single-transaction");
        }
        run(psql.arg("--file").arg(file))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Ok(mut psql) = psql(&self.server) {
            let _ = run(psql.arg(format!(
                "--command=drop database {} with (force)",
                self.name
            )));
        }
    }
}

fn psql(url: &str) -> Outcome<Command> {
    let beside_the_server = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin/psql"))
        .find(|path| path.is_file());
    let program = find("psql").or(beside_the_server).ok_or_else(|| {
        Failure::new("`psql` was not found. On Debian: apt-get install postgresql-client")
    })?;
    let mut psql = Command::new(program);
    psql.args([
        "--quiet",
        "--no-psqlrc",
        "--no-password",
        "--set=ON_ERROR_STOP=1",
    ])
    .arg(format!("--dbname={url}"))
    .stdout(std::process::Stdio::null());
    Ok(psql)
}

/// The same address with another database name.
fn with_database(url: &str, name: &str) -> Option<String> {
    let (address, options) = url
        .split_once('?')
        .map_or((url, None), |(address, options)| (address, Some(options)));
    let (scheme, rest) = address.split_once("://")?;
    let authority = rest.split('/').next().unwrap_or_default();
    let options = options
        .map(|options| format!("?{options}"))
        .unwrap_or_default();
    Some(format!("{scheme}://{authority}/{name}{options}"))
}

#[cfg(test)]
mod tests {
    use super::with_database;

    #[test]
    fn the_database_of_an_address_is_replaced_and_the_rest_kept() {
        let over_tcp = with_database("postgres://me:secret@host:5433/one?sslmode=disable", "two");
        assert_eq!(
            over_tcp.as_deref(),
            Some("postgres://me:secret@host:5433/two?sslmode=disable")
        );
        let over_socket = with_database("postgres:///one?host=/run/here", "two");
        assert_eq!(
            over_socket.as_deref(),
            Some("postgres:///two?host=/run/here")
        );
        assert_eq!(with_database("nonsense", "two"), None);
    }
}
