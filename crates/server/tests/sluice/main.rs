//! The server over HTTP: who may do what, webhooks, mail, workers that crash, the process as a whole.
//!
//! Needs DATABASE_URL: an address at which databases may be created (`sluice postgres` prints
//! one). Each test makes its own database.

mod app;
mod beside;
mod call;
mod client;
mod component;
mod computer;
mod connection;
mod delivery;
mod document;
mod encrypted;
mod faults;
#[path = "../component/guest.rs"]
mod guest;
#[path = "../component/guest_crate.rs"]
mod guest_crate;
mod hostile;
mod mail;
mod metrics;
mod oauth;
mod page;
mod permission;
mod poison;
mod poll;
mod post_office;
mod process;
mod relay;
mod rotate_key;
mod signature;
mod sink;
mod takeover;
mod trace;
mod webhook;
