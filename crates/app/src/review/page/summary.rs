//! What the change is, in words: what it is for, what it does, what it means for the data.

use domain::change::{Note, Target};
use leptos::prelude::*;

use super::compare::Span;
use super::desk::Desk;
use super::spot::{Place, Purpose, Spot};
use super::thread_box;
use crate::design::icon::Icon;
use crate::design::markdown::markdown;

/// Draws the box above the changes.
pub(super) fn view(desk: Desk) -> AnyView {
    let description = desk.part(|review| review.description.clone());
    let gist = Memo::new(move |_| desk.compare.shown.with(|shown| shown.changes.summary()));
    let notes = Memo::new(move |_| desk.compare.shown.with(|shown| shown.notes()));
    let is_whole = Memo::new(move |_| desk.compare.span.get() == Span::WHOLE);
    let text = move || {
        let text = description.get();
        if text.trim().is_empty() {
            view! { <p class="quiet-text">"No description."</p> }.into_any()
        } else {
            markdown(&text)
        }
    };
    let notes = move || {
        let notes = notes.get();
        (!notes.is_empty()).then(|| {
            let lines = notes
                .into_iter()
                .map(|line| note(desk, &line))
                .collect::<Vec<_>>();
            view! {
                <div class="notes">
                    <h3>"What it means for the data"</h3>
                    <ul>{lines}</ul>
                </div>
            }
        })
    };
    view! {
        <section class="panel-box summary" aria-labelledby="summary">
            <h2 class="visually-hidden" id="summary">
                "Summary"
            </h2>
            {move || is_whole.get().then(|| view! { <div class="summary-text">{text}</div> })}
            <div class="summary-gist">
                <p class="gist">{move || gist.get()}</p>
                {notes}
            </div>
            <div class="summary-talk" data-place=whole_place()>
                {thread_box::at(desk, Place::default())}
                {move || desk.is_open().then(|| comment_on_all(desk))}
            </div>
        </section>
    }
    .into_any()
}

/// Draws the button that opens an editor for the draft as a whole.
pub(super) fn comment_on_all(desk: Desk) -> AnyView {
    view! {
        <button
            type="button"
            class="button quiet small"
            on:click=move |_| desk.write(Purpose::New(Spot::default()))
        >
            <Icon name="message" />
            "Comment on the draft as a whole"
        </button>
    }
    .into_any()
}

fn whole_place() -> String {
    serde_json::to_string(&Place::default()).unwrap_or_default()
}

/// Draws a sentence in which expressions stand between backticks.
fn with_code(sentence: &str) -> AnyView {
    let parts = sentence.split('`').enumerate().map(|(index, part)| {
        if index % 2 == 1 {
            view! { <code>{part.to_owned()}</code> }.into_any()
        } else {
            part.to_owned().into_any()
        }
    });
    parts.collect::<Vec<_>>().into_any()
}

fn note(desk: Desk, note: &Note) -> AnyView {
    let words = with_code(&note.to_string());
    let content = match note.step() {
        Some(step) => view! {
            <button
                type="button"
                class="note-link"
                on:click=move |_| desk.go_to(Target::Step(step))
            >
                {words}
            </button>
        }
        .into_any(),
        None => view! { <span>{words}</span> }.into_any(),
    };
    view! {
        <li>
            <Icon name="alert" />
            {content}
        </li>
    }
    .into_any()
}
