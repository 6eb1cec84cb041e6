//! What was said and decided, oldest first.

use domain::review::{Decision, Thread, Verdict};
use domain::{ThreadId, Timestamp};
use leptos::prelude::*;

use super::desk::Desk;
use super::spot::Place;
use super::summary;
use super::thread_box::thread_box;
use crate::design::icon::Icon;
use crate::design::markdown::markdown;
use crate::design::time::Ago;

#[derive(Clone, Debug, PartialEq)]
enum Entry {
    Decision(Box<Decision>),
    Thread(ThreadId),
}

/// Draws the tab.
pub(super) fn view(desk: Desk) -> AnyView {
    let description = desk.part(|review| {
        let summary = &review.summary;
        let by = (summary.created_by.name.clone(), summary.created_at);
        (by, review.description.clone())
    });
    let shows_resolved = RwSignal::new(true);
    let entries = Memo::new(move |_| entries(desk, shows_resolved.get()));
    let first = move || {
        let ((name, at), text) = description.get();
        let text = if text.trim().is_empty() {
            view! { <p class="quiet-text">"No description."</p> }.into_any()
        } else {
            markdown(&text)
        };
        entry_box("message", format!("{name} asked for this review"), at, text)
    };
    view! {
        <section class="conversation" aria-labelledby="conversation">
            <div class="conversation-head">
                <h2 id="conversation">"Conversation"</h2>
                <label class="check">
                    <input
                        type="checkbox"
                        prop:checked=move || shows_resolved.get()
                        on:change=move |event| shows_resolved.set(event_target_checked(&event))
                    />
                    "Resolved threads"
                </label>
                {move || desk.is_open().then(|| summary::comment_on_all(desk))}
            </div>
            <ol class="entries-list">
                <li>{first}</li>
                <For
                    each=move || entries.get()
                    key=|entry| match entry {
                        Entry::Decision(decision) => decision.id.to_string(),
                        Entry::Thread(id) => id.to_string(),
                    }
                    children=move |entry| {
                        let content = match entry {
                            Entry::Decision(decision) => decided(desk, *decision),
                            Entry::Thread(id) => thread_box(desk, id, true),
                        };
                        view! { <li>{content}</li> }
                    }
                />
            </ol>
            {new(desk)}
        </section>
    }
    .into_any()
}

/// Draws what is being written about the draft as a whole.
fn new(desk: Desk) -> AnyView {
    let purposes = Memo::new(move |_| desk.unsent.at(&Place::default()));
    view! {
        <For
            each=move || purposes.get()
            key=|purpose| purpose.clone()
            children=move |purpose| {
                super::composer::composer(desk, purpose, super::spot::Spot::default())
            }
        />
    }
    .into_any()
}

fn entries(desk: Desk, with_resolved: bool) -> Vec<Entry> {
    let mut entries: Vec<(Timestamp, Entry)> = Vec::new();
    for (id, _) in desk.threads.all() {
        let Some(thread) = desk.threads.get(id) else {
            continue;
        };
        let (at, is_open) = thread.with(|thread: &Thread| {
            let first = thread.comments.first().map(|comment| comment.at);
            (first, thread.is_open())
        });
        if let Some(at) = at.filter(|_| with_resolved || is_open) {
            entries.push((at, Entry::Thread(id)));
        }
    }
    desk.review.with(|review| {
        let decisions = review.decisions.iter();
        entries.extend(decisions.map(|d| (d.at, Entry::Decision(Box::new(d.clone())))));
    });
    entries.sort_by_key(|(at, _)| at.0);
    entries.into_iter().map(|(_, entry)| entry).collect()
}

fn decided(desk: Desk, decision: Decision) -> AnyView {
    let (icon, words) = match decision.verdict {
        Verdict::Approve => ("circle-check", "approved"),
        Verdict::Reject => ("circle-x", "asked for changes on"),
        Verdict::Comment => ("message", "commented on"),
    };
    let fingerprint = decision.fingerprint.clone();
    let is_old = move || {
        let is_old = desk
            .review
            .with(|review| review.policy.edits_make_stale && review.fingerprint != fingerprint);
        is_old.then(|| view! { <span class="badge plain">"Edited since"</span> })
    };
    let words = format!(
        "{} {words} revision {}",
        decision.by.name, decision.revision
    );
    let text = (!decision.message.trim().is_empty()).then(|| markdown(&decision.message));
    let verdict = decision.verdict.key();
    view! {
        <div class="decision" data-verdict=verdict>
            {entry_box(icon, words, decision.at, view! { {is_old} {text} }.into_any())}
        </div>
    }
    .into_any()
}

fn entry_box(icon: &'static str, words: String, at: Timestamp, content: AnyView) -> AnyView {
    view! {
        <article class="entry">
            <header>
                <Icon name=icon />
                <span>
                    <strong>{words}</strong>
                    " "
                    <span class="quiet-text">
                        <Ago at=at />
                    </span>
                </span>
            </header>
            <div class="entry-body">{content}</div>
        </article>
    }
    .into_any()
}
