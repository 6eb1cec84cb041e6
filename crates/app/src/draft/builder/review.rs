//! The draft's review, seen from the builder: ask for one, see where it stands, take it back.

pub(super) mod create;

use domain::draft::DraftState;
use domain::policy::Act;
use domain::review::{ReviewState, ReviewSummary};
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;

use super::{Builder, dialogs};
use crate::design::confirm::{Question, confirm};
use crate::design::copy::copy;
use crate::design::icon::Icon;
use crate::design::menu::{Menu, MenuItem};
use crate::design::state::draft_look;
use crate::design::toast;
use crate::{review, session};

/// Asks again for the draft's open review.
pub(super) fn refresh(builder: Builder) {
    spawn_local(async move {
        if let Ok(reviews) = review::api::draft_reviews(builder.id).await {
            let mut open = reviews.into_iter();
            let open = open.find(|review| review.state == ReviewState::Open);
            builder.review.try_set(open);
        }
    });
}

/// Returns the address of a review.
pub(super) fn address(review: domain::ReviewId) -> String {
    format!("/reviews/{review}")
}

/// Draws the part of the top bar: the button, or the state of the review with its menu.
pub(super) fn view(builder: Builder) -> impl IntoView {
    let asking = builder.asking_review;
    let is_open = Memo::new(move |_| builder.review.with(Option::is_some));
    view! {
        {move || {
            if is_open.get() {
                standing(builder).into_any()
            } else {
                create_button(builder, asking).into_any()
            }
        }}
        {dialogs::view(builder, asking, |dialogs| dialogs.create)}
    }
}

/// The button to ask for a review; says why when it cannot be used.
fn create_button(builder: Builder, open: RwSignal<bool>) -> impl IntoView {
    let may = session::may(Act::CreateReview);
    let reason = Memo::new(move |_| {
        if let Err(denied) = may.get() {
            return Some(denied.to_string());
        }
        let state = builder.summary.with(|summary| summary.state);
        if !state.is_open() {
            return Some(format!(
                "This draft is {} already.",
                state.title().to_lowercase()
            ));
        }
        (builder.ahead.changes.get() == Some(0)).then(|| "Nothing is changed yet.".to_owned())
    });
    view! {
        <span class="publish-action">
            <button
                type="button"
                class="button"
                prop:disabled=move || reason.get().is_some()
                aria-describedby="review-reason"
                title=move || reason.get().unwrap_or_default()
                on:click=move |_| open.set(true)
            >
                <Icon name="review" />
                "Create review"
            </button>
            // Whoever may not is told beside the draft, and whoever changed nothing sees it there.
            <span id="review-reason" class="visually-hidden">{move || reason.get()}</span>
        </span>
    }
}

/// Where the open review stands, as a link to it, and what can be done with it.
fn standing(builder: Builder) -> impl IntoView {
    let shown = move || {
        builder.review.get().map(|review| {
            let (class, icon) = draft_look(review.draft_state);
            view! {
                <a
                    class=format!("badge review-link {class}")
                    href=address(review.id)
                    title=format!("Review: {}", review.title)
                >
                    <Icon name=icon />
                    {review.draft_state.title()}
                </a>
            }
        })
    };
    let navigate = use_navigate();
    let items = Signal::derive(move || {
        let Some(review) = builder.review.get() else {
            return Vec::new();
        };
        let navigate = navigate.clone();
        let (id, link) = (review.id, address(review.id));
        let copied = move || {
            let origin = window().location().origin().unwrap_or_default();
            copy(&format!("{origin}{}", address(id)));
        };
        let open = move || navigate(&link, NavigateOptions::default());
        vec![
            MenuItem::new("Open review", "review", open),
            MenuItem::new("Copy the link", "link", copied),
            MenuItem::new("Withdraw…", "undo", move || withdraw(builder, &review))
                .destructive()
                .refused(
                    session::may(Act::CreateReview)
                        .get()
                        .err()
                        .map(|d| d.to_string()),
                ),
        ]
    });
    view! {
        {shown}
        <Menu label="Review of this draft" items=items />
    }
}

fn withdraw(builder: Builder, review: &ReviewSummary) {
    let id = review.id;
    let question = Question {
        title: "Withdraw this review?".to_owned(),
        text: "The draft goes back to editing. What was said and decided stays readable, but approvals do not count any more.".to_owned(),
        action: "Withdraw".to_owned(),
        is_destructive: true,
    };
    confirm(question, move || {
        spawn_local(async move {
            match review::api::withdraw_review(id).await {
                Ok(()) => toast::say("The review is withdrawn. The draft is being edited again."),
                Err(fault) => toast::say_fault(&fault),
            }
            refresh(builder);
            super::refresh_summary(builder);
        });
    });
}

/// Says what an edit does to a review that is open.
pub(super) fn notice(builder: Builder) -> impl IntoView {
    move || {
        let review = builder.review.get().filter(|_| builder.may_edit.get())?;
        let text = match review.draft_state {
            DraftState::Approved => {
                "This draft is approved. If you change what it does, the approval does not count any more and someone must look again."
            }
            DraftState::ChangesRequested => {
                "A reviewer asks for changes. Each save is shown in the review as a new revision."
            }
            _ => "This draft is in review. Each save is shown there as a new revision.",
        };
        Some(view! {
            <p class="notice builder-notice" role="status">
                <Icon name="info" />
                <span>{text} " " <a href=address(review.id)>"Open the review"</a></span>
            </p>
        })
    }
}
