//! The top bar: what is open, whether it is saved, and what can be done with it.

use domain::policy::Act;
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::hooks::use_location;

use super::super::api;
use super::super::saving::SaveState;
use super::merge::MergeWith;
use super::{Builder, dialogs, outline, problems, review};
use crate::design::icon::Icon;
use crate::design::toast;
use crate::presence::{self, Presence};
use crate::session;

pub(super) fn view(builder: Builder) -> impl IntoView {
    // The review page leads here.
    let wanted = use_location().query;
    let wanted = wanted.with_untracked(|query| query.get("publish").is_some());
    let publish_open = builder.publishing;
    publish_open.set(wanted);
    view! {
        <header class="builder-bar">
            {outline::button(builder)}
            <div class="builder-title">
                <h1 class="builder-heading">
                    <a class="builder-integration" href=format!("/integrations/{}", builder.integration)>
                        {builder.integration_name.get_value()}
                    </a>
                </h1>
                {title(builder)}
                {standing(builder)}
            </div>
            {save_state(builder)}
            {presence::who_is_here(expect_context::<Presence>())}
            <div class="builder-actions">
                {history(builder)}
                {problems::view(builder)}
                <button type="button" class="button" on:click=move |_| builder.tests.open.update(|open| *open = !*open)>
                    <Icon name="play" /> "Test"
                </button>
                {review::view(builder)}
                {publish_button(builder, publish_open)}
            </div>
            {dialogs::view(builder, publish_open, |dialogs| dialogs.publish)}
        </header>
    }
}

/// The draft's title, changed in place.
fn title(builder: Builder) -> impl IntoView {
    let change = move |event| {
        let title: String = event_target_value(&event);
        spawn_local(async move {
            match api::rename_draft(builder.id, title.clone()).await {
                Ok(()) => builder.summary.update(|summary| summary.title = title),
                Err(fault) => toast::say_fault(&fault),
            }
        });
    };
    view! {
        <input
            class="builder-draft"
            type="text"
            aria-label="Title of the draft"
            prop:value=move || builder.summary.get().title
            prop:disabled=move || !builder.may_edit.get()
            on:change=change
        />
    }
}

/// Where the draft stands beside what is live.
fn standing(builder: Builder) -> impl IntoView {
    let ahead = move || match builder.ahead.changes.get() {
        None => String::new(),
        Some(0) => "; no changes yet".to_owned(),
        Some(1) => "; 1 change here".to_owned(),
        Some(count) => format!("; {count} changes here"),
    };
    let text = move || {
        let base = builder.summary.get().base;
        match (builder.live_version.get(), base) {
            (None, _) => "Not published yet".to_owned(),
            (Some(live), Some(base)) if live == base => {
                format!("Live is version {live}{}", ahead())
            }
            (Some(live), Some(base)) => {
                format!("Started from version {base}, live is {live}{}", ahead())
            }
            (Some(live), None) => {
                format!("Live is version {live}; this draft started from nothing")
            }
        }
    };
    let is_behind = move || {
        let base = builder.summary.with(|summary| summary.base);
        let live = builder.live_version.get();
        builder.may_edit.get() && live.is_some() && live != base
    };
    view! {
        <span class="builder-standing">{text}</span>
        {move || is_behind().then(|| view! {
            <button type="button" class="button small" on:click=move |_| builder.merge(MergeWith::Live)>
                <Icon name="merge" /> "Bring up to date…"
            </button>
        })}
    }
}

fn save_state(builder: Builder) -> impl IntoView {
    let saving = builder.saving;
    let text = move || match saving.state.get() {
        SaveState::Saved => format!("Saved, revision {}", saving.revision.get()),
        SaveState::Waiting | SaveState::Saving => "Saving…".to_owned(),
        SaveState::Offline => {
            "Not saved: the server cannot be reached. Kept in this browser, tried again.".to_owned()
        }
        SaveState::Refused(why) => format!("Not saved. {why}"),
    };
    let class = move || match saving.state.get() {
        SaveState::Saved => "save-state is-saved",
        SaveState::Waiting | SaveState::Saving => "save-state is-saving",
        SaveState::Offline | SaveState::Refused(_) => "save-state is-unsaved",
    };
    view! {
        <span class=class role="status" data-revision=move || saving.revision.get().to_string()>
            {text}
            {move || saving.merged.get().map(|text| view! { <span class="save-merged">{text}</span> })}
        </span>
    }
}

fn history(builder: Builder) -> impl IntoView {
    let editor = builder.editor;
    view! {
        <button
            type="button"
            class="button quiet icon-only"
            aria-label="Bring in another draft"
            title="Bring in another draft"
            hidden=move || !builder.may_edit.get()
            on:click=move |_| builder.merge(MergeWith::Draft(None))
        >
            <Icon name="merge" />
        </button>
        <button
            type="button"
            class="button quiet icon-only"
            aria-label="Undo"
            title="Undo (Ctrl+Z)"
            prop:disabled=move || editor.history().0 == 0 || !builder.may_edit.get()
            on:click=move |_| builder.explain(editor.undo())
        >
            <Icon name="undo" />
        </button>
        <button
            type="button"
            class="button quiet icon-only"
            aria-label="Redo"
            title="Redo (Ctrl+Shift+Z)"
            prop:disabled=move || editor.history().1 == 0 || !builder.may_edit.get()
            on:click=move |_| builder.explain(editor.redo())
        >
            <Icon name="redo" />
        </button>
    }
}

/// The button to publish; says why when it cannot be used.
fn publish_button(builder: Builder, open: RwSignal<bool>) -> impl IntoView {
    let may = session::may(Act::Publish);
    let reason = Memo::new(move |_| {
        if let Err(denied) = may.get() {
            return Some(denied.to_string());
        }
        let state = builder.summary.get().state;
        if !state.is_open() {
            return Some(format!(
                "This draft is {} already.",
                state.title().to_lowercase()
            ));
        }
        match builder.editor.problem_count() {
            0 => None,
            1 => Some("Mend the problem first.".to_owned()),
            count => Some(format!("Mend the {count} problems first.")),
        }
    });
    view! {
        <span class="publish-action">
            <button
                type="button"
                class="button primary"
                prop:disabled=move || reason.get().is_some()
                aria-describedby="publish-reason"
                title=move || reason.get().unwrap_or_default()
                on:click=move |_| open.set(true)
            >
                "Publish"
            </button>
            <span id="publish-reason" class="publish-reason">{move || reason.get()}</span>
        </span>
    }
}
