//! Members of an organization, their roles and invitations.

pub mod api;
#[cfg(feature = "csr")]
mod invite;
#[cfg(feature = "csr")]
pub(crate) mod page;
