//! The dialog in which a connection is made or changed. Its secrets can only be written.

use domain::connection::{Connection, Details, Form, HEADERS, Kind, Secrets};
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::{api, provider, server};
use crate::design::dialog::Dialog;
use crate::design::field::{Field, TextField, described};
use crate::design::icon::Icon;
use crate::design::load::Load;
use crate::design::{toast, unique};
use crate::session;

/// A name with its secrets, as they are typed.
#[derive(Clone, Copy)]
struct Row {
    name: RwSignal<String>,
    live: RwSignal<String>,
    test: RwSignal<String>,
}

impl Row {
    fn new(name: &str) -> Self {
        Self {
            name: RwSignal::new(name.to_owned()),
            live: RwSignal::new(String::new()),
            test: RwSignal::new(String::new()),
        }
    }
}

/// What is typed into the dialog.
#[derive(Clone, Copy)]
struct Typed {
    name: RwSignal<String>,
    kind: RwSignal<Kind>,
    rows: RwSignal<Vec<Row>>,
    origins: RwSignal<String>,
    removes_test: RwSignal<bool>,
    provider: provider::Typed,
    server: server::Typed,
    problem: RwSignal<Option<String>>,
    is_busy: RwSignal<bool>,
}

impl Typed {
    fn new(edited: Option<&Connection>, details: Option<&Details>) -> Self {
        let rows = details.map(|details| details.names.iter().map(|name| Row::new(name)).collect());
        let rows: Vec<Row> = rows.unwrap_or_default();
        let text = |edited: &Connection| edited.name.clone();
        Self {
            name: RwSignal::new(edited.map(text).unwrap_or_default()),
            kind: RwSignal::new(details.map_or(Kind::Bearer, |details| details.kind)),
            rows: RwSignal::new(if rows.is_empty() {
                vec![Row::new("")]
            } else {
                rows
            }),
            origins: RwSignal::new(
                details
                    .map(|details| details.origins.join("\n"))
                    .unwrap_or_default(),
            ),
            removes_test: RwSignal::new(false),
            provider: provider::Typed::new(
                details
                    .and_then(|details| details.authorization.as_ref())
                    .map(|authorization| &authorization.settings),
            ),
            server: server::Typed::new(details.and_then(|details| details.server.as_ref())),
            problem: RwSignal::new(None),
            is_busy: RwSignal::new(false),
        }
    }

    /// Returns what is typed; secrets that are left empty stay as they are.
    fn form(self, is_new: bool) -> Form {
        let kind = self.kind.get_untracked();
        let rows = self.rows.get_untracked();
        let texts = |of: fn(&Row) -> RwSignal<String>| -> Vec<String> {
            rows.iter().map(|row| of(row).get_untracked()).collect()
        };
        let secrets = |all: Vec<String>| match all.iter().all(String::is_empty) {
            true => Secrets::Keep,
            false => Secrets::Set(all),
        };
        let (live, test) = (texts(|row| row.live), texts(|row| row.test));
        let names = texts(|row| row.name);
        // A mail server may ask for no user, and so for no password.
        let has_none = kind == Kind::Smtp && names.iter().all(|name| name.trim().is_empty());
        Form {
            name: self.name.get_untracked(),
            kind,
            names: if kind.labels().0.is_some() {
                names
            } else {
                Vec::new()
            },
            origins: self
                .origins
                .get_untracked()
                .lines()
                .map(str::to_owned)
                .collect(),
            live: if has_none {
                Secrets::Set(Vec::new())
            } else if is_new {
                Secrets::Set(live)
            } else {
                secrets(live)
            },
            test: if has_none || self.removes_test.get_untracked() {
                Secrets::Remove
            } else {
                secrets(test)
            },
            oauth: self.provider.settings(kind),
            server: self.server.server(kind),
        }
    }
}

