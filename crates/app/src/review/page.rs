//! The page `/reviews/:id`: what a draft changes, what is said about it, and the decision.
//!
//! `desk` holds what the server told and what the reader does; all else draws parts of it. What
//! the server tells anew changes only the parts that differ: nothing that is open closes, nothing
//! that is typed is lost.

mod canvas;
mod card;
mod comment;
mod compare;
mod composer;
mod conversation;
mod describe;
mod desk;
mod entry_rows;
mod field_row;
mod finish;
mod header;
mod keys;
mod link;
mod outline;
mod people;
mod rail;
mod revisions;
mod selection;
mod spot;
mod suggestion;
mod summary;
mod thread_box;
mod threads;
mod toolbar;
mod unsent;
mod viewed;

use domain::ReviewId;
use domain::live::{Changed, Place};
use domain::presence::At;
use domain::review::Review;
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::api;
use crate::design::load::{Load, fault_box, load};
use crate::design::markdown::Mentionable;
use crate::fault::Fault;
use crate::live;
use crate::presence::{self, Presence};
use crate::screen::Page;
use desk::{Desk, View};
use link::{Links, Tab};

/// Draws the screen `/reviews/:id`.
pub(crate) fn page() -> AnyView {
    let params = use_params_map();
    let id = Memo::new(move |_| {
        params.with(|params| {
            let id = params.get("id");
            id.and_then(|id| id.parse::<ReviewId>().ok())
        })
    });
    let content = move || match id.get() {
        Some(id) => of(id),
        None => fault_box(&Fault::NotFound, || ()),
    };
    content.into_any()
}

fn of(id: ReviewId) -> AnyView {
    let opened: RwSignal<Option<Desk>> = RwSignal::new(None);
    // A comment does not bring the documents again.
    let review = load(None, move || {
        let known = opened.get_untracked().map(Desk::known);
        Box::pin(api::read_review(id, known))
    });
    let links = Links::at(format!("/reviews/{id}"));
    let owner = Owner::current();
    Effect::new(move || {
        review.value.track();
        // The documents are large: taken, not copied.
        let Some(mut told) = review.value.try_update_untracked(Option::take).flatten() else {
            return;
        };
        let documents = told.documents.take();
        match (opened.get_untracked(), documents, &owner) {
            (Some(desk), documents, _) => desk.put(told, documents),
            // The signals of the desk live as long as the page, not as this effect.
            (None, Some(documents), Some(owner)) => {
                let desk = owner.with(|| Desk::open(told, documents, review, links));
                opened.set(Some(desk));
            }
            (None, ..) => {}
        }
    });
    let content = move || match opened.get() {
        Some(desk) => untrack(|| desk_view(desk, review)),
        None => waiting(review),
    };
    content.into_any()
}

fn waiting(review: Load<Review>) -> AnyView {
    let content = move || match review.fault.get() {
        Some(fault) => fault_box(&fault, move || review.again()),
        None => view! {
            <div class="skeleton" aria-busy="true">
                <span class="visually-hidden">"Loading"</span>
                <span class="bone"></span>
                <span class="bone"></span>
                <span class="bone"></span>
            </div>
        }
        .into_any(),
    };
    view! { <Page title="Review">{content}</Page> }.into_any()
}

fn desk_view(desk: Desk, review: Load<Review>) -> AnyView {
    let trouble = move || {
        let fault = review.fault.get();
        fault.map(|fault| fault_box(&fault, move || review.again()))
    };
    let (draft, integration, name) = desk.review.with_untracked(|review| {
        let summary = &review.summary;
        (
            summary.draft,
            summary.integration,
            summary.integration_name.clone(),
        )
    });
    live::use_changes(move |changed| match changed {
        Changed::Review(id) if id == desk.id => desk.soon(),
        Changed::Draft(id, _) if id == draft => desk.soon(),
        Changed::Integration(id) if id == integration => desk.soon(),
        _ => {}
    });
    provide_context(Mentionable(
        desk.part(|review| review.members.clone()).into(),
    ));
    let at = Signal::derive(move || At {
        step: desk.at.get(),
        field: None,
    });
    provide_context(presence::announce(Place::Review(desk.id), at));
    viewed::tell_looked(desk);
    keys::listen(desk);
    follow_address(desk);
    let title = desk.part(|review| review.summary.title.clone());
    let beside = view! {
        {header::badge(desk)}
        {presence::who_is_here(expect_context::<Presence>())}
    }
    .into_any();
    let above = view! {
        <a href="/">"Integrations"</a>
        <a href=format!("/integrations/{integration}")>{name}</a>
    }
    .into_any();
    let is_wide =
        Memo::new(move |_| desk.links.tab.get() == Tab::Changes && desk.view.get() == View::Canvas);
    view! {
        <div class="review">
            <Page
                title=title
                above=above
                beside=beside
                actions=header::actions(desk)
            >
                {trouble} {header::standing(desk)} {tabs(desk)}
                <div class="review-body" class:is-wide=move || is_wide.get()>
                    <div class="review-main">{content(desk)}</div>
                    {rail::view(desk)}
                </div>
            </Page>
            {selection::button(desk)} {finish::dialog(desk)} {people::dialog(desk)}
            {describe::dialog(desk)} {keys::dialog(desk)}
        </div>
    }
    .into_any()
}

