//! Compiles components, keeps what was compiled, and runs it.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use domain::canonical::sha256;
use domain::connector::component::{FUEL, MEMORY, STACK, VALUE_BYTES};
use domain::{limit, payload};
use engine::port::{Broke, Ending, Job, Worked};
use serde_json::Value;
use thiserror::Error;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{Config, Engine, Error, Store, Trap, UpdateDeadline};

use super::host::{self, HOST, State, Stop};
use super::module;

/// Most compiled components that are kept.
const KEPT: usize = 24;
/// Most that goes over at once between a component and Sluice, in bytes: a whole body, with as much
/// for the rest.
const AT_ONCE: usize = 2 * VALUE_BYTES;
/// Most of a sentence of a component that is told, in characters.
const SENTENCE: usize = 2_000;

/// Why something is no component for a connector.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Unfit(pub(super) String);

/// What components are compiled and run by; set up when it is first needed.
#[derive(Default)]
pub struct Machine {
    parts: OnceLock<std::result::Result<Parts, String>>,
    kept: Mutex<Vec<(String, InstancePre<State>)>>,
    /// One is compiled at a time: that takes processors and memory which runs need.
    compiling: Mutex<()>,
}

struct Parts {
    engine: Engine,
    linker: Linker<State>,
}

impl fmt::Debug for Machine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Machine")
    }
}

impl Machine {
    fn parts(&self) -> std::result::Result<&Parts, Unfit> {
        let parts = self
            .parts
            .get_or_init(|| Parts::new().map_err(|error| format!("{error:#}")));
        parts.as_ref().map_err(|error| {
            tracing::error!(%error, "components cannot be run");
            Unfit("This server cannot run components.".to_owned())
        })
    }

    /// Returns whether a component is compiled.
    pub(super) fn has(&self, hash: &str) -> bool {
        self.find(hash).is_some()
    }

    /// Lets each component that is being run look whether it is over.
    pub(super) fn look_up(&self) {
        if let Some(Ok(parts)) = self.parts.get() {
            parts.engine.increment_epoch();
        }
    }

    /// Compiles a component, and starts it to see whether it is one. Blocks.
    ///
    /// # Errors
    /// When it imports what there is not, exports another `run`, or does not start.
    pub(super) fn prepare(
        &self,
        module: &[u8],
        over: Arc<AtomicBool>,
    ) -> std::result::Result<(), Unfit> {
        let ready = self.ready(&sha256(module), Some(module))?;
        let job = Job::default();
        let mut store = self.store(job, over)?;
        let begun = begin(&ready, &mut store);
        begun.map(drop).map_err(|error| {
            let why = match store.data().stop.clone() {
                Some(stop) => ended(stop).unwrap_or_default(),
                None => sentence(&error),
            };
            Unfit(format!("It cannot be started. {why}"))
        })
    }

    /// Compiles a component of that hash, and keeps it. Blocks.
    pub(super) fn compile(&self, hash: &str, module: &[u8]) -> std::result::Result<(), Unfit> {
        self.ready(hash, Some(module)).map(drop)
    }

