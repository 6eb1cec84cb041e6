//! Seals secrets. What is sealed opens only in the place that it was sealed for: the organization,
//! the kind of thing, its id and which of its secrets it is are part of the seal, so that a row which is copied to another
//! place opens nothing.
//!
//! XChaCha20-Poly1305 throughout, with a random nonce of 192 bits each time. A data key per
//! organization seals; the master key wraps data keys. A data key is read each time it is
//! needed: one that was remembered could be that of a transaction that never happened.

mod rotate;

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use domain::{OrganizationId, canonical, signing};
pub use rotate::Resealed;
use sqlx::PgConnection;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{Error, Result};

const KEY: usize = 32;
const NONCE: usize = 24;
const TAG: usize = 16;
/// What the first byte of a sealed text says: how it is built.
const FORM: u8 = 1;
/// Bytes before the ciphertext: form, number of the data key, nonce.
const HEAD: usize = 1 + 4 + NONCE;

/// The key that wraps the data keys of all organizations; comes from outside the database.
#[derive(Clone)]
pub struct MasterKey(Zeroizing<[u8; KEY]>);

impl fmt::Debug for MasterKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("MasterKey(…)")
    }
}

impl MasterKey {
    /// Reads a key as it is kept: 64 hexadecimal digits, with white space around them or none.
    pub fn read(text: &str) -> Option<Self> {
        let mut key = Zeroizing::new([0; KEY]);
        hex::decode_to_slice(text.trim(), key.as_mut_slice()).ok()?;
        Some(Self(key))
    }

    /// Returns a new key as it is to be kept: 64 hexadecimal digits.
    pub fn generate() -> Zeroizing<String> {
        Zeroizing::new(crate::token::random::<KEY>())
    }

    /// Returns a name by which a wrapped key tells who wrapped it.
    fn name(&self) -> String {
        let mut text = Zeroizing::new(b"the name of a master key of Sluice".to_vec());
        text.extend_from_slice(self.0.as_slice());
        let mut name = canonical::sha256(&text);
        name.truncate(16);
        name
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&Key::from(*self.0))
    }
}

/// The master keys that a process knows: one that wraps, and older ones that still open.
#[derive(Clone, Debug)]
pub struct MasterKeys {
    first: MasterKey,
    older: Vec<MasterKey>,
}

impl From<MasterKey> for MasterKeys {
    fn from(first: MasterKey) -> Self {
        Self {
            first,
            older: Vec::new(),
        }
    }
}

impl MasterKeys {
    /// Most keys at once: the one that wraps, the one before it, and some to spare.
    const MOST: usize = 8;

    /// Reads keys as they are kept, one a line, the one that wraps first.
    pub fn read(text: &str) -> Option<Self> {
        let mut keys = Vec::new();
        for line in text.split_whitespace() {
            keys.push(MasterKey::read(line)?);
        }
        if keys.is_empty() || keys.len() > Self::MOST {
            return None;
        }
        let first = keys.remove(0);
        Some(Self { first, older: keys })
    }

    /// Returns how many older keys there are beside the one that wraps.
    pub fn older(&self) -> usize {
        self.older.len()
    }

    fn named(&self, name: &str) -> Option<&MasterKey> {
        let mut all = std::iter::once(&self.first).chain(&self.older);
        all.find(|key| key.name() == name)
    }
}

/// Reads the master keys again from where they came from; `None` when they cannot be read now.
type Again = Box<dyn Fn() -> Option<MasterKeys> + Send + Sync>;

/// How often the master keys are read again at most, while one is missing.
const AGAIN: Duration = Duration::from_secs(1);

/// The lock that a transaction shares from before it reads the master key until the data key that it
/// wraps is committed.
const WRAPPING: i64 = 0x736c_7769_6365;

/// Where a secret is kept. It opens nowhere else.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) organization: OrganizationId,
    /// Which kind of thing, such as `signing_secret`.
    pub(crate) kind: &'static str,
    pub(crate) id: Uuid,
    /// Which of its secrets; empty where a thing has only one.
    pub(crate) inside: &'a str,
}

impl Place<'_> {
    fn seal(&self) -> Vec<u8> {
        let mut seal = self.kind.as_bytes().to_vec();
        seal.push(b'|');
        seal.extend_from_slice(self.organization.0.as_bytes());
        seal.extend_from_slice(self.id.as_bytes());
        seal.extend_from_slice(self.inside.as_bytes());
        seal
    }
}

/// Seals and opens for one process.
#[derive(Default)]
pub(crate) struct Vault {
    masters: RwLock<Option<Arc<MasterKeys>>>,
    again: OnceLock<Again>,
    read_at: Mutex<Option<Instant>>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Vault(…)")
    }
}

