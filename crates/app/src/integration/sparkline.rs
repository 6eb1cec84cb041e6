//! The newest runs as a row of bars.

use domain::run::RunState;
use leptos::prelude::*;

/// Draws the states of the newest runs (newest first), oldest at the left.
pub(super) fn sparkline(states: &[RunState]) -> AnyView {
    if states.is_empty() {
        return view! { <span class="quiet-text">"No runs yet"</span> }.into_any();
    }
    let bars = states.iter().rev().map(|state| {
        view! { <i data-state=state.key()></i> }
    });
    view! {
        <span class="sparkline" role="img" aria-label=spoken(states)>
            {bars.collect::<Vec<_>>()}
        </span>
    }
    .into_any()
}

fn spoken(states: &[RunState]) -> String {
    let counts = RunState::ALL.into_iter().filter_map(|state| {
        let count = states.iter().filter(|other| **other == state).count();
        (count > 0).then(|| format!("{count} {}", state.title().to_lowercase()))
    });
    let counts: Vec<String> = counts.collect();
    match states.len() {
        1 => format!("The last run: {}", states[0].title().to_lowercase()),
        all => format!("The last {all} runs: {}", counts.join(", ")),
    }
}
