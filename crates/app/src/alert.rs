//! Who is told by e-mail that integrations fail.

pub mod api;
#[cfg(feature = "csr")]
pub(crate) mod page;
