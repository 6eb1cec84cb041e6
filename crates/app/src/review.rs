//! Reviews: the page on which a change is read, discussed and decided, the inbox, and the policy.

pub mod api;
#[cfg(feature = "csr")]
pub(crate) mod checks;
#[cfg(feature = "csr")]
pub(crate) mod inbox;
#[cfg(feature = "csr")]
mod keys;
#[cfg(feature = "csr")]
pub(crate) mod page;
#[cfg(feature = "csr")]
pub(crate) mod policy;
#[cfg(feature = "csr")]
pub(crate) mod unread;
#[cfg(feature = "csr")]
pub(crate) mod waiting;
