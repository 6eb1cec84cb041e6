//! The field in which people write Markdown: buttons, keys, names behind an `@`, and a preview that
//! follows what is typed: beside it where there is room, else in a tab.

mod completion;

use std::ops::Range;

use domain::review::Person;
use leptos::ev::KeyboardEvent;
use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{HtmlDocument, HtmlTextAreaElement, MediaQueryList};

use super::markdown;
use crate::design::field::described;
use crate::design::icon::Icon;
use crate::design::unique;
use crate::markdown::typing::{self, Mark, Put};
use completion::Completion;

/// The buttons: mark, name, icon, the key with Ctrl.
const MARKS: [(Mark, &str, &str, &str); 6] = [
    (Mark::Bold, "Bold", "bold", "b"),
    (Mark::Italic, "Italic", "italic", "i"),
    (Mark::Code, "Code", "code", "e"),
    (Mark::Link, "Link", "link", "k"),
    (Mark::List, "List", "list", ""),
    (Mark::Quote, "Quote", "quote", ""),
];

/// From which width of the window on there is room for the preview beside the text.
const ROOM: &str = "(min-width: 1100px)";

/// A field for text in Markdown. Ctrl+Enter calls `submit`.
#[component]
pub fn MarkdownEditor(
    /// The text.
    value: RwSignal<String>,
    /// What the field is called.
    #[prop(into)]
    label: String,
    /// Who can be named behind an `@`.
    #[prop(optional, into)]
    members: Signal<Vec<Person>>,
    /// How many lines it shows at least.
    #[prop(default = 5)]
    rows: u32,
    /// An example, shown while it is empty.
    #[prop(optional, into)]
    placeholder: String,
    /// One sentence of help, or empty.
    #[prop(optional, into)]
    help: String,
    /// What is wrong with it, if anything.
    #[prop(optional, into)]
    problem: Signal<Option<String>>,
    /// Whether it gets the focus when it appears.
    #[prop(optional)]
    autofocus: bool,
    /// Whether the label is read out only: where the place says what it is for.
    #[prop(optional)]
    hide_label: bool,
    /// Whether the label says that it may stay empty.
    #[prop(optional)]
    optional: bool,
    /// Whether it stands where there is no room for a preview beside the text, however wide the
    /// window is.
    #[prop(optional)]
    narrow: bool,
    /// Called by Ctrl+Enter.
    #[prop(optional, into)]
    submit: Option<Callback<()>>,
) -> impl IntoView {
    let id = unique("markdown");
    let writing = Writing {
        area: NodeRef::new(),
        value,
        completion: Completion::new(&id, members),
        submit,
    };
    let shown = Shown {
        has_room: if narrow {
            RwSignal::new(false)
        } else {
            has_room()
        },
        is_preview: RwSignal::new(false),
    };
    if autofocus {
        crate::design::focus_soon(id.clone());
    }
    let text = move || value.get();
    view! {
        <div class="markdown-editor" class:has-problem=move || problem.get().is_some()>
            <label for=id.clone() class:visually-hidden=hide_label>
                {label.clone()}
                {optional.then(|| view! { <span class="optional">" optional"</span> })}
            </label>
            <div class="markdown-frame">
                <div class="markdown-bar">
                    {tabs(&id, shown)} {toolbar(writing, shown)}
                </div>
                <div class="markdown-panes" class:has-room=move || shown.has_room.get()>
                <div
                    class="markdown-write"
                    id=format!("{id}-write")
                    role=move || shown.role()
                    aria-labelledby=shown.labelled_by(format!("{id}-write-tab"))
                    hidden=move || !shown.is_shown(false)
                >
                    <textarea
                        node_ref=writing.area
                        id=id.clone()
                        class="input grows"
                        // For a dialog, which moves the focus itself when it opens.
                        autofocus=autofocus
                        rows=rows.to_string()
                        placeholder=placeholder
                        aria-describedby=described(&id)
                        aria-invalid=move || problem.get().is_some().to_string()
                        aria-autocomplete="list"
                        aria-controls=writing.completion.list_id()
                        aria-activedescendant=move || writing.completion.active_id()
                        prop:value=text
                        on:input=move |event| {
                            value.set(event_target_value(&event));
                            writing.look_for_name();
                        }
                        on:click=move |_| writing.look_for_name()
                        on:blur=move |_| writing.completion.close()
                        on:keydown=move |event| writing.key(&event)
                    ></textarea>
                    {completion::list(writing.completion, Callback::new(move |index| writing.complete(index)))}
                </div>
                {preview(&id, &label, value, shown)}
                </div>
            </div>
            <p class="field-help" id=format!("{id}-help")>
                {help}
            </p>
            <p class="field-problem" id=format!("{id}-problem")>
                {move || problem.get()}
            </p>
        </div>
    }
}