impl Vault {
    /// Gives the vault its master keys.
    pub(crate) fn unlock(&self, masters: MasterKeys) {
        let mut known = self.masters.write().unwrap_or_else(PoisonError::into_inner);
        *known = Some(Arc::new(masters));
    }

    /// Says how the keys are read again when a secret was sealed under one that is not known: while
    /// keys are rotated, another process may have them before this one.
    pub(crate) fn unlock_again(&self, again: Again) {
        let _ = self.again.set(again);
    }

    /// Reads the master keys again, unless they were just now.
    fn read_again(&self) {
        let mut read_at = self.read_at.lock().unwrap_or_else(PoisonError::into_inner);
        if read_at.is_some_and(|at| at.elapsed() < AGAIN) {
            return;
        }
        if let Some(masters) = self.again.get().and_then(|again| again()) {
            self.unlock(masters);
        }
        *read_at = Some(Instant::now());
    }

    /// Returns the master keys as they are kept where they came from at this moment; those that are
    /// known where that is nowhere.
    ///
    /// # Errors
    /// When they cannot be read: what is known may be gone, and would seal what nobody opens again.
    fn masters_now(&self) -> Result<Arc<MasterKeys>> {
        let Some(again) = self.again.get() else {
            return self.masters();
        };
        let masters = again().ok_or(signing::Refusal::NoMasterKey)?;
        self.unlock(masters.clone());
        Ok(Arc::new(masters))
    }

    /// Seals a secret for its place. The organization gets its first data key where it has none.
    ///
    /// # Errors
    /// When there is no master key, or the data key cannot be had.
    pub(crate) async fn seal(
        &self,
        connection: &mut PgConnection,
        place: Place<'_>,
        secret: &[u8],
    ) -> Result<Vec<u8>> {
        let (number, key) = self.newest_key(connection, place.organization).await?;
        let nonce = nonce();
        let mut sealed = Vec::with_capacity(HEAD + secret.len() + TAG);
        sealed.push(FORM);
        sealed.extend_from_slice(&number.to_be_bytes());
        sealed.extend_from_slice(&nonce);
        sealed.extend(encrypt(&key, &nonce, secret, &place.seal())?);
        Ok(sealed)
    }

    /// Opens what was sealed for this place.
    ///
    /// # Errors
    /// When there is no master key, it is another one than it was, or what was sealed is not what
    /// was sealed for this place.
    pub(crate) async fn open(
        &self,
        connection: &mut PgConnection,
        place: Place<'_>,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>> {
        let (number, nonce, text) = split(sealed)?;
        let key = self.key(connection, place.organization, number).await?;
        decrypt(&key, nonce, text, &place.seal())
    }

    fn masters(&self) -> Result<Arc<MasterKeys>> {
        let known = self.masters.read().unwrap_or_else(PoisonError::into_inner);
        Ok(known.clone().ok_or(signing::Refusal::NoMasterKey)?)
    }

    async fn newest_key(
        &self,
        connection: &mut PgConnection,
        organization: OrganizationId,
    ) -> Result<(i32, XChaCha20Poly1305)> {
        let mut newest = newest(connection, organization).await?;
        if newest.is_none() {
            // Unless someone does at the same time.
            self.new_key(connection, organization, 1).await?;
            newest = self::newest(connection, organization).await?;
        }
        let number = newest.ok_or_else(broken)?;
        let key = self.key(connection, organization, number).await?;
        Ok((number, key))
    }

    /// Makes a data key of an organization, unless there is one with this number. It is wrapped by
    /// the master key that is kept now: while keys were rotated, the one that this process knows may
    /// have gone from where it was kept.
    async fn new_key(
        &self,
        connection: &mut PgConnection,
        organization: OrganizationId,
        number: i32,
    ) -> Result<()> {
        // Whoever rotates waits here for us, or we read what it has written: `newly_wrapped`.
        sqlx::query!("select pg_advisory_xact_lock_shared($1)", WRAPPING)
            .execute(&mut *connection)
            .await?;
        let masters = self.masters_now()?;
        let master = &masters.first;
        let mut key = Zeroizing::new([0; KEY]);
        getrandom::fill(key.as_mut_slice()).expect("the operating system gives random bytes");
        let nonce = nonce();
        let mut wrapped = nonce.to_vec();
        let seal = wrapping(organization, number);
        wrapped.extend(encrypt(&master.cipher(), &nonce, key.as_slice(), &seal)?);
        sqlx::query!(
            "insert into data_key (organization_id, number, master, wrapped)
             values ($1, $2, $3, $4)
             on conflict (organization_id, number) do nothing",
            organization.0,
            number,
            master.name(),
            wrapped,
        )
        .execute(connection)
        .await?;
        Ok(())
    }

