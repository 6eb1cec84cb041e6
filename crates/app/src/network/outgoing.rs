//! What all requests keep to: encryption, and limits for each host.

use domain::limit::{HOST_AT_ONCE, HOST_PER_SECOND};
use domain::network::{Encryption, Refusal, Rules};
use leptos::prelude::*;

use super::api;
use crate::design::choices::{Choice, choices};
use crate::design::field::TextField;
use crate::design::form::{SavedForm, Sending};
use crate::design::load::{Load, loaded};
use crate::design::toast;

/// What may be chosen of encryption, and what it means.
const CHOICES: [(Encryption, &str, &str); 3] = [
    (
        Encryption::Free,
        "Not required",
        "Requests go as their address says.",
    ),
    (
        Encryption::Public,
        "Required, except for what is allowed above",
        "Without encryption, only allowed ranges and host names are reached.",
    ),
    (
        Encryption::All,
        "Required everywhere",
        "Web requests use https; mail servers and databases are reached with encryption only.",
    ),
];

/// Draws the section: a form for Admins, sentences for others.
pub(super) fn section(rules: Load<Rules>, may_manage: bool) -> AnyView {
    let content = loaded(rules, move |shown| match may_manage {
        true => form(shown, rules),
        false => sentences(shown),
    });
    view! {
        <section class="panel-box" aria-labelledby="outgoing">
            <div class="head">
                <h2 id="outgoing">"Outgoing requests"</h2>
            </div>
            <div class="body stack">{content}</div>
        </section>
    }
    .into_any()
}

fn sentences(shown: Signal<Rules>) -> AnyView {
    let encryption = move || {
        let set = shown.get().encryption;
        let (_, title, about) = CHOICES.iter().find(|(choice, ..)| *choice == set)?;
        Some(format!("Encryption: {}. {about}", title.to_lowercase()))
    };
    let limit = |limit: Option<u32>, what: &str| match limit {
        None => format!("Any number of requests {what} to one host."),
        Some(1) => format!("At most 1 request {what} to one host."),
        Some(most) => format!("At most {most} requests {what} to one host."),
    };
    view! {
        <p>{encryption}</p>
        <p>{move || limit(shown.get().at_once, "at once")}</p>
        <p>{move || limit(shown.get().per_second, "a second")}</p>
    }
    .into_any()
}

/// What is typed, as it is until it is saved.
#[derive(Clone, Copy)]
struct Typed {
    encryption: RwSignal<Encryption>,
    at_once: RwSignal<String>,
    per_second: RwSignal<String>,
    problem: RwSignal<Option<Refusal>>,
}

impl Typed {
    fn new(rules: Rules) -> Self {
        let text = |limit: Option<u32>| limit.map_or_else(String::new, |limit| limit.to_string());
        Self {
            encryption: RwSignal::new(rules.encryption),
            at_once: RwSignal::new(text(rules.at_once)),
            per_second: RwSignal::new(text(rules.per_second)),
            problem: RwSignal::new(None),
        }
    }

    fn read(self) -> Result<Rules, Refusal> {
        let limit = |typed: RwSignal<String>, refusal| {
            typed.with_untracked(|typed| match typed.trim() {
                "" => Ok(None),
                typed => typed.parse().map(Some).map_err(|_| refusal),
            })
        };
        Rules {
            encryption: self.encryption.get_untracked(),
            at_once: limit(self.at_once, Refusal::AtOnce)?,
            per_second: limit(self.per_second, Refusal::PerSecond)?,
        }
        .check()
    }

    fn problem(self, of: Refusal) -> Signal<Option<String>> {
        Signal::derive(move || {
            let refusal = self.problem.get().filter(|refusal| *refusal == of)?;
            Some(refusal.to_string())
        })
    }
}

fn form(shown: Signal<Rules>, rules: Load<Rules>) -> AnyView {
    let typed = Typed::new(shown.get_untracked());
    let sending = Sending::default();
    let submit = move || match typed.read() {
        Ok(wanted) => {
            typed.problem.set(None);
            sending.send(api::set_outgoing(wanted), move |()| {
                toast::say("The rules hold for the next request of each run.");
                rules.again();
            });
        }
        Err(refusal) => typed.problem.set(Some(refusal)),
    };
    let of_encryption = CHOICES.map(|(value, title, about)| Choice::new(value, title, about));
    view! {
        <SavedForm submit=submit sending=sending>
            {choices("Encryption", typed.encryption, of_encryption)}
            <TextField
                label="Requests at once to one host"
                value=typed.at_once
                problem=typed.problem(Refusal::AtOnce)
                optional=true
                help=format!("From 1 to {HOST_AT_ONCE}, over all integrations; empty for no limit. What is over it waits for its turn.")
            />
            <TextField
                label="Requests a second to one host"
                value=typed.per_second
                problem=typed.problem(Refusal::PerSecond)
                optional=true
                help=format!("From 1 to {HOST_PER_SECOND}, evenly spaced; empty for no limit.")
            />
        </SavedForm>
    }
    .into_any()
}
