//! `cargo xtask serve`: from a fresh clone to a running Sluice.

use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::arguments::Arguments;
use crate::command::{Failure, Outcome, progress};
use crate::launch::{self, Profile};
use crate::project::Project;
use crate::setup::{self, toolchain};

const DEFAULT_PORT: u16 = 8080;

/// Sets up, builds, and becomes the server.
///
/// This process is replaced by the server's: signals reach it, its output is seen
/// as it is written, and its exit status is the command's.
pub(crate) fn run(project: &Project, mut arguments: Arguments) -> Outcome {
    let port = arguments.value("--port")?;
    let data = arguments.value("--data")?;
    let profile = Profile::from_release(arguments.flag("--release"));
    arguments.finish()?;
    let port = port.map(|text| wanted_port(&text)).transpose()?;

    let toolchain = setup::for_serve(project)?;
    let program = launch::build(project, &toolchain, profile)?;
    let port = match port {
        Some(port) => port,
        None => free_port()?,
    };
    // As typed, so from the folder it was typed in.
    let data = data.map_or_else(
        || project.root.join("data"),
        |data| invocation_folder().join(data),
    );
    let mut server = Command::new(program);
    server
        .args([
            "serve",
            "--demo",
            "--listen",
            &format!("127.0.0.1:{port}"),
            "--data-dir",
        ])
        .arg(data)
        .env("SLUICE_SITE", &project.leptos.site_root)
        .current_dir(&project.root);
    toolchain::clean(&mut server);
    progress("Starting Sluice");
    Err(Failure::new(format!(
        "The server could not be started: {}",
        server.exec()
    )))
}

fn invocation_folder() -> std::path::PathBuf {
    std::env::current_dir().unwrap_or_default()
}

fn wanted_port(text: &str) -> Outcome<u16> {
    let port = text
        .parse()
        .map_err(|_| Failure::new(format!("--port takes a number up to 65535, not `{text}`.")))?;
    if port != 0 && TcpListener::bind(("127.0.0.1", port)).is_err() {
        return Err(Failure::new(format!(
            "Port {port} is taken. Stop what listens there, choose another --port, or leave it out."
        )));
    }
    Ok(port)
}

fn free_port() -> Outcome<u16> {
    use crate::command::Context;
    if TcpListener::bind(("127.0.0.1", DEFAULT_PORT)).is_ok() {
        return Ok(DEFAULT_PORT);
    }
    let port = TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .context(|| "looking for a free port".to_owned())?
        .port();
    progress(format_args!("Port {DEFAULT_PORT} is taken; using {port}"));
    Ok(port)
}
