//! Runs the components of connectors: WebAssembly that can compute, and ask for requests.
//!
//! A component has no authority: it imports what `wit/connector.wit` says and nothing else, and all
//! that this does outside is done by the engine, after the component was stopped. What it may use of
//! time, memory and stack is bounded, and whatever it does ends that step only. A run is a function
//! of what goes in: the instructions are counted, not the time, so that it ends alike each time.

mod host;
mod machine;
mod module;
mod probe;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use domain::connector::component::{MODULE_BYTES, TIME_SECONDS};
use domain::connector::{Connector, Fault};
use engine::port::{Broke, Components, Ending, Inspecting, Inspector, Job, Worked, Working};
use store::Store;
use tokio::sync::Semaphore;

use crate::sandbox::own_binary;
pub use machine::{Machine, Unfit};
use probe::Probe;
pub use probe::{ARGUMENT, try_module};

/// How long a component may take whatever it does.
const TIME_LIMIT: Duration = Duration::from_secs(TIME_SECONDS);

/// How long all examples of a connector may take that is imported.
const EXAMPLES_LIMIT: Duration = Duration::from_secs(60);

/// Runs components of a process, so many at once that each has a processor. Cheap to clone; clones
/// share everything.
#[derive(Clone, Debug)]
pub struct Machines {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    machine: Machine,
    probe: Probe,
    places: Semaphore,
    time_limit: Duration,
}

impl Machines {
    /// Returns what runs at most `at_once` components at a time, and gives each run at most
    /// [`TIME_SECONDS`], or less. `program`, a `sluice`, tries modules before they are compiled.
    pub fn new(program: PathBuf, at_once: usize, time_limit: Duration) -> Self {
        Self::with(Probe::new(program), at_once, time_limit)
    }

    /// As [`Machines::new`], with less time for what tries modules.
    pub fn trying_within(
        program: PathBuf,
        at_once: usize,
        time_limit: Duration,
        tried_within: Duration,
    ) -> Self {
        Self::with(
            Probe::new(program).within(tried_within),
            at_once,
            time_limit,
        )
    }

    fn with(probe: Probe, at_once: usize, time_limit: Duration) -> Self {
        Self {
            inner: Arc::new(Inner {
                machine: Machine::default(),
                probe,
                places: Semaphore::new(at_once),
                time_limit: time_limit.min(TIME_LIMIT),
            }),
        }
    }

    /// Returns what tries modules with this binary, and runs as many at once as there are processors.
    pub fn of_this_binary() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self::new(own_binary(), processors, TIME_LIMIT)
    }

    /// Returns what runs the components that a store keeps.
    pub fn of(self, store: Store) -> Kept {
        Kept {
            machines: self,
            store,
        }
    }

    /// Returns whether a component is ready to be run.
    fn has(&self, hash: &str) -> bool {
        self.inner.machine.has(hash)
    }

    /// Runs a component; `module` is needed where it is not ready. Dropping the future ends it.
    pub async fn run(&self, job: Job, module: Option<Bytes>) -> Worked {
        let worked = self.run_if_ready(job, module).await;
        worked.unwrap_or_else(|_| broke_for_now("The component is not ready just now."))
    }

    /// Runs a component; gives the job back when it is not ready and there is no module.
    async fn run_if_ready(&self, job: Job, module: Option<Bytes>) -> Result<Worked, Job> {
        // Neither is part of what the component takes, and what is tried takes no place of others.
        let tried = match &module {
            Some(module) if !self.has(&job.component) => self.inner.probe.passes(module).await,
            _ => Ok(()),
        };
        if let Err(Broke { message, may_retry }) = tried {
            return Ok(ended(&message, may_retry));
        }
        let Ok(_place) = self.inner.places.acquire().await else {
            return Ok(broke_for_now("The server ends."));
        };
        if module.is_none() && !self.has(&job.component) {
            return Err(job);
        }
        if let Some(module) = module.filter(|_| !self.has(&job.component)) {
            let (machines, hash) = (self.clone(), job.component.clone());
            let compiled =
                tokio::task::spawn_blocking(move || machines.inner.machine.compile(&hash, &module));
            match compiled.await {
                Ok(Ok(())) => {}
                Ok(Err(unfit)) => return Ok(broke(&unfit.to_string())),
                Err(error) => return Ok(brought_down(&error)),
            }
        }
        let worked = self.within_time(move |machine, over| machine.run(job, over));
        Ok(worked.await.unwrap_or_else(|error| brought_down(&error)))
    }

    /// Does something with a component, which is told to end when its time is over or nobody waits
    /// for it any more.
    async fn within_time<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Machine, Arc<AtomicBool>) -> T + Send + 'static,
    ) -> Result<T, tokio::task::JoinError> {
        let over = Arc::new(AtomicBool::new(false));
        let _end = End {
            over: Arc::clone(&over),
            machines: self.clone(),
        };
        let (machines, flag) = (self.clone(), Arc::clone(&over));
        let mut working = tokio::task::spawn_blocking(move || work(&machines.inner.machine, flag));
        match tokio::time::timeout(self.inner.time_limit, &mut working).await {
            Ok(worked) => worked,
            Err(_) => {
                self.stop(&over);
                working.await
            }
        }
    }

    fn stop(&self, over: &AtomicBool) {
        over.store(true, Ordering::Release);
        self.inner.machine.look_up();
    }
}

