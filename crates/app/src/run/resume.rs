//! Buttons that go on with runs that ended early: one run, or all that a filter shows.

use domain::RunId;
use domain::policy::Act;
use domain::run::{ResumeOn, RunDetail, RunOf, RunState, RunSummary};
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::api;
use super::list::Filter;
use crate::design::action::{ActionButton, refusal};
use crate::design::confirm::{Question, confirm};
use crate::design::load::Load;
use crate::design::toast;

/// What a person is told before a request that may have arrived is sent again.
const DOUBT: &str = "A request of it may have arrived already. It is sent again with the same idempotency key: look into the other system first, unless that knows the key.";

/// Draws the buttons of a run's page.
pub(super) fn of_run(
    id: RunId,
    summary: Memo<Option<RunSummary>>,
    detail: Load<RunDetail>,
) -> AnyView {
    let state = Memo::new(move |_| {
        summary.with(|summary| {
            summary
                .as_ref()
                .filter(|run| run.state.can_resume() && matches!(run.of, RunOf::Version(_)))
                .map(|run| run.state)
        })
    });
    let press = move |on: ResumeOn| {
        let text = match state.get_untracked() {
            Some(RunState::InDoubt) => DOUBT,
            _ => {
                "It goes on at the step at which it ended. Steps that succeeded are not done again."
            }
        };
        let question = Question {
            title: "Resume this run?".to_owned(),
            text: text.to_owned(),
            action: match on {
                ResumeOn::Ran => "Resume".to_owned(),
                ResumeOn::Live => "Resume on the live version".to_owned(),
            },
            is_destructive: false,
        };
        confirm(question, move || {
            spawn_local(async move {
                match api::resume_run(id, on).await {
                    Ok(()) => toast::say("The run goes on."),
                    Err(fault) => toast::say_fault(&fault),
                }
                detail.again();
            });
        });
    };
    let buttons = move || {
        state.get().map(|_| {
            let refused = refusal(Act::Operate);
            view! {
                <ActionButton
                    label="Resume on live version"
                    icon="rocket"
                    refused=refused
                    press=Callback::new(move |()| press(ResumeOn::Live))
                />
                <ActionButton
                    label="Resume"
                    icon="redo"
                    refused=refused
                    press=Callback::new(move |()| press(ResumeOn::Ran))
                />
            }
        })
    };
    view! { {buttons} }.into_any()
}

/// Draws the button of the list: it goes on with all runs of the state that is filtered by.
pub(super) fn of_list(filter: Memo<Filter>) -> AnyView {
    let progress = RwSignal::new(None::<u32>);
    let press = move |()| {
        let filter = filter.get_untracked();
        let is_in_doubt = filter.state == Some(RunState::InDoubt);
        let question = Question {
            title: "Resume all of them?".to_owned(),
            text: if is_in_doubt {
                DOUBT.to_owned()
            } else {
                "Each goes on at the step at which it ended, on the version that it ran.".to_owned()
            },
            action: "Resume all".to_owned(),
            is_destructive: is_in_doubt,
        };
        confirm(question, move || {
            spawn_local(async move {
                progress.set(Some(0));
                let (mut after, mut unreadable) = (None, 0);
                let said = loop {
                    let (integration, state) = (filter.integration, filter.state);
                    match api::resume_runs(integration, state, after, ResumeOn::Ran).await {
                        Ok(resumed) => {
                            progress.update(|all| *all = all.map(|all| all + resumed.resumed));
                            unreadable += resumed.unreadable;
                            after = resumed.next;
                            if after.is_none() {
                                break Ok(());
                            }
                        }
                        Err(fault) => break Err(fault),
                    }
                };
                let count = progress.get_untracked().unwrap_or_default();
                progress.set(None);
                match said {
                    Ok(()) if unreadable > 0 => toast::say(format!(
                        "{count} of the runs go on. {unreadable} cannot be read and stay as they are."
                    )),
                    Ok(()) if count == 1 => toast::say("1 run goes on."),
                    Ok(()) => toast::say(format!("{count} runs go on.")),
                    Err(fault) => toast::say_fault(&fault),
                }
            });
        });
    };
    let button = move || {
        let can_resume = filter.get().state.is_some_and(RunState::can_resume);
        match progress.get() {
            Some(count) => Some(
                view! { <span class="quiet-text" role="status">{format!("{count} resumed …")}</span> }
                    .into_any(),
            ),
            None => can_resume.then(|| {
                let refused = refusal(Act::Operate);
                view! {
                    <ActionButton
                        label="Resume all"
                        icon="redo"
                        refused=refused
                        press=Callback::new(press)
                    />
                }
                .into_any()
            }),
        }
    };
    view! { {button} }.into_any()
}
