//! What happened: each with the review it is about, until it is read.

use domain::NotificationId;
use domain::review::{Happening, Inbox, Notification};
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::api;
use crate::design::icon::Icon;
use crate::design::load::Load;
use crate::design::time::Ago;
use crate::design::toast;

/// Draws the section.
pub(super) fn section(shown: Signal<Inbox>, inbox: Load<Inbox>) -> AnyView {
    let all = Memo::new(move |_| shown.with(|inbox| inbox.notifications.clone()));
    let has_unread = Memo::new(move |_| all.with(|all| all.iter().any(|one| !one.is_read)));
    let lines = move || {
        if all.with(Vec::is_empty) {
            return view! { <p class="empty">"Nothing happened yet. What others do in your reviews is told here."</p> }
                .into_any();
        }
        let lines = all.get().into_iter().map(|one| line(one, inbox));
        view! { <ul class="notification-list">{lines.collect::<Vec<_>>()}</ul> }.into_any()
    };
    view! {
        <section class="panel-box" aria-labelledby="notifications">
            <div class="head">
                <h2 class="grow" id="notifications">
                    "Notifications"
                </h2>
                <button
                    type="button"
                    class="button small"
                    hidden=move || !has_unread.get()
                    on:click=move |_| read(Vec::new(), inbox)
                >
                    "Mark all as read"
                </button>
            </div>
            {lines}
        </section>
    }
    .into_any()
}

/// Marks notifications as read, all when none is named.
fn read(ids: Vec<NotificationId>, inbox: Load<Inbox>) {
    spawn_local(async move {
        if let Err(fault) = api::read_notifications(ids).await {
            toast::say_fault(&fault);
        }
        inbox.again();
    });
}

const fn icon(happening: Happening) -> &'static str {
    match happening {
        Happening::Asked => "review",
        Happening::Commented | Happening::Mentioned => "comment",
        Happening::Approved => "circle-check",
        Happening::Rejected => "circle-x",
        Happening::ApprovalStale => "history",
        Happening::Withdrawn => "undo",
        Happening::Published => "rocket",
    }
}

fn line(one: Notification, inbox: Load<Inbox>) -> AnyView {
    let id = one.id;
    let address = match one.thread {
        Some(thread) => format!("/reviews/{}?thread={thread}", one.review),
        None => format!("/reviews/{}", one.review),
    };
    let is_unread = !one.is_read;
    let mark = move || {
        if is_unread {
            read(vec![id], inbox);
        }
    };
    let button = is_unread.then(|| {
        let label = format!(
            "Mark as read: {} {} {}",
            one.by.name,
            one.happening.says(),
            one.title
        );
        view! {
            <button
                type="button"
                class="button quiet icon-only small"
                aria-label=label
                title="Mark as read"
                on:click=move |_| mark()
            >
                <Icon name="check" />
            </button>
        }
    });
    view! {
        <li class:is-unread=is_unread>
            <span class="notification-icon" data-happening=one.happening.key()>
                <Icon name=icon(one.happening) />
            </span>
            <div class="grow">
                <p>
                    {is_unread.then(|| view! { <span class="visually-hidden">"Unread: "</span> })}
                    <strong>{one.by.name.clone()}</strong>
                    {format!(" {} ", one.happening.says())}
                    <a href=address on:click=move |_| mark()>
                        {one.title.clone()}
                    </a>
                </p>
                <p class="quiet-text">
                    <Ago at=one.at />
                </p>
            </div>
            {button}
        </li>
    }
    .into_any()
}
