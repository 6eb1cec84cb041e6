//! One field on a card: its label, its values before and after, its threads.

use std::sync::Arc;

use domain::Document;
use domain::change::{self, Field, Target};
use domain::review::Thread;
use leptos::prelude::*;

use super::desk::{Desk, View};
use super::spot::{Place, Purpose, Spot};
use super::{entry_rows, thread_box};
use crate::change::{Comparison, FieldLook, Mark, value};
use crate::design::icon::Icon;

/// Draws the row of a field.
pub(super) fn row(desk: Desk, target: Target, field: Field) -> AnyView {
    let place = Place {
        target: Some(target),
        field: Some(field.clone()),
        entry: None,
    };
    let own = field.clone();
    let look = Memo::new(move |_| {
        let look = |shown: &Arc<Comparison>| FieldLook::of(shown, target, &field);
        desk.compare.shown.with(look)
    });
    let marks = marks(desk, &place);
    let (shown, elsewhere) = entry_rows::split(desk, target, &own, look);
    let by_entry = Memo::new(move |_| shown.with(Option::is_some));
    // What is drawn as a whole has an effect of its own: one that read the look beside a memo that
    // is made of it would not be run when only the look changes.
    let content = move || {
        if by_entry.get() {
            return untrack(|| entry_rows::view(desk, (target, own.clone()), look, shown));
        }
        let whole = move || {
            let in_sides = desk.view.get() == View::Sides;
            look.with(|look| value::draw(look, in_sides, &marks.get()))
        };
        whole.into_any()
    };
    let written = serde_json::to_string(&place).unwrap_or_default();
    let remark = move || {
        let remark = look.with(|look| look.remark.clone());
        remark.map(|remark| view! { <span class="field-remark">{remark}</span> })
    };
    let is_changed = move || look.with(|look| look.is_changed);
    view! {
        <div
            class="field-row"
            class:is-unchanged=move || !is_changed()
            data-place=written
            tabindex="-1"
        >
            <div class="field-label">
                <span>{move || look.with(|look| look.title.clone())}</span>
                {remark}
            </div>
            <div class="field-value">{content}</div>
            {comment_button(desk, place.clone())}
            {thread_box::at(desk, place)}
            <For
                each=move || elsewhere.get()
                key=|place| place.clone()
                children=move |place| thread_box::at(desk, place)
            />
        </div>
    }
    .into_any()
}

/// Returns the parts of a text that threads are about, as long as the text is the same.
pub(super) fn marks(desk: Desk, place: &Place) -> Memo<Vec<Mark>> {
    let ids = RwSignal::from(desk.threads.at(place));
    Memo::new(move |_| {
        let whole = desk.compare.whole.get();
        let mark = |thread: &Thread| {
            let (from, to) = thread.anchor.range.filter(|_| thread.is_open())?;
            let currency = thread.currency(&whole.before, &whole.after);
            let is_current = currency == domain::review::thread::Currency::Current;
            is_current.then_some(Mark {
                on_base: thread.on_base,
                from,
                to,
            })
        };
        let threads = ids.get().into_iter().filter_map(|id| desk.threads.get(id));
        threads.filter_map(|thread| thread.with(mark)).collect()
    })
}

/// Returns where a thread about a place is started: on the draft, or on the base for what is only
/// there. `None` when neither has it.
pub(super) fn spot(desk: Desk, place: &Place) -> Option<Spot> {
    desk.compare.whole.with(|whole| {
        let on = |on_base| {
            Some(Spot {
                place: place.clone(),
                on_base,
                part: None,
            })
        };
        let Some(target) = place.target else {
            return on(false);
        };
        if let Target::Step(id) = target
            && whole.is_gone(id)
        {
            return whole
                .before
                .steps
                .contains_key(&id)
                .then(|| on(true))
                .flatten();
        }
        let Some(field) = &place.field else {
            return on(false);
        };
        let is_in = |document: &Document| {
            let value = change::value(document, target, field);
            value.is_some_and(|value| match &place.entry {
                Some(entry) => entry.find(&value).is_some(),
                None => true,
            })
        };
        let (is_now, was) = (is_in(&whole.after), is_in(&whole.before));
        on(!is_now && was)
    })
}

/// Draws the button that opens an editor at a place.
pub(super) fn comment_button(desk: Desk, place: Place) -> AnyView {
    let label = format!("Comment on {}", super::composer::place_name(desk, &place));
    let open = move |_| {
        if let Some(spot) = untrack(|| spot(desk, &place)) {
            desk.write(Purpose::New(spot));
        }
    };
    view! {
        {move || {
            desk.is_open()
                .then(|| {
                    view! {
                        <button
                            type="button"
                            class="button quiet small icon-only comment-button"
                            aria-label=label.clone()
                            title=label.clone()
                            on:click=open.clone()
                        >
                            <Icon name="message" />
                        </button>
                    }
                })
        }}
    }
    .into_any()
}
