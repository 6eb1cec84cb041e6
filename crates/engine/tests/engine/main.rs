//! The engine as its callers see it: real HTTP over loopback, a journal in memory that can crash
//! at every write, and a clock that tests set.

mod beside;
mod bounds;
mod calling;
mod catching;
mod coding;
mod component;
mod connection;
mod connector;
mod csv;
mod email;
mod guard;
mod handing_back;
mod http;
mod large;
mod mail_server;
mod markup;
mod oauth;
mod outgoing;
mod postgres;
mod resume;
mod schedule;
mod server;
mod simulation;
mod stage;
mod steps;
mod strands;
mod untrusted;
