//! The palette on screen: a field to type in, and what fits.

use std::rc::Rc;

use domain::policy::Act;
use domain::search;
use leptos::ev::KeyboardEvent;
use leptos::html::{Input, Ul};
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;

use super::keys::combination;
use super::{Entry, entries, recent};
use crate::design::dialog::Dialog;
use crate::design::icon::Icon;
use crate::integration::api;
use crate::session;

/// How many entries are shown at most.
const SHOWN: usize = 50;
/// Where one can go from everywhere.
const PLACES: [(&str, &str, &str); 10] = [
    ("Integrations", "/", "layers"),
    ("Inbox", "/inbox", "inbox"),
    ("Runs", "/runs", "rows"),
    ("Members", "/settings/members", "users"),
    ("Connections", "/settings/connections", "lock"),
    ("Connectors", "/settings/connectors", "plug"),
    ("Alerts", "/settings/alerts", "mail"),
    ("Network", "/settings/network", "network"),
    ("Retention", "/settings/retention", "history"),
    ("Review policy", "/settings/review", "shield"),
];

pub(super) fn view(open: RwSignal<bool>) -> AnyView {
    let navigate = Rc::new(use_navigate());
    let go = StoredValue::new_local(move |path: String| {
        navigate(&path, NavigateOptions::default());
    });
    view! {
        <Dialog open=open title="Commands">
            {move || open.get().then(|| choices(open, Rc::new(move |path| go.with_value(|go| go(path)))))}
        </Dialog>
    }
    .into_any()
}

type Go = Rc<dyn Fn(String)>;

/// Returns an entry that goes somewhere.
fn place(go: &Go, path: String, title: String, group: &str, icon: &'static str) -> Entry {
    let (go, to) = (go.clone(), path.clone());
    Entry {
        key: format!("go:{path}"),
        title,
        group: group.to_owned(),
        icon,
        keys: "",
        run: Rc::new(move || go(to.clone())),
    }
}

fn places(go: &Go) -> Vec<Entry> {
    let to_place = |(title, path, icon): (&str, &str, &'static str)| {
        place(go, path.to_owned(), format!("Go to {title}"), "Go to", icon)
    };
    let mut all: Vec<Entry> = PLACES.into_iter().map(to_place).collect();
    if session::may(Act::CreateIntegration).get_untracked().is_ok() {
        let title = "New integration".to_owned();
        all.push(place(go, "/new".to_owned(), title, "Create", "plus"));
    }
    all
}

/// Returns the numbers of the entries that fit, best first. Without anything typed: what was done
/// last, then all in their order.
fn found(entries: &[Entry], recent: &[String], typed: &str) -> Vec<usize> {
    let ago = |entry: &Entry| recent.iter().position(|key| *key == entry.key);
    let mut ranked: Vec<(u32, usize, usize)> = entries
        .iter()
        .enumerate()
        .filter_map(|(number, entry)| {
            let in_title = search::rank(typed, &entry.title);
            let rank = match in_title {
                Some(rank) => rank + 1,
                None => search::rank(typed, &format!("{} {}", entry.group, entry.title))?,
            };
            Some((rank, ago(entry).unwrap_or(usize::MAX), number))
        })
        .collect();
    ranked.sort_by_key(|(rank, ago, number)| (u32::MAX - rank, *ago, *number));
    ranked.truncate(SHOWN);
    ranked.into_iter().map(|(_, _, number)| number).collect()
}

fn choices(open: RwSignal<bool>, go: Go) -> AnyView {
    let mut all = entries();
    all.extend(places(&go));
    let all = RwSignal::new_local(all);
    spawn_local(async move {
        // Without an answer, everything else can still be done.
        let Ok(integrations) = api::integrations().await else {
            return;
        };
        all.try_update(|all| {
            all.extend(integrations.into_iter().map(|integration| {
                let path = format!("/integrations/{}", integration.id);
                place(&go, path, integration.name, "Integration", "workflow")
            }));
        });
    });
    let typed = RwSignal::new(String::new());
    let active = RwSignal::new(0_usize);
    let recent = StoredValue::new(recent::keys());
    let input = NodeRef::<Input>::new();
    let list = NodeRef::<Ul>::new();
    let results = Memo::new(move |_| {
        all.with(|all| recent.with_value(|recent| found(all, recent, &typed.get())))
    });
    Effect::new(move || {
        if let Some(input) = input.get() {
            let _ = input.focus();
        }
    });
    let run = move |number: usize| {
        let entry = all.with_untracked(|all| all.get(number).cloned());
        if let Some(entry) = entry {
            recent::remember(&entry.key);
            open.set(false);
            (entry.run)();
        }
    };
    let move_to = move |index: usize| {
        active.set(index);
        let option = list.get_untracked().and_then(|list| {
            let number = u32::try_from(index).ok()?;
            list.children().item(number)
        });
        if let Some(option) = option {
            let options = web_sys::ScrollIntoViewOptions::new();
            options.set_block(web_sys::ScrollLogicalPosition::Nearest);
            option.scroll_into_view_with_scroll_into_view_options(&options);
        }
    };
    let on_key = move |event: KeyboardEvent| {
        let last = results.with_untracked(Vec::len).saturating_sub(1);
        let here = active.get_untracked();
        match event.key().as_str() {
            "ArrowDown" => move_to(if here >= last { 0 } else { here + 1 }),
            "ArrowUp" => move_to(here.checked_sub(1).unwrap_or(last)),
            "Home" => move_to(0),
            "End" => move_to(last),
            "Enter" => {
                let chosen = results.with_untracked(|results| results.get(here).copied());
                if let Some(number) = chosen {
                    run(number);
                }
            }
            _ => return,
        }
        event.prevent_default();
    };
    let option = move |(index, number): (usize, usize)| {
        let entry = all.with_untracked(|all| all.get(number).cloned())?;
        let is_active = move || active.get() == index;
        let is_recent = recent.with_value(|recent| recent.contains(&entry.key));
        let is_recent = is_recent && typed.with_untracked(String::is_empty);
        Some(view! {
            <li
                role="option"
                id=format!("palette-{index}")
                class="palette-option"
                class:is-active=is_active
                aria-selected=move || if is_active() { "true" } else { "false" }
                on:pointermove=move |_| active.set(index)
                on:click=move |_| run(number)
            >
                <Icon name=entry.icon />
                <span class="palette-title">{entry.title}</span>
                <span class="palette-group">
                    {if is_recent { format!("{} · recent", entry.group) } else { entry.group }}
                </span>
                {(!entry.keys.is_empty()).then(|| combination(entry.keys))}
            </li>
        })
    };
    view! {
        <div class="palette">
            <input
                node_ref=input
                class="input"
                type="text"
                role="combobox"
                aria-label="Search for a command"
                aria-expanded="true"
                aria-controls="palette-list"
                aria-autocomplete="list"
                aria-activedescendant=move || {
                    results.with(|results| !results.is_empty()).then(|| format!("palette-{}", active.get()))
                }
                placeholder="Add a step, go to, test, publish…"
                autocomplete="off"
                spellcheck="false"
                on:input=move |event| {
                    typed.set(event_target_value(&event));
                    move_to(0);
                }
                on:keydown=on_key
            />
            <ul node_ref=list class="palette-list" id="palette-list" role="listbox" aria-label="Commands">
                {move || results.get().into_iter().enumerate().map(option).collect::<Vec<_>>()}
            </ul>
            {move || results.with(Vec::is_empty).then(|| view! {
                <p class="empty" role="status">"Nothing is called like that. Try another word."</p>
            })}
        </div>
    }
    .into_any()
}
