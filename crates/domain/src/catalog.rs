//! What a step can do and what can start an integration: declarations, as data.
//!
//! A form, its validation, completion, labels of changes and documentation all come from the
//! JSON files in `catalog/`. An entry is that file plus one function in `engine`.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::connector::{self, Operation};
use crate::schema::Schema;

/// The kind of step that sends an e-mail.
pub const EMAIL: &str = "email.send";
/// The kind of step that runs its lanes beside each other.
pub const PARALLEL: &str = "parallel";
/// The kind of step that asks a PostgreSQL database.
pub const QUERY: &str = "postgres.query";

/// What a step does to the world outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Nothing: computed again when a run is resumed.
    Pure,
    /// It reads: recorded, and safe to repeat.
    Read,
    /// It may change something outside: recorded, and never repeated once its result is recorded.
    Write,
}

/// How a container step uses its lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Container {
    /// Lanes with conditions, and an else lane at the end.
    Branch,
    /// One lane, run once per item.
    Loop,
    /// Two lanes: what is tried, and what runs when a step of it fails.
    Try,
    /// Lanes without conditions, which all run beside each other.
    Parallel,
}

/// One action of the catalog.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// What [`crate::document::Step::kind`] says, such as `http.request`.
    pub key: String,
    /// Name on screen.
    pub title: String,
    /// One sentence: what it does.
    pub description: String,
    /// Name of its icon.
    pub icon: String,
    /// Heading under which the step picker shows it.
    pub group: String,
    /// Further words under which a search finds it.
    pub keywords: Vec<String>,
    effect: Effect,
    /// Set when the step holds lanes.
    #[serde(default)]
    pub container: Option<Container>,
    /// What it can be told.
    pub input: Schema,
    /// What it gives to later steps.
    pub output: Schema,
}

/// One trigger of the catalog.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TriggerKind {
    /// What [`crate::document::Trigger::kind`] says, such as `webhook`.
    pub key: String,
    /// Name on screen.
    pub title: String,
    /// One sentence: when it starts.
    pub description: String,
    /// Name of its icon.
    pub icon: String,
    /// Heading under which it is shown.
    pub group: String,
    /// Further words under which a search finds it.
    pub keywords: Vec<String>,
    /// What it can be told.
    pub input: Schema,
    /// What it gives to the steps, as `trigger`.
    pub output: Schema,
}

fn read<T: for<'de> Deserialize<'de>>(files: &[&str]) -> Vec<T> {
    let entry = |file: &&str| serde_json::from_str(file).expect("catalog files are tested");
    files.iter().map(entry).collect()
}

static ACTIONS: LazyLock<Vec<Action>> = LazyLock::new(|| {
    read(&[
        include_str!("../catalog/http.request.json"),
        include_str!("../catalog/email.send.json"),
        include_str!("../catalog/postgres.query.json"),
        include_str!("../catalog/respond.json"),
        include_str!("../catalog/integration.call.json"),
        include_str!("../catalog/set.json"),
        include_str!("../catalog/log.json"),
        include_str!("../catalog/code.javascript.json"),
        include_str!("../catalog/csv.read.json"),
        include_str!("../catalog/csv.write.json"),
        include_str!("../catalog/json.read.json"),
        include_str!("../catalog/json.write.json"),
        include_str!("../catalog/xml.read.json"),
        include_str!("../catalog/xml.write.json"),
        include_str!("../catalog/filter.json"),
        include_str!("../catalog/branch.json"),
        include_str!("../catalog/loop.json"),
        include_str!("../catalog/parallel.json"),
        include_str!("../catalog/try.json"),
        include_str!("../catalog/delay.json"),
        include_str!("../catalog/stop.json"),
    ])
});

static TRIGGERS: LazyLock<Vec<TriggerKind>> = LazyLock::new(|| {
    read(&[
        include_str!("../catalog/trigger.webhook.json"),
        include_str!("../catalog/trigger.schedule.json"),
        include_str!("../catalog/trigger.poll.json"),
        include_str!("../catalog/trigger.manual.json"),
        include_str!("../catalog/trigger.call.json"),
    ])
});

/// Returns all actions, in the order in which the step picker shows them.
pub fn actions() -> &'static [Action] {
    &ACTIONS
}

/// Returns all triggers, in the order in which they are offered.
pub fn triggers() -> &'static [TriggerKind] {
    &TRIGGERS
}

/// Returns the action with that key.
pub fn action(key: &str) -> Option<&'static Action> {
    ACTIONS.iter().find(|action| action.key == key)
}

