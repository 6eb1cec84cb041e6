//! Signing in.

use leptos::prelude::*;

use super::api;
use super::entrance::{Entrance, card};
use crate::design::field::TextField;

/// Draws the screen `/sign-in`.
pub(crate) fn page() -> AnyView {
    let entrance = Entrance::new();
    let (email, password) = (RwSignal::new(String::new()), RwSignal::new(String::new()));
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        // Where to go then is decided by the redirect, which knows where the reader came from.
        let signing_in = api::sign_in(email.get_untracked(), password.get_untracked());
        entrance.enter(signing_in, || ());
    };
    let form = view! {
        <form class="stack" on:submit=submit>
            <TextField
                label="E-mail"
                value=email
                kind="email"
                autocomplete="username"
                autofocus=true
            />
            <TextField
                label="Password"
                value=password
                kind="password"
                autocomplete="current-password"
            />
            {entrance.end("Sign in")}
        </form>
    };
    card("Sign in", (), form)
}
