//! The values of a field before and after, drawn by what they are: texts word by word, maps entry
//! by entry, JSON part by part, choices by their labels.

use domain::change::{self, JsonChange, Segment};
use leptos::prelude::*;
use serde_json::{Map, Value};

use super::field_look::{FieldLook, Shape, plain};
use super::text::{self, Mark, Side};
use crate::design::icon::Icon;
use crate::{call, connection::known};

/// Unchanged entries of a map that are shown beside changed ones.
const FEW: usize = 3;

/// Draws the values of a field: in one cell, or in two beside each other.
pub(crate) fn draw(look: &FieldLook, in_sides: bool, marks: &[Mark]) -> AnyView {
    if !in_sides {
        return cell(look, Side::Both, marks);
    }
    let side = |side: Side, name: &'static str, value: &Option<Value>| {
        let content = match value {
            Some(_) => cell(look, side, marks),
            None => view! { <span class="quiet-text">"Not set"</span> }.into_any(),
        };
        view! {
            <div class="side" data-side=name>
                {content}
            </div>
        }
    };
    view! {
        <div class="sides">
            {side(Side::Before, "before", &look.before)} {side(Side::After, "after", &look.after)}
        </div>
    }
    .into_any()
}

fn cell(look: &FieldLook, side: Side, marks: &[Mark]) -> AnyView {
    let (before, after) = (look.before.as_ref(), look.after.as_ref());
    match (&look.shape, before, after) {
        (Shape::Choice(options), ..) => {
            let label = |value: &Value| label(options, value);
            swap(before.map(label), after.map(label), side)
        }
        (Shape::Connection, ..) => connection(before, after, side),
        (Shape::Integration, ..) => integration(before, after, side),
        (Shape::Lane, ..) => swap(before.map(lane), after.map(lane), side),
        (Shape::Map, _, _) if are(Value::is_object, before, after) => map(
            before.and_then(Value::as_object),
            after.and_then(Value::as_object),
            side,
        ),
        (_, Some(before), Some(after)) if is_tree(before) && is_tree(after) && before != after => {
            parts(&change::json(before, after), side)
        }
        (Shape::Prose | Shape::Code, ..) if are(is_short, before, after) => {
            let text = |value: &Value| plain(value);
            swap(before.map(text), after.map(text), side)
        }
        (shape, ..) => {
            let is_text = are(Value::is_string, before, after);
            let (before, after) = (before.map(plain), after.map(plain));
            let content = whole(before.as_deref(), after.as_deref(), side, marks);
            view! {
                <div
                    class="text"
                    class:code=*shape != Shape::Prose
                    class:is-whole=before.is_none() || after.is_none()
                    data-text=is_text.then_some("")
                >
                    {content}
                </div>
            }
            .into_any()
        }
    }
}

/// Returns whether those values that are there are of a kind.
fn are(is: impl Fn(&Value) -> bool, before: Option<&Value>, after: Option<&Value>) -> bool {
    before.is_none_or(&is) && after.is_none_or(&is)
}

fn is_tree(value: &Value) -> bool {
    value.is_object() || value.is_array()
}

fn is_short(value: &Value) -> bool {
    value.is_number() || value.is_boolean()
}

fn label(options: &[(String, String)], value: &Value) -> String {
    let text = plain(value);
    let option = options.iter().find(|(option, _)| *option == text);
    option.map_or(text, |(_, label)| label.clone())
}

/// Draws connections by their names, as soon as they are known.
fn connection(before: Option<&Value>, after: Option<&Value>, side: Side) -> AnyView {
    let known = known::known();
    let (before, after) = (before.cloned(), after.cloned());
    let name = move |value: &Value| known.with(|all| crate::known::name(all.as_deref(), value));
    (move || swap(before.as_ref().map(name), after.as_ref().map(name), side)).into_any()
}

/// Draws integrations by their names, as soon as they are known.
fn integration(before: Option<&Value>, after: Option<&Value>, side: Side) -> AnyView {
    let known = call::known::known();
    let (before, after) = (before.cloned(), after.cloned());
    let name = move |value: &Value| known.with(|all| crate::known::name(all.as_deref(), value));
    (move || swap(before.as_ref().map(name), after.as_ref().map(name), side)).into_any()
}

fn lane(value: &Value) -> String {
    let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
    match text("when") {
        "" => text("name").to_owned(),
        when => format!("{}, when {when}", text("name")),
    }
}

/// Draws a value that was replaced as a whole.
fn swap(before: Option<String>, after: Option<String>, side: Side) -> AnyView {
    if before == after {
        return view! { <span class="value">{after}</span> }.into_any();
    }
    let before = before.filter(|_| side != Side::After);
    let after = after.filter(|_| side != Side::Before);
    let is_both = before.is_some() && after.is_some();
    view! {
        <span class="swap" class:is-whole=!is_both>
            {before.map(|before| view! { <del class="value">{before}</del> })}
            {is_both.then(|| view! { <Icon name="arrow-right" /> })}
            {after.map(|after| view! { <ins class="value">{after}</ins> })}
        </span>
    }
    .into_any()
}

