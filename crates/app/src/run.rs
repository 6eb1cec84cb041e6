//! Runs - the list and one run.

pub mod api;
#[cfg(feature = "csr")]
pub(crate) mod list;
#[cfg(feature = "csr")]
pub(crate) mod page;
#[cfg(feature = "csr")]
pub mod records;
#[cfg(feature = "csr")]
mod resume;
