//! How it stands with the tokens of a connection, and connecting it.

use domain::connection::{Authorization, Connection, Kind, Standing, Use};
use domain::live::Changed;
use domain::policy::Act;
use domain::{ConnectionId, IntegrationId};
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::api;
use super::known::known;
use crate::design::load::{Load, load};
use crate::design::time::Ago;
use crate::design::toast;
use crate::{live, session};

/// Draws how it stands, live and for tests.
pub(super) fn told(kind: Kind, authorization: &Authorization) -> AnyView {
    let line = |standing: &Standing| match standing {
        Standing::Missing => view! {
            <p class="connection-error">"Nobody has connected it yet."</p>
        }
        .into_any(),
        Standing::Given { at: None } => {
            view! { "Tokens are asked for when they are needed." }.into_any()
        }
        Standing::Given { at: Some(at) } => view! {
            "Connected "
            <Ago at=*at />
        }
        .into_any(),
        Standing::Refused { why } => view! {
            <p class="connection-error">
                {format!("It has to be connected again. The provider said: {why}")}
            </p>
        }
        .into_any(),
    };
    let title = if kind == Kind::OAuth {
        "Consent"
    } else {
        "Tokens"
    };
    view! {
        <dt>{title}</dt>
        <dd>{line(&authorization.live)}</dd>
        {authorization
            .test
            .as_ref()
            .map(|test| {
                view! {
                    <dt>"For tests"</dt>
                    <dd>{line(test)}</dd>
                }
            })}
    }
    .into_any()
}

/// Draws the buttons that connect it, live and for tests.
pub(super) fn buttons(connection: &Connection, all: Load<Vec<Connection>>) -> AnyView {
    let details = connection.details.as_ref();
    let Some(authorization) = details.and_then(|details| details.authorization.clone()) else {
        return ().into_any();
    };
    let (id, name) = (connection.id, connection.name.clone());
    let button = |is_test: bool, standing: &Standing| {
        let what = match (standing, is_test) {
            (Standing::Missing, false) => "Connect",
            (Standing::Missing, true) => "Connect for tests",
            (_, false) => "Connect again",
            (_, true) => "Connect again for tests",
        };
        let name = name.clone();
        let is_open = !matches!(standing, Standing::Given { .. });
        view! {
            <button
                type="button"
                class="button"
                class:primary=is_open
                aria-label=format!("{what} “{name}”")
                on:click=move |_| connect(id, is_test, name.clone(), all)
            >
                {what}
            </button>
        }
        .into_any()
    };
    view! {
        {button(false, &authorization.live)}
        {authorization.test.as_ref().map(|test| button(true, test))}
    }
    .into_any()
}

/// Goes to the provider, or gets a token where nobody has to consent.
fn connect(id: ConnectionId, is_test: bool, name: String, all: Load<Vec<Connection>>) {
    spawn_local(async move {
        match api::connect_connection(id, is_test).await {
            Ok(Some(address)) => {
                let _ = window().location().assign(&address);
            }
            Ok(None) => {
                toast::say(format!("“{name}” has a token."));
                all.again();
            }
            Err(fault) => {
                session::notice(&fault);
                toast::say_fault(&fault);
                all.again();
            }
        }
    });
}

/// Draws which connections of an integration have to be connected before its runs succeed.
pub(crate) fn notice(integration: IntegrationId) -> AnyView {
    let may_use = session::may(Act::EditDraft);
    let uses: Load<Vec<Use>> = load(None, move || {
        let may_use = may_use.get().is_ok();
        Box::pin(async move {
            if may_use {
                api::connection_uses().await
            } else {
                Ok(Vec::new())
            }
        })
    });
    live::use_changes(move |changed| match changed {
        Changed::Draft(..) | Changed::Organization => uses.soon(),
        Changed::Integration(other) if other == integration => uses.soon(),
        _ => {}
    });
    let known = known();
    let open = Memo::new(move |_| {
        let used = uses.value.get().unwrap_or_default();
        let is_used = |id: ConnectionId| {
            let mut used = used.iter();
            used.any(|line| line.integration == integration && line.connection == id)
        };
        let is_open = |connection: &Connection| {
            let details = connection.details.as_ref();
            let authorization = details.and_then(|details| details.authorization.as_ref());
            authorization.is_some_and(Authorization::is_open)
        };
        known.with(|known| {
            let all = known.iter().flatten();
            let found = all.filter(|connection| is_open(connection) && is_used(connection.id));
            found
                .map(|connection| connection.name.clone())
                .collect::<Vec<_>>()
        })
    });
    let line = |name: String| {
        view! {
            <p class="notice warning">
                {format!("“{name}” has to be connected before steps that use it can succeed. ")}
                <a href="/settings/connections">"Go to the connections"</a>
            </p>
        }
    };
    view! { {move || open.get().into_iter().map(line).collect::<Vec<_>>()} }.into_any()
}
