//! What is live of an integration: how it is started, and with what.

use domain::delivery::{KEPT_DAYS, Source};
use domain::integration::{IntegrationDetail, LiveVersion, Version};
use domain::signing::Signature;
use domain::{IntegrationId, catalog};
use leptos::prelude::*;

use super::{run_now, schedule, signing};
use crate::call::callers;
use crate::design::copy::copy_button;
use crate::design::icon::Icon;
use crate::design::load::{load, loaded};
use crate::design::time::Ago;
use crate::poll::standing;
use crate::{session, version};

/// Draws the section.
pub(super) fn section(detail: Signal<IntegrationDetail>) -> AnyView {
    let id = detail.with_untracked(|detail| detail.summary.id);
    let live = Memo::new(move |_| detail.with(|detail| detail.summary.live.clone()));
    let content = move || {
        match live.get() {
        None => view! {
            <p class="empty">"Nothing is live. Publish a draft, and its trigger starts it from then on."</p>
        }
        .into_any(),
        Some(live) => started(id, live, detail),
    }
    };
    view! {
        <section class="panel-box" aria-labelledby="live">
            <div class="head">
                <h2 id="live">"Live"</h2>
            </div>
            {content}
        </section>
    }
    .into_any()
}

fn started(id: IntegrationId, live: LiveVersion, detail: Signal<IntegrationDetail>) -> AnyView {
    let number = live.number;
    let trigger = catalog::trigger(&live.trigger);
    let title = trigger.map_or(live.trigger.as_str(), |trigger| trigger.title.as_str());
    let icon = trigger.map_or("zap", |trigger| trigger.icon.as_str());
    let content = load(None, move || {
        Box::pin(version::api::read_version(id, number))
    });
    let how = match live.trigger.as_str() {
        "webhook" => loaded(content, move |version| webhook(id, detail, version)),
        "schedule" => loaded(content, move |version| scheduled(detail, version)),
        "poll" => loaded(content, move |version| {
            standing::section(id, detail, version)
        }),
        "manual" => run_now::section(id, detail),
        "call" => callers::section(id),
        _ => ().into_any(),
    };
    view! {
        <div class="body stack">
            <div class="row">
                <span class="tile">
                    <Icon name=icon />
                </span>
                <div class="grow">
                    <strong>{title.to_owned()}</strong>
                    <p class="quiet-text">
                        <a href=format!("/integrations/{id}/versions/{number}")>
                            {format!("Version {number}")}
                        </a>
                        " live since "
                        <Ago at=live.published_at />
                    </p>
                </div>
            </div>
            {how}
        </div>
    }
    .into_any()
}

fn config_text(version: &Version, field: &str) -> String {
    let value = version.document.trigger.config.get(field);
    value
        .and_then(|value| value.as_str())
        .unwrap_or_default()
        .to_owned()
}

fn webhook(
    id: IntegrationId,
    detail: Signal<IntegrationDetail>,
    version: Signal<Version>,
) -> AnyView {
    let signature = Memo::new(move |_| version.with(|version| Signature::of(&version.document)));
    let address = Memo::new(move |_| {
        let path = detail.with(|detail| detail.webhook_path.clone());
        path.map(|path| session::address(&path)).unwrap_or_default()
    });
    let example = Memo::new(move |_| {
        let method = version.with(|version| config_text(version, "method"));
        let address = address.get();
        match method.as_str() {
            "GET" | "DELETE" => format!("curl -X {method} '{address}?id=42'"),
            other => {
                let method = if other.is_empty() || other == "any" {
                    "POST"
                } else {
                    other
                };
                format!(
                    "curl -X {method} '{address}' \\\n  -H 'content-type: application/json' \\\n  -d '{{\"id\": 42}}'"
                )
            }
        }
    });
    let repeated = move || {
        let found = version.with(|version| Source::of(&version.document).says());
        match found {
            Some(place) => format!(
                "The sender's event id is {place}. A delivery whose id was accepted in the last {KEPT_DAYS} days starts no second run, and is answered like the first one."
            ),
            None => "Each delivery starts a run, also when its sender repeats one. Say in the trigger of a draft where the sender's event id is, and repeats are known."
                .to_owned(),
        }
    };
    view! {
        <div class="stack">
            <div>
                <h3>"Address to call"</h3>
                <div class="code-box">
                    <code>{move || address.get()}</code>
                    {copy_button(address, "Copy the address")}
                </div>
            </div>
            <div>
                <h3>"Try it in a terminal"</h3>
                <div class="code-box">
                    <pre>
                        <code>{move || example.get()}</code>
                    </pre>
                    {copy_button(example, "Copy the command")}
                </div>
            </div>
            {signing::section(id, signature)}
            <div>
                <h3>"Repeated deliveries"</h3>
                <p class="quiet-text">{repeated}</p>
            </div>
        </div>
    }
    .into_any()
}

fn scheduled(detail: Signal<IntegrationDetail>, version: Signal<Version>) -> AnyView {
    let cron = move || version.with(|version| config_text(version, "cron"));
    let zone = Memo::new(move |_| version.with(|version| config_text(version, "time_zone")));
    let fires = move || {
        let (fires, enabled) = detail.with(|d| (d.next_fires.clone(), d.summary.enabled));
        if enabled {
            schedule::list(schedule::FIRES, &fires, &zone.get())
        } else {
            view! { <p class="notice">"Disabled: it does not fire until it is enabled again."</p> }
                .into_any()
        }
    };
    view! {
        <dl class="facts">
            <dt>"When"</dt>
            <dd class="mono">{cron}</dd>
            <dt>"Time zone"</dt>
            <dd>{move || zone.get()}</dd>
        </dl>
        {fires}
    }
    .into_any()
}
