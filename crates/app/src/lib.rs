//! The screens of Sluice and the server functions behind them.
//!
//! With the feature `csr` this is the single-page app in the browser; with `ssr` it is the
//! server's half of the server functions: three lines each, no rule and no SQL.

pub mod account;
pub mod alert;
pub mod boot;
pub mod call;
#[cfg(feature = "ssr")]
pub mod caller;
#[cfg(feature = "csr")]
mod change;
pub mod connection;
pub mod connector;
#[cfg(feature = "csr")]
pub mod design;
pub mod draft;
pub mod fault;
#[cfg(feature = "csr")]
mod field;
pub mod integration;
#[cfg(feature = "csr")]
mod known;
#[cfg(feature = "csr")]
pub mod live;
#[cfg(any(feature = "csr", test))]
mod markdown;
pub mod member;
pub mod network;
#[cfg(feature = "csr")]
mod palette;
pub mod poll;
pub mod presence;
pub mod retention;
pub mod review;
pub mod run;
#[cfg(feature = "csr")]
pub mod screen;
#[cfg(feature = "csr")]
pub mod session;
pub mod version;

pub use boot::Boot;
#[cfg(feature = "csr")]
pub use screen::App;
