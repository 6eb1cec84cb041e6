//! The entries of a field that holds names with values, or JSON: a row each, with its threads.

use domain::change::{Entry, Field, Target};
use leptos::prelude::*;

use super::desk::{Desk, View};
use super::field_row::{comment_button, marks};
use super::spot::Place;
use super::thread_box;
use crate::change::{FieldLook, value};

/// Unchanged entries that are shown beside changed ones.
const FEW: usize = 3;

/// Returns the entries by which a field is drawn, if it is, and the places of its threads that no
/// row is drawn for.
pub(super) fn split(
    desk: Desk,
    target: Target,
    field: &Field,
    look: Memo<FieldLook>,
) -> (Memo<Option<Vec<Entry>>>, Memo<Vec<Place>>) {
    let own = field.clone();
    let wanted = Memo::new(move |_| talked_of(desk, target, &own));
    let shown = Memo::new(move |_| look.with(|look| wanted.with(|wanted| look.entries(wanted))));
    let own = field.clone();
    let elsewhere = Memo::new(move |_| {
        let is_shown = |entry: &Entry| {
            shown.with(|shown| shown.as_ref().is_some_and(|all| all.contains(entry)))
        };
        let mut entries = wanted.get();
        entries.retain(|entry| !is_shown(entry));
        let place = |entry| place(target, &own, entry);
        entries.into_iter().map(place).collect::<Vec<_>>()
    });
    (shown, elsewhere)
}

/// Returns the entries of a field on which threads hang or are being written, each once.
fn talked_of(desk: Desk, target: Target, field: &Field) -> Vec<Entry> {
    let mut entries = desk.threads.entries_of(target, field);
    entries.extend(desk.unsent.entries_of(target, field));
    entries.sort_unstable();
    entries.dedup();
    entries
}

fn place(target: Target, field: &Field, entry: Entry) -> Place {
    Place {
        target: Some(target),
        field: Some(field.clone()),
        entry: Some(entry),
    }
}

/// Draws the entries; when some differ, those that do not are folded unless they are few.
pub(super) fn view(
    desk: Desk,
    (target, field): (Target, Field),
    look: Memo<FieldLook>,
    shown: Memo<Option<Vec<Entry>>>,
) -> AnyView {
    let is_open = RwSignal::new(false);
    let own = field.clone();
    let hidden = Memo::new(move |_| {
        let all = shown.get().unwrap_or_default();
        let talked_of = talked_of(desk, target, &own);
        let is_same = |entry: &&Entry| {
            !talked_of.contains(entry) && look.with(|look| !look.of_entry(entry).is_changed)
        };
        let same: Vec<Entry> = all.iter().filter(is_same).cloned().collect();
        if same.len() > FEW && same.len() < all.len() {
            same
        } else {
            Vec::new()
        }
    });
    let rows = move || {
        let mut all = shown.get().unwrap_or_default();
        if !is_open.get() {
            hidden.with(|hidden| all.retain(|entry| !hidden.contains(entry)));
        }
        all
    };
    let more = move || {
        let count = hidden.with(Vec::len);
        (count > 0 && !is_open.get()).then(|| {
            view! {
                <button
                    type="button"
                    class="text-fold entry-more"
                    on:click=move |_| is_open.set(true)
                >
                    {format!("{count} more entries")}
                </button>
            }
        })
    };
    view! {
        <div class="entry-rows">
            <For
                each=rows
                key=|entry| entry.clone()
                children=move |entry| row(desk, (target, &field), look, entry)
            />
            {more}
        </div>
    }
    .into_any()
}

fn row(
    desk: Desk,
    (target, field): (Target, &Field),
    look: Memo<FieldLook>,
    entry: Entry,
) -> AnyView {
    let place = place(target, field, entry.clone());
    let name = entry.to_string();
    let look = Memo::new(move |_| look.with(|look| look.of_entry(&entry)));
    let marks = marks(desk, &place);
    let content = move || {
        let in_sides = desk.view.get() == View::Sides;
        look.with(|look| value::draw(look, in_sides, &marks.get()))
    };
    let state = move || {
        look.with(|look| match (&look.before, &look.after) {
            (None, Some(_)) => "added",
            (Some(_), None) => "deleted",
            _ => "",
        })
    };
    let written = serde_json::to_string(&place).unwrap_or_default();
    view! {
        <div class="entry-row" data-place=written tabindex="-1">
            <span class="entry-name" data-state=state>
                {name}
            </span>
            <div class="entry-value">{content}</div>
            {comment_button(desk, place.clone())}
            {thread_box::at(desk, place)}
        </div>
    }
    .into_any()
}
