//! The signing secrets of a webhook: which are kept, a new one, one that came from the sender.

use domain::live::Changed;
use domain::policy::Act;
use domain::signing::{Signature, SigningSecret, check_secret};
use domain::{IntegrationId, SigningSecretId};
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::api;
use crate::design::action::{ActionButton, refusal};
use crate::design::confirm::{Question, confirm};
use crate::design::copy::copy_button;
use crate::design::dialog::Dialog;
use crate::design::field::TextField;
use crate::design::icon::Icon;
use crate::design::load::{Load, load, loaded};
use crate::design::time::Ago;
use crate::design::toast;
use crate::{live, session};

/// Draws the part about signatures of what is live.
pub(super) fn section(id: IntegrationId, signature: Memo<Signature>) -> AnyView {
    let secrets = load(None, move || Box::pin(api::signing_secrets(id)));
    live::use_changes(move |changed| {
        if changed == Changed::Integration(id) {
            secrets.soon();
        }
    });
    let open = RwSignal::new(false);
    let content = loaded(secrets, move |kept| {
        view! {
            {move || said(signature.get(), kept.with(Vec::is_empty))}
            {list(id, kept, secrets)}
        }
        .into_any()
    });
    let add = move || {
        (signature.get() != Signature::None).then(|| {
            view! {
                <ActionButton
                    label="Add a signing secret"
                    icon="plus"
                    refused=refusal(Act::ManageSecrets)
                    press=Callback::new(move |()| open.set(true))
                />
            }
        })
    };
    view! {
        <section class="stack" aria-labelledby="signature">
            <h3 id="signature">
                "Signature"
                <span class="quiet-text">{move || format!(" {}", signature.get().title())}</span>
            </h3>
            {content}
            <div>{add}</div>
            {adding(id, open, secrets)}
        </section>
    }
    .into_any()
}

fn said(signature: Signature, is_empty: bool) -> AnyView {
    match (signature, is_empty) {
        (Signature::None, _) => view! {
            <p class="quiet-text">
                "Whoever knows the address can call it. Choose a signature in the trigger of a draft, and only its sender can."
            </p>
        }
        .into_any(),
        (_, true) => view! {
            <p class="notice warning">
                "Every call is refused: there is no signing secret yet. An Admin adds the one that the sender has."
            </p>
        }
        .into_any(),
        (_, false) => view! {
            <p class="quiet-text">
                "Calls are taken that were signed with one of these. To exchange a secret, add the new one, give it to the sender, then remove the old one."
            </p>
        }
        .into_any(),
    }
}

fn list(
    id: IntegrationId,
    kept: Signal<Vec<SigningSecret>>,
    secrets: Load<Vec<SigningSecret>>,
) -> AnyView {
    let lines = move || {
        let line = |secret: SigningSecret| line(id, secret, secrets);
        kept.get().into_iter().map(line).collect::<Vec<_>>()
    };
    view! {
        <ul class="range-list" aria-label="Signing secrets" hidden=move || kept.with(Vec::is_empty)>
            {lines}
        </ul>
    }
    .into_any()
}

fn line(id: IntegrationId, secret: SigningSecret, secrets: Load<Vec<SigningSecret>>) -> AnyView {
    let label = format!("Remove the signing secret of {}", secret.created_by);
    let remove = move |_| {
        let question = Question {
            title: "Remove this signing secret?".to_owned(),
            text: "Calls that are signed with it are refused from now on.".to_owned(),
            action: "Remove".to_owned(),
            is_destructive: true,
        };
        confirm(question, move || {
            spawn_local(removed(id, secret.id, secrets))
        });
    };
    let button = move || {
        let label = label.clone();
        session::may(Act::ManageSecrets)
            .get()
            .is_ok()
            .then(move || {
                view! {
                    <button
                        type="button"
                        class="button quiet icon-only"
                        aria-label=label.clone()
                        title=label
                        on:click=remove
                    >
                        <Icon name="trash" />
                    </button>
                }
            })
    };
    view! {
        <li>
            <Icon name="lock" />
            <span class="grow">
                {format!("Kept by {} ", secret.created_by)} <Ago at=secret.created_at />
            </span>
            {button}
        </li>
    }
    .into_any()
}

async fn removed(id: IntegrationId, secret: SigningSecretId, secrets: Load<Vec<SigningSecret>>) {
    match api::remove_signing_secret(id, secret).await {
        Ok(()) => toast::say("The signing secret is removed."),
        Err(fault) => toast::say_fault(&fault),
    }
    secrets.again();
}

/// The dialog: a secret from the sender is typed in, or a new one is made and shown this once.
fn adding(id: IntegrationId, open: RwSignal<bool>, secrets: Load<Vec<SigningSecret>>) -> AnyView {
    let (given, problem) = (RwSignal::new(String::new()), RwSignal::new(None::<String>));
    let made = RwSignal::new(None::<String>);
    // Neither stays in the page longer than it is looked at.
    Effect::new(move || {
        if !open.get() {
            given.set(String::new());
            problem.set(None);
            made.set(None);
        }
    });
    let keep = move |secret: Option<String>| {
        spawn_local(async move {
            match api::keep_signing_secret(id, secret).await {
                Ok(Some(new)) => {
                    made.try_set(Some(new));
                }
                Ok(None) => {
                    open.try_set(false);
                    toast::say("The signing secret is kept.");
                }
                Err(fault) => {
                    session::notice(&fault);
                    problem.try_set(Some(fault.to_string()));
                }
            }
            secrets.again();
        });
    };
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        match given.with_untracked(|given| check_secret(given).map(str::to_owned)) {
            Ok(secret) => keep(Some(secret)),
            Err(refusal) => problem.set(Some(refusal.to_string())),
        }
    };
    let form = move || {
        view! {
            <form class="stack" novalidate on:submit=submit>
                <TextField
                    label="Secret from the sender"
                    value=given
                    problem=problem
                    kind="password"
                    help="Where the sender shows one, as Stripe does, paste it here. It is sealed, and never shown again."
                    autofocus=true
                />
                <p class="quiet-text">
                    "Where the sender asks you for one, as GitHub does, make a new one."
                </p>
                <div class="dialog-actions">
                    <button type="button" class="button" on:click=move |_| keep(None)>
                        "Make a new secret"
                    </button>
                    <button type="submit" class="button primary">
                        "Keep this secret"
                    </button>
                </div>
            </form>
        }
        .into_any()
    };
    let shown = move |secret: String| {
        let text = secret.clone();
        view! {
            <div class="stack">
                <p>"Give this secret to the sender now. It is not shown again."</p>
                <div class="code-box">
                    <code>{secret}</code>
                    {copy_button(Signal::stored(text), "Copy the secret")}
                </div>
                <div class="dialog-actions">
                    <button type="button" class="button primary" on:click=move |_| open.set(false)>
                        "Done"
                    </button>
                </div>
            </div>
        }
        .into_any()
    };
    view! {
        <Dialog open=open title="Add a signing secret">
            {move || match made.get() {
                Some(secret) => shown(secret),
                None => form(),
            }}
        </Dialog>
    }
    .into_any()
}
