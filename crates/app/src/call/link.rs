//! Links between a run and those that it called, or was called by.

use domain::call::{Called, Linked};
use domain::limit;
use leptos::prelude::*;

use crate::design::icon::Icon;
use crate::design::state::RunStateBadge;

/// Draws a link to a run, with the name of its integration and where it stands.
fn to(linked: &Linked) -> AnyView {
    view! {
        <span class="call-link">
            <a href=format!("/runs/{}", linked.run)>{format!("Run of {}", linked.name)}</a>
            <RunStateBadge state=linked.state />
        </span>
    }
    .into_any()
}

/// Draws what a run was called by, as one of its facts.
pub(crate) fn caller(linked: Option<&Linked>) -> AnyView {
    let fact = linked.map(|linked| {
        view! {
            <dt>"Called by"</dt>
            <dd>{to(linked)}</dd>
        }
    });
    fact.into_any()
}

/// Draws the runs that a step called in a round, the last one last.
pub(crate) fn calls(of_step: &[Called]) -> AnyView {
    if of_step.is_empty() {
        return ().into_any();
    }
    let is_retried = of_step.len() > 1;
    let line = |called: &Called| {
        let number = is_retried.then(|| format!("Call {}", called.number));
        view! {
            <li>
                <Icon name="workflow" />
                {number}
                {to(&called.to)}
            </li>
        }
    };
    let lines = of_step.iter().map(line);
    view! { <ul class="call-list">{lines.collect::<Vec<_>>()}</ul> }.into_any()
}

/// Says that not all calls are listed, when they are not.
pub(crate) fn more(listed: usize) -> AnyView {
    let said = (listed >= limit::CALLS_LISTED).then(|| {
        let said = format!("Links to the first {listed} runs that were called are shown.");
        view! { <p class="quiet-text">{said}</p> }
    });
    said.into_any()
}
