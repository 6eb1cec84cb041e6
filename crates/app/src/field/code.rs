//! The large editor of a field, in a dialog: CodeMirror, loaded when it is first opened.
//!
//! `code/editor.ts` draws; what a text means it asks here, so that it says the same as the field.

use domain::schema::Language;
use domain::template::{Marked, Reads, marks};
use js_sys::{Object, Promise, Reflect};
use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;
use serde_json::{Value, json};
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::{Closure, JsValue, wasm_bindgen};
use wasm_bindgen_futures::future_to_promise;
use web_sys::HtmlElement;

use super::{Assist, expressions};
use crate::design::dialog::Dialog;
use crate::design::icon::Icon;
use crate::design::unique;
use crate::markdown::typing;

#[wasm_bindgen(
    inline_js = "export const openCodeEditor = async (...given) => new (await import('./code-editor.js')).CodeEditor(...given);
    export const typeInto = (input, text) => { input.value = text; input.dispatchEvent(new Event('input', { bubbles: true })); };"
)]
extern "C" {
    /// Loads the editor and opens one in an element.
    #[wasm_bindgen(js_name = openCodeEditor, catch)]
    async fn open_code_editor(
        parent: &HtmlElement,
        text: &str,
        label: &str,
        language: &str,
        described_by: &str,
        asked: &Object,
    ) -> Result<JsValue, JsValue>;

    /// Makes the text of an input another one, as if it were typed there.
    #[wasm_bindgen(js_name = typeInto)]
    fn type_into(input: &HtmlElement, text: &str);

    /// An open editor.
    type CodeEditor;
    #[wasm_bindgen(method)]
    fn set(this: &CodeEditor, text: &str);
    #[wasm_bindgen(method)]
    fn close(this: &CodeEditor);
}

/// What the editor asks; lives as long as the editor.
struct Answers {
    object: Object,
    _complete: Closure<dyn Fn(String, u32) -> Promise>,
    _marks: Closure<dyn Fn(String) -> String>,
    _changed: Closure<dyn Fn(String)>,
}

/// Draws the button that opens the large editor, and the dialog once it was opened.
pub(super) fn button(assist: Assist) -> AnyView {
    let was_opened =
        Memo::new(move |was: Option<&bool>| was.is_some_and(|was| *was) || assist.is_large.get());
    let label = assist
        .title
        .with_value(|title| format!("Open {title} in the large editor"));
    view! {
        <button
            type="button"
            class="expression-insert expression-enlarge"
            aria-label=label
            title="Open large editor"
            on:click=move |_| assist.is_large.set(true)
        >
            <Icon name="maximize" />
        </button>
        {move || was_opened.get().then(|| dialog(assist))}
    }
    .into_any()
}

fn dialog(assist: Assist) -> AnyView {
    let title = assist.title.get_value();
    view! {
        <Dialog open=assist.is_large title=title wide=true>
            {editor(assist)}
        </Dialog>
    }
    .into_any()
}

