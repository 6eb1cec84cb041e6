//! Comparing and merging documents in the builder: a part of the module by itself, for nobody
//! waits for it. It is fetched in a pause, or when someone else saves.

use domain::Document;
use domain::change::Changes;
use domain::edit::Edit;
use leptos::wasm_split::{SplitLoaderError, wasm_split};

use super::editor::{Editor, Rebased};

/// What the part does.
#[derive(Clone, Copy)]
pub(super) struct Comparing {
    /// Returns how many things differ.
    pub(super) count: fn(&Document, &Document) -> usize,
    /// [`Editor::rebase`].
    pub(super) rebase: fn(Editor, &str, [Document; 2], &[Edit]) -> Rebased,
}

/// Fetches the part, once.
#[wasm_split(comparing, wasm_split_path = leptos::wasm_split, fallible)]
pub(super) fn comparing() -> Result<Comparing, SplitLoaderError> {
    Ok(Comparing {
        count,
        rebase: Editor::rebase,
    })
}

fn count(before: &Document, after: &Document) -> usize {
    let changes = Changes::between(before, after);
    // What nobody has to read is a change all the same.
    changes.count().max(usize::from(!changes.is_empty()))
}
