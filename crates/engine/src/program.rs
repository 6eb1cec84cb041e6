//! A document compiled once: every text parsed, every step linked by index.

mod config;
mod used;

use std::collections::HashMap;
use std::time::Duration;

use domain::catalog::{self, Container};
use domain::connector::{self, Declared};
use domain::document::{ErrorPolicy, Lane, Step};
use domain::template::Template;
use domain::{Document, StepId, call, code, limit};
use thiserror::Error;

pub(crate) use config::Config;
use used::Used;

/// A document that can be executed; shared by all its runs.
#[derive(Debug)]
pub struct Program {
    pub(crate) nodes: Vec<Node>,
    pub(crate) flow: Vec<usize>,
    pub(crate) time_limit: Duration,
    /// Calls start it, so that it gives a result.
    pub(crate) is_called: bool,
    only_computes: bool,
    by_id: HashMap<StepId, usize>,
}

/// One step, ready to run.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) id: StepId,
    pub(crate) name: String,
    pub(crate) slug: String,
    pub(crate) policy: ErrorPolicy,
    pub(crate) config: Config,
    pub(crate) action: Action,
    /// Some expression uses its output. What nobody uses is not made visible.
    pub(crate) is_used: bool,
    /// It is the last that a round of the loop, or a lane of the try, around it can do, so its
    /// output is theirs; or the last of all, when the run gives a result.
    pub(crate) is_tail: bool,
    parent: Option<usize>,
}

/// What a step does.
#[derive(Debug)]
pub(crate) enum Action {
    Http,
    /// Sends an e-mail.
    Email,
    /// Asks a database.
    Query,
    /// An HTTP request that a connector declares.
    Connector(Declared),
    /// Calls another integration.
    Call,
    /// Runs code.
    Code,
    Respond,
    Set,
    Log,
    ReadCsv,
    WriteCsv,
    ReadJson,
    WriteJson,
    ReadXml,
    WriteXml,
    Filter,
    Branch(Vec<Arm>),
    Loop(Vec<usize>),
    /// What is tried, and what runs if it fails.
    Try(Vec<usize>, Vec<usize>),
    /// Lanes that run beside each other.
    Parallel(Vec<Arm>),
    Delay,
    Stop,
}

impl Action {
    /// Returns whether it neither touches nor waits for anything outside of the run.
    pub(crate) fn only_computes(&self) -> bool {
        match self {
            Action::Respond
            | Action::Set
            | Action::Log
            | Action::ReadCsv
            | Action::WriteCsv
            | Action::ReadJson
            | Action::WriteJson
            | Action::ReadXml
            | Action::WriteXml
            | Action::Filter
            | Action::Branch(_)
            | Action::Loop(_)
            | Action::Try(..)
            | Action::Parallel(_)
            | Action::Stop => true,
            Action::Http
            | Action::Email
            | Action::Query
            | Action::Connector(_)
            | Action::Call
            | Action::Code
            | Action::Delay => false,
        }
    }
}

/// One lane of a branch, or of a parallel step.
#[derive(Debug)]
pub(crate) struct Arm {
    pub(crate) name: String,
    /// `None` for the else lane, and in a parallel step.
    pub(crate) when: Option<Template>,
    pub(crate) list: Vec<usize>,
}

/// Why a document cannot be executed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct CompileError {
    /// The step, unless the document as a whole is meant.
    pub step: Option<StepId>,
    /// What is wrong and what to do, in a sentence that names the step.
    pub message: String,
}

impl CompileError {
    fn of(step: &Step, message: impl std::fmt::Display) -> Self {
        Self {
            step: Some(step.id),
            message: format!("Step `{}` cannot run: {message}", step.name),
        }
    }
}

