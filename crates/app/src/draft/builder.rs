//! The builder: top bar, the flow in the middle, the panel of what is selected at the right.

mod ahead;
mod canvas;
mod card;
mod clipboard;
mod component;
mod declaration;
mod dialogs;
mod drag;
mod extract;
mod flow;
mod keys;
mod lanes;
mod merge;
mod outline;
mod palette;
mod panel;
mod picker;
mod prefetch;
mod problems;
mod publish;
mod review;
mod shortcuts;
mod testing;
mod top_bar;
mod values;

use domain::draft::DraftSummary;
use domain::live::{Changed, Place};
use domain::policy::Act;
use domain::presence::{At, FieldMark};
use domain::review::ReviewSummary;
use domain::{DraftId, IntegrationId, StepId};
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::hooks::use_params_map;

use super::api;
use super::editor::Editor;
use super::saving::{self, Opened, Saving};
use super::selection::Selection;
use crate::design::field::Field;
use crate::design::{self, unique};
use crate::fault::Fault;
use crate::{live, presence, session};

/// What every part of the builder works with. A handle.
#[derive(Clone, Copy)]
pub(super) struct Builder {
    editor: Editor,
    canvas: canvas::Canvas,
    saving: Saving,
    tests: testing::Tests,
    id: DraftId,
    integration: IntegrationId,
    integration_name: StoredValue<String>,
    summary: RwSignal<DraftSummary>,
    live_version: RwSignal<Option<u32>>,
    ahead: ahead::Ahead,
    /// The draft's open review.
    review: RwSignal<Option<ReviewSummary>>,
    /// Whether the dialog is open in which the draft is published.
    publishing: RwSignal<bool>,
    /// Whether the dialog is open in which a review is asked for.
    asking_review: RwSignal<bool>,
    /// Whether the dialog is open in which steps become an integration of their own.
    extracting: RwSignal<bool>,
    /// Whether the list of problems is open.
    problems_open: RwSignal<bool>,
    outline: outline::Outline,
    /// Whether the dialog is open in which something is merged into the draft, and what.
    merging: RwSignal<bool>,
    merging_with: RwSignal<merge::MergeWith>,
    catch_path: StoredValue<String>,
    may_edit: Signal<bool>,
    /// Where the step picker shall put what is chosen; `None` while it is closed.
    picker: RwSignal<Option<picker::Target>>,
    /// The field of the panel that has the caret.
    in_field: RwSignal<Option<FieldMark>>,
    /// What a screen reader hears.
    announcement: RwSignal<String>,
}

impl Builder {
    fn open(opened: Opened) -> Self {
        let draft = opened.draft.clone();
        let editor = Editor::open(draft.integration, draft.document);
        let is_open = draft.summary.state.is_open();
        let may = session::may(Act::EditDraft);
        let saving = Saving::start(opened, editor);
        Self {
            editor,
            canvas: canvas::Canvas::new(editor, draft.summary.id),
            saving,
            tests: testing::Tests::new(draft.summary.id, editor, saving),
            id: draft.summary.id,
            integration: draft.integration,
            integration_name: StoredValue::new(draft.integration_name),
            live_version: RwSignal::new(draft.live),
            ahead: ahead::Ahead::new(),
            review: RwSignal::new(None),
            publishing: RwSignal::new(false),
            asking_review: RwSignal::new(false),
            extracting: RwSignal::new(false),
            problems_open: RwSignal::new(false),
            outline: outline::Outline::new(),
            merging: RwSignal::new(false),
            merging_with: RwSignal::new(merge::MergeWith::Live),
            catch_path: StoredValue::new(draft.catch_path),
            summary: RwSignal::new(draft.summary),
            may_edit: Signal::derive(move || is_open && may.get().is_ok()),
            picker: RwSignal::new(None),
            in_field: RwSignal::new(None),
            announcement: RwSignal::new(String::new()),
        }
    }

    /// Opens the dialog in which something is merged into the draft.
    fn merge(self, with: merge::MergeWith) {
        self.merging_with.set(with);
        self.merging.set(true);
    }

