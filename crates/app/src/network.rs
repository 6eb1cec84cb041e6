//! Which private addresses requests may reach, what they keep to, and which hosts are down.

pub mod api;
#[cfg(feature = "csr")]
pub(crate) mod down;
#[cfg(feature = "csr")]
mod outgoing;
#[cfg(feature = "csr")]
pub(crate) mod page;
