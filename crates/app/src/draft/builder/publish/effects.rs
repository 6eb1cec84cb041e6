//! What publishing does to what starts the integration, and to runs under way.

use domain::Document;
use domain::call::Caller;
use domain::delivery::Source;
use domain::draft::PublishPlan;
use domain::poll::{Goes, Poll};
use leptos::prelude::*;
use serde_json::Value;

use crate::design::icon::Icon;
use crate::integration::schedule::NextFires;
use crate::poll::standing;

/// Draws what will happen, a line each.
pub(super) fn list(plan: &PublishPlan, draft: &Document) -> AnyView {
    let live = plan.live_document.as_ref();
    let mut lines = trigger(plan, draft);
    if let Some(number) = plan.live {
        lines.push(("play", runs(plan.runs_under_way, number)));
    }
    let line = |(icon, text): (&'static str, String)| {
        view! {
            <li>
                <Icon name=icon />
                <span>{text}</span>
            </li>
        }
    };
    let lines = lines.into_iter().map(line).collect::<Vec<_>>();
    let has_new_schedule =
        draft.trigger.kind == "schedule" && live.is_none_or(|live| live.trigger != draft.trigger);
    let fires = has_new_schedule.then(|| {
        let (cron, zone) = (text(draft, "cron"), text(draft, "time_zone"));
        view! { <NextFires cron=cron time_zone=zone /> }
    });
    let poll = Poll::of(draft);
    let was = live.and_then(Poll::of).map(|poll| poll.when);
    let polls = poll
        .filter(|poll| was.as_ref() != Some(&poll.when))
        .and_then(|poll| standing::coming(&poll));
    view! {
        <ul class="icon-list">{lines}</ul>
        {fires}
        {polls}
    }
    .into_any()
}

fn text(document: &Document, field: &str) -> String {
    let value = document.trigger.config.get(field).and_then(Value::as_str);
    value.unwrap_or_default().to_owned()
}

fn trigger(plan: &PublishPlan, draft: &Document) -> Vec<(&'static str, String)> {
    let live = plan.live_document.as_ref();
    let was = live.map_or("", |live| live.trigger.kind.as_str());
    let is = draft.trigger.kind.as_str();
    let mut lines = Vec::new();
    match (was, is) {
        ("webhook", "webhook") => {
            lines.push((
                "webhook",
                "The address of the webhook stays the same.".to_owned(),
            ));
            lines.extend(deliveries(live, draft));
        }
        ("webhook", _) => lines.push((
            "webhook",
            "The address of the webhook stops answering: who calls it gets “not found”.".to_owned(),
        )),
        (_, "webhook") => lines.push((
            "webhook",
            "A webhook gets its address, which the integration's page shows.".to_owned(),
        )),
        _ => {}
    }
    match (was, is) {
        ("schedule", "schedule") => {
            let live = live.map(|live| &live.trigger);
            lines.push((
                "calendar",
                if live == Some(&draft.trigger) {
                    "The schedule stays the same; the next time is not skipped.".to_owned()
                } else {
                    format!(
                        "The schedule changes to {} in {}.",
                        text(draft, "cron"),
                        text(draft, "time_zone")
                    )
                },
            ));
        }
        ("schedule", _) => lines.push(("calendar", "The schedule ends.".to_owned())),
        (_, "schedule") => lines.push((
            "calendar",
            format!(
                "A schedule begins: {} in {}.",
                text(draft, "cron"),
                text(draft, "time_zone")
            ),
        )),
        _ => {}
    }
    match (was, is) {
        ("poll", "poll") => lines.push(("repeat", poll_goes_on(live, draft))),
        ("poll", _) => lines.push((
            "repeat",
            "Polling ends. What is known is kept, in case it goes on.".to_owned(),
        )),
        (_, "poll") => lines.push(("repeat", poll_begins(draft))),
        _ => {}
    }
    match (was, is) {
        (_, "manual") if was != "manual" => {
            lines.push((
                "hand",
                "It is started by hand, on the integration's page.".to_owned(),
            ));
        }
        ("manual", "manual") => {
            lines.push(("hand", "It is still started by hand.".to_owned()));
        }
        _ => {}
    }
    match (was, is) {
        ("call", "call") => {}
        (_, "call") => lines.push((
            "workflow",
            "Other integrations can call it from then on.".to_owned(),
        )),
        ("call", _) => lines.push(("workflow", not_called(&plan.callers))),
        _ => {}
    }
    lines
}

fn not_called(callers: &[Caller]) -> String {
    match Caller::names(callers) {
        names if names.is_empty() => {
            "It cannot be called any more. Nothing that is live calls it.".to_owned()
        }
        names => format!(
            "It cannot be called any more, but {names} still does: that step fails from then on. Change it first."
        ),
    }
}

fn poll_goes_on(live: Option<&Document>, draft: &Document) -> String {
    let (Some(before), Some(poll)) = (live.and_then(Poll::of), Poll::of(draft)) else {
        return String::new();
    };
    let goes = match poll.after(&before) {
        Goes::On => "Polling goes on where it is: what has started a run stays known. To begin anew, use “Start over” on the integration's page.".to_owned(),
        Goes::WithoutCursor => "The cursor is another one, so the old one is forgotten and the next poll asks from the start. What has started a run stays known; what is not known starts one.".to_owned(),
        Goes::Anew { .. } => format!("The list, or what its items are called, is another one, so polling begins anew. {}", first_poll(&poll)),
    };
    if poll.when == before.when {
        return goes;
    }
    format!("{goes} From then on it polls {}.", poll.when.says())
}

fn poll_begins(draft: &Document) -> String {
    let poll = Poll::of(draft);
    let when = poll
        .as_ref()
        .map_or_else(String::new, |poll| poll.when.says());
    let first = poll.as_ref().map_or("", first_poll);
    format!(
        "Polling begins, {when}. {first} Where it polled the same list before, it goes on there."
    )
}

fn first_poll(poll: &Poll) -> &'static str {
    match poll.starts_with_all {
        true => {
            "The first poll starts a run for each item in the list that has not started one before."
        }
        false => "The first poll starts nothing: what is in the list then is old.",
    }
}

/// Says what changes about deliveries that come again, if something does.
fn deliveries(live: Option<&Document>, draft: &Document) -> Option<(&'static str, String)> {
    let (was, is) = (Source::of(live?), Source::of(draft));
    if was == is {
        return None;
    }
    let said = match is.says() {
        Some(place) if was != Source::Nowhere => format!(
            "The sender's event id is {place} from then on: a delivery that comes again starts no second run, unless it came first before you publish. Ids that were found elsewhere do not count."
        ),
        None => "Repeated deliveries are not known any more: each starts a run.".to_owned(),
        Some(place) => format!(
            "The sender's event id is {place}: a delivery that comes again starts no second run."
        ),
    };
    Some(("copy", said))
}

fn runs(under_way: u32, live: u32) -> String {
    match under_way {
        0 => "No run is under way. Events that come in from then on start the new version."
            .to_owned(),
        1 => format!(
            "1 run is under way: it finishes on version {live}. Events that come in from then on start the new version."
        ),
        count => format!(
            "{count} runs are under way: they finish on version {live}. Events that come in from then on start the new version."
        ),
    }
}
