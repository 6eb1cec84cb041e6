//! What the expressions of one step can reach: the trigger, earlier steps, the round of a loop and
//! the run, each with what is in it, by its kind's schema and by a sample.
//!
//! For the picker of data, for completion and for previews; whether a reference is right is
//! [`crate::validate`]'s to say. A sample is a value of an earlier test: nothing here is certain.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::catalog;
use crate::document::OnError;
use crate::schema::Schema;
use crate::template::Scope;
use crate::{Document, StepId};

/// Deepest level and most values that a search goes through.
const DEPTH: usize = 8;
const SEARCHED: usize = 5_000;
/// Most items of a list that are offered one by one.
const ITEMS: usize = 20;

/// Values that were seen: in the newest test, or put there by hand.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Samples {
    /// What the trigger gave.
    pub trigger: Option<Value>,
    /// What is known of the run.
    pub run: Option<Value>,
    /// What steps gave.
    pub outputs: BTreeMap<StepId, Value>,
    /// The item of a round, by the loop.
    pub items: BTreeMap<StepId, Value>,
}

/// What the expressions of one step can reach.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reach {
    sources: Vec<Source>,
}

/// One thing that values come from.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// What an expression calls it, such as `trigger` or `steps.order`.
    pub expression: String,
    /// What people call it.
    pub title: String,
    /// What it is, such as the title of a step's action.
    pub kind: String,
    /// Name of its icon.
    pub icon: String,
    /// A value that it gave.
    pub sample: Option<Value>,
    names: Vec<String>,
    declared: Vec<Declared>,
}

/// A field that the schema of a kind names.
#[derive(Clone, Debug, PartialEq)]
struct Declared {
    name: String,
    title: String,
    example: Option<Value>,
}

/// A value inside another.
#[derive(Clone, Debug, PartialEq)]
pub struct Member<'a> {
    /// Its name, or its place in a list.
    pub name: String,
    /// How an expression takes it from what it is in: `.id`, `['a b']` or `[0]`.
    pub written: String,
    /// What the schema says of it, or empty.
    pub title: &'a str,
    /// A value that it had.
    pub sample: Option<&'a Value>,
    /// The sample is the schema's example: it was never seen.
    pub is_example: bool,
}

/// A value that a search found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found<'a> {
    /// Where it comes from.
    pub source: &'a Source,
    /// What is in there on the way to it.
    pub names: Vec<String>,
    /// The expression that gives it.
    pub expression: String,
    /// A value that it had.
    pub sample: Option<&'a Value>,
}

impl Reach {
    /// Returns what a step of a document can reach; the nearest step comes first.
    pub fn of(document: &Document, id: StepId, samples: &Samples) -> Self {
        let mut sources = Vec::new();
        let mut in_loop = false;
        for step in document.visible_from(id) {
            let action = step.action();
            let is_inside = !step.lanes.is_empty() && document.subtree(step.id).contains(&id);
            let is_around = is_inside && step.kind == "loop";
            if is_around && !in_loop {
                in_loop = true;
                sources.push(item(&step.name, samples.items.get(&step.id)));
                sources.push(index(&step.name));
            }
            let mut declared = action.map_or_else(Vec::new, |action| {
                declared(&action.output, Some(&step.config))
            });
            let mut sample = samples.outputs.get(&step.id).cloned();
            if is_around {
                declared = vec![
                    field("item", "The item of this round"),
                    field("index", "Its place, from 0"),
                ];
                let item = samples.items.get(&step.id);
                sample = item.map(|item| {
                    Value::from_iter([("item", item.clone()), ("index", Value::from(0))])
                });
            } else if is_inside {
                declared.retain(|field| field.name != "result");
            } else if step.on_error.then == OnError::Continue {
                declared.push(field("error", "Why it failed, when it did"));
            }
            if step.kind == catalog::PARALLEL && sample.is_none() {
                let lanes = step.lanes.iter();
                let results = lanes.map(|lane| (lane.name.clone(), Value::Null)).collect();
                sample = Some(Value::from_iter([("results", Value::Object(results))]));
            }
            sources.push(Source {
                expression: format!("steps.{}", step.slug),
                title: step.name.clone(),
                kind: action.map_or_else(String::new, |action| action.title.clone()),
                icon: action.map_or("help", |action| &action.icon).to_owned(),
                sample,
                names: vec!["steps".to_owned(), step.slug.clone()],
                declared,
            });
        }
        let trigger = catalog::trigger(&document.trigger.kind);
        sources.push(Source {
            expression: "trigger".to_owned(),
            title: "Trigger".to_owned(),
            kind: trigger.map_or_else(String::new, |kind| kind.title.clone()),
            icon: trigger.map_or("zap", |kind| &kind.icon).to_owned(),
            sample: samples.trigger.clone(),
            names: vec!["trigger".to_owned()],
            declared: trigger.map_or_else(Vec::new, |kind| declared(&kind.output, None)),
        });
        sources.push(Source {
            expression: "run".to_owned(),
            title: "Run".to_owned(),
            kind: "What is known of the run".to_owned(),
            icon: "play".to_owned(),
            sample: samples.run.clone(),
            names: vec!["run".to_owned()],
            declared: vec![
                field("id", "Id of the run"),
                field("started_at", "When it started"),
                field("test", "Whether it is a test"),
            ],
        });
        Self { sources }
    }

