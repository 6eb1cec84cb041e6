//! The part of the form that says where the tokens of a connection come from.

use domain::connection::{ClientAuth, Kind, OAuth};
use leptos::prelude::*;

use super::api;
use crate::design::copy::copy_button;
use crate::design::field::{Field, TextField, described};
use crate::design::unique;
use crate::session;

/// What is typed of a provider.
#[derive(Clone, Copy)]
pub(super) struct Typed {
    authorization_url: RwSignal<String>,
    token_url: RwSignal<String>,
    issuer: RwSignal<String>,
    scopes: RwSignal<String>,
    client_auth: RwSignal<ClientAuth>,
    /// One `name=value` a line.
    extra: RwSignal<String>,
    pub(super) test_client_id: RwSignal<String>,
}

impl Typed {
    pub(super) fn new(settings: Option<&OAuth>) -> Self {
        let settings = settings.cloned().unwrap_or_default();
        let line = |(name, value): &(String, String)| format!("{name}={value}");
        let extra: Vec<String> = settings.extra.iter().map(line).collect();
        Self {
            authorization_url: RwSignal::new(settings.authorization_url),
            token_url: RwSignal::new(settings.token_url),
            issuer: RwSignal::new(settings.issuer),
            scopes: RwSignal::new(settings.scopes),
            client_auth: RwSignal::new(settings.client_auth),
            extra: RwSignal::new(extra.join("\n")),
            test_client_id: RwSignal::new(settings.test_client_id),
        }
    }

    /// Returns what is typed, of a kind that has a provider.
    pub(super) fn settings(self, kind: Kind) -> Option<OAuth> {
        let pair = |line: &str| {
            let (name, value) = line.split_once('=').unwrap_or((line, ""));
            (name.to_owned(), value.to_owned())
        };
        kind.has_tokens().then(|| OAuth {
            authorization_url: self.authorization_url.get_untracked(),
            token_url: self.token_url.get_untracked(),
            issuer: self.issuer.get_untracked(),
            scopes: self.scopes.get_untracked(),
            client_auth: self.client_auth.get_untracked(),
            extra: self.extra.with_untracked(|text| {
                let lines = text.lines().filter(|line| !line.trim().is_empty());
                lines.map(pair).collect()
            }),
            test_client_id: self.test_client_id.get_untracked(),
        })
    }
}

/// Draws the fields of the provider, of a kind that has one.
pub(super) fn fields(typed: Typed, kind: RwSignal<Kind>) -> AnyView {
    let consents = Memo::new(move |_| kind.get() == Kind::OAuth);
    let has_tokens = Memo::new(move |_| kind.get().has_tokens());
    view! {
        {move || {
            has_tokens
                .get()
                .then(|| {
                    view! {
                        {move || consents.get().then(back)}
                        {move || {
                            consents
                                .get()
                                .then(|| {
                                    view! {
                                        <TextField
                                            label="Authorization URL"
                                            value=typed.authorization_url
                                            help="Where someone consents."
                                            placeholder="https://login.example.com/oauth/authorize"
                                        />
                                    }
                                })
                        }}
                        <TextField
                            label="Token URL"
                            value=typed.token_url
                            help="Where tokens are given. To change it, type the client secret again."
                            placeholder="https://login.example.com/oauth/token"
                        />
                        <TextField
                            label="Scopes"
                            value=typed.scopes
                            help="What is asked for, separated by spaces."
                            optional=true
                        />
                        {client_auth(typed)}
                        {more(typed, consents)}
                    }
                })
        }}
    }
    .into_any()
}

/// Shows where the provider sends people back to: whoever registers Sluice there needs it.
fn back() -> AnyView {
    let address = session::address(api::BACK);
    let shown = address.clone();
    view! {
        <div class="connection-back">
            <span class="quiet-text">"Redirect URI, to register with the provider"</span>
            <code>{shown}</code>
            {copy_button(address, "Copy the redirect URI")}
        </div>
    }
    .into_any()
}

fn client_auth(typed: Typed) -> AnyView {
    let id = unique("client-auth");
    let is_body = typed.client_auth.get_untracked() == ClientAuth::Body;
    let change = move |event| {
        typed
            .client_auth
            .set(match event_target_value(&event).as_str() {
                "body" => ClientAuth::Body,
                _ => ClientAuth::Basic,
            });
    };
    view! {
        <Field id=id.clone() label="Client ID and secret go" required=true>
            <select id=id.clone() class="input" aria-describedby=described(&id) on:change=change>
                <option value="basic" prop:selected=!is_body>
                    "in the header Authorization (usual)"
                </option>
                <option value="body" prop:selected=is_body>
                    "in the body"
                </option>
            </select>
        </Field>
    }
    .into_any()
}

/// Draws what few providers need, folded away.
fn more(typed: Typed, consents: Memo<bool>) -> AnyView {
    let id = unique("extra");
    view! {
        <details class="connection-test">
            <summary>"What some providers need"</summary>
            <div class="stack">
                <Field
                    id=id.clone()
                    label="Parameters"
                    help="One name=value per line, such as access_type=offline."
                >
                    <textarea
                        id=id.clone()
                        class="input code"
                        rows="2"
                        spellcheck="false"
                        aria-describedby=described(&id)
                        prop:value=move || typed.extra.get()
                        on:input=move |event| typed.extra.set(event_target_value(&event))
                    ></textarea>
                </Field>
                {move || {
                    consents
                        .get()
                        .then(|| {
                            view! {
                                <TextField
                                    label="Issuer"
                                    value=typed.issuer
                                    help="What the provider calls itself in its answers (iss). When it is given, an answer without it is not taken."
                                    optional=true
                                />
                            }
                        })
                }}
            </div>
        </details>
    }
    .into_any()
}
