//! Two versions of an integration side by side: what differs, word by word.

use domain::IntegrationId;
use domain::integration::{Version, VersionSummary};
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_navigate, use_params_map};

use super::api;
use crate::change;
use crate::design::icon::Icon;
use crate::design::load::{fault_box, load, loaded};
use crate::design::unique;
use crate::fault::Fault;
use crate::integration;
use crate::screen::Page;

/// Returns the address of a comparison.
pub(super) fn address(id: IntegrationId, before: u32, after: u32) -> String {
    format!("/integrations/{id}/compare/{before}/{after}")
}

/// Draws the screen `/integrations/:id/compare/:a/:b`.
pub(crate) fn page() -> AnyView {
    let params = use_params_map();
    let wanted = Memo::new(move |_| {
        params.with(|params| {
            let id: IntegrationId = params.get("id")?.parse().ok()?;
            let before: u32 = params.get("a")?.parse().ok()?;
            let after: u32 = params.get("b")?.parse().ok()?;
            Some((id, before, after))
        })
    });
    let integration = Memo::new(move |_| wanted.get().map(|(id, ..)| id));
    let numbers = Memo::new(move |_| {
        let found = wanted.get();
        found.map_or((0, 0), |(_, before, after)| (before, after))
    });
    let content = move || match integration.get() {
        Some(id) => of(id, numbers),
        None => fault_box(&Fault::NotFound, || ()),
    };
    content.into_any()
}

fn of(id: IntegrationId, numbers: Memo<(u32, u32)>) -> AnyView {
    let detail = load(None, move || {
        Box::pin(integration::api::read_integration(id))
    });
    let both = load(None, move || {
        let (before, after) = numbers.get();
        Box::pin(async move {
            let before = api::read_version(id, before).await?;
            let after = api::read_version(id, after).await?;
            Ok((before, after))
        })
    });
    let name = move || {
        let name = detail
            .value
            .with(|detail| detail.as_ref().map(|detail| detail.summary.name.clone()));
        name.unwrap_or_else(|| "Integration".to_owned())
    };
    let above = view! {
        <a href="/">"Integrations"</a>
        <a href=format!("/integrations/{id}")>{name}</a>
    }
    .into_any();
    let versions = Memo::new(move |_| {
        let versions = detail
            .value
            .with(|detail| detail.as_ref().map(|detail| detail.versions.clone()));
        versions.unwrap_or_default()
    });
    let title = Signal::derive(move || {
        let (before, after) = numbers.get();
        format!("Versions {before} and {after}")
    });
    view! {
        <Page title=title above=above>
            {choice(id, versions, numbers)} {loaded(both, differences)}
        </Page>
    }
    .into_any()
}

/// The two versions to choose, and a button that changes their places.
fn choice(
    id: IntegrationId,
    versions: Memo<Vec<VersionSummary>>,
    numbers: Memo<(u32, u32)>,
) -> AnyView {
    let navigate = use_navigate();
    let go = Callback::new(move |(before, after): (u32, u32)| {
        let options = NavigateOptions {
            replace: true,
            scroll: false,
            ..NavigateOptions::default()
        };
        navigate(&address(id, before, after), options);
    });
    let select = move |label: &'static str, is_before: bool| {
        let id = unique("version");
        let chosen = move || {
            let (before, after) = numbers.get();
            if is_before { before } else { after }
        };
        let option = move |version: VersionSummary| {
            let number = version.number;
            view! {
                <option value=number.to_string() prop:selected=move || chosen() == number>
                    {format!("Version {number}: {}", version.title)}
                </option>
            }
        };
        let choose = move |event| {
            if let Ok(number) = event_target_value(&event).parse() {
                let (before, after) = numbers.get_untracked();
                go.run(if is_before {
                    (number, after)
                } else {
                    (before, number)
                });
            }
        };
        view! {
            <div class="field">
                <label for=id.clone()>{label}</label>
                <select id=id class="input" on:change=choose>
                    {move || versions.get().into_iter().map(option).collect::<Vec<_>>()}
                </select>
            </div>
        }
    };
    view! {
        <div class="compare-choice">
            {select("Before", true)}
            <button
                type="button"
                class="button icon-only"
                aria-label="Change places"
                title="Change places"
                on:click=move |_| {
                    let (before, after) = numbers.get_untracked();
                    go.run((after, before));
                }
            >
                <Icon name="swap" />
            </button>
            {select("After", false)}
        </div>
    }
    .into_any()
}

fn differences(both: Signal<(Version, Version)>) -> AnyView {
    let drawn = move || {
        both.with(|(before, after)| {
            view! {
                <div class="change-box">{change::gist(&before.document, &after.document)}</div>
                {change::change_view(&before.document, &after.document)}
            }
            .into_any()
        })
    };
    view! { <section class="stack" aria-label="What differs">{drawn}</section> }.into_any()
}
