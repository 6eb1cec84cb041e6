//! How the polling of what is live goes, on the page of its integration.

use domain::integration::{IntegrationDetail, Version};
use domain::poll::{Poll, Polling, When};
use domain::{IntegrationId, Timestamp};
use leptos::prelude::*;

use super::begin;
use crate::design::time::Ago;
use crate::integration::schedule::{NextFires, POLLS};

/// Draws the part about polling of what is live.
pub(crate) fn section(
    id: IntegrationId,
    detail: Signal<IntegrationDetail>,
    version: Signal<Version>,
) -> AnyView {
    let poll = Memo::new(move |_| version.with(|version| Poll::of(&version.document)));
    let polling = Memo::new(move |_| detail.with(|detail| detail.polling.clone()));
    let has_cursor =
        Signal::derive(move || poll.with(|poll| poll.as_ref().is_some_and(Poll::has_cursor)));
    let what = move || poll.get().map(|poll| asked(&poll));
    let is_enabled = Memo::new(move |_| detail.with(|detail| detail.summary.enabled));
    let times = move || {
        let poll = poll.get().filter(|_| is_enabled.get());
        poll.and_then(|poll| coming(&poll))
    };
    let how = move || polling.get().map(|polling| stands(&polling));
    view! {
        <div class="stack">
            {what}
            {how}
            {times}
            <div>{begin::button(id, has_cursor)}</div>
        </div>
    }
    .into_any()
}

/// Says that polls fail, and since when.
pub(crate) fn failing_notice(since: Timestamp) -> AnyView {
    view! {
        <p class="notice">
            "Polls failing since " <Ago at=since />
            ". No poll was answered after it, so what is new starts no run."
        </p>
    }
    .into_any()
}

/// Draws the next times at which it polls, where they are set.
pub(crate) fn coming(poll: &Poll) -> Option<AnyView> {
    let When::At { cron, time_zone } = &poll.when else {
        return None;
    };
    let (cron, time_zone) = (cron.clone(), time_zone.clone());
    Some(view! { <NextFires cron=cron time_zone=time_zone title=POLLS /> }.into_any())
}

fn asked(poll: &Poll) -> AnyView {
    let every = match poll.when {
        When::Every(1) => "Every minute".to_owned(),
        When::Every(minutes) => format!("Every {minutes} minutes"),
        When::At { .. } => "At set times".to_owned(),
    };
    let times = match &poll.when {
        When::Every(_) => None,
        When::At { cron, time_zone } => Some(view! {
            <dt>"When"</dt>
            <dd class="mono">{cron.clone()}</dd>
            <dt>"Time zone"</dt>
            <dd>{time_zone.clone()}</dd>
        }),
    };
    view! {
        <dl class="facts">
            <dt>"Address"</dt>
            <dd class="mono">{poll.url().to_owned()}</dd>
            <dt>"Asked"</dt>
            <dd>{every}</dd>
            {times}
        </dl>
        <p class="quiet-text">{poll.says()}</p>
    }
    .into_any()
}

fn stands(polling: &Polling) -> AnyView {
    let error = polling.error.clone().map(|error| {
        let times = match polling.failures {
            0 | 1 => "The last poll failed.".to_owned(),
            count => format!("The last {count} polls failed. They are further apart with each."),
        };
        view! {
            <p class="notice warning">
                <span>{times} " " {error}</span>
            </p>
        }
    });
    let last = polling.last_at.map(|at| {
        let items = match polling.items {
            1 => " · 1 item in the list".to_owned(),
            count => format!(" · {count} items in the list"),
        };
        view! {
            <Ago at=at />
            {items}
        }
    });
    let last = match last {
        Some(last) => last.into_any(),
        None => "Not yet".into_any(),
    };
    let next = match polling.next_at {
        Some(at) => view! { <Ago at=at /> }.into_any(),
        None => "Not while it is disabled; it goes on where it was".into_any(),
    };
    let cursor = polling.cursor.as_ref().map(|cursor| {
        let text = cursor
            .as_str()
            .map_or_else(|| cursor.to_string(), str::to_owned);
        view! {
            <dt>"Cursor"</dt>
            <dd class="mono">{text}</dd>
        }
    });
    view! {
        {error}
        <dl class="facts" aria-label="Polling">
            <dt>"Last answer"</dt>
            <dd>{last}</dd>
            <dt>"Next poll"</dt>
            <dd>{next}</dd>
            <dt>"Runs started"</dt>
            <dd>{polling.started}</dd>
            {cursor}
        </dl>
    }
    .into_any()
}
