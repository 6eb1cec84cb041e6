//! JSON as a tree that opens and closes, with a copy button.

use std::collections::BTreeSet;

use leptos::prelude::*;
use serde_json::Value;

use super::copy::copy;
use super::icon::Icon;

/// Entries of one object or list that are drawn before one asks for more.
const PAGE: usize = 100;
/// Characters of a text that are drawn before one asks for more.
const TEXT: usize = 600;
/// Small values are open from the start down to this depth.
const OPEN_DEPTH: usize = 2;

type Toggled = RwSignal<BTreeSet<String>>;

/// Shows a JSON value.
#[component]
pub fn JsonView(
    /// The value.
    #[prop(into)]
    value: Signal<Value>,
    /// What it is, for the copy button's label, such as `output`.
    #[prop(optional, into)]
    name: String,
) -> impl IntoView {
    let toggled: Toggled = RwSignal::new(BTreeSet::new());
    let label = if name.is_empty() {
        "Copy as JSON".to_owned()
    } else {
        format!("Copy {name} as JSON")
    };
    let copy_all = move |_| {
        copy(&value.with_untracked(|value| {
            serde_json::to_string_pretty(value).expect("a JSON value can be written")
        }));
    };
    view! {
        <div class="json">
            <button
                type="button"
                class="button quiet icon-only json-copy"
                aria-label=label.clone()
                title=label
                on:click=copy_all
            >
                <Icon name="copy" />
            </button>
            <div class="json-tree">
                {move || value.with(|value| node(None, value, String::new(), 0, toggled))}
            </div>
        </div>
    }
}

fn node(key: Option<&str>, value: &Value, path: String, depth: usize, toggled: Toggled) -> AnyView {
    let label = key.map(|key| view! { <span class="json-key">{key.to_owned()}</span>": " });
    let entries: Vec<(String, Value)> = match value {
        Value::Object(map) => map.iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(index, item)| (index.to_string(), item.clone()))
            .collect(),
        _ => return view! { <div class="json-line">{label} {leaf(value)}</div> }.into_any(),
    };
    let (left, right) = if value.is_array() {
        ("[", "]")
    } else {
        ("{", "}")
    };
    if entries.is_empty() {
        let empty = format!("{left}{right}");
        return view! { <div class="json-line">{label} <span class="json-mark">{empty}</span></div> }
            .into_any();
    }
    let opens_itself = depth < OPEN_DEPTH && entries.len() <= 30;
    let count = match (value.is_array(), entries.len()) {
        (true, 1) => "1 item".to_owned(),
        (true, count) => format!("{count} items"),
        (false, 1) => "1 field".to_owned(),
        (false, count) => format!("{count} fields"),
    };
    let place = path.clone();
    let is_open = Memo::new(move |_| toggled.with(|t| t.contains(&place)) != opens_itself);
    let toggle = {
        let path = path.clone();
        move |_| {
            toggled.update(|toggled| {
                if !toggled.remove(&path) {
                    toggled.insert(path.clone());
                }
            });
        }
    };
    view! {
        <div class="json-node">
            <button
                type="button"
                class="json-toggle"
                aria-expanded=move || is_open.get().to_string()
                on:click=toggle
            >
                <Icon name="chevron-right" />
                {label}
                <span class="json-mark">{left}</span>
                <span class="json-count">{count}</span>
                <span class="json-mark">{right}</span>
            </button>
            {move || is_open.get().then(|| children(&entries, &path, depth, toggled))}
        </div>
    }
    .into_any()
}

fn children(entries: &[(String, Value)], path: &str, depth: usize, toggled: Toggled) -> AnyView {
    let entries = entries.to_vec();
    let path = path.to_owned();
    let total = entries.len();
    let shown = RwSignal::new(PAGE);
    let lines = move || {
        let visible = entries.iter().take(shown.get());
        visible
            .map(|(key, value)| {
                node(
                    Some(key),
                    value,
                    format!("{path}/{key}"),
                    depth + 1,
                    toggled,
                )
            })
            .collect::<Vec<_>>()
    };
    view! {
        <div class="json-children">
            {lines}
            {move || {
                (shown.get() < total)
                    .then(|| {
                        view! {
                            <button
                                type="button"
                                class="button quiet small"
                                on:click=move |_| shown.update(|shown| *shown += PAGE)
                            >
                                {format!("Show more ({} left)", total - shown.get())}
                            </button>
                        }
                    })
            }}
        </div>
    }
    .into_any()
}

fn leaf(value: &Value) -> AnyView {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        _ => "text",
    };
    let Value::String(text) = value else {
        return view! { <span class="json-leaf" data-kind=kind>{value.to_string()}</span> }
            .into_any();
    };
    let whole = quoted(text);
    let is_long = text.chars().nth(TEXT).is_some();
    if !is_long {
        return view! { <span class="json-leaf" data-kind=kind>{whole}</span> }.into_any();
    }
    let start = quoted(&text.chars().take(TEXT).collect::<String>());
    let all = RwSignal::new(false);
    let shown = move || {
        if all.get() {
            whole.clone()
        } else {
            format!("{start}…")
        }
    };
    view! {
        <span class="json-leaf" data-kind=kind>{shown}</span>
        <button
            type="button"
            class="button quiet small"
            on:click=move |_| all.update(|all| *all = !*all)
        >
            {move || if all.get() { "Show less" } else { "Show all" }}
        </button>
    }
    .into_any()
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
