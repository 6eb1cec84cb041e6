//! Which components the steps need that are not there: the server knows, and the step shows it.

use std::collections::BTreeSet;

use domain::connector::STEP;
use domain::document::Step;
use domain::live::Changed;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::super::editor::Editor;
use crate::connector::api;
use crate::live;

/// Keeps the editor told of them: when a step comes that needs another one, and when connectors
/// change.
pub(super) fn follow(editor: Editor) {
    let steps = Memo::new(move |_| {
        editor.structure(|document| {
            let steps = document.steps.values();
            let of_connectors = steps.filter(|step| step.kind == STEP);
            of_connectors.map(|step| step.id).collect::<Vec<_>>()
        })
    });
    // Also when a step is brought up to what its connector declares now.
    let needed = Memo::new(move |_| {
        let of = |step: &Step| Some(step.declared()?.component()?.sha256.clone());
        let steps = steps.get().into_iter();
        let needed = steps.filter_map(|step| editor.step(step, of).flatten());
        needed.collect::<BTreeSet<_>>()
    });
    let round = StoredValue::new(0_u32);
    let ask = move || {
        let hashes: Vec<String> = needed.get_untracked().into_iter().collect();
        let this = round.get_value() + 1;
        round.set_value(this);
        if hashes.is_empty() {
            return;
        }
        spawn_local(async move {
            let answer = api::lacking_components(hashes).await;
            // Without an answer nothing is said of them here; publishing asks again. One that was
            // overtaken by a newer question does not know all of them.
            if let Ok(lacking) = answer
                && round.try_get_value() == Some(this)
            {
                editor.lack(lacking);
            }
        });
    };
    Effect::new(move || {
        needed.track();
        ask();
    });
    live::use_changes(move |changed| {
        if changed == Changed::Organization {
            ask();
        }
    });
    live::use_refetch(ask);
}
