//! A short fingerprint of bytes, for file names and for telling whether something
//! changed. It guards against nothing but chance.

use std::fmt;
use std::io;
use std::path::Path;

/// A 64-bit FNV-1a hash, shown as 16 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Digest(u64);

impl Digest {
    /// The fingerprint of nothing.
    pub(crate) fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// The fingerprint of some bytes.
    pub(crate) fn of_bytes(bytes: &[u8]) -> Self {
        let mut digest = Self::new();
        digest.add(bytes);
        digest
    }

    /// The fingerprint of what a file holds.
    pub(crate) fn of_file(path: &Path) -> io::Result<Self> {
        std::fs::read(path).map(|bytes| Self::of_bytes(&bytes))
    }

    /// Goes on with more bytes.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    /// Goes on with a file, or with the names and contents of all files in a folder.
    /// A path that is not there counts as an empty folder.
    pub(crate) fn add_path(&mut self, path: &Path) -> io::Result<()> {
        if path.is_file() {
            self.add(&std::fs::read(path)?);
        } else if path.is_dir() {
            let mut entries = std::fs::read_dir(path)?
                .map(|entry| entry.map(|entry| entry.path()))
                .collect::<io::Result<Vec<_>>>()?;
            entries.sort();
            for entry in entries {
                self.add(entry.file_name().unwrap_or_default().as_encoded_bytes());
                self.add_path(&entry)?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Digest;

    #[test]
    fn the_fingerprint_is_fnv_1a() {
        assert_eq!(Digest::of_bytes(b"").to_string(), "cbf29ce484222325");
        assert_eq!(Digest::of_bytes(b"foobar").to_string(), "85944171f73967e8");
    }
}