/// Draws a text with its changes; an empty one says so.
fn whole(before: Option<&str>, after: Option<&str>, side: Side, marks: &[Mark]) -> AnyView {
    let shown = match side {
        Side::Before => before,
        Side::After => after,
        Side::Both => after.filter(|text| !text.is_empty()).or(before),
    };
    if shown.is_none_or(str::is_empty) {
        return view! { <span class="quiet-text">"Empty"</span> }.into_any();
    }
    text::change(before, after, side, marks)
}

type Entries = Map<String, Value>;

fn map(before: Option<&Entries>, after: Option<&Entries>, side: Side) -> AnyView {
    let none = Entries::new();
    let (old, new) = (before.unwrap_or(&none), after.unwrap_or(&none));
    let gone = old.keys().filter(|key| !new.contains_key(*key));
    let names: Vec<&String> = new.keys().chain(gone).collect();
    let is_same = |name: &&&String| old.get(**name) == new.get(**name);
    let same = names.iter().filter(is_same).count();
    let hidden = if same > FEW && same < names.len() {
        same
    } else {
        0
    };
    let is_open = RwSignal::new(false);
    let row = |name: &String| {
        let (before, after) = (old.get(name).map(plain), new.get(name).map(plain));
        let content = match (side, &before, &after) {
            (Side::Before, None, _) | (Side::After, _, None) => return None,
            _ => whole(before.as_deref(), after.as_deref(), side, &[]),
        };
        let state = match (before.is_some(), after.is_some()) {
            (false, true) => "added",
            (true, false) => "deleted",
            _ => "",
        };
        let row = view! {
            <dt data-state=state>{name.clone()}</dt>
            <dd class="text code" class:is-whole=!state.is_empty()>
                {content}
            </dd>
        };
        Some(row.into_any())
    };
    let changed = names.iter().filter(|name| hidden == 0 || !is_same(name));
    let changed = changed.filter_map(|name| row(name)).collect::<Vec<_>>();
    let rest = (hidden > 0).then(|| {
        let rest: Vec<(String, String)> = names
            .iter()
            .filter(is_same)
            .map(|name| {
                (
                    (**name).clone(),
                    new.get(*name).map(plain).unwrap_or_default(),
                )
            })
            .collect();
        view! { {move || unchanged_entries(&rest, is_open)} }
    });
    if names.is_empty() {
        return view! { <span class="quiet-text">"Empty"</span> }.into_any();
    }
    view! { <dl class="entries">{changed} {rest}</dl> }.into_any()
}

fn unchanged_entries(rest: &[(String, String)], is_open: RwSignal<bool>) -> AnyView {
    if !is_open.get() {
        let words = format!("{} more entries", rest.len());
        return view! {
            <dt>
                <button type="button" class="text-fold" on:click=move |_| is_open.set(true)>
                    {words}
                </button>
            </dt>
            <dd></dd>
        }
        .into_any();
    }
    let row = |(name, value): &(String, String)| {
        view! {
            <dt>{name.clone()}</dt>
            <dd class="text code">{value.clone()}</dd>
        }
    };
    rest.iter().map(row).collect::<Vec<_>>().into_any()
}

/// Draws which parts of a JSON value changed, each with its path.
fn parts(changes: &[JsonChange], side: Side) -> AnyView {
    let row = |change: &JsonChange| {
        let (before, after) = (change.before.as_ref(), change.after.as_ref());
        if (side == Side::Before && before.is_none()) || (side == Side::After && after.is_none()) {
            return None;
        }
        let state = match (before.is_some(), after.is_some()) {
            (false, true) => "added",
            (true, false) => "deleted",
            _ => "",
        };
        let (before, after) = (before.map(plain), after.map(plain));
        let content = whole(before.as_deref(), after.as_deref(), side, &[]);
        let row = view! {
            <dt data-state=state>{path(&change.path)}</dt>
            <dd class="text code" class:is-whole=!state.is_empty()>
                {content}
            </dd>
        };
        Some(row.into_any())
    };
    let rows = changes.iter().filter_map(row).collect::<Vec<_>>();
    view! { <dl class="entries">{rows}</dl> }.into_any()
}

fn path(segments: &[Segment]) -> String {
    let mut path = String::new();
    for segment in segments {
        match segment {
            Segment::Key(key) if path.is_empty() => path.push_str(key),
            Segment::Key(key) => {
                path.push('.');
                path.push_str(key);
            }
            Segment::Index(index) => path.push_str(&format!("[{index}]")),
        }
    }
    if path.is_empty() {
        "Value".to_owned()
    } else {
        path
    }
}
