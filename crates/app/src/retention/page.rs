//! The retention page: how long runs are kept.

use domain::limit::{RETENTION_DAYS_MAX, RETENTION_DAYS_MIN};
use domain::live::Changed;
use domain::policy::Act;
use domain::retention::{Refusal, check_days};
use leptos::prelude::*;

use super::api;
use crate::design::confirm::{Question, confirm};
use crate::design::field::TextField;
use crate::design::form::{SavedForm, Sending};
use crate::design::load::{Load, load, loaded};
use crate::design::toast;
use crate::screen::Page;
use crate::{live, session};

/// Draws the screen `/settings/retention`.
pub(crate) fn page() -> AnyView {
    let days = load(None, || Box::pin(api::read_retention()));
    live::use_changes(move |changed| {
        if changed == Changed::Organization {
            days.soon();
        }
    });
    let may = session::may(Act::ManageRetention);
    let content = loaded(days, move |shown| {
        let form = may.get_untracked().is_ok().then(|| form(shown, days));
        view! {
            <section class="panel-box" aria-labelledby="retention">
                <div class="head">
                    <h2 id="retention">"Runs"</h2>
                </div>
                <div class="body stack">
                    <p role="status">{move || kept(shown.get())}</p>
                    {form}
                </div>
            </section>
        }
        .into_any()
    });
    let denied = move || {
        may.get()
            .err()
            .map(|denied| view! { <p class="notice">{denied.to_string()}</p> })
    };
    view! {
        <Page title="Retention">
            <div class="narrow stack">
                <p>
                    "A run that is over is kept for a time, with what it received and what its steps did. Then it is deleted, a few at a time, in the background. Runs that wait or are under way stay, and so do tests of open drafts. Versions, reviews and pinned outputs are never deleted by this."
                </p>
                {denied}
                {content}
            </div>
        </Page>
    }
    .into_any()
}

fn kept(days: u32) -> String {
    match days {
        1 => "Runs are kept for 1 day after they ended.".to_owned(),
        days => format!("Runs are kept for {days} days after they ended."),
    }
}

fn form(shown: Signal<u32>, days: Load<u32>) -> AnyView {
    let typed = RwSignal::new(shown.get_untracked().to_string());
    let problem = RwSignal::new(None::<String>);
    let sending = Sending::default();
    let submit = move || {
        let read = typed.with_untracked(|typed| typed.trim().parse().map_err(|_| Refusal::Days));
        let wanted: u32 = match read.and_then(check_days) {
            Ok(wanted) => wanted,
            Err(refusal) => return problem.set(Some(refusal.to_string())),
        };
        problem.set(None);
        let save = move || {
            sending.send_at(problem, api::set_retention(wanted), move |()| {
                toast::say(kept(wanted));
                days.again();
            });
        };
        if wanted >= shown.get_untracked() {
            return save();
        }
        let question = Question {
            title: format!("Keep runs for {wanted} {}?", unit(wanted)),
            text: "What ended longer ago is deleted, with its data, and cannot be brought back."
                .to_owned(),
            action: "Delete older runs".to_owned(),
            is_destructive: true,
        };
        confirm(question, save);
    };
    view! {
        <SavedForm submit=submit sending=sending>
            <TextField
                label="Days to keep runs"
                value=typed
                problem=problem
                help=format!("From {RETENTION_DAYS_MIN} to {RETENTION_DAYS_MAX}, counted from the end of a run.")
            />
        </SavedForm>
    }
    .into_any()
}

const fn unit(days: u32) -> &'static str {
    match days {
        1 => "day",
        _ => "days",
    }
}
