//! The connections page: which there are, where each may be sent, what uses it, how it went.

use domain::connection::{Connection, Details, Use};
use domain::live::Changed;
use domain::network::Down;
use domain::policy::Act;
use leptos::prelude::*;

use super::{api, form, standing, try_out};
use crate::design::action::{ActionButton, refusal};
use crate::design::confirm::confirm_deletion;
use crate::design::load::{Load, load, loaded};
use crate::design::time::Ago;
use crate::screen::Page;
use crate::{live, network, session};

/// What the dialogs of this page are about.
#[derive(Clone, Copy)]
struct Desk {
    all: Load<Vec<Connection>>,
    uses: Load<Vec<Use>>,
    /// Hosts to which requests are refused.
    down: Load<Vec<Down>>,
    /// The connection that is changed; `None` for a new one.
    edited: RwSignal<Option<Connection>>,
    is_editing: RwSignal<bool>,
    tried: RwSignal<Option<Connection>>,
    is_trying: RwSignal<bool>,
}

/// Draws the screen `/settings/connections`.
pub(crate) fn page() -> AnyView {
    let may_use = session::may(Act::EditDraft);
    let desk = Desk {
        all: load(None, || Box::pin(api::connections())),
        uses: load(None, move || {
            let may_use = may_use.get().is_ok();
            Box::pin(async move {
                if may_use {
                    api::connection_uses().await
                } else {
                    Ok(Vec::new())
                }
            })
        }),
        down: load(None, || Box::pin(network::api::hosts_down())),
        edited: RwSignal::new(None),
        is_editing: RwSignal::new(false),
        tried: RwSignal::new(None),
        is_trying: RwSignal::new(false),
    };
    live::use_changes(move |changed| match changed {
        Changed::Organization => {
            desk.all.soon();
            desk.uses.soon();
            desk.down.soon();
        }
        Changed::Draft(..) | Changed::Integration(_) => desk.uses.soon(),
        _ => {}
    });
    let new = move |()| {
        desk.edited.set(None);
        desk.is_editing.set(true);
    };
    let actions = view! {
        <ActionButton
            label="New connection"
            icon="plus"
            primary=true
            refused=refusal(Act::ManageSecrets)
            press=Callback::new(new)
        />
    };
    let content = loaded(desk.all, move |all| {
        view! {
            {move || {
                if all.with(Vec::is_empty) {
                    view! { <p class="empty">"There are no connections yet."</p> }.into_any()
                } else {
                    let lines = all.get().into_iter().map(|connection| line(connection, desk));
                    view! {
                        <ul class="connection-list" aria-label="Connections">
                            {lines.collect::<Vec<_>>()}
                        </ul>
                    }
                        .into_any()
                }
            }}
        }
        .into_any()
    });
    view! {
        <Page title="Connections" actions=actions.into_any()>
            <div class="stack">
                <p class="connection-about">
                    "A connection keeps what proves to another system who sends. Steps name it; its secrets are sealed, sent to its origins only, and never shown again: not in runs, not in errors, not here."
                </p>
                {content}
            </div>
            {form::dialog(desk.is_editing, desk.edited, desk.all)}
            {try_out::dialog(desk.is_trying, desk.tried)}
        </Page>
    }
    .into_any()
}

fn line(connection: Connection, desk: Desk) -> AnyView {
    let name = connection.name.clone();
    let Some(details) = connection.details.clone() else {
        return view! {
            <li>
                <h2>{name}</h2>
            </li>
        }
        .into_any();
    };
    let id = connection.id;
    let uses = move || {
        let all = desk.uses.value.get()?;
        let own: Vec<Use> = all
            .into_iter()
            .filter(|line| line.connection == id)
            .collect();
        Some(used(&own))
    };
    let actions = actions(connection, desk);
    view! {
        <li>
            <div class="connection-head">
                <h2>{name}</h2>
                <span class="quiet-text">{details.kind.title()}</span>
                {details
                    .has_test
                    .then(|| view! { <span class="quiet-text">"with secrets for tests"</span> })}
            </div>
            <dl class="connection-facts">
                <dt>"Sent to"</dt>
                <dd>
                    {details.origins.join(", ")}
                    {network::down::of_connection(&details.origins, desk.down)}
                </dd>
                {details
                    .authorization
                    .as_ref()
                    .map(|authorization| standing::told(details.kind, authorization))}
                <dt>"Used in"</dt>
                <dd>{uses}</dd>
                <dt>"Last use"</dt>
                <dd>{last(&details)}</dd>
            </dl>
            {actions}
        </li>
    }
    .into_any()
}

fn used(uses: &[Use]) -> AnyView {
    if uses.is_empty() {
        return view! { <span class="quiet-text">"Nothing"</span> }.into_any();
    }
    let link = |line: &Use| {
        let (href, state) = match &line.draft {
            Some((draft, title)) => (format!("/drafts/{draft}"), format!("draft “{title}”")),
            None => (
                format!("/integrations/{}", line.integration),
                "live".to_owned(),
            ),
        };
        view! {
            <li>
                <a href=href>{line.name.clone()}</a>
                " "
                <span class="quiet-text">{state}</span>
            </li>
        }
    };
    view! { <ul class="connection-uses">{uses.iter().map(link).collect::<Vec<_>>()}</ul> }
        .into_any()
}

fn last(details: &Details) -> AnyView {
    let Some(at) = details.used_at else {
        return view! { <span class="quiet-text">"Never"</span> }.into_any();
    };
    let error = details.error.clone();
    view! {
        <Ago at=at />
        {error.map(|error| view! { <p class="connection-error">{error}</p> })}
    }
    .into_any()
}

fn actions(connection: Connection, desk: Desk) -> AnyView {
    let (id, name) = (connection.id, connection.name.clone());
    let may_manage = session::may(Act::ManageSecrets);
    let label = |what: &str| format!("{what} “{name}”");
    let (try_label, edit_label, delete_label) =
        (label("Test connection"), label("Edit"), label("Delete"));
    let kept = StoredValue::new(connection);
    let try_out = move |_| {
        desk.tried.set(Some(kept.get_value()));
        desk.is_trying.set(true);
    };
    let edit = move |_| {
        desk.edited.set(Some(kept.get_value()));
        desk.is_editing.set(true);
    };
    let delete = move |_| {
        let name = kept.with_value(|kept| kept.name.clone());
        confirm_deletion(
            name,
            "Its secrets are gone then. Runs of old versions that still use it fail at that step.",
            move || api::delete_connection(id),
            move || desk.all.again(),
        );
    };
    view! {
        <div class="connection-actions">
            <button type="button" class="button" aria-label=try_label on:click=try_out>
                "Test connection"
            </button>
            {move || {
                may_manage
                    .get()
                    .is_ok()
                    .then(|| {
                        view! {
                            {kept.with_value(|kept| standing::buttons(kept, desk.all))}
                            <button
                                type="button"
                                class="button"
                                aria-label=edit_label.clone()
                                on:click=edit
                            >
                                "Edit"
                            </button>
                            <button
                                type="button"
                                class="button"
                                aria-label=delete_label.clone()
                                on:click=delete
                            >
                                "Delete"
                            </button>
                        }
                    })
            }}
        </div>
    }
    .into_any()
}
