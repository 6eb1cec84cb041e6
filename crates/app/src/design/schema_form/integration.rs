//! One of the organization's integrations, to be called.

use domain::call::Choice;
use domain::schema::Field;
use leptos::prelude::*;

use super::named::{self, Words};
use super::text::Control;
use crate::call::known::known;

/// Draws the list of integrations to choose from, and what the chosen one expects, or why it
/// cannot be called as it is now.
pub(super) fn control(given: Control, field: &'static Field) -> AnyView {
    let words = Words {
        nothing: "Choose an integration",
        gone: "The integration does not exist any more. Choose another one.",
        hint: |choice: &Choice| {
            let said = choice.expects.trim();
            (choice.closed.is_none() && !said.is_empty()).then(|| said.to_owned())
        },
        trouble: |choice| choice.closed.clone(),
    };
    named::control(given, field, known(), words)
}
