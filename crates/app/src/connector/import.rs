//! The dialog in which a connector is imported: where it is taken from, what would come of it, and
//! then the import.

use domain::connector::{Comparison, Preview, Source, Summary};
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::HtmlInputElement;

use super::{api, one};
use crate::design::dialog::Dialog;
use crate::design::field::{Field, TextField, described};
use crate::design::form::{DialogForm, Sending};
use crate::design::load::Load;
use crate::design::{toast, unique};

/// Most lines of a list that are drawn.
const DRAWN: usize = 100;

/// Where it is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    Ours,
    Text,
    Address,
}

/// What the dialog holds while it is open.
#[derive(Clone, Copy)]
struct Desk {
    from: RwSignal<From>,
    ours: RwSignal<Vec<(String, String, String)>>,
    chosen: RwSignal<String>,
    text: RwSignal<String>,
    name: RwSignal<String>,
    /// The module of its component in base64, with the name of its file.
    module: RwSignal<Option<(String, String)>>,
    address: RwSignal<String>,
    base: RwSignal<String>,
    preview: RwSignal<Option<Preview>>,
    sending: Sending,
}

impl Desk {
    fn new() -> Self {
        Self {
            from: RwSignal::new(From::Ours),
            ours: RwSignal::new(Vec::new()),
            chosen: RwSignal::new(String::new()),
            text: RwSignal::new(String::new()),
            name: RwSignal::new(String::new()),
            module: RwSignal::new(None),
            address: RwSignal::new(String::new()),
            base: RwSignal::new(String::new()),
            preview: RwSignal::new(None),
            sending: Sending::default(),
        }
    }

    /// Asks for ours.
    fn begin(self) {
        spawn_local(async move {
            if let Ok(ours) = api::our_connectors().await {
                let first = ours.first().map(|(key, ..)| key.clone());
                self.chosen.try_set(first.unwrap_or_default());
                self.ours.try_set(ours);
            }
        });
    }

    fn source(self) -> Source {
        match self.from.get_untracked() {
            From::Ours => Source::Ours(self.chosen.get_untracked()),
            From::Text => Source::Text {
                text: self.text.get_untracked(),
                name: self.name.get_untracked(),
                module: self.module.get_untracked().map(|(_, module)| module),
            },
            From::Address => Source::Address(self.address.get_untracked().trim().to_owned()),
        }
    }

    fn base(self) -> Option<String> {
        let base = self.base.get_untracked().trim().to_owned();
        (!base.is_empty() && self.from.get_untracked() != From::Ours).then_some(base)
    }
}

/// Draws the dialog.
pub(super) fn dialog(open: RwSignal<bool>, all: Load<Vec<Summary>>) -> AnyView {
    view! {
        <Dialog open=open title="Import a connector" wide=true>
            {move || content(open, all)}
        </Dialog>
    }
    .into_any()
}

fn content(open: RwSignal<bool>, all: Load<Vec<Summary>>) -> AnyView {
    let desk = Desk::new();
    desk.begin();
    let close = Callback::new(move |()| open.set(false));
    let is_shown = move || desk.preview.with(Option::is_some);
    let action = move || match is_shown() {
        true => "Import",
        false => "Show what it brings",
    };
    let back = move || if is_shown() { "Back" } else { "Cancel" };
    let leave = move |()| {
        desk.sending.problem.set(None);
        match desk.preview.with_untracked(Option::is_some) {
            true => desk.preview.set(None),
            false => close.run(()),
        }
    };
    let submit = move || {
        let (source, base) = (desk.source(), desk.base());
        let shown = desk.preview.get_untracked().map(|preview| preview.digest);
        let Some(digest) = shown else {
            let preview = api::preview_connector(source, base);
            return desk.sending.send(preview, move |preview| {
                desk.preview.try_set(Some(preview));
            });
        };
        let imported = api::import_connector(source, base, digest);
        desk.sending.send(imported, move |_| {
            close.try_run(());
            toast::say("The connector is imported.");
            all.again();
        });
    };
    view! {
        <DialogForm
            action=Signal::derive(action)
            sending=desk.sending
            submit=submit
            back=Signal::derive(back)
            leave=Callback::new(leave)
        >
            {move || match desk.preview.get() {
                None => sources(desk),
                Some(preview) => shown(&preview),
            }}
        </DialogForm>
    }
    .into_any()
}

