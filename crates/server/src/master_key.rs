//! Where the key that secrets are sealed under is read, and made for a private Postgres.

use std::fs::{File, TryLockError};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use store::{MasterKey, MasterKeys};

use crate::config::KeySource;
use crate::serve::Failure;

/// Reads the master keys; `None` when there is none to be read.
///
/// # Errors
/// When its file cannot be read or made, holds no key, or other users may read it.
pub(crate) async fn read(source: &KeySource) -> Result<Option<MasterKeys>, Failure> {
    let source = source.clone();
    let read = move || match source {
        KeySource::Given(key) => Ok(Some(key)),
        KeySource::File(path) => from_file(&path).map(Some),
        KeySource::Own(path) => {
            if !path.exists() {
                make(&path)?;
            }
            from_file(&path).map(Some)
        }
        KeySource::Missing => Ok(None),
    };
    tokio::task::spawn_blocking(read).await?
}

/// Reads the master keys from a file.
///
/// # Errors
/// When it cannot be read, holds something else, or other users may read it.
pub(crate) fn from_file(path: &Path) -> Result<MasterKeys, Failure> {
    let shown = path.display();
    let doing = |error| format!("The master key {shown} cannot be read: {error}.");
    let mode = std::fs::metadata(path).map_err(doing)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(
            format!("Other users may read the master key {shown}. Run chmod 600 {shown}.").into(),
        );
    }
    let text = zeroize::Zeroizing::new(std::fs::read_to_string(path).map_err(doing)?);
    let keys = MasterKeys::read(&text);
    keys.ok_or_else(|| {
        let told =
            format!("The master key {shown} is not 64 hexadecimal digits, or a few lines of such.");
        told.into()
    })
}

/// Takes the turn to change a file of keys until what it returns is dropped: of two at once, one
/// would remove the key that the other has just put there.
///
/// # Errors
/// When another process has it, or the file beside it that is locked cannot be written.
pub(crate) fn lock(path: &Path) -> Result<File, Failure> {
    let beside = path.with_extension("lock");
    let doing = |error| format!("{} cannot be locked: {error}.", beside.display());
    let mut options = File::options();
    options.write(true).create(true).truncate(false).mode(0o600);
    let file = options.open(&beside).map_err(doing)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(format!(
            "Another `sluice rotate-key` is changing {}. Wait until it has ended.",
            path.display()
        )
        .into()),
        Err(TryLockError::Error(error)) => Err(doing(error).into()),
    }
}

/// Puts a new key above those that a file holds.
///
/// # Errors
/// When the file cannot be read or written.
pub(crate) fn add_new(path: &Path) -> Result<(), Failure> {
    change(path, |kept| {
        format!("{}\n{kept}", MasterKey::generate().as_str())
    })
}

/// Removes all keys from a file but the first.
///
/// # Errors
/// When the file cannot be read or written.
pub(crate) fn keep_first(path: &Path) -> Result<(), Failure> {
    change(path, |kept| {
        kept.split_whitespace()
            .next()
            .unwrap_or_default()
            .to_owned()
    })
}

/// Writes a file anew, whole or not at all.
fn change(path: &Path, to: impl FnOnce(&str) -> String) -> Result<(), Failure> {
    let doing = |error| {
        format!(
            "The master key {} cannot be changed: {error}.",
            path.display()
        )
    };
    let kept = zeroize::Zeroizing::new(std::fs::read_to_string(path).map_err(doing)?);
    let text = zeroize::Zeroizing::new(to(&kept));
    let beside = path.with_extension(format!("new-{}", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)
        .map_err(doing)?;
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| std::fs::rename(&beside, path))
        .and_then(|()| sync_folder(path));
    if written.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    Ok(written.map_err(doing)?)
}

/// Has the folder of a file written to the disk: nothing is sealed under a key that a crash takes
/// away, and none goes before its successor is there for good.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Writes a new key, whole or not at all: half a key would seal what nobody opens again.
fn make(path: &Path) -> Result<(), Failure> {
    let doing = |error| format!("The master key {} cannot be made: {error}.", path.display());
    let beside = path.with_extension(format!("new-{}", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)
        .map_err(doing)?;
    let written = file
        .write_all(MasterKey::generate().as_bytes())
        .and_then(|()| file.sync_all())
        // Not by a rename: should another process have made one meanwhile, that one stays.
        .and_then(|()| std::fs::hard_link(&beside, path))
        .and_then(|()| sync_folder(path));
    let removed = std::fs::remove_file(&beside);
    match written {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        written => written.map_err(doing)?,
    }
    removed.map_err(doing)?;
    tracing::info!(
        path = %path.display(),
        "made the master key that secrets are sealed under; keep a copy of it apart from the database"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[tokio::test]
    async fn a_key_is_made_once_and_only_its_owner_may_read_it() {
        let name = format!("sluice-master-key-{}", uuid::Uuid::now_v7().simple());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder).expect("it is new");
        let path = folder.join("master.key");
        let own = KeySource::Own(path.clone());
        let given = KeySource::File(path.clone());
        assert!(
            read(&given).await.is_err(),
            "it is not made where it was named"
        );
        assert!(read(&own).await.expect("it is made").is_some());
        let made = std::fs::read_to_string(&path).expect("it is there");
        assert!(read(&own).await.expect("it is there").is_some());
        assert_eq!(std::fs::read_to_string(&path).expect("it is there"), made);
        assert_eq!(std::fs::read_dir(&folder).expect("it is there").count(), 1);

        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).expect("it is ours");
        let shown = read(&given)
            .await
            .expect_err("others may read it")
            .to_string();
        assert!(
            shown.contains("chmod 600") && !shown.contains(&made),
            "{shown}"
        );
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).expect("it is ours");
        // One at a time puts a new key above it, and removes the old one.
        let turn = lock(&path).expect("nobody has it");
        let told = lock(&path).expect_err("we have it").to_string();
        assert!(told.contains("Another `sluice rotate-key`"), "{told}");
        add_new(&path).expect("it is ours");
        let both = std::fs::read_to_string(&path).expect("it is there");
        let (new, old) = both.split_once('\n').expect("there are two");
        assert!(new.len() == made.len() && new != made && old == made);
        keep_first(&path).expect("it is ours");
        assert_eq!(std::fs::read_to_string(&path).expect("it is there"), new);
        drop(turn);
        lock(&path).expect("nobody has it any more");

        std::fs::write(&path, &made[1..]).expect("it is ours");
        let shown = read(&given)
            .await
            .expect_err("a digit is missing")
            .to_string();
        assert!(!shown.contains(&made[1..]), "{shown}");
        std::fs::remove_dir_all(&folder).expect("it is ours");
    }
}
