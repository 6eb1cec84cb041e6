//! The integrations that can be called, as far as this page knows them: asked for when they are first needed, once for
//! all that show their names.

use std::cell::Cell;

use domain::IntegrationId;
use domain::call::Choice;
use domain::live::Changed;
use leptos::prelude::*;
use leptos::task::spawn_local;
use serde_json::Value;

use super::api;
use crate::{live, session};

thread_local! {
    static KNOWN: ArcRwSignal<Option<Vec<Choice>>> = ArcRwSignal::new(None);
    static IS_ASKED: Cell<bool> = const { Cell::new(false) };
}

/// Returns the integrations, `None` until they are known. They follow what others change, as long
/// as the calling screen is shown.
pub(crate) fn known() -> Signal<Option<Vec<Choice>>> {
    if KNOWN.with(|known| known.with_untracked(Option::is_none)) {
        ask();
    }
    live::use_changes(|changed| {
        if changed == Changed::Organization {
            ask();
        }
    });
    live::use_refetch(ask);
    RwSignal::from(KNOWN.with(Clone::clone)).into()
}

/// Asks, unless a question is under way.
fn ask() {
    if IS_ASKED.replace(true) {
        return;
    }
    spawn_local(async {
        let answer = api::callable().await;
        IS_ASKED.set(false);
        match answer {
            Ok(all) => KNOWN.with(|known| known.set(Some(all))),
            Err(fault) => {
                session::notice(&fault);
            }
        }
    });
}

/// Returns what people call the integration that a field names.
pub(crate) fn name(known: Option<&[Choice]>, value: &Value) -> String {
    let text = value.as_str().unwrap_or_default();
    let id: Option<IntegrationId> = text.parse().ok();
    match (known, id) {
        (_, None) => text.to_owned(),
        (None, _) => "…".to_owned(),
        (Some(all), Some(id)) => match all.iter().find(|choice| choice.id == id) {
            Some(choice) => choice.name.clone(),
            None => "An integration that does not exist any more".to_owned(),
        },
    }
}