fn sources(desk: Desk) -> AnyView {
    let group = unique("from");
    let choice = |from: From, label: &'static str| {
        view! {
            <label class="connector-from">
                <input
                    type="radio"
                    name=group.clone()
                    prop:checked=move || desk.from.get() == from
                    on:change=move |_| desk.from.set(from)
                />
                {label}
            </label>
        }
    };
    view! {
        <fieldset class="connector-sources">
            <legend>"Take it from"</legend>
            {choice(From::Ours, "Sluice: one of ours")}
            {choice(From::Text, "A file or text")}
            {choice(From::Address, "An address")}
        </fieldset>
        {move || match desk.from.get() {
            From::Ours => ours(desk),
            From::Text => text(desk),
            From::Address => view! {
                <TextField
                    label="Address"
                    value=desk.address
                    help="The server asks it as an integration would: public addresses, and what an Admin allowed under Network."
                    placeholder="https://api.example.com/openapi.json"
                />
                {base(desk)}
            }
                .into_any(),
        }}
    }
    .into_any()
}

fn base(desk: Desk) -> AnyView {
    view! {
        <TextField
            label="Base address"
            value=desk.base
            help="Takes the place of what all paths begin with: where a description does not say it, or you run the service yourself."
            placeholder="https://api.example.com/v1"
            optional=true
        />
    }
    .into_any()
}

fn ours(desk: Desk) -> AnyView {
    let id = unique("ours");
    let of = id.clone();
    view! {
        <Field id=id.clone() label="Connector" required=true>
            <select
                id=id.clone()
                class="input"
                aria-describedby=described(&of)
                on:change=move |event| desk.chosen.set(event_target_value(&event))
            >
                {move || {
                    let line = |(key, title, _): (String, String, String)| {
                        let selected = desk.chosen.with_untracked(|chosen| *chosen == key);
                        view! { <option value=key selected=selected>{title}</option> }
                    };
                    desk.ours.get().into_iter().map(line).collect::<Vec<_>>()
                }}
            </select>
        </Field>
        <p class="quiet-text">
            {move || {
                let chosen = desk.chosen.get();
                let find = |ours: &Vec<(String, String, String)>| {
                    ours.iter().find(|(key, ..)| *key == chosen).map(|(.., text)| text.clone())
                };
                desk.ours.with(find)
            }}
        </p>
    }
    .into_any()
}

fn text(desk: Desk) -> AnyView {
    let (file_id, text_id) = (unique("file"), unique("text"));
    let choose = move |event: leptos::ev::Event| {
        let input = event
            .target()
            .and_then(|target| target.dyn_into::<HtmlInputElement>().ok());
        let Some(files) = input.and_then(|input| input.files()) else {
            return;
        };
        // What is chosen belongs together: without a module there is none.
        desk.module.set(None);
        for file in (0..files.length()).filter_map(|at| files.get(at)) {
            let read = read_into(desk, file);
            spawn_local(async move {
                if !read.await {
                    let problem = "The file cannot be read.".to_owned();
                    desk.sending.problem.try_set(Some(problem));
                }
            });
        }
    };
    view! {
        <Field
            id=file_id.clone()
            label="File"
            help="A connector in JSON, or an OpenAPI description in JSON or YAML. Of a connector with logic choose the JSON and its module (.wasm) together."
        >
            <input
                id=file_id.clone()
                class="input"
                type="file"
                multiple
                accept=".json,.yaml,.yml,.wasm,application/json,application/wasm"
                aria-describedby=described(&file_id)
                on:change=choose
            />
        </Field>
        <p class="quiet-text" role="status">
            {move || desk.module.with(|module| module.as_ref().map(|(name, _)| format!("With the module {name}.")))}
        </p>
        <Field id=text_id.clone() label="Text" required=true>
            <textarea
                id=text_id.clone()
                class="input connector-text"
                rows="10"
                spellcheck="false"
                aria-describedby=described(&text_id)
                prop:value=move || desk.text.get()
                on:input=move |event| {
                    desk.name.set(String::new());
                    desk.text.set(event_target_value(&event));
                }
            ></textarea>
        </Field>
        {base(desk)}
    }
    .into_any()
}

