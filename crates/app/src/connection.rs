//! Credentials for outside systems: which there are, and what proves who sends.

pub mod api;
#[cfg(feature = "csr")]
pub(crate) mod back;
#[cfg(feature = "csr")]
mod form;
#[cfg(feature = "csr")]
pub(crate) mod known;
#[cfg(feature = "csr")]
pub(crate) mod page;
#[cfg(feature = "csr")]
mod provider;
#[cfg(feature = "csr")]
mod server;
#[cfg(feature = "csr")]
pub(crate) mod standing;
#[cfg(feature = "csr")]
mod try_out;
