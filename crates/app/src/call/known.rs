//! The integrations that fields name, as what can be called.

use domain::IntegrationId;
use domain::call::Choice;
use leptos::prelude::*;

use super::api;
use crate::known::{self, Known, Named};

thread_local! {
    static KNOWN: Known<Choice> = Known::new(|| Box::pin(api::callable()));
}

impl Named for Choice {
    type Id = IntegrationId;
    const GONE: &'static str = "An integration that does not exist any more";

    fn id(&self) -> IntegrationId {
        self.id
    }

    fn name(&self) -> &str {
        &self.name
    }
}

/// Returns the integrations, as [`known::all`] does.
pub(crate) fn known() -> Signal<Option<Vec<Choice>>> {
    known::all(&KNOWN)
}