/// Ends what nobody waits for any more.
struct End {
    over: Arc<AtomicBool>,
    machines: Machines,
}

impl Drop for End {
    fn drop(&mut self) {
        self.machines.stop(&self.over);
    }
}

impl Inspector for Machines {
    fn inspect(&self, connector: Connector, module: Bytes) -> Inspecting<'_> {
        Box::pin(async move {
            let wrong = |message: String| vec![Fault::of("component", message)];
            if module.len() > MODULE_BYTES {
                let most = MODULE_BYTES / (1024 * 1024);
                return Err(wrong(format!("It has more than {most} MiB.")));
            }
            if let Err(broke) = self.inner.probe.passes(&module).await {
                return Err(wrong(broke.message));
            }
            let Ok(place) = self.inner.places.acquire().await else {
                return Err(wrong("The server ends.".to_owned()));
            };
            let bytes = module.clone();
            let prepared = self.within_time(move |machine, over| machine.prepare(&bytes, over));
            match prepared.await {
                Ok(Ok(())) => {}
                Ok(Err(unfit)) => return Err(wrong(unfit.to_string())),
                Err(_) => return Err(wrong("It could not be looked at.".to_owned())),
            }
            drop(place);
            let faults =
                engine::example::broken(&connector, |job| self.run(job, Some(module.clone())));
            match tokio::time::timeout(EXAMPLES_LIMIT, faults).await {
                Ok(faults) if faults.is_empty() => Ok(()),
                Ok(faults) => Err(faults),
                Err(_) => Err(wrong(format!(
                    "Its examples take longer than {} s together. Leave some out.",
                    EXAMPLES_LIMIT.as_secs()
                ))),
            }
        })
    }
}

/// Runs the components that a store keeps.
#[derive(Debug)]
pub struct Kept {
    machines: Machines,
    store: Store,
}

impl Components for Kept {
    fn run(&self, mut job: Job) -> Working<'_> {
        Box::pin(async move {
            let mut wants_bytes = !self.machines.has(&job.component);
            loop {
                // Also what is ready is asked for: another organization's is not to be run.
                let found = self
                    .store
                    .component_of_run(job.run, &job.component, wants_bytes);
                let module = match found.await {
                    Ok(Some(module)) => module,
                    Ok(None) => {
                        return broke(
                            "The component of this step is not there. An Admin imports its connector with the module again.",
                        );
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a component could not be read");
                        return broke_for_now(
                            "The component of this step could not be read just now.",
                        );
                    }
                };
                let module = (!module.is_empty()).then_some(module);
                match self.machines.run_if_ready(job, module).await {
                    Ok(worked) => return worked,
                    // It was ready, and others took its place while this one waited for its own.
                    Err(again) => job = again,
                }
                wants_bytes = true;
            }
        })
    }
}

fn brought_down(error: &tokio::task::JoinError) -> Worked {
    tracing::error!(%error, "a component brought its thread down");
    broke("The component could not be run. Something went wrong in Sluice itself.")
}

fn broke(message: &str) -> Worked {
    ended(message, false)
}

fn broke_for_now(message: &str) -> Worked {
    ended(message, true)
}

fn ended(message: &str, may_retry: bool) -> Worked {
    Worked {
        end: Ending::Broke(Broke {
            message: message.to_owned(),
            may_retry,
        }),
        console: Vec::new(),
    }
}