/// Which of text and preview are shown. A handle.
#[derive(Clone, Copy)]
struct Shown {
    /// Whether there is room for both.
    has_room: RwSignal<bool>,
    /// Which of them is, when there is not.
    is_preview: RwSignal<bool>,
}

impl Shown {
    fn is_shown(self, of_preview: bool) -> bool {
        self.has_room.get() || self.is_preview.get() == of_preview
    }

    /// Returns what the two are to a screen reader, besides what they contain.
    fn role(self) -> Option<&'static str> {
        (!self.has_room.get()).then_some("tabpanel")
    }

    fn labelled_by(self, tab: String) -> impl Fn() -> Option<String> + Send + Sync {
        move || (!self.has_room.get()).then(|| tab.clone())
    }
}

/// Returns whether there is room for the preview beside the text; follows the window.
fn has_room() -> RwSignal<bool> {
    let room = window().match_media(ROOM).ok().flatten();
    let matches =
        |room: &Option<MediaQueryList>| room.as_ref().is_some_and(MediaQueryList::matches);
    let has_room = RwSignal::new(matches(&room));
    let resized = window_event_listener_untyped("resize", move |_| {
        let now = matches(&window().match_media(ROOM).ok().flatten());
        if has_room.try_get_untracked() == Some(!now) {
            has_room.set(now);
        }
    });
    on_cleanup(move || resized.remove());
    has_room
}

fn preview(id: &str, label: &str, value: RwSignal<String>, shown: Shown) -> AnyView {
    let name = format!("Preview of {label}");
    let content = move || {
        if value.with(|text| text.trim().is_empty()) {
            let words = if shown.has_room.get() {
                "As others will read it."
            } else {
                "Nothing is written yet."
            };
            view! { <p class="quiet-text">{words}</p> }.into_any()
        } else {
            value.with(|text| markdown(text))
        }
    };
    view! {
        <div
            class="markdown-preview"
            id=format!("{id}-preview")
            role=move || shown.role().unwrap_or("region")
            tabindex="0"
            aria-label=move || shown.has_room.get().then(|| name.clone())
            aria-labelledby=shown.labelled_by(format!("{id}-preview-tab"))
            hidden=move || !shown.is_shown(true)
        >
            {move || shown.is_shown(true).then(&content)}
        </div>
    }
    .into_any()
}

/// The tabs Write and Preview; arrow keys change between them.
fn tabs(id: &str, shown: Shown) -> AnyView {
    let is_preview = shown.is_preview;
    let id = id.to_owned();
    let tab = |name: &'static str, words: &'static str, of_preview: bool| {
        let is_it = move || is_preview.get() == of_preview;
        let other = format!("{id}-{}-tab", if of_preview { "write" } else { "preview" });
        let keys = move |event: KeyboardEvent| {
            if matches!(event.key().as_str(), "ArrowLeft" | "ArrowRight") {
                event.prevent_default();
                is_preview.set(!of_preview);
                crate::design::focus_soon(other.clone());
            }
        };
        view! {
            <button
                type="button"
                role="tab"
                class="markdown-tab"
                id=format!("{id}-{name}-tab")
                aria-controls=format!("{id}-{name}")
                aria-selected=move || is_it().to_string()
                tabindex=move || if is_it() { "0" } else { "-1" }
                on:click=move |_| is_preview.set(of_preview)
                on:keydown=keys
            >
                {words}
            </button>
        }
    };
    view! {
        <div
            class="markdown-tabs"
            role="tablist"
            aria-label="Write or preview"
            hidden=move || shown.has_room.get()
        >
            {tab("write", "Write", false)} {tab("preview", "Preview", true)}
        </div>
    }
    .into_any()
}

fn toolbar(writing: Writing, shown: Shown) -> AnyView {
    let button = |(mark, name, icon, key): (Mark, &'static str, &'static str, &'static str)| {
        let title = if key.is_empty() {
            name.to_owned()
        } else {
            format!("{name} (Ctrl+{})", key.to_uppercase())
        };
        view! {
            <button
                type="button"
                class="button quiet icon-only small"
                aria-label=name
                title=title
                // The focus, and with it the selection, stays in the text.
                on:mousedown=|event| event.prevent_default()
                on:click=move |_| writing.mark(mark)
            >
                <Icon name=icon />
            </button>
        }
    };
    view! {
        <div
            class="markdown-tools"
            role="group"
            aria-label="Formatting"
            hidden=move || !shown.is_shown(false)
        >
            {MARKS.into_iter().map(button).collect::<Vec<_>>()}
        </div>
    }
    .into_any()
}