    /// Runs a component that is compiled to its end, or to the first request that has no answer.
    /// Blocks.
    pub(super) fn run(&self, job: Job, over: Arc<AtomicBool>) -> Worked {
        let ready = match self.ready(&job.component, None) {
            Ok(ready) => ready,
            // Others were compiled meanwhile, and took its place.
            Err(_) => return broke_for_now(),
        };
        let (action, input) = (job.action.clone(), job.input.to_string());
        if input.len() > VALUE_BYTES {
            return broke(too_large("input"));
        }
        let mut store = match self.store(job, over) {
            Ok(store) => store,
            Err(unfit) => return broke(unfit.to_string()),
        };
        // It may be over already: from here on it is told.
        if store.data().is_over() {
            return broke(ended(Stop::Over).unwrap_or_default());
        }
        let came = begin(&ready, &mut store)
            .and_then(|run| run.call(&mut store, (action, input)))
            .map(|(result,)| result);
        let state = store.into_data();
        let end = match (state.stop, came) {
            (Some(Stop::Asks(asked)), _) => Ending::Asks {
                asked,
                has_signed: state.has_signed,
            },
            // A busy machine is no fault of the component.
            (Some(Stop::Over), _) => Ending::Broke(Broke {
                message: ended(Stop::Over).unwrap_or_default(),
                may_retry: true,
            }),
            (Some(stop), _) => failed(ended(stop).unwrap_or_default()),
            (None, Ok(Ok(output))) => match read(&output) {
                Ok(output) => Ending::Done(output),
                Err(message) => failed(message),
            },
            (None, Ok(Err(said))) => failed(match said.trim() {
                "" => "The component failed, and did not say why.".to_owned(),
                said => said.chars().take(SENTENCE).collect(),
            }),
            (None, Err(error)) => failed(sentence(&error)),
        };
        Worked {
            end,
            console: state.console.into_lines(),
        }
    }

    fn store(&self, job: Job, over: Arc<AtomicBool>) -> std::result::Result<Store<State>, Unfit> {
        let mut store = Store::new(&self.parts()?.engine, State::new(job, over));
        store.limiter(|state| state);
        store.set_hostcall_fuel(AT_ONCE);
        let given = store.set_fuel(FUEL);
        given.map_err(|error| Unfit(sentence(&error)))?;
        store.epoch_deadline_callback(|mut store| {
            if store.data().is_over() {
                return Err(store.data_mut().stop(Stop::Over));
            }
            Ok(UpdateDeadline::Continue(1))
        });
        store.set_epoch_deadline(1);
        Ok(store)
    }

    /// Returns a compiled component; compiles the module when it is not kept.
    fn ready(
        &self,
        hash: &str,
        module: Option<&[u8]>,
    ) -> std::result::Result<InstancePre<State>, Unfit> {
        if let Some(ready) = self.find(hash) {
            return Ok(ready);
        }
        let Some(module) = module.filter(|module| sha256(module) == hash) else {
            return Err(Unfit(
                "The component of this step is not the one that it names.".to_owned(),
            ));
        };
        let parts = self.parts()?;
        let _turn = self
            .compiling
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // Whoever had the turn before may have compiled the same.
        if let Some(ready) = self.find(hash) {
            return Ok(ready);
        }
        // What reads modules was not made for those that someone forged.
        let compiled = catch_unwind(AssertUnwindSafe(|| parts.compile(module)));
        let ready = compiled
            .map_err(|_| Unfit("It is no component: what reads it broke off.".to_owned()))??;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.remove(0);
        }
        kept.push((hash.to_owned(), ready.clone()));
        Ok(ready)
    }

    /// Returns a component that is kept; the one used longest ago goes first.
    fn find(&self, hash: &str) -> Option<InstancePre<State>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|(of, _)| of == hash)?;
        let used = kept.remove(at);
        let ready = used.1.clone();
        kept.push(used);
        Some(ready)
    }
}

/// Compiles a module as [`Machine`] would, and keeps nothing of it.
///
/// # Errors
/// When it cannot be compiled.
pub(super) fn try_out(module: &[u8]) -> std::result::Result<(), Unfit> {
    let engine = engine().map_err(|error| Unfit(sentence(&error)))?;
    let component = module::component(module).map_err(Unfit)?;
    engine
        .precompile_component(&component)
        .map(drop)
        .map_err(no_component)
}

fn engine() -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    config
        .consume_fuel(true)
        .epoch_interruption(true)
        .max_wasm_stack(STACK)
        .memory_reservation(MEMORY as u64)
        .memory_reservation_for_growth(0)
        .memory_may_move(false)
        // The same on every machine.
        .cranelift_nan_canonicalization(true)
        .wasm_relaxed_simd(false)
        .wasm_backtrace_max_frames(None);
    Engine::new(&config)
}

fn no_component(error: Error) -> Unfit {
    let why = module::told(&error.root_cause().to_string());
    Unfit(format!("It is no component: {why}."))
}

