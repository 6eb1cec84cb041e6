//! Components in the machine that runs them: what they get, where they end, and that nothing of it
//! reaches anyone else.

mod compiling;
mod guest;
mod guest_crate;
mod hostile;
mod machine;
mod template;

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use domain::canonical::sha256;
use engine::port::{Ending, Job, Worked};
use server::component::Machines;

/// The binary that tries modules.
fn sluice() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_sluice"))
}

/// What a server runs components with; each has two seconds.
fn machines() -> Machines {
    Machines::new(sluice(), 2, Duration::from_secs(2))
}

async fn run_job(machines: &Machines, module: &[u8], job: Job) -> Worked {
    machines
        .run(job, Some(Bytes::copy_from_slice(module)))
        .await
}

async fn run(machines: &Machines, module: &[u8]) -> Worked {
    run_job(machines, module, job(module)).await
}

/// Returns what is said of a component that gives nothing. Another attempt would do no better.
fn refusal(worked: Worked) -> String {
    match worked.end {
        Ending::Broke(broke) if !broke.may_retry => broke.message,
        end => panic!("{end:?}"),
    }
}

/// Returns one that sends a request to this address, and gives the body of the answer.
fn asks(method: &str, url: &str) -> Vec<u8> {
    let parts = format!("(data (i32.const 1024) \"{method}\") (data (i32.const 2048) \"{url}\")");
    let (method, url) = (method.len(), url.len());
    // The answer stands at 512: status, headers, body.
    let body = format!(
        "(call $send (i32.const 1024) (i32.const {method}) (i32.const 2048) (i32.const {url})
           (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
           (i32.const 512))
         (call $gives (i32.const 1) (i32.load (i32.const 524)) (i32.load (i32.const 528)))"
    );
    guest::with(&parts, &body)
}

/// Returns the job that runs a component.
fn job(module: &[u8]) -> Job {
    Job {
        component: sha256(module),
        action: "do".to_owned(),
        ..Job::default()
    }
}
