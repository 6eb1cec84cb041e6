//! The list of the keys that a screen has.

use leptos::prelude::*;

use super::{KeyLine, key_lines};
use crate::design::dialog::Dialog;

pub(super) fn view(open: RwSignal<bool>) -> AnyView {
    view! {
        <Dialog open=open title="Keys">
            {move || open.get().then(list)}
        </Dialog>
    }
    .into_any()
}

fn list() -> AnyView {
    let lines = key_lines();
    let mut groups: Vec<(&'static str, Vec<KeyLine>)> = Vec::new();
    for line in lines {
        match groups.iter_mut().find(|(group, _)| *group == line.group) {
            Some((_, lines)) => lines.push(line),
            None => groups.push((line.group, vec![line])),
        }
    }
    let group = |(title, lines): (&'static str, Vec<KeyLine>)| {
        let line = |line: KeyLine| {
            let keys = line.keys.iter().enumerate().map(|(number, keys)| {
                view! {
                    {(number > 0).then_some(" or ")}
                    {combination(keys)}
                }
            });
            view! {
                <dt>{keys.collect::<Vec<_>>()}</dt>
                <dd>{line.says}</dd>
            }
        };
        view! {
            <section aria-label=title>
                <h3 class="keys-title">{title}</h3>
                <dl class="facts keys-list">{lines.into_iter().map(line).collect::<Vec<_>>()}</dl>
            </section>
        }
    };
    groups.into_iter().map(group).collect::<Vec<_>>().into_any()
}

/// Draws keys that are pressed together.
pub(super) fn combination(keys: &'static str) -> AnyView {
    let key = |name: &'static str| {
        let shown = match name {
            "Ctrl" if is_apple() => "⌘",
            "Alt" if is_apple() => "⌥",
            "ArrowUp" => "↑",
            "ArrowDown" => "↓",
            "ArrowLeft" => "←",
            "ArrowRight" => "→",
            "Plus" => "+",
            name => name,
        };
        view! { <kbd aria-label=name>{shown}</kbd> }
    };
    view! {
        <span class="keys-combination">{keys.split('+').map(key).collect::<Vec<_>>()}</span>
    }
    .into_any()
}

fn is_apple() -> bool {
    let agent = window().navigator().user_agent().unwrap_or_default();
    agent.contains("Macintosh") || agent.contains("iPad")
}
