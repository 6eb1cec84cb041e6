//! The page of one connector: its actions, how to connect, and where it is used.

use domain::connector::{Auth, Component, Line, Page as Content, Use};
use domain::policy::Act;
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::{api, page};
use crate::design::load::{load, loaded};
use crate::design::markdown::markdown;
use crate::design::time::Ago;
use crate::screen::Page;
use crate::session;

/// Most actions that are drawn; a search narrows them down.
const DRAWN: usize = 200;

/// Draws the screen `/settings/connectors/:key`.
pub(crate) fn page() -> AnyView {
    let params = use_params_map();
    let key = Memo::new(move |_| params.with(|params| params.get("key").unwrap_or_default()));
    (move || of(key.get())).into_any()
}

fn of(key: String) -> AnyView {
    let may_use = session::may(Act::EditDraft);
    let asked = key.clone();
    let content = load(None, move || Box::pin(api::read_connector(asked.clone())));
    let uses = load(None, move || {
        let (key, may_use) = (key.clone(), may_use.get().is_ok());
        Box::pin(async move {
            match may_use {
                true => api::connector_uses(key).await,
                false => Ok(Vec::new()),
            }
        })
    });
    let title = Signal::derive(move || {
        let title = |content: &Content| content.summary.title.clone();
        content
            .value
            .with(|content| content.as_ref().map_or("Connector".to_owned(), title))
    });
    let above = view! { <a href="/settings/connectors">"Connectors"</a> };
    let drawn = loaded(content, move |content| {
        view! { {move || drawn(content.get())} }.into_any()
    });
    let used = loaded(uses, |uses| {
        view! { {move || used(&uses.get())} }.into_any()
    });
    view! {
        <Page title=title above=above.into_any()>
            <div class="stack">
                {drawn}
                <section>
                    <h2>"Used in"</h2>
                    {used}
                </section>
            </div>
        </Page>
    }
    .into_any()
}

fn drawn(content: Content) -> AnyView {
    let summary = content.summary;
    let docs = (!content.docs.is_empty()).then(|| {
        view! {
            <section>
                <h2>"About"</h2>
                {markdown(&content.docs)}
            </section>
        }
    });
    view! {
        <p>{summary.description}</p>
        <dl class="connector-facts">
            <dt>"Requests go to"</dt>
            <dd><code>{content.base}</code></dd>
            <dt>"Version"</dt>
            <dd>{if summary.version.is_empty() { "Not said".to_owned() } else { summary.version }}</dd>
            <dt>"Imported from"</dt>
            <dd>{summary.source} ", " <Ago at=summary.imported_at /></dd>
        </dl>
        {content.component.as_ref().map(|logic| component(logic, view! { <h2>"Logic"</h2> }.into_any()))}
        <section>
            <h2>"Connection"</h2>
            {auth(&content.auth)}
        </section>
        {docs}
        {actions(content.actions)}
    }
    .into_any()
}

/// Draws what is to be known of a component: that there is logic, which, and what it reaches.
pub(super) fn component(component: &Component, heading: AnyView) -> AnyView {
    let hosts: Vec<AnyView> = component
        .hosts
        .iter()
        .map(|host| view! { <li><code>{host.clone()}</code></li> }.into_any())
        .collect();
    view! {
        <section class="connector-component" aria-label="Component">
            {heading}
            <p>
                "Actions are run by a component, which has no access to files, the network or secrets by itself. SHA-256: "
                <code>{component.sha256.clone()}</code>
            </p>
            <p>"It may reach the origins of the step's connection, and:"</p>
            {if hosts.is_empty() {
                view! { <p class="quiet-text">"Nothing else"</p> }.into_any()
            } else {
                view! { <ul class="connector-auth" aria-label="Hosts">{hosts}</ul> }.into_any()
            }}
        </section>
    }
    .into_any()
}

fn auth(ways: &[Auth]) -> AnyView {
    if ways.is_empty() {
        return view! { <p>"It needs none."</p> }.into_any();
    }
    let way = |auth: &Auth| {
        let names = auth.names.join(", ");
        view! {
            <li>
                <strong>{auth.kind.title()}</strong>
                {(!names.is_empty()).then(|| view! { " " <code>{names}</code> })}
                {(!auth.help.is_empty()).then(|| view! { <p>{auth.help.clone()}</p> })}
            </li>
        }
    };
    view! {
        <ul class="connector-auth">{ways.iter().map(way).collect::<Vec<_>>()}</ul>
        <p><a href="/settings/connections">"Connections"</a> " are added by an Admin."</p>
    }
    .into_any()
}

fn actions(all: Vec<(Line, String)>) -> AnyView {
    let typed = RwSignal::new(String::new());
    let count = page::count(u32::try_from(all.len()).unwrap_or(u32::MAX));
    let all = StoredValue::new(all);
    let found = Memo::new(move |_| {
        let typed = typed.get().to_lowercase();
        let fits = |line: &Line, request: &str| {
            [line.title.as_str(), &line.description, request]
                .iter()
                .any(|text| text.to_lowercase().contains(&typed))
        };
        all.with_value(|all| {
            let found = all.iter().filter(|(line, request)| fits(line, request));
            found.cloned().collect::<Vec<_>>()
        })
    });
    let line = |(line, request): (Line, String)| {
        view! {
            <li>
                <h3>{line.title}</h3>
                <p>{line.description}</p>
                <code>{request}</code>
            </li>
        }
    };
    view! {
        <section>
            <h2>{count}</h2>
            <input
                class="input"
                type="search"
                aria-label="Search the actions"
                placeholder="Search the actions"
                on:input=move |event| typed.set(event_target_value(&event))
            />
            <ul class="connector-actions" aria-label="Actions">
                {move || found.get().into_iter().take(DRAWN).map(line).collect::<Vec<_>>()}
            </ul>
            <p class="quiet-text" role="status">
                {move || {
                    let count = found.with(Vec::len);
                    match count {
                        0 => "No action is called like that.".to_owned(),
                        many if many > DRAWN => format!("And {} more. Search for one.", many - DRAWN),
                        _ => String::new(),
                    }
                }}
            </p>
        </section>
    }
    .into_any()
}

/// Draws where steps of a connector are.
pub(super) fn used(uses: &[Use]) -> AnyView {
    if uses.is_empty() {
        return view! { <p class="quiet-text">"Nothing"</p> }.into_any();
    }
    let line = |one: &Use| {
        let (href, state) = match &one.draft {
            Some((draft, title)) => (format!("/drafts/{draft}"), format!("draft “{title}”")),
            None => (
                format!("/integrations/{}", one.integration),
                "live".to_owned(),
            ),
        };
        view! {
            <li>
                <a href=href>{one.name.clone()}</a>
                " "
                <span class="quiet-text">{state} ": " {one.actions.join(", ")}</span>
            </li>
        }
    };
    view! { <ul class="connector-uses">{uses.iter().map(line).collect::<Vec<_>>()}</ul> }.into_any()
}
