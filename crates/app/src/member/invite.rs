//! Invitations: made, shown once as a link, taken back.

use domain::account::{Invitation, Role};
use domain::live::Changed;
use domain::policy::Act;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::api;
use crate::design::action::{ActionButton, refusal};
use crate::design::choices::{Choice, choices};
use crate::design::copy::copy_button;
use crate::design::dialog::Dialog;
use crate::design::form::{DialogForm, Sending};
use crate::design::load::{load, loaded};
use crate::design::time::Ago;
use crate::design::{toast, unique};
use crate::{live, session};

/// Draws the button and its dialog.
pub(super) fn button() -> AnyView {
    let open = RwSignal::new(false);
    view! {
        <ActionButton
            label="Invite"
            icon="user-plus"
            primary=true
            refused=refusal(Act::ManageMembers)
            press=Callback::new(move |()| open.set(true))
        />
        <Dialog open=open title="Invite someone">
            {move || dialog(open)}
        </Dialog>
    }
    .into_any()
}

fn dialog(open: RwSignal<bool>) -> AnyView {
    let link = RwSignal::new(None::<String>);
    let role = RwSignal::new(Role::Collaborator);
    let sending = Sending::default();
    let close = Callback::new(move |()| open.set(false));
    let submit = move || {
        sending.send(api::invite(role.get_untracked()), move |token| {
            let path = format!("/invitation/{token}");
            link.try_set(Some(session::address(&path)));
            live::refetch();
        });
    };
    let roles = || {
        [
            Choice::new(Role::Admin, Role::Admin.title(), "May do everything."),
            Choice::new(
                Role::Collaborator,
                Role::Collaborator.title(),
                "Builds, tests and publishes.",
            ),
            Choice::new(Role::Reader, Role::Reader.title(), "Looks only."),
        ]
    };
    let form = move || {
        view! {
            <DialogForm action="Make a link" sending=sending submit=submit leave=close>
                {choices("Role", role, roles())}
            </DialogForm>
        }
        .into_any()
    };
    let shown = move |link: String| {
        let label = unique("link");
        view! {
            <p id=label.clone()>
                "Send this link to the person. It works once, and it is shown only now."
            </p>
            <div class="code-box" role="group" aria-labelledby=label>
                <code>{link.clone()}</code>
                {copy_button(link, "Copy the link")}
            </div>
            <div class="dialog-actions">
                <button type="button" class="button primary" on:click=move |_| open.set(false)>
                    "Done"
                </button>
            </div>
        }
        .into_any()
    };
    view! { {move || link.get().map_or_else(form, shown)} }.into_any()
}

/// Draws the invitations that nobody has taken yet.
pub(super) fn section() -> AnyView {
    let all = load(None, || Box::pin(api::invitations()));
    live::use_changes(move |changed| {
        if changed == Changed::Organization {
            all.soon();
        }
    });
    let line = move |invitation: Invitation| {
        let id = invitation.id;
        let withdraw = move |_| {
            spawn_local(async move {
                match api::withdraw_invitation(id).await {
                    Ok(()) => {
                        toast::say("The invitation is withdrawn; its link is of no use any more.")
                    }
                    Err(fault) => toast::say_fault(&fault),
                }
                all.again();
            });
        };
        view! {
            <tr>
                <td>
                    <strong>{invitation.role.title()}</strong>
                </td>
                <td>
                    {format!("{}, ", invitation.invited_by)} <Ago at=invitation.created_at />
                </td>
                <td>
                    <Ago at=invitation.expires_at />
                </td>
                <td class="end">
                    <button
                        type="button"
                        class="button small"
                        aria-label=format!("Withdraw the invitation as {}", invitation.role.title())
                        on:click=withdraw
                    >
                        "Withdraw"
                    </button>
                </td>
            </tr>
        }
        .into_any()
    };
    let table = loaded(all, move |all| {
        let lines = move || {
            if all.with(Vec::is_empty) {
                return view! { <p class="quiet-text">"No invitation is open."</p> }.into_any();
            }
            view! {
                <div class="table cards">
                    <table>
                        <thead>
                            <tr>
                                <th scope="col">"Role"</th>
                                <th scope="col">"Made by"</th>
                                <th scope="col">"Ends"</th>
                                <th scope="col">
                                    <span class="visually-hidden">"Actions"</span>
                                </th>
                            </tr>
                        </thead>
                        <tbody>{all.get().into_iter().map(line).collect::<Vec<_>>()}</tbody>
                    </table>
                </div>
            }
            .into_any()
        };
        view! { {lines} }.into_any()
    });
    view! {
        <section class="stack" aria-labelledby="invitations">
            <h2 id="invitations">"Open invitations"</h2>
            {table}
        </section>
    }
    .into_any()
}
