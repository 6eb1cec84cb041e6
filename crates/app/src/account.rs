//! Accounts - setting up, signing in and out, taking an invitation.

pub mod api;
#[cfg(feature = "csr")]
mod entrance;
#[cfg(feature = "csr")]
pub(crate) mod invitation;
#[cfg(feature = "csr")]
pub(crate) mod set_up;
#[cfg(feature = "csr")]
pub(crate) mod sign_in;
