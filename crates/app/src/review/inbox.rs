//! "Your turn": what waits for the reader, what else is open, and what happened.

mod notifications;

use domain::AccountId;
use domain::live::Changed;
use domain::review::turn::Why;
use domain::review::{Inbox, ReviewState, ReviewSummary, Turn};
use leptos::ev::{self, KeyboardEvent};
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

use super::{api, keys};
use crate::design::icon::Icon;
use crate::design::load::{load, loaded};
use crate::design::state::draft_badge;
use crate::design::time::Ago;
use crate::screen::Page;
use crate::{live, session};

/// Draws the screen `/inbox`.
pub(crate) fn page() -> AnyView {
    let inbox = load(None, || Box::pin(api::inbox()));
    let me = session::use_me();
    live::use_changes(move |changed| match changed {
        Changed::Review(_) => inbox.soon(),
        Changed::Notified(account) if Some(account) == account_of(me) => inbox.soon(),
        _ => {}
    });
    let content = loaded(inbox, move |shown| {
        view! {
            <div class="columns inbox">
                <div class="stack wide-gap">{reviews(shown, me)}</div>
                {notifications::section(shown, inbox)}
            </div>
        }
        .into_any()
    });
    let walking = window_event_listener(ev::keydown, |event| walk(&event));
    on_cleanup(move || walking.remove());
    view! { <Page title="Your turn">{content}</Page> }.into_any()
}

fn account_of(me: Signal<Option<domain::account::Me>>) -> Option<AccountId> {
    me.with_untracked(|me| me.as_ref().map(|me| me.account))
}

fn reviews(inbox: Signal<Inbox>, me: Signal<Option<domain::account::Me>>) -> AnyView {
    let part = move |mine: bool| {
        Memo::new(move |_| {
            let me = me.with(|me| me.as_ref().map(|me| me.account));
            let is_mine = |review: &&ReviewSummary| turn_of(review, me).is_some() == mine;
            inbox.with(|inbox| {
                let found = inbox.reviews.iter().filter(is_mine);
                found.cloned().collect::<Vec<_>>()
            })
        })
    };
    let ended = Memo::new(move |_| inbox.with(|inbox| inbox.ended.clone()));
    view! {
        {section("waiting", "Waiting for you", part(true), me, "Nothing waits for you. Reviews in which you are asked, or whose draft you edit, appear here when it is your turn.")}
        {section("open-reviews", "Other open reviews", part(false), me, "No other review is open.")}
        {section("ended-reviews", "Ended", ended, me, "No review has ended yet.")}
    }
    .into_any()
}

fn section(
    id: &'static str,
    title: &'static str,
    all: Memo<Vec<ReviewSummary>>,
    me: Signal<Option<domain::account::Me>>,
    nothing: &'static str,
) -> AnyView {
    let lines = move || {
        if all.with(Vec::is_empty) {
            return view! { <p class="empty">{nothing}</p> }.into_any();
        }
        let me = me.with(|me| me.as_ref().map(|me| me.account));
        let lines = all.get().into_iter().map(|review| line(review, me));
        view! { <ul class="review-list">{lines.collect::<Vec<_>>()}</ul> }.into_any()
    };
    view! {
        <section class="panel-box" aria-labelledby=id>
            <div class="head">
                <h2 id=id>{title}</h2>
                <span class="count">{move || all.with(Vec::len).to_string()}</span>
            </div>
            {lines}
        </section>
    }
    .into_any()
}

fn turn_of(review: &ReviewSummary, me: Option<AccountId>) -> Option<&Turn> {
    let of_me = |turn: &&Turn| Some(turn.person.account) == me;
    review.turns.iter().find(of_me)
}

fn line(review: ReviewSummary, me: Option<AccountId>) -> AnyView {
    let address = format!("/reviews/{}", review.id);
    let unread = review.unread.then(|| {
        view! {
            <span class="unread-mark" title="Something happened since you last looked">
                <span class="visually-hidden">"New: "</span>
            </span>
        }
    });
    let why = match turn_of(&review, me) {
        Some(turn) => view! {
            <p class="review-why">
                {mine(turn.why)} <span class="quiet-text">" · " <Ago at=turn.since /></span>
            </p>
        }
        .into_any(),
        None => view! { <p class="quiet-text">{others(&review)}</p> }.into_any(),
    };
    let threads = (review.open_threads > 0).then(|| {
        let words = match review.open_threads {
            1 => "1 open thread".to_owned(),
            count => format!("{count} open threads"),
        };
        view! {
            <span class="badge plain">
                <Icon name="comment" />
                {words}
            </span>
        }
    });
    view! {
        <li>
            <div class="row">
                {unread} <a class="review-title" href=address>{review.title.clone()}</a>
                {badge(&review)} {threads}
            </div>
            {why}
            <p class="quiet-text review-about">
                <a href=format!("/integrations/{}", review.integration)>
                    {review.integration_name.clone()}
                </a>
                {format!(" · {} asked, revision {} · ", review.created_by.name, review.revision)}
                <Ago at=review.updated_at />
            </p>
        </li>
    }
    .into_any()
}

/// Draws where a review, or its draft, stands.
pub(crate) fn badge(review: &ReviewSummary) -> AnyView {
    let (class, icon, words) = match (review.state, review.draft_state) {
        (ReviewState::Open, state) => return draft_badge(state),
        (ReviewState::Published, _) => ("good", "rocket", "Published"),
        (state, _) => ("", "circle-slash", state.title()),
    };
    view! {
        <span class=format!("badge {class}")>
            <Icon name=icon />
            {words}
        </span>
    }
    .into_any()
}

/// Returns what the reader is to do.
const fn mine(why: Why) -> &'static str {
    match why {
        Why::Asked => "You were asked to review it",
        Why::ChangedSince => "It changed since you decided",
        Why::Owner => "You own what it changes, and have not approved it",
        Why::SentBack => "You have changes to make",
        Why::Comments => "You have comments to answer",
        Why::ReadyToPublish => "You can publish it",
        Why::NotReady => "It is approved, but not all checks are met",
    }
}

/// Says whom a review waits for.
fn others(review: &ReviewSummary) -> String {
    if review.state != ReviewState::Open {
        return review.state.title().to_owned();
    }
    let name = |turn: &Turn| format!("{} ({})", turn.person.name, turn.why.title());
    let names: Vec<_> = review.turns.iter().map(name).collect();
    match names.as_slice() {
        [] => "Waits for anyone to review it".to_owned(),
        names => format!("Waits for {}", names.join(", ")),
    }
}

/// Goes from review to review with j and k, wherever the focus is; from a review also with the
/// arrow keys.
fn walk(event: &KeyboardEvent) {
    if keys::is_taken(event) {
        return;
    }
    let forward = match event.key().as_str() {
        "j" | "ArrowDown" => true,
        "k" | "ArrowUp" => false,
        _ => return,
    };
    let Ok(links) = document().query_selector_all(".inbox .review-title") else {
        return;
    };
    let count = links.length();
    let active = document().active_element();
    let here = (0..count).find(|at| links.item(*at).as_ref() == active.as_ref().map(AsRef::as_ref));
    let is_arrow = event.key().starts_with("Arrow");
    let next = match (here, forward) {
        // Elsewhere the arrow keys scroll.
        (None, _) if is_arrow => return,
        (None, true) => 0,
        (Some(at), true) => at + 1,
        (Some(at), false) if at > 0 => at - 1,
        _ => return,
    };
    let link = links
        .item(next)
        .and_then(|link| link.dyn_into::<HtmlElement>().ok());
    if let Some(link) = link {
        event.prevent_default();
        let _ = link.focus();
    }
}
