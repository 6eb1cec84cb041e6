//! Where a payload comes from besides typing: caught live, or from a past run of what is live.

use domain::run::RunSummary;
use domain::{RunId, poll};
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::{Builder, Tests};
use crate::design::copy::copy_button;
use crate::design::state::RunStateBadge;
use crate::design::time::Ago;
use crate::design::toast;
use crate::poll::once;
use crate::run::api::{read_run, runs};
use crate::session;

/// How many past runs are offered.
const OFFERED: usize = 20;

/// The events that were caught at the draft's own address, or that its trigger found when it polled.
pub(super) fn caught(builder: Builder) -> impl IntoView {
    let kind = Memo::new(move |_| builder.editor.trigger().kind);
    move || {
        match kind.get().as_str() {
        "webhook" => view! {
            <section class="caught" aria-label="Caught events">
                <h3>"Catch a real event"</h3>
                <p class="panel-help">"Send one to this address: it is kept for tests and starts nothing."</p>
                {address(builder)}
                {list(builder.tests, "Caught ", "Nothing caught yet; this list grows by itself.")}
            </section>
        }
        .into_any(),
        poll::TRIGGER => view! {
            <section class="caught" aria-label="Polled items">
                <h3>"Poll for real items"</h3>
                <p class="panel-help">"The list is asked for once, with the connection's secrets for tests where there are any. Its first items are kept for tests and start nothing."</p>
                {once::button(builder.id, Signal::derive(move || builder.saving.is_saved()))}
                {list(builder.tests, "Polled ", "Nothing polled yet.")}
            </section>
        }
        .into_any(),
        _ => ().into_any(),
    }
    }
}

fn address(builder: Builder) -> impl IntoView {
    let address = move || builder.catch_path.with_value(|path| session::address(path));
    view! {
        <p class="address"><code>{address}</code>{copy_button(address(), "Copy the test address")}</p>
    }
}

/// What was kept, newest first.
fn list(tests: Tests, how: &'static str, none: &'static str) -> impl IntoView {
    view! {
        <ul class="caught-list">
            {move || tests.caught.get().into_iter().map(|event| {
                let text = serde_json::to_string_pretty(&event.payload).unwrap_or_default();
                let id = event.payload.get("id").and_then(|id| id.as_str());
                let id = id.map(|id| format!(" · {id}"));
                view! {
                    <li>
                        <span>{how}<Ago at=event.caught_at />{id}</span>
                        <button type="button" class="button" on:click=move |_| tests.typed.set(text.clone())>"Use"</button>
                    </li>
                }
            }).collect_view()}
        </ul>
        {move || tests.caught.with(Vec::is_empty).then(|| view! { <p class="empty">{none}</p> })}
    }
}

/// The events of past runs of the live versions; asked for when they are wanted.
pub(super) fn past(builder: Builder) -> impl IntoView {
    let found: RwSignal<Option<Vec<RunSummary>>> = RwSignal::new(None);
    let ask = move || {
        spawn_local(async move {
            match runs(Some(builder.integration), None, None).await {
                Ok(mut past) => {
                    past.truncate(OFFERED);
                    found.try_set(Some(past));
                }
                Err(fault) => toast::say_fault(&fault),
            }
        });
    };
    let line = move |run: RunSummary| {
        view! {
            <li>
                <span class="past-event"><RunStateBadge state=run.state /> <Ago at=run.created_at /></span>
                <button
                    type="button"
                    class="button"
                    on:click=move |_| take(builder.tests, run.id)
                >
                    "Use"
                </button>
            </li>
        }
    };
    move || {
        builder.live_version.get().is_some().then(|| {
            view! {
                <details
                    class="caught"
                    on:toggle=move |_| {
                        if found.with_untracked(Option::is_none) {
                            ask();
                        }
                    }
                >
                    <summary>"Events of past runs"</summary>
                    {move || found.get().map(|past| {
                        if past.is_empty() {
                            view! { <p class="empty">"What is live has not run yet."</p> }.into_any()
                        } else {
                            view! {
                                <ul class="caught-list" aria-label="Past runs">
                                    {past.into_iter().map(line).collect_view()}
                                </ul>
                            }
                            .into_any()
                        }
                    })}
                </details>
            }
        })
    }
}

/// Takes what the trigger gave in a run as the payload.
fn take(tests: Tests, run: RunId) {
    spawn_local(async move {
        match read_run(run).await {
            Ok(detail) => match detail.payload {
                Some(payload) => {
                    let text = serde_json::to_string_pretty(&payload).unwrap_or_default();
                    tests.typed.try_set(text);
                }
                None => toast::say("Your role does not let you see what runs received."),
            },
            Err(fault) => toast::say_fault(&fault),
        }
    });
}
