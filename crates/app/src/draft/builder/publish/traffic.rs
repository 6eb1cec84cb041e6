//! When events come in: a bar for each hour of the day, in the reader's time zone.

use js_sys::Date;
use leptos::prelude::*;

use crate::design::time::reader_zone;

/// Days that the figures are about.
const DAYS: u32 = 28;
/// Height of the chart's highest bar, and width of a bar with the gap behind it, in its own units.
const HEIGHT: u32 = 48;
const STEP: usize = 12;

/// Draws the hours, and says which is the quietest. Nothing when no event came in.
pub(super) fn chart(utc: &[u32; 24]) -> Option<AnyView> {
    let total: u32 = utc.iter().sum();
    let most = *utc.iter().max()?;
    if total == 0 {
        return None;
    }
    let offset = offset_hours();
    let hours = in_zone(utc, offset);
    let quiet = quietest(&hours);
    let now = usize::try_from(Date::new_0().get_hours()).unwrap_or_default();
    let bar = |(hour, count): (usize, &u32)| {
        let height = (u64::from(*count) * u64::from(HEIGHT)).div_ceil(u64::from(most.max(1)));
        let kind = if hour == quiet {
            "quiet"
        } else if hour == now {
            "now"
        } else {
            ""
        };
        view! {
            <rect
                data-kind=kind
                x=(hour * STEP).to_string()
                y=(u64::from(HEIGHT) - height.max(1)).to_string()
                width=(STEP - 3).to_string()
                height=height.max(1).to_string()
            >
                <title>{format!("{}: {}", span(hour), events(*count))}</title>
            </rect>
        }
    };
    let bars = hours.iter().enumerate().map(bar).collect::<Vec<_>>();
    let says = format!(
        "Fewest events come in between {} ({} of {total} in {DAYS} days).",
        span(quiet),
        hours[quiet]
    );
    let this_hour = format!("Now, between {}: {}.", span(now), events(hours[now]));
    let description = format!("Events per hour of the day. {says} {this_hour}");
    view! {
        <figure class="traffic">
            // As wide as the hours under it.
            <svg
                viewBox=format!("0 0 {} {HEIGHT}", 24 * STEP)
                preserveAspectRatio="none"
                role="img"
                aria-label=description
            >
                {bars}
            </svg>
            <div class="traffic-hours" aria-hidden="true">
                <span>"0:00"</span>
                <span>"6:00"</span>
                <span>"12:00"</span>
                <span>"18:00"</span>
                <span>"24:00"</span>
            </div>
            <figcaption>
                <span class="traffic-key" data-kind="quiet">{says}</span>
                " "
                <span class="traffic-key" data-kind="now">{this_hour}</span>
                <span class="quiet-text">{format!(" Times in {}.", reader_zone())}</span>
            </figcaption>
        </figure>
    }
    .into_any()
    .into()
}

/// Returns how many hours the reader's clock is ahead of UTC now; parts of an hour are left out.
fn offset_hours() -> i32 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "an offset is at most a day"
    )]
    let minutes = Date::new_0().get_timezone_offset() as i32;
    (-minutes).div_euclid(60)
}

fn in_zone(utc: &[u32; 24], offset: i32) -> [u32; 24] {
    let mut hours = [0; 24];
    for (hour, count) in (0_i32..).zip(utc) {
        let there = usize::try_from((hour + offset).rem_euclid(24)).unwrap_or_default();
        hours[there] = *count;
    }
    hours
}

/// Returns the hour with the fewest events; of several, the one with the fewest around it, nearer
/// hours first: the middle of a quiet night.
fn quietest(hours: &[u32; 24]) -> usize {
    let around = |hour: usize, distance: usize| {
        let (before, after) = ((hour + 24 - distance) % 24, (hour + distance) % 24);
        hours[before].max(hours[after])
    };
    (0..24)
        .min_by_key(|hour| {
            (0..12)
                .map(|distance| around(*hour, distance))
                .collect::<Vec<_>>()
        })
        .unwrap_or_default()
}

fn span(hour: usize) -> String {
    format!("{hour}:00 and {}:00", (hour + 1) % 24)
}

fn events(count: u32) -> String {
    match count {
        0 => "no events".to_owned(),
        1 => "1 event".to_owned(),
        count => format!("{count} events"),
    }
}
