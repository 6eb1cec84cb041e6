//! The head of the page: what is under review, where it stands, and what can be done.

use domain::account::Role;
use domain::draft::DraftState;
use domain::policy::{Act, allow};
use domain::review::{Check, CheckState, Review, ReviewState};
use leptos::prelude::*;

use super::super::api;
use super::desk::Desk;
use crate::design::action::ActionButton;
use crate::design::confirm::{Question, confirm};
use crate::design::icon::Icon;
use crate::design::menu::{Menu, MenuItem};
use crate::design::time::Ago;
use crate::design::{copy, toast};
use crate::session;

/// Draws the badge beside the title.
pub(super) fn badge(desk: Desk) -> AnyView {
    let state = desk.part(|review| (review.summary.state, review.summary.draft_state));
    let content = move || {
        let (class, icon, words) = look(state.get());
        view! {
            <span class=class>
                <Icon name=icon />
                {words}
            </span>
        }
    };
    view! { {content} }.into_any()
}

const fn look(
    (state, draft): (ReviewState, DraftState),
) -> (&'static str, &'static str, &'static str) {
    match (state, draft) {
        (ReviewState::Open, DraftState::Approved) => ("badge good", "circle-check", "Approved"),
        (ReviewState::Open, DraftState::ChangesRequested) => {
            ("badge bad", "circle-x", "Changes requested")
        }
        (ReviewState::Open, _) => ("badge info", "eye", "In review"),
        (ReviewState::Published, _) => ("badge good", "rocket", "Published"),
        (ReviewState::Withdrawn, _) => ("badge", "undo", "Withdrawn"),
        (ReviewState::Discarded, _) => ("badge", "trash", "Discarded"),
    }
}

/// Draws the line under the title: by whom, when, and where the draft stands beside what is live.
pub(super) fn standing(desk: Desk) -> AnyView {
    let (by, at) = desk.review.with_untracked(|review| {
        let summary = &review.summary;
        (summary.created_by.name.clone(), summary.created_at)
    });
    let revision = desk.part(|review| review.summary.revision);
    let draft = desk.review.with_untracked(|review| review.summary.draft);
    let live = Memo::new(move |_| {
        let ahead = desk.compare.whole.with(|whole| whole.changes.count());
        desk.review.with(|review| live_words(review, ahead))
    });
    let override_reason = desk.part(|review| review.override_reason.clone());
    view! {
        <p class="review-standing">
            <span>
                {format!("{by} asked for this review ")} <Ago at=at />
            </span>
            <a href=format!("/drafts/{draft}")>{move || format!("Draft at revision {}", revision.get())}</a>
            <span>{move || live.get()}</span>
        </p>
        {move || {
            override_reason
                .get()
                .map(|who| {
                    view! {
                        <p class="notice warning">
                            <Icon name="shield" />
                            {format!("{} published it without approval: {}", who.by.name, who.reason)}
                        </p>
                    }
                })
        }}
    }
    .into_any()
}

fn live_words(review: &Review, ahead: usize) -> String {
    if let Some(version) = review.version {
        return format!("Became version {version}");
    }
    let changes = if ahead == 1 {
        "1 change".to_owned()
    } else {
        format!("{ahead} changes")
    };
    match (review.live, review.base) {
        (None, _) => format!("Nothing is live yet; this draft makes version 1 ({changes})"),
        (Some(live), base) => {
            let behind = live.saturating_sub(base.unwrap_or_default());
            let behind = match behind {
                0 => String::new(),
                1 => " and 1 version behind".to_owned(),
                count => format!(" and {count} versions behind"),
            };
            format!("Live is version {live}; this draft is {changes} ahead{behind}")
        }
    }
}

/// Draws the buttons.
pub(super) fn actions(desk: Desk) -> AnyView {
    let pending = Memo::new(move |_| desk.threads.pending());
    let finish = move || match pending.get() {
        0 => "Finish review".to_owned(),
        count => format!("Finish review ({count})"),
    };
    let is_open = Memo::new(move |_| desk.is_open());
    let buttons = move || {
        is_open.get().then(|| {
            view! {
                <button
                    type="button"
                    class="button"
                    class:primary=move || !desk.is_author()
                    on:click=move |_| desk.dialogs.finish.set(true)
                >
                    {finish}
                </button>
                {publish(desk)}
            }
        })
    };
    view! { {buttons} {after(desk)} {menu(desk)} }.into_any()
}

