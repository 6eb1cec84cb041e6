//! Executes a published document, or a draft's as a test: one [`Task`] in, one [`Outcome`] out.
//!
//! It knows the outside only through [`port`]: where records are written, what time it is, and
//! which networks may be reached. It knows no review, no SQL and no queue: whoever calls
//! [`Engine::execute`] has claimed the run and keeps its lease.

pub mod example;
mod execute;
mod network;
mod oauth;
pub mod poll;
pub mod port;
mod program;
pub mod schedule;
mod step;
pub mod trace;

pub use execute::{Engine, Outcome, Signal, Task};
pub use program::{CompileError, Program};
pub use step::respond::answer;
