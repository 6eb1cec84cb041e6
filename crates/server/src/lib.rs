//! The server of Sluice: configuration, the private Postgres, the router, sessions at the edge,
//! webhooks, workers, mail and shutdown. It holds no feature: rules are in `domain`, SQL is in `store`.

pub mod answer_desk;
pub mod api;
pub mod arguments;
pub mod code;
pub mod component;
pub mod computer;
pub mod config;
pub mod connector;
pub mod demo;
pub mod listen;
pub mod live;
pub mod mail;
pub mod memory;
pub mod metrics;
pub mod postgres;
pub mod rate;
pub mod rotate_key;
pub mod router;
pub mod serve;
pub mod signal;
pub mod site;
pub mod trace;
pub mod web;
pub mod worker;

mod answer;
mod catch;
mod event;
mod guard;
mod health;
mod hook;
mod master_key;
mod outage;
mod own_call;
mod page;
mod program;
mod sandbox;
mod shell;