/// Reads a file that was chosen; returns whether it could be read.
async fn read_into(desk: Desk, file: web_sys::File) -> bool {
    let name = file.name();
    if !name.to_lowercase().ends_with(".wasm") {
        desk.name.set(name);
        let read = JsFuture::from(file.text()).await;
        let text = read.ok().and_then(|text| text.as_string());
        return text.is_some_and(|text| desk.text.try_set(text).is_none());
    }
    let Ok(buffer) = JsFuture::from(file.array_buffer()).await else {
        return false;
    };
    let bytes = js_sys::Uint8Array::new(&buffer).to_vec();
    // Each byte as the sign with its number, which is what the browser makes base64 of.
    let signs: String = bytes.into_iter().map(char::from).collect();
    let module = web_sys::window().and_then(|window| window.btoa(&signs).ok());
    module.is_some_and(|module| desk.module.try_set(Some((name, module))).is_none())
}

/// Draws what would come of the import.
fn shown(preview: &Preview) -> AnyView {
    let changes = preview.changes.as_ref().map(changes);
    let is_new = changes.is_none();
    let uses = (!preview.uses.is_empty()).then(|| {
        view! {
            <h3>"Steps of it are in"</h3>
            {one::used(&preview.uses)}
            <p class="quiet-text">"They stay as they are until someone updates them."</p>
        }
    });
    let titles: Vec<String> = preview
        .actions
        .iter()
        .map(|line| line.title.clone())
        .collect();
    let count = titles.len();
    let notes = (!preview.notes.is_empty()).then(|| listed("To know", &preview.notes));
    view! {
        <div class="connector-preview">
            <h3>{preview.title.clone()} " " <span class="quiet-text">{preview.version.clone()}</span></h3>
            <p>"Requests go to " <code>{preview.base.clone()}</code></p>
            {preview
                .component
                .as_ref()
                .map(|logic| one::component(logic, view! { <h4>"Logic"</h4> }.into_any()))}
            {changes}
            {is_new.then(|| listed(&format!("Actions ({count})"), &titles))}
            {notes}
            {uses}
        </div>
    }
    .into_any()
}

fn changes(changes: &Comparison) -> AnyView {
    if changes.is_empty() {
        return view! { <p role="status">"Nothing changes: it is imported already."</p> }
            .into_any();
    }
    let titles = |all: &[domain::connector::Listed]| -> Vec<String> {
        all.iter().map(|one| one.title.clone()).collect()
    };
    let changed: Vec<String> = changes
        .changed
        .iter()
        .map(|one| {
            let told: Vec<String> = one.differences.iter().map(ToString::to_string).collect();
            let mark = if one.can_break() { "Look at it: " } else { "" };
            format!("{mark}{}. {}", one.title, told.join(" "))
        })
        .collect();
    let same = changes.same;
    view! {
        <p role="status">"It takes the place of the connector that is there."</p>
        {listed("The connector itself", &changes.connector)}
        {listed("New actions", &titles(&changes.added))}
        {listed("Removed actions", &titles(&changes.removed))}
        {listed("Changed actions", &changed)}
        <p class="quiet-text">{format!("{same} actions stay the same.")}</p>
    }
    .into_any()
}

fn listed(title: &str, lines: &[String]) -> Option<AnyView> {
    if lines.is_empty() {
        return None;
    }
    let more = lines.len().saturating_sub(DRAWN);
    let line = |line: &String| view! { <li>{line.clone()}</li> };
    let view = view! {
        <h4>{title.to_owned()}</h4>
        <ul class="connector-lines" aria-label=title.to_owned()>
            {lines.iter().take(DRAWN).map(line).collect::<Vec<_>>()}
        </ul>
        {(more > 0).then(|| view! { <p class="quiet-text">{format!("And {more} more.")}</p> })}
    };
    Some(view.into_any())
}
