//! The rules of publishing with their state: icon, word, sentence.

use domain::review::{Check, CheckState};
use leptos::prelude::*;

use crate::design::icon::Icon;

/// Draws checks: what is not met first.
pub(crate) fn list(checks: &[Check]) -> AnyView {
    let mut sorted: Vec<&Check> = checks.iter().collect();
    sorted.sort_by_key(|check| match check.state {
        CheckState::Unsatisfied { .. } => 0,
        CheckState::Overridden { .. } => 1,
        CheckState::Satisfied { .. } => 2,
        CheckState::NotApplicable { .. } => 3,
    });
    view! { <ul class="checks">{sorted.into_iter().map(line).collect::<Vec<_>>()}</ul> }.into_any()
}

fn line(check: &Check) -> AnyView {
    let (state, icon, word, sentence) = match &check.state {
        CheckState::Satisfied { by } => ("met", "circle-check", "Met", by),
        CheckState::Unsatisfied { why } => ("unmet", "circle-x", "Not met", why),
        CheckState::Overridden { why } => ("overridden", "alert", "Overridden", why),
        CheckState::NotApplicable { why } => ("none", "circle-slash", "Not needed", why),
    };
    view! {
        <li class="check-line" data-state=state>
            <Icon name=icon />
            <span class="check-text">
                <strong>{check.rule.title()}</strong>
                <span class="check-word">{word}</span>
                <span class="check-why">{sentence.clone()}</span>
            </span>
        </li>
    }
    .into_any()
}
