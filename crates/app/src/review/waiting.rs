//! The line on the organization page that says how many reviews wait for the reader.

use domain::live::Changed;
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos::wasm_split::{SplitLoaderError, wasm_split};

use super::api;
use crate::design::icon::Icon;
use crate::design::load::load;
use crate::{live, session};

/// Draws the line; nothing while nothing waits. Its code comes after the page is drawn.
pub(crate) fn line() -> AnyView {
    let draw = RwSignal::new(None::<fn() -> AnyView>);
    spawn_local(async move {
        // Without it the page still has the number in its top bar.
        if let Ok(loaded) = waiting().await {
            draw.try_set(Some(loaded));
        }
    });
    view! { <span role="status">{move || draw.get().map(|draw| draw())}</span> }.into_any()
}

/// A part of the module by itself: what it reads is large, and the first page is not to wait for it.
#[wasm_split(waiting, wasm_split_path = leptos::wasm_split, fallible)]
fn waiting() -> Result<fn() -> AnyView, SplitLoaderError> {
    Ok(draw)
}

fn draw() -> AnyView {
    let inbox = load(None, || Box::pin(api::inbox()));
    live::use_changes(move |changed| {
        if matches!(changed, Changed::Review(_)) {
            inbox.soon();
        }
    });
    let me = session::use_me();
    let count = Memo::new(move |_| {
        let me = me.with(|me| me.as_ref().map(|me| me.account));
        inbox.value.with(|inbox| {
            let all = inbox.iter().flat_map(|inbox| &inbox.reviews);
            let of_me = |account| Some(account) == me;
            let mine = all.filter(|review| review.turns.iter().any(|t| of_me(t.person.account)));
            mine.count()
        })
    });
    let shown = move || {
        let words = match count.get() {
            0 => return None,
            1 => "1 review waits for you".to_owned(),
            count => format!("{count} reviews wait for you"),
        };
        Some(view! {
            <a class="badge waiting" href="/inbox">
                <Icon name="inbox" />
                {words}
            </a>
        })
    };
    shown.into_any()
}
