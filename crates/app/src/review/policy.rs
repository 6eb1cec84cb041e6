//! The review policy: what must be true before a draft is published, and who owns what.

mod integrations;
mod owners;
mod rules;

use domain::IntegrationId;
use domain::live::Changed;
use domain::policy::Act;
use domain::review::Policy;
use domain::review::policy::PolicySettings;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::api;
use crate::design::load::{Load, load, loaded};
use crate::design::toast;
use crate::screen::Page;
use crate::{live, session};

/// Draws the screen `/settings/review`.
pub(crate) fn page() -> AnyView {
    let settings = load(None, || Box::pin(api::policy_settings()));
    live::use_changes(move |changed| match changed {
        Changed::Organization | Changed::Integration(_) => settings.soon(),
        _ => {}
    });
    let may = session::may(Act::ManagePolicy);
    let may_manage = Signal::derive(move || may.get().is_ok());
    let denied = move || {
        let denied = may.get().err()?;
        Some(view! { <p class="notice" role="status">{denied.to_string()}</p> })
    };
    let content = loaded(settings, move |shown| {
        view! {
            {organization(shown, settings, may_manage)}
            {integrations::section(shown, settings, may_manage)}
            {owners::section(shown, settings, may_manage)}
        }
        .into_any()
    });
    view! {
        <Page title="Review policy">
            <div class="narrow stack wide-gap">
                <p>
                    "A draft goes live when these rules are met. The review of a draft, and the dialog in which it is published, show each rule with what is missing."
                </p>
                {denied}
                {content}
            </div>
        </Page>
    }
    .into_any()
}

fn organization(
    shown: Signal<PolicySettings>,
    settings: Load<PolicySettings>,
    may_manage: Signal<bool>,
) -> AnyView {
    let kept = Memo::new(move |_| shown.with(|shown| shown.organization.clone()));
    let policy = RwSignal::new(kept.get_untracked());
    // Someone else's change is shown, unless the reader is changing it too.
    Effect::watch(
        move || kept.get(),
        move |new, old, _| {
            if old.is_some_and(|old| policy.with_untracked(|policy| policy == old)) {
                policy.set(new.clone());
            }
        },
        false,
    );
    let is_changed = Memo::new(move |_| policy.with(|policy| kept.with(|kept| policy != kept)));
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if is_changed.get_untracked() && may_manage.get_untracked() {
            let done = "The review policy is saved. It holds from now on, also for open reviews.";
            set(
                None,
                Some(policy.get_untracked()),
                done.to_owned(),
                settings,
            );
        }
    };
    view! {
        <section class="panel-box" aria-labelledby="organization-policy">
            <div class="head">
                <h2 id="organization-policy">"Everywhere in the organization"</h2>
            </div>
            <form class="body stack" novalidate on:submit=submit>
                {rules::form(policy, may_manage)}
                <div class="row" hidden=move || !may_manage.get()>
                    <button
                        type="submit"
                        class="button primary"
                        prop:disabled=move || !is_changed.get()
                    >
                        "Save the policy"
                    </button>
                    <button
                        type="button"
                        class="button"
                        hidden=move || !is_changed.get()
                        on:click=move |_| policy.set(kept.get_untracked())
                    >
                        "Undo the changes"
                    </button>
                </div>
            </form>
        </section>
    }
    .into_any()
}

/// Sets a policy, says that it is done, and asks again for what holds.
fn set(
    integration: Option<IntegrationId>,
    policy: Option<Policy>,
    done: String,
    settings: Load<PolicySettings>,
) {
    spawn_local(async move {
        match api::set_policy(integration, policy).await {
            Ok(()) => toast::say(done),
            Err(fault) => toast::say_fault(&fault),
        }
        settings.again();
    });
}
