//! Components in the machine that runs them: what they get, where they end, and that nothing of it
//! reaches anyone else.

#[path = "../guest.rs"]
mod guest;
mod hostile;
mod machine;
mod template;

use std::time::Duration;

use bytes::Bytes;
use engine::port::{Ending, Job, Worked};
use server::component::Machines;

/// What a server runs components with; each has two seconds.
fn machines() -> Machines {
    Machines::new(2, Duration::from_secs(2))
}

async fn run_job(machines: &Machines, module: &[u8], job: Job) -> Worked {
    machines
        .run(job, Some(Bytes::copy_from_slice(module)))
        .await
}

async fn run(machines: &Machines, module: &[u8]) -> Worked {
    run_job(machines, module, guest::job(module)).await
}

/// Returns what is said of a component that gives nothing. Another attempt would do no better.
fn refusal(worked: Worked) -> String {
    match worked.end {
        Ending::Broke(broke) if !broke.may_retry => broke.message,
        end => panic!("{end:?}"),
    }
}
