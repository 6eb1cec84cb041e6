//! The dialog that changes a review's title and description.

use domain::account::check_name;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::super::api;
use super::desk::Desk;
use crate::design::dialog::Dialog;
use crate::design::field::TextField;
use crate::design::markdown::MarkdownEditor;
use crate::session;

/// Draws the dialog.
pub(super) fn dialog(desk: Desk) -> AnyView {
    let open = desk.dialogs.describe;
    view! {
        <Dialog open=open title="Edit title and description" wide=true>
            {move || open.get().then(|| untrack(|| body(desk)))}
        </Dialog>
    }
    .into_any()
}

fn body(desk: Desk) -> AnyView {
    let (title, description) = desk
        .review
        .with_untracked(|review| (review.summary.title.clone(), review.description.clone()));
    let (title, description) = (RwSignal::new(title), RwSignal::new(description));
    let fault = RwSignal::new(None::<String>);
    let send = move || match title.with_untracked(|title| check_name(title)) {
        Err(refusal) => fault.set(Some(refusal.to_string())),
        Ok(title) => spawn_local(async move {
            let text = description.get_untracked();
            match api::describe_review(desk.id, title, text).await {
                Ok(()) => {
                    desk.dialogs.describe.try_set(false);
                }
                Err(why) => {
                    session::notice(&why);
                    fault.try_set(Some(why.to_string()));
                }
            }
            desk.again();
        }),
    };
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        send();
    };
    let members = desk.part(|review| review.members.clone());
    view! {
        <form class="stack" novalidate on:submit=submit>
            <TextField label="Title" value=title problem=fault autofocus=true />
            <MarkdownEditor
                value=description
                label="Description"
                members=members
                optional=true
                rows=8
                submit=Callback::new(move |()| send())
            />
            <div class="dialog-actions">
                <button
                    type="button"
                    class="button"
                    on:click=move |_| desk.dialogs.describe.set(false)
                >
                    "Cancel"
                </button>
                <button type="submit" class="button primary">
                    "Save"
                </button>
            </div>
        </form>
    }
    .into_any()
}