impl Program {
    /// Compiles a document.
    ///
    /// # Errors
    /// The first step, as a person reads them, that cannot be executed at all, and why. A
    /// document without problems always compiles.
    pub fn compile(document: &Document) -> Result<Self, CompileError> {
        let mut compiler = Compiler {
            document,
            used: Used::of(document),
            nodes: Vec::with_capacity(document.steps.len()),
            by_id: HashMap::with_capacity(document.steps.len()),
            is_called: document.trigger.kind == call::TRIGGER,
        };
        let is_called = compiler.is_called;
        let flow = compiler.list(&document.flow, 1, None, is_called)?;
        let mut actions = compiler.nodes.iter().map(|node| &node.action);
        Ok(Self {
            only_computes: actions.all(Action::only_computes),
            nodes: compiler.nodes,
            flow,
            time_limit: Duration::from_secs(document.settings.time_limit_seconds.max(1).into()),
            is_called,
            by_id: compiler.by_id,
        })
    }

    /// Returns whether no step of it touches or waits for anything outside: a run of it that is
    /// forgotten before its end was told never was. What a Respond step answers is told by whoever
    /// executes it.
    pub fn only_computes(&self) -> bool {
        self.only_computes
    }

    /// Returns the name of a step, as people gave it.
    pub fn name_of(&self, id: StepId) -> Option<&str> {
        self.index_of(id)
            .map(|index| self.nodes[index].name.as_str())
    }

    /// Returns whether a step sends something to another system.
    pub fn reaches_out(&self, id: StepId) -> bool {
        self.index_of(id).is_some_and(|index| {
            matches!(
                self.nodes[index].action,
                Action::Http | Action::Email | Action::Query | Action::Connector(_)
            )
        })
    }

    /// Returns the index of a step.
    pub(crate) fn index_of(&self, id: StepId) -> Option<usize> {
        self.by_id.get(&id).copied()
    }

    /// Returns the loops around a step, outermost first.
    pub(crate) fn loops_around(&self, index: usize) -> Vec<&Node> {
        let mut around = Vec::new();
        let mut at = self.nodes[index].parent;
        while let Some(parent) = at {
            let node = &self.nodes[parent];
            if matches!(node.action, Action::Loop(_)) {
                around.push(node);
            }
            at = node.parent;
        }
        around.reverse();
        around
    }
}

struct Compiler<'d> {
    document: &'d Document,
    used: Used,
    nodes: Vec<Node>,
    by_id: HashMap<StepId, usize>,
    is_called: bool,
}