    /// Returns where values come from: the nearest step first, trigger and run last.
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// Returns the source that a reference begins with, and the names behind it.
    pub fn source<'n, N: AsRef<str>>(&self, names: &'n [N]) -> Option<(&Source, &'n [N])> {
        self.sources.iter().find_map(|source| {
            let own = &source.names;
            let is_it =
                names.len() >= own.len() && own.iter().zip(names).all(|(a, b)| a == b.as_ref());
            is_it.then(|| (source, &names[own.len()..]))
        })
    }

    /// Returns the value that a reference had.
    pub fn sample<N: AsRef<str>>(&self, names: &[N]) -> Option<&Value> {
        let (source, rest) = self.source(names)?;
        rest.iter()
            .try_fold(source.sample.as_ref()?, |value, name| {
                inside(value, name.as_ref())
            })
    }

    /// Returns what a value holds: sources for no names, their slugs for `steps`.
    pub fn members<N: AsRef<str>>(&self, names: &[N]) -> Vec<Member<'_>> {
        if let Some((source, rest)) = self.source(names) {
            return source.members(rest);
        }
        let depth = names.len();
        let mut members: Vec<Member<'_>> = Vec::new();
        for source in &self.sources {
            let begins = source.names.iter().zip(names).all(|(a, b)| a == b.as_ref());
            let Some(name) = source.names.get(depth).filter(|_| begins) else {
                continue;
            };
            if members.iter().all(|member| member.name != *name) {
                let is_last = source.names.len() == depth + 1;
                members.push(Member {
                    name: name.clone(),
                    written: if depth == 0 {
                        name.clone()
                    } else {
                        format!(".{name}")
                    },
                    title: if is_last { &source.title } else { "" },
                    sample: source.sample.as_ref().filter(|_| is_last),
                    is_example: false,
                });
            }
        }
        members
    }

    /// Returns the values whose name, or the name of what they come from, holds a text, the best
    /// first.
    pub fn search(&self, typed: &str, most: usize) -> Vec<Found<'_>> {
        let typed = typed.trim().to_lowercase();
        let mut ranked: Vec<(usize, Found<'_>)> = Vec::new();
        let mut left = SEARCHED;
        for source in &self.sources {
            if let Some(rank) =
                rank_title(&typed, &source.title).or_else(|| rank(&typed, source.slug()))
            {
                ranked.push((
                    rank,
                    Found {
                        source,
                        names: Vec::new(),
                        expression: source.expression.clone(),
                        sample: source.sample.as_ref(),
                    },
                ));
            }
            // Level by level, so that what is near is found before the bound is reached.
            let mut level = vec![(Vec::new(), source.expression.clone())];
            for depth in 0..DEPTH {
                let mut next = Vec::new();
                for (names, expression) in &level {
                    for member in source.members(names) {
                        if left == 0 {
                            break;
                        }
                        left -= 1;
                        let names: Vec<String> =
                            names.iter().cloned().chain([member.name.clone()]).collect();
                        let expression = format!("{expression}{}", member.written);
                        let by_name = rank(&typed, &member.name);
                        let found = by_name
                            .or_else(|| rank_title(&typed, member.title).map(|rank| rank + 2));
                        if let Some(rank) = found {
                            ranked.push((
                                (rank + 1) * DEPTH + depth,
                                Found {
                                    source,
                                    names: names.clone(),
                                    expression: expression.clone(),
                                    sample: member.sample,
                                },
                            ));
                        }
                        next.push((names, expression));
                    }
                }
                level = next;
            }
        }
        ranked.sort_by_key(|(rank, _)| *rank);
        ranked
            .into_iter()
            .take(most)
            .map(|(_, found)| found)
            .collect()
    }

    /// Returns the first source that a text's references need and of which no sample is known.
    pub fn lacking<'n>(&self, references: impl Iterator<Item = &'n [String]>) -> Option<&Source> {
        references
            .filter_map(|names| self.source(names))
            .map(|(source, _)| source)
            .find(|source| source.sample.is_none())
    }

    /// Returns the samples as what expressions are evaluated with.
    pub fn scope(&self) -> Scope {
        let sample = |expression: &str| {
            let mut all = self.sources.iter();
            let source = all.find(|source| source.expression == expression);
            source.and_then(|source| source.sample.as_ref())
        };
        let object = |expression| sample(expression).cloned().unwrap_or_else(|| json!({}));
        let mut scope = Scope::new(object("trigger"), object("run"));
        for source in &self.sources {
            if let ([_, slug], Some(sample)) = (source.names.as_slice(), &source.sample) {
                scope.set_step(slug, sample.clone());
            }
        }
        match sample("item") {
            Some(item) => scope.in_round(item.clone(), 0),
            None => scope,
        }
    }
}