    async fn key(
        &self,
        connection: &mut PgConnection,
        organization: OrganizationId,
        number: i32,
    ) -> Result<XChaCha20Poly1305> {
        let row = sqlx::query!(
            "select master, wrapped from data_key where organization_id = $1 and number = $2",
            organization.0,
            number,
        )
        .fetch_optional(connection)
        .await?
        .ok_or_else(|| sqlx::Error::Decode(KeyGone.into()))?;
        let mut masters = self.masters()?;
        if masters.named(&row.master).is_none() {
            self.read_again();
            masters = self.masters()?;
        }
        let master = masters.named(&row.master).ok_or_else(|| {
            fault("a secret was sealed under another master key than SLUICE_MASTER_KEY_FILE holds")
        })?;
        let (nonce, text) = row.wrapped.split_at_checked(NONCE).ok_or_else(broken)?;
        let seal = wrapping(organization, number);
        let key = decrypt(&master.cipher(), nonce, text, &seal)?;
        XChaCha20Poly1305::new_from_slice(&key).map_err(|_| broken())
    }
}

/// Waits for all who are just wrapping a data key: each is committed then, or wrapped by the master
/// key that is kept now.
async fn newly_wrapped(connection: &mut PgConnection) -> Result<()> {
    sqlx::query!("select pg_advisory_xact_lock($1)", WRAPPING)
        .execute(connection)
        .await?;
    Ok(())
}

/// The data key that something was sealed under is not there.
#[derive(Debug, thiserror::Error)]
#[error("a secret does not open: its data key is gone")]
struct KeyGone;

/// Returns whether something did not open since a rotation sealed it anew, and deleted the data key
/// that it was sealed under, between its being read and its being opened. Read again, it opens.
pub(crate) fn is_sealed_anew(error: &Error) -> bool {
    matches!(error, Error::Unavailable(sqlx::Error::Decode(source)) if source.is::<KeyGone>())
}

/// Waits for what reads something sealed and opens it; once more where it was sealed anew meanwhile.
macro_rules! opened {
    ($read:expr) => {
        match $read.await {
            Err(error) if $crate::vault::is_sealed_anew(&error) => $read.await,
            opened => opened,
        }
    };
}
pub(crate) use opened;

/// Returns the number of the newest data key, and keeps that key from being deleted until the end of
/// the transaction: what is sealed under it is not committed before.
async fn newest(
    connection: &mut PgConnection,
    organization: OrganizationId,
) -> Result<Option<i32>> {
    let newest = sqlx::query_scalar!(
        "select number from data_key where organization_id = $1
         order by number desc limit 1 for share",
        organization.0,
    );
    Ok(newest.fetch_optional(connection).await?)
}

/// Returns the number of the data key, the nonce and the ciphertext of what was sealed.
fn split(sealed: &[u8]) -> Result<(i32, &[u8], &[u8])> {
    let (head, text) = sealed.split_at_checked(HEAD).ok_or_else(broken)?;
    let [FORM, n1, n2, n3, n4, nonce @ ..] = head else {
        return Err(broken());
    };
    let number = i32::from_be_bytes([*n1, *n2, *n3, *n4]);
    Ok((number, nonce, text))
}

fn wrapping(organization: OrganizationId, number: i32) -> Vec<u8> {
    let mut seal = b"data_key|".to_vec();
    seal.extend_from_slice(organization.0.as_bytes());
    seal.extend_from_slice(&number.to_be_bytes());
    seal
}

fn nonce() -> [u8; NONCE] {
    let mut nonce = [0; NONCE];
    getrandom::fill(&mut nonce).expect("the operating system gives random bytes");
    nonce
}

fn encrypt(
    cipher: &XChaCha20Poly1305,
    nonce: &[u8; NONCE],
    msg: &[u8],
    aad: &[u8],
) -> Result<Vec<u8>> {
    let sealed = cipher.encrypt(&XNonce::from(*nonce), Payload { msg, aad });
    sealed.map_err(|_| fault("a secret could not be sealed"))
}

fn decrypt(
    cipher: &XChaCha20Poly1305,
    nonce: &[u8],
    msg: &[u8],
    aad: &[u8],
) -> Result<Zeroizing<Vec<u8>>> {
    let nonce: [u8; NONCE] = nonce.try_into().map_err(|_| broken())?;
    let opened = cipher.decrypt(&XNonce::from(nonce), Payload { msg, aad });
    opened.map(Zeroizing::new).map_err(|_| broken())
}

fn broken() -> Error {
    fault("a sealed secret does not open: it was sealed for another place, or changed since")
}

fn fault(what: &'static str) -> Error {
    sqlx::Error::Decode(what.into()).into()
}
