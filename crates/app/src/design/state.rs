//! States as icon, word and colour together: never colour alone.

use domain::draft::DraftState;
use domain::run::{RunState, StepState};
use leptos::prelude::*;

use super::icon::Icon;

/// Returns the icon of a run's state.
pub const fn run_icon(state: RunState) -> &'static str {
    match state {
        RunState::Queued => "circle-dot",
        RunState::Running => "spinner",
        RunState::Waiting => "hourglass",
        RunState::Succeeded => "circle-check",
        RunState::Failed => "circle-x",
        RunState::InDoubt => "alert",
        RunState::Quarantined => "shield",
        RunState::Canceled => "circle-slash",
    }
}

const fn step_look(state: StepState) -> (&'static str, &'static str, &'static str) {
    match state {
        StepState::Started => ("running", "spinner", "Running"),
        StepState::Succeeded => ("succeeded", "circle-check", "Succeeded"),
        StepState::Failed => ("failed", "circle-x", "Failed"),
        StepState::Waiting => ("waiting", "hourglass", "Waiting"),
        StepState::InDoubt => ("in-doubt", "alert", "In doubt"),
    }
}

/// Returns the word for a step's state.
pub const fn step_title(state: StepState) -> &'static str {
    step_look(state).2
}

/// The state of a run.
#[component]
pub fn RunStateBadge(
    /// The state.
    #[prop(into)]
    state: Signal<RunState>,
) -> impl IntoView {
    view! {
        <span class="badge state" data-state=move || state.get().key()>
            {move || view! { <Icon name=run_icon(state.get()) /> }}
            {move || state.get().title()}
        </span>
    }
}

/// The state of a step in a run.
#[component]
pub fn StepStateBadge(
    /// The state.
    #[prop(into)]
    state: Signal<StepState>,
) -> impl IntoView {
    view! {
        <span class="badge state" data-state=move || step_look(state.get()).0>
            {move || view! { <Icon name=step_look(state.get()).1 /> }}
            {move || step_look(state.get()).2}
        </span>
    }
}

/// Returns how the state of a draft looks: class and icon.
pub const fn draft_look(state: DraftState) -> (&'static str, &'static str) {
    match state {
        DraftState::Editing => ("", "pencil"),
        DraftState::InReview => ("info", "review"),
        DraftState::Approved => ("good", "circle-check"),
        DraftState::ChangesRequested => ("warning", "circle-x"),
        DraftState::Published => ("good", "rocket"),
        DraftState::Discarded => ("", "trash"),
    }
}

/// Draws the state of a draft.
pub fn draft_badge(state: DraftState) -> AnyView {
    let (class, icon) = draft_look(state);
    view! {
        <span class=format!("badge {class}")>
            <Icon name=icon />
            {state.title()}
        </span>
    }
    .into_any()
}
