//! What the reader has looked at: ticks per part of the change, and the revision seen.

use std::collections::BTreeMap;

use domain::ReviewId;
use domain::change::Target;
use domain::review::Review;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::super::api;
use super::desk::Desk;
use super::spot;
use crate::design::toast;

fn storage() -> Option<web_sys::Storage> {
    window().session_storage().ok().flatten()
}

fn since_key(id: ReviewId) -> String {
    format!("sluice.review.{id}.since")
}

fn remember(id: ReviewId, looked: u32) {
    let _ = storage().map(|storage| storage.set_item(&since_key(id), &looked.to_string()));
}

/// Returns the revision at which the reader looked before this visit. A reload does not make the
/// visit another one: then it is what this tab remembers.
pub(super) fn looked_before(review: &Review) -> Option<u32> {
    let now = review.summary.revision;
    match review.last_looked {
        Some(looked) if looked < now => {
            remember(review.summary.id, looked);
            Some(looked)
        }
        looked => {
            let key = since_key(review.summary.id);
            let kept = storage().and_then(|storage| storage.get_item(&key).ok().flatten());
            kept.and_then(|kept| kept.parse().ok()).or(looked)
        }
    }
}

/// Takes note that the draft is about to be shown at another revision: who has read everything up
/// to the one that was shown will want to see what comes on top of it.
pub(super) fn note_move(desk: Desk, revision: u32) {
    let shown = desk.review.with_untracked(|review| review.summary.revision);
    let looked = desk.looked.get_untracked();
    if revision > shown && looked.is_none_or(|looked| looked == shown) {
        remember(desk.id, shown);
        desk.looked.set(Some(shown));
    }
}

/// Tells the server that the reader sees the draft as it is now, once per revision.
pub(super) fn tell_looked(desk: Desk) {
    let revision = desk.part(|review| review.summary.revision);
    let told = StoredValue::new(None::<u32>);
    let tell = move || {
        let revision = revision.get_untracked();
        let is_seen = document().visibility_state() == web_sys::VisibilityState::Visible;
        if !is_seen || told.try_get_value().flatten() == Some(revision) {
            return;
        }
        told.set_value(Some(revision));
        spawn_local(async move {
            // It is told again with the next revision; nobody has to be bothered.
            let _ = api::looked_at_review(desk.id, revision).await;
        });
    };
    Effect::new(move || {
        revision.track();
        tell();
    });
    let handle = window_event_listener_untyped("visibilitychange", move |_| tell());
    on_cleanup(move || handle.remove());
}

/// Returns whether the reader has ticked a target as it is now.
pub(super) fn is_viewed(desk: Desk, target: Target) -> bool {
    let digest = desk.compare.whole.with(|whole| {
        let part = whole.parts.iter().find(|(part, _)| *part == target);
        part.map(|(_, digest)| digest.clone())
    });
    let ticked = desk
        .viewed
        .with(|viewed| viewed.get(&spot::key(target)).cloned());
    digest.is_some() && digest == ticked
}

/// Returns how many parts of the change are ticked, and how many there are.
pub(super) fn progress(desk: Desk) -> (usize, usize) {
    desk.compare.whole.with(|whole| {
        desk.viewed.with(|viewed| {
            let is_ticked = |(target, digest): &&(Target, String)| {
                viewed.get(&spot::key(*target)) == Some(digest)
            };
            let ticked = whole.parts.iter().filter(is_ticked).count();
            (ticked, whole.parts.len())
        })
    })
}

/// Takes the ticks that the server told, with what was ticked here since it was asked.
pub(super) fn put(desk: Desk, mut told: BTreeMap<String, String>) {
    desk.ticked.with_value(|ticked| {
        for (key, digest) in ticked {
            mark(&mut told, key.clone(), digest.clone());
        }
    });
    if desk.viewed.with_untracked(|viewed| *viewed != told) {
        desk.viewed.set(told);
    }
}

fn mark(viewed: &mut BTreeMap<String, String>, key: String, digest: Option<String>) {
    match digest {
        Some(digest) => viewed.insert(key, digest),
        None => viewed.remove(&key),
    };
}

/// Ticks a target, or takes the tick back.
pub(super) fn set(desk: Desk, target: Target, is_viewed: bool) {
    let key = spot::key(target);
    let digest = desk.compare.whole.with_untracked(|whole| {
        let part = whole.parts.iter().find(|(part, _)| *part == target);
        part.map(|(_, digest)| digest.clone())
    });
    let Some(digest) = digest else { return };
    let digest = is_viewed.then_some(digest);
    let before = desk
        .viewed
        .with_untracked(|viewed| viewed.get(&key).cloned());
    let tick = move |key: String, digest: Option<String>| {
        let _ = desk.ticked.try_update_value(|ticked| {
            ticked.insert(key.clone(), digest.clone());
        });
        desk.viewed.try_update(|viewed| mark(viewed, key, digest));
    };
    tick(key.clone(), digest.clone());
    spawn_local(async move {
        if let Err(fault) = api::set_viewed(desk.id, key.clone(), digest).await {
            tick(key, before);
            toast::say_fault(&fault);
        }
    });
}
