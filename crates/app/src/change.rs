//! What differs between two documents, drawn to read: in one line, as an outline, value by value.
//!
//! The review page draws the same values and cards with places for comments in them.

pub(crate) mod comparison;
pub(crate) mod field_look;
mod look;
mod outline;
mod text;
pub(crate) mod value;

use std::sync::Arc;

use domain::Document;
use domain::change::{Changes, Kind, Note, notes};
use leptos::prelude::*;

use crate::design::icon::Icon;
use crate::design::more::More;

pub(crate) use comparison::Comparison;
pub(crate) use field_look::{FieldLook, Shape, plain};
pub(crate) use look::{badge, look, title};
pub(crate) use text::Mark;

/// Draws the changes in one line, with what they mean for the data.
pub(crate) fn gist(before: &Document, after: &Document) -> AnyView {
    let changes = Changes::between(before, after);
    let line = |note: Note| {
        view! {
            <li>
                <Icon name="alert" />
                <span>{note.to_string()}</span>
            </li>
        }
    };
    let notes = notes(before, after, &changes);
    let lines = notes.into_iter().map(line).collect::<Vec<_>>();
    view! {
        <p class="change-summary">{changes.summary()}</p>
        {(!lines.is_empty()).then(|| view! { <ul class="change-notes">{lines}</ul> })}
    }
    .into_any()
}

/// Draws everything that differs, in the order in which a person reads; what does not is folded.
pub(crate) fn change_view(before: &Document, after: &Document) -> AnyView {
    let shown = Comparison::of(Arc::new(before.clone()), Arc::new(after.clone()));
    outline::view(&shown)
}

/// Draws how a text changed.
pub(crate) fn texts(before: &str, after: &str) -> AnyView {
    let drawn = text::change(Some(before), Some(after), text::Side::Both, &[]);
    view! { <div class="text code">{drawn}</div> }.into_any()
}

/// Draws something that is long only once someone wants to see it.
pub(crate) fn folded(
    words: &'static str,
    draw: impl Fn() -> AnyView + Clone + Send + Sync + 'static,
) -> AnyView {
    view! { <More class="change-rest" summary=move || words>{draw()}</More> }.into_any()
}

/// Draws the line about a lane: its name, its condition, and whether it went or came.
pub(crate) fn lane_line(
    (name, when, is_gone, is_new): (String, Option<String>, bool, bool),
) -> AnyView {
    let badge = match (is_new, is_gone) {
        (true, _) => Some(badge(Kind::New)),
        (_, true) => Some(badge(Kind::Deleted)),
        _ => None,
    };
    view! {
        <p class="lane-line" class:is-gone=is_gone>
            <Icon name="git-branch" />
            <strong>{name}</strong>
            " "
            {when}
            {badge}
        </p>
    }
    .into_any()
}

/// Says how many steps did not change, and how many of them differ without effect.
pub(crate) fn unchanged_words(count: usize, quiet: usize) -> String {
    let steps = match count {
        1 => "1 unchanged step".to_owned(),
        count => format!("{count} unchanged steps"),
    };
    match quiet {
        0 => steps,
        1 => format!("{steps}, 1 of them with a difference without effect"),
        count => format!("{steps}, {count} of them with differences without effect"),
    }
}