impl Compiler<'_> {
    fn list(
        &mut self,
        ids: &[StepId],
        depth: usize,
        parent: Option<usize>,
        ends_round: bool,
    ) -> Result<Vec<usize>, CompileError> {
        let mut list = Vec::with_capacity(ids.len());
        for (position, id) in ids.iter().enumerate() {
            let is_tail = ends_round && position + 1 == ids.len();
            list.push(self.node(*id, depth, parent, is_tail)?);
        }
        Ok(list)
    }

    fn node(
        &mut self,
        id: StepId,
        depth: usize,
        parent: Option<usize>,
        is_tail: bool,
    ) -> Result<usize, CompileError> {
        let Some(step) = self.document.steps.get(&id) else {
            let message = format!("The step {id} stands in a list but does not exist.");
            return Err(CompileError {
                step: Some(id),
                message,
            });
        };
        if depth > limit::DEPTH {
            let message = format!("it is nested deeper than {} levels.", limit::DEPTH);
            return Err(CompileError::of(step, message));
        }
        let index = self.nodes.len();
        if self.by_id.insert(id, index).is_some() {
            return Err(CompileError::of(step, "it stands in two places."));
        }
        let Some(entry) = step.action() else {
            let message = format!("there is no action called `{}`.", step.kind);
            return Err(CompileError::of(step, message));
        };
        self.nodes.push(Node {
            id,
            name: step.name.clone(),
            slug: step.slug.clone(),
            policy: step.on_error,
            config: Config::compile(entry, &step.config)
                .map_err(|message| CompileError::of(step, message))?,
            action: simple(step)?,
            is_used: self.used.contains(&step.slug) || is_tail && self.is_called,
            is_tail,
            parent,
        });
        match entry.container {
            Some(Container::Branch) => {
                let mut arms = Vec::with_capacity(step.lanes.len());
                for lane in &step.lanes {
                    arms.push(Arm {
                        name: lane.name.clone(),
                        when: condition(step, lane)?,
                        list: self.list(&lane.steps, depth + 1, Some(index), is_tail)?,
                    });
                }
                self.nodes[index].action = Action::Branch(arms);
            }
            Some(Container::Loop) => {
                let [lane] = step.lanes.as_slice() else {
                    return Err(CompileError::of(step, "a loop has exactly one lane."));
                };
                let list = self.list(&lane.steps, depth + 1, Some(index), true)?;
                self.nodes[index].action = Action::Loop(list);
            }
            Some(Container::Try) => {
                let [tried, rescue] = step.lanes.as_slice() else {
                    return Err(CompileError::of(step, "a try has exactly two lanes."));
                };
                let tried = self.list(&tried.steps, depth + 1, Some(index), true)?;
                let rescue = self.list(&rescue.steps, depth + 1, Some(index), true)?;
                self.nodes[index].action = Action::Try(tried, rescue);
            }
            Some(Container::Parallel) => {
                let mut arms = Vec::with_capacity(step.lanes.len());
                for lane in &step.lanes {
                    arms.push(Arm {
                        name: lane.name.clone(),
                        when: None,
                        list: self.list(&lane.steps, depth + 1, Some(index), true)?,
                    });
                }
                self.nodes[index].action = Action::Parallel(arms);
            }
            None => {}
        }
        Ok(index)
    }
}

/// Returns the action of a step without its lanes.
fn simple(step: &Step) -> Result<Action, CompileError> {
    Ok(match step.kind.as_str() {
        "http.request" => Action::Http,
        catalog::EMAIL => Action::Email,
        catalog::QUERY => Action::Query,
        connector::STEP => Action::Connector(declared(step)?),
        call::STEP => Action::Call,
        code::STEP => Action::Code,
        "respond" => Action::Respond,
        "set" => Action::Set,
        "log" => Action::Log,
        "csv.read" => Action::ReadCsv,
        "csv.write" => Action::WriteCsv,
        "json.read" => Action::ReadJson,
        "json.write" => Action::WriteJson,
        "xml.read" => Action::ReadXml,
        "xml.write" => Action::WriteXml,
        "filter" => Action::Filter,
        "branch" => Action::Branch(Vec::new()),
        "loop" => Action::Loop(Vec::new()),
        "try" => Action::Try(Vec::new(), Vec::new()),
        catalog::PARALLEL => Action::Parallel(Vec::new()),
        "delay" => Action::Delay,
        "stop" => Action::Stop,
        kind => {
            let message = format!("this server does not know how to run `{kind}`.");
            return Err(CompileError::of(step, message));
        }
    })
}

/// Returns what a connector declares of a step's action.
fn declared(step: &Step) -> Result<Declared, CompileError> {
    let Some(declared) = &step.action else {
        let message = "it does not say what its connector does.";
        return Err(CompileError::of(step, message));
    };
    match declared.check() {
        Ok(()) => Ok(declared.clone()),
        Err(faults) => {
            let fault = faults.first().map(ToString::to_string).unwrap_or_default();
            let message = format!("what its connector declares cannot be used: {fault}");
            Err(CompileError::of(step, message))
        }
    }
}

fn condition(step: &Step, lane: &Lane) -> Result<Option<Template>, CompileError> {
    let Some(when) = lane.when.as_deref() else {
        return Ok(None);
    };
    Template::parse_condition(when).map(Some).map_err(|error| {
        CompileError::of(
            step,
            format!("the condition of lane `{}`: {error}", lane.name),
        )
    })
}
