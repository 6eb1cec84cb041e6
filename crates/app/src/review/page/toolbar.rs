//! The bar over the changes: how they are drawn, between which states, how many are looked at.

use domain::review::{Review, Verdict};
use leptos::prelude::*;

use super::compare::{Point, Span};
use super::desk::{Desk, View};
use super::viewed;
use crate::design::icon::Icon;
use crate::design::unique;

/// Draws the bar.
pub(super) fn view(desk: Desk) -> AnyView {
    view! {
        <div class="review-tools" role="group" aria-label="How the changes are shown">
            {views(desk)} {picker(desk)} {since(desk)} <span class="grow"></span> {everything(desk)}
            {progress(desk)}
        </div>
    }
    .into_any()
}

fn views(desk: Desk) -> AnyView {
    let button = |(view, _, name, icon): (View, &str, &'static str, &'static str)| {
        view! {
            <button
                type="button"
                class="segment"
                aria-pressed=move || (desk.view.get() == view).to_string()
                on:click=move |_| desk.choose_view(view)
            >
                <Icon name=icon />
                <span>{name}</span>
            </button>
        }
    };
    view! {
        <div class="segments" role="group" aria-label="View">
            {View::ALL.into_iter().map(button).collect::<Vec<_>>()}
        </div>
    }
    .into_any()
}

/// Returns the states that can be chosen, each with what the reader knows it by.
fn points(review: &Review) -> Vec<(u32, String)> {
    let me = crate::session::use_me()
        .get_untracked()
        .map(|me| me.account);
    let mine = |revision: u32| {
        let decided = review.decisions.iter().rev();
        let mut decided = decided.filter(|d| d.revision == revision && Some(d.by.account) == me);
        let words = decided.next().map(|decision| match decision.verdict {
            Verdict::Approve => "you approved",
            Verdict::Reject => "you asked for changes",
            Verdict::Comment => "you commented",
        });
        let looked = (review.last_looked == Some(revision)).then_some("you looked");
        words.or(looked)
    };
    let now = review.summary.revision;
    let saved = review.revisions.iter().map(|line| line.revision);
    // A draft that was never saved has no line for what it is.
    let unsaved = Some(now).filter(|now| saved.clone().all(|revision| revision != *now));
    unsaved
        .into_iter()
        .chain(saved)
        .map(|revision| {
            let mut words = format!("Revision {revision}");
            if revision == now {
                words.push_str(" (now)");
            } else if let Some(mine) = mine(revision) {
                words.push_str(&format!(" ({mine})"));
            }
            (revision, words)
        })
        .collect()
}

/// Puts the revision that was chosen, if it is one, into what is compared.
type Choose = Box<dyn Fn(&mut Span, Option<u32>)>;

/// Draws the two fields that choose what is compared.
fn picker(desk: Desk) -> AnyView {
    let points = desk.part(points);
    let base = desk.part(|review| match review.base {
        Some(base) => format!("Version {base}"),
        None => "Nothing (a new integration)".to_owned(),
    });
    let now = desk.part(|review| review.summary.revision);
    let number = move |point: Point| match point {
        Point::Revision(number) => number.to_string(),
        Point::Now => now.get().to_string(),
        Point::Base => String::new(),
    };
    let choose = move |change: Choose| {
        move |event| {
            let chosen: Option<u32> = event_target_value(&event).parse().ok();
            let mut span = desk.compare.span.get_untracked();
            change(&mut span, chosen);
            desk.links.go(&desk.links.of_span(span));
        }
    };
    let from = choose(Box::new(|span, chosen| {
        span.from = chosen.map_or(Point::Base, Point::Revision);
    }));
    let to = choose(Box::new(move |span, chosen| {
        let chosen = chosen.filter(|chosen| *chosen != now.get_untracked());
        span.to = chosen.map_or(Point::Now, Point::Revision);
    }));
    let options = move |is_from: bool| {
        let span = desk.compare.span.get();
        let chosen = number(if is_from { span.from } else { span.to });
        let option = move |(revision, words): (u32, String)| {
            let is_it = chosen == revision.to_string();
            view! {
                <option value=revision.to_string() prop:selected=is_it>
                    {words}
                </option>
            }
        };
        points.get().into_iter().map(option).collect::<Vec<_>>()
    };
    let (from_id, to_id) = (unique("from"), unique("to"));
    view! {
        <div class="span-picker">
            <label for=from_id.clone()>"From"</label>
            <select class="input" id=from_id on:change=from>
                <option value="" prop:selected=move || desk.compare.span.get().from == Point::Base>
                    {move || base.get()}
                </option>
                {move || options(true)}
            </select>
            <label for=to_id.clone()>"to"</label>
            <select class="input" id=to_id on:change=to>
                {move || options(false)}
            </select>
        </div>
    }
    .into_any()
}

/// Draws the way to what changed since the reader last looked, and back to everything.
fn since(desk: Desk) -> AnyView {
    let now = desk.part(|review| review.summary.revision);
    let chip = move || {
        let span = desk.compare.span.get();
        if span != Span::WHOLE {
            return Some((desk.links.of_span(Span::WHOLE), "All changes".to_owned()));
        }
        let looked = desk.looked.get().filter(|looked| *looked < now.get())?;
        let span = Span {
            from: Point::Revision(looked),
            to: Point::Now,
        };
        let words = format!("Changed since you last looked (revision {looked})");
        Some((desk.links.of_span(span), words))
    };
    view! {
        {move || {
            chip()
                .map(|(address, words)| {
                    view! {
                        <a class="chip since" href=address data-noscroll="">
                            <Icon name="history" />
                            {words}
                        </a>
                    }
                })
        }}
    }
    .into_any()
}

fn everything(desk: Desk) -> AnyView {
    view! {
        <label class="check">
            <input
                type="checkbox"
                prop:checked=move || !desk.everything.get()
                on:change=move |event| desk.everything.set(!event_target_checked(&event))
            />
            "Only changes"
        </label>
    }
    .into_any()
}

fn progress(desk: Desk) -> AnyView {
    let progress = Memo::new(move |_| viewed::progress(desk));
    view! {
        <span class="viewed-progress" role="status">
            {move || {
                let (viewed, all) = progress.get();
                (all > 0).then(|| format!("{viewed} of {all} viewed"))
            }}
        </span>
    }
    .into_any()
}