fn editor(assist: Assist) -> AnyView {
    let place = NodeRef::<html::Div>::new();
    let help = unique("code-help");
    let failed = RwSignal::new(false);
    let open = StoredValue::new_local(None::<(CodeEditor, Answers)>);
    let result = StoredValue::new_local(None::<AnyView>);
    let has_result = RwSignal::new(false);
    let owner = Owner::current().expect("a dialog is drawn in a screen");
    let described_by = help.clone();
    Effect::new(move || {
        let Some(place) = place.get() else { return };
        let (owner, described_by) = (owner.clone(), described_by.clone());
        let label = assist.title.get_value();
        let text = assist.text.get_untracked();
        spawn_local(async move {
            let answers = answers(assist);
            let language = match assist.reads {
                Reads::Json => "json",
                Reads::Code(Language::JavaScript) => "javascript",
                Reads::Code(Language::Sql) => "sql",
                Reads::Text | Reads::Condition => "text",
            };
            let opened = open_code_editor(
                &place,
                &text,
                &label,
                language,
                &described_by,
                &answers.object,
            );
            match opened.await {
                // The dialog may be closed by now.
                Ok(editor) if failed.try_get_untracked().is_some() => {
                    open.set_value(Some((editor.unchecked_into(), answers)));
                }
                Ok(editor) => editor.unchecked_into::<CodeEditor>().close(),
                Err(_) => {
                    failed.try_set(true);
                }
            }
            if !matches!(assist.reads, Reads::Code(_))
                && let Ok(part) = expressions().await
                && !has_result.is_disposed()
            {
                result.set_value(Some(owner.with(|| (part.result)(assist))));
                has_result.set(true);
            }
        });
    });
    Effect::new(move || {
        let text = assist.text.get();
        open.with_value(|open| {
            if let Some((editor, _)) = open {
                editor.set(&text);
            }
        });
    });
    on_cleanup(move || {
        if let Some(Some((editor, _))) = open.try_update_value(Option::take) {
            editor.close();
        }
    });
    view! {
        <div
            class="code-editor"
            node_ref=place
            // Keys are the editor's own: undo above all, which the builder has too.
            on:keydown=move |event| event.stop_propagation()
        ></div>
        <p class="field-help" id=help>
            {match assist.reads {
                Reads::Code(Language::Sql) => {
                    "Values come in as parameters: $1, $2 and so on. Escape closes; what is typed is kept."
                }
                Reads::Code(Language::JavaScript) => {
                    "Data of earlier steps comes in by the names under Input. Escape closes; what is typed is kept."
                }
                _ => {
                    "Type {{ for data of earlier steps, | for filters. Ctrl+Space suggests. Escape closes; what is typed is kept."
                }
            }}
        </p>
        {move || failed.get().then(|| view! {
            <p class="field-problem" role="alert">
                "The large editor could not be loaded. Close this and type into the field itself."
            </p>
        })}
        <div class="code-result">
            {move || has_result.get().then(|| result.try_update_value(Option::take).flatten())}
        </div>
    }
    .into_any()
}

fn answers(assist: Assist) -> Answers {
    let is_condition = assist.is_condition();
    let complete = Closure::new(move |text: String, caret: u32| {
        let reach = assist.expressions.reach.try_get_untracked();
        future_to_promise(async move {
            let Some(reach) = reach else {
                return Ok(JsValue::from_str(""));
            };
            let found = match expressions().await {
                Ok(part) => (part.complete_json)(&text, caret, is_condition, &reach),
                Err(_) => String::new(),
            };
            Ok(JsValue::from_str(&found))
        })
    });
    let marks = Closure::new(move |text: String| marks_json(&text, assist));
    let changed = Closure::new(move |text: String| assist.write(&text));
    let object = Object::new();
    for (name, function) in [
        ("complete", complete.as_ref()),
        ("marks", marks.as_ref()),
        ("changed", changed.as_ref()),
    ] {
        let is_set = Reflect::set(&object, &name.into(), function);
        debug_assert!(is_set.is_ok(), "a new object takes every property");
    }
    Answers {
        object,
        _complete: complete,
        _marks: marks,
        _changed: changed,
    }
}

/// Returns the parts of a text as the editor reads them, in UTF-16 units.
fn marks_json(text: &str, assist: Assist) -> String {
    let all = marks(text, assist.is_condition()).into_iter();
    let all = all.map(|mark| {
        let (what, message) = match mark.what {
            Marked::Expression => ("expression", None),
            Marked::Call => ("call", None),
            Marked::Fault(message) => ("fault", Some(message)),
            Marked::Reference(names) => match assist.expressions.problem_of.run(names) {
                Some(problem) => ("fault", Some(problem)),
                None => ("reference", None),
            },
        };
        let (from, to) = (
            typing::units(text, mark.at.start),
            typing::units(text, mark.at.end),
        );
        json!({ "from": from, "to": to, "what": what, "message": message.unwrap_or_default() })
    });
    Value::Array(all.collect()).to_string()
}

impl Assist {
    /// Makes the text of the field another one, as if it were typed there.
    fn write(self, text: &str) {
        if let Some(input) = self.input().filter(|input| input.value() != text) {
            type_into(&input, text);
        }
    }
}
