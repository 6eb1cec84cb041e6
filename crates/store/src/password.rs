//! Hashing passwords with argon2id, off the async threads and a few at a time.

use std::sync::LazyLock;
use std::thread;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// The hash of a password that nobody knows, to be checked for accounts that do not exist.
static NOBODY: LazyLock<String> = LazyLock::new(|| compute(&crate::token::random::<32>()));

/// Computes hashes, at most as many at once as there are cores: each takes 19 MiB, so that
/// without a bound many sign-ins at once would take all memory.
#[derive(Debug)]
pub(crate) struct Passwords {
    cores: Semaphore,
}

impl Passwords {
    pub(crate) fn new() -> Self {
        let cores = thread::available_parallelism().map_or(2, usize::from);
        Self {
            cores: Semaphore::new(cores),
        }
    }

    /// Returns what is stored of a password: a PHC string with its salt and parameters.
    pub(crate) async fn hash(&self, password: &str) -> String {
        let password = password.to_owned();
        self.work(move || compute(&password)).await
    }

    /// Returns whether a password is the one that was hashed. Without a hash, because there is no
    /// such account, it takes as long and returns `false`.
    pub(crate) async fn verify(&self, password: &str, hash: Option<String>) -> bool {
        let password = password.to_owned();
        self.work(move || {
            let known = hash.is_some();
            let hash = hash.unwrap_or_else(|| NOBODY.clone());
            let hash = PasswordHash::new(&hash).expect("only PHC strings are stored");
            Argon2::default()
                .verify_password(password.as_bytes(), &hash)
                .is_ok()
                && known
        })
        .await
    }

    async fn work<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let _core = self
            .cores
            .acquire()
            .await
            .expect("the semaphore is never closed");
        spawn_blocking(work).await.expect("hashing does not panic")
    }
}

fn compute(password: &str) -> String {
    Argon2::default()
        .hash_password(password.as_bytes())
        .expect("the parameters are the recommended ones, and any password has a hash")
        .to_string()
}
