//! The page of one integration: what is live, its drafts, its versions, its newest runs.

use domain::IntegrationId;
use domain::account::check_name;
use domain::call::TRIGGER;
use domain::integration::{Failing, IntegrationDetail, IntegrationSummary};
use domain::live::Changed;
use domain::policy::Act;
use domain::run::RunSummary;
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::hooks::use_params_map;

use super::{api, drafts, list, live_version, throttle};
use crate::call::callers;
use crate::design::action::{ActionButton, refusal};
use crate::design::dialog::Dialog;
use crate::design::field::TextField;
use crate::design::load::{Load, load, loaded};
use crate::design::time::Ago;
use crate::design::toast;
use crate::fault::Fault;
use crate::poll::standing;
use crate::screen::Page;
use crate::{connection, live, run, session, version};

/// How many of the newest runs the page shows.
const RUNS: usize = 8;

/// Draws the screen `/integrations/:id`.
pub(crate) fn page() -> AnyView {
    let params = use_params_map();
    let id = Memo::new(move |_| {
        params.with(|params| {
            params
                .get("id")
                .and_then(|id| id.parse::<IntegrationId>().ok())
        })
    });
    let content = move || match id.get() {
        Some(id) => of(id),
        None => crate::design::load::fault_box(&Fault::NotFound, || ()),
    };
    content.into_any()
}

fn of(id: IntegrationId) -> AnyView {
    let detail = load(None, move || Box::pin(api::read_integration(id)));
    let runs = load(None, move || Box::pin(run::api::runs(Some(id), None, None)));
    live::use_changes(move |changed| match changed {
        Changed::Integration(other) | Changed::Polled(other) if other == id => detail.soon(),
        Changed::Draft(..) => detail.soon(),
        Changed::Run(_, other) if other == id => {
            runs.soon();
            detail.soon();
        }
        _ => {}
    });
    let summary = Memo::new(move |_| detail.value.with(|d| d.as_ref().map(|d| d.summary.clone())));
    let name = move || summary.with(|s| s.as_ref().map_or_else(String::new, |s| s.name.clone()));
    let above = view! { <a href="/">"Integrations"</a> }.into_any();
    let beside = view! {
        {move || summary.get().map(|s| list::standing(&s))}
    }
    .into_any();
    let content = loaded(detail, move |shown| sections(shown, detail, runs));
    view! {
        <Page
            title=Signal::derive(name)
            above=above
            beside=beside
            actions=actions(id, summary, detail)
        >
            {content}
        </Page>
    }
    .into_any()
}

fn actions(
    id: IntegrationId,
    summary: Memo<Option<IntegrationSummary>>,
    detail: Load<IntegrationDetail>,
) -> AnyView {
    let may = session::may(Act::Operate);
    let is_live = move || summary.with(|s| s.as_ref().is_some_and(|s| s.live.is_some()));
    let is_enabled = move || summary.with(|s| s.as_ref().is_some_and(|s| s.enabled));
    let toggle = move |_| {
        if may.get_untracked().is_err() {
            return;
        }
        let enabled = !summary.with_untracked(|s| s.as_ref().is_some_and(|s| s.enabled));
        let is_called = summary.with_untracked(|s| {
            let live = s.as_ref().and_then(|s| s.live.as_ref());
            live.is_some_and(|live| live.trigger == TRIGGER)
        });
        match is_called && !enabled {
            true => callers::unless_called(id, move || set_enabled(id, enabled, detail)),
            false => set_enabled(id, enabled, detail),
        }
    };
    let switch = move || {
        is_live().then(|| {
            view! {
                <span class="with-reason">
                    <button
                        type="button"
                        class="switch"
                        role="switch"
                        aria-checked=move || is_enabled().to_string()
                        aria-disabled=move || may.get().is_err().to_string()
                        aria-describedby="operate-reason"
                        on:click=toggle
                    >
                        "Enabled"
                    </button>
                    <span class="reason" id="operate-reason">
                        {move || may.get().err().map(|denied| denied.to_string())}
                    </span>
                </span>
            }
        })
    };
    view! {
        {switch}
        {rename(id, summary, detail)}
    }
    .into_any()
}

