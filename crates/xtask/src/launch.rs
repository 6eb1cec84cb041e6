//! Builds the server and the page, and starts the server's own commands.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::command::{Failure, Outcome, Running, progress, run};
use crate::project::Project;
use crate::setup::Toolchain;
use crate::site;

/// Which of Cargo's profiles the server is built with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Quick to build, for the daily loop and the tests.
    Dev,
    /// Quick to run, for benches and real use.
    Release,
}

impl Profile {
    /// `Release` if the flag was given.
    pub(crate) fn from_release(release: bool) -> Self {
        if release { Self::Release } else { Self::Dev }
    }
}

/// Builds both; returns the path of the server's program.
pub(crate) fn build(
    project: &Project,
    toolchain: &Toolchain,
    profile: Profile,
) -> Outcome<PathBuf> {
    let program = server(project, toolchain, profile)?;
    site::build(project, toolchain)?;
    Ok(program)
}

/// Builds the server; returns the path of its program.
pub(crate) fn server(
    project: &Project,
    toolchain: &Toolchain,
    profile: Profile,
) -> Outcome<PathBuf> {
    progress("Building the server");
    let begun = Instant::now();
    let package = &project.leptos.bin_package;
    let mut cargo = toolchain.cargo();
    cargo
        .args(["build", "--package", package])
        .current_dir(&project.root);
    let folder = match profile {
        Profile::Dev => "debug",
        Profile::Release => {
            cargo.arg("--release");
            "release"
        }
    };
    run(&mut cargo)?;
    progress(format_args!(
        "The server is built ({:.1} s)",
        begun.elapsed().as_secs_f64()
    ));
    Ok(project
        .target
        .join(folder)
        .join(&project.leptos.output_name))
}

/// A private Postgres that runs until this value goes.
pub(crate) struct Postgres {
    _server: Running,
    /// What to set `DATABASE_URL` to.
    pub(crate) url: String,
}

impl Postgres {
    /// Starts `sluice postgres` with its data in a folder and waits until it answers.
    pub(crate) fn start(program: &Path, data: &Path) -> Outcome<Self> {
        let mut command = Command::new(program);
        command
            .args(["postgres", "--data-dir"])
            .arg(data)
            .env_remove("DATABASE_URL")
            .stdout(Stdio::piped());
        let mut server = Running::start(&mut command)?;
        let output = server.output().expect("it was piped");
        let url = std::io::BufRead::lines(output)
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("DATABASE_URL=").map(str::to_owned));
        match url {
            Some(url) => Ok(Self {
                _server: server,
                url,
            }),
            None => Err(Failure::new(
                "The private Postgres did not start; its own words are above.",
            )),
        }
    }
}

/// A folder for one command's data, deleted when this value goes.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// Makes an empty folder, open to all users: Postgres will not run as root.
    pub(crate) fn new(name: &str) -> Outcome<Self> {
        use std::os::unix::fs::PermissionsExt;

        use crate::command::Context;
        let path = std::env::temp_dir().join(format!("sluice-{name}-{}", std::process::id()));
        let writing = || format!("making the folder {}", path.display());
        std::fs::create_dir_all(&path).context(writing)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).context(writing)?;
        Ok(Self(path))
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
