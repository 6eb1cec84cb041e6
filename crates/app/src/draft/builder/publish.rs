//! Publishing: says what will happen and what must be true before, then does it.

mod effects;
mod traffic;

use domain::Document;
use domain::draft::PublishPlan;
use domain::live::Changed;
use domain::review::decide::may_override;
use domain::review::{Policy, Rule};
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;

use super::super::api;
use super::Builder;
use super::merge::MergeWith;
use super::review::create::first_version;
use crate::design::dialog::Dialog;
use crate::design::icon::Icon;
use crate::design::load::{Load, load, loaded};
use crate::design::markdown::MarkdownEditor;
use crate::design::toast;
use crate::review::checks;
use crate::{change, live, session};

/// Draws the dialog.
pub(super) fn dialog(builder: Builder, open: RwSignal<bool>) -> AnyView {
    view! {
        <Dialog open=open title="Publish this draft" wide=true>
            {move || open.get().then(|| body(builder, open))}
        </Dialog>
    }
    .into_any()
}

/// What is typed and chosen. A handle.
#[derive(Clone, Copy)]
struct Form {
    builder: Builder,
    open: RwSignal<bool>,
    plan: Load<PublishPlan>,
    note: RwSignal<String>,
    /// Why it is published without approval; `None` while nobody wants to.
    reason: RwSignal<Option<String>>,
    fault: RwSignal<Option<String>>,
    is_busy: RwSignal<bool>,
}

fn body(builder: Builder, open: RwSignal<bool>) -> impl IntoView {
    let plan = load(None, move || Box::pin(api::publish_plan(builder.id)));
    live::use_changes(move |changed| match changed {
        Changed::Draft(id, _) if id == builder.id => plan.soon(),
        Changed::Integration(id) if id == builder.integration => plan.soon(),
        Changed::Review(id) => {
            let is_ours = builder
                .review
                .with_untracked(|review| review.as_ref().is_some_and(|review| review.id == id));
            if is_ours {
                plan.soon();
            }
        }
        _ => {}
    });
    let form = Form {
        builder,
        open,
        plan,
        note: RwSignal::new(String::new()),
        reason: RwSignal::new(None),
        fault: RwSignal::new(None),
        is_busy: RwSignal::new(false),
    };
    view! {
        {loaded(plan, move |plan| content(form, plan))}
        {move || form.fault.get().map(|fault| view! { <p class="form-problem" role="alert">{fault}</p> })}
        {actions(form)}
    }
}

fn content(form: Form, plan: Signal<PublishPlan>) -> AnyView {
    let builder = form.builder;
    let becomes = move || match plan.with(|plan| plan.live) {
        None => "The draft becomes version 1 and goes live: its trigger starts it from then on."
            .to_owned(),
        Some(live) => format!(
            "The draft becomes version {} and goes live in place of version {live}, which is kept.",
            live + 1
        ),
    };
    // What differs is looked up anew when the plan is, not on each edit.
    let against_live = move |draw: fn(&Document, &Document) -> AnyView| {
        plan.with(|plan| {
            let live = plan.live_document.as_ref()?;
            Some(builder.editor.read(|now| draw(live, now)))
        })
    };
    let gist =
        move || against_live(change::gist).unwrap_or_else(|| builder.editor.read(first_version));
    let all = move || against_live(change::change_view).into_any();
    let has_live = Memo::new(move |_| plan.with(|plan| plan.live_document.is_some()));
    let folded = move || {
        has_live
            .get()
            .then(|| change::folded("All changes against what is live", all))
    };
    let checks = move || plan.with(|plan| checks::list(&plan.checks));
    let then = move || plan.with(|plan| builder.editor.read(|now| effects::list(plan, now)));
    let traffic = move || plan.with(|plan| traffic::chart(&plan.hourly_events));
    view! {
        <p>{becomes}</p>
        {stale(form, plan)}
        <section class="publish-part" aria-labelledby="publish-what">
            <h3 id="publish-what">"What changes"</h3>
            <div class="change-box">{gist} {folded}</div>
        </section>
        <section class="publish-part" aria-labelledby="publish-checks">
            <h3 id="publish-checks">"Checks"</h3>
            {checks}
            {bring_up_to_date(form, plan)}
        </section>
        <section class="publish-part" aria-labelledby="publish-then">
            <h3 id="publish-then">"What happens"</h3>
            {then}
            {traffic}
        </section>
        <MarkdownEditor
            value=form.note
            label="What changed, and why"
            optional=true
            rows=2
            help="Shown beside the version."
        />
        {reason(form)}
    }
    .into_any()
}

/// Says when the draft moved on since the plan was made.
fn stale(form: Form, plan: Signal<PublishPlan>) -> impl IntoView {
    move || {
        let is_old = plan.with(|plan| plan.revision) != form.builder.saving.revision.get();
        is_old.then(|| {
            view! {
                <p class="notice">
                    <span class="grow">"The draft was saved since. The checks are looked at again."</span>
                    <button type="button" class="button small" on:click=move |_| form.plan.again()>
                        "Look again"
                    </button>
                </p>
            }
        })
    }
}

fn bring_up_to_date(form: Form, plan: Signal<PublishPlan>) -> impl IntoView {
    move || {
        let is_behind = plan.with(|plan| {
            let mut unmet = plan.checks.iter().filter(|check| check.is_unmet());
            unmet.any(|check| check.rule == Rule::UpToDate)
        });
        (is_behind && form.builder.may_edit.get()).then(|| {
            let start = move |_| {
                form.open.set(false);
                form.builder.merge(MergeWith::Live);
            };
            view! {
                <button type="button" class="button" on:click=start>
                    <Icon name="merge" />
                    "Bring up to date…"
                </button>
            }
        })
    }
}

