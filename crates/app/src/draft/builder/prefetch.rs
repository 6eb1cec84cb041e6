//! Fetches in a pause what the builder will want later, so that it is there at once, and that who
//! loses the connection can go on.

use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;

use super::super::comparing::comparing;
use super::{Builder, dialogs};
use crate::{design, field, palette};

/// What the screen itself asks for when it is opened goes first.
const AFTER: Duration = Duration::from_secs(3);

/// Fetches the parts one after another, for someone who may edit.
pub(super) fn in_a_pause(builder: Builder) {
    if !builder.may_edit.get_untracked() {
        return;
    }
    set_timeout(|| design::in_a_pause(|| spawn_local(parts())), AFTER);
}

/// What cannot be fetched now is fetched when it is wanted.
async fn parts() {
    let _ = field::expressions().await;
    let _ = comparing().await;
    palette::prefetch().await;
    let _ = dialogs::dialogs().await;
}
