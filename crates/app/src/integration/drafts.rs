//! The drafts of an integration: open, start, discard.

use domain::IntegrationId;
use domain::account::check_name;
use domain::draft::DraftSummary;
use domain::integration::IntegrationDetail;
use domain::live::Changed;
use domain::review::ReviewSummary;
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;

use super::page::edit_refusal;
use crate::design::action::ActionButton;
use crate::design::confirm::{Question, confirm};
use crate::design::dialog::Dialog;
use crate::design::field::TextField;
use crate::design::load::{Load, load};
use crate::design::menu::{Menu, MenuItem};
use crate::design::state::draft_badge;
use crate::design::time::Ago;
use crate::design::toast;
use crate::{draft, live, review, session};

/// Draws the section.
pub(super) fn section(
    id: IntegrationId,
    drafts: Memo<Vec<DraftSummary>>,
    detail: Load<IntegrationDetail>,
) -> AnyView {
    let open = RwSignal::new(false);
    let inbox = load(None, || Box::pin(review::api::inbox()));
    live::use_changes(move |changed| {
        if matches!(changed, Changed::Review(_)) {
            inbox.soon();
        }
    });
    let reviews = Memo::new(move |_| {
        let all = inbox
            .value
            .get()
            .map(|inbox| inbox.reviews)
            .unwrap_or_default();
        let ours = all.into_iter().filter(|review| review.integration == id);
        ours.collect::<Vec<_>>()
    });
    let lines = move || {
        if drafts.with(Vec::is_empty) {
            return view! {
                <p class="empty">
                    "No draft is open. A draft changes nothing that is live until it is published."
                </p>
            }
            .into_any();
        }
        let lines = drafts
            .get()
            .into_iter()
            .map(|draft| line(draft, reviews, detail));
        view! { <ul class="draft-list">{lines.collect::<Vec<_>>()}</ul> }.into_any()
    };
    view! {
        <section class="panel-box" aria-labelledby="drafts">
            <div class="head">
                <h2 class="grow" id="drafts">
                    "Drafts"
                </h2>
                <ActionButton
                    label="Start a draft"
                    icon="plus"
                    refused=edit_refusal()
                    press=Callback::new(move |()| open.set(true))
                />
            </div>
            {lines}
            {start(id, open)}
        </section>
    }
    .into_any()
}

fn line(
    summary: DraftSummary,
    reviews: Memo<Vec<ReviewSummary>>,
    detail: Load<IntegrationDetail>,
) -> AnyView {
    let base = summary.base.map_or_else(
        || "from nothing".to_owned(),
        |number| format!("from version {number}"),
    );
    let (id, title) = (summary.id, summary.title.clone());
    let review = {
        let title = title.clone();
        move || {
            let found =
                reviews.with(|all| all.iter().find(|one| one.draft == id).map(|one| one.id));
            let title = title.clone();
            found.map(|review| {
                view! {
                    <a href=format!("/reviews/{review}")>
                        "Review"
                        <span class="visually-hidden">{format!(" of draft {title}")}</span>
                    </a>
                }
            })
        }
    };
    let refused = edit_refusal();
    let items = Signal::derive(move || {
        let title = title.clone();
        let discard = move || {
            let question = Question {
                title: "Discard this draft?".to_owned(),
                text: format!(
                    "“{title}” and everything in it is thrown away. What is live stays live."
                ),
                action: "Discard".to_owned(),
                is_destructive: true,
            };
            confirm(question, move || {
                spawn_local(async move {
                    match draft::api::discard_draft(id).await {
                        Ok(()) => toast::say("The draft is discarded."),
                        Err(fault) => toast::say_fault(&fault),
                    }
                    detail.again();
                });
            });
        };
        vec![
            MenuItem::new("Discard…", "trash", discard)
                .destructive()
                .refused(refused.get()),
        ]
    });
    view! {
        <li>
            <div class="grow">
                <div class="row">
                    <a href=format!("/drafts/{id}")>
                        <strong>{summary.title.clone()}</strong>
                    </a>
                    {draft_badge(summary.state)} {review}
                </div>
                <p class="quiet-text">
                    {format!("{base} · saved by {} ", summary.updated_by)}
                    <Ago at=summary.updated_at />
                </p>
            </div>
            <a class="button small" href=format!("/drafts/{id}")>
                "Open"
                <span class="visually-hidden">{format!(" draft {}", summary.title)}</span>
            </a>
            <Menu label=format!("More about draft {}", summary.title) items=items />
        </li>
    }
    .into_any()
}

fn start(id: IntegrationId, open: RwSignal<bool>) -> AnyView {
    let title = RwSignal::new(String::new());
    let fault = RwSignal::new(None::<String>);
    let navigate = use_navigate();
    let submit = Callback::new(move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let title = match title.with_untracked(|title| check_name(title)) {
            Ok(title) => title,
            Err(_) => {
                fault.set(Some("Say in a few words what will change.".to_owned()));
                return;
            }
        };
        let navigate = navigate.clone();
        spawn_local(async move {
            match draft::api::start_draft(id, title).await {
                Ok(draft) => navigate(&format!("/drafts/{draft}"), NavigateOptions::default()),
                Err(why) => {
                    session::notice(&why);
                    fault.try_set(Some(why.to_string()));
                }
            }
        });
    });
    view! {
        <Dialog open=open title="Start a draft">
            <form class="stack" novalidate on:submit=move |event| submit.run(event)>
                <TextField
                    label="Title"
                    value=title
                    problem=fault
                    help="What will change. It starts as a copy of what is live."
                    placeholder="Retry when the warehouse is busy"
                    autofocus=true
                />
                <div class="dialog-actions">
                    <button type="button" class="button" on:click=move |_| open.set(false)>
                        "Cancel"
                    </button>
                    <button type="submit" class="button primary">
                        "Start draft"
                    </button>
                </div>
            </form>
        </Dialog>
    }
    .into_any()
}