/// Where one says why it is published without approval.
fn reason(form: Form) -> impl IntoView {
    let is_wanted = Memo::new(move |_| form.reason.with(Option::is_some));
    move || {
        is_wanted.get().then(|| {
            let text = RwSignal::new(form.reason.get_untracked().unwrap_or_default());
            Effect::new(move || form.reason.set(Some(text.get())));
            view! {
                <div class="notice warning publish-reason-box">
                    <p>
                        <strong>"Publish without approval. "</strong>
                        "The reason is recorded, and everyone sees it beside the version and in the review."
                    </p>
                    <MarkdownEditor
                        value=text
                        label="Reason"
                        rows=2
                        autofocus=true
                    />
                </div>
            }
        })
    }
}

/// What keeps a plan from being carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hindrance {
    /// Nothing does.
    None,
    /// The policy does; it can be answered for.
    Policy,
    /// Something does that nobody can answer for.
    Firm,
}

fn hindrance(plan: &PublishPlan) -> Hindrance {
    let unmet = || plan.checks.iter().filter(|check| check.is_unmet());
    if unmet().any(|check| !check.rule.can_be_overridden()) {
        Hindrance::Firm
    } else if unmet().next().is_some() {
        Hindrance::Policy
    } else {
        Hindrance::None
    }
}

fn actions(form: Form) -> impl IntoView {
    let hindrance = Memo::new(move |_| {
        let plan = form.plan.value;
        plan.with(|plan| plan.as_ref().map(hindrance))
    });
    let me = session::use_me();
    let may_override = Memo::new(move |_| {
        let role = me.with(|me| me.as_ref().map(|me| me.role));
        let collaborators = form.plan.value.with(|plan| {
            plan.as_ref()
                .is_some_and(|plan| plan.collaborators_override)
        });
        role.is_some_and(|role| {
            let policy = Policy {
                collaborators_override: collaborators,
                ..Policy::default()
            };
            may_override(role, &policy)
        })
    });
    let is_override = Memo::new(move |_| form.reason.with(Option::is_some));
    let offers_override = move || {
        hindrance.get() == Some(Hindrance::Policy) && may_override.get() && !is_override.get()
    };
    let is_ready = move || match hindrance.get() {
        Some(Hindrance::None) => true,
        Some(Hindrance::Policy) => form
            .reason
            .with(|reason| reason.as_ref().is_some_and(|text| !text.trim().is_empty())),
        _ => false,
    };
    let why_not = move || match hindrance.get()? {
        Hindrance::None => None,
        Hindrance::Firm => Some("The checks that nobody can override must be met first."),
        Hindrance::Policy if is_override.get() => (!is_ready()).then_some("Give a reason first."),
        Hindrance::Policy if may_override.get() => Some("Not all checks are met."),
        Hindrance::Policy => Some("The checks must be met first."),
    };
    let words = move || {
        if form.is_busy.get() {
            "Publishing…"
        } else if !form.builder.saving.is_saved() {
            "Saving…"
        } else if is_override.get() && hindrance.get() == Some(Hindrance::Policy) {
            "Publish without approval"
        } else {
            "Publish now"
        }
    };
    let navigate = use_navigate();
    let go = Callback::new(move |number: u32| {
        form.open.set(false);
        toast::say(format!("Version {number} is live."));
        let address = format!("/integrations/{}", form.builder.integration);
        navigate(&address, NavigateOptions::default());
    });
    view! {
        <div class="dialog-actions">
            <span class="publish-why" id="publish-why">{why_not}</span>
            <button type="button" class="button" on:click=move |_| form.open.set(false)>
                "Cancel"
            </button>
            {move || {
                offers_override()
                    .then(|| {
                        view! {
                            <button
                                type="button"
                                class="button"
                                on:click=move |_| form.reason.set(Some(String::new()))
                            >
                                "Publish without approval…"
                            </button>
                        }
                    })
            }}
            <button
                type="button"
                class="button primary"
                aria-describedby="publish-why"
                prop:disabled=move || {
                    form.is_busy.get() || !form.builder.saving.is_saved() || !is_ready()
                }
                on:click=move |_| publish(form, go)
            >
                {words}
            </button>
        </div>
    }
}

fn publish(form: Form, go: Callback<u32>) {
    form.is_busy.set(true);
    form.fault.set(None);
    let (id, note) = (form.builder.id, form.note.get_untracked());
    let revision = form.builder.saving.revision.get_untracked();
    // A reason is sent only where it is needed: it says that the policy was not met.
    let is_needed = form.plan.value.with_untracked(|plan| {
        plan.as_ref()
            .is_some_and(|p| hindrance(p) == Hindrance::Policy)
    });
    let reason = form.reason.get_untracked().filter(|_| is_needed);
    spawn_local(async move {
        let answer = api::publish(id, revision, note, reason).await;
        if form.is_busy.is_disposed() {
            return;
        }
        form.is_busy.set(false);
        match answer {
            Ok(version) => go.run(version.number),
            Err(fault) => {
                session::notice(&fault);
                form.fault.set(Some(fault.to_string()));
                form.plan.again();
            }
        }
    });
}
