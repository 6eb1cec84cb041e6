//! Choosing the draft that is brought in.

use domain::draft::DraftSummary;
use domain::live::Changed;
use leptos::prelude::*;

use super::super::Builder;
use super::MergeWith;
use crate::design::icon::Icon;
use crate::design::load::{load, loaded};
use crate::design::state::draft_badge;
use crate::design::time::Ago;
use crate::integration::api;
use crate::live;

/// Draws the other open drafts of the integration.
pub(super) fn view(builder: Builder) -> AnyView {
    let detail = load(None, move || {
        Box::pin(api::read_integration(builder.integration))
    });
    live::use_changes(move |changed| {
        if matches!(changed, Changed::Integration(id) if id == builder.integration) {
            detail.soon();
        }
    });
    let content = loaded(detail, move |detail| {
        let others = Memo::new(move |_| {
            let drafts = detail.with(|detail| detail.summary.drafts.clone());
            let others = drafts.into_iter().filter(|draft| draft.id != builder.id);
            others.collect::<Vec<_>>()
        });
        let drawn = move || list(builder, others.get());
        drawn.into_any()
    });
    view! {
        {content}
        <div class="dialog-actions">
            <button type="button" class="button" on:click=move |_| builder.merging.set(false)>
                "Cancel"
            </button>
        </div>
    }
    .into_any()
}

fn list(builder: Builder, drafts: Vec<DraftSummary>) -> AnyView {
    if drafts.is_empty() {
        return view! {
            <p class="empty">
                "No other draft of this integration is open. When someone starts one, what it changes can be brought into this draft here."
            </p>
        }
        .into_any();
    }
    let line = |draft: DraftSummary| {
        let id = draft.id;
        let words = format!(
            "Revision {}, last saved by {} ",
            draft.revision, draft.updated_by
        );
        view! {
            <li>
                <button
                    type="button"
                    class="merge-choice"
                    on:click=move |_| builder.merging_with.set(MergeWith::Draft(Some(id)))
                >
                    <span class="grow">
                        <strong>{draft.title.clone()}</strong>
                        <span class="quiet-text">{words} <Ago at=draft.updated_at /></span>
                    </span>
                    {draft_badge(draft.state)}
                    <Icon name="chevron-right" />
                </button>
            </li>
        }
    };
    let lines = drafts.into_iter().map(line).collect::<Vec<_>>();
    view! {
        <p>"What it changed is merged into this draft, as a new revision."</p>
        <ul class="merge-choices">{lines}</ul>
    }
    .into_any()
}
