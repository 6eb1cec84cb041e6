//! One comment: who, when, what; for whoever wrote it, a menu to change or delete it.

use domain::CommentId;
use domain::review::{Comment, Thread};
use leptos::prelude::*;

use super::super::api;
use super::composer::composer;
use super::desk::Desk;
use super::spot::{Purpose, Spot};
use super::suggestion;
use crate::change::plain;
use crate::design::confirm::{Question, confirm};
use crate::design::icon::Icon;
use crate::design::markdown::markdown;
use crate::design::menu::{Menu, MenuItem};
use crate::design::time::Ago;

/// Draws a comment of a thread.
pub(super) fn comment(desk: Desk, thread: ArcRwSignal<Thread>, id: CommentId) -> AnyView {
    let found = thread.clone();
    let comment = Memo::new(move |before: Option<&Comment>| {
        let now = found.with(|thread| thread.comments.iter().find(|c| c.id == id).cloned());
        now.or_else(|| before.cloned())
            .expect("a comment is drawn from the thread that holds it")
    });
    let purpose = Purpose::Edit(id);
    let is_edited = {
        let purpose = purpose.clone();
        Memo::new(move |_| desk.unsent.is_open(&purpose))
    };
    let at = thread.with_untracked(|thread| Spot {
        place: desk.place_of(thread),
        on_base: thread.on_base,
        part: None,
    });
    let has_suggestion = Memo::new(move |_| comment.with(|comment| comment.suggestion.is_some()));
    let body = move || {
        if is_edited.get() {
            return untrack(|| composer(desk, purpose.clone(), at.clone()));
        }
        let (text, is_deleted) = comment.with(|c| (c.body.clone(), c.is_deleted));
        if is_deleted {
            view! { <p class="quiet-text">"Deleted by its author."</p> }.into_any()
        } else {
            markdown(&text)
        }
    };
    let shown = move || {
        (has_suggestion.get() && !is_edited.get())
            .then(|| untrack(|| suggestion::show(desk, thread.clone(), comment)))
    };
    view! {
        <article class="comment">
            {head(desk, comment)} {body} {shown}
        </article>
    }
    .into_any()
}

fn head(desk: Desk, comment: Memo<Comment>) -> AnyView {
    let (by, at) = comment.with_untracked(|comment| (comment.by.clone(), comment.at));
    let initial: String = by.name.chars().take(1).collect();
    let is_mine = desk.is_me(&by);
    let marks = move || {
        let (is_edited, is_pending) = comment.with(|c| (c.edited_at.is_some(), c.is_pending));
        view! {
            {is_edited.then(|| view! { <span class="quiet-text">"edited"</span> })}
            {is_pending
                .then(|| {
                    view! {
                        <span class="badge warning" title="Sent when you finish your review">
                            <Icon name="hourglass" />
                            "Pending: only you see it"
                        </span>
                    }
                })}
        }
    };
    let can_change =
        move || is_mine && desk.is_open() && comment.with(|comment| !comment.is_deleted);
    let name = by.name.clone();
    view! {
        <header class="comment-head">
            <span class="avatar" aria-hidden="true">
                {initial}
            </span>
            <strong>{by.name}</strong>
            <span class="quiet-text">
                <Ago at=at />
            </span>
            {marks}
            <span class="grow"></span>
            {move || can_change().then(|| menu(desk, comment, &name))}
        </header>
    }
    .into_any()
}

fn menu(desk: Desk, comment: Memo<Comment>, name: &str) -> AnyView {
    let edit = move || {
        let (id, body, suggestion) = comment.with_untracked(|comment| {
            let suggestion = comment.suggestion.as_ref().map(|s| plain(&s.value));
            (comment.id, comment.body.clone(), suggestion)
        });
        let purpose = Purpose::Edit(id);
        let writing = desk.unsent.writing(&purpose);
        writing.text.set(body);
        writing.suggestion.set(suggestion);
        desk.unsent.open(purpose);
    };
    let delete = move || {
        let id = comment.with_untracked(|comment| comment.id);
        let question = Question {
            title: "Delete this comment?".to_owned(),
            text: "Its text is gone for good; answers to it stay.".to_owned(),
            action: "Delete".to_owned(),
            is_destructive: true,
        };
        confirm(question, move || desk.act(api::delete_comment(id), || ()));
    };
    let items = Signal::derive(move || {
        vec![
            MenuItem::new("Edit", "pencil", edit),
            MenuItem::new("Delete", "trash", delete).destructive(),
        ]
    });
    view! { <Menu label=format!("Comment of {name}") items=items /> }.into_any()
}
