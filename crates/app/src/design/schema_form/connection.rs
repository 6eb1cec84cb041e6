//! One of the organization's connections.

use domain::catalog;
use domain::connection::Connection;
use domain::schema::Field;
use leptos::prelude::*;
use serde_json::Value;

use super::named::{self, Words};
use super::text::Control;
use crate::connection::known::known;

/// Draws the list of connections to choose from, and where the chosen one may be sent. The list has
/// those that the step can use, and the chosen one.
pub(super) fn control(given: Control, field: &'static Field) -> AnyView {
    let words = Words {
        nothing: "No connection",
        gone: "The connection does not exist any more. Choose another one.",
        hint: |connection: &Connection| {
            let origins = &connection.details.as_ref()?.origins;
            Some(format!("It may be sent to {}.", origins.join(", ")))
        },
        trouble: |_| None,
    };
    let all = known();
    let mut actions = catalog::actions().iter();
    let is_its = |own: &Field| std::ptr::eq(own, field);
    let step = actions.find(|action| action.input.fields.iter().any(is_its));
    let step = step.map_or("", |action| action.key.as_str());
    let value = given.value;
    let fitting = Signal::derive(move || {
        let chosen = value.with(|value| value.as_ref().and_then(Value::as_str).map(str::to_owned));
        let is_offered = |connection: &Connection| {
            let details = connection.details.as_ref();
            details.is_none_or(|details| details.kind.fits(step))
                || chosen.as_deref() == Some(&connection.id.to_string())
        };
        let all = all.get()?;
        Some(all.into_iter().filter(is_offered).collect())
    });
    named::control(given, field, fitting, words)
}