/// Draws the dialog; `edited` is the connection that is changed, `None` for a new one.
pub(super) fn dialog(
    open: RwSignal<bool>,
    edited: RwSignal<Option<Connection>>,
    all: Load<Vec<Connection>>,
) -> AnyView {
    let title = Signal::derive(move || match edited.get() {
        Some(connection) => format!("Edit “{}”", connection.name),
        None => "New connection".to_owned(),
    });
    view! {
        <Dialog open=open title=title wide=true>
            {move || content(edited.get(), open, all)}
        </Dialog>
    }
    .into_any()
}

fn content(
    edited: Option<Connection>,
    open: RwSignal<bool>,
    all: Load<Vec<Connection>>,
) -> AnyView {
    let details = edited.as_ref().and_then(|edited| edited.details.clone());
    let has_test = details.as_ref().is_some_and(|details| details.has_test);
    let id = edited.as_ref().map(|edited| edited.id);
    let is_new = id.is_none();
    let typed = Typed::new(edited.as_ref(), details.as_ref());
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if typed.is_busy.get_untracked() {
            return;
        }
        typed.is_busy.set(true);
        typed.problem.set(None);
        let form = typed.form(is_new);
        spawn_local(async move {
            let answer = match id {
                Some(id) => api::change_connection(id, form).await,
                None => api::create_connection(form).await.map(|_| ()),
            };
            typed.is_busy.try_set(false);
            match answer {
                Ok(()) => {
                    open.try_set(false);
                    toast::say("The connection is kept.");
                    all.again();
                }
                Err(fault) => {
                    session::notice(&fault);
                    typed.problem.try_set(Some(fault.to_string()));
                }
            }
        });
    };
    view! {
        <form class="stack" novalidate on:submit=submit>
            <TextField
                label="Name"
                value=typed.name
                help="What the people who build integrations call it."
                placeholder="CRM, read only"
                autofocus=true
            />
            {kind(typed, is_new)}
            {provider::fields(typed.provider, typed.kind)}
            {server::fields(typed.server, typed.kind)}
            {rows(typed, is_new)}
            {move || (!typed.kind.get().has_server()).then(|| origins(typed))}
            {test(typed, has_test)}
            <p class="field-problem" role="alert">
                {move || typed.problem.get()}
            </p>
            <div class="dialog-actions">
                <button type="button" class="button" on:click=move |_| open.set(false)>
                    "Cancel"
                </button>
                <button type="submit" class="button primary">
                    "Keep the connection"
                </button>
            </div>
        </form>
    }
    .into_any()
}

fn kind(typed: Typed, is_new: bool) -> AnyView {
    if !is_new {
        return view! { <p class="quiet-text">{typed.kind.get_untracked().title()}</p> }.into_any();
    }
    let id = unique("kind");
    let line = |kind: Kind| view! { <option value=kind.key()>{kind.title()}</option> };
    let change = move |event| {
        if let Some(kind) = Kind::from_key(&event_target_value(&event)) {
            typed.server.begin(kind);
            typed.kind.set(kind);
            typed.rows.update(|rows| rows.truncate(1));
        }
    };
    view! {
        <Field id=id.clone() label="Kind" required=true>
            <select id=id.clone() class="input" aria-describedby=described(&id) on:change=change>
                {Kind::ALL.into_iter().map(line).collect::<Vec<_>>()}
            </select>
        </Field>
    }
    .into_any()
}

