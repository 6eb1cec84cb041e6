//! What is loaded once someone works with expressions: completion, the list, the data to choose
//! from, and the preview, with all that computes an expression.

use std::sync::Arc;

use domain::reach::Reach;
use domain::template::{self, Completion};
use leptos::lazy;
use leptos::prelude::*;
use serde_json::{Value, json};

use super::{Assist, Expressions, list, preview, tree};
use crate::markdown::typing;

/// Returns what can be written at a place of a text, as [`template::complete`] says.
#[lazy]
pub(super) fn complete(
    text: String,
    caret: usize,
    is_condition: bool,
    reach: Arc<Reach>,
) -> Option<Completion> {
    template::complete(&text, caret, is_condition, &reach)
}

/// Draws what stands below the input of a field, as long as the field is there.
#[lazy]
pub(super) fn parts(owner: Owner, assist: Assist) -> Option<AnyView> {
    assist.has_focus.try_get_untracked()?;
    Some(owner.with(|| {
        view! {
            {list::view(assist)}
            {tree::picker(assist)}
            {preview::view(assist, Some(assist.preview_id()))}
        }
        .into_any()
    }))
}

/// Draws the data of earlier steps, for a place of its own. What is chosen goes into the field that
/// had the focus last.
#[lazy]
pub(crate) fn data(owner: Owner, expressions: Expressions) -> Option<AnyView> {
    expressions.last.try_get_untracked()?;
    Some(owner.with(|| tree::standing(expressions)))
}

/// Draws what the text of a field gives, for the large editor.
#[lazy]
pub(super) fn result(owner: Owner, assist: Assist) -> Option<AnyView> {
    assist.has_focus.try_get_untracked()?;
    Some(owner.with(|| preview::view(assist, None)))
}

/// Returns what can be written at a place (in UTF-16 units), as the large editor reads it.
#[lazy]
pub(super) fn complete_json(
    text: String,
    caret: u32,
    is_condition: bool,
    reach: Arc<Reach>,
) -> String {
    let place = typing::byte(&text, caret);
    let Some(found) = template::complete(&text, place, is_condition, &reach) else {
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
        typing::units(&text, found.at.start),
        typing::units(&text, found.at.end),
    );
    json!({ "from": from, "to": to, "options": options }).to_string()
}
