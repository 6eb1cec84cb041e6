//! Text inputs that belong to whoever types in them, and what their texts mean.

use domain::schema::Language;
use domain::template::Reads;
use leptos::ev::KeyboardEvent;
use leptos::html;
use leptos::prelude::*;
use serde_json::Value;
use wasm_bindgen::JsCast;
use web_sys::HtmlInputElement;

use crate::design::field::described;
use crate::field::{self, Assist, Expressions};

/// What one input shows and whom it tells.
#[derive(Clone)]
pub(super) struct Control {
    /// Id of the input; its help and problem have it with a suffix.
    pub(super) id: String,
    /// The value now.
    pub(super) value: Signal<Option<Value>>,
    /// Told the new value.
    pub(super) emit: Callback<Option<Value>>,
    /// Whether something is wrong with it.
    pub(super) is_invalid: Signal<bool>,
    /// An example, shown while it is empty.
    pub(super) placeholder: String,
    /// Its name, where no `<label>` points at it.
    pub(super) label: Option<String>,
    /// What it is called.
    pub(super) title: String,
    /// What its text can refer to, where it takes expressions.
    pub(super) expressions: Option<Expressions>,
}

/// How an input looks, and which keyboard a phone offers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// One line of words.
    Line,
    /// One line of code.
    CodeLine,
    /// One line with a number or an expression.
    Number,
    /// Words in several lines.
    Lines,
    /// An expression, in as many lines as it needs.
    Condition,
    /// JSON in several lines.
    Code,
    /// A program, which takes no expressions.
    Script(Language),
}

/// Draws an input: `show` turns a value into text, `read` a text into a value.
pub(super) fn control(
    control: Control,
    shape: Shape,
    show: fn(&Value) -> String,
    read: fn(&str) -> Option<Value>,
) -> AnyView {
    let Control {
        id,
        value,
        emit,
        is_invalid,
        placeholder,
        label,
        title,
        expressions,
    } = control;
    let reads = match shape {
        Shape::Condition => Reads::Condition,
        Shape::Code => Reads::Json,
        Shape::Script(language) => Reads::Code(language),
        _ => Reads::Text,
    };
    let assist = expressions.map(|expressions| Assist::new(expressions, &id, &title, reads));
    // What this input told last, so that its own echo does not disturb it.
    let told = StoredValue::new(None::<Option<Value>>);
    let line = NodeRef::<html::Input>::new();
    let lines = NodeRef::<html::Textarea>::new();
    let is_line = matches!(shape, Shape::Line | Shape::CodeLine | Shape::Number);
    Effect::new(move || {
        let newest = value.get();
        let element = if is_line {
            line.get().map(|e| e.unchecked_into::<HtmlInputElement>())
        } else {
            // Both kinds of element have the same text and selection properties.
            lines.get().map(|e| e.unchecked_into::<HtmlInputElement>())
        };
        let Some(element) = element else {
            return;
        };
        if told.with_value(|told| told.as_ref() == Some(&newest)) {
            return;
        }
        let text = newest.as_ref().map(show).unwrap_or_default();
        told.set_value(Some(newest));
        write(&element, &text);
        if let Some(assist) = assist {
            assist.shows(&text);
        }
    });
    let typed = move |event: leptos::ev::Event| {
        let new = read(&event_target_value(&event));
        told.set_value(Some(new.clone()));
        emit.run(new);
        if let Some(assist) = assist {
            assist.typed(&event);
        }
    };
    let helper = assist.filter(|_| !matches!(shape, Shape::Script(_)));
    let describes = match helper {
        Some(assist) => format!("{} {}", described(&id), assist.preview_id()),
        None => described(&id),
    };
    let invalid = move || is_invalid.get().to_string();
    let completes = helper.map(|_| "list");
    // Only while there is a list to point at.
    let list = move || assist.and_then(|assist| assist.active_id().map(|_| assist.list_id()));
    let active = move || assist.and_then(Assist::active_id);
    let on_key = move |event: KeyboardEvent| {
        if let Some(assist) = assist {
            assist.key(&event);
        }
    };
    let on_focus = move |has_focus: bool| {
        if let Some(assist) = assist {
            assist.focused(has_focus);
        }
    };
    let on_click = move |_| {
        if let Some(assist) = assist {
            assist.close();
        }
    };
    let on_scroll = move |_| {
        if let Some(assist) = assist {
            assist.scroll();
        }
    };
    let input = if is_line {
        let mode = if shape == Shape::Number {
            "decimal"
        } else {
            "text"
        };
        view! {
            <input
                node_ref=line
                id=id
                class="input"
                class:code=shape != Shape::Line
                type="text"
                inputmode=mode
                autocomplete="off"
                autocapitalize="off"
                spellcheck="false"
                placeholder=placeholder
                aria-label=label
                aria-describedby=describes
                aria-invalid=invalid
                aria-autocomplete=completes
                aria-controls=list
                aria-activedescendant=active
                on:input=typed
                on:keydown=on_key
                on:focus=move |_| on_focus(true)
                on:blur=move |_| on_focus(false)
                on:click=on_click
                on:scroll=on_scroll
            />
        }
        .into_any()
    } else {
        view! {
            <textarea
                node_ref=lines
                id=id
                class="input"
                class:code=shape != Shape::Lines
                class:grows=true
                rows=match shape {
                    Shape::Condition => "1",
                    Shape::Script(_) => "10",
                    _ => "4",
                }
                autocomplete="off"
                autocapitalize="off"
                spellcheck=(shape == Shape::Lines).to_string()
                placeholder=placeholder
                aria-label=label
                aria-describedby=describes
                aria-invalid=invalid
                aria-autocomplete=completes
                aria-controls=list
                aria-activedescendant=active
                on:input=typed
                on:keydown=on_key
                on:focus=move |_| on_focus(true)
                on:blur=move |_| on_focus(false)
                on:click=on_click
                on:scroll=on_scroll
            ></textarea>
        }
        .into_any()
    };
    match assist {
        Some(assist) => field::frame(
            assist,
            input,
            is_line,
            shape != Shape::Line && shape != Shape::Lines,
        ),
        None => input,
    }
}

