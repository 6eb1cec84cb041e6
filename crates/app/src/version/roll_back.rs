//! Putting an old version back: as a draft, or at once with a reason.

use domain::IntegrationId;
use domain::integration::Version;
use domain::policy::Act;
use domain::review::decide::may_override;
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;

use super::api;
use crate::design::choices::{Choice, choices};
use crate::design::dialog::Dialog;
use crate::design::load::{load, loaded};
use crate::design::markdown::MarkdownEditor;
use crate::design::toast;
use crate::{change, review, session};

/// Which version is to be put back. A handle.
#[derive(Clone, Copy)]
pub(super) struct RollBack {
    integration: IntegrationId,
    open: RwSignal<bool>,
    /// The old version, and the one that is live.
    wanted: RwSignal<(u32, u32)>,
}

impl RollBack {
    pub(super) fn new(integration: IntegrationId) -> Self {
        Self {
            integration,
            open: RwSignal::new(false),
            wanted: RwSignal::new((0, 0)),
        }
    }

    /// Asks how to put a version back.
    pub(super) fn start(self, number: u32, live: u32) {
        self.wanted.set((number, live));
        self.open.set(true);
    }
}

/// Returns why the reader may not roll back.
pub(super) fn refusal() -> Option<String> {
    let may = session::may(Act::Publish);
    may.get().err().map(|denied| denied.to_string())
}

/// Draws the dialog.
pub(super) fn dialog(rolling: RollBack) -> AnyView {
    let title = Signal::derive(move || format!("Roll back to version {}", rolling.wanted.get().0));
    view! {
        <Dialog open=rolling.open title=title wide=true>
            {move || {
                let (number, live) = rolling.wanted.get();
                form(rolling, number, live)
            }}
        </Dialog>
    }
    .into_any()
}

/// What is chosen and typed. A handle.
#[derive(Clone, Copy)]
struct Form {
    rolling: RollBack,
    number: u32,
    live: u32,
    at_once: RwSignal<bool>,
    reason: RwSignal<String>,
    problem: RwSignal<Option<String>>,
    fault: RwSignal<Option<String>>,
    is_busy: RwSignal<bool>,
}

fn form(rolling: RollBack, number: u32, live: u32) -> AnyView {
    let form = Form {
        rolling,
        number,
        live,
        at_once: RwSignal::new(false),
        reason: RwSignal::new(String::new()),
        problem: RwSignal::new(None),
        fault: RwSignal::new(None),
        is_busy: RwSignal::new(false),
    };
    let navigate = use_navigate();
    let go = Callback::new(move |to: String| navigate(&to, NavigateOptions::default()));
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        form.send(go);
    };
    let words = move || match (form.is_busy.get(), form.at_once.get()) {
        (true, _) => "Rolling back…",
        (false, true) => "Roll back now",
        (false, false) => "Start the draft",
    };
    view! {
        <form class="stack" novalidate on:submit=submit>
            {what_changes(form)} {ways(form)}
            {move || form.at_once.get().then(|| view! {
                <MarkdownEditor
                    value=form.reason
                    label="Reason"
                    rows=2
                    problem=form.problem
                    help="It is recorded, and everyone sees it beside the version."
                    autofocus=true
                />
            })}
            {move || form.fault.get().map(|fault| view! { <p class="form-problem" role="alert">{fault}</p> })}
            <div class="dialog-actions">
                <button type="button" class="button" on:click=move |_| rolling.open.set(false)>
                    "Cancel"
                </button>
                <button
                    type="submit"
                    class="button primary"
                    prop:disabled=move || form.is_busy.get()
                >
                    {words}
                </button>
            </div>
        </form>
    }
    .into_any()
}

fn what_changes(form: Form) -> AnyView {
    let id = form.rolling.integration;
    let both = load(None, move || {
        Box::pin(async move {
            let old = api::read_version(id, form.number).await?;
            let live = api::read_version(id, form.live).await?;
            Ok((live, old))
        })
    });
    let drawn = loaded(both, |both: Signal<(Version, Version)>| {
        let gist = move || both.with(|(live, old)| change::gist(&live.document, &old.document));
        let all =
            move || both.with(|(live, old)| change::change_view(&live.document, &old.document));
        view! {
            {gist}
            {change::folded("All changes against what is live", all)}
        }
        .into_any()
    });
    view! {
        <p>
            {format!(
                "The content of version {} comes back as a new version. Version {} and all others are kept.",
                form.number,
                form.live,
            )}
        </p>
        <div class="change-box">{drawn}</div>
    }
    .into_any()
}

fn ways(form: Form) -> AnyView {
    let may = may_at_once(form.rolling.integration);
    let as_draft = "Starts a draft that can be changed, tested and reviewed like any other.";
    let at_once = Signal::derive(move || {
        let about = match may.get() {
            Some(false) => {
                "The review policy asks for approval, and only Admins can put a version live without it. Start a draft, or ask an Admin."
            }
            _ => {
                "Goes live now, without review. Runs under way finish on the version they started with."
            }
        };
        about.to_owned()
    });
    let ways = [
        Choice::new(false, "As a draft", as_draft),
        Choice::unless(
            true,
            "At once",
            at_once,
            Signal::derive(move || may.get() != Some(true)),
        ),
    ];
    choices("How to roll back", form.at_once, ways)
}

/// Returns whether the reader may put a version live that nobody has approved; `None` while that
/// is not known.
fn may_at_once(integration: IntegrationId) -> Memo<Option<bool>> {
    let settings = load(None, || Box::pin(review::api::policy_settings()));
    let me = session::use_me();
    Memo::new(move |_| {
        let role = me.with(|me| me.as_ref().map(|me| me.role))?;
        settings.value.with(|settings| {
            let settings = settings.as_ref()?;
            let mut own = settings.integrations.iter();
            let own = own.find(|one| one.integration == integration);
            let policy = own.and_then(|one| one.policy.as_ref());
            let policy = policy.unwrap_or(&settings.organization);
            let is_free = policy.approvals == 0 && !policy.test_passed;
            Some(is_free || may_override(role, policy))
        })
    })
}

impl Form {
    fn send(self, go: Callback<String>) {
        if self.is_busy.get_untracked() {
            return;
        }
        let at_once = self.at_once.get_untracked();
        let reason = self
            .reason
            .with_untracked(|reason| reason.trim().to_owned());
        if at_once && reason.is_empty() {
            self.problem.set(Some(
                "Say why. The reason is recorded and shown.".to_owned(),
            ));
            return;
        }
        self.problem.set(None);
        self.is_busy.set(true);
        let (id, number, live) = (self.rolling.integration, self.number, self.live);
        spawn_local(async move {
            let done = if at_once {
                let version = api::roll_back(id, number, live, reason).await;
                version.map(|version| {
                    toast::say(format!(
                        "Version {} is live: it is version {number} again.",
                        version.number
                    ));
                    format!("/integrations/{id}")
                })
            } else {
                let draft = api::roll_back_draft(id, number).await;
                draft.map(|draft| format!("/drafts/{draft}"))
            };
            self.is_busy.try_set(false);
            match done {
                Ok(to) => {
                    self.rolling.open.try_set(false);
                    go.run(to);
                }
                Err(fault) => {
                    session::notice(&fault);
                    self.fault.try_set(Some(fault.to_string()));
                }
            }
        });
    }
}
