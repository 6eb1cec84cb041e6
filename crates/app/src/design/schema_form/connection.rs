//! One of the organization's connections.

use domain::connection::Connection;
use domain::schema::Field;
use leptos::prelude::*;

use super::named::{self, Words};
use super::text::Control;
use crate::connection::known::known;

/// Draws the list of connections to choose from, and where the chosen one may be sent.
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
    named::control(given, field, known(), words)
}
