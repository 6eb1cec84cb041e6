//! How a step, the trigger or the settings is called, and what happened to it as a badge.

use domain::catalog;
use domain::change::{Kind, Target};
use leptos::prelude::*;

use super::Comparison;
use crate::design::icon::Icon;

/// Returns the icon of a target, its name, and what kind of thing it is.
pub(crate) fn title(shown: &Comparison, target: Target) -> (String, String, String) {
    match target {
        Target::Trigger => {
            let trigger = catalog::trigger(shown.kind_of(target));
            let icon = trigger.map_or("zap", |trigger| trigger.icon.as_str());
            let title = trigger.map_or("Unknown trigger", |trigger| trigger.title.as_str());
            (icon.to_owned(), title.to_owned(), "Trigger".to_owned())
        }
        Target::Settings => ("settings".to_owned(), "Settings".to_owned(), String::new()),
        Target::Step(_) => {
            let action = shown.action_of(target);
            let icon = action.map_or("alert", |action| action.icon.as_str());
            let kind = action.map_or("Unknown action", |action| action.title.as_str());
            (icon.to_owned(), shown.name(target), kind.to_owned())
        }
    }
}

/// Returns key and icon of a badge.
pub(crate) const fn look(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::New => ("new", "plus"),
        Kind::Deleted => ("deleted", "minus"),
        Kind::Modified => ("modified", "pencil"),
        Kind::Moved => ("moved", "move"),
        Kind::Renamed => ("renamed", "tag"),
    }
}

/// Draws what happened: icon, word and colour.
pub(crate) fn badge(kind: Kind) -> AnyView {
    let (key, icon) = look(kind);
    view! {
        <span class="badge" data-kind=key>
            <Icon name=icon />
            {kind.title()}
        </span>
    }
    .into_any()
}
