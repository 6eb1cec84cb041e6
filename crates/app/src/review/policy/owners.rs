//! Who owns what: one of them must be among those who approve.

use domain::catalog;
use domain::connection::Connection;
use domain::review::policy::{IntegrationPolicy, PolicySettings};
use domain::review::{OwnerRule, OwnerScope, Person};
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::api;
use crate::connection::known::known;
use crate::design::dialog::Dialog;
use crate::design::field::{Field, described};
use crate::design::icon::Icon;
use crate::design::load::Load;
use crate::design::people::PeoplePicker;
use crate::design::{toast, unique};
use crate::session;

/// Draws the section.
pub(super) fn section(
    shown: Signal<PolicySettings>,
    settings: Load<PolicySettings>,
    may_manage: Signal<bool>,
) -> AnyView {
    let all = Memo::new(move |_| shown.with(|shown| shown.owners.clone()));
    let editing = RwSignal::new(None::<OwnerRule>);
    let open = RwSignal::new(false);
    let edit = Callback::new(move |rule: Option<OwnerRule>| {
        editing.set(rule);
        open.set(true);
    });
    let lines = move || {
        if all.with(Vec::is_empty) {
            return view! {
                <p class="empty">
                    "Nobody owns anything yet: any approval counts. An owner of an integration, a connection or a kind of step must approve what changes it."
                </p>
            }
            .into_any();
        }
        let lines = all
            .get()
            .into_iter()
            .map(|rule| line(rule, may_manage, edit, settings));
        view! { <ul class="policy-list">{lines.collect::<Vec<_>>()}</ul> }.into_any()
    };
    // Asked for now, so that they are there when something is chosen.
    let connections = known();
    let title = Signal::derive(move || match editing.get() {
        Some(rule) => format!("Owners of {}", words(&rule.scope, rule.name)),
        None => "Name owners".to_owned(),
    });
    view! {
        <section class="panel-box" aria-labelledby="owners">
            <div class="head">
                <h2 class="grow" id="owners">
                    "Owners"
                </h2>
                <button
                    type="button"
                    class="button"
                    hidden=move || !may_manage.get()
                    on:click=move |_| edit.run(None)
                >
                    <Icon name="user-plus" />
                    "Name owners"
                </button>
            </div>
            {lines}
        </section>
        <Dialog open=open title=title>
            {move || form(editing.get(), (shown, connections), settings, open)}
        </Dialog>
    }
    .into_any()
}

/// Says what is owned.
fn words(scope: &OwnerScope, name: String) -> String {
    match scope {
        OwnerScope::StepKind(_) => format!("{name} steps, everywhere"),
        OwnerScope::Integration(_) | OwnerScope::Connection(_) => name,
    }
}

fn line(
    rule: OwnerRule,
    may_manage: Signal<bool>,
    edit: Callback<Option<OwnerRule>>,
    settings: Load<PolicySettings>,
) -> AnyView {
    let what = words(&rule.scope, rule.name.clone());
    let icon = match &rule.scope {
        OwnerScope::Integration(_) => "workflow",
        OwnerScope::Connection(_) => "link",
        OwnerScope::StepKind(kind) => {
            catalog::action(kind).map_or("circle-dot", |action| action.icon.as_str())
        }
    };
    let names: Vec<_> = rule.owners.iter().map(|owner| owner.name.clone()).collect();
    let scope = rule.scope.clone();
    let hears = format!("{what}: nobody owns it any more.");
    let remove = move |_| save(scope.clone(), Vec::new(), hears.clone(), settings);
    view! {
        <li>
            <span class="tile small">
                <Icon name=icon />
            </span>
            <div class="grow">
                <strong>{what.clone()}</strong>
                <p class="quiet-text">{format!("Approved by {}", one_of(&names))}</p>
            </div>
            <div class="row" hidden=move || !may_manage.get()>
                <button type="button" class="button small" on:click=move |_| edit.run(Some(rule.clone()))>
                    "Change"
                    <span class="visually-hidden">{format!(" the owners of {what}")}</span>
                </button>
                <button
                    type="button"
                    class="button quiet icon-only small"
                    aria-label=format!("Remove the owners of {what}")
                    title="Remove the owners"
                    on:click=remove
                >
                    <Icon name="trash" />
                </button>
            </div>
        </li>
    }
    .into_any()
}

