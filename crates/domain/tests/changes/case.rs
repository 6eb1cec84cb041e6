//! Reads the short form of a pair of documents.
//!
//! A step is `{"id", "kind", "name", "config"…}` with its lanes inside it; what is not said is as in
//! a new step. In `after`, the id alone stands for the step as it was, with all that is inside it,
//! and what is said beside an id changes it; `null` takes a field of `config` away.

use std::collections::BTreeMap;

use domain::catalog;
use domain::document::{Lane, Step};
use domain::edit::new_step;
use domain::{Document, LaneId, StepId, slug};
use serde::Deserialize;
use serde_json::{Map, Value};

/// A pair of documents.
pub(crate) struct Case {
    /// What happened, in one sentence.
    pub(crate) title: String,
    /// Whether the later document has problems, because it is about them.
    pub(crate) breaks: bool,
    pub(crate) before: Document,
    pub(crate) after: Document,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    title: String,
    #[serde(default)]
    breaks: bool,
    before: Short,
    after: Short,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Short {
    trigger: Option<String>,
    #[serde(default)]
    config: Map<String, Value>,
    time_limit_seconds: Option<u32>,
    flow: Vec<ShortStep>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ShortStep {
    Same(String),
    Said(Box<Said>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    id: String,
    kind: Option<String>,
    name: Option<String>,
    slug: Option<String>,
    #[serde(default)]
    config: Map<String, Value>,
    retries: Option<u8>,
    then: Option<domain::document::OnError>,
    notes: Option<String>,
    lanes: Option<Vec<ShortLane>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ShortLane {
    Same(String),
    Said(SaidLane),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SaidLane {
    id: String,
    name: Option<String>,
    when: Option<String>,
    steps: Option<Vec<ShortStep>>,
}

impl Case {
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let pair: Pair = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let mut reader = Reader::default();
        let before = reader.document(&Document::new("webhook"), pair.before)?;
        let after = reader.document(&before, pair.after)?;
        Ok(Self {
            title: pair.title,
            breaks: pair.breaks,
            before,
            after,
        })
    }
}

#[derive(Default)]
struct Reader {
    numbers: BTreeMap<String, u128>,
}

impl Reader {
    /// Returns the same id for the same word: a step's, or a lane's.
    fn id<T: std::str::FromStr>(&mut self, word: &str) -> T {
        let next = self.numbers.len() as u128 + 1;
        let number = *self.numbers.entry(word.to_owned()).or_insert(next);
        let text = format!("01980000-0000-7000-8000-{number:012x}");
        text.parse().ok().expect("it is a UUID")
    }

    fn document(&mut self, base: &Document, short: Short) -> Result<Document, String> {
        let mut document = match &short.trigger {
            Some(kind) => Document::new(kind),
            None => Document {
                trigger: base.trigger.clone(),
                ..Document::new("webhook")
            },
        };
        set(&mut document.trigger.config, short.config);
        document.settings = base.settings.clone();
        if let Some(seconds) = short.time_limit_seconds {
            document.settings.time_limit_seconds = seconds;
        }
        document.flow = self.steps(base, &mut document, short.flow)?;
        Ok(document)
    }

    fn steps(
        &mut self,
        base: &Document,
        document: &mut Document,
        steps: Vec<ShortStep>,
    ) -> Result<Vec<StepId>, String> {
        steps
            .into_iter()
            .map(|step| self.step(base, document, step))
            .collect()
    }

    fn step(
        &mut self,
        base: &Document,
        document: &mut Document,
        short: ShortStep,
    ) -> Result<StepId, String> {
        let said = match short {
            ShortStep::Said(said) => *said,
            ShortStep::Same(word) => {
                let id: StepId = self.id(&word);
                let inside = base.subtree(id);
                if inside.is_empty() {
                    return Err(format!("`{word}` is not in the document before"));
                }
                document
                    .steps
                    .extend(inside.iter().map(|id| (*id, base.steps[id].clone())));
                return Ok(id);
            }
        };
        let id: StepId = self.id(&said.id);
        let mut step = match (base.steps.get(&id), &said.kind) {
            (Some(step), None) => step.clone(),
            _ => self.fresh(id, &said)?,
        };
        if let Some(name) = said.name {
            step.slug = said.slug.unwrap_or_else(|| slug::of(&name));
            step.name = name;
        } else if let Some(slug) = said.slug {
            step.slug = slug;
        }
        set(&mut step.config, said.config);
        step.on_error.retries = said.retries.unwrap_or(step.on_error.retries);
        step.on_error.then = said.then.unwrap_or(step.on_error.then);
        step.notes = said.notes.unwrap_or(step.notes);
        if let Some(lanes) = said.lanes {
            let old = std::mem::take(&mut step.lanes);
            for lane in lanes {
                step.lanes.push(self.lane(base, document, &old, lane)?);
            }
        } else {
            let inside = base.subtree(id).into_iter().skip(1);
            document
                .steps
                .extend(inside.map(|id| (id, base.steps[&id].clone())));
        }
        document.steps.insert(id, step);
        Ok(id)
    }

    fn fresh(&mut self, id: StepId, said: &Said) -> Result<Step, String> {
        let (Some(kind), Some(name)) = (&said.kind, &said.name) else {
            return Err(format!("`{}` is new: it needs a kind and a name", said.id));
        };
        let action = catalog::action(kind).ok_or_else(|| format!("there is no action `{kind}`"))?;
        Ok(new_step(action, id, name, slug::of(name), || {
            self.id(&format!("first lane of {}", said.id))
        }))
    }

    fn lane(
        &mut self,
        base: &Document,
        document: &mut Document,
        old: &[Lane],
        short: ShortLane,
    ) -> Result<Lane, String> {
        let said = match short {
            ShortLane::Said(said) => said,
            ShortLane::Same(id) => SaidLane {
                id,
                name: None,
                when: None,
                steps: None,
            },
        };
        let id: LaneId = self.id(&said.id);
        let old = old.iter().find(|lane| lane.id == id);
        let name = said.name.or_else(|| old.map(|lane| lane.name.clone()));
        let steps = match (said.steps, old) {
            (Some(steps), _) => self.steps(base, document, steps)?,
            (None, Some(old)) => {
                for id in old.steps.iter().flat_map(|id| base.subtree(*id)) {
                    document.steps.insert(id, base.steps[&id].clone());
                }
                old.steps.clone()
            }
            (None, None) => Vec::new(),
        };
        Ok(Lane {
            id,
            name: name.ok_or_else(|| format!("the lane `{}` is new: it needs a name", said.id))?,
            when: said.when.or_else(|| old.and_then(|lane| lane.when.clone())),
            steps,
        })
    }
}

fn set(config: &mut Map<String, Value>, said: Map<String, Value>) {
    for (name, value) in said {
        if value.is_null() {
            config.shift_remove(&name);
        } else {
            config.insert(name, value);
        }
    }
}
