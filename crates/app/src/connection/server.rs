//! The part of the form that says which server a connection logs in to.

use domain::connection::{Kind, Server, Tls};
use leptos::prelude::*;

use crate::design::field::{Field, TextField, described};
use crate::design::unique;

/// What is typed of a server.
#[derive(Clone, Copy)]
pub(super) struct Typed {
    host: RwSignal<String>,
    port: RwSignal<String>,
    tls: RwSignal<Tls>,
    database: RwSignal<String>,
    sender: RwSignal<String>,
    certificates: RwSignal<String>,
}

impl Typed {
    pub(super) fn new(server: Option<&Server>) -> Self {
        let port = server.map(|server| server.port.to_string());
        let server = server.cloned().unwrap_or_default();
        Self {
            host: RwSignal::new(server.host),
            port: RwSignal::new(port.unwrap_or_default()),
            tls: RwSignal::new(server.tls),
            database: RwSignal::new(server.database),
            sender: RwSignal::new(server.sender),
            certificates: RwSignal::new(server.certificates),
        }
    }

    /// Returns what is typed, of a kind that has a server. What is no port is refused as one.
    pub(super) fn server(self, kind: Kind) -> Option<Server> {
        kind.has_server().then(|| Server {
            host: self.host.get_untracked(),
            port: self
                .port
                .with_untracked(|port| port.trim().parse().unwrap_or_default()),
            tls: self.tls.get_untracked(),
            database: self.database.get_untracked(),
            sender: self.sender.get_untracked(),
            certificates: self.certificates.get_untracked(),
        })
    }

    /// Begins anew for another kind: with the port and the encryption that are usual for it.
    pub(super) fn begin(self, kind: Kind) {
        self.port.set(
            match kind {
                Kind::Smtp => "587",
                Kind::Postgres => "5432",
                _ => "",
            }
            .to_owned(),
        );
        self.tls.set(Tls::default());
    }
}

/// Draws the fields of the server, of a kind that has one.
pub(super) fn fields(typed: Typed, kind: RwSignal<Kind>) -> AnyView {
    view! { {move || of(typed, kind.get())} }.into_any()
}

fn of(typed: Typed, kind: Kind) -> AnyView {
    match kind {
        Kind::Smtp => view! {
            {place(typed, kind, "mail.example.com")}
            <TextField
                label="Sender"
                value=typed.sender
                help="The address that all e-mails of this connection come from."
                placeholder="shop@example.com"
            />
        }
        .into_any(),
        Kind::Postgres => view! {
            {place(typed, kind, "db.example.com")}
            <TextField label="Database" value=typed.database />
        }
        .into_any(),
        _ => ().into_any(),
    }
}

/// Draws where the server is, and how the way there is protected.
fn place(typed: Typed, kind: Kind, example: &'static str) -> AnyView {
    let (select, area) = (unique("tls"), unique("certificates"));
    let change = move |event| {
        if let Some(tls) = Tls::from_key(&event_target_value(&event)) {
            typed.tls.set(tls);
        }
    };
    let line = move |tls: &Tls| {
        let tls = *tls;
        view! {
            <option value=tls.key() prop:selected=move || typed.tls.get() == tls>
                {tls.title(kind)}
            </option>
        }
    };
    view! {
        <div class="connection-row">
            <TextField label="Host" value=typed.host placeholder=example />
            <TextField label="Port" value=typed.port kind="number" />
        </div>
        <Field
            id=select.clone()
            label="Encryption"
            help="What is encrypted is checked, too: the certificate must be the host's."
            required=true
        >
            <select
                id=select.clone()
                class="input"
                aria-describedby=described(&select)
                on:change=change
            >
                {Tls::of(kind).iter().map(line).collect::<Vec<_>>()}
            </select>
        </Field>
        <details class="connection-test">
            <summary>"An authority of your own"</summary>
            <Field
                id=area.clone()
                label="Certificates"
                help="PEM. When they are given, only what they signed is trusted for this server."
            >
                <textarea
                    id=area.clone()
                    class="input code"
                    rows="3"
                    spellcheck="false"
                    placeholder="-----BEGIN CERTIFICATE-----"
                    aria-describedby=described(&area)
                    prop:value=move || typed.certificates.get()
                    on:input=move |event| typed.certificates.set(event_target_value(&event))
                ></textarea>
            </Field>
        </details>
    }
    .into_any()
}