/// Returns the trigger with that key.
pub fn trigger(key: &str) -> Option<&'static TriggerKind> {
    TRIGGERS.iter().find(|trigger| trigger.key == key)
}

impl Action {
    /// Returns the entry of an action that a connector declares.
    pub(crate) fn declared(
        key: &str,
        operation: &Operation,
        icon: &str,
        group: &str,
        input: Schema,
        output: Schema,
    ) -> Self {
        Self {
            key: key.to_owned(),
            title: operation.title.clone(),
            description: operation.description.clone(),
            icon: icon.to_owned(),
            group: group.to_owned(),
            keywords: operation.keywords.clone(),
            effect: operation.effect(),
            container: None,
            input,
            output,
        }
    }

    /// Returns what the step does to the world outside, as it is configured: an HTTP request
    /// with a method that HTTP calls safe (RFC 9110, 9.2.1) only reads, and so does a query that
    /// the database is told to keep from writing.
    pub fn effect(&self, config: &Map<String, Value>) -> Effect {
        let text = |field: &str| config.get(field).and_then(Value::as_str);
        let reads = match self.key.as_str() {
            // Its method is the declaration's; a field called so is the service's.
            connector::STEP => false,
            QUERY => matches!(text("access"), None | Some("read")),
            _ => matches!(text("method"), Some("GET" | "HEAD")),
        };
        match self.effect {
            Effect::Write if reads => Effect::Read,
            effect => effect,
        }
    }

    /// Returns how well the action fits what someone typed: lower is better, `None` not at all.
    pub fn rank(&self, typed: &str) -> Option<usize> {
        rank(typed, &self.title, &self.keywords, &self.description)
    }
}

impl TriggerKind {
    /// Returns how well the trigger fits what someone typed: lower is better, `None` not at all.
    pub fn rank(&self, typed: &str) -> Option<usize> {
        rank(typed, &self.title, &self.keywords, &self.description)
    }
}

