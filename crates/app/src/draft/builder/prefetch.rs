//! Fetches in a pause what the builder will want later, so that it is there at once, and that who
//! loses the connection can go on.

use leptos::prelude::*;
use leptos::task::spawn_local;

use super::super::comparing::comparing;
use super::{Builder, dialogs};
use crate::{design, field, palette};

/// Fetches the parts one after another, for someone who may edit.
pub(super) fn in_a_pause(builder: Builder) {
    if !builder.may_edit.get_untracked() {
        return;
    }
    design::in_a_pause(|| {
        spawn_local(async {
            // What cannot be fetched now is fetched when it is wanted.
            let _ = field::expressions().await;
            let _ = comparing().await;
            palette::prefetch().await;
            let _ = dialogs::dialogs().await;
        });
    });
}
