//! The dialog that asks people by name for a review, or asks them again.

use domain::review::Person;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::super::api;
use super::desk::Desk;
use crate::design::dialog::Dialog;
use crate::design::people::PeoplePicker;
use crate::design::toast;
use crate::session;

/// Draws the dialog.
pub(super) fn dialog(desk: Desk) -> AnyView {
    let open = desk.dialogs.ask;
    view! {
        <Dialog open=open title="Ask for reviews">
            {move || open.get().then(|| untrack(|| body(desk)))}
        </Dialog>
    }
    .into_any()
}

fn body(desk: Desk) -> AnyView {
    let asked: Vec<Person> = desk.review.with_untracked(|review| {
        let asked = review.asked.iter();
        asked.map(|asked| asked.person.clone()).collect()
    });
    let chosen = RwSignal::new(asked);
    let fault = RwSignal::new(None::<String>);
    let members = desk.part(|review| review.members.clone());
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let chosen = chosen.get_untracked();
        let reviewers = chosen.into_iter().map(|person| person.account).collect();
        spawn_local(async move {
            match api::ask_reviewers(desk.id, reviewers).await {
                Ok(()) => {
                    desk.dialogs.ask.try_set(false);
                    toast::say("Asked.");
                }
                Err(why) => {
                    session::notice(&why);
                    fault.try_set(Some(why.to_string()));
                }
            }
            desk.again();
        });
    };
    view! {
        <form class="stack" novalidate on:submit=submit>
            <PeoplePicker
                label="Reviewers"
                members=members
                chosen=chosen
                help="Everyone named here is told, also who was asked before. Without anyone, whoever may decide can."
                placeholder="Name of a member"
                problem=fault
            />
            <div class="dialog-actions">
                <button type="button" class="button" on:click=move |_| desk.dialogs.ask.set(false)>
                    "Cancel"
                </button>
                <button type="submit" class="button primary">
                    "Ask"
                </button>
            </div>
        </form>
    }
    .into_any()
}