/// Draws the names and their secrets: one of each, several for custom headers.
fn rows(typed: Typed, is_new: bool) -> AnyView {
    let row = move |kind: Kind, number: usize, row: Row, is_only: bool| {
        let (name, secret) = kind.labels();
        let behind = if kind == Kind::Headers && number > 0 {
            format!(" {}", number + 1)
        } else {
            String::new()
        };
        let remove = move |_| {
            typed.rows.update(|rows| {
                rows.remove(number);
            });
        };
        let help = if is_new {
            "Sealed when it is kept, and never shown again."
        } else {
            "Leave it empty to keep the one there is."
        };
        view! {
            <div class="connection-row">
                {name
                    .map(|name| {
                        view! {
                            <TextField
                                label=format!("{name}{behind}")
                                value=row.name
                                optional=kind == Kind::Smtp
                            />
                        }
                    })}
                <TextField
                    label=format!("{secret}{behind}")
                    value=row.live
                    kind="password"
                    autocomplete="new-password"
                    help=help
                    optional=!is_new || kind == Kind::Smtp
                />
                {(!is_only)
                    .then(|| {
                        view! {
                            <button
                                type="button"
                                class="button quiet icon-only"
                                aria-label=format!("Remove header {}", number + 1)
                                on:click=remove
                            >
                                <Icon name="trash" />
                            </button>
                        }
                    })}
            </div>
        }
        .into_any()
    };
    let lines = move || {
        let (kind, all) = (typed.kind.get(), typed.rows.get());
        let is_only = all.len() == 1;
        let lines = all.into_iter().enumerate();
        lines
            .map(|(number, line)| row(kind, number, line, is_only))
            .collect::<Vec<_>>()
    };
    let more = move || {
        let may_add = typed.kind.get() == Kind::Headers && typed.rows.with(Vec::len) < HEADERS;
        may_add.then(|| {
            view! {
                <button
                    type="button"
                    class="button"
                    on:click=move |_| typed.rows.update(|rows| rows.push(Row::new("")))
                >
                    "Add a header"
                </button>
            }
        })
    };
    view! {
        {lines}
        <div>{more}</div>
    }
    .into_any()
}

fn origins(typed: Typed) -> AnyView {
    let id = unique("origins");
    view! {
        <Field
            id=id.clone()
            label="Origins"
            help="Where it may be sent, one per line: scheme, host, and port if it has one of its own. To nowhere else, also after a redirect. To add one, type the secrets again."
            required=true
        >
            <textarea
                id=id.clone()
                class="input code"
                rows="3"
                spellcheck="false"
                placeholder="https://api.example.com"
                aria-describedby=described(&id)
                prop:value=move || typed.origins.get()
                on:input=move |event| typed.origins.set(event_target_value(&event))
            ></textarea>
        </Field>
    }
    .into_any()
}

/// Draws the secrets that tests use, folded away: most connections have none.
fn test(typed: Typed, has_test: bool) -> AnyView {
    let id = unique("no-test");
    let line = move |kind: Kind, number: usize, row: Row| {
        let (_, secret) = kind.labels();
        let behind = if kind == Kind::Headers && number > 0 {
            format!(" {}", number + 1)
        } else {
            String::new()
        };
        view! {
            <TextField
                label=format!("{secret}{behind} for tests")
                value=row.test
                kind="password"
                autocomplete="new-password"
                optional=true
            />
        }
    };
    let lines = move || {
        let (kind, all) = (typed.kind.get(), typed.rows.get());
        let lines = all.into_iter().enumerate();
        lines
            .map(|(number, row)| line(kind, number, row))
            .collect::<Vec<_>>()
    };
    let client = move || {
        typed.kind.get().has_tokens().then(|| {
            view! {
                <TextField
                    label="Client ID for tests"
                    value=typed.provider.test_client_id
                    help="When it is another one. Tests need a consent of their own then."
                    optional=true
                />
            }
        })
    };
    view! {
        <details class="connection-test">
            <summary>"Secrets for tests"</summary>
            <div class="stack">
                <p class="quiet-text">
                    "Tests of drafts use these in place of the others. Without them, tests use the same secrets as live runs."
                </p>
                {client}
                {lines}
                {has_test
                    .then(|| {
                        view! {
                            <div class="connection-check">
                                <input
                                    id=id.clone()
                                    type="checkbox"
                                    on:change=move |event| {
                                        typed.removes_test.set(event_target_checked(&event));
                                    }
                                />
                                <label for=id>"Remove the secrets for tests"</label>
                            </div>
                        }
                    })}
            </div>
        </details>
    }
    .into_any()
}
