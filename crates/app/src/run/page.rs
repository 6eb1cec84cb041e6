//! The page of one run: what came in, what each step did, how it ended.

use domain::RunId;
use domain::account::Role;
use domain::call::Linked;
use domain::delivery::Delivery;
use domain::live::Changed;
use domain::policy::{self, Act};
use domain::run::{RunDetail, RunOf, RunSummary};
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::hooks::use_params_map;

use super::{api, list, records::RecordTree, resume};
use crate::call::link;
use crate::design::action::{ActionButton, refusal};
use crate::design::confirm::{Question, confirm};
use crate::design::icon::Icon;
use crate::design::json::JsonView;
use crate::design::load::{Load, fault_box, load, loaded};
use crate::design::state::RunStateBadge;
use crate::design::time::Ago;
use crate::design::toast;
use crate::fault::Fault;
use crate::live;
use crate::screen::Page;

/// Draws the screen `/runs/:id`.
pub(crate) fn page() -> AnyView {
    let params = use_params_map();
    let id = Memo::new(move |_| {
        params.with(|params| params.get("id").and_then(|id| id.parse::<RunId>().ok()))
    });
    let content = move || match id.get() {
        Some(id) => of(id),
        None => fault_box(&Fault::NotFound, || ()),
    };
    content.into_any()
}

fn of(id: RunId) -> AnyView {
    let detail = load(None, move || Box::pin(api::read_run(id)));
    live::use_changes(move |changed| {
        let is_shown = match changed {
            Changed::Run(other, _) => other == id,
            // What holds its runs back may have been set or lifted.
            Changed::Integration(other) => detail.value.with_untracked(|detail| {
                detail
                    .as_ref()
                    .is_some_and(|detail| detail.summary.integration == other)
            }),
            _ => false,
        };
        if is_shown {
            detail.soon();
        }
    });
    let summary = Memo::new(move |_| detail.value.with(|d| d.as_ref().map(|d| d.summary.clone())));
    let title = move || {
        summary.with(|summary| {
            summary.as_ref().map_or_else(
                || "Run".to_owned(),
                |s| format!("Run of {}", s.integration_name),
            )
        })
    };
    let integration = move || {
        summary.get().map(|summary| {
            view! {
                <a href=format!("/integrations/{}", summary.integration)>
                    {summary.integration_name}
                </a>
            }
        })
    };
    let above = view! {
        <a href="/runs">"Runs"</a>
        {integration}
    }
    .into_any();
    let beside = view! {
        {move || summary.get().map(|summary| view! { <RunStateBadge state=summary.state /> })}
    }
    .into_any();
    view! {
        <Page
            title=Signal::derive(title)
            above=above
            beside=beside
            actions=view! {
                {cancel(id, summary, detail)}
                {resume::of_run(id, summary, detail)}
            }
                .into_any()
        >
            {loaded(detail, content)}
        </Page>
    }
    .into_any()
}

fn cancel(id: RunId, summary: Memo<Option<RunSummary>>, detail: Load<RunDetail>) -> AnyView {
    let press = move |()| {
        let question = Question {
            title: "Cancel this run?".to_owned(),
            text: "Steps that have ended stay as they are; no further step is begun.".to_owned(),
            action: "Cancel the run".to_owned(),
            is_destructive: true,
        };
        confirm(question, move || {
            spawn_local(async move {
                match api::cancel_run(id).await {
                    Ok(()) => toast::say("The run is canceled."),
                    Err(fault) => toast::say_fault(&fault),
                }
                detail.again();
            });
        });
    };
    let is_open = Memo::new(move |_| {
        summary.with(|summary| {
            summary
                .as_ref()
                .is_some_and(|summary| !summary.state.is_finished())
        })
    });
    let button = move || {
        is_open.get().then(|| {
            let refused = refusal(Act::Operate);
            view! {
                <ActionButton
                    label="Cancel run"
                    icon="octagon-x"
                    refused=refused
                    press=Callback::new(press)
                />
            }
        })
    };
    view! { {button} }.into_any()
}

fn content(detail: Signal<RunDetail>) -> AnyView {
    let summary = Memo::new(move |_| detail.with(|detail| detail.summary.clone()));
    let caller = Memo::new(move |_| detail.with(|detail| detail.caller.clone()));
    let delivery = Memo::new(move |_| detail.with(|detail| detail.delivery.clone()));
    let listed = Memo::new(move |_| detail.with(|detail| detail.calls.len()));
    let payload = Memo::new(move |_| detail.with(|detail| detail.payload.clone()));
    let is_hidden = Memo::new(move |_| detail.with(|detail| detail.payloads_hidden));
    let hidden = move || {
        is_hidden.get().then(|| {
            let why = policy::allow(Role::Reader, Act::SeePayloads).err();
            view! { <p class="notice">{why.map(|why| why.to_string())}</p> }
        })
    };
    let came_in = move || {
        payload.get().map(|value| {
            view! {
                <section class="run-payload" aria-labelledby="payload">
                    <h2 id="payload">"What came in"</h2>
                    <JsonView value=Signal::stored(value) name="payload" />
                </section>
            }
        })
    };
    let held = Memo::new(move |_| detail.with(|detail| detail.held));
    let waits = move || {
        held.get()
            .map(|held| view! { <p class="notice">{held.says()}</p> })
    };
    view! {
        {waits}
        {move || facts(&summary.get(), caller.get().as_ref(), delivery.get())}
        {hidden}
        {came_in}
        <section aria-labelledby="steps">
            <h2 id="steps">"Steps"</h2>
            {move || link::more(listed.get())}
            <RecordTree detail=detail />
        </section>
    }
    .into_any()
}

fn facts(run: &RunSummary, caller: Option<&Linked>, delivery: Option<Delivery>) -> AnyView {
    let what = match run.of {
        RunOf::Version(number) => view! {
            <a href=format!("/integrations/{}/versions/{number}", run.integration)>
                {list::of(run.of)}
            </a>
        }
        .into_any(),
        RunOf::Test(draft, _) => {
            view! { <a href=format!("/drafts/{draft}")>{list::of(run.of)}</a> }.into_any()
        }
    };
    let took = list::took(run);
    let error = run.error.clone().map(|error| {
        view! {
            <div class="fault-box" role="note">
                <Icon name="alert" />
                <p>{error}</p>
            </div>
        }
    });
    view! {
        {error}
        <dl class="facts run-facts">
            <dt>"Executed"</dt>
            <dd>{what}</dd>
            {link::caller(caller)}
            <dt>"Accepted"</dt>
            <dd>
                <Ago at=run.created_at />
            </dd>
            {(!took.is_empty())
                .then(|| {
                    view! {
                        <dt>"Took"</dt>
                        <dd>{took}</dd>
                    }
                })} {delivery.map(delivered)}
        </dl>
    }
    .into_any()
}

/// Draws what its sender calls the event, and how often it came.
fn delivered(delivery: Delivery) -> AnyView {
    let again = match delivery.repeats {
        0 => "came once".to_owned(),
        1 => "1 repeated delivery, which started no run".to_owned(),
        count => format!("{count} repeated deliveries, which started no run"),
    };
    view! {
        <dt>"Event id"</dt>
        <dd>{delivery.id.map(|id| view! { <code>{id}</code> " · " })} {again}</dd>
    }
    .into_any()
}
