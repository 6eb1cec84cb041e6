//! The alerts page: whether one is told by e-mail that integrations fail.

use domain::account::Role;
use domain::alert::QUIET_SECONDS;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::api;
use crate::design::load::{Load, load, loaded};
use crate::design::toast;
use crate::screen::Page;
use crate::session;

/// Draws the screen `/settings/alerts`.
pub(crate) fn page() -> AnyView {
    let wants = load(None, || Box::pin(api::wants_alerts()));
    let content = loaded(wants, move |shown| switch(shown, wants));
    let minutes = QUIET_SECONDS / 60;
    view! {
        <Page title="Alerts">
            <div class="narrow stack">
                <p>
                    "An integration is failing from the first run that ends badly until one succeeds. You get one e-mail when that begins, with the step and the reason, and one when it works again. Polls that fail for more than a moment are told the same way. Tests never alert."
                </p>
                {content}
                <p class="quiet-text">
                    {format!(
                        "Of one integration that fails and recovers by turns you are told at most every {minutes} minutes. E-mail goes out when an SMTP server is set up.",
                    )}
                </p>
            </div>
        </Page>
    }
    .into_any()
}

fn switch(shown: Signal<bool>, wants: Load<bool>) -> AnyView {
    let me = session::use_me();
    let about = move || {
        let is_admin = me.with(|me| me.as_ref().is_some_and(|me| me.role == Role::Admin));
        match is_admin {
            true => "As an Admin, you are told of every integration of the organization.",
            false => "You are told of integrations whose live version you published.",
        }
    };
    let toggle = move |_| {
        let wanted = !shown.get_untracked();
        spawn_local(async move {
            match api::set_wants_alerts(wanted).await {
                Ok(()) if wanted => toast::say("You are told when integrations fail."),
                Ok(()) => toast::say("You are not told any more."),
                Err(fault) => toast::say_fault(&fault),
            }
            wants.again();
        });
    };
    view! {
        <section class="panel-box" aria-labelledby="my-alerts">
            <div class="head">
                <h2 class="grow" id="my-alerts">
                    "To you"
                </h2>
                <button
                    type="button"
                    class="switch"
                    role="switch"
                    aria-checked=move || shown.get().to_string()
                    aria-describedby="my-alerts-about"
                    on:click=toggle
                >
                    "E-mail me when integrations fail"
                </button>
            </div>
            <div class="body">
                <p id="my-alerts-about">{about}</p>
            </div>
        </section>
    }
    .into_any()
}
