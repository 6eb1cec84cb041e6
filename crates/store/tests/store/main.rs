//! Every verb against a real Postgres, each test in a database of its own, and the races that
//! the verbs guard. One binary, so that it is linked once.

mod account;
mod alert;
mod border;
mod calling;
mod connection;
mod consent;
mod draft;
mod inbox;
mod intake;
mod integration;
mod journal;
mod letter;
mod live;
mod member;
mod merge;
mod oauth;
mod policy;
mod presence;
mod provider;
mod queue;
mod resume;
mod retention;
mod review;
mod roll_back;
mod rotate;
mod run;
mod schedule;
mod signing;
mod stale;
mod thread;
mod throttle;
mod version;
mod world;
