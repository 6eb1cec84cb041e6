//! Integrations that have a policy of their own instead of the organization's.

use domain::review::Policy;
use domain::review::policy::{IntegrationPolicy, PolicySettings};
use leptos::prelude::*;

use super::{rules, set};
use crate::design::dialog::Dialog;
use crate::design::icon::Icon;
use crate::design::load::Load;

/// Draws the section.
pub(super) fn section(
    shown: Signal<PolicySettings>,
    settings: Load<PolicySettings>,
    may_manage: Signal<bool>,
) -> AnyView {
    let all = Memo::new(move |_| shown.with(|shown| shown.integrations.clone()));
    let edited = RwSignal::new(None::<IntegrationPolicy>);
    let open = RwSignal::new(false);
    let edit = Callback::new(move |integration| {
        edited.set(Some(integration));
        open.set(true);
    });
    let lines = move || {
        if all.with(Vec::is_empty) {
            return view! { <p class="empty">"There is no integration yet."</p> }.into_any();
        }
        let (own, others): (Vec<_>, Vec<_>) =
            all.get().into_iter().partition(|one| one.policy.is_some());
        let words = match (own.len(), others.len()) {
            (0, 1) => "The one integration has the organization's policy".to_owned(),
            (0, count) => format!("All {count} integrations have the organization's policy"),
            (_, 1) => "1 other integration has the organization's policy".to_owned(),
            (_, count) => format!("{count} other integrations have the organization's policy"),
        };
        let rest = (!others.is_empty()).then(|| {
            view! {
                <details class="policy-rest">
                    <summary>{words}</summary>
                    {list(others, may_manage, edit)}
                </details>
            }
        });
        let own = (!own.is_empty()).then(|| list(own, may_manage, edit));
        view! {
            {own}
            {rest}
        }
        .into_any()
    };
    let title = Signal::derive(move || {
        let name = edited.with(|edited| edited.as_ref().map(|edited| edited.name.clone()));
        format!("Review policy of {}", name.unwrap_or_default())
    });
    view! {
        <section class="panel-box" aria-labelledby="integration-policies">
            <div class="head">
                <h2 id="integration-policies">"For one integration"</h2>
            </div>
            {lines}
        </section>
        <Dialog open=open title=title>
            {move || edited.get().map(|one| form(one, shown, settings, open))}
        </Dialog>
    }
    .into_any()
}

fn list(
    all: Vec<IntegrationPolicy>,
    may_manage: Signal<bool>,
    edit: Callback<IntegrationPolicy>,
) -> AnyView {
    let lines = all.into_iter().map(|one| line(one, may_manage, edit));
    view! { <ul class="policy-list">{lines.collect::<Vec<_>>()}</ul> }.into_any()
}

fn line(
    one: IntegrationPolicy,
    may_manage: Signal<bool>,
    edit: Callback<IntegrationPolicy>,
) -> AnyView {
    let what = match &one.policy {
        Some(policy) => view! {
            <span class="badge info">
                <Icon name="shield" />
                "Own policy"
            </span>
            <span class="quiet-text">{rules::summary(policy)}</span>
        }
        .into_any(),
        None => {
            view! { <span class="quiet-text">"As everywhere in the organization"</span> }.into_any()
        }
    };
    let name = one.name.clone();
    view! {
        <li>
            <div class="grow">
                <a href=format!("/integrations/{}", one.integration)>
                    <strong>{name.clone()}</strong>
                </a>
                <p class="row">{what}</p>
            </div>
            <button
                type="button"
                class="button small"
                hidden=move || !may_manage.get()
                on:click=move |_| edit.run(one.clone())
            >
                "Change"
                <span class="visually-hidden">{format!(" the policy of {name}")}</span>
            </button>
        </li>
    }
    .into_any()
}

fn form(
    one: IntegrationPolicy,
    shown: Signal<PolicySettings>,
    settings: Load<PolicySettings>,
    open: RwSignal<bool>,
) -> AnyView {
    let (id, name) = (one.integration, one.name);
    let has_own = RwSignal::new(one.policy.is_some());
    let inherited = shown.with_untracked(|shown| shown.organization.clone());
    let policy = RwSignal::new(one.policy.unwrap_or(inherited));
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let own: Option<Policy> = has_own.get_untracked().then(|| policy.get_untracked());
        let done = if own.is_some() {
            format!("{name} has its own review policy.")
        } else {
            format!("{name} has the organization's review policy.")
        };
        set(Some(id), own, done, settings);
        open.set(false);
    };
    let choice = move |own: bool, words: &'static str| {
        view! {
            <label class="check">
                <input
                    type="radio"
                    name="policy-of-integration"
                    prop:checked=move || has_own.get() == own
                    on:change=move |_| has_own.set(own)
                />
                <span>{words}</span>
            </label>
        }
    };
    let fields = move || {
        has_own
            .get()
            .then(|| rules::form(policy, Signal::stored(true)))
    };
    view! {
        <form class="stack" novalidate on:submit=submit>
            <fieldset class="field">
                <legend class="visually-hidden">"Which policy it has"</legend>
                {choice(false, "As everywhere in the organization")}
                {choice(true, "Its own")}
            </fieldset>
            {fields}
            <div class="dialog-actions">
                <button type="button" class="button" on:click=move |_| open.set(false)>
                    "Cancel"
                </button>
                <button type="submit" class="button primary">
                    "Save"
                </button>
            </div>
        </form>
    }
    .into_any()
}
