//! What expressions can see.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use minijinja::value::{Enumerator, Object, Serde, Value};
use serde_json::Value as Json;

/// The values that expressions of one step can use: `trigger`, `steps`, `item`, `index`, `run`.
///
/// Cloning is cheap: what was given is shared. What is only looked up is never anything but the
/// JSON that it was given as; what an expression computes with becomes MiniJinja's value once, and
/// both are kept as long as the scope.
#[derive(Clone, Debug)]
pub struct Scope {
    trigger: Arc<Given>,
    run: Arc<Given>,
    steps: Arc<Steps>,
    round: Option<Round>,
}

/// A value, as JSON and, when that was needed, as MiniJinja's.
#[derive(Debug)]
struct Given {
    json: Source,
    computed: OnceLock<Value>,
}

#[derive(Debug)]
enum Source {
    Whole(Arc<Json>),
    /// One of a list that is shared.
    Item(Items, usize),
}

/// The items of a loop, shared by all of its rounds: the list that an object has as its `items`.
#[derive(Clone, Debug)]
pub struct Items(Arc<Json>);

impl Items {
    /// Returns the items that an object holds; none when it holds no list.
    pub fn of(object: impl Into<Arc<Json>>) -> Self {
        Self(object.into())
    }

    /// Returns the object that holds them, to be changed or passed on: the very same when it is
    /// shared by nobody any more.
    pub fn into_object(self) -> Json {
        Arc::unwrap_or_clone(self.0)
    }

    fn get(&self, index: usize) -> &Json {
        let items = self.0.get("items");
        items
            .and_then(|items| items.get(index))
            .unwrap_or(&Json::Null)
    }
}

impl Given {
    fn new(json: impl Into<Arc<Json>>) -> Arc<Self> {
        Self::from(Source::Whole(json.into()))
    }

    fn from(json: Source) -> Arc<Self> {
        Arc::new(Self {
            json,
            computed: OnceLock::new(),
        })
    }

    fn json(&self) -> &Json {
        match &self.json {
            Source::Whole(json) => json,
            Source::Item(items, index) => items.get(*index),
        }
    }

    fn computed(&self) -> Value {
        let computed = self
            .computed
            .get_or_init(|| Value::from(Serde(self.json())));
        computed.clone()
    }
}

/// The item of a loop's round, and its index from 0.
#[derive(Clone, Debug)]
struct Round {
    item: Arc<Given>,
    index: usize,
}

impl Round {
    /// Returns what `steps.<slug>` is within the loop.
    fn computed(&self) -> Value {
        let index = Value::from(self.index);
        Value::from(BTreeMap::from([
            ("item", self.item.computed()),
            ("index", index),
        ]))
    }
}

/// Outputs by slug. What a round of a loop adds lies above what there was before the loop, which
/// is shared by all rounds, however much it is.
#[derive(Clone, Debug, Default)]
struct Steps {
    own: BTreeMap<String, Output>,
    before: Option<Arc<Steps>>,
}

/// What is seen of a step.
#[derive(Clone, Debug)]
enum Output {
    Given(Arc<Given>),
    /// Of a loop, from within.
    Round(Round),
}

impl Steps {
    /// The layers, from what was added last.
    fn layers(&self) -> impl Iterator<Item = &Steps> {
        std::iter::successors(Some(self), |steps| steps.before.as_deref())
    }

    fn output(&self, slug: &str) -> Option<&Output> {
        self.layers().find_map(|steps| steps.own.get(slug))
    }
}

impl Object for Steps {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        Some(match self.output(key.as_str()?)? {
            Output::Given(given) => given.computed(),
            Output::Round(round) => round.computed(),
        })
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
            "trigger" => Some(scope.trigger.computed()),
            "run" => Some(scope.run.computed()),
            "steps" => Some(Value::from_dyn_object(scope.steps.clone())),
            "item" => scope.round.as_ref().map(|round| round.item.computed()),
            "index" => scope.round.as_ref().map(|round| Value::from(round.index)),
            _ => None,
        }
    }
}

impl Scope {
    /// Returns a scope with what the trigger gave and what is known of the run.
    pub fn new(trigger: impl Into<Arc<Json>>, run: impl Into<Arc<Json>>) -> Self {
        Self {
            trigger: Given::new(trigger),
            run: Given::new(run),
            steps: Arc::default(),
            round: None,
        }
    }

    /// Adds (or replaces) the output of a step.
    pub fn set_step(&mut self, slug: &str, output: impl Into<Arc<Json>>) {
        let output = Output::Given(Given::new(output));
        let steps = Arc::make_mut(&mut self.steps);
        steps.own.insert(slug.to_owned(), output);
    }

    /// Returns a scope for one round of the loop with that slug: `item`, `index` (from 0) and
    /// `steps.<slug>.item` and `.index` are set.
    #[must_use]
    pub fn round(&self, slug: &str, item: impl Into<Arc<Json>>, index: usize) -> Self {
        self.round_with(slug, Given::new(item), index)
    }

    /// Returns a scope as [`Scope::round`] does: its item is the one of that index.
    #[must_use]
    pub fn round_of(&self, slug: &str, items: &Items, index: usize) -> Self {
        let item = Given::from(Source::Item(items.clone(), index));
        self.round_with(slug, item, index)
    }

    fn round_with(&self, slug: &str, item: Arc<Given>, index: usize) -> Self {
        let round = Round { item, index };
        let steps = Steps {
            own: BTreeMap::from([(slug.to_owned(), Output::Round(round.clone()))]),
            before: Some(self.steps.clone()),
        };
        Self {
            steps: Arc::new(steps),
            ..self.in_this(round)
        }
    }

    /// Returns a scope in which `item` and `index` (from 0) are set, whatever the loop is called.
    #[must_use]
    pub fn in_round(&self, item: impl Into<Arc<Json>>, index: usize) -> Self {
        self.in_this(Round {
            item: Given::new(item),
            index,
        })
    }

    fn in_this(&self, round: Round) -> Self {
        Self {
            round: Some(round),
            ..self.clone()
        }
    }

    /// Returns where a path leads, names with dots between them, in the JSON that was given: the
    /// same value as computing it gives. `None` when it leads nowhere, or to more than JSON:
    /// computing says what.
    pub(super) fn find(&self, path: &str) -> Option<Cow<'_, Json>> {
        let mut names = path.split('.');
        match names.next()? {
            "trigger" => within(self.trigger.json(), names),
            "run" => within(self.run.json(), names),
            "steps" => match self.steps.output(names.next()?)? {
                Output::Given(given) => within(given.json(), names),
                Output::Round(round) => round.find(names.next()?, names),
            },
            part => self.round.as_ref()?.find(part, names),
        }
    }

    pub(super) fn root(&self) -> Value {
        Value::from_object(Root(self.clone()))
    }
}

impl Round {
    fn find<'a>(
        &self,
        part: &str,
        mut names: impl Iterator<Item = &'a str>,
    ) -> Option<Cow<'_, Json>> {
        match part {
            "item" => within(self.item.json(), names),
            "index" if names.next().is_none() => Some(Cow::Owned(self.index.into())),
            _ => None,
        }
    }
}

fn within<'j, 'n>(json: &'j Json, names: impl Iterator<Item = &'n str>) -> Option<Cow<'j, Json>> {
    let mut names = names;
    let found = names.try_fold(json, |json, name| json.as_object()?.get(name));
    found.map(Cow::Borrowed)
}