    /// Says something to a screen reader.
    fn announce(self, text: impl Into<String>) {
        self.announcement.set(text.into());
    }

    /// Shows why something did not work, to eyes and ears.
    fn explain(self, result: Result<(), String>) {
        if let Err(why) = result {
            crate::design::toast::say(&why);
        }
    }

    /// Selects a step and brings its card into view and focus.
    fn go_to(self, what: Selection) {
        self.editor.selection.set(what);
        self.show(what);
    }

    /// Brings a card into view and focus, and leaves the selection as it is.
    fn show(self, what: Selection) {
        self.canvas.bring_into_view(what);
        let id = match what {
            Selection::Trigger => TRIGGER_CARD.to_owned(),
            Selection::Step(id) => card_id(id),
        };
        crate::design::focus_soon(id.clone());
        // A dialog that closes now gives the focus back within that frame: once more behind it.
        // Otherwise not, as whoever is quick may be elsewhere by then.
        let dialog = document().query_selector("dialog[open]").ok().flatten();
        if dialog.is_some() {
            request_animation_frame(move || crate::design::focus_soon(id));
        }
    }
}

/// A field of the builder's own forms: label, help and problem tied to the control that `control`
/// makes for the given id.
fn labelled(
    label: &str,
    help: &str,
    problem: Signal<Option<String>>,
    control: impl FnOnce(String) -> AnyView,
) -> AnyView {
    let id = unique("builder");
    let control = control(id.clone());
    view! {
        <Field id=id label=label help=help problem=problem required=true>
            {control}
        </Field>
    }
    .into_any()
}

/// The element id of the trigger's card.
const TRIGGER_CARD: &str = "trigger-card";

/// Returns the element id of a step's card.
fn card_id(id: StepId) -> String {
    format!("step-{id}")
}

/// The page `/drafts/:id`.
pub(crate) fn page() -> AnyView {
    let params = use_params_map();
    let id = Memo::new(move |_| {
        params
            .read()
            .get("id")
            .and_then(|id| id.parse::<DraftId>().ok())
    });
    let loaded: RwSignal<Option<Result<Builder, Fault>>> = RwSignal::new(None);
    let owner = Owner::current();
    let again = RwSignal::new(());
    // Something may have changed after the draft was read, and before it was drawn.
    let is_behind = StoredValue::new(false);
    live::use_refetch(move || match &*loaded.read_untracked() {
        Some(Err(_)) => again.set(()),
        Some(Ok(_)) => {}
        None => is_behind.set_value(true),
    });
    live::use_changes(move |changed| {
        let concerns = match changed {
            Changed::Draft(of, _) => Some(of) == id.get_untracked(),
            Changed::Integration(_) => true,
            _ => false,
        };
        if concerns && loaded.read_untracked().is_none() {
            is_behind.set_value(true);
        }
    });
    Effect::new(move || {
        again.track();
        let Some(id) = id.get() else {
            loaded.set(Some(Err(Fault::NotFound)));
            return;
        };
        loaded.set(None);
        is_behind.set_value(false);
        let owner = owner.clone();
        spawn_local(async move {
            let draft = saving::open(id).await;
            if loaded.is_disposed() {
                return;
            }
            if let Err(fault) = &draft {
                session::notice(fault);
            }
            // The signals of the builder live as long as the page, not as this task.
            let builder = match &owner {
                Some(owner) => owner.with(|| draft.map(Builder::open)),
                None => draft.map(Builder::open),
            };
            loaded.set(Some(builder));
        });
    });
    let shown = move || match loaded.get() {
        None => view! {
            <main class="page" aria-busy="true">
                <p class="loading">"Opening the draft…"</p>
            </main>
        }
        .into_any(),
        Some(Err(fault)) => view! {
            <main class="page">
                <h1>"Draft"</h1>
                <p role="alert" class="fault">{fault.to_string()}</p>
                <a class="button" href="/">"Back to the integrations"</a>
            </main>
        }
        .into_any(),
        Some(Ok(builder)) => {
            if is_behind.get_value() {
                refresh_summary(builder);
            }
            builder_view(builder).into_any()
        }
    };
    shown.into_any()
}

