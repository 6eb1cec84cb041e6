//! The members page.

use domain::account::{Member, Role};
use domain::live::Changed;
use domain::policy::Act;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::{api, invite};
use crate::design::confirm::{Question, confirm};
use crate::design::icon::Icon;
use crate::design::load::{Load, load, loaded};
use crate::design::time::Ago;
use crate::design::toast;
use crate::screen::Page;
use crate::{live, session};

/// Draws the screen `/settings/members`.
pub(crate) fn page() -> AnyView {
    let members = load(None, || Box::pin(api::members()));
    live::use_changes(move |changed| {
        if changed == Changed::Organization {
            members.soon();
        }
    });
    let may = session::may(Act::ManageMembers);
    let content = loaded(members, move |all| {
        table(all, members, may.get_untracked().is_ok())
    });
    let invitations = move || may.get().is_ok().then(invite::section);
    view! {
        <Page title="Members" actions=invite::button()>
            {content}
            {roles()}
            {invitations}
        </Page>
    }
    .into_any()
}

fn table(all: Signal<Vec<Member>>, members: Load<Vec<Member>>, may_manage: bool) -> AnyView {
    view! {
        <div class="table cards">
            <table>
                <thead>
                    <tr>
                        <th scope="col">"Name"</th>
                        <th scope="col">"Role"</th>
                        <th scope="col">"Member since"</th>
                        <th scope="col">
                            <span class="visually-hidden">"Actions"</span>
                        </th>
                    </tr>
                </thead>
                <tbody>
                    {move || {
                        let line = |member| line(member, members, may_manage);
                        all.get().into_iter().map(line).collect::<Vec<_>>()
                    }}
                </tbody>
            </table>
        </div>
    }
    .into_any()
}

fn line(member: Member, members: Load<Vec<Member>>, may_manage: bool) -> AnyView {
    let me = session::use_me();
    let account = member.account;
    let is_me = me.with_untracked(|me| me.as_ref().is_some_and(|me| me.account == account));
    let role = if may_manage {
        role_choice(&member, members)
    } else {
        view! { <span>{member.role.title()}</span> }.into_any()
    };
    let name = member.name.clone();
    let remove = move |_| {
        let question = Question {
            title: format!("Remove {name}?"),
            text: format!(
                "{name} is signed out at once and can do nothing here any more. What {name} made stays."
            ),
            action: "Remove".to_owned(),
            is_destructive: true,
        };
        let name = name.clone();
        confirm(question, move || {
            spawn_local(async move {
                match api::remove_member(account).await {
                    Ok(()) => toast::say(format!("{name} is no member any more.")),
                    Err(fault) => toast::say_fault(&fault),
                }
                members.again();
            });
        });
    };
    let button = may_manage.then(|| {
        view! {
            <button
                type="button"
                class="button quiet icon-only"
                aria-label=format!("Remove {}", member.name)
                title=format!("Remove {}", member.name)
                on:click=remove
            >
                <Icon name="trash" />
            </button>
        }
    });
    view! {
        <tr>
            <td>
                <strong>{member.name.clone()}</strong>
                {is_me.then(|| view! { <span class="quiet-text">" (you)"</span> })}
                <p class="quiet-text">{member.email.clone()}</p>
            </td>
            <td>{role}</td>
            <td>
                <Ago at=member.joined_at />
            </td>
            <td class="end">{button}</td>
        </tr>
    }
    .into_any()
}

fn role_choice(member: &Member, members: Load<Vec<Member>>) -> AnyView {
    let (account, current, name) = (member.account, member.role, member.name.clone());
    let choose = move |event| {
        let Some(role) = Role::from_key(&event_target_value(&event)) else {
            return;
        };
        let name = name.clone();
        spawn_local(async move {
            match api::set_role(account, role).await {
                Ok(()) => toast::say(format!("{name} is {} now.", role.title())),
                Err(fault) => toast::say_fault(&fault),
            }
            // Also after a refusal: the list shows what holds.
            members.value.try_update(|_| ());
            members.again();
        });
    };
    let option = move |role: Role| {
        view! {
            <option value=role.key() prop:selected=role == current>
                {role.title()}
            </option>
        }
    };
    view! {
        <select
            class="input role-choice"
            aria-label=format!("Role of {}", member.name)
            on:change=choose
        >
            {Role::ALL.into_iter().map(option).collect::<Vec<_>>()}
        </select>
    }
    .into_any()
}

/// Says what the roles may do.
fn roles() -> AnyView {
    view! {
        <dl class="facts role-facts">
            <dt>"Admin"</dt>
            <dd>"Does everything, also manages members and network rules."</dd>
            <dt>"Collaborator"</dt>
            <dd>"Creates integrations, edits and tests drafts, publishes, and sees what runs received and sent."</dd>
            <dt>"Reader"</dt>
            <dd>"Looks at integrations, drafts and the list of runs."</dd>
        </dl>
    }
    .into_any()
}
