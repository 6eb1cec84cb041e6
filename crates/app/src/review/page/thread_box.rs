//! A thread under the row it hangs on: what it is about, its comments, answering and resolving.

use domain::ThreadId;
use domain::account::Role;
use domain::review::decide;
use domain::review::thread::{Currency, Thread};
use leptos::prelude::*;
use serde_json::Value;

use super::super::api;
use super::comment::comment;
use super::composer as names;
use super::composer::composer;
use super::desk::Desk;
use super::spot::{Place, Purpose, Spot};
use crate::change::{FieldLook, value};
use crate::design::icon::Icon;
use crate::design::{copy, unique};
use crate::session;

/// Draws all threads at a place and what is being written there.
pub(super) fn at(desk: Desk, place: Place) -> AnyView {
    let ids = RwSignal::from(desk.threads.at(&place));
    let own = place.clone();
    let new = Memo::new(move |_| desk.unsent.at(&own));
    view! {
        <For each=move || ids.get() key=|id| *id children=move |id| untrack(|| thread_box(desk, id, false)) />
        <For
            each=move || new.get()
            key=|purpose| purpose.clone()
            children=move |purpose| {
                let at = match &purpose {
                    Purpose::New(spot) => spot.clone(),
                    _ => Spot::default(),
                };
                composer(desk, purpose, at)
            }
        />
    }
    .into_any()
}

/// Returns the element id of a thread.
pub(super) fn element_id(id: ThreadId) -> String {
    format!("thread-{id}")
}

/// Draws a thread; with `is_listed`, away from its row and saying what it hangs on.
pub(super) fn thread_box(desk: Desk, id: ThreadId, is_listed: bool) -> AnyView {
    let Some(thread) = desk.threads.get(id) else {
        return ().into_any();
    };
    let watched = thread.clone();
    let is_resolved = Memo::new(move |_| watched.with(|thread| !thread.is_open()));
    let is_open = RwSignal::new(!is_resolved.get_untracked());
    Effect::new(move |before: Option<bool>| {
        let is = is_resolved.get();
        if before.is_some_and(|before| before != is) {
            is_open.set(!is);
        }
        is
    });
    let pointed = desk.links.thread;
    Effect::new(move || {
        if pointed.get() == Some(id) {
            is_open.set(true);
        }
    });
    let (place, by) = thread.with_untracked(|thread| {
        let by = thread
            .comments
            .first()
            .map(|comment| comment.by.name.clone());
        (desk.place_of(thread), by.unwrap_or_default())
    });
    let label = format!("Thread of {by} on {}", names::place_name(desk, &place));
    let element = if is_listed {
        unique("thread")
    } else {
        element_id(id)
    };
    let body = {
        let thread = thread.clone();
        move || {
            is_open
                .get()
                .then(|| untrack(|| body(desk, thread.clone())))
        }
    };
    view! {
        <section
            class="thread"
            class:is-resolved=move || is_resolved.get()
            class:is-pointed=move || pointed.get() == Some(id)
            id=element
            data-thread=""
            tabindex="-1"
            aria-label=label
        >
            {is_listed.then(|| place_link(desk, &place))}
            {head(desk, thread, is_open)}
            {body}
        </section>
    }
    .into_any()
}

/// Draws the line that says what a listed thread hangs on, and leads there.
fn place_link(desk: Desk, place: &Place) -> AnyView {
    let words = names::place_name(desk, place);
    match place.target {
        Some(target) if desk.compare.whole.with_untracked(|whole| whole.has(target)) => {
            let address = desk.links.of_target(target);
            view! {
                <p class="thread-place">
                    "On "
                    <a href=address>{words}</a>
                </p>
            }
            .into_any()
        }
        _ => view! { <p class="thread-place">{format!("On {words}")}</p> }.into_any(),
    }
}

