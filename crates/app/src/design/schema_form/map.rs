//! Names with values, one row each.

use domain::schema::Field;
use domain::validate::Problem;
use leptos::prelude::*;
use serde_json::{Map, Value};

use super::sentence;
use super::text::{self, Control, Shape};
use crate::design::icon::Icon;
use crate::design::{focus_soon, unique};
use crate::field::Expressions;

#[derive(Clone, Copy, PartialEq, Eq)]
struct Row {
    name: RwSignal<String>,
    value: RwSignal<Value>,
}

#[derive(Clone, Copy)]
struct Rows {
    all: RwSignal<Vec<(u32, Row)>>,
    next: StoredValue<u32>,
    told: StoredValue<Option<Option<Value>>>,
    emit: Callback<Option<Value>>,
}

impl Rows {
    fn add(self, name: &str, value: Value) -> u32 {
        let key = self.next.get_value();
        self.next.set_value(key + 1);
        let row = Row {
            name: RwSignal::new(name.to_owned()),
            value: RwSignal::new(value),
        };
        self.all.update(|rows| rows.push((key, row)));
        key
    }

    /// Tells the owner what the rows mean: rows without name and value do not count yet, and of
    /// two rows with one name the first does.
    fn tell(self) {
        let mut map = Map::new();
        self.all.with_untracked(|rows| {
            for (_, row) in rows {
                let (name, value) = (row.name.get_untracked(), row.value.get_untracked());
                let is_blank = name.is_empty() && value.as_str() == Some("");
                if !is_blank && !map.contains_key(&name) {
                    map.insert(name, value);
                }
            }
        });
        let value = (!map.is_empty()).then_some(Value::Object(map));
        self.told.set_value(Some(value.clone()));
        self.emit.run(value);
    }

    /// Makes the rows what the owner says, keeping the inputs of rows that stay.
    fn follow(self, newest: Option<Value>) {
        if self.told.with_value(|told| told.as_ref() == Some(&newest)) {
            return;
        }
        let entries = match &newest {
            Some(Value::Object(map)) => map.clone(),
            _ => Map::new(),
        };
        self.told.set_value(Some(newest));
        self.all.update(|rows| rows.truncate(entries.len()));
        for (index, (name, value)) in entries.into_iter().enumerate() {
            let row = self
                .all
                .with_untracked(|rows| rows.get(index).map(|(_, row)| *row));
            match row {
                Some(row) => {
                    row.name.set(name);
                    row.value.set(value);
                }
                None => {
                    self.add(&name, value);
                }
            }
        }
    }
}

/// Draws the rows, and a button that adds one.
pub(super) fn control(
    given: Control,
    field: &'static Field,
    problems: Memo<Vec<Problem>>,
) -> AnyView {
    let rows = Rows {
        all: RwSignal::new(Vec::new()),
        next: StoredValue::new(0),
        told: StoredValue::new(None),
        emit: given.emit,
    };
    let value = given.value;
    // Rows are made under this owner, not under the effect, which forgets its children when it runs.
    let owner = Owner::current().expect("a form is drawn in a screen");
    Effect::new(move || {
        let newest = value.get();
        owner.with(|| rows.follow(newest));
    });
    let expressions = given.expressions;
    let prefix = given.id.clone();
    let first = format!("{}-name-", given.id);
    let here = Owner::current().expect("a form is drawn in a screen");
    let add = move |_| {
        let key = here.with(|| rows.add("", Value::from("")));
        focus_soon(format!("{first}{key}"));
    };
    view! {
        <div class="map-rows" id=given.id.clone()>
            <For each=move || rows.all.get() key=|(key, _)| *key let:entry>
                {row(rows, entry, (&prefix, expressions), field, problems)}
            </For>
        </div>
        <button type="button" class="button quiet small" on:click=add>
            <Icon name="plus" />
            {format!("Add to {}", field.title.to_lowercase())}
        </button>
    }
    .into_any()
}

fn row(
    rows: Rows,
    (key, row): (u32, Row),
    (prefix, expressions): (&str, Option<Expressions>),
    field: &'static Field,
    problems: Memo<Vec<Problem>>,
) -> AnyView {
    let number = move || {
        let all = rows.all.get();
        all.iter()
            .position(|(other, _)| *other == key)
            .map_or(0, |index| index + 1)
    };
    let is_double = Memo::new(move |_| {
        let name = row.name.get();
        let all = rows.all.get();
        let mut before = all.iter().take_while(|(other, _)| *other != key);
        !name.is_empty() && before.any(|(_, other)| other.name.get() == name)
    });
    let message = Memo::new(move |_| {
        if is_double.get() {
            return Some("This name is used above. Give it another one.".to_owned());
        }
        let name = row.name.get();
        problems.with(|all| {
            let mut here = all
                .iter()
                .filter(|problem| problem.at.entry.as_deref() == Some(&*name));
            here.next().map(sentence)
        })
    });
    let remove = move |_| {
        rows.all
            .update(|all| all.retain(|(other, _)| *other != key));
        rows.tell();
    };
    let id = unique("row");
    let title = &field.title;
    let position = number();
    let name = Control {
        id: format!("{prefix}-name-{key}"),
        value: Signal::derive(move || Some(Value::from(row.name.get()))),
        emit: Callback::new(move |name: Option<Value>| {
            row.name
                .set(name.as_ref().map(text::show).unwrap_or_default());
            rows.tell();
        }),
        is_invalid: Signal::derive(move || message.get().is_some()),
        placeholder: "Name".to_owned(),
        label: Some(format!("{title}, name {position}")),
        title: format!("{title}, name {position}"),
        expressions: None,
    };
    let value = Control {
        id: format!("{prefix}-value-{key}"),
        value: Signal::derive(move || Some(row.value.get())),
        emit: Callback::new(move |typed: Option<Value>| {
            let text = typed.as_ref().map(text::show).unwrap_or_default();
            let new = row.value.with_untracked(|before| retyped(before, text));
            row.value.set(new);
            rows.tell();
        }),
        is_invalid: Signal::derive(move || message.get().is_some()),
        placeholder: "Value".to_owned(),
        label: Some(format!("{title}, value {position}")),
        title: format!("{title}, value {position}"),
        expressions,
    };
    view! {
        <div class="map-row">
            {text::control(name, Shape::Line, text::show, read_all)}
            {text::control(value, Shape::Line, text::show, read_all)}
            <button
                type="button"
                class="button quiet icon-only"
                aria-label=move || format!("Remove entry {} of {}", number(), field.title)
                on:click=remove
            >
                <Icon name="trash" />
            </button>
            <p class="field-problem" id=id>
                {move || message.get()}
            </p>
        </div>
    }
    .into_any()
}

/// A name or value may be empty.
#[expect(clippy::unnecessary_wraps, reason = "the signature of all readers")]
pub(super) fn read_all(text: &str) -> Option<Value> {
    Some(Value::from(text))
}

/// Returns the typed text; a number, list or object stays one as long as the text is one.
fn retyped(before: &Value, text: String) -> Value {
    if before.is_string() {
        return Value::String(text);
    }
    match serde_json::from_str(&text) {
        Ok(Value::String(_)) | Err(_) => Value::String(text),
        Ok(value) => value,
    }
}
