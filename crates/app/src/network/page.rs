//! The network page: what requests may reach and keep to, and which hosts are down.

use domain::live::Changed;
use domain::policy::Act;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::{api, down, outgoing};
use crate::design::confirm::{Question, confirm};
use crate::design::field::TextField;
use crate::design::icon::Icon;
use crate::design::load::{Load, load, loaded};
use crate::design::toast;
use crate::screen::Page;
use crate::{live, session};

/// Ranges that people need most, with what they are.
const PRESETS: [(&str, &str); 4] = [
    ("This machine", "127.0.0.0/8"),
    ("Private network", "10.0.0.0/8"),
    ("Private network", "172.16.0.0/12"),
    ("Private network", "192.168.0.0/16"),
];

/// Draws the screen `/settings/network`.
pub(crate) fn page() -> AnyView {
    let allowed = load(None, || Box::pin(api::read_network()));
    let rules = load(None, || Box::pin(api::read_outgoing()));
    let hosts = load(None, || Box::pin(api::hosts_down()));
    live::use_changes(move |changed| {
        if changed == Changed::Organization {
            allowed.soon();
            rules.soon();
            hosts.soon();
        }
    });
    let may = session::may(Act::ManageNetwork);
    let content = loaded(allowed, move |all| {
        let may_manage = may.get_untracked().is_ok();
        view! {
            {list(all, allowed, may_manage)}
            {may_manage.then(|| add(all, allowed))}
        }
        .into_any()
    });
    let denied = move || {
        may.get()
            .err()
            .map(|denied| view! { <p class="notice">{denied.to_string()}</p> })
    };
    view! {
        <Page title="Network">
            <div class="narrow stack">
                <p>
                    "HTTP requests reach the public internet. Addresses of this machine and of private networks are refused, because services there often trust whoever can reach them. Allow a range only when you know what answers in it: everyone who can edit a draft can then send requests there."
                </p>
                {denied}
                {content}
                {move || outgoing::section(rules, may.get().is_ok())}
                {down::section(hosts)}
            </div>
        </Page>
    }
    .into_any()
}

fn list(all: Signal<Vec<String>>, allowed: Load<Vec<String>>, may_manage: bool) -> AnyView {
    let line = move |range: String| {
        let name = preset_name(&range).unwrap_or_default();
        let label = format!("Stop allowing {range}");
        let remove = {
            let range = range.clone();
            move |_| {
                let range = range.clone();
                let question = Question {
                    title: format!("Stop allowing {range}?"),
                    text:
                        "Requests to it are refused from now on, also those of live integrations."
                            .to_owned(),
                    action: "Stop allowing".to_owned(),
                    is_destructive: true,
                };
                confirm(question, move || {
                    let mut left = all.get_untracked();
                    left.retain(|other| *other != range);
                    save(
                        left,
                        allowed,
                        format!("{range} is refused again."),
                        RwSignal::new(None),
                    );
                });
            }
        };
        view! {
            <li>
                <code>{range.clone()}</code>
                <span class="quiet-text grow">{name}</span>
                {may_manage
                    .then(|| {
                        view! {
                            <button
                                type="button"
                                class="button quiet icon-only"
                                aria-label=label.clone()
                                title=label
                                on:click=remove
                            >
                                <Icon name="trash" />
                            </button>
                        }
                    })}
            </li>
        }
        .into_any()
    };
    let lines = move || {
        if all.with(Vec::is_empty) {
            return view! { <p class="empty">"Nothing private is allowed: only public addresses are reached."</p> }
                .into_any();
        }
        let lines = all.get().into_iter().map(line);
        view! { <ul class="range-list">{lines.collect::<Vec<_>>()}</ul> }.into_any()
    };
    view! {
        <section class="panel-box" aria-labelledby="allowed">
            <div class="head">
                <h2 id="allowed">"Allowed"</h2>
            </div>
            {lines}
        </section>
    }
    .into_any()
}

fn preset_name(range: &str) -> Option<&'static str> {
    PRESETS
        .iter()
        .find(|(_, preset)| *preset == range)
        .map(|(name, _)| *name)
}

fn add(all: Signal<Vec<String>>, allowed: Load<Vec<String>>) -> AnyView {
    let range = RwSignal::new(String::new());
    let problem = RwSignal::new(None::<String>);
    let allow = move |new: String| {
        let mut ranges = all.get_untracked();
        if ranges.contains(&new) {
            problem.set(Some(format!("{new} is allowed already.")));
            return;
        }
        ranges.push(new.clone());
        spawn_local(async move {
            problem.try_set(None);
            if saved(ranges, allowed, format!("{new} is allowed."), problem).await {
                range.try_set(String::new());
            }
        });
    };
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let new = range.with_untracked(|range| range.trim().to_owned());
        if new.is_empty() {
            problem.set(Some("Type a range or a host name.".to_owned()));
        } else {
            allow(new);
        }
    };
    let preset = move |(name, preset): &(&'static str, &'static str)| {
        let preset = *preset;
        view! {
            <button
                type="button"
                class="chip"
                hidden=move || all.with(|all| all.iter().any(|range| range == preset))
                on:click=move |_| allow(preset.to_owned())
            >
                {format!("{name}: {preset}")}
            </button>
        }
    };
    view! {
        <form class="stack" novalidate on:submit=submit>
            <div class="input-row range-row">
            <TextField
                label="Allow a range"
                value=range
                problem=problem
                help="A CIDR range such as 10.1.0.0/16, a single address, or a host name."
                placeholder="10.1.0.0/16"
            />
                <button type="submit" class="button primary">
                    "Allow"
                </button>
            </div>
            <div class="chips" role="group" aria-label="Ranges that people need most">
                {PRESETS.iter().map(preset).collect::<Vec<_>>()}
            </div>
        </form>
    }
    .into_any()
}

fn save(
    ranges: Vec<String>,
    allowed: Load<Vec<String>>,
    done: String,
    problem: RwSignal<Option<String>>,
) {
    spawn_local(async move {
        saved(ranges, allowed, done, problem).await;
        if let Some(Some(problem)) = problem.try_get_untracked() {
            toast::say(problem);
        }
    });
}

/// Sets the ranges; says so, or why not. Returns whether it was done.
async fn saved(
    ranges: Vec<String>,
    allowed: Load<Vec<String>>,
    done: String,
    problem: RwSignal<Option<String>>,
) -> bool {
    let answer = api::set_network(ranges).await;
    allowed.again();
    match answer {
        Ok(()) => {
            toast::say(done);
            true
        }
        Err(fault) => {
            session::notice(&fault);
            problem.try_set(Some(fault.to_string()));
            false
        }
    }
}
