//! What expressions can see.

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object, Serde, Value};

/// The values that expressions of one step can use: `trigger`, `steps`, `item`, `index`, `run`.
///
/// Cloning is cheap: outputs are shared.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    trigger: Value,
    run: Value,
    steps: Arc<Steps>,
    round: Option<(Value, usize)>,
}

#[derive(Clone, Debug, Default)]
struct Steps(BTreeMap<String, Value>);

impl Object for Steps {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.0.get(key.as_str()?).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(
            self.0
                .keys()
                .map(|slug| Value::from(slug.as_str()))
                .collect(),
        )
    }
}

#[derive(Debug)]
struct Root(Scope);

impl Object for Root {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let scope = &self.0;
        match key.as_str()? {
            "trigger" => Some(scope.trigger.clone()),
            "run" => Some(scope.run.clone()),
            "steps" => Some(Value::from_dyn_object(scope.steps.clone())),
            "item" => scope.round.as_ref().map(|(item, _)| item.clone()),
            "index" => scope.round.as_ref().map(|(_, index)| Value::from(*index)),
            _ => None,
        }
    }
}

impl Scope {
    /// Returns a scope with what the trigger gave and what is known of the run.
    pub fn new(trigger: &serde_json::Value, run: &serde_json::Value) -> Self {
        Self {
            trigger: import(trigger),
            run: import(run),
            ..Self::default()
        }
    }

    /// Adds (or replaces) the output of a step.
    pub fn set_step(&mut self, slug: &str, output: &serde_json::Value) {
        Arc::make_mut(&mut self.steps)
            .0
            .insert(slug.to_owned(), import(output));
    }

    /// Returns a scope for one round of the loop with that slug: `item`, `index` (from 0) and
    /// `steps.<slug>.item` and `.index` are set.
    pub fn round(&self, slug: &str, item: &serde_json::Value, index: usize) -> Self {
        let mut scope = self.in_round(item, index);
        let output = BTreeMap::from([("item", import(item)), ("index", Value::from(index))]);
        Arc::make_mut(&mut scope.steps)
            .0
            .insert(slug.to_owned(), Value::from(output));
        scope
    }

    /// Returns a scope in which `item` and `index` (from 0) are set, whatever the loop is called.
    pub fn in_round(&self, item: &serde_json::Value, index: usize) -> Self {
        Self {
            round: Some((import(item), index)),
            ..self.clone()
        }
    }

    pub(super) fn root(&self) -> Value {
        Value::from_object(Root(self.clone()))
    }
}

fn import(json: &serde_json::Value) -> Value {
    Value::from(Serde(json))
}
