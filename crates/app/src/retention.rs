//! How long runs are kept.

pub mod api;
#[cfg(feature = "csr")]
pub(crate) mod page;