fn rank(typed: &str, title: &str, keywords: &[String], description: &str) -> Option<usize> {
    let typed = typed.trim().to_lowercase();
    let title = title.to_lowercase();
    if title.starts_with(&typed) {
        Some(0)
    } else if title.contains(&typed) {
        Some(1)
    } else if keywords.iter().any(|keyword| keyword.starts_with(&typed)) {
        Some(2)
    } else if description.to_lowercase().contains(&typed) {
        Some(3)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::document::{ListRef, Place};
    use crate::edit::{self, Edit, new_step};
    use crate::schema::FieldKind;
    use crate::validate::Checked;
    use crate::{Document, LaneId, StepId};

    fn schemas() -> impl Iterator<Item = (&'static str, &'static Schema)> {
        let of_actions = actions()
            .iter()
            .flat_map(|a| [(a.key.as_str(), &a.input), (a.key.as_str(), &a.output)]);
        of_actions.chain(
            triggers()
                .iter()
                .flat_map(|t| [(t.key.as_str(), &t.input), (t.key.as_str(), &t.output)]),
        )
    }

    #[test]
    fn every_entry_is_whole_and_its_key_is_its_own() {
        let mut keys = BTreeSet::new();
        let actions = actions().iter().map(|a| {
            (
                &a.key,
                &a.title,
                &a.description,
                &a.icon,
                &a.group,
                &a.keywords,
            )
        });
        let triggers = triggers().iter().map(|t| {
            (
                &t.key,
                &t.title,
                &t.description,
                &t.icon,
                &t.group,
                &t.keywords,
            )
        });
        for (key, title, description, icon, group, keywords) in actions.chain(triggers) {
            assert!(keys.insert(key), "{key} is there twice");
            assert!(
                ![title, icon, group].iter().any(|text| text.is_empty()),
                "{key}"
            );
            assert!(description.ends_with('.'), "{key}");
            assert!(
                keywords
                    .iter()
                    .all(|keyword| *keyword == keyword.to_lowercase()),
                "{key}"
            );
        }
    }

    #[test]
    fn every_schema_says_only_what_it_means() {
        for (key, schema) in schemas() {
            let required = schema.json()["required"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str);
            for name in required {
                assert!(
                    schema.field(name).is_some(),
                    "{key} requires {name}, which it does not have"
                );
            }
            for field in &schema.fields {
                if let Some((other, values)) = &field.show_when {
                    let Some(FieldKind::Choice(options)) =
                        schema.field(other).map(|field| &field.kind)
                    else {
                        panic!(
                            "{key}: {} depends on {other}, which is no choice",
                            field.name
                        )
                    };
                    assert!(
                        !values.is_empty()
                            && values
                                .iter()
                                .filter(|value| !value.is_empty())
                                .all(|v| options.iter().any(|(option, _)| option == v))
                    );
                }
            }
            let again: Schema =
                serde_json::from_value(Value::from(schema.clone())).expect("it comes back");
            assert_eq!(&again, schema, "{key}");
        }
    }

    /// Returns what is wrong with a step of a kind, with its defaults and some fields set.
    fn problems(action: &Action, fields: Map<String, Value>) -> Vec<String> {
        let mut document = Document::new("webhook");
        let mut lanes = 0;
        let mut step = new_step(
            action,
            StepId::new(Uuid::from_u128(1)),
            &action.title,
            "a".to_owned(),
            || {
                lanes += 1;
                LaneId::new(Uuid::from_u128(lanes))
            },
        );
        step.config.extend(fields);
        for lane in step.lanes.iter_mut().filter(|lane| lane.when.is_some()) {
            lane.when = Some("trigger.body.total > 100".to_owned());
        }
        let insert = Edit::Insert {
            steps: vec![step],
            at: Place {
                list: ListRef::Flow,
                index: 0,
            },
        };
        edit::apply(&mut document, &insert).expect("it fits");
        Checked::of(&document)
            .problems()
            .map(|p| format!("{:?}: {}", p.at.field, p.message))
            .collect()
    }

    #[test]
    fn defaults_and_examples_are_valid_and_together_complete() {
        for action in actions() {
            let mut complete = Map::new();
            for field in &action.input.fields {
                for value in field.example.iter().chain(&field.default) {
                    let mut fields = complete.clone();
                    if let Some((other, values)) = &field.show_when {
                        fields.insert(other.clone(), json!(values[0]));
                    }
                    fields.insert(field.name.clone(), value.clone());
                    let told = problems(action, fields);
                    let wrong = told
                        .iter()
                        .find(|told| told.contains(&format!("{:?}", field.name)));
                    assert_eq!(wrong, None, "{}", action.key);
                }
                if field.required && field.default.is_none() {
                    let example = field
                        .example
                        .clone()
                        .expect("a required field has a default or an example");
                    complete.insert(field.name.clone(), example);
                }
            }
            assert_eq!(problems(action, complete), [""; 0], "{}", action.key);
        }
    }

    #[test]
    fn a_new_trigger_has_no_problems() {
        for trigger in triggers() {
            let document = Document::new(&trigger.key);
            // But for what nobody can know before it is filled in.
            let missing = |field: &&crate::schema::Field| {
                field.required && field.default.is_none() && field.show_when.is_none()
            };
            let missing = trigger.input.fields.iter().filter(missing);
            let missing = missing.map(|field| format!("{} is missing.", field.title));
            let expected: Vec<_> = missing.chain(["There are no steps.".to_owned()]).collect();
            let mut told: Vec<_> = Checked::of(&document)
                .problems()
                .map(|p| p.message.clone())
                .collect();
            told.sort_by_key(|told| !told.ends_with("missing."));
            assert_eq!(told, expected, "{}", trigger.key);
        }
    }

    #[test]
    fn only_safe_methods_of_http_are_repeated() {
        let request = action("http.request").expect("it is in the catalog");
        for (method, effect) in [
            ("GET", Effect::Read),
            ("HEAD", Effect::Read),
            ("POST", Effect::Write),
            ("{{ x }}", Effect::Write),
        ] {
            assert_eq!(
                request.effect(&Map::from_iter([("method".to_owned(), json!(method))])),
                effect,
                "{method}"
            );
        }
        assert_eq!(request.effect(&Map::new()), Effect::Write);
    }

    #[test]
    fn a_query_that_may_not_write_only_reads() {
        let query = action(QUERY).expect("it is in the catalog");
        for (access, effect) in [
            (json!("read"), Effect::Read),
            (json!("write"), Effect::Write),
            (json!("{{ x }}"), Effect::Write),
        ] {
            let config = Map::from_iter([("access".to_owned(), access)]);
            assert_eq!(query.effect(&config), effect, "{config:?}");
        }
        let email = action(EMAIL).expect("it is in the catalog");
        assert_eq!(email.effect(&Map::new()), Effect::Write);
    }

    #[test]
    fn a_search_finds_by_title_before_keyword_before_description() {
        let request = action("http.request").expect("it is in the catalog");
        let ranks =
            ["", "HTTP", "request", "api", "web address", "zzz"].map(|typed| request.rank(typed));
        assert_eq!(ranks, [Some(0), Some(0), Some(1), Some(2), Some(3), None]);
    }
}
