//! Which private addresses requests may reach.

pub mod api;
#[cfg(feature = "csr")]
pub(crate) mod page;
