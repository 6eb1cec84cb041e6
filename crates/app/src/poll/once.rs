//! Polling once for a draft, so that its tests have real items.

use domain::DraftId;
use domain::policy::Act;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::api;
use crate::design::action::{ActionButton, refusal};
use crate::session;

/// Draws the button, and what came of it. What is polled is the draft as the server has it, so
/// `is_saved` holds it back while edits are on their way.
pub(crate) fn button(draft: DraftId, is_saved: Signal<bool>) -> AnyView {
    let (said, is_busy) = (RwSignal::new(String::new()), RwSignal::new(false));
    let may = refusal(Act::Test);
    let refused = Signal::derive(move || {
        may.get().or_else(|| {
            let waits = !is_saved.get();
            waits.then(|| "Your changes are being saved.".to_owned())
        })
    });
    let press = move |()| {
        if is_busy.get_untracked() {
            return;
        }
        is_busy.set(true);
        said.set("Waiting for the answer…".to_owned());
        spawn_local(async move {
            let answer = api::poll_once(draft).await;
            is_busy.try_set(false);
            said.try_set(match answer {
                Ok(Ok(0)) => "The list is empty.".to_owned(),
                Ok(Ok(1)) => "The list has 1 item.".to_owned(),
                Ok(Ok(count)) => format!("The list has {count} items; the first are kept."),
                Ok(Err(why)) => why,
                Err(fault) => {
                    session::notice(&fault);
                    fault.to_string()
                }
            });
        });
    };
    view! {
        <ActionButton label="Poll now" icon="repeat" refused=refused press=Callback::new(press) />
        <p role="status">{move || said.get()}</p>
    }
    .into_any()
}
