//! Times, relative and exact, in the reader's zone; durations.

use domain::Timestamp;
use js_sys::{Date, Object, Reflect};
use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};

/// How often relative times are written anew, in milliseconds.
const TICK_MS: u32 = 20_000;
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

thread_local! {
    static NOW: ArcRwSignal<Timestamp> = {
        let now = ArcRwSignal::new(now());
        let tick = now.clone();
        gloo::timers::callback::Interval::new(TICK_MS, move || tick.set(self::now())).forget();
        now
    };
}

/// Returns the time of the browser's clock.
pub fn now() -> Timestamp {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "milliseconds fit for 200,000 years"
    )]
    Timestamp(Date::now() as i64)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds fit into 53 bits for 200,000 years"
)]
fn date(at: Timestamp) -> Date {
    Date::new(&JsValue::from_f64(at.0 as f64))
}

fn locale() -> String {
    window()
        .navigator()
        .language()
        .unwrap_or_else(|| "en".to_owned())
}

/// Returns date and time to the second, as the reader's language writes it, with the zone.
pub fn exact(at: Timestamp) -> String {
    let options = Object::new();
    for (key, value) in [
        ("year", "numeric"),
        ("month", "short"),
        ("day", "numeric"),
        ("hour", "2-digit"),
        ("minute", "2-digit"),
        ("second", "2-digit"),
        ("timeZoneName", "short"),
    ] {
        let _ = Reflect::set(&options, &key.into(), &value.into());
    }
    String::from(date(at).to_locale_string(&locale(), &options))
}

/// Returns weekday, date and time to the minute in a time zone of the IANA database; in the
/// reader's own when the browser does not know that one.
pub fn in_zone(at: Timestamp, zone: &str) -> String {
    let options = Object::new();
    for (key, value) in [
        ("weekday", "short"),
        ("year", "numeric"),
        ("month", "short"),
        ("day", "numeric"),
        ("hour", "2-digit"),
        ("minute", "2-digit"),
        ("timeZoneName", "short"),
    ] {
        let _ = Reflect::set(&options, &key.into(), &value.into());
    }
    let _ = Reflect::set(&options, &"timeZone".into(), &zone.into());
    let format = Reflect::get(&date(at), &"toLocaleString".into()).ok();
    let format = format.and_then(|format| format.dyn_into::<js_sys::Function>().ok());
    // Throws for a zone that it does not know; the binding without a result would panic.
    let text = format.and_then(|format| format.call2(&date(at), &locale().into(), &options).ok());
    text.and_then(|text| text.as_string())
        .unwrap_or_else(|| exact(at))
}

/// Returns the instant in RFC 3339, in UTC.
pub fn iso(at: Timestamp) -> String {
    String::from(date(at).to_iso_string())
}

/// Returns the name of the reader's time zone, such as `Europe/Berlin`.
pub fn reader_zone() -> String {
    let format = js_sys::Intl::DateTimeFormat::new(&js_sys::Array::new(), &Object::new());
    let zone = Reflect::get(&format.resolved_options(), &"timeZone".into()).ok();
    zone.and_then(|zone| zone.as_string())
        .unwrap_or_else(|| "UTC".to_owned())
}

/// Returns how long ago an instant is, or how long until it comes, in one unit.
pub fn relative(at: Timestamp, now: Timestamp) -> String {
    let distance = now.0 - at.0;
    let amount = match distance.abs() {
        short if short < MINUTE => {
            return if distance >= 0 {
                "just now"
            } else {
                "in a moment"
            }
            .to_owned();
        }
        minutes if minutes < HOUR => format!("{} min", minutes / MINUTE),
        hours if hours < DAY => format!("{} h", hours / HOUR),
        days if days < 2 * DAY => "1 day".to_owned(),
        days if days < 30 * DAY => format!("{} days", days / DAY),
        _ => return day(at),
    };
    if distance >= 0 {
        format!("{amount} ago")
    } else {
        format!("in {amount}")
    }
}

fn day(at: Timestamp) -> String {
    let options = Object::new();
    for (key, value) in [("year", "numeric"), ("month", "short"), ("day", "numeric")] {
        let _ = Reflect::set(&options, &key.into(), &value.into());
    }
    String::from(date(at).to_locale_string(&locale(), &options))
}

/// Returns a duration in the unit that reads best.
pub fn duration(ms: u64) -> String {
    match ms {
        0 => "<1 ms".to_owned(),
        1..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        60_000..3_600_000 => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1_000),
        _ => format!("{} h {} min", ms / 3_600_000, ms % 3_600_000 / 60_000),
    }
}

/// A time as a distance from now, with the exact time on hover.
#[component]
pub fn Ago(
    /// The instant.
    at: Timestamp,
) -> impl IntoView {
    let tick = RwSignal::from(NOW.with(Clone::clone));
    view! {
        <time datetime=iso(at) title=exact(at)>
            {move || relative(at, tick.get().max(now()))}
        </time>
    }
}
