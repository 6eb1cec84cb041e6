//! What calls an integration, on its page and before it is disabled.

use domain::IntegrationId;
use domain::call::Caller;
use domain::live::Changed;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::api;
use crate::design::confirm::{Question, confirm};
use crate::design::load::{load, loaded};
use crate::design::toast;
use crate::live;

/// Draws the section.
pub(crate) fn section(id: IntegrationId) -> AnyView {
    let callers = load(None, move || Box::pin(api::callers(id)));
    live::use_changes(move |changed| {
        if matches!(changed, Changed::Integration(_) | Changed::Draft(..)) {
            callers.soon();
        }
    });
    view! {
        <p class="quiet-text">
            "Other integrations start it with the step “Call integration”. Their runs and those of this one link to each other."
        </p>
        <section class="stack" aria-labelledby="callers">
            <h3 id="callers">"Called by"</h3>
            {loaded(callers, list)}
        </section>
    }
    .into_any()
}

fn list(callers: Signal<Vec<Caller>>) -> AnyView {
    let lines = move || {
        if callers.with(Vec::is_empty) {
            return view! { <p class="quiet-text">"Nothing calls it, neither live nor in a draft."</p> }
                .into_any();
        }
        let lines = callers.get().into_iter().map(line);
        view! { <ul class="callers-list">{lines.collect::<Vec<_>>()}</ul> }.into_any()
    };
    view! { {lines} }.into_any()
}

fn line(caller: Caller) -> AnyView {
    let integration = format!("/integrations/{}", caller.integration);
    let how = match caller.draft {
        None => view! { <span class="quiet-text">"live"</span> }.into_any(),
        Some((id, title)) => view! {
            <span class="quiet-text">
                "in the draft " <a href=format!("/drafts/{id}")>{title}</a>
            </span>
        }
        .into_any(),
    };
    view! {
        <li>
            <span class="call-link">
                <a href=integration>{caller.name}</a>
                " "
                {how}
            </span>
        </li>
    }
    .into_any()
}

/// Does something that keeps calls from starting an integration; asks first when what is live of
/// others calls it.
pub(crate) fn unless_called(id: IntegrationId, act: impl Fn() + Send + Sync + 'static) {
    spawn_local(async move {
        match api::callers(id).await {
            Ok(callers) => match Caller::names(&callers) {
                names if names.is_empty() => act(),
                names => {
                    let question = Question {
                        title: "Disable what others call?".to_owned(),
                        text: format!(
                            "{names} calls this integration: that step fails from then on."
                        ),
                        action: "Disable".to_owned(),
                        is_destructive: true,
                    };
                    confirm(question, act);
                }
            },
            Err(fault) => toast::say_fault(&fault),
        }
    });
}
