//! Finds the programs of a Postgres that is installed on this machine.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::Error;

/// The oldest version that our SQL is written for.
const OLDEST: u32 = 15;

/// Where packages put the programs when they are not on `PATH`; `*` is a version.
const FOLDERS: [(&str, &str); 4] = [
    ("/usr/lib/postgresql", "bin"),
    ("/usr/local/lib/postgresql", "bin"),
    ("/opt/homebrew/opt", "bin"),
    ("/usr/local/opt", "bin"),
];

/// The folder with one version's programs.
#[derive(Clone, Debug)]
pub(super) struct Binaries {
    folder: PathBuf,
    /// Major version.
    pub(super) version: u32,
}

impl Binaries {
    /// Returns the programs of the version that the data was made with, or of the newest one.
    pub(super) fn find(made_with: Option<u32>) -> Result<Self, Error> {
        let fits = |found: &Binaries| match made_with {
            Some(version) => found.version == version,
            None => found.version >= OLDEST,
        };
        let chosen = std::env::var_os("PG_BIN").map(PathBuf::from);
        let on_path: Vec<PathBuf> = std::env::var_os("PATH")
            .map_or_else(Vec::new, |path| std::env::split_paths(&path).collect());
        let mut packaged: Vec<Binaries> =
            packaged().iter().filter_map(|folder| at(folder)).collect();
        packaged.sort_by_key(|found| std::cmp::Reverse(found.version));
        chosen
            .iter()
            .chain(&on_path)
            .filter_map(|folder| at(folder))
            .chain(packaged)
            .find(fits)
            .ok_or_else(|| Error::NotInstalled {
                wanted: made_with.map_or_else(
                    || format!("{OLDEST} or newer"),
                    |version| format!("{version} (the version that the data was made with)"),
                ),
            })
    }

    /// Returns the path of a program, such as `initdb`.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

fn packaged() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for (base, below) in FOLDERS {
        let entries = std::fs::read_dir(base).into_iter().flatten().flatten();
        folders.extend(entries.map(|entry| entry.path().join(below)));
    }
    folders
}

fn at(folder: &Path) -> Option<Binaries> {
    let has = |name: &str| folder.join(name).is_file();
    if !["initdb", "postgres", "pg_ctl", "createuser", "createdb"]
        .into_iter()
        .all(has)
    {
        return None;
    }
    let output = Command::new(folder.join("postgres"))
        .arg("--version")
        .output()
        .ok()?;
    Some(Binaries {
        folder: folder.to_owned(),
        version: major(&String::from_utf8_lossy(&output.stdout))?,
    })
}

/// Reads the major version from `postgres (PostgreSQL) 15.18 (Debian …)`.
fn major(text: &str) -> Option<u32> {
    let version = text.split("(PostgreSQL)").nth(1)?.trim_start();
    let digits = version.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::major;

    #[test]
    fn the_major_version_is_read_from_what_postgres_says() {
        assert_eq!(
            major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"),
            Some(15)
        );
        assert_eq!(major("postgres (PostgreSQL) 19beta1"), Some(19));
        assert_eq!(major("something else 15"), None);
    }
}
