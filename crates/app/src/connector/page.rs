//! The page of connectors: which there are, where they came from, and importing one.

use domain::connector::Summary;
use domain::live::Changed;
use domain::policy::Act;
use leptos::prelude::*;

use super::{api, import};
use crate::design::action::{ActionButton, refusal};
use crate::design::confirm::confirm_deletion;
use crate::design::icon::Icon;
use crate::design::load::{Load, load, loaded};
use crate::design::time::Ago;
use crate::screen::Page;
use crate::{live, session};

/// Draws the screen `/settings/connectors`.
pub(crate) fn page() -> AnyView {
    let all = load(None, || Box::pin(api::connectors()));
    let is_importing = RwSignal::new(false);
    live::use_changes(move |changed| {
        if changed == Changed::Organization {
            all.soon();
        }
    });
    let actions = view! {
        <ActionButton
            label="Import a connector"
            icon="plus"
            primary=true
            refused=refusal(Act::ManageConnectors)
            press=Callback::new(move |()| is_importing.set(true))
        />
    };
    let content = loaded(all, move |connectors| {
        view! {
            {move || {
                if connectors.with(Vec::is_empty) {
                    return view! { <p class="empty">"There are no connectors yet."</p> }.into_any();
                }
                let lines = connectors.get().into_iter().map(|summary| line(summary, all));
                view! {
                    <ul class="connector-list" aria-label="Connectors">
                        {lines.collect::<Vec<_>>()}
                    </ul>
                }
                    .into_any()
            }}
        }
        .into_any()
    });
    view! {
        <Page title="Connectors" actions=actions.into_any()>
            <div class="stack">
                <p class="connector-about">
                    "A connector brings the actions of a service into the list of steps: from a file, from the service's OpenAPI description, or one of ours. A step keeps the action as it was when the step was made, until someone updates it."
                </p>
                {content}
            </div>
            {import::dialog(is_importing, all)}
        </Page>
    }
    .into_any()
}

/// Returns how many actions there are, in words.
pub(super) fn count(actions: u32) -> String {
    match actions {
        1 => "1 action".to_owned(),
        many => format!("{many} actions"),
    }
}

fn line(summary: Summary, all: Load<Vec<Summary>>) -> AnyView {
    let may_manage = session::may(Act::ManageConnectors);
    let href = format!("/settings/connectors/{}", summary.key);
    let label = format!("Delete “{}”", summary.title);
    let named = StoredValue::new((summary.key.clone(), summary.title.clone()));
    let delete = move |_| {
        let (key, title) = named.get_value();
        confirm_deletion(
            title,
            "Its actions cannot be chosen any more. Steps that were made with it stay as they are, and run on.",
            move || api::delete_connector(key),
            move || all.again(),
        );
    };
    view! {
        <li>
            <span class="connector-icon"><Icon name=summary.icon.clone() /></span>
            <div class="connector-what">
                <h2><a href=href>{summary.title.clone()}</a></h2>
                <p>{summary.description.clone()}</p>
                <p class="quiet-text">
                    {(!summary.version.is_empty()).then(|| format!("{}, ", summary.version))}
                    {count(summary.actions)} ", from " {summary.source.clone()} ", "
                    <Ago at=summary.imported_at />
                </p>
            </div>
            {move || {
                may_manage
                    .get()
                    .is_ok()
                    .then(|| {
                        view! {
                            <button
                                type="button"
                                class="button quiet icon-only"
                                aria-label=label.clone()
                                title=label.clone()
                                on:click=delete
                            >
                                <Icon name="trash" />
                            </button>
                        }
                    })
            }}
        </li>
    }
    .into_any()
}