/// Replaces the text of an input and leaves the caret where it was, as far as there is text.
fn write(element: &HtmlInputElement, text: &str) {
    if element.value() == text {
        return;
    }
    let has_focus = document().active_element().as_ref() == Some(element.as_ref());
    let caret = element.selection_start().ok().flatten();
    element.set_value(text);
    if has_focus && let Some(caret) = caret {
        let _ = element.set_selection_range(caret, caret);
    }
}

/// Returns a text as it is, anything else as JSON.
pub(super) fn show(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// Returns a text as it is, anything else as JSON with line breaks.
pub(super) fn show_json(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => serde_json::to_string_pretty(other).expect("a JSON value can be written"),
    }
}

/// Reads a text: an empty one is no value.
pub(super) fn read(text: &str) -> Option<Value> {
    (!text.is_empty()).then(|| Value::from(text))
}

/// Reads a number; what is none stays a text, for the check to say so.
pub(super) fn read_number(text: &str) -> Option<Value> {
    let text = text.trim();
    let whole = text.parse::<i64>().ok().map(Value::from);
    let number = || {
        let number = text.parse::<f64>().ok();
        number
            .and_then(serde_json::Number::from_f64)
            .map(Value::Number)
    };
    whole.or_else(number).or_else(|| read(text))
}

/// Reads a condition: `true` and `false` are values, all else is an expression.
pub(super) fn read_condition(text: &str) -> Option<Value> {
    match text.trim() {
        "true" => Some(Value::Bool(true)),
        "false" => Some(Value::Bool(false)),
        _ => read(text),
    }
}

/// Reads a list: JSON in brackets, or an expression.
pub(super) fn read_list(text: &str) -> Option<Value> {
    let list = serde_json::from_str::<Vec<Value>>(text).ok();
    list.map(Value::Array).or_else(|| read(text))
}

/// Schedules that people ask for most, with what they mean.
const CRON_EXAMPLES: [(&str, &str); 5] = [
    ("Every 15 minutes", "*/15 * * * *"),
    ("Every hour", "0 * * * *"),
    ("Every day at 6:00", "0 6 * * *"),
    ("Weekdays at 6:00", "0 6 * * MON-FRI"),
    ("First of the month", "0 6 1 * *"),
];

/// Draws the input of a schedule, with examples to take.
pub(super) fn cron(given: Control) -> AnyView {
    let (emit, value) = (given.emit, given.value);
    let example = move |(words, cron): &(&'static str, &'static str)| {
        let cron = *cron;
        let is_it = move || value.with(|value| value.as_ref().is_some_and(|v| v == cron));
        view! {
            <button
                type="button"
                class="chip"
                aria-pressed=move || is_it().to_string()
                on:click=move |_| emit.run(Some(Value::from(cron)))
            >
                {*words}
            </button>
        }
    };
    let examples = CRON_EXAMPLES.iter().map(example).collect::<Vec<_>>();
    view! {
        {control(given, Shape::CodeLine, show, read)}
        <div class="chips" role="group" aria-label="Examples">
            {examples}
        </div>
    }
    .into_any()
}