impl Parts {
    fn new() -> wasmtime::Result<Self> {
        let engine = engine()?;
        let mut linker = Linker::new(&engine);
        host::link(&mut linker)?;
        Ok(Self { engine, linker })
    }

    fn compile(&self, module: &[u8]) -> std::result::Result<InstancePre<State>, Unfit> {
        let component = module::component(module).map_err(Unfit)?;
        let component = Component::new(&self.engine, component).map_err(no_component)?;
        for (name, import) in component.component_type().imports(&self.engine) {
            let is_host = name == HOST && matches!(import.ty, ComponentItem::ComponentInstance(_));
            if !is_host {
                let name: String = name.chars().take(100).collect();
                return Err(Unfit(format!(
                    "It imports `{name}`, which is not there. A component imports `{HOST}` only: no files, no clock, no network of its own."
                )));
            }
        }
        self.linker.instantiate_pre(&component).map_err(|error| {
            let why = module::told(&format!("{error:#}"));
            Unfit(format!("It imports what is not there: {why}."))
        })
    }
}

type RunFunc =
    wasmtime::component::TypedFunc<(String, String), (std::result::Result<String, String>,)>;

fn begin(ready: &InstancePre<State>, store: &mut Store<State>) -> wasmtime::Result<RunFunc> {
    let instance = ready.instantiate(&mut *store)?;
    instance.get_typed_func(&mut *store, "run").map_err(|error| {
        error.context("it does not export `run: func(action: string, input: string) -> result<string, string>`")
    })
}

/// Says why a component was stopped; `None` when it asks for something.
fn ended(stop: Stop) -> Option<String> {
    Some(match stop {
        Stop::Asks(_) => return None,
        Stop::Differs(place) => format!(
            "The component asked for another request in place {place} than before. It must ask for the same each time its input and the answers are the same."
        ),
        Stop::Memory => format!(
            "The component used more than {} MiB of memory. Do less in one step.",
            MEMORY / (1024 * 1024)
        ),
        Stop::Tables => "The component made larger tables than it may.".to_owned(),
        Stop::Over => "The component took longer than it may. Do less in one step.".to_owned(),
        Stop::Unsigned(message) => message,
    })
}

/// Says why a component broke off.
fn sentence(error: &Error) -> String {
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => {
            "The component did more than it may. Look for a loop without end, or do less in one step.".to_owned()
        }
        Some(Trap::StackOverflow) => {
            "The component calls itself too deeply. Use a loop, or end the recursion earlier.".to_owned()
        }
        Some(Trap::UnreachableCodeReached) => {
            "The component broke off: it panicked. Its console may say why.".to_owned()
        }
        _ => format!(
            "The component broke off: {}.",
            module::told(&format!("{error:#}"))
        ),
    }
}

/// Reads what a component gave. It may be anything.
fn read(output: &str) -> std::result::Result<Value, String> {
    if output.len() > VALUE_BYTES {
        return Err(too_large("output"));
    }
    if payload::is_deeper(output.as_bytes(), limit::JSON_DEPTH) {
        return Err(format!(
            "The component gave JSON that is nested deeper than {} levels. Make it flatter.",
            limit::JSON_DEPTH
        ));
    }
    serde_json::from_str(output)
        .map_err(|error| format!("The component gave an output that is not JSON: {error}."))
}

fn too_large(what: &str) -> String {
    format!(
        "The {what} of the component has more than {} MiB. Use less at a time.",
        VALUE_BYTES / (1024 * 1024)
    )
}

fn broke_for_now() -> Worked {
    Worked {
        end: Ending::Broke(Broke {
            message: "Too many components are run at once.".to_owned(),
            may_retry: true,
        }),
        console: Vec::new(),
    }
}

fn broke(message: String) -> Worked {
    Worked {
        end: failed(message),
        console: Vec::new(),
    }
}

fn failed(message: String) -> Ending {
    Ending::Broke(Broke {
        message,
        may_retry: false,
    })
}
