//! Whom Postgres runs as: us, or somebody unprivileged when we are root.

use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::Error;

/// Whom Postgres runs as.
#[derive(Clone, Debug)]
pub(super) struct User {
    /// The name for messages.
    pub(super) name: String,
    /// The number of the user.
    pub(super) uid: u32,
    /// The number of the user's group.
    pub(super) gid: u32,
    /// Whether we are root and change to this user.
    pub(super) switched: bool,
}

impl User {
    /// Returns the current user, or for root the first of `postgres` and `nobody`.
    pub(super) fn for_postgres() -> Result<Self, Error> {
        let (uid, gid) = current();
        if uid != 0 {
            return Ok(Self {
                name: format!("number {uid}"),
                uid,
                gid,
                switched: false,
            });
        }
        let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        ["postgres", "nobody"]
            .into_iter()
            .find_map(|name| entry(&accounts, name))
            .ok_or(Error::NoUser)
    }

    /// Returns a command that will run as this user.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        if self.switched {
            // Setting the user also drops root's supplementary groups.
            command.uid(self.uid).gid(self.gid);
        }
        command
            .env("LC_ALL", "C")
            .env_remove("PGDATA")
            .env_remove("PGHOST")
            .env_remove("PGPORT")
            .env_remove("PGUSER")
            .env_remove("PGOPTIONS")
            .stdin(Stdio::null());
        command
    }

    /// Returns whether this user gets into a folder, through all folders above it.
    pub(super) fn can_enter(&self, folder: &Path) -> bool {
        let mut probe = self.command(Path::new("/bin/sh"));
        probe.args(["-c", ":"]).current_dir(folder);
        probe.status().is_ok_and(|status| status.success())
    }

    /// Gives a file or folder, and everything in it, to this user.
    pub(super) fn own(&self, path: &Path) -> std::io::Result<()> {
        if !self.switched {
            return Ok(());
        }
        let metadata = std::fs::symlink_metadata(path)?;
        if metadata.uid() != self.uid || metadata.gid() != self.gid {
            std::os::unix::fs::lchown(path, Some(self.uid), Some(self.gid))?;
        }
        if metadata.is_dir() {
            for entry in std::fs::read_dir(path)? {
                self.own(&entry?.path())?;
            }
        }
        Ok(())
    }
}

fn current() -> (u32, u32) {
    if let Ok(metadata) = std::fs::metadata("/proc/self") {
        return (metadata.uid(), metadata.gid());
    }
    let ask = |flag: &str| {
        let output = Command::new("id").arg(flag).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse().ok()
    };
    (ask("-u").unwrap_or(u32::MAX), ask("-g").unwrap_or(u32::MAX))
}

fn entry(accounts: &str, name: &str) -> Option<User> {
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then_some(())?;
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(User {
            name: name.to_owned(),
            uid,
            gid,
            switched: true,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::entry;

    #[test]
    fn an_account_is_found_by_its_whole_name() {
        let accounts = "postgresql:x:7:8::/:/bin/sh\npostgres:x:101:102:,,,:/var:/bin/bash\n";
        let user = entry(accounts, "postgres").expect("it is listed");
        assert_eq!((user.uid, user.gid), (101, 102));
        assert!(entry(accounts, "nobody").is_none());
    }
}