impl Source {
    fn slug(&self) -> &str {
        self.names.last().map_or("", String::as_str)
    }

    /// Returns what a value inside holds; the source itself for no names.
    pub fn members<N: AsRef<str>>(&self, names: &[N]) -> Vec<Member<'_>> {
        let mut at = names.iter();
        let mut sample = self.sample.as_ref();
        // Where nothing was seen yet, the examples of the schema tell what may be there.
        let mut is_example = false;
        if let Some(first) = at.next() {
            let declared = self
                .declared
                .iter()
                .find(|field| field.name == first.as_ref());
            let example = declared.and_then(|field| field.example.as_ref());
            is_example = sample.is_none();
            sample = match sample {
                Some(sample) => inside(sample, first.as_ref()),
                None => example,
            };
        }
        let sample = at.fold(sample, |value, name| inside(value?, name.as_ref()));
        let mut members: Vec<Member<'_>> = Vec::new();
        if names.is_empty() {
            members.extend(self.declared.iter().map(|field| {
                let seen = self.sample.as_ref();
                Member {
                    name: field.name.clone(),
                    written: written(&field.name),
                    title: if field.title == field.name {
                        ""
                    } else {
                        &field.title
                    },
                    sample: match seen {
                        Some(seen) => seen.get(&field.name),
                        None => field.example.as_ref(),
                    },
                    is_example: seen.is_none() && field.example.is_some(),
                }
            }));
        }
        match sample {
            Some(Value::Object(map)) => {
                for (name, value) in map {
                    if members.iter().all(|member| member.name != *name) {
                        members.push(Member {
                            name: name.clone(),
                            written: written(name),
                            title: "",
                            sample: Some(value),
                            is_example,
                        });
                    }
                }
            }
            Some(Value::Array(items)) => {
                members.extend(
                    items
                        .iter()
                        .take(ITEMS)
                        .enumerate()
                        .map(|(index, value)| Member {
                            name: index.to_string(),
                            written: format!("[{index}]"),
                            title: "",
                            sample: Some(value),
                            is_example,
                        }),
                );
            }
            _ => {}
        }
        members
    }
}

