//! The page of one version: what it is, where it came from, and its content to read.

use domain::IntegrationId;
use domain::integration::Version;
use domain::live::Changed;
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::roll_back::{self, RollBack};
use super::{api, compare, outline, timeline};
use crate::design::action::ActionButton;
use crate::design::copy::copy_button;
use crate::design::icon::Icon;
use crate::design::load::{fault_box, load, loaded};
use crate::design::markdown::markdown;
use crate::design::time::Ago;
use crate::fault::Fault;
use crate::screen::Page;
use crate::{integration, live};

/// How many digits of a hash tell versions apart on screen.
const HASH_DIGITS: usize = 12;

/// Draws the screen `/integrations/:id/versions/:number`.
pub(crate) fn page() -> AnyView {
    let params = use_params_map();
    let wanted = Memo::new(move |_| {
        params.with(|params| {
            let id: IntegrationId = params.get("id")?.parse().ok()?;
            let number: u32 = params.get("number")?.parse().ok()?;
            Some((id, number))
        })
    });
    let content = move || match wanted.get() {
        Some((id, number)) => of(id, number),
        None => fault_box(&Fault::NotFound, || ()),
    };
    content.into_any()
}

fn of(id: IntegrationId, number: u32) -> AnyView {
    let version = load(None, move || Box::pin(api::read_version(id, number)));
    let detail = load(None, move || {
        Box::pin(integration::api::read_integration(id))
    });
    live::use_changes(move |changed| {
        if changed == Changed::Integration(id) {
            detail.soon();
        }
    });
    let live = Memo::new(move |_| {
        let summary = detail.value.with(|d| d.as_ref().map(|d| d.summary.clone()));
        summary
            .and_then(|summary| summary.live)
            .map(|live| live.number)
    });
    let name = Memo::new(move |_| {
        let name = version
            .value
            .with(|v| v.as_ref().map(|v| v.integration_name.clone()));
        name.unwrap_or_else(|| "Integration".to_owned())
    });
    let above = view! {
        <a href="/">"Integrations"</a>
        <a href=format!("/integrations/{id}")>{move || name.get()}</a>
    }
    .into_any();
    let beside =
        view! { {move || (live.get() == Some(number)).then(timeline::live_badge)} }.into_any();
    view! {
        <Page
            title=format!("Version {number}")
            above=above
            beside=beside
            actions=actions(id, number, live)
        >
            {loaded(version, content)}
        </Page>
    }
    .into_any()
}

fn actions(id: IntegrationId, number: u32, live: Memo<Option<u32>>) -> AnyView {
    let rolling = RollBack::new(id);
    let before = (number > 1).then(|| {
        view! {
            <a class="button" href=compare::address(id, number - 1, number)>
                <Icon name="compare" />
                {format!("Compare with version {}", number - 1)}
            </a>
        }
    });
    let since = move || {
        let live = live.get().filter(|live| *live != number)?;
        let refused = Signal::derive(roll_back::refusal);
        Some(view! {
            <a class="button" href=compare::address(id, number, live)>
                <Icon name="compare" />
                "Compare with live"
            </a>
            <ActionButton
                label="Roll back to it…"
                icon="roll-back"
                refused=refused
                press=Callback::new(move |()| rolling.start(number, live))
            />
        })
    };
    view! {
        {before}
        {since}
        {roll_back::dialog(rolling)}
    }
    .into_any()
}

fn content(version: Signal<Version>) -> AnyView {
    let head = move || {
        let summary = version.with(|version| version.summary.clone());
        let short: String = summary.hash.0.chars().take(HASH_DIGITS).collect();
        let origin = timeline::origin(&summary);
        let note = timeline::note(&summary).map(markdown);
        view! {
            <div class="version-origins">{origin}</div>
            <dl class="facts version-facts">
                <dt>"Draft"</dt>
                <dd>{summary.title}</dd>
                <dt>"Published"</dt>
                <dd>{format!("by {}, ", summary.published_by)} <Ago at=summary.published_at /></dd>
                {summary
                    .review
                    .map(|review| {
                        view! {
                            <dt>"Review"</dt>
                            <dd>
                                <a href=format!("/reviews/{review}")>"What was said and decided"</a>
                            </dd>
                        }
                    })}
                {note
                    .map(|note| {
                        view! {
                            <dt>"Note"</dt>
                            <dd>{note}</dd>
                        }
                    })}
                <dt>"Content"</dt>
                <dd class="row">
                    <code title=summary.hash.0.clone()>{short}</code>
                    {copy_button(summary.hash.0, "Copy the content's hash")}
                </dd>
            </dl>
        }
    };
    view! {
        {head}
        <section aria-labelledby="content">
            <h2 id="content">"What it does"</h2>
            {move || version.with(|version| outline::outline(&version.document))}
        </section>
    }
    .into_any()
}
