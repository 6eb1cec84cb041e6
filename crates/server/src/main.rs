//! The binary `sluice`: reads the command line and starts what it asks for.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use server::arguments::{Arguments, Command, HELP};
use server::code;
use server::component;
use server::config::Config;
use server::postgres::Postgres;
use server::serve::{self, Failure};
use server::{connector, rotate_key, signal};
use tracing_subscriber::EnvFilter;

/// A run makes and drops many small values, often on different threads. The allocator of the
/// system spends a third of our time on that, part of it waiting for its own locks.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(failure) => {
            let _ = writeln!(std::io::stderr(), "sluice: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode, Failure> {
    let arguments = Arguments::read(std::env::args().skip(1))?;
    match arguments.command {
        // Before anything else begins: no thread, no log, no configuration.
        Command::RunCode => return Ok(code::run_job()),
        Command::TryComponent => return Ok(component::try_module()),
        Command::Help => {
            write!(std::io::stdout(), "{HELP}")?;
            return Ok(ExitCode::SUCCESS);
        }
        Command::Version => {
            writeln!(std::io::stdout(), "sluice {}", env!("CARGO_PKG_VERSION"))?;
            return Ok(ExitCode::SUCCESS);
        }
        Command::CheckConnectors => {
            let all_fit = connector::check(&arguments.files, &mut std::io::stdout())?;
            return Ok(if all_fit {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            });
        }
        Command::NewConnector => {
            for folder in &arguments.files {
                connector::new(folder, &mut std::io::stdout())?;
            }
            return Ok(ExitCode::SUCCESS);
        }
        Command::Serve | Command::Migrate | Command::Postgres | Command::RotateKey => {}
    }
    let config = Config::read(&arguments, |name| std::env::var(name).ok())?;
    log_to_stderr();
    // Two of rustls's providers are linked; without a choice it panics at the first connection.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let done = runtime.block_on(async {
        match arguments.command {
            Command::Postgres => postgres(&config).await,
            Command::Migrate => serve::migrate(config).await,
            Command::RotateKey => rotate_key::run(config).await,
            _ => serve::run(config).await,
        }
    });
    // What is still under way then, such as a request that waits, is not worth waiting for.
    runtime.shutdown_background();
    done.map(|()| ExitCode::SUCCESS)
}

/// Runs the private Postgres until we are asked to end.
async fn postgres(config: &Config) -> Result<(), Failure> {
    let asked = signal::asked_to_end()?;
    let data_dir = config.data_dir.clone();
    let postgres = tokio::task::spawn_blocking(move || Postgres::start(&data_dir)).await??;
    writeln!(std::io::stdout(), "DATABASE_URL={}", postgres.url())?;
    std::io::stdout().flush()?;
    asked.await;
    tokio::task::spawn_blocking(move || postgres.stop()).await?;
    Ok(())
}

fn log_to_stderr() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    if std::env::var("SLUICE_LOG").is_ok_and(|form| form == "json") {
        log.json().init();
    } else {
        log.init();
    }
}