/// Draws what became of the thread and of what it speaks of.
fn head(desk: Desk, thread: ArcRwSignal<Thread>, is_open: RwSignal<bool>) -> AnyView {
    let resolved = {
        let thread = thread.clone();
        move || {
            let ended = thread.with(how_it_ended)?;
            let count = thread.with(|thread| thread.comments.len());
            let comments = if count == 1 {
                "1 comment".to_owned()
            } else {
                format!("{count} comments")
            };
            let words = move || {
                if is_open.get() {
                    "Hide".to_owned()
                } else {
                    format!("Show {comments}")
                }
            };
            Some(view! {
                <div class="thread-resolved">
                    <span class="badge good">
                        <Icon name="check" />
                        {ended}
                    </span>
                    <button
                        type="button"
                        class="button quiet small"
                        aria-expanded=move || is_open.get().to_string()
                        on:click=move |_| is_open.update(|open| *open = !*open)
                    >
                        {words}
                    </button>
                </div>
            })
        }
    };
    view! {
        {resolved}
        {move || is_open.get().then(|| untrack(|| about(desk, thread.clone())))}
    }
    .into_any()
}

/// Returns who resolved a thread and by what; `None` while it is open.
fn how_it_ended(thread: &Thread) -> Option<String> {
    let (who, _) = thread.resolved.as_ref()?;
    let applied = thread.comments.iter().find_map(|comment| {
        let (by, revision) = comment.suggestion.as_ref()?.applied.as_ref()?;
        Some(format!(
            "Applied by {} in revision {revision}, suggested by {}",
            by.name, comment.by.name
        ))
    });
    Some(applied.unwrap_or_else(|| format!("Resolved by {}", who.name)))
}

/// Draws the quoted part, and whether the text has changed since.
fn about(desk: Desk, thread: ArcRwSignal<Thread>) -> AnyView {
    let quote = thread.with_untracked(quoted_part);
    let shows_both = RwSignal::new(false);
    let own = thread.clone();
    let currency = Memo::new(move |_| {
        desk.compare
            .whole
            .with(|whole| own.with(|thread| thread.currency(&whole.before, &whole.after)))
    });
    let note = move || {
        let revision = thread.with(|thread| thread.revision);
        match currency.get() {
            Currency::Current => None,
            Currency::Gone => Some(
                view! {
                    <p class="thread-outdated">
                        <Icon name="history" />
                        {format!("Written on revision {revision}; the step is not in the draft any more.")}
                    </p>
                }
                .into_any(),
            ),
            Currency::Changed { now } => {
                let thread = thread.clone();
                Some(
                    view! {
                        <div class="thread-outdated">
                            <Icon name="history" />
                            <span>{outdated(&thread, revision, now.is_some())}</span>
                            <button
                                type="button"
                                class="button quiet small"
                                aria-expanded=move || shows_both.get().to_string()
                                on:click=move |_| shows_both.update(|shows| *shows = !*shows)
                            >
                                {move || if shows_both.get() { "Hide" } else { "Show then and now" }}
                            </button>
                        </div>
                        {move || {
                            shows_both.get().then(|| then_and_now(desk, &thread, now.clone()))
                        }}
                    }
                    .into_any(),
                )
            }
        }
    };
    view! {
        {quote.map(|quote| view! { <blockquote class="quote text code">{quote}</blockquote> })}
        {note}
    }
    .into_any()
}

/// Says that what a thread speaks of is not as it was.
fn outdated(thread: &ArcRwSignal<Thread>, revision: u32, is_there: bool) -> String {
    let entry = thread.with(|thread| thread.anchor.entry.clone());
    match entry.filter(|_| !is_there) {
        Some(entry) => {
            format!("Written on revision {revision}; “{entry}” is not in the draft any more.")
        }
        None => format!("Written on revision {revision}; the text has changed since."),
    }
}

