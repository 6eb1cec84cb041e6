//! Developer commands: `cargo xtask setup | build | serve | test | prepare | bench`.
//!
//! Each command does its own set-up first, says what it installs, and never asks
//! a question. What takes long is kept in the user's cache folder, outside
//! `target/`, so that it is done once a machine. Few dependencies on purpose: this
//! crate is the first thing a newcomer compiles.

mod arguments;
mod bench;
mod command;
mod launch;
mod prepare;
mod project;
mod serve;
mod setup;
mod site;
mod test;

use std::process::ExitCode;

use arguments::Arguments;
use command::{Failure, Outcome};
use project::Project;

const USAGE: &str = "\
Developer commands of Sluice

    cargo xtask setup                 install what is missing: the wasm32 target, Node tools, Postgres, Chromium
    cargo xtask build [--release]     the server, and the page in target/site
    cargo xtask serve [--port N] [--data DIR] [--release]
                                      set up, build and run Sluice with its demo organization
    cargo xtask test                  formatting, lints, every test, the browser tests
    cargo xtask prepare [--check]     write (or compare) the query data that sqlx checks against offline
    cargo xtask bench GROUP           measure; one JSON object a line on standard output
";

fn main() -> ExitCode {
    command::stop_children_on_signals();
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\n{failure}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome {
    let mut words = std::env::args().skip(1);
    let name = words.next().unwrap_or_default();
    let mut arguments = Arguments::new(words);
    let project = Project::find()?;
    match name.as_str() {
        "setup" => {
            arguments.finish()?;
            setup::everything(&project)
        }
        "build" => {
            let profile = launch::Profile::from_release(arguments.flag("--release"));
            arguments.finish()?;
            let toolchain = setup::for_serve(&project)?;
            launch::build(&project, &toolchain, profile).map(drop)
        }
        "serve" => serve::run(&project, arguments),
        "test" => {
            arguments.finish()?;
            test::run(&project)
        }
        "prepare" => {
            let check = arguments.flag("--check");
            arguments.finish()?;
            prepare::run_command(&project, check)
        }
        "bench" => bench::run(&project, arguments),
        "" | "help" | "-h" | "--help" => {
            command::say(USAGE);
            Ok(())
        }
        other => Err(Failure::new(format!(
            "`{other}` is not a command.\n\n{USAGE}"
        ))),
    }
}
