//! The list of runs, live and filtered.

use domain::integration::IntegrationSummary;
use domain::live::Changed;
use domain::run::{RunOf, RunState, RunSummary};
use domain::{IntegrationId, RunId};
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_location, use_navigate};

use super::{api, resume};
use crate::design::icon::Icon;
use crate::design::load::{Load, load, loaded};
use crate::design::state::RunStateBadge;
use crate::design::time::{Ago, duration, exact};
use crate::design::unique;
use crate::fault::Fault;
use crate::integration::api::integrations;
use crate::live;
use crate::screen::Page;

/// How many runs the server answers with at a time.
const PAGE: usize = 50;

/// Which runs are listed.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Filter {
    pub(super) integration: Option<IntegrationId>,
    pub(super) state: Option<RunState>,
}

impl Filter {
    const fn is_set(self) -> bool {
        self.integration.is_some() || self.state.is_some()
    }

    fn address(self) -> String {
        let mut parts = Vec::new();
        parts.extend(self.integration.map(|id| format!("integration={id}")));
        parts.extend(self.state.map(|state| format!("state={}", state.key())));
        let query = parts.join("&");
        if query.is_empty() {
            "/runs".to_owned()
        } else {
            format!("/runs?{query}")
        }
    }
}

/// Draws the screen `/runs`.
pub(crate) fn page() -> AnyView {
    let query = use_location().query;
    let filter = Memo::new(move |_| {
        query.with(|query| Filter {
            integration: query.get("integration").and_then(|id| id.parse().ok()),
            state: query.get("state").and_then(|key| RunState::from_key(&key)),
        })
    });
    let pages = RwSignal::new(1_usize);
    Effect::new(move |before: Option<Filter>| {
        let now = filter.get();
        if before.is_some_and(|before| before != now) {
            pages.set(1);
        }
        now
    });
    let runs = load(None, move || Box::pin(read(filter.get(), pages.get())));
    live::use_changes(move |changed| {
        if let Changed::Run(_, integration) = changed {
            let wanted = filter.get_untracked().integration;
            if wanted.is_none_or(|wanted| wanted == integration) {
                runs.soon();
            }
        }
    });
    view! {
        <Page title="Runs">
            {filters(filter)}
            {loaded(runs, move |shown| content(shown, runs, filter, pages))}
        </Page>
    }
    .into_any()
}

/// Reads as many pages as are open, each from where the one before ended.
async fn read(filter: Filter, pages: usize) -> Result<Vec<RunSummary>, Fault> {
    let mut all: Vec<RunSummary> = Vec::new();
    for _ in 0..pages {
        let before: Option<RunId> = all.last().map(|run| run.id);
        let page = api::runs(filter.integration, filter.state, before).await?;
        let is_last = page.len() < PAGE;
        all.extend(page);
        if is_last {
            break;
        }
    }
    Ok(all)
}

fn filters(filter: Memo<Filter>) -> AnyView {
    let all = load(None, || Box::pin(integrations()));
    let names = Memo::new(move |_| all.value.get().unwrap_or_default());
    let navigate = use_navigate();
    let go = Callback::new(move |to: Filter| {
        let options = NavigateOptions {
            scroll: false,
            ..NavigateOptions::default()
        };
        navigate(&to.address(), options);
    });
    let (of_integration, of_state) = (unique("filter"), unique("filter"));
    let chosen = move |id: IntegrationId| filter.get().integration == Some(id);
    let option = move |integration: IntegrationSummary| {
        let id = integration.id;
        view! {
            <option value=id.to_string() prop:selected=move || chosen(id)>
                {integration.name}
            </option>
        }
    };
    let choose_integration = move |event| {
        let integration = event_target_value(&event).parse().ok();
        go.run(Filter {
            integration,
            ..filter.get_untracked()
        });
    };
    let choose_state = move |event| {
        let state = RunState::from_key(&event_target_value(&event));
        go.run(Filter {
            state,
            ..filter.get_untracked()
        });
    };
    let state_option = move |state: RunState| {
        view! {
            <option value=state.key() prop:selected=move || filter.get().state == Some(state)>
                {state.title()}
            </option>
        }
    };
    view! {
        <div class="list-tools" role="search" aria-label="Filter runs">
            <label for=of_integration.clone()>"Integration"</label>
            <select id=of_integration class="input" on:change=choose_integration>
                <option value="" prop:selected=move || filter.get().integration.is_none()>
                    "All"
                </option>
                {move || names.get().into_iter().map(option).collect::<Vec<_>>()}
            </select>
            <label for=of_state.clone()>"State"</label>
            <select id=of_state class="input" on:change=choose_state>
                <option value="" prop:selected=move || filter.get().state.is_none()>
                    "All"
                </option>
                {RunState::ALL.into_iter().map(state_option).collect::<Vec<_>>()}
            </select>
            {move || {
                filter
                    .get()
                    .is_set()
                    .then(|| view! { <a class="button quiet" href="/runs">"Clear"</a> })
            }}
            {resume::of_list(filter)}
        </div>
    }
    .into_any()
}

