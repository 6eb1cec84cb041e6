//! Which components the steps need that are not there: the server knows, and the step shows it.

use std::collections::BTreeSet;

use domain::connector::component::needed_by;
use domain::live::Changed;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::super::editor::Editor;
use crate::connector::api;
use crate::live;

/// Keeps the editor told of them: when a step comes that needs another one, and when connectors
/// change.
pub(super) fn follow(editor: Editor) {
    let needed = Memo::new(move |_| {
        editor.structure(|document| {
            let needed = needed_by(document).into_iter();
            needed.map(str::to_owned).collect::<BTreeSet<_>>()
        })
    });
    let ask = move || {
        let hashes: Vec<String> = needed.get_untracked().into_iter().collect();
        if hashes.is_empty() {
            return;
        }
        spawn_local(async move {
            // Without an answer nothing is said of them here; publishing asks again.
            if let Ok(lacking) = api::lacking_components(hashes).await {
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