fn one_of(names: &[String]) -> String {
    match names {
        [] => "nobody".to_owned(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

fn save(
    scope: OwnerScope,
    owners: Vec<domain::AccountId>,
    done: String,
    settings: Load<PolicySettings>,
) {
    spawn_local(async move {
        match api::set_owners(scope, owners).await {
            Ok(_) => toast::say(done),
            Err(fault) => toast::say_fault(&fault),
        }
        settings.again();
    });
}

/// The form that names owners of something, or changes who they are.
fn form(
    rule: Option<OwnerRule>,
    (shown, connections): (Signal<PolicySettings>, Signal<Option<Vec<Connection>>>),
    settings: Load<PolicySettings>,
    open: RwSignal<bool>,
) -> AnyView {
    let scope = RwSignal::new(
        rule.as_ref()
            .map(|rule| (rule.scope.clone(), rule.name.clone())),
    );
    let owners = RwSignal::new(rule.as_ref().map_or_else(Vec::new, |r| r.owners.clone()));
    let fault = RwSignal::new(None::<String>);
    let members = Signal::derive(move || shown.with(|shown| shown.members.clone()));
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let picked: Vec<Person> = owners.get_untracked();
        let Some((scope, name)) = scope.get_untracked() else {
            fault.set(Some("Choose what they own.".to_owned()));
            return;
        };
        if picked.is_empty() {
            fault.set(Some("Pick at least one person.".to_owned()));
            return;
        }
        let what = words(&scope, name);
        let accounts = picked.into_iter().map(|person| person.account).collect();
        spawn_local(async move {
            match api::set_owners(scope, accounts).await {
                Ok(_) => {
                    toast::say(format!("{what}: an owner must approve what changes it."));
                    open.try_set(false);
                }
                Err(why) => {
                    session::notice(&why);
                    fault.try_set(Some(why.to_string()));
                }
            }
            settings.again();
        });
    };
    let choice = rule
        .is_none()
        .then(|| scope_choice(shown, connections, scope));
    view! {
        <form class="stack" novalidate on:submit=submit>
            {choice}
            <PeoplePicker
                label="Owners"
                members=members
                chosen=owners
                required=true
                placeholder="Type a name"
                help="The approval of one of them is enough. Who edited the draft does not count, unless the policy says so."
            />
            {move || fault.get().map(|fault| view! { <p class="form-problem" role="alert">{fault}</p> })}
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

/// What can be owned, with its name.
type Scope = (OwnerScope, String);

fn scope_choice(
    shown: Signal<PolicySettings>,
    connections: Signal<Option<Vec<Connection>>>,
    scope: RwSignal<Option<Scope>>,
) -> AnyView {
    let id = unique("scope");
    let all = Memo::new(move |_| {
        let integrations = shown.with(|shown| {
            let one = |one: &IntegrationPolicy| {
                (OwnerScope::Integration(one.integration), one.name.clone())
            };
            shown.integrations.iter().map(one).collect::<Vec<Scope>>()
        });
        let connections = connections.get().unwrap_or_default().into_iter();
        let kinds = catalog::actions().iter();
        [
            ("Integrations", integrations),
            (
                "Connections, in any integration",
                connections
                    .map(|one| (OwnerScope::Connection(one.id), one.name))
                    .collect(),
            ),
            (
                "Kinds of steps, in any integration",
                kinds
                    .map(|kind| (OwnerScope::StepKind(kind.key.clone()), kind.title.clone()))
                    .collect(),
            ),
        ]
    });
    let choose = move |event| {
        let chosen: String = event_target_value(&event);
        let found = all.with_untracked(|all| {
            let mut all = all.iter().flat_map(|(_, scopes)| scopes);
            all.find(|(scope, _)| value(scope) == chosen).cloned()
        });
        scope.set(found);
    };
    let options = move || {
        let groups = all.get().into_iter();
        let groups = groups.filter(|(_, scopes)| !scopes.is_empty());
        let groups = groups.map(|(label, scopes)| {
            let option = |(scope, name): Scope| {
                let shown = match scope {
                    OwnerScope::StepKind(_) => format!("{name} steps"),
                    _ => name,
                };
                view! { <option value=value(&scope)>{shown}</option> }
            };
            let options: Vec<_> = scopes.into_iter().map(option).collect();
            view! { <optgroup label=label>{options}</optgroup> }
        });
        groups.collect::<Vec<_>>()
    };
    view! {
        <Field id=id.clone() label="What they own" required=true>
            <select id=id.clone() class="input" aria-describedby=described(&id) on:change=choose>
                <option value="">"Choose an integration, a connection or a kind of step"</option>
                {options}
            </select>
        </Field>
    }
    .into_any()
}

/// Returns what an option of the choice has for a value.
fn value(scope: &OwnerScope) -> String {
    match scope {
        OwnerScope::Integration(id) => format!("integration/{id}"),
        OwnerScope::Connection(id) => format!("connection/{id}"),
        OwnerScope::StepKind(kind) => format!("step/{kind}"),
    }
}
