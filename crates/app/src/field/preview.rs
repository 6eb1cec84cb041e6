//! What the text of a field gives with samples, under it.

use std::cell::RefCell;
use std::sync::Arc;

use domain::reach::{self, Reach};
use domain::template::{self, Marked, Preview, Scope};
use leptos::prelude::*;
use serde_json::Value;

use super::Assist;
use crate::design::icon::Icon;

thread_local! {
    /// The samples that were used last, ready to compute with: they are large, and the same for
    /// each letter that is typed.
    static SAMPLES: RefCell<Option<(Arc<Reach>, Scope)>> = const { RefCell::new(None) };
}

/// Draws what the text gives, with the id by which the input names it.
pub(super) fn view(assist: Assist, id: Option<String>) -> AnyView {
    let given = Memo::new(move |_| {
        let reach = assist.expressions.reach.get();
        assist.text.with(|text| compute(text, assist, reach))
    });
    let fault = Memo::new(move |_| {
        let first = |text: &String| {
            let marks = template::marks(text, assist.is_condition()).into_iter();
            let mut faults = marks.filter(|mark| matches!(mark.what, Marked::Fault(_)));
            let at = faults.next()?.at;
            Some((text[..at.start].chars().count() + 1, at))
        };
        assist.text.with(first)
    });
    let open_test = assist.expressions.open_test;
    let shown = move || match given.get() {
        Some(Preview::Value(value)) => value_view(&value),
        Some(Preview::Lacking(title)) => view! {
            <span class="preview-quiet">{format!("No sample of {title} yet: ")}</span>
            <button type="button" class="link" on:click=move |_| open_test.run(())>
                "run a test"
            </button>
        }
        .into_any(),
        Some(Preview::Refused(error)) => view! {
            <span class="preview-refused">
                <Icon name="alert" />
                {format!("With the sample: {}", error.message)}
            </span>
        }
        .into_any(),
        None => match fault.get() {
            None => ().into_any(),
            Some((character, at)) => view! {
                <button type="button" class="link" on:click=move |_| assist.show_place(&at)>
                    {format!("Go to character {character}")}
                </button>
            }
            .into_any(),
        },
    };
    view! {
        <div class="expression-preview" id=id>
            {shown}
        </div>
    }
    .into_any()
}

fn value_view(value: &Value) -> AnyView {
    let shown = match value {
        Value::String(text) if text.is_empty() => "empty text".to_owned(),
        Value::Array(_) | Value::Object(_) => {
            let json = value.to_string();
            let mut start: String = json.chars().take(80).collect();
            if start.len() < json.len() {
                start.push('…');
            }
            start
        }
        value => reach::short(value),
    };
    let whole = match value {
        Value::String(text) => text.clone(),
        value => serde_json::to_string_pretty(value).unwrap_or_default(),
    };
    view! {
        <span class="preview-mark" aria-hidden="true">"="</span>
        <span class="visually-hidden">"Gives"</span>
        <span class="preview-value" title=whole>{shown}</span>
        <span class="preview-kind">{reach::kind(value)}</span>
    }
    .into_any()
}

fn compute(text: &str, assist: Assist, reach: Arc<Reach>) -> Option<Preview> {
    SAMPLES.with_borrow_mut(|samples| {
        let is_it = |samples: &(Arc<Reach>, Scope)| Arc::ptr_eq(&samples.0, &reach);
        if !samples.as_ref().is_some_and(is_it) {
            let scope = reach.scope();
            *samples = Some((reach.clone(), scope));
        }
        let (_, scope) = samples.as_ref()?;
        template::preview(text, assist.reads, &reach, scope)
    })
}
