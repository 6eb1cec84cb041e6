//! Calls: which integrations can be called, and which runs called which.

pub mod api;
#[cfg(feature = "csr")]
pub(crate) mod callers;
#[cfg(feature = "csr")]
pub(crate) mod known;
#[cfg(feature = "csr")]
pub(crate) mod link;
