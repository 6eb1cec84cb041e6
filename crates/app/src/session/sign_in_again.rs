//! The dialog over the page when a session has ended: what was typed stays under it.

use leptos::prelude::*;
use leptos::task::spawn_local;

use super::{has_ended, signed_in, use_me};
use crate::account::api;
use crate::design::dialog::Dialog;
use crate::design::field::TextField;
use crate::live;

/// The place on the page where that dialog appears; stands once in the app.
#[component]
pub fn SignInAgain() -> impl IntoView {
    let open = has_ended();
    let me = use_me();
    view! {
        <Dialog open=open firm=true title="Sign in again">
            {move || {
                let email = me.with_untracked(|me| me.as_ref().map(|me| me.email.clone()));
                form(email.unwrap_or_default())
            }}
        </Dialog>
    }
}

fn form(email: String) -> AnyView {
    let email = RwSignal::new(email);
    let password = RwSignal::new(String::new());
    let fault = RwSignal::new(None::<String>);
    let is_busy = RwSignal::new(false);
    let me = use_me();
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        is_busy.set(true);
        let before = me.get_untracked();
        spawn_local(async move {
            let signed = api::sign_in(email.get_untracked(), password.get_untracked()).await;
            let answer = match signed {
                Ok(()) => api::who_am_i().await,
                Err(fault) => Err(fault),
            };
            is_busy.try_set(false);
            match answer {
                // Another person must not find this person's page.
                Ok(now) if before.as_ref().is_some_and(|me| me.account != now.account) => {
                    let _ = window().location().assign("/");
                }
                Ok(now) => {
                    signed_in(now);
                    live::refetch();
                }
                Err(why) => {
                    fault.try_set(Some(why.to_string()));
                }
            }
        });
    };
    view! {
        <form class="stack" on:submit=submit>
            <p>"Your session has ended. What you typed is kept under this dialog."</p>
            <TextField label="E-mail" value=email kind="email" autocomplete="username" />
            <TextField
                label="Password"
                value=password
                kind="password"
                autocomplete="current-password"
                autofocus=true
            />
            <p class="form-problem" role="alert">
                {move || fault.get()}
            </p>
            <div class="dialog-actions">
                <button type="submit" class="button primary" disabled=move || is_busy.get()>
                    "Sign in"
                </button>
            </div>
        </form>
    }
    .into_any()
}
