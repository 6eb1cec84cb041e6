//! Where a provider sends people back to, with its answer in the address.

use domain::connection::Answer;
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::hooks::use_location;
use wasm_bindgen::JsValue;

use super::api;
use crate::screen::Page;
use crate::session;

/// What came of the answer.
#[derive(Clone)]
enum Came {
    Waiting,
    Connected(String),
    Failed(String),
}

/// Draws the screen `/oauth/callback`.
pub(crate) fn page() -> AnyView {
    let answer = use_location().query.with_untracked(|query| {
        let of = |name: &str| query.get(name);
        Answer {
            state: of("state").unwrap_or_default(),
            code: of("code"),
            iss: of("iss"),
            error: of("error"),
            error_description: of("error_description"),
        }
    });
    // Out of the address, the history and whatever is copied from them.
    if let Ok(history) = window().history() {
        let _ = history.replace_state_with_url(&JsValue::NULL, "", Some(api::BACK));
    }
    let came = RwSignal::new(Came::Waiting);
    spawn_local(async move {
        let finished = match api::finish_consent(answer).await {
            Ok(name) => Came::Connected(name),
            Err(fault) => {
                session::notice(&fault);
                Came::Failed(fault.to_string())
            }
        };
        came.try_set(finished);
    });
    let said = move || match came.get() {
        Came::Waiting => view! { <p role="status">"Getting the tokens…"</p> }.into_any(),
        Came::Connected(name) => {
            view! { <p role="status">{format!("“{name}” is connected.")}</p> }.into_any()
        }
        Came::Failed(why) => view! {
            <p class="notice warning" role="alert">
                {why}
            </p>
        }
        .into_any(),
    };
    view! {
        <Page title="Connecting">
            <div class="stack">
                {said}
                <p>
                    <a class="button" href="/settings/connections">
                        "Go to the connections"
                    </a>
                </p>
            </div>
        </Page>
    }
    .into_any()
}
