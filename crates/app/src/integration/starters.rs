//! What a new integration can start from: nothing, or a template.

use domain::starter::{self, NOWHERE, Starter};
use domain::{Document, catalog};
use leptos::prelude::*;
use uuid::Uuid;

use crate::design::icon::Icon;
use crate::session;

/// Makes the document of a template. In the demo organization it calls the demo's services.
pub(super) fn document(starter: &Starter) -> Document {
    let base = session::demo_service();
    starter.document(base.as_deref().unwrap_or(NOWHERE), &mut Uuid::now_v7)
}

/// The choice; a template also gives a name, while none is typed.
pub(super) fn view(chosen: RwSignal<Option<&'static Starter>>, name: RwSignal<String>) -> AnyView {
    let choose = move |starter: Option<&'static Starter>| {
        let before = chosen.get_untracked().map_or("", |before| before.name);
        if name.with_untracked(|name| name.trim().is_empty() || name == before) {
            name.set(starter.map(|it| it.name.to_owned()).unwrap_or_default());
        }
        chosen.set(starter);
    };
    let card = move |starter: Option<&'static Starter>| {
        let key = starter.map_or("", |it| it.key);
        let is_it = move || chosen.get().map_or("", |it| it.key) == key;
        let icon = match starter {
            Some(it) => catalog::trigger(it.trigger).map_or("zap", |it| it.icon.as_str()),
            None => "plus",
        };
        view! {
            <label class="trigger-card">
                <input
                    type="radio"
                    name="starter"
                    value=key
                    prop:checked=is_it
                    on:change=move |_| choose(starter)
                />
                <span class="tile">
                    <Icon name=icon />
                </span>
                <span class="grow">
                    <strong>{starter.map_or("Nothing", |it| it.name)}</strong>
                    <span class="quiet-text">
                        {starter.map_or("Choose what starts it, then add step by step.", |it| it.description)}
                    </span>
                </span>
            </label>
        }
    };
    let all = starter::all().iter().map(Some);
    let is_elsewhere = move || chosen.get().is_some() && session::demo_service().is_none();
    view! {
        <fieldset class="field">
            <legend>"What it starts from"</legend>
            <div class="trigger-cards two-columns">
                {std::iter::once(None).chain(all).map(card).collect::<Vec<_>>()}
            </div>
            <p class="field-help" role="status">
                {move || is_elsewhere().then(|| format!(
                    "Its requests go to {NOWHERE}, which is nobody: put the address of your own system in."
                ))}
            </p>
        </fieldset>
    }
    .into_any()
}
