//! What is loaded once someone works with expressions: completion, the list, the data to choose
//! from, and the preview, with all that computes an expression.

use domain::reach::Reach;
use domain::template::{self, Completion};
use leptos::prelude::*;
use leptos::wasm_split::{SplitLoaderError, wasm_split};
use serde_json::{Value, json};

use super::{Assist, Expressions, list, preview, tree};
use crate::markdown::typing;

/// What the part does.
#[derive(Clone, Copy)]
pub(crate) struct Part {
    /// Returns what can be written at a place of a text (in bytes), as [`template::complete`] says.
    pub(super) complete: fn(&str, usize, bool, &Reach) -> Option<Completion>,
    /// Returns what can be written at a place (in UTF-16 units), as the large editor reads it.
    pub(super) complete_json: fn(&str, u32, bool, &Reach) -> String,
    /// Draws what stands below the input of a field.
    pub(super) parts: fn(Assist) -> AnyView,
    /// Draws what the text of a field gives, for the large editor.
    pub(super) result: fn(Assist) -> AnyView,
    /// Draws the data of earlier steps, for a place of its own. What is chosen goes into the field
    /// that had the focus last.
    pub(crate) data: fn(Expressions) -> AnyView,
}

/// Fetches the part, once. Without a connection it fails, and the next call tries again: fields
/// take text without it.
#[wasm_split(expressions, wasm_split_path = leptos::wasm_split, fallible)]
pub(crate) fn expressions() -> Result<Part, SplitLoaderError> {
    Ok(Part {
        complete: template::complete,
        complete_json,
        parts,
        result: |assist| preview::view(assist, None),
        data: tree::standing,
    })
}

fn parts(assist: Assist) -> AnyView {
    view! {
        {list::view(assist)}
        {tree::picker(assist)}
        {preview::view(assist, Some(assist.preview_id()))}
    }
    .into_any()
}

fn complete_json(text: &str, caret: u32, is_condition: bool, reach: &Reach) -> String {
    let place = typing::byte(text, caret);
    let Some(found) = template::complete(text, place, is_condition, reach) else {
        return String::new();
    };
    let options = found.suggestions.iter();
    let options: Vec<Value> = options
        .map(|one| {
            // What it was is worth more room than what it is called.
            let detail = if one.sample.is_empty() { "" } else { &one.sample };
            json!({
                "label": one.label, "detail": detail, "info": one.help, "type": format!("{:?}", one.what),
                "text": one.text, "caret": typing::units(&one.text, one.caret),
            })
        })
        .collect();
    let (from, to) = (
        typing::units(text, found.at.start),
        typing::units(text, found.at.end),
    );
    json!({ "from": from, "to": to, "options": options }).to_string()
}
