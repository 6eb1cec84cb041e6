//! The first screen of a new installation: the organization and its Admin.

use domain::account::{check_email, check_name, check_password};
use leptos::prelude::*;

use super::api;
use super::entrance::{Entrance, card};
use crate::design::field::TextField;

/// Draws the screen `/set-up`.
pub(crate) fn page() -> AnyView {
    let entrance = Entrance::new();
    let [organization, name, email, password] =
        std::array::from_fn(|_| RwSignal::new(String::new()));
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        entrance.was_tried.set(true);
        let is_well = organization.with_untracked(|text| check_name(text).is_ok())
            && name.with_untracked(|text| check_name(text).is_ok())
            && email.with_untracked(|text| check_email(text).is_ok())
            && password.with_untracked(|text| check_password(text).is_ok());
        if is_well {
            let [organization, name, email, password] =
                [organization, name, email, password].map(|text| text.get_untracked());
            entrance.enter(api::set_up(organization, name, email, password), || ());
        }
    };
    let form = view! {
        <form class="stack" novalidate on:submit=submit>
            <TextField
                label="Organization"
                value=organization
                problem=entrance.problem(organization, check_name)
                autocomplete="organization"
                placeholder="Example Ltd"
                autofocus=true
            />
            <TextField
                label="Your name"
                value=name
                problem=entrance.problem(name, check_name)
                autocomplete="name"
            />
            <TextField
                label="E-mail"
                value=email
                problem=entrance.problem(email, check_email)
                kind="email"
                autocomplete="username"
            />
            <TextField
                label="Password"
                value=password
                problem=entrance.problem(password, check_password)
                help="At least 12 characters. A few words in a row are easy to remember."
                kind="password"
                autocomplete="new-password"
            />
            {entrance.end("Create organization")}
        </form>
    };
    let lead = view! {
        <p class="quiet-text">
            "Create your organization and its first Admin: you. Others join by invitation."
        </p>
    };
    card("Set up Sluice", lead, form)
}
