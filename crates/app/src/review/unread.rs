//! The link to the inbox in the top bar, with how many notifications are unread.

use domain::live::Changed;
use leptos::prelude::*;

use super::api;
use crate::design::icon::Icon;
use crate::design::load::load;
use crate::{live, session};

/// Most that is shown as a number.
const MOST: u32 = 99;

/// Draws the link.
pub(crate) fn link(is_here: Signal<bool>) -> AnyView {
    let count = load(None, || Box::pin(api::unread_notifications()));
    let me = session::use_me();
    live::use_changes(move |changed| {
        if let Changed::Notified(account) = changed
            && me.with_untracked(|me| me.as_ref().is_some_and(|me| me.account == account))
        {
            count.soon();
        }
    });
    let unread = move || count.value.get().unwrap_or_default();
    let label = move || match unread() {
        0 => "Inbox".to_owned(),
        count => format!("Inbox, {count} unread"),
    };
    let shown = move || {
        let count = unread();
        (count > 0).then(|| {
            let text = if count > MOST {
                format!("{MOST}+")
            } else {
                count.to_string()
            };
            view! { <span class="top-count" aria-hidden="true">{text}</span> }
        })
    };
    view! {
        <a
            class="button quiet icon-only top-inbox"
            href="/inbox"
            aria-label=label
            title=label
            aria-current=move || is_here.get().then_some("page")
        >
            <Icon name="inbox" />
            {shown}
        </a>
    }
    .into_any()
}
