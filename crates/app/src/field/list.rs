//! The suggestions under a field.

use domain::template::{Suggestion, Suggests};
use leptos::prelude::*;

use super::Assist;

/// Draws the suggestions.
pub(super) fn view(assist: Assist) -> AnyView {
    let option = move |(index, one): (usize, Suggestion)| {
        let (mark, what) = match one.what {
            Suggests::Value => ("", "value"),
            Suggests::Filter => ("|", "filter"),
            Suggests::Function => ("()", "function"),
            Suggests::Test => ("is", "test"),
            Suggests::Word => ("", "word"),
            Suggests::Argument => ("=", "argument"),
        };
        view! {
            <li
                role="option"
                id=format!("{}-{index}", assist.list_id())
                class="completion"
                data-what=what
                aria-selected=move || (assist.active.get() == index).to_string()
                // The focus stays in the text.
                on:pointerdown=move |event| {
                    event.prevent_default();
                    assist.take(index);
                }
            >
                <span class="completion-mark" aria-hidden="true">{mark}</span>
                <span class="completion-label">{one.label}</span>
                <span class="completion-sample">{one.sample}</span>
                <span class="completion-help">{one.help}</span>
            </li>
        }
        .into_any()
    };
    Effect::new(move || {
        if let Some(id) = assist.active_id() {
            request_animation_frame(move || {
                if let Some(element) = document().get_element_by_id(&id) {
                    let options = web_sys::ScrollIntoViewOptions::new();
                    options.set_block(web_sys::ScrollLogicalPosition::Nearest);
                    element.scroll_into_view_with_scroll_into_view_options(&options);
                }
            });
        }
    });
    let count = move || {
        assist.found.with(|found| match found {
            None => String::new(),
            Some(found) => match found.suggestions.len() {
                1 => "1 suggestion. Enter takes it.".to_owned(),
                count => format!("{count} suggestions. Arrow keys choose, Enter takes one."),
            },
        })
    };
    let label = assist
        .title
        .with_value(|title| format!("Suggestions for {title}"));
    view! {
        <div
            class="expression-popup"
            hidden=move || assist.found.with(Option::is_none)
            // The focus stays in the text, also while the list is scrolled with the mouse.
            on:mousedown=|event| event.prevent_default()
        >
            <ul role="listbox" class="completions" id=assist.list_id() aria-label=label tabindex="0">
                {move || {
                    let found = assist.found.get();
                    let all = found.into_iter().flat_map(|found| found.suggestions);
                    all.enumerate().map(option).collect::<Vec<_>>()
                }}
            </ul>
            <p class="popup-keys" aria-hidden="true">
                <kbd>"↑↓"</kbd>
                " choose "
                <kbd>"Enter"</kbd>
                " take "
                <kbd>"Alt+↓"</kbd>
                " all data"
            </p>
        </div>
        <span class="visually-hidden" role="status">
            {count}
        </span>
    }
    .into_any()
}