fn set_enabled(id: IntegrationId, enabled: bool, detail: Load<IntegrationDetail>) {
    spawn_local(async move {
        match api::set_enabled(id, enabled).await {
            Ok(()) if enabled => toast::say("Enabled: its trigger starts it again."),
            Ok(()) => toast::say("Disabled: its trigger does not start it any more."),
            Err(fault) => toast::say_fault(&fault),
        }
        detail.again();
    });
}

fn rename(
    id: IntegrationId,
    summary: Memo<Option<IntegrationSummary>>,
    detail: Load<IntegrationDetail>,
) -> AnyView {
    let open = RwSignal::new(false);
    let name = RwSignal::new(String::new());
    let fault = RwSignal::new(None::<String>);
    let may = session::may(Act::EditDraft);
    let start = move |()| {
        name.set(
            summary.with_untracked(|s| s.as_ref().map_or_else(String::new, |s| s.name.clone())),
        );
        fault.set(None);
        open.set(true);
    };
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        match name.with_untracked(|name| check_name(name)) {
            Err(refusal) => fault.set(Some(refusal.to_string())),
            Ok(name) => spawn_local(async move {
                match api::rename_integration(id, name).await {
                    Ok(()) => {
                        open.try_set(false);
                        detail.again();
                    }
                    Err(why) => {
                        session::notice(&why);
                        fault.try_set(Some(why.to_string()));
                    }
                }
            }),
        }
    };
    view! {
        {move || {
            may.get()
                .is_ok()
                .then(|| {
                    view! {
                        <ActionButton label="Rename" icon="pencil" press=Callback::new(start) />
                    }
                })
        }}
        <Dialog open=open title="Rename the integration">
            <form class="stack" novalidate on:submit=submit>
                <TextField label="Name" value=name problem=fault autofocus=true />
                <div class="dialog-actions">
                    <button type="button" class="button" on:click=move |_| open.set(false)>
                        "Cancel"
                    </button>
                    <button type="submit" class="button primary">
                        "Rename"
                    </button>
                </div>
            </form>
        </Dialog>
    }
    .into_any()
}

fn sections(
    shown: Signal<IntegrationDetail>,
    detail: Load<IntegrationDetail>,
    runs: Load<Vec<RunSummary>>,
) -> AnyView {
    let id = shown.with_untracked(|shown| shown.summary.id);
    let drafts = Memo::new(move |_| shown.with(|shown| shown.summary.drafts.clone()));
    let versions = Memo::new(move |_| shown.with(|shown| shown.versions.clone()));
    let failing = Memo::new(move |_| shown.with(|shown| shown.summary.failing));
    let polls_failing = Memo::new(move |_| shown.with(|shown| shown.summary.polls_failing));
    view! {
        <div class="columns">
            <div class="stack wide-gap">
                {move || failing.get().map(failing_notice)}
                {move || polls_failing.get().map(standing::failing_notice)}
                {connection::standing::notice(id)}
                {live_version::section(shown)}
                {throttle::section(id, shown, detail)}
                {drafts::section(id, drafts, detail)}
                {version::timeline::section(id, versions)}
            </div>
            <section class="panel-box" aria-labelledby="newest-runs">
                <div class="head">
                    <h2 class="grow" id="newest-runs">
                        "Newest runs"
                    </h2>
                    <a href=format!("/runs?integration={id}")>"All runs"</a>
                </div>
                {loaded(runs, newest_runs)}
            </section>
        </div>
    }
    .into_any()
}

fn failing_notice(failing: Failing) -> AnyView {
    view! {
        <p class="notice">
            "Failing since "
            <Ago at=failing.since />
            ", when "
            <a href=format!("/runs/{}", failing.first)>"this run"</a>
            " ended. No run has succeeded after it."
        </p>
    }
    .into_any()
}

fn newest_runs(runs: Signal<Vec<RunSummary>>) -> AnyView {
    let lines = move || {
        if runs.with(Vec::is_empty) {
            return view! {
                <p class="empty">"No runs yet. Each run of a live version is listed here."</p>
            }
            .into_any();
        }
        let lines = runs.get().into_iter().take(RUNS).map(run::list::short_line);
        view! { <ul class="run-list">{lines.collect::<Vec<_>>()}</ul> }.into_any()
    };
    view! { {lines} }.into_any()
}

/// Returns why someone may not change drafts.
pub(super) fn edit_refusal() -> Signal<Option<String>> {
    refusal(Act::EditDraft)
}
