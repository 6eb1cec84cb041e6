//! The frame: the bar at the top, and the plain page under it.

use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_location, use_navigate};

use crate::account::api;
use crate::design::icon::Icon;
use crate::design::menu::{Menu, MenuItem};
use crate::design::toast;
use crate::review::unread;
use crate::{design, live, session};

/// Where the chosen theme is kept; the shell page reads it before anything is drawn.
const THEME_KEY: &str = "sluice.theme";
const LINKS: [(&str, &str); 8] = [
    ("/", "Integrations"),
    ("/runs", "Runs"),
    ("/settings/members", "Members"),
    ("/settings/connections", "Connections"),
    ("/settings/connectors", "Connectors"),
    ("/settings/network", "Network"),
    ("/settings/review", "Review policy"),
    ("/settings/retention", "Retention"),
];

/// A screen with a heading: everything but the builder and the forms before signing in.
#[component]
pub fn Page(
    /// The heading, also the title in the browser's tab.
    #[prop(into)]
    title: Signal<String>,
    /// What stands above the heading: where this is.
    #[prop(optional)]
    above: Option<AnyView>,
    /// What stands beside the heading: state.
    #[prop(optional)]
    beside: Option<AnyView>,
    /// What can be done with the whole.
    #[prop(optional)]
    actions: Option<AnyView>,
    /// The content.
    children: Children,
) -> impl IntoView {
    design::title(move || title.get());
    view! {
        <main class="page">
            {above.map(|above| view! { <nav class="crumbs" aria-label="Breadcrumb">{above}</nav> })}
            <div class="page-head">
                <div class="page-title">
                    <h1>{move || title.get()}</h1>
                    {beside}
                </div>
                {actions.map(|actions| view! { <div class="page-actions">{actions}</div> })}
            </div>
            {children()}
        </main>
    }
}

/// Draws the bar at the top.
pub(super) fn top() -> AnyView {
    let me = session::use_me();
    let path = use_location().pathname;
    let name = move || me.with(|me| me.as_ref().map(|me| me.organization_name.clone()));
    let is_demo = move || me.with(|me| me.as_ref().is_some_and(|me| me.is_demo));
    let is_inbox = Signal::derive(move || path.with(|path| path == "/inbox"));
    let skip = |event: leptos::ev::MouseEvent| {
        event.prevent_default();
        design::focus_soon("content");
    };
    let link = move |(address, words): &(&'static str, &'static str)| {
        let address = *address;
        let is_here = move || {
            let path = path.get();
            path == address
                || (address == "/" && is_below_integrations(&path))
                || (address == "/runs" && path.starts_with("/runs/"))
        };
        view! {
            <li>
                <a href=address aria-current=move || is_here().then_some("page")>
                    {*words}
                </a>
            </li>
        }
    };
    view! {
        <header class="top">
            <a class="skip" href="#content" on:click=skip>
                "Skip to the content"
            </a>
            <a class="top-name" href="/">
                <span class="top-mark" aria-hidden="true"></span>
                <span class="top-organization">{name}</span>
            </a>
            {move || {
                is_demo()
                    .then(|| {
                        view! {
                            <span class="badge plain warning" title="This organization holds demonstration data">
                                "Demo"
                            </span>
                        }
                    })
            }}
            <nav class="top-nav" aria-label="Main">
                <ul>{LINKS.iter().map(link).collect::<Vec<_>>()}</ul>
            </nav>
            {connection()}
            <div class="top-end">{unread::link(is_inbox)} {theme_menu()} {user_menu()}</div>
        </header>
    }
    .into_any()
}

fn is_below_integrations(path: &str) -> bool {
    path == "/new" || path.starts_with("/integrations/") || path.starts_with("/drafts/")
}

/// Says when the server cannot be heard, so that nobody trusts an old page.
fn connection() -> AnyView {
    let is_lost = live::is_lost();
    view! {
        <span class="top-connection" role="status">
            {move || {
                is_lost
                    .get()
                    .then(|| {
                        view! {
                            <span class="badge warning">
                                <Icon name="wifi-off" />
                                "Reconnecting…"
                            </span>
                        }
                    })
            }}
        </span>
    }
    .into_any()
}

fn storage() -> Option<web_sys::Storage> {
    window().local_storage().ok().flatten()
}

fn theme_menu() -> AnyView {
    let stored = storage().and_then(|storage| storage.get_item(THEME_KEY).ok().flatten());
    let chosen = RwSignal::new(stored.unwrap_or_default());
    let choose = move |theme: &'static str| {
        chosen.set(theme.to_owned());
        let root = document().document_element();
        let (storage, root) = (storage(), root.as_ref());
        if theme.is_empty() {
            let _ = storage.map(|storage| storage.remove_item(THEME_KEY));
            let _ = root.map(|root| root.remove_attribute("data-theme"));
        } else {
            let _ = storage.map(|storage| storage.set_item(THEME_KEY, theme));
            let _ = root.map(|root| root.set_attribute("data-theme", theme));
        }
    };
    let items = Signal::derive(move || {
        let line = |(theme, words, icon): (&'static str, &str, &'static str)| {
            let is_it = chosen.get() == theme;
            let words = if is_it {
                format!("{words} (chosen)")
            } else {
                words.to_owned()
            };
            MenuItem::new(words, if is_it { "check" } else { icon }, move || {
                choose(theme)
            })
        };
        let themes = [
            ("", "Like the system", "monitor"),
            ("light", "Light", "sun"),
            ("dark", "Dark", "moon"),
        ];
        themes.into_iter().map(line).collect::<Vec<_>>()
    });
    view! { <Menu label="Theme" icon="sun" items=items /> }.into_any()
}

fn user_menu() -> AnyView {
    let me = session::use_me();
    let sign_out = || {
        spawn_local(async {
            match api::sign_out().await {
                Ok(()) => {
                    live::close();
                    // A fresh page: nothing of this person stays in memory.
                    let _ = window().location().assign("/sign-in");
                }
                Err(fault) => toast::say_fault(&fault),
            }
        });
    };
    let navigate = use_navigate();
    let items = Signal::derive(move || {
        let navigate = navigate.clone();
        let alerts = move || navigate("/settings/alerts", NavigateOptions::default());
        vec![
            MenuItem::new("Alerts by e-mail", "mail", alerts),
            MenuItem::new("Sign out", "log-out", sign_out),
        ]
    });
    let head = move || {
        me.get().map(|me| {
            view! {
                <div class="menu-head">
                    <strong>{me.name}</strong>
                    <span>{me.email}</span>
                    <span>{me.role.title()}</span>
                </div>
            }
        })
    };
    let name = me.with_untracked(|me| me.as_ref().map(|me| me.name.clone()));
    view! {
        <Menu
            label=format!("Account of {}", name.unwrap_or_default())
            icon="user"
            items=items
            head=ViewFn::from(head)
        />
    }
    .into_any()
}
