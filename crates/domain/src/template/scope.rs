//! What expressions can see.

use std::collections::{BTreeMap, BTreeSet};
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

/// Outputs by slug. What a round of a loop adds lies above what there was before the loop, which
/// is shared by all rounds, however much it is.
#[derive(Clone, Debug, Default)]
struct Steps {
    own: BTreeMap<String, Value>,
    before: Option<Arc<Steps>>,
}

impl Steps {
    /// The layers, from what was added last.
    fn layers(&self) -> impl Iterator<Item = &Steps> {
        std::iter::successors(Some(self), |steps| steps.before.as_deref())
    }
}

impl Object for Steps {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let slug = key.as_str()?;
        self.layers().find_map(|steps| steps.own.get(slug)).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let slugs: BTreeSet<_> = self.layers().flat_map(|steps| steps.own.keys()).collect();
        Enumerator::Values(slugs.into_iter().map(|slug| slug.as_str().into()).collect())
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
            .own
            .insert(slug.to_owned(), import(output));
    }

    /// Returns a scope for one round of the loop with that slug: `item`, `index` (from 0) and
    /// `steps.<slug>.item` and `.index` are set.
    pub fn round(&self, slug: &str, item: &serde_json::Value, index: usize) -> Self {
        let item = import(item);
        let output = BTreeMap::from([("item", item.clone()), ("index", Value::from(index))]);
        let steps = Steps {
            own: BTreeMap::from([(slug.to_owned(), Value::from(output))]),
            before: Some(self.steps.clone()),
        };
        Self {
            trigger: self.trigger.clone(),
            run: self.run.clone(),
            steps: Arc::new(steps),
            round: Some((item, index)),
        }
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
