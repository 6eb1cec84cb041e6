//! Connectors: the actions of outside services that an organization has.

pub mod api;
#[cfg(feature = "csr")]
mod import;
#[cfg(feature = "csr")]
pub(crate) mod known;
#[cfg(feature = "csr")]
pub(crate) mod one;
#[cfg(feature = "csr")]
pub(crate) mod page;
