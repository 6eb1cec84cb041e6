//! Which outputs some expression uses. Making an output visible costs time and memory, which is
//! saved for all others.

use std::collections::HashSet;

use domain::template::{self, Scanned};
use domain::{Document, code};
use serde_json::Value;

/// The slugs that expressions name, or all.
#[derive(Debug, Default)]
pub(super) struct Used {
    slugs: HashSet<String>,
    /// An expression uses `steps` as a whole, or cannot be read.
    all: bool,
}

impl Used {
    pub(super) fn of(document: &Document) -> Self {
        let mut used = Self::default();
        for step in document.steps.values() {
            for (name, value) in &step.config {
                match value {
                    Value::String(_) if step.kind == code::STEP && name == "code" => {}
                    Value::String(text) if step.kind == "filter" && name == "condition" => {
                        used.add_condition(text);
                    }
                    value => used.add_value(value),
                }
            }
            for when in step.lanes.iter().filter_map(|lane| lane.when.as_deref()) {
                used.add_condition(when);
            }
        }
        used
    }

    pub(super) fn contains(&self, slug: &str) -> bool {
        self.all || self.slugs.contains(slug)
    }

    fn add_condition(&mut self, text: &str) {
        if may_name_a_step(text) {
            self.add(template::check_condition(text).map(|scanned| vec![scanned]));
        }
    }

    fn add_value(&mut self, value: &Value) {
        match value {
            Value::String(text) if may_name_a_step(text) && text.contains("{{") => {
                self.add(template::check(text));
            }
            Value::Array(items) => items.iter().for_each(|item| self.add_value(item)),
            Value::Object(map) => map.values().for_each(|item| self.add_value(item)),
            _ => {}
        }
    }

    fn add<E>(&mut self, scanned: Result<Vec<Scanned>, E>) {
        let Ok(scanned) = scanned else {
            self.all = true;
            return;
        };
        for reference in scanned.into_iter().flat_map(|scanned| scanned.references) {
            let mut path = reference.path.into_iter();
            if path.next().is_some_and(|root| root == "steps") {
                match path.next() {
                    Some(slug) => drop(self.slugs.insert(slug)),
                    None => self.all = true,
                }
            }
        }
    }
}

/// Returns whether some expression of a text may use the output of a step. Most do not, and need not
/// be read for that.
fn may_name_a_step(text: &str) -> bool {
    text.contains("steps")
}
