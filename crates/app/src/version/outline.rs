//! A document to read: the trigger, then the steps with what they are told, lane by lane.

use domain::catalog::{self, Container};
use domain::document::{Document, Lane, OnError, Step};
use domain::schema::{Field, FieldKind, Schema};
use domain::{StepId, limit};
use leptos::prelude::*;
use serde_json::{Map, Value};

use crate::design::icon::Icon;
use crate::{call, connection::known};

/// Characters of a value that are shown.
const SHOWN: usize = 400;

/// Draws a document that cannot be changed here.
pub fn outline(document: &Document) -> AnyView {
    let trigger = catalog::trigger(&document.trigger.kind);
    let (icon, title) = trigger.map_or(("zap", document.trigger.kind.as_str()), |trigger| {
        (trigger.icon.as_str(), trigger.title.as_str())
    });
    let config = trigger.map(|trigger| config(&trigger.input, &document.trigger.config));
    view! {
        <div class="version-outline">
            <div class="outline-step">
                <span class="tile">
                    <Icon name=icon />
                </span>
                <div class="grow">
                    <strong>{title.to_owned()}</strong>
                    <span class="quiet-text">" trigger"</span>
                    {config}
                </div>
            </div>
            {steps(document, &document.flow, 0)}
        </div>
    }
    .into_any()
}

fn steps(document: &Document, ids: &[StepId], depth: usize) -> AnyView {
    // A document is a tree, but what is read is not trusted to be one.
    if depth > limit::DEPTH {
        return ().into_any();
    }
    let steps = ids.iter().filter_map(|id| document.steps.get(id));
    let steps = steps.map(|step| step_view(document, step, depth));
    view! { <ol class="outline-steps">{steps.collect::<Vec<_>>()}</ol> }.into_any()
}

fn step_view(document: &Document, step: &Step, depth: usize) -> AnyView {
    let action = step.action();
    let (icon, title) = action.map_or(("circle-dot", step.kind.as_str()), |action| {
        (action.icon.as_str(), action.title.as_str())
    });
    let container = action.and_then(|action| action.container);
    let lanes = step
        .lanes
        .iter()
        .map(|lane| lane_view(document, lane, container, depth));
    let lanes = lanes.collect::<Vec<_>>();
    view! {
        <li>
            <div class="outline-step">
                <span class="tile">
                    <Icon name=icon />
                </span>
                <div class="grow">
                    <strong>{step.name.clone()}</strong>
                    <span class="quiet-text">{format!(" {title}")}</span>
                    {action.map(|action| config(&action.input, &step.config))}
                    {on_error(step)}
                    {(!step.notes.is_empty())
                        .then(|| view! { <p class="outline-notes">{step.notes.clone()}</p> })}
                </div>
            </div>
            {(!lanes.is_empty()).then(|| view! { <div class="outline-lanes">{lanes}</div> })}
        </li>
    }
    .into_any()
}

fn lane_view(
    document: &Document,
    lane: &Lane,
    container: Option<Container>,
    depth: usize,
) -> AnyView {
    let head = (container != Some(Container::Loop)).then(|| {
        let when = match &lane.when {
            Some(when) => view! { <span>"when "<code>{when.clone()}</code></span> }.into_any(),
            None if container == Some(Container::Branch) => {
                view! { <span class="quiet-text">"otherwise"</span> }.into_any()
            }
            None => ().into_any(),
        };
        view! {
            <p class="outline-lane-head">
                <strong>{lane.name.clone()}</strong>
                " "
                {when}
            </p>
        }
    });
    let nothing = lane
        .steps
        .is_empty()
        .then(|| view! { <p class="quiet-text">"No steps"</p> });
    view! {
        <div class="outline-lane">
            {head} {nothing} {steps(document, &lane.steps, depth + 1)}
        </div>
    }
    .into_any()
}

fn on_error(step: &Step) -> Option<AnyView> {
    let policy = step.on_error;
    let then = match policy.then {
        OnError::Stop => "the run fails",
        OnError::Continue => "the run goes on",
    };
    let text = match policy.retries {
        0 if policy.then == OnError::Stop => return None,
        0 => format!("On failure {then}."),
        1 => format!("Retried once, then {then}."),
        times => format!("Retried {times} times, then {then}."),
    };
    Some(view! { <p class="quiet-text">{text}</p> }.into_any())
}

fn named(field: &Field, name: impl Fn() -> String + Send + 'static) -> AnyView {
    view! {
        <dt>{field.title.clone()}</dt>
        <dd>{name}</dd>
    }
    .into_any()
}

fn config(schema: &Schema, config: &Map<String, Value>) -> AnyView {
    let rows = schema.fields.iter().filter(|field| field.applies(config));
    let rows = rows.filter_map(|field| {
        let value = config.get(&field.name)?;
        let shown = match (&field.kind, value) {
            (FieldKind::Choice(options), Value::String(text)) => {
                let option = options.iter().find(|(option, _)| option == text);
                option.map_or_else(|| text.clone(), |(_, label)| label.clone())
            }
            (FieldKind::Map { .. }, Value::Object(map)) => {
                let lines = map
                    .iter()
                    .map(|(name, value)| format!("{name}: {}", plain(value)));
                lines.collect::<Vec<_>>().join("\n")
            }
            (FieldKind::Connection, _) => {
                let known = known::known();
                let value = value.clone();
                let name = move || known.with(|all| crate::known::name(all.as_deref(), &value));
                return Some(named(field, name));
            }
            (FieldKind::Integration, _) => {
                let known = call::known::known();
                let value = value.clone();
                let name = move || known.with(|all| crate::known::name(all.as_deref(), &value));
                return Some(named(field, name));
            }
            (_, Value::String(text)) => text.clone(),
            (_, other) => serde_json::to_string_pretty(other).ok()?,
        };
        let is_default = field.default.as_ref() == Some(value) && !field.required;
        (!shown.is_empty() && !is_default).then(|| {
            view! {
                <dt>{field.title.clone()}</dt>
                <dd>
                    <code>{shorten(&shown)}</code>
                </dd>
            }
            .into_any()
        })
    });
    let rows = rows.collect::<Vec<_>>();
    (!rows.is_empty())
        .then(|| view! { <dl class="facts outline-config">{rows}</dl> })
        .into_any()
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