fn builder_view(builder: Builder) -> impl IntoView {
    provide_context(builder);
    live::use_changes(move |changed| match changed {
        Changed::Draft(id, revision) if id == builder.id => builder.saving.heard_of(revision),
        Changed::Run(id, _) => builder.tests.heard_of_run(id),
        Changed::Caught(id) if id == builder.id => builder.tests.heard_of_event(),
        Changed::Pinned(id) if id == builder.id => builder.tests.pins.ask(),
        Changed::Integration(id) if id == builder.integration => refresh_summary(builder),
        Changed::Review(_) => {
            review::refresh(builder);
            refresh_summary(builder);
        }
        _ => {}
    });
    live::use_refetch(move || {
        refresh_summary(builder);
        review::refresh(builder);
    });
    builder.ahead.follow(builder);
    component::follow(builder.editor);
    prefetch::in_a_pause(builder);
    review::refresh(builder);
    let selected = Signal::derive(move || At {
        step: builder.editor.selection.get().step(),
        field: builder.in_field.get(),
    });
    provide_context(presence::announce(Place::Draft(builder.id), selected));
    shortcuts::listen(builder);
    palette::offer(builder);
    clipboard::listen(builder);
    design::title(move || {
        format!(
            "{}: {}",
            builder.integration_name.get_value(),
            builder.summary.get().title
        )
    });
    view! {
        <main class="builder" id="main" tabindex="-1" aria-label="Builder">
            {top_bar::view(builder)}
            {closed_notice(builder)}
            {review::notice(builder)}
            {unfit_notice(builder)}
            <div class="builder-body">
                {outline::view(builder)}
                {flow::view(builder)}
                {panel::view(builder)}
            </div>
            {testing::drawer(builder)}
            {picker::view(builder)}
            {dialogs::view(builder, builder.merging, |dialogs| dialogs.merge)}
            {dialogs::view(builder, builder.extracting, |dialogs| dialogs.extract)}
            <p class="visually-hidden" aria-live="assertive">{move || builder.announcement.get()}</p>
        </main>
    }
}

/// Asks again for what others may have changed beside the document.
fn refresh_summary(builder: Builder) {
    spawn_local(async move {
        let Ok(draft) = api::read_draft(builder.id).await else {
            return;
        };
        if builder.summary.is_disposed() {
            return;
        }
        builder.saving.heard_of(draft.summary.revision);
        builder.live_version.set(draft.live);
        builder.summary.set(draft.summary);
    });
}

fn closed_notice(builder: Builder) -> impl IntoView {
    move || {
        let state = builder.summary.get().state;
        let may = session::may(Act::EditDraft).get();
        match (state.is_open(), may) {
            (false, _) => Some(format!(
                "This draft is {}. It can be read, but not changed.",
                state.title().to_lowercase()
            )),
            (true, Err(denied)) => Some(denied.to_string()),
            (true, Ok(())) => None,
        }
        .map(|text| view! { <p class="notice" role="status">{text}</p> })
    }
}

/// What could not be put on top of someone else's save: shown until it is dismissed, so that
/// nothing typed is lost.
fn unfit_notice(builder: Builder) -> impl IntoView {
    let unfit = builder.saving.unfit;
    move || {
        let all = unfit.get();
        (!all.is_empty()).then(|| {
            view! {
                <section class="notice notice-warning" aria-label="Changes that do not fit any more">
                    <p>"Someone else changed this draft, and some of your changes do not fit any more. Here is what you typed:"</p>
                    <ul>
                        {all.into_iter().map(|item| view! {
                            <li><span>{item.why}</span> <code class="unfit-text">{item.typed}</code></li>
                        }).collect_view()}
                    </ul>
                    <button class="button" on:click=move |_| unfit.set(Vec::new())>"Dismiss"</button>
                </section>
            }
        })
    }
}
