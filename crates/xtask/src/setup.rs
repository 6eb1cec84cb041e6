//! Puts everything in place that the other commands need.
//!
//! Doing it twice costs nothing: each part first looks whether it is there. What
//! is installed is named before it is, and nothing asks a question.

mod node;
mod system;
pub(crate) mod toolchain;

pub(crate) use system::chromium;
pub(crate) use toolchain::Toolchain;

use crate::command::{Outcome, progress};
use crate::project::Project;

/// What building and running Sluice needs. Returns the compiler to build with.
pub(crate) fn for_serve(project: &Project) -> Outcome<Toolchain> {
    let toolchain = Toolchain::ready(project)?;
    system::node()?;
    node::packages(project)?;
    system::postgres()?;
    Ok(toolchain)
}

/// The same and a browser. Returns the compiler to build with.
pub(crate) fn for_test(project: &Project) -> Outcome<Toolchain> {
    let toolchain = for_serve(project)?;
    system::browser()?;
    Ok(toolchain)
}

/// What `cargo xtask setup` does: all of it, with the tools built as well.
pub(crate) fn everything(project: &Project) -> Outcome {
    let toolchain = for_test(project)?;
    crate::site::bindgen(project, &toolchain)?;
    progress(format_args!(
        "Everything is in place. Compiler: {}",
        toolchain.name()
    ));
    if let Some(exports) = toolchain.exports() {
        progress(format_args!("To build without xtask: {exports}"));
    }
    Ok(())
}