fn content(
    shown: Signal<Vec<RunSummary>>,
    runs: Load<Vec<RunSummary>>,
    filter: Memo<Filter>,
    pages: RwSignal<usize>,
) -> AnyView {
    let may_be_more = move || shown.with(Vec::len) == pages.get() * PAGE;
    let more = move || {
        may_be_more().then(|| {
            view! {
                <button
                    type="button"
                    class="button load-more"
                    disabled=move || runs.is_loading.get()
                    on:click=move |_| pages.update(|pages| *pages += 1)
                >
                    "Load more"
                </button>
            }
        })
    };
    view! {
        {move || if shown.with(Vec::is_empty) { nothing(filter.get()) } else { table(shown) }}
        {more}
    }
    .into_any()
}

fn nothing(filter: Filter) -> AnyView {
    if filter.is_set() {
        return view! {
            <div class="empty boxed">
                <p>"No run fits this filter."</p>
                <a class="button" href="/runs">
                    "Show all runs"
                </a>
            </div>
        }
        .into_any();
    }
    view! {
        <div class="empty boxed">
            <Icon name="play" />
            <p>"Each time a live integration starts, its run is listed here with what every step did."</p>
            <a class="button" href="/">
                "Go to the integrations"
            </a>
        </div>
    }
    .into_any()
}

fn table(shown: Signal<Vec<RunSummary>>) -> AnyView {
    view! {
        <div class="table cards">
            <table>
                <thead>
                    <tr>
                        <th scope="col">"State"</th>
                        <th scope="col">"Integration"</th>
                        <th scope="col">"Version"</th>
                        <th scope="col">"Started"</th>
                        <th scope="col" class="number">
                            "Duration"
                        </th>
                    </tr>
                </thead>
                <tbody>{move || shown.get().into_iter().map(line).collect::<Vec<_>>()}</tbody>
            </table>
        </div>
    }
    .into_any()
}

fn line(run: RunSummary) -> AnyView {
    view! {
        <tr>
            <td>
                <RunStateBadge state=run.state />
            </td>
            <td>
                <a
                    class="integration-name"
                    href=format!("/runs/{}", run.id)
                    aria-label=format!("{}, run of {}", run.integration_name, exact(run.created_at))
                >
                    {run.integration_name.clone()}
                </a>
                {run.error.clone().map(|error| view! { <p class="run-error">{error}</p> })}
            </td>
            <td class="short">{of(run.of)}</td>
            <td>
                <Ago at=run.created_at />
            </td>
            <td class="number">{took(&run)}</td>
        </tr>
    }
    .into_any()
}

/// Draws one run in a narrow list.
pub(crate) fn short_line(run: RunSummary) -> AnyView {
    view! {
        <li>
            <RunStateBadge state=run.state />
            <a class="grow" href=format!("/runs/{}", run.id)>
                <Ago at=run.created_at />
                <span class="visually-hidden">{format!(", run {}", run.id)}</span>
            </a>
            <span class="quiet-text">{of(run.of)}</span>
            <span class="quiet-text number">{took(&run)}</span>
        </li>
    }
    .into_any()
}

/// Returns what was executed, in a word or two.
pub(super) fn of(of: RunOf) -> String {
    match of {
        RunOf::Version(number) => format!("Version {number}"),
        RunOf::Test(_, revision) => format!("Test of revision {revision}"),
    }
}

/// Returns how long a run took from its event to its end.
pub(super) fn took(run: &RunSummary) -> String {
    run.finished_at
        .map(|end| duration(end.since(run.created_at)))
        .unwrap_or_default()
}
