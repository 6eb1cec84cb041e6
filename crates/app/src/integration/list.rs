//! The organization page: its integrations.

use domain::draft::DraftState;
use domain::integration::IntegrationSummary;
use domain::live::Changed;
use domain::policy::Act;
use domain::{Timestamp, catalog};
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;

use super::api;
use super::sparkline::sparkline;
use crate::design::action::{ActionButton, refusal};
use crate::design::icon::Icon;
use crate::design::load::{load, loaded};
use crate::design::state::draft_badge;
use crate::design::time::Ago;
use crate::review::waiting;
use crate::screen::Page;
use crate::{live, session};

/// Draws the screen `/`.
pub(crate) fn page() -> AnyView {
    let all = load(session::take_integrations(), || {
        Box::pin(api::integrations())
    });
    live::use_changes(move |changed| match changed {
        Changed::Integration(_) | Changed::Draft(..) | Changed::Run(..) => all.soon(),
        _ => {}
    });
    let typed = RwSignal::new(String::new());
    let content = loaded(all, move |all| {
        view! {
            {move || {
                if all.with(Vec::is_empty) { nothing_yet() } else { table(all, typed) }
            }}
        }
        .into_any()
    });
    view! {
        <Page title="Integrations" beside=waiting::line() actions=new_button()>
            {content}
        </Page>
    }
    .into_any()
}

fn new_button() -> AnyView {
    let navigate = use_navigate();
    let press = move |()| navigate("/new", NavigateOptions::default());
    view! {
        <ActionButton
            label="New integration"
            icon="plus"
            primary=true
            refused=refusal(Act::CreateIntegration)
            press=Callback::new(press)
        />
    }
    .into_any()
}

fn nothing_yet() -> AnyView {
    view! {
        <div class="empty boxed">
            <Icon name="workflow" />
            <p>
                "An integration starts on a trigger, such as a webhook or a schedule, and runs steps, one after the other."
            </p>
            {new_button()}
        </div>
    }
    .into_any()
}

fn table(all: Signal<Vec<IntegrationSummary>>, typed: RwSignal<String>) -> AnyView {
    let found = Memo::new(move |_| {
        let typed = typed.with(|typed| typed.trim().to_lowercase());
        let fits = |integration: &&IntegrationSummary| {
            let is_named = integration.name.to_lowercase().contains(&typed);
            let mut titles = integration
                .drafts
                .iter()
                .map(|draft| draft.title.to_lowercase());
            is_named || titles.any(|title| title.contains(&typed))
        };
        all.with(|all| all.iter().filter(fits).cloned().collect::<Vec<_>>())
    });
    view! {
        <div class="list-tools">
            <div class="search">
                <Icon name="search" />
                <input
                    class="input"
                    type="search"
                    aria-label="Search integrations"
                    placeholder="Search integrations"
                    prop:value=move || typed.get()
                    on:input=move |event| typed.set(event_target_value(&event))
                />
            </div>
            <span class="quiet-text" role="status">
                {move || count(found.with(Vec::len), all.with(Vec::len))}
            </span>
        </div>
        <div class="table cards" hidden=move || found.with(Vec::is_empty)>
            <table>
                <thead>
                    <tr>
                        <th scope="col">"Integration"</th>
                        <th scope="col">"Live"</th>
                        <th scope="col">"Last 20 runs"</th>
                        <th scope="col">"Last run"</th>
                    </tr>
                </thead>
                <tbody>{move || found.get().into_iter().map(line).collect::<Vec<_>>()}</tbody>
            </table>
        </div>
        <div class="empty" hidden=move || !found.with(Vec::is_empty)>
            <p>"No integration or draft has this in its name."</p>
            <button type="button" class="button" on:click=move |_| typed.set(String::new())>
                "Clear the search"
            </button>
        </div>
    }
    .into_any()
}

fn count(found: usize, all: usize) -> String {
    match (found, all) {
        (1, 1) => "1 integration".to_owned(),
        (found, all) if found == all => format!("{all} integrations"),
        (found, all) => format!("{found} of {all} integrations"),
    }
}

fn line(integration: IntegrationSummary) -> AnyView {
    let trigger = integration
        .live
        .as_ref()
        .and_then(|live| catalog::trigger(&live.trigger));
    let (icon, starts) = trigger.map_or(("file-text", "Not published"), |trigger| {
        (trigger.icon.as_str(), trigger.title.as_str())
    });
    let standing = standing(&integration);
    let drafts = integration.drafts.into_iter().map(|draft| {
        let state = (draft.state != DraftState::Editing).then(|| draft_badge(draft.state));
        view! {
            <li>
                <a class="draft-link" href=format!("/drafts/{}", draft.id)>
                    <Icon name="pencil" />
                    {draft.title}
                </a>
                {state}
            </li>
        }
    });
    let drafts = drafts.collect::<Vec<_>>();
    view! {
        <tr>
            <td>
                <div class="integration-cell">
                    <span class="tile" title=starts>
                        <Icon name=icon />
                        <span class="visually-hidden">{starts}</span>
                    </span>
                    <div class="grow">
                        <a class="integration-name" href=format!("/integrations/{}", integration.id)>
                            {integration.name}
                        </a>
                        {(!drafts.is_empty())
                            .then(|| view! { <ul class="draft-links" aria-label="Open drafts">{drafts}</ul> })}
                    </div>
                </div>
            </td>
            <td>{standing}</td>
            <td>{sparkline(&integration.recent_runs)}</td>
            <td>
                {match integration.last_run_at {
                    Some(at) => view! { <Ago at=at /> }.into_any(),
                    None => view! { <span class="quiet-text">"Never"</span> }.into_any(),
                }}
            </td>
        </tr>
    }
    .into_any()
}

/// Draws what is live, whether it is started, whether its runs wait, and whether they fail.
pub(super) fn standing(integration: &IntegrationSummary) -> AnyView {
    let live = integration.live.as_ref().map(|live| live.number);
    let paused = integration.paused.then(|| {
        view! {
            <span class="badge warning">
                <Icon name="pause" />
                "Paused"
            </span>
        }
    });
    let failing = |words: &'static str, since: Timestamp| {
        view! {
            <span class="badge bad">
                <Icon name="circle-x" />
                {words}
                <Ago at=since />
            </span>
        }
    };
    let runs = integration.failing;
    let runs = runs.map(|runs| failing("Failing since ", runs.since));
    let polls = integration.polls_failing;
    let polls = polls.map(|since| failing("Polls failing since ", since));
    view! {
        <span class="badges">
            {started(live, integration.enabled)}
            {paused}
            {runs}
            {polls}
        </span>
    }
    .into_any()
}

fn started(live: Option<u32>, is_enabled: bool) -> AnyView {
    match live {
        None => view! { <span class="badge plain">"Not published"</span> }.into_any(),
        Some(number) if is_enabled => view! {
            <span class="badge good">
                <Icon name="zap" />
                {format!("Live, version {number}")}
            </span>
        }
        .into_any(),
        Some(number) => view! {
            <span class="badge warning">
                <Icon name="power" />
                {format!("Disabled, version {number}")}
            </span>
        }
        .into_any(),
    }
}
