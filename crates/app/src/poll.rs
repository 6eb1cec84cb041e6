//! Triggers that poll: how it goes, beginning anew, and polling once for tests.

pub mod api;
#[cfg(feature = "csr")]
mod begin;
#[cfg(feature = "csr")]
pub(crate) mod once;
#[cfg(feature = "csr")]
pub(crate) mod standing;
