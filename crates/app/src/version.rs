//! Published versions: to read, to compare, to put back.

pub mod api;
#[cfg(feature = "csr")]
pub(crate) mod compare;
#[cfg(feature = "csr")]
pub mod outline;
#[cfg(feature = "csr")]
pub(crate) mod page;
#[cfg(feature = "csr")]
mod roll_back;
#[cfg(feature = "csr")]
pub(crate) mod timeline;
