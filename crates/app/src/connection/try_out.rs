//! The dialog that tries a connection out, and tells how that went: with a `GET` and the status of
//! the answer, or by logging in to its server.

use domain::connection::Connection;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::api;
use crate::design::dialog::Dialog;
use crate::design::field::{Field, TextField, described};
use crate::design::unique;
use crate::session;

/// Draws the dialog for the connection that is tried out.
pub(super) fn dialog(open: RwSignal<bool>, tried: RwSignal<Option<Connection>>) -> AnyView {
    let title = Signal::derive(move || {
        let name = tried.with(|tried| tried.as_ref().map(|tried| tried.name.clone()));
        format!("Test connection “{}”", name.unwrap_or_default())
    });
    view! {
        <Dialog open=open title=title>
            {move || tried.get().map(|connection| content(connection, open))}
        </Dialog>
    }
    .into_any()
}

fn content(connection: Connection, open: RwSignal<bool>) -> AnyView {
    let details = connection.details.clone();
    let origins = details.as_ref().map(|details| details.origins.clone());
    let origins = origins.unwrap_or_default();
    let has_server = details
        .as_ref()
        .is_some_and(|details| details.kind.has_server());
    let has_test = details.is_some_and(|details| details.has_test);
    let origin = RwSignal::new(origins.first().cloned().unwrap_or_default());
    let (path, is_test) = (RwSignal::new("/".to_owned()), RwSignal::new(false));
    let (said, is_busy) = (RwSignal::new(String::new()), RwSignal::new(false));
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if is_busy.get_untracked() {
            return;
        }
        is_busy.set(true);
        said.set("Waiting for the answer…".to_owned());
        let (origin, path) = (origin.get_untracked(), path.get_untracked());
        spawn_local(async move {
            let id = connection.id;
            let answer = api::try_connection(id, is_test.get_untracked(), origin, path).await;
            is_busy.try_set(false);
            said.try_set(match answer {
                Ok(Ok(status)) => told(status),
                Ok(Err(error)) => error,
                Err(fault) => {
                    session::notice(&fault);
                    fault.to_string()
                }
            });
        });
    };
    let (select, check) = (unique("origin"), unique("variant"));
    let lines = origins.into_iter().map(|line| {
        let text = line.clone();
        view! { <option value=line>{text}</option> }
    });
    let about = match has_server {
        true => "It logs in to the server, and does nothing else there.",
        false => "A GET is sent with this connection. Choose a path that only reads.",
    };
    let address = (!has_server).then(|| {
        view! {
            <Field id=select.clone() label="Origin" required=true>
                <select
                    id=select.clone()
                    class="input"
                    aria-describedby=described(&select)
                    on:change=move |event| origin.set(event_target_value(&event))
                >
                    {lines.collect::<Vec<_>>()}
                </select>
            </Field>
            <TextField label="Path" value=path placeholder="/v1/me" autofocus=true />
        }
    });
    view! {
        <form class="stack" novalidate on:submit=submit>
            <p>{about}</p>
            {address}
            {has_test
                .then(|| {
                    view! {
                        <div class="connection-check">
                            <input
                                id=check.clone()
                                type="checkbox"
                                on:change=move |event| is_test.set(event_target_checked(&event))
                            />
                            <label for=check>"With the secrets for tests"</label>
                        </div>
                    }
                })}
            <p role="status" class="connection-said">
                {move || said.get()}
            </p>
            <div class="dialog-actions">
                <button type="button" class="button" on:click=move |_| open.set(false)>
                    "Close"
                </button>
                <button type="submit" class="button primary">
                    {if has_server { "Log in" } else { "Send" }}
                </button>
            </div>
        </form>
    }
    .into_any()
}

fn told(status: Option<u16>) -> String {
    let Some(status) = status else {
        return "The connection works: the server let it in.".to_owned();
    };
    let meaning = match status {
        200..=299 => "The connection works.",
        401 | 403 => "The service does not accept the credentials, or not for this path.",
        300..=399 => "It redirects; that is not followed here.",
        404 | 405 => "The service is there, but has no such path for a GET.",
        _ => "The service has a problem, or expects something else.",
    };
    format!("The service answered {status}. {meaning}")
}
