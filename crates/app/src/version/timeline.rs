//! The versions of an integration, newest first: who, when, why, and in which review.

use domain::IntegrationId;
use domain::integration::VersionSummary;
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;

use super::roll_back::{self, RollBack};
use crate::design::icon::Icon;
use crate::design::markdown::markdown;
use crate::design::menu::{Menu, MenuItem};
use crate::design::time::Ago;

/// Draws the section on the integration's page.
pub(crate) fn section(id: IntegrationId, versions: Memo<Vec<VersionSummary>>) -> AnyView {
    let rolling = RollBack::new(id);
    let lines = move || {
        if versions.with(Vec::is_empty) {
            return view! {
                <p class="empty">"Nothing is published yet. Publishing a draft makes version 1."</p>
            }
            .into_any();
        }
        let all = versions.get();
        let live = all.first().map_or(0, |version| version.number);
        let lines = all
            .into_iter()
            .map(|version| line(id, version, live, rolling));
        view! { <ol class="timeline">{lines.collect::<Vec<_>>()}</ol> }.into_any()
    };
    let compare = move || {
        let (before, after) =
            versions.with(|all| Some((all.get(1)?.number, all.first()?.number)))?;
        Some(view! {
            <a class="button small" href=super::compare::address(id, before, after)>
                <Icon name="compare" />
                "Compare"
            </a>
        })
    };
    view! {
        <section class="panel-box" aria-labelledby="versions">
            <div class="head">
                <h2 class="grow" id="versions">
                    "Versions"
                </h2>
                {compare}
            </div>
            {lines}
        </section>
        {roll_back::dialog(rolling)}
    }
    .into_any()
}

fn line(id: IntegrationId, version: VersionSummary, live: u32, rolling: RollBack) -> AnyView {
    let number = version.number;
    let is_live = number == live;
    view! {
        <li class:is-live=is_live>
            <div class="row">
                <a class="grow" href=format!("/integrations/{id}/versions/{number}")>
                    <strong>{format!("Version {number}")}</strong>
                    " "
                    {version.title.clone()}
                </a>
                {is_live.then(live_badge)} {menu(id, number, live, rolling)}
            </div>
            {note(&version).map(markdown)} {origin(&version)}
            <p class="quiet-text">
                {format!("{} · ", version.published_by)} <Ago at=version.published_at />
                {format!(" · {}", steps(version.steps))}
                {version
                    .review
                    .map(|review| {
                        view! {
                            " · "
                            <a href=format!("/reviews/{review}")>
                                "Review"
                                <span class="visually-hidden">{format!(" of version {number}")}</span>
                            </a>
                        }
                    })}
            </p>
        </li>
    }
    .into_any()
}

/// Returns the note of a version; of one that was rolled back, it can be the reason itself.
pub(super) fn note(version: &VersionSummary) -> Option<&str> {
    let reason = version.override_reason.as_ref().map(|given| &given.reason);
    let is_told = version.note.is_empty() || reason == Some(&version.note);
    (!is_told).then_some(version.note.as_str())
}

/// Draws the mark of the version that is live.
pub(super) fn live_badge() -> AnyView {
    view! {
        <span class="badge good">
            <Icon name="zap" />
            "Live"
        </span>
    }
    .into_any()
}

/// Says where a version came from, when it was not the usual way.
pub(super) fn origin(version: &VersionSummary) -> AnyView {
    let back = version.rolled_back_from.map(|from| {
        view! {
            <p class="version-origin">
                <Icon name="roll-back" />
                <span>{format!("Rolled back to version {from}")}</span>
            </p>
        }
    });
    let without_approval = version.override_reason.clone().map(|given| {
        view! {
            <div class="version-origin warning">
                <Icon name="alert" />
                <div>
                    <p>{format!("Published without approval by {}, because:", given.by.name)}</p>
                    {markdown(&given.reason)}
                </div>
            </div>
        }
    });
    view! {
        {back}
        {without_approval}
    }
    .into_any()
}

fn menu(id: IntegrationId, number: u32, live: u32, rolling: RollBack) -> AnyView {
    let navigate = use_navigate();
    let items = Signal::derive(move || {
        let go = |words: String, to: String| {
            let navigate = navigate.clone();
            let open = move || navigate(&to, NavigateOptions::default());
            MenuItem::new(words, "compare", open)
        };
        let mut items = Vec::new();
        if number > 1 {
            let before = number - 1;
            let to = super::compare::address(id, before, number);
            items.push(go(format!("What it changed against version {before}"), to));
        }
        if number != live {
            let to = super::compare::address(id, number, live);
            items.push(go("What changed since, up to live".to_owned(), to));
            let back = move || rolling.start(number, live);
            items.push(
                MenuItem::new("Roll back to it…", "roll-back", back).refused(roll_back::refusal()),
            );
        }
        items
    });
    let is_alone = number == 1 && live == 1;
    (!is_alone)
        .then(|| view! { <Menu label=format!("More about version {number}") items=items /> })
        .into_any()
}

/// Returns a number of steps in words.
pub(super) fn steps(count: u32) -> String {
    if count == 1 {
        "1 step".to_owned()
    } else {
        format!("{count} steps")
    }
}
