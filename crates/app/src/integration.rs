//! Integrations - the organization page, a new one, the page of one.

pub mod api;
#[cfg(feature = "csr")]
mod drafts;
#[cfg(feature = "csr")]
pub(crate) mod list;
#[cfg(feature = "csr")]
mod live_version;
#[cfg(feature = "csr")]
pub(crate) mod new;
#[cfg(feature = "csr")]
pub(crate) mod page;
#[cfg(feature = "csr")]
mod run_now;
#[cfg(feature = "csr")]
pub mod schedule;
#[cfg(feature = "csr")]
mod signing;
#[cfg(feature = "csr")]
mod sparkline;
#[cfg(feature = "csr")]
mod starters;
#[cfg(feature = "csr")]
mod throttle;
