//! The log of the private Postgres: two files of bounded size, and its last lines for messages.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The log starts anew at this many bytes; the one before is kept as `….1`.
const BYTES: u64 = 5 * 1024 * 1024;
/// How many lines a message about a failed start quotes at most.
const QUOTED: usize = 8;

/// The last lines that Postgres wrote.
#[derive(Clone, Debug, Default)]
pub(super) struct LastLines(Arc<Mutex<VecDeque<String>>>);

impl LastLines {
    fn push(&self, line: &str) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == QUOTED {
            lines.pop_front();
        }
        lines.push_back(line.trim_end().to_owned());
    }

    /// Returns them, one a line.
    pub(super) fn text(&self) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// Copies what Postgres writes into the log, until it has ended. Blocks.
///
/// A log that cannot be written does not stop the database.
pub(super) fn copy(from: impl Read, path: &Path, last: &LastLines) {
    let mut reader = BufReader::new(from);
    let mut log = open(path);
    let mut line = Vec::new();
    loop {
        line.clear();
        // Bounded, so that a line without an end cannot fill the memory.
        match reader.by_ref().take(64 * 1024).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        last.push(&String::from_utf8_lossy(&line));
        let Some((file, written)) = &mut log else {
            continue;
        };
        let _ = file.write_all(&line);
        *written += line.len() as u64;
        if *written >= BYTES {
            let _ = std::fs::rename(path, older(path));
            log = open(path);
        }
    }
}

fn open(path: &Path) -> Option<(File, u64)> {
    let file = File::options().append(true).create(true).open(path).ok()?;
    let written = file.metadata().map_or(0, |metadata| metadata.len());
    Some((file, written))
}

fn older(path: &Path) -> PathBuf {
    path.with_extension("log.1")
}

#[cfg(test)]
mod tests {
    use super::{BYTES, LastLines, copy, older};

    #[test]
    fn the_log_keeps_two_files_of_bounded_size() {
        let folder = std::env::temp_dir().join(format!("sluice-log-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("the temporary folder can be written");
        let path = folder.join("postgres.log");
        let line = [b"x".repeat(999), b"\n".to_vec()].concat();
        let last = LastLines::default();
        copy(&*line.repeat(14_000), &path, &last);
        let size = |path| std::fs::metadata(path).expect("it was written").len();
        assert!(size(path.clone()) < BYTES && size(older(&path)) < BYTES + 1_000);
        assert_eq!(last.text().lines().count(), 8);
        std::fs::remove_dir_all(folder).expect("it was made above");
    }
}
