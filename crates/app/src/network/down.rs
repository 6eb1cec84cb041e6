//! Hosts that are down: requests to them are refused until one of them succeeds.

use domain::network::Down;
use leptos::prelude::*;

use crate::design::load::{Load, loaded};
use crate::design::time::Ago;

/// Draws the section of the network page.
pub(super) fn section(down: Load<Vec<Down>>) -> AnyView {
    let content = loaded(down, |all| {
        let lines = move || match all.with(Vec::is_empty) {
            true => {
                view! { <p class="empty">"All hosts answer, as far as requests have shown."</p> }
                    .into_any()
            }
            false => {
                let lines = all.get().into_iter().map(line);
                view! { <ul class="range-list">{lines.collect::<Vec<_>>()}</ul> }.into_any()
            }
        };
        view! { {lines} }.into_any()
    });
    view! {
        <section class="panel-box" aria-labelledby="down">
            <div class="head">
                <h2 id="down">"Hosts that are down"</h2>
            </div>
            {content}
        </section>
    }
    .into_any()
}

fn line(down: Down) -> AnyView {
    let name = format!("{}:{}", down.host, down.port);
    view! {
        <li>
            <code>{name}</code>
            <span class="quiet-text grow">{told(&down)}</span>
            <span class="quiet-text">"since " <Ago at=down.since /></span>
        </li>
    }
    .into_any()
}

fn told(down: &Down) -> String {
    format!(
        "Failed {} times in a row; the last time, it {}. Requests are refused; one is let through from time to time, and when it succeeds, all are.",
        down.failures, down.why
    )
}

/// Says of a connection which of its hosts are down; nothing when none is.
pub(crate) fn of_connection(origins: &[String], down: Load<Vec<Down>>) -> AnyView {
    let origins = origins.to_vec();
    let own = move || {
        let all = down.value.get().unwrap_or_default();
        let is_own = |down: &Down| origins.iter().any(|origin| down.is_at(origin));
        all.into_iter().filter(is_own).collect::<Vec<_>>()
    };
    let line = |down: Down| {
        view! {
            <p class="connection-error">
                {format!("{}:{} is down since ", down.host, down.port)} <Ago at=down.since /> ". "
                {told(&down)}
            </p>
        }
    };
    view! { {move || own().into_iter().map(line).collect::<Vec<_>>()} }.into_any()
}