/// The text area with what is typed in it. A handle.
#[derive(Clone, Copy)]
struct Writing {
    area: NodeRef<html::Textarea>,
    value: RwSignal<String>,
    completion: Completion,
    submit: Option<Callback<()>>,
}

impl Writing {
    fn key(self, event: &KeyboardEvent) {
        let is_plain = !event.ctrl_key() && !event.meta_key() && !event.alt_key();
        let handled = if event.is_composing() {
            false
        } else if event.key() == "Enter" && (event.ctrl_key() || event.meta_key()) {
            self.submit.inspect(|submit| submit.run(())).is_some()
        } else if self.completion.is_open() && is_plain {
            self.completion_key(&event.key())
        } else if is_plain && !event.shift_key() && event.key() == "Enter" {
            self.enter()
        } else if !is_plain && !event.alt_key() && !event.shift_key() {
            let key = event.key().to_lowercase();
            let found = MARKS.into_iter().find(|(.., k)| !k.is_empty() && *k == key);
            found.inspect(|(mark, ..)| self.mark(*mark)).is_some()
        } else {
            false
        };
        if handled {
            event.prevent_default();
            event.stop_propagation();
        }
    }

    fn completion_key(self, key: &str) -> bool {
        match key {
            "ArrowDown" => self.completion.step(1),
            "ArrowUp" => self.completion.step(-1),
            "Enter" | "Tab" => self.complete(self.completion.active()),
            "Escape" => self.completion.close(),
            _ => return false,
        }
        true
    }

    /// Returns the text and what is selected of it.
    fn selection(self) -> Option<(HtmlTextAreaElement, String, Range<usize>)> {
        let area = self.area.get_untracked()?;
        let text = area.value();
        let start = typing::byte(&text, area.selection_start().ok()??);
        let end = typing::byte(&text, area.selection_end().ok()??);
        Some((area.unchecked_into(), text, start..end))
    }

    fn mark(self, mark: Mark) {
        if let Some((area, text, selected)) = self.selection() {
            self.put(&area, &text, &typing::mark(&text, selected, mark));
        }
    }

    fn enter(self) -> bool {
        let Some((area, text, selected)) = self.selection() else {
            return false;
        };
        let put = selected
            .is_empty()
            .then(|| typing::enter(&text, selected.start))
            .flatten();
        put.inspect(|put| self.put(&area, &text, put)).is_some()
    }

    fn look_for_name(self) {
        let Some((_, text, selected)) = self.selection() else {
            return;
        };
        let typed = typing::mention(&text[..selected.start]).filter(|_| selected.is_empty());
        self.completion.look_for(typed.map(|(_, typed)| typed));
    }

    /// Writes the name that was chosen in place of what is typed of it.
    fn complete(self, index: usize) {
        let Some((area, text, selected)) = self.selection() else {
            return;
        };
        let typed = typing::mention(&text[..selected.start]);
        let (Some((at, _)), Some(name)) = (typed, self.completion.name(index)) else {
            return;
        };
        let new = format!("@{name} ");
        let caret = at + new.len();
        let put = Put {
            at: at..selected.end,
            text: new,
            select: caret..caret,
        };
        self.put(&area, &text, &put);
        self.completion.close();
    }

    fn put(self, area: &HtmlTextAreaElement, text: &str, put: &Put) {
        let _ = area.focus();
        let (start, end) = (
            typing::units(text, put.at.start),
            typing::units(text, put.at.end),
        );
        let _ = area.set_selection_range(start, end);
        // As if it were typed, so that Ctrl+Z takes it back.
        let document = document().unchecked_into::<HtmlDocument>();
        let (command, new) = if put.text.is_empty() {
            ("delete", "")
        } else {
            ("insertText", put.text.as_str())
        };
        let was_typed = (put.text.is_empty() && put.at.is_empty())
            || document
                .exec_command_with_show_ui_and_value(command, false, new)
                .unwrap_or(false);
        if !was_typed {
            let _ = area.set_range_text_with_start_and_end(new, start, end);
        }
        let whole = area.value();
        let (start, end) = (
            typing::units(&whole, put.select.start.min(whole.len())),
            typing::units(&whole, put.select.end.min(whole.len())),
        );
        let _ = area.set_selection_range(start, end);
        self.value.set(whole);
    }
}
