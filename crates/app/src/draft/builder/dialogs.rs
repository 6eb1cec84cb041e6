//! The dialogs in which documents are compared or made of others: to ask for a review, to publish,
//! to bring up to date, to extract.
//!
//! Their code (the changes, the merge, Markdown) is a part of the module by itself: most visits of
//! the builder open none of them.

use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos::wasm_split::{SplitLoaderError, wasm_split};

use super::{Builder, extract, merge, publish, review};
use crate::design::toast;
use crate::fault::Fault;

/// What draws the dialogs, each open while its signal holds.
#[derive(Clone, Copy)]
pub(super) struct Dialogs {
    /// Asks for a review.
    pub(super) create: Draw,
    /// Publishes.
    pub(super) publish: Draw,
    /// Brings up to date with what is live.
    pub(super) merge: Draw,
    /// Makes steps an integration of their own.
    pub(super) extract: Draw,
}

type Draw = fn(Builder, RwSignal<bool>) -> AnyView;

/// Fetches the part, once.
#[wasm_split(dialogs, wasm_split_path = leptos::wasm_split, fallible)]
pub(super) fn dialogs() -> Result<Dialogs, SplitLoaderError> {
    Ok(Dialogs {
        create: review::create::dialog,
        publish: publish::dialog,
        merge: merge::dialog,
        extract: extract::dialog,
    })
}

/// Draws a dialog from when it is first opened. It appears once its code is there; without a
/// connection it is said that it cannot.
pub(super) fn view(
    builder: Builder,
    open: RwSignal<bool>,
    dialog: fn(&Dialogs) -> Draw,
) -> impl IntoView {
    let draw = RwSignal::new(None::<Draw>);
    Effect::new(move || {
        if !open.get() || draw.with_untracked(Option::is_some) {
            return;
        }
        spawn_local(async move {
            match dialogs().await {
                Ok(dialogs) => {
                    draw.try_set(Some(dialog(&dialogs)));
                }
                // The builder may be gone by now.
                Err(_) if open.try_set(false).is_none() => toast::say_fault(&Fault::Unreachable),
                Err(_) => {}
            }
        });
    });
    move || draw.get().map(|draw| untrack(|| draw(builder, open)))
}