/// Says in a few words what a value is: its start, or how much is in it.
pub fn short(value: &Value) -> String {
    const SHOWN: usize = 60;
    let count = |count: usize, one: &str| {
        if count == 1 {
            format!("1 {one}")
        } else {
            format!("{count} {one}s")
        }
    };
    match value {
        Value::String(text) => {
            let mut line: String = text.chars().take(SHOWN).collect();
            if text.chars().nth(SHOWN).is_some() {
                line.push('…');
            }
            line.replace('\n', " ↵ ")
        }
        Value::Array(items) => format!("list of {}", items.len()),
        Value::Object(map) => count(map.len(), "field"),
        other => other.to_string(),
    }
}

/// Says what type a value has.
pub fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "true or false".to_owned(),
        Value::Number(number) if number.is_f64() => "number".to_owned(),
        Value::Number(_) => "whole number".to_owned(),
        Value::String(_) => "text".to_owned(),
        Value::Array(items) => format!("list of {}", items.len()),
        Value::Object(map) => format!(
            "object with {} field{}",
            map.len(),
            if map.len() == 1 { "" } else { "s" }
        ),
    }
}

/// Returns how an expression takes a named value from what it is in.
fn written(name: &str) -> String {
    let is_plain = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if is_plain {
        format!(".{name}")
    } else {
        // Single quotes, because the expression may stand in a text of JSON.
        format!("['{}']", name.replace('\\', "\\\\").replace('\'', "\\'"))
    }
}

fn inside<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    match value {
        Value::Object(map) => map.get(name),
        Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        _ => None,
    }
}

/// As [`rank`], for titles: letters within a word are no match.
fn rank_title(typed: &str, title: &str) -> Option<usize> {
    rank(typed, title).filter(|rank| *rank < 3)
}

/// Lower is better: the same, begins so, a word in it begins so, holds it.
fn rank(typed: &str, name: &str) -> Option<usize> {
    let name = name.to_lowercase();
    let is_start = |at: usize| !name[..at].ends_with(char::is_alphanumeric);
    match name.find(typed)? {
        0 if name.len() == typed.len() => Some(0),
        0 => Some(1),
        at if is_start(at) => Some(2),
        _ => Some(3),
    }
}

fn declared(output: &Schema, config: Option<&Map<String, Value>>) -> Vec<Declared> {
    let fields = output.fields.iter().map(|field| Declared {
        name: field.name.clone(),
        title: field.title.clone(),
        example: field.example.clone(),
    });
    let same = output
        .same_as
        .as_ref()
        .and_then(|field| config?.get(field)?.as_object());
    let same = same
        .into_iter()
        .flat_map(Map::keys)
        .map(|name| field(name, ""));
    fields.chain(same).collect()
}

fn field(name: &str, title: &str) -> Declared {
    Declared {
        name: name.to_owned(),
        title: title.to_owned(),
        example: None,
    }
}

fn item(of: &str, sample: Option<&Value>) -> Source {
    Source {
        expression: "item".to_owned(),
        title: "Item".to_owned(),
        kind: format!("Of this round of {of}"),
        icon: "repeat".to_owned(),
        sample: sample.cloned(),
        names: vec!["item".to_owned()],
        declared: Vec::new(),
    }
}

fn index(of: &str) -> Source {
    Source {
        expression: "index".to_owned(),
        title: "Index".to_owned(),
        kind: format!("Place in {of}, from 0"),
        icon: "repeat".to_owned(),
        sample: Some(Value::from(0)),
        names: vec!["index".to_owned()],
        declared: Vec::new(),
    }
}

#[cfg(test)]
pub(crate) mod tests;