fn then_and_now(desk: Desk, thread: &ArcRwSignal<Thread>, now: Option<Value>) -> Option<AnyView> {
    let (place, then) = thread.with_untracked(|t| (desk.place_of(t), t.said().cloned()));
    let look = super::suggestion::look_now(desk, &place)?;
    let look = FieldLook {
        before: then,
        after: now,
        ..look
    };
    let values = value::draw(&look, true, &[]);
    Some(view! { <div class="then-and-now">{values}</div> }.into_any())
}

fn quoted_part(thread: &Thread) -> Option<String> {
    let (from, to) = thread.anchor.range?;
    let text = thread.said()?.as_str()?;
    let part = text.chars().skip(from as usize);
    Some(part.take(to.saturating_sub(from) as usize).collect())
}

fn body(desk: Desk, thread: ArcRwSignal<Thread>) -> AnyView {
    let id = thread.with_untracked(|thread| thread.id);
    let reply = Purpose::Reply(id);
    let at = thread.with_untracked(|thread| Spot {
        place: desk.place_of(thread),
        on_base: thread.on_base,
        part: None,
    });
    let ids = {
        let thread = thread.clone();
        Memo::new(move |_| thread.with(|t| t.comments.iter().map(|c| c.id).collect::<Vec<_>>()))
    };
    let is_replying = {
        let reply = reply.clone();
        Memo::new(move |_| desk.unsent.is_open(&reply))
    };
    let own = thread.clone();
    view! {
        <div class="comments">
            <For
                each=move || ids.get()
                key=|id| *id
                children=move |id| comment(desk, own.clone(), id)
            />
        </div>
        {move || {
            let is_replying = is_replying.get();
            untrack(|| {
                if is_replying {
                    composer(desk, reply.clone(), at.clone())
                } else {
                    foot(desk, thread.clone())
                }
            })
        }}
    }
    .into_any()
}

fn foot(desk: Desk, thread: ArcRwSignal<Thread>) -> AnyView {
    let id = thread.with_untracked(|thread| thread.id);
    let me = session::use_me();
    let own = thread.clone();
    let may_resolve = move || {
        let started = own.with(|thread| {
            thread
                .comments
                .first()
                .map(|c| (c.by.account, c.is_pending))
        });
        let (started_by, is_pending) = started?;
        let (role, account) = me
            .with(|me| {
                let me = me.as_ref()?;
                Some((me.role, me.account))
            })
            .unwrap_or((Role::Reader, started_by));
        (!is_pending).then(|| decide::check_resolve(role, account, started_by))
    };
    let resolve = move || {
        let is_resolved = thread.with(|thread| !thread.is_open());
        let (words, icon) = if is_resolved {
            ("Reopen", "undo")
        } else {
            ("Resolve", "check")
        };
        match may_resolve()? {
            Ok(()) => Some(
                view! {
                    <button
                        type="button"
                        class="button small"
                        on:click=move |_| {
                            desk.act(api::resolve_thread(id, !is_resolved), || ());
                        }
                    >
                        <Icon name=icon />
                        {words}
                    </button>
                }
                .into_any(),
            ),
            Err(refusal) => {
                Some(view! { <span class="reason">{refusal.to_string()}</span> }.into_any())
            }
        }
    };
    let link = desk.links.of_thread(id);
    view! {
        <div class="thread-foot">
            {move || {
                desk.is_open()
                    .then(|| {
                        view! {
                            <button
                                type="button"
                                class="button small"
                                on:click=move |_| desk.write(Purpose::Reply(id))
                            >
                                <Icon name="reply" />
                                "Reply"
                            </button>
                            {resolve.clone()}
                        }
                    })
            }}
            <span class="grow"></span>
            <button
                type="button"
                class="button quiet small icon-only"
                aria-label="Copy the link to this thread"
                title="Copy the link to this thread"
                on:click=move |_| copy::copy(&link)
            >
                <Icon name="link" />
            </button>
        </div>
    }
    .into_any()
}