/// Draws the way to the draft's publish dialog; when that is closed, the first thing that is
/// missing.
fn publish(desk: Desk) -> AnyView {
    let may = session::may(Act::Publish);
    let reason = Memo::new(move |_| {
        if let Err(denied) = may.get() {
            return Some(denied.to_string());
        }
        desk.review.with(|review| {
            let unmet = |check: &Check| match &check.state {
                CheckState::Unsatisfied { why } => Some(why.clone()),
                _ => None,
            };
            review.checks.iter().find_map(unmet)
        })
    });
    let draft = desk.review.with_untracked(|review| review.summary.draft);
    let refused = Signal::derive(move || reason.get());
    let press = Callback::new(move |()| desk.links.go(&format!("/drafts/{draft}?publish=1")));
    let is_first = move || desk.is_author() && reason.get().is_none();
    view! {
        {move || {
            view! {
                <ActionButton
                    label="Publish"
                    icon="rocket"
                    refused=refused
                    primary=is_first()
                    press=press
                />
            }
        }}
    }
    .into_any()
}

/// Draws where to go on from a review that is over.
fn after(desk: Desk) -> AnyView {
    let became = desk.part(|review| (review.summary.integration, review.version));
    view! {
        {move || {
            let (integration, version) = became.get();
            version
                .map(|version| {
                    let address = format!("/integrations/{integration}/versions/{version}");
                    view! {
                        <a class="button" href=address>
                            {format!("See version {version}")}
                        </a>
                    }
                })
        }}
    }
    .into_any()
}

/// Returns whether the reader may describe and withdraw the review: who asked, authors, Admins.
fn is_theirs(desk: Desk) -> bool {
    let role = session::use_me().with(|me| me.as_ref().map_or(Role::Reader, |me| me.role));
    let asked = desk
        .review
        .with(|review| desk.is_me(&review.summary.created_by));
    role == Role::Admin || asked || desk.is_author()
}

fn menu(desk: Desk) -> AnyView {
    let items = Signal::derive(move || {
        let role = session::use_me().with(|me| me.as_ref().map_or(Role::Reader, |me| me.role));
        let not_theirs = (!is_theirs(desk)).then(|| {
            "Only whoever asked for this review, an author of the draft or an Admin.".to_owned()
        });
        let denied = allow(role, Act::CreateReview).err();
        let over = (!desk.is_open()).then(|| "This review is over.".to_owned());
        let ask = over.clone().or(denied.map(|denied| denied.to_string()));
        vec![
            MenuItem::new("Copy the link", "link", move || {
                copy::copy(&window().location().href().unwrap_or_default());
            }),
            MenuItem::new("Ask for reviews", "user-plus", move || {
                desk.dialogs.ask.set(true);
            })
            .refused(ask),
            MenuItem::new("Edit title and description", "pencil", move || {
                desk.dialogs.describe.set(true);
            })
            .refused(not_theirs.clone()),
            MenuItem::new("Keys", "keyboard", move || desk.dialogs.keys.set(true)).keys("?"),
            MenuItem::new("Withdraw", "undo", move || withdraw(desk))
                .destructive()
                .refused(over.or(not_theirs)),
        ]
    });
    view! { <Menu label="More about this review" items=items /> }.into_any()
}

fn withdraw(desk: Desk) {
    let question = Question {
        title: "Withdraw this review?".to_owned(),
        text:
            "The draft goes back to editing. What was said stays readable, and you can ask again."
                .to_owned(),
        action: "Withdraw".to_owned(),
        is_destructive: true,
    };
    confirm(question, move || {
        desk.act(api::withdraw_review(desk.id), || {
            toast::say("Withdrawn. The draft is being edited again.");
        });
    });
}
