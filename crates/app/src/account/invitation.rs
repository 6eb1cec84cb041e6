//! Taking an invitation.

use domain::account::{InvitationOffer, check_email, check_name, check_password};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::api;
use super::entrance::{Entrance, card};
use crate::design::field::TextField;
use crate::design::load::{load, loaded};

/// Draws the screen `/invitation/:token`.
pub(crate) fn page() -> AnyView {
    let params = use_params_map();
    let token = Memo::new(move |_| params.with(|params| params.get("token").unwrap_or_default()));
    let offer = load(None, move || Box::pin(api::read_invitation(token.get())));
    let content = loaded(offer, move |offer| form(offer, token));
    card("Join an organization", (), content)
}

fn form(offer: Signal<InvitationOffer>, token: Memo<String>) -> AnyView {
    let entrance = Entrance::new();
    let [name, email, password] = std::array::from_fn(|_| RwSignal::new(String::new()));
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        entrance.was_tried.set(true);
        let is_well = name.with_untracked(|text| check_name(text).is_ok())
            && email.with_untracked(|text| check_email(text).is_ok())
            && password.with_untracked(|text| check_password(text).is_ok());
        if is_well {
            let [name, email, password] = [name, email, password].map(|text| text.get_untracked());
            let accepting = api::accept_invitation(token.get_untracked(), name, email, password);
            entrance.enter(accepting, || {
                let _ = window().location().assign("/");
            });
        }
    };
    let lead = move || {
        let offer = offer.get();
        view! {
            <p>
                {offer.invited_by}
                " invites you to join "
                <strong>{offer.organization_name}</strong>
                " as "
                {offer.role.title()}
                "."
            </p>
        }
    };
    view! {
        {lead}
        <form class="stack" novalidate on:submit=submit>
            <TextField
                label="Your name"
                value=name
                problem=entrance.problem(name, check_name)
                autocomplete="name"
                autofocus=true
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
            {entrance.end("Join")}
        </form>
    }
    .into_any()
}
