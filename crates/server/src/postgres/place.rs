//! Where the private Postgres keeps its data and its socket.

use std::fs::DirBuilder;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::user::User;
use super::{Doing, Error};

/// Longest path of a socket's folder: the address holds 107 bytes, the file's name takes 16
/// of them and its lock file 5 more.
const SOCKET_FOLDER_BYTES: usize = 85;

/// Where root's Postgres keeps its data when the unprivileged user cannot get into the data
/// directory, as below a private home.
const FALLBACK: &str = "/var/lib/sluice";

/// The folders of one private Postgres.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The cluster's own folder. Need not be there yet.
    pub(super) cluster: PathBuf,
    /// The folder of its socket, private to the user.
    pub(super) socket: PathBuf,
    /// Its log.
    pub(super) log: PathBuf,
}

impl Place {
    /// Chooses the folders for a data directory (an absolute path) and makes what is missing.
    pub(super) fn choose(data_dir: &Path, user: &User) -> Result<Self, Error> {
        let digest = &domain::canonical::sha256(data_dir.as_os_str().as_encoded_bytes())[..16];
        let base = if user.can_enter(data_dir) {
            data_dir.to_owned()
        } else {
            let base = Path::new(FALLBACK).join(digest);
            std::fs::create_dir_all(&base).doing(|| format!("Making {}", base.display()))?;
            tracing::warn!(
                data_dir = %data_dir.display(), postgres = %base.display(),
                "the user {} that Postgres runs as cannot get into the data directory; its data is kept elsewhere", user.name
            );
            let note = data_dir.join("postgres-is-in");
            std::fs::write(&note, format!("{}\n", base.display()))
                .doing(|| format!("Writing {}", note.display()))?;
            base
        };
        let near = base.join("socket");
        let socket = if near.as_os_str().len() <= SOCKET_FOLDER_BYTES {
            near
        } else {
            Path::new("/tmp").join(format!("sluice-{digest}"))
        };
        private_folder(&socket, user)?;
        Ok(Self {
            cluster: base.join("postgres"),
            socket,
            log: data_dir.join("postgres.log"),
        })
    }

    /// Returns the major version that the data was made with; `None` when there is no data yet.
    pub(super) fn version(&self) -> Option<u32> {
        let text = std::fs::read_to_string(self.cluster.join("PG_VERSION")).ok()?;
        text.trim().parse().ok()
    }
}

/// Makes a folder that only the user gets into, or checks that an existing one is such a folder:
/// whoever can reach the socket is let in.
fn private_folder(path: &Path, user: &User) -> Result<(), Error> {
    let doing = || format!("Making {}", path.display());
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => return user.own(path).doing(doing),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(source) => {
            return Err(Error::File {
                doing: doing(),
                source,
            });
        }
    }
    let metadata = std::fs::symlink_metadata(path).doing(doing)?;
    let mine = [user.uid, 0].contains(&metadata.uid());
    if !metadata.is_dir() || !mine || metadata.permissions().mode() & 0o077 != 0 {
        return Err(Error::SocketFolder {
            path: path.to_owned(),
            user: user.name.clone(),
        });
    }
    user.own(path).doing(doing)
}