/// Opens what the address points at: a thread, or a step.
fn follow_address(desk: Desk) {
    Effect::new(move || {
        let thread = desk.links.thread.get();
        let target = desk.links.target.get();
        let place = thread.and_then(|id| {
            let thread = desk.threads.get(id)?;
            Some(thread.with_untracked(|thread| desk.place_of(thread)))
        });
        match (thread.zip(place), target) {
            (Some((id, place)), _) => {
                if let Some(target) = place.target {
                    desk.revealed.set(Some(target));
                }
                link::scroll_to(thread_box::element_id(id));
            }
            (None, Some(target)) => desk.go_to(target),
            (None, None) => {}
        }
    });
}

fn tabs(desk: Desk) -> AnyView {
    let threads = Memo::new(move |_| {
        let all = desk.threads.all();
        let open = all.iter().filter(|(id, _)| {
            let thread = desk.threads.get(*id);
            thread.is_some_and(|thread| thread.with(domain::review::Thread::is_open))
        });
        open.count()
    });
    let changes = Memo::new(move |_| desk.compare.whole.with(|whole| whole.changes.count()));
    let count = move |tab: Tab| match tab {
        Tab::Changes => Some(changes.get()),
        Tab::Conversation => Some(threads.get()).filter(|count| *count > 0),
        Tab::Revisions => None,
    };
    let tab = move |(tab, _, name): (Tab, &str, &'static str)| {
        view! {
            <a
                class="tab"
                href=move || desk.links.of_tab(tab)
                data-noscroll=""
                aria-current=move || (desk.links.tab.get() == tab).then_some("page")
            >
                {name}
                {move || count(tab).map(|count| view! { <span class="tab-count">{count}</span> })}
            </a>
        }
    };
    view! {
        <nav class="tabs" aria-label="Review">
            {Tab::ALL.into_iter().map(tab).collect::<Vec<_>>()}
        </nav>
    }
    .into_any()
}

/// Draws the tab that is chosen. The changes stay drawn behind the others: they are large, and
/// where one was in them is worth keeping.
fn content(desk: Desk) -> AnyView {
    let tab = desk.links.tab;
    let was_shown = Memo::new(move |was: Option<&bool>| {
        was.copied().unwrap_or_default() || tab.get() == Tab::Changes
    });
    // Only the choice is followed: each part follows by itself what it shows.
    let other = move || {
        let tab = tab.get();
        untrack(|| match tab {
            Tab::Changes => ().into_any(),
            Tab::Conversation => conversation::view(desk),
            Tab::Revisions => revisions::view(desk),
        })
    };
    view! {
        <div hidden=move || tab.get() != Tab::Changes>
            {move || was_shown.get().then(|| untrack(|| changes(desk)))}
        </div>
        {other}
    }
    .into_any()
}

fn changes(desk: Desk) -> AnyView {
    let is_canvas = Memo::new(move |_| desk.view.get() == View::Canvas);
    let fault = move || {
        let fault = desk.compare.fault.get();
        fault.map(|fault| fault_box(&fault, move || desk.again()))
    };
    view! {
        <section aria-labelledby="changes">
            <h2 class="visually-hidden" id="changes">
                "Changes"
            </h2>
            {toolbar::view(desk)} {fault} {summary::view(desk)}
            <div aria-busy=move || desk.compare.is_loading.get().to_string()>
                {move || {
                    let is_canvas = is_canvas.get();
                    untrack(|| if is_canvas { canvas::view(desk) } else { outline::view(desk) })
                }}
            </div>
        </section>
    }
    .into_any()
}
